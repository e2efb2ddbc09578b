"""Each client that writes does its session behind limits written by hand."""

import re
from pathlib import Path

import pytest

from tests.end_to_end.proxies import enforcing
from tests.engine import ScratchEngine
from tests.learned.learning import env_file, work
from tests.learned.limits import BY_HAND, families, with_limits
from tests.learned.pages import operations
from tests.learned.profiles import PROFILES, Profile
from tests.learned.test_clients import is_quick
from tests.learned.test_files import evidence
from trioproxy.api.families import LIMITS, MOVING, VARIABLES
from trioproxy.api.routes import LIMITED
from trioproxy.file.permissions import parse_policy_file
from trioproxy.judge.meaning import meaning_of

LINE = re.compile(r" status=(\d+) by=(\w+) .*?operation=(\w+)")


def written(profile: Profile, base: Path) -> str:
    """The learned file, with these limits in place of those that were learned."""
    limits = dict(BY_HAND[profile.name])
    if any("{base}" in value for value in limits.values()):
        limits["CREATE_BASE"] = str(base)
    kept = [
        line
        for line in env_file(profile).read_text().splitlines()
        if line.partition("=")[0] not in LIMITS | {*MOVING.values()}
    ]
    lines = [f"{name}={value}" for name, value in limits.items()]
    return "\n".join([*kept, *lines, ""])


def parameters(*, quick: bool) -> list[object]:
    """The profiles with limits that are quick, or the others."""
    # What compose does, test_limited_clients.py does too, and waits less.
    kept = [
        one
        for one in with_limits()
        if quick == (is_quick(one) and not one.name.startswith("docker-compose"))
    ]
    return [pytest.param(profile, id=profile.name) for profile in kept]


def check(engine: ScratchEngine, profile: Profile, folder: Path) -> None:
    """Run the session behind limits: nothing is refused, and answers are as learned."""
    base = folder / "work"
    file = folder / "limited.env"
    file.write_text(written(profile, base))
    listen = f"unix://{folder}/docker.sock"
    with enforcing(engine, "--env-file", str(file), listen=listen) as proxy:
        ran = work(profile, engine, proxy.url, folder=base)
    refused = [line for line in proxy.log if "decision=refused" in line]
    assert (ran.returncode, refused) == (0, []), ran.stdout
    answers = [found.groups() for found in map(LINE.search, proxy.log) if found]
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


def test_every_client_that_writes_has_limits() -> None:
    """A file that grants what can be limited has limits here, of each of its families."""
    for profile in PROFILES:
        limits = BY_HAND.get(profile.name, {})
        assert families(profile) == {VARIABLES[name].family for name in limits}, (
            profile.name
        )


@pytest.mark.parametrize("profile", with_limits(), ids=lambda one: one.name)
def test_limits_leave_no_way_by_an_argument(profile: Profile) -> None:
    """Behind these limits no argument gives root, but for the folder that a client owns."""
    policy, _ = parse_policy_file(written(profile, Path("/home/me/app")), name="x")
    ways = [str(way.grant) for way in meaning_of(policy).ways if way.grant]
    owned = ["CREATE_BINDS={base}/*"] if profile.name == "devcontainers" else []
    assert ways == owned


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.parametrize("profile", parameters(quick=True))
def test_client_of_this_machine(
    scratch: ScratchEngine, profile: Profile, tmp_path: Path
) -> None:
    """The client works behind limits that list what it does."""
    check(scratch, profile, tmp_path)


@pytest.mark.engine
@pytest.mark.clients
@pytest.mark.parametrize("profile", parameters(quick=False))
def test_client(scratch: ScratchEngine, profile: Profile, tmp_path: Path) -> None:
    """The client at its pinned version works behind limits that list what it does."""
    check(scratch, profile, tmp_path)
