"""What each start says of a policy and of the Engine: root or not, and which programs are old."""

import json
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import trio

from tests.commands.running import run, running
from tests.fakes import EngineConnection, FakeEngine, response

ANY_PORT = "tcp://127.0.0.1:0"
OLD = {"Components": [{"Name": "runc", "Version": "1.1.15+ds1"}]}
TOLD = "runc 1.1.15+ds1 has CVE-2025-31133, CVE-2025-52565, CVE-2025-52881, mended in"


@asynccontextmanager
async def engine(path: Path, version: bytes | None) -> AsyncIterator[FakeEngine]:
    """An Engine that says its versions in these words; None: it never does."""

    async def answer(connection: EngineConnection) -> None:
        with suppress(ConnectionError):
            while await connection.has_more():
                asked = await connection.read_request()
                if not re.search(rb" /(?:version|info) ", asked.line):
                    await connection.send(response(body=b"OK"))
                elif version is None:
                    await connection.has_more()
                else:
                    await connection.send(response(body=version))
                if asked.line.endswith(b"1.0") or asked.all("connection"):
                    break
        connection.close()

    fake = FakeEngine(path=path)
    fake.listen()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(fake.serve, answer)
        yield fake
        fake.die()
        nursery.cancel_scope.cancel()


VERDICTS = [
    ({"CONTAINERS": "1"}, "notice", "root on the host: no known way"),
    ({"CONTAINERS": "1", "POST": "1"}, "warning", "root on the host: yes, by "),
]


@pytest.mark.parametrize("options", [(), ("--shadow",)], ids=["enforce", "shadow"])
@pytest.mark.parametrize(
    ("variables", "level", "text"), VERDICTS, ids=[one[1] for one in VERDICTS]
)
async def test_every_start_says_the_verdict(
    fake: FakeEngine,
    options: tuple[str, ...],
    variables: dict[str, str],
    level: str,
    text: str,
) -> None:
    """One line says whether the policy is root, louder where it is."""
    settings = {"SOCKET_PATH": str(fake.path), "LISTEN": ANY_PORT}
    async with running("enforce", *options, variables=variables | settings) as proxy:
        await proxy.listen()
        line = await proxy.line(" verdict ")
    assert f" {level} verdict " in line
    assert f'text="{text}' in line


async def test_a_reload_says_it_if_it_changed(fake: FakeEngine, tmp_path: Path) -> None:
    """A policy that is root since a reload is told of, and one that stays is not again."""
    file = tmp_path / "app.env"
    file.write_text("ALLOW_OPERATIONS=ContainerList\n")
    options = ("--listen", ANY_PORT, "--upstream", f"unix://{fake.path}")
    async with running("enforce", str(file), *options) as proxy:
        await proxy.line(" notice verdict ")
        for operations in ("ContainerList,ImageList", "ContainerCreate"):
            file.write_text(f"ALLOW_OPERATIONS={operations}\n")
            proxy.process.send_signal(signal.SIGHUP)
            await proxy.line(" reload ")
        # Between the two reloads nothing was said.
        assert "verdict" not in proxy.text.partition(" warning verdict ")[0]
        await proxy.line(" warning verdict ")


async def test_old_programs_of_the_engine_are_told(tmp_path: Path) -> None:
    """Start, probe and check name what is old, with what to do; nothing fails by it."""
    raw = json.dumps(OLD).encode()
    async with engine(tmp_path / "engine.sock", raw) as fake:
        settings = {"SOCKET_PATH": str(fake.path), "LISTEN": ANY_PORT}
        async with running("enforce", variables=settings) as proxy:
            address = await proxy.listen()
            line = await proxy.line(" old-engine ")
            asked = {"LISTEN": address, "SOCKET_PATH": str(fake.path)}
            probe = await trio.to_thread.run_sync(
                lambda: run("health", "--json", variables=asked)
            )
            other = await trio.to_thread.run_sync(run, "health", address)
        file = tmp_path / "app.env"
        file.write_text("ALLOW_OPERATIONS=ContainerList\n")
        upstream = ("--upstream", f"unix://{fake.path}")
        checked = await trio.to_thread.run_sync(
            run, "check", str(file), "GET", "/containers/json", *upstream
        )
    assert " warning old-engine component=runc version=1.1.15+ds1 " in line
    assert "fixed=1.2.8,1.3.3,1.4.0-rc.3 " in line
    assert "unless your distribution mended it" in line
    assert probe.status == 0
    assert json.loads(probe.out)["old"][0].startswith(TOLD)
    assert other.out.startswith(f"{address}: the Engine answers; policy ")
    assert other.out.count("\n") == 1
    assert checked.status == 0
    assert f"\nold: {TOLD}" in checked.out


@pytest.mark.parametrize("bind", ["/data", "/data/docker/volumes/x:ro"])
async def test_where_the_engine_keeps_its_data_is_told_as_root(
    tmp_path: Path, bind: str
) -> None:
    """Its folder may be anywhere: who may bind that, one above or one in it has all of it."""
    raw = json.dumps({**OLD, "DockerRootDir": "/data/docker"}).encode()
    policy = {"CREATE_BINDS": bind, "ALLOW_OPERATIONS": "ContainerCreate"}
    async with engine(tmp_path / "engine.sock", raw) as fake:
        settings = {"SOCKET_PATH": str(fake.path), "LISTEN": ANY_PORT}
        async with running("enforce", variables=policy | settings) as proxy:
            line = await proxy.line(" data-bound ")
    assert " warning data-bound " in line
    assert " bind /data/docker, " in line


@pytest.mark.parametrize("version", [None, b"no JSON", b"[]"], ids=["hangs", "words", "list"])  # fmt: skip
async def test_an_engine_that_does_not_say_holds_up_nobody(
    tmp_path: Path, version: bytes | None
) -> None:
    """The start neither waits for the versions nor fails without, and the end does not."""
    async with engine(tmp_path / "engine.sock", version) as fake:
        settings = {"SOCKET_PATH": str(fake.path), "LISTEN": ANY_PORT}
        async with running("enforce", variables=settings) as proxy:
            await proxy.line(" verdict ")
            proxy.process.send_signal(signal.SIGTERM)
            assert await proxy.end() == 0
        assert "old-engine" not in proxy.text
