"""What a report says, as values: from a file and evidence, and nothing else."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.reports import PLAIN, write_grown
from trioproxy.evidence.evidencefile import load
from trioproxy.evidence.seen import Evidence
from trioproxy.file import envfile
from trioproxy.file.incumbents import TECNATIVA
from trioproxy.file.permissions import parse_policy_file
from trioproxy.judge.meaning import limits_power_of, meaning_of
from trioproxy.learning.minimize import opened_operations, price_of
from trioproxy.limits.grant import Grant
from trioproxy.review.facts import (
    DECLINED,
    FAILED,
    LIMITED,
    RUNS_SHOWN,
    UNKNOWN,
    File,
    Operation,
    Record,
    Report,
    report_of,
)
from trioproxy.review.listing import Item
from trioproxy.review.sightings import of_operation

LEARNED = Path(__file__).parents[2] / "learned"


def file(text: str, name: str = "app.env") -> File:
    policy, warnings = parse_policy_file(text, name=name)
    variables = envfile.parse(text, name=name)
    return File(
        *(),
        name=name,
        digest="00",
        variables=variables,
        policy=policy,
        warnings=warnings,
    )


def record(data: bytes, name: str = "app.jsonl") -> Record:
    return Record(name=name, digest="11", evidence=load(data, name=name).evidence)


def operations(report: Report) -> list[Operation]:
    return [one for group in report.groups for one in group.operations]


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The report of a file that grew: `tests/reports.py` has its story."""
    folder = tmp_path_factory.mktemp("grown")
    write_grown(folder)
    text = {one.name: one.read_bytes() for one in folder.iterdir()}
    return report_of(
        file(text["runner.env"].decode()),
        record(text["runner.jsonl"]),
        old=file(text["reviewed.env"].decode(), "reviewed.env"),
        live=record(text["live.jsonl"], "live.jsonl"),
    )


@pytest.mark.parametrize("name", PLAIN)
def test_a_learned_file(name: str) -> None:
    """Each operation of a file is there once, with its risk and what was seen of it."""
    text = (LEARNED / f"{name}.env").read_text()
    known = record((LEARNED / f"{name}.jsonl").read_bytes())
    found = report_of(file(text), known)
    policy = found.file.policy
    shown = operations(found)
    assert sorted(one.endpoint.operation for one in shown) == sorted(
        policy.opened_operations
    )
    assert found.meaning == meaning_of(policy)
    doors = {way.operation for way in found.meaning.ways if not way.grant}
    for one in shown:
        is_limited = limits_power_of(policy, one.endpoint.operation)
        level = LIMITED if is_limited else one.endpoint.risk
        assert one.level == ("host-root" if one.endpoint.operation in doors else level)
        assert one.seen == of_operation(known.evidence, one.endpoint.operation)
        assert one.seen is not None
        assert sum(one.uses) == one.seen.count
        assert set(one.askers) == set(one.seen.programs)
    there = price_of(policy.granted, TECNATIVA)
    assert found.price.opened == there.operations
    assert found.price.writes == there.writes
    assert found.price.used == found.price.granted == len(shown)
    assert found.price.granted + found.price.beyond == there.operations
    assert (found.changes, found.drifted) == (None, None)


def test_without_evidence() -> None:
    """A file without evidence says what it means, and of nothing that it was never seen."""
    found = report_of(file("CONTAINERS=1\n"), None)
    there = opened_operations({"CONTAINERS": "1"}, [TECNATIVA])
    assert found.price.opened == len(there)
    assert found.watch is None
    assert {one.seen for one in operations(found)} == {None}
    assert {one.uses for one in operations(found)} == {()}
    assert (found.left_out, found.unseen, found.unlisted) == ((), (), ())
    assert "all of CONTAINERS" in found.unknown
    assert found.price.used == 0


def test_nothing_granted() -> None:
    """A file that opens nothing has no groups, and no way to root."""
    found = report_of(file("ALLOW_OPERATIONS=\n"), None)
    assert (found.groups, found.unknown, found.meaning.ways) == ((), (), ())


def test_root_first_then_limited() -> None:
    """What is root stands first, what lists limit second, and the rest by its risk."""
    names = "ContainerAttach,ContainerCreate,ContainerList,SystemPing,ImageDelete"
    found = report_of(file(f"ALLOW_OPERATIONS={names}\nCREATE_BINDS=/srv\n"), None)
    levels = [group.level for group in found.groups]
    assert levels == ["host-root", LIMITED, "destructive", "secret-leak", "low"]


def test_runs(grown: Report) -> None:
    """A strip has a dot for each run, the oldest first, and knows which of them failed."""
    assert grown.watch is not None
    assert [run.failed for run in grown.watch.runs] == [
        *[False] * 3,
        True,
        *[False] * 2,
    ]
    uses = {one.endpoint.operation: one.uses for one in operations(grown)}
    assert uses["ContainerCreate"] == (2, 2, 2, 2, 2, 3)
    assert uses["ImageDelete"] == (0, 0, 0, 0, 0, 1)


def test_only_the_newest_runs_are_dots() -> None:
    """Of more runs than there is room for, the newest are shown."""
    evidence = Evidence()
    for number in range(RUNS_SHOWN + 5):
        evidence.begin(f"2026-{number:04}", number)
    known = Record(name="x", digest="", evidence=evidence)
    watch = report_of(file("PING=1\n"), known).watch
    assert watch is not None
    assert [one.date for one in watch.runs] == list(range(5, RUNS_SHOWN + 5))


def test_a_way_to_root_is_nothing_less() -> None:
    """An operation that is a way to root stands there, though lists limit it as well."""
    text = "ALLOW_OPERATIONS=ContainerAttach,ContainerExec\nEXEC_PRIVILEGED=0\n"
    (group,) = report_of(file(text), None).groups
    assert (group.level, len(group.operations)) == ("host-root", 2)


def _item(report: Report, variable: str, text: str) -> Item:
    (listing,) = (one for one in report.listings if one.variable == variable)
    (item,) = (one for one in listing.items if one.text == text)
    return item


def test_holes_are_explained(grown: Report) -> None:
    """An item with a hole says what it stands for, and some of what was asked for."""
    item = _item(grown, "CREATE_BINDS", "/tmp/job.{rand8}")
    assert item.reading == (("{rand8}", "exactly 8 letters, digits or _"),)
    assert item.values[0] == "/tmp/job.01int007"
    assert len(item.values) + item.more_values == 12
    assert item.uses == (2,) * 6
    based = _item(grown, "CREATE_BINDS", "{base}/src:ro")
    assert dict(based.reading)["{base}"] == "/home/ci/shop"
    assert based.values == ()


@pytest.mark.parametrize(
    ("line", "reading"),
    [
        pytest.param(
            "CREATE_BINDS=/srv/a/*", [("/*", "all that lies below")], id="below"
        ),
        pytest.param(
            *("CREATE_IMAGES=app:*", [("*", "any letters, digits, _ or -")]), id="any"
        ),
        pytest.param("CREATE_CAPS=NET_ADMIN", [], id="plain"),
    ],
)
def test_readings(line: str, reading: Sequence[tuple[str, str]]) -> None:
    """Each part of an item that stands for more than itself is explained, and no other."""
    found = report_of(file(f"ALLOW_OPERATIONS=ContainerCreate\n{line}\n"), None)
    variable, _, text = line.partition("=")
    assert list(_item(found, variable, text).reading) == list(reading)


def test_root_of_a_value(grown: Report) -> None:
    """A listed value that gives root says why, and is the one way that is known."""
    item = _item(grown, "CREATE_BINDS", "/var/run/docker.sock")
    assert item.root
    assert [str(way.grant) for way in grown.meaning.ways] == [
        "CREATE_BINDS=/var/run/docker.sock"
    ]


def test_left_out(grown: Report) -> None:
    """What came up and is refused is named with its reason; what is granted is not."""
    assert [(one.name, one.why, one.count) for one in grown.left_out] == [
        ("ContainerRestart", FAILED, 1),
        ("SystemEvents", DECLINED, 1),
    ]


def test_declined_items() -> None:
    """An item that a reviewer took out is declined, unless another one fits all of it."""
    known = Record(name="x", digest="", evidence=Evidence())
    listed = {"CREATE_BINDS=/srv/a", "CREATE_BINDS=/etc", "CREATE_BINDS=", "FROB=1"}
    known.evidence.granted |= set(map(Grant.parse, listed))
    text = "ALLOW_OPERATIONS=ContainerCreate\nCREATE_BINDS=/srv/*\n"
    (left,) = report_of(file(text), known).left_out
    assert (left.name, left.why, bool(left.root)) == (
        "CREATE_BINDS=/etc",
        DECLINED,
        True,
    )


def test_unknown_routes_are_told() -> None:
    """A route that no table has is left out, and named by its method and section."""
    line = (
        '{"grant": ["ALLOW_OPERATIONS", "unknown"], "by": "unknown", "method": "POST", "section": "FROB", "first":'
        ' "2026-11-25T17:34:44Z", "last": "2026-11-25T17:34:44Z", "results": {"200":'
        ' ["r", 1]}, "runs": {"r": {"200": 3}}}'
    )
    known = record(f'{{"format": 3}}\n{line}\n'.encode())
    (left,) = report_of(file("PING=1\n"), known).left_out
    assert (left.name, left.why, left.count) == ("POST in FROB", UNKNOWN, 3)


def test_changes_and_drift(grown: Report) -> None:
    """The other files are compared as `diff` and `drift` compare them, by no clock."""
    assert grown.changes is not None
    assert grown.changes.found.is_root_new
    assert "CREATE_BINDS=/var/run/docker.sock" in {
        one.name for one in grown.changes.found.more
    }
    assert grown.drifted is not None
    found = grown.drifted.found
    assert [one.sight.operation for one in found.refused] == ["ContainerExec"]
    assert [one.argument.item for one in found.refused_values] == ["/etc"]
    assert {one.operation for one in found.unused} == {
        *("ContainerDelete", "ImageDelete", "NetworkCreate")
    }


def test_objects() -> None:
    """Lists of objects are shown with what was named by each item, and compared."""
    text = "ALLOW_OPERATIONS=ContainerInspect,SystemEvents\nONLY_CONTAINERS=web,@own\nONLY_OWNER=app\n"
    line = (
        '{"grant": ["ONLY_CONTAINERS", "web"], "by": "ContainerInspect", "first":'
        ' "2026-11-25T17:34:44Z", "last": "2026-11-25T17:34:44Z", "results": {"200":'
        ' ["r", 1]}, "runs": {"r": {"200": 3}}}'
    )
    known = record(f'{{"format": 3}}\n{line}\n'.encode())
    old = file(text.replace("web,", ""), "old.env")
    found = report_of(file(text), known, old=old)
    containers, networks, _ = found.objects
    assert [(one.text, one.seen and one.seen.count) for one in containers.items] == [
        ("web", 3),
        ("@own", None),
    ]
    assert "as the variable is not set" in networks.line
    assert found.changes is not None
    assert [one.name for one in found.changes.found.more] == ["ONLY_CONTAINERS=web"]
    assert report_of(file("PING=1\n"), None).objects == ()
