"""Each client does its session behind a proxy that enforces its own learned file."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.end_to_end.proxies import enforcing
from tests.engine import ScratchEngine
from tests.learned.install import Machine
from tests.learned.learning import WORKSPACE, env_file, work
from tests.learned.pages import operations
from tests.learned.profiles import PROFILES, Profile
from tests.learned.test_files import evidence
from trioproxy.api.routes import LIMITED

LINE = re.compile(r" status=(\d+) by=(\w+) .*?operation=(\w+)")


def is_quick(profile: Profile) -> bool:
    """Whether nothing has to be fetched for it, nor waited for."""
    return isinstance(profile.source, Machine) and not profile.is_slow


def parameters(*, quick: bool) -> list[object]:
    """The quick profiles, or the others."""
    chosen = [one for one in PROFILES if is_quick(one) == quick]
    return [pytest.param(profile, id=profile.name) for profile in chosen]


def behind(
    file: Path, engine: ScratchEngine, profile: Profile, folder: Path
) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run the session behind that file: how it ended, and the log."""
    # A Unix socket: clients run in the Engine's network, the proxy does not.
    listen = f"unix://{folder}/docker.sock"
    place, here = folder / "work", folder / "here.env"
    here.write_text(file.read_text().replace(WORKSPACE, str(place)))
    with enforcing(engine, "--env-file", str(here), listen=listen) as proxy:
        ran = work(profile, engine, proxy.url, folder=place)
    return ran, proxy.log


def refused_in(log: list[str]) -> list[str]:
    """The lines that tell of a refusal."""
    return [line for line in log if "decision=refused" in line]


def check(engine: ScratchEngine, profile: Profile, folder: Path) -> None:
    """Run the session behind its own file: nothing is refused, and answers are as learned."""
    ran, log = behind(env_file(profile), engine, profile, folder)
    assert (ran.returncode, refused_in(log)) == (0, []), ran.stdout
    answers = [found.groups() for found in map(LINE.search, log) if found]
    assert "trioproxy" not in {who for _, who, _ in answers}
    limited = {(name, status) for status, _, name in answers if name in LIMITED}
    assert limited <= on_the_raw_socket(profile)
    # What is limited was asked for, so that the limits were put to the test.
    assert {name for name, _ in limited} == LIMITED.keys() & set(operations(profile))


def on_the_raw_socket(profile: Profile) -> set[tuple[str, str]]:
    """What the Engine answered to the client while it was learned."""
    return {
        (shape.operation, result)
        for shape, record in evidence(env_file(profile)).routes.items()
        for result in record.results
    }


@pytest.mark.engine
def test_too_little_is_seen(scratch: ScratchEngine, tmp_path: Path) -> None:
    """Without one operation of its file a client fails, and says which is missing."""
    profile = next(one for one in PROFILES if one.name == "docker-push-pull")
    file = tmp_path / "less.env"
    file.write_text(env_file(profile).read_text().replace("ImageTag,", ""))
    ran, log = behind(file, scratch, profile, tmp_path)
    assert ran.returncode
    assert "add ImageTag to ALLOW_OPERATIONS" in ran.stdout
    assert len(refused_in(log)) == 1


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.parametrize("profile", parameters(quick=True))
def test_client_of_this_machine(
    scratch: ScratchEngine, profile: Profile, tmp_path: Path
) -> None:
    """Its learned file is enough for a client that the machine has."""
    check(scratch, profile, tmp_path)


@pytest.mark.engine
@pytest.mark.clients
@pytest.mark.parametrize("profile", parameters(quick=False))
def test_client(scratch: ScratchEngine, profile: Profile, tmp_path: Path) -> None:
    """Its learned file is enough for the client at its pinned version."""
    check(scratch, profile, tmp_path)
