"""A reload that crashes: whoever is served has no part in it."""

from collections.abc import Mapping

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
