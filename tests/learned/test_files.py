"""Each learned file is what its evidence says; the pages say what the files say."""

import re
from pathlib import Path

import pytest

from tests.learned.learning import LEARNED, SESSIONS, env_file
from tests.learned.pages import (
    CLIENTS,
    END,
    README,
    clients_table,
    readme_table,
    with_table,
)
from tests.learned.profiles import PROFILES, Profile
from trioproxy.api.routes import LIMITED
from trioproxy.evidence import evidencefile
from trioproxy.evidence.ledger import evidence_path
from trioproxy.evidence.seen import Evidence
from trioproxy.file.permissions import parse_policy, parse_policy_file
from trioproxy.judge.meaning import meaning_of
from trioproxy.learning.proposal import env_text, propose
from trioproxy.learning.wish import Wish

every_profile = pytest.mark.parametrize(
    "profile", [pytest.param(profile, id=profile.name) for profile in PROFILES]
)


def evidence(file: Path) -> Evidence:
    """The evidence beside a learned file."""
    path = evidence_path(file)
    loaded = evidencefile.load(path.read_bytes(), name=path.name)
    assert not loaded.damage
    return loaded.evidence


def test_files_and_profiles() -> None:
    """Each profile has a file, an evidence and a session, and there are no others."""
    names = {profile.name for profile in PROFILES}
    assert {file.stem for file in LEARNED.glob("*.env")} == names
    assert {file.stem for file in LEARNED.glob("*.jsonl")} == names
    sessions = {profile.session for profile in PROFILES}
    assert {file.name for file in SESSIONS.iterdir() if file.is_file()} == sessions


@every_profile
def test_file_parses(profile: Profile) -> None:
    """Nothing has to be said of the file but what no list limits, and what a build does."""
    text = env_file(profile).read_text()
    policy, warnings = parse_policy_file(text, name=profile.name)
    assert policy.opened_operations
    beyond = ("no variable limits ", "no ONLY_* variable limits ", "a build goes ")
    assert all(one.startswith(beyond) for one in warnings)


@every_profile
def test_file_is_read_in_a_minute(profile: Profile) -> None:
    """It begins with the verdict, as `explain` words it, and a file of at most 15
    operations has at most 45 lines."""
    text = env_file(profile).read_text()
    policy, _ = parse_policy_file(text, name=profile.name)
    verdict, _, _ = text.partition('.\n# Learned for "')
    answer = meaning_of(policy).answer
    assert " ".join(re.sub("(?m)^# +", "", verdict).split()) == f"R{answer[1:]}"
    assert len(policy.operations) > 15 or text.count("\n") <= 45


@every_profile
def test_file_follows_from_evidence(profile: Profile) -> None:
    """Written again from its evidence, with the old text or without, it is the same text."""
    file = env_file(profile)
    text, seen = file.read_text(), evidence(file)
    wish = Wish(name=profile.name, file=file.name)
    for old in (text, ""):
        assert env_text(seen, propose(seen, old, wish), old, wish) == text


@every_profile
def test_evidence_round_trips(profile: Profile) -> None:
    """The evidence, read and written again, is the same text."""
    path = evidence_path(env_file(profile))
    assert evidencefile.dump(evidence(env_file(profile))) == path.read_text()


@every_profile
def test_nothing_new_in_second_run(profile: Profile) -> None:
    """The evidence is of two runs, and the second needed nothing that the first did not."""
    facts = evidence(env_file(profile)).completeness()
    assert (facts.runs, facts.newest_run) == (2, 1)


@every_profile
def test_nothing_private(profile: Profile) -> None:
    """Neither file tells of a path or an address of the machine that it was made on."""
    file = env_file(profile)
    for record in evidence(file).routes.values():
        assert record.users.clients | record.triers.clients == {"unix:uid=0"}
    text = file.read_text() + evidence_path(file).read_text()
    private = (
        r"/(home|root|tmp|work|usr|Users)\b|(?!127\.0\.0\.1\b)\b\d+\.\d+\.\d+\.\d+"
    )
    assert not re.search(private, text)


def test_readme() -> None:
    """The table of learned/README.md tells of the profiles and files as they are."""
    text = README.read_text()
    assert with_table(text, readme_table()) == text


def test_clients_page() -> None:
    """The learned table of docs/clients.md tells of the profiles and files as they are."""
    text = CLIENTS.read_text()
    assert with_table(text, clients_table()) == text


def test_documented_clients() -> None:
    """Whatever docs/clients.md tells to put into ALLOW_OPERATIONS is a policy."""
    lists = re.findall(
        r"`((?:[A-Z][A-Za-z]+,)*[A-Z][a-z]+[A-Z][A-Za-z]+)`", CLIENTS.read_text()
    )
    assert lists
    for names in lists:
        policy, warnings = parse_policy({"ALLOW_OPERATIONS": names})
        assert policy.operations == set(names.split(","))
        assert not warnings


def rows() -> list[tuple[str, str, str]]:
    """The clients without a file that may do more than look: name, list, limits."""
    below = CLIENTS.read_text().rpartition(END)[2]
    cells = [line.split("|")[1:-1] for line in below.splitlines()]
    found = [[cell.strip(" `") for cell in row] for row in cells if len(row) == 5]
    return [
        (name, operations, limits)
        for name, operations, limits, *_ in found
        if re.fullmatch(r"[A-Z][A-Za-z]+(,[A-Z][A-Za-z]+)*", operations)
    ]


@pytest.mark.parametrize(
    ("name", "granted", "limits"), rows(), ids=lambda row: row[:20]
)
def test_documented_limits(name: str, granted: str, limits: str) -> None:
    """Whatever is listed there and can be limited is, family by family."""
    variables = dict(pair.split("=") for pair in limits.split())
    policy, _ = parse_policy({"ALLOW_OPERATIONS": granted, **variables})
    families = {LIMITED[one][0] for one in policy.operations if one in LIMITED}
    assert policy.limits.families == families, name
    assert not [way for way in meaning_of(policy).ways if way.grant]


def test_documented_limits_are_found() -> None:
    """The tables are read: clients that create are among them."""
    assert {"Nextcloud AppAPI", "gluetun-monitor"} <= {name for name, *_ in rows()}
