"""Each client does its session behind a proxy that enforces its own learned file."""

import subprocess
from pathlib import Path

import pytest

from tests.end_to_end.proxies import enforcing
from tests.engine import ScratchEngine
from tests.learned.install import Machine
from tests.learned.learning import WORKSPACE, env_file, work
from tests.learned.profiles import PROFILES, Profile


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
    """Run the session behind that file: how it ended, and what was refused."""
    # A Unix socket: clients run in the Engine's network, the proxy does not.
    listen = f"unix://{folder}/docker.sock"
    place, here = folder / "work", folder / "here.env"
    here.write_text(file.read_text().replace(WORKSPACE, str(place)))
    with enforcing(engine, "--env-file", str(here), listen=listen) as proxy:
        ran = work(profile, engine, proxy.url, folder=place)
    return ran, [line for line in proxy.log if "decision=refused" in line]


def check(engine: ScratchEngine, profile: Profile, folder: Path) -> None:
    """Run the session behind its own file; nothing may be refused."""
    ran, refused = behind(env_file(profile), engine, profile, folder)
    assert (ran.returncode, refused) == (0, []), ran.stdout


@pytest.mark.engine
def test_too_little_is_seen(scratch: ScratchEngine, tmp_path: Path) -> None:
    """Without one operation of its file a client fails, and says which is missing."""
    profile = next(one for one in PROFILES if one.name == "docker-push-pull")
    file = tmp_path / "less.env"
    file.write_text(env_file(profile).read_text().replace("ImageTag,", ""))
    ran, refused = behind(file, scratch, profile, tmp_path)
    assert ran.returncode
    assert "add ImageTag to ALLOW_OPERATIONS" in ran.stdout
    assert len(refused) == 1


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
