"""Each client that writes, and limits written by hand: they hold it, and refuse it nothing.

How a client does behind limits is seen of the learned ones, in test_clients.py.
"""

from pathlib import Path

import pytest

from tests.commands.running import run
from tests.learned.learning import env_file
from tests.learned.limits import BY_HAND, families, with_limits
from tests.learned.profiles import PROFILES, Profile
from trioproxy.api.families import LIMITS, MOVING, VARIABLES
from trioproxy.file.permissions import parse_policy_file
from trioproxy.judge.meaning import meaning_of


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


@pytest.mark.parametrize("profile", with_limits(), ids=lambda one: one.name)
def test_limits_refuse_nothing_that_was_asked_for(
    profile: Profile, tmp_path: Path
) -> None:
    """What the client asked for while it was learned passes such limits, value by value."""
    file = tmp_path / "limited.env"
    file.write_text(written(profile, Path("/home/me/app")))
    ran = run("diff", str(file), str(env_file(profile).with_suffix(".jsonl")))
    assert ran.status == 0
    assert "refuses nothing that was needed" in " ".join(ran.out.split())
