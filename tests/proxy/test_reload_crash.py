"""A reload that crashes, or of what is gone: whoever is served has no part in it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from tests.proxy.conftest import OPEN, Start
from trioproxy.commands import enforce
from trioproxy.commands.enforce import Found, Gates
from trioproxy.proxy.own import Own


class Broken(Gates):
    """Crashes where a policy is read."""

    def read(self, environ: Mapping[str, str]) -> Found:
        raise ZeroDivisionError


async def test_the_old_policy_stays(start: Start) -> None:
    """It is logged with its place, the policy is told as stale, and requests pass as before."""
    proxy = await start(OPEN)
    await enforce._reload(proxy.server, Broken(env_file="", own=Own(), policies={}))
    assert proxy.server.health.standings[""].words == {"policy": "", "newer": "refused"}
    client = await proxy.connect()
    await client.ask("GET", "/containers/json")
    engine = await proxy.fake.accept()
    assert (await engine.read_request()).line.startswith(b"GET /containers/json")
    (line,) = proxy.lines_of(" crash ")
    assert "ZeroDivisionError" in line
    assert "client=reload" in line


@pytest.mark.parametrize(
    "is_still_read", [False, True], ids=["gone", "read before it went"]
)
async def test_what_goes_while_it_is_read_again_does_not_come_back(
    is_still_read: bool, start: Start, nursery: trio.Nursery, tmp_path: Path
) -> None:
    """A policy that is taken out of the folder in the middle of a reload judges nobody, and is told as stale by nobody."""
    proxy = await start(OPEN)
    server, file = proxy.server, tmp_path / "app.env"
    server.config = replace(server.config, policies=str(tmp_path))
    file.write_text("ALLOW_OPERATIONS=ContainerList\n")
    policies = dict[str, Gates]()

    def add(client: str, path: str) -> Gates:
        policies[client] = Gates(
            client=client, env_file=path, is_containers=True, own=Own(), policies={}
        )
        return policies[client]

    look, turn = enforce._look_for_policies, trio.Lock()
    await look(server, policies, add, nursery, turn)
    assert server.health.standings["app"].fingerprint
    one = policies["app"]
    async with trio.open_nursery() as reading:
        async with one.reading:
            reading.start_soon(enforce._reload, server, one)
            await trio.testing.wait_all_tasks_blocked()
            file.rename(tmp_path / "kept")
            await look(server, policies, add, nursery, turn)
            if is_still_read:  # as if it had been read before it went
                one.env_file = str(tmp_path / "kept")
    assert "app" not in server.gates
    assert "app" not in server.health.standings


async def test_one_look_at_the_folder_at_a_time(
    start: Start, nursery: trio.Nursery, tmp_path: Path
) -> None:
    """What goes while others of the same look are read is in force for nobody at the end."""
    proxy = await start(OPEN)
    server = proxy.server
    server.config = replace(server.config, policies=str(tmp_path))
    for name in ("one", "two"):
        (tmp_path / f"{name}.env").write_text("ALLOW_OPERATIONS=ContainerList\n")
    policies, held, turn = dict[str, Gates](), trio.Lock(), trio.Lock()

    def add(client: str, path: str) -> Gates:
        policies[client] = Gates(
            client=client,
            env_file=path,
            is_containers=True,
            own=Own(),
            policies={},
            reading=held,
        )
        return policies[client]

    look = enforce._look_for_policies
    async with trio.open_nursery() as looks:
        async with held:
            looks.start_soon(look, server, policies, add, nursery, turn)
            while not policies:
                await trio.testing.wait_all_tasks_blocked(0.01)
            (first,) = policies
            (other,) = {"one", "two"} - {first}
            (tmp_path / f"{other}.env").unlink()
            looks.start_soon(look, server, policies, add, nursery, turn)
            await trio.testing.wait_all_tasks_blocked(0.05)
    assert list(policies) == [first]
    assert other not in server.health.standings
