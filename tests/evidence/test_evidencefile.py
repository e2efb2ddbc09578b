"""Evidence as lines of JSON."""

import json
import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evidence.test_seen import (
    EVIDENCE,
    LIST,
    NOBODY,
    content,
    granted,
    seen,
    union,
)
from trioproxy.errors import ConfigError
from trioproxy.evidence.evidencefile import (
    HEADER,
    dump,
    fact_line,
    granted_line,
    load,
    run_line,
)
from trioproxy.evidence.seen import VALUES_KEPT, Evidence, Facts, When
from trioproxy.evidence.sight import Sight, Who, looked_at
from trioproxy.evidence.strictjson import iso, seconds
from trioproxy.limits.grant import Grant

RUN = "2026-11-24T10:15:00Z-1a2b3c4d"
WHOLE = seen((RUN, LIST, "200", 1_795_515_300, Who("docker/26", "10.0.0.5", "1.45")))
LINES = dump(WHOLE).splitlines()


def data(*lines: str) -> bytes:
    """A file of these lines."""
    return "".join(f"{line}\n" for line in lines).encode()


@given(EVIDENCE, st.sets(st.sampled_from(["ContainerList", "ImageList"])))
def test_what_is_written_is_read_back(evidence: Evidence, names: set[str]) -> None:
    """A file holds all that evidence knows."""
    evidence.granted |= granted(*names)
    loaded = load(dump(evidence).encode(), name="app.jsonl")
    assert content(loaded.evidence) == content(union(evidence))
    assert loaded.damage == ""


def test_the_order_of_merging_does_not_show_in_the_text() -> None:
    """Each line and list has its place, and all that is known of an object is read back."""
    names, operations = "abcdefgh", ("ContainerList", "ImageList")
    parts = list[Evidence]()
    for at, name in enumerate(names):
        turn, when = 1 - at % 2 * 2, When(1_795_515_300)
        results = (("200", LIST), ("404", LIST))[::turn]
        who = Who(f"{name}/1", "10.0.0.5", "1.45")
        one = seen(*((f"{RUN}{name}", sight, end, when.date, who) for end, sight in results))  # fmt: skip
        of = Sight("ONLY_CONTAINERS", name, "ContainerInspect", project="p")
        one.observe(of._replace(has="CREATE_BINDS=/srv", is_named=True), "200", when)
        one.observe(looked_at("ContainerCreate"), "201", when)
        one.observe(Sight("CREATE_BINDS", "", "ContainerCreate"), "201", when)
        run = one.runs[one.run]
        run.files, run.hidden = frozenset(names), dict.fromkeys(operations[::turn], 1)
        one.granted |= granted(*names)
        parts.append(one)
    text = dump(union(*parts))
    assert text == dump(union(*parts[::-1]))
    assert content(load(text.encode(), name="x").evidence) == content(union(*parts))
    files, (_, *lines) = json.dumps([*names]), text.splitlines()
    assert [line for line in lines if '"run"' in line] == sorted(lines[:8])
    assert all(f'"files": {files}' in line for line in lines[:8])
    assert [item for _, item in json.loads(lines[8])["granted"]] == [*names]
    assert '"dropped"' not in text


def test_what_a_file_holds_is_bounded() -> None:
    """A file that others wrote has no more values of a list than learning keeps."""
    fact = Facts(first=1, last=1)
    lines = (fact_line(Sight("CREATE_BINDS", f"/{n}", "ContainerCreate"), fact) for n in range(VALUES_KEPT + 1))  # fmt: skip
    found = load(data(HEADER, *lines), name="x").evidence
    assert len(found.arguments) == VALUES_KEPT


def test_the_oldest_version_of_an_engine_is_kept() -> None:
    """What the Engine takes stands with the run in which it was asked."""
    evidence = seen((RUN, LIST, "400", 1_795_515_300, NOBODY))
    evidence.runs[RUN].oldest_api = "1.44"
    loaded = load(dump(evidence).encode(), name="app.jsonl")
    assert loaded.evidence.oldest_api == "1.44"


def test_files_of_an_operation_are_not_kept_twice() -> None:
    """What 0.2.0 merged names them beside the operation too: it is read, and says the same."""
    merged = union(WHOLE)
    merged.come_from("web1/app.env")
    *lines, fact = dump(merged).splitlines()
    before = json.dumps({**json.loads(fact), "files": ["web1/app.env"]})
    loaded = load(data(*lines, before), name="app.jsonl").evidence
    assert dump(loaded) == dump(merged)


@given(EVIDENCE)
def test_equal_evidence_gives_equal_text(evidence: Evidence) -> None:
    """The file does not depend on the order in which things were seen."""
    again = load(dump(evidence).encode(), name="app.jsonl").evidence
    assert dump(again) == dump(union(evidence))


def test_lines_may_repeat_and_come_in_any_order() -> None:
    """What is appended while learning says again what stands above, and counts once."""
    fact = fact_line(LIST, WHOLE.facts[LIST])
    run = run_line(RUN, WHOLE.runs[RUN])
    marks = Evidence()
    marks.granted = {*granted("ContainerList"), Grant("CREATE_BINDS", "/srv")}
    text = data(HEADER, fact, run, fact, granted_line(marks), run)
    evidence = load(text, name="app.jsonl").evidence
    assert evidence.facts == WHOLE.facts
    assert evidence.granted == marks.granted
    assert evidence.granted_operations == {"ContainerList"}
    assert evidence.listed == {Grant("CREATE_BINDS", "/srv")}


@pytest.mark.parametrize("number", [1, 2, 4])
def test_other_formats_are_not_read(number: int) -> None:
    """What another version wrote stops, says so, and names the way on; nothing is guessed."""
    text = data(f'{{"format": {number}}}', *LINES[1:])
    with pytest.raises(ConfigError, match=f"format {number}, and this version") as told:
        load(text, name="app.jsonl")
    assert "remove it" in told.value.hint


@pytest.mark.parametrize(
    ("variable", "value", "operation"),
    [
        ("CREATE_BINDS", "/srv,/etc", "ContainerCreate"),
        ("CREATE_BINDS", "/srv/a b", "ContainerCreate"),
        ("CREATE_BINDS", "/srv", "ContainerExec"),
        ("CREATE_BINDS", "/srv", "Nothing"),
        ("CREATE_FROBS", "x", "ContainerCreate"),
        ("CREATE", "x", "ContainerCreate"),
        ("CREATE", "", "ImageBuild"),
    ],
)
def test_values_that_no_list_can_hold_are_no_evidence(
    variable: str, value: str, operation: str
) -> None:
    """Whoever writes evidence by hand lists no two items by one, and no text of a line."""
    evidence = union(WHOLE)
    facts = evidence.facts[LIST]
    argument = Sight(variable, value, operation)
    evidence.facts[argument] = Facts(1, 2, facts.results, facts.runs)
    with pytest.raises(ConfigError, match="this version knows no"):
        load(dump(evidence).encode(), name="x")


def test_arguments_and_objects_have_their_place() -> None:
    """What later versions learn of them is read, united and written again."""
    evidence = union(WHOLE)
    facts = evidence.facts[LIST]
    argument = Sight("CREATE_BINDS", "/srv/a%20b", "ContainerCreate")
    thing = Sight("ONLY_CONTAINERS", "@own", "ContainerExec")
    evidence.facts[argument] = Facts(1, 2, facts.results, facts.runs)
    evidence.facts[thing] = Facts(3, 4, facts.results, facts.runs)
    again = load(dump(evidence).encode(), name="x").evidence
    assert content(again) == content(evidence)
    assert content(union(again, evidence, WHOLE)) == content(evidence)


def test_what_no_object_is_called_is_refused() -> None:
    """A name that the Engine gives nobody is in no list, and so in no evidence."""
    evidence = union(WHOLE)
    for name, is_known in (("web-1", True), ("@own", True), ("a b", False)):
        thing = Sight("ONLY_CONTAINERS", name, "ContainerExec")
        evidence.facts[thing] = Facts(1, 2, evidence.facts[LIST].results)
        text = dump(evidence).encode()
        if is_known:
            assert thing in load(text, name="x").evidence.facts
        else:
            with pytest.raises(ConfigError, match="bad value 'a b'"):
                load(text, name="x")


def test_dropped_values_are_told_in_the_file() -> None:
    """That evidence is not complete survives a restart."""
    evidence = seen((RUN, LIST, "200", 1, NOBODY))
    evidence.runs[RUN].dropped = 7
    assert load(dump(evidence).encode(), name="x").evidence.dropped() == 7


@pytest.mark.parametrize("cut", range(1, len(LINES[-1]) + 1))
def test_a_torn_last_line_is_left_out_and_reported(cut: int) -> None:
    """Wherever a power cut ends the last line, all lines before it are kept."""
    loaded = load(dump(WHOLE).encode()[: -cut - 1], name="app.jsonl")
    assert loaded.evidence.runs == WHOLE.runs
    assert loaded.evidence.routes == {}
    assert loaded.damage == (
        "" if cut == len(LINES[-1]) else "app.jsonl:3: the last line is cut off"
    )


@pytest.mark.parametrize(
    "tail",
    [
        pytest.param(b"\0" * 64, id="zeros"),
        pytest.param(b'{"run": "2026\n', id="half-a-line-with-its-end"),
        pytest.param(b'{"run": "20\xff', id="not-utf-8"),
        pytest.param(b"\n", id="empty-line"),
    ],
)
def test_a_damaged_last_line_is_reported(tail: bytes) -> None:
    """Zeros and half lines at the end are what a crash leaves; the rest is read, and nothing
    is appended to them."""
    loaded = load(dump(WHOLE).encode() + tail, name="app.jsonl")
    assert loaded.evidence.routes == WHOLE.routes
    assert loaded.damage == "app.jsonl:4: the last line is cut off"
    assert not loaded.can_append


@pytest.mark.parametrize("text", [b"", b"\0\0\0", b'{"form', HEADER.encode()], ids=repr)
def test_a_file_cut_in_its_header_is_empty(text: bytes) -> None:
    """A file that had no time to get a second line holds no evidence."""
    assert content(load(text, name="x").evidence) == content(Evidence())


def test_no_final_newline_loses_nothing() -> None:
    """A last line that is whole counts even where its end is missing."""
    loaded = load(dump(WHOLE).encode()[:-1], name="x")
    assert (content(loaded.evidence), loaded.damage) == (content(WHOLE), "")
    assert not loaded.can_append
    assert load(dump(WHOLE).encode(), name="x").can_append


def changed(**values: object) -> str:
    """The line of a shape with some of its keys changed."""
    return json.dumps(json.loads(LINES[-1]) | values)


def run_changed(**values: object) -> str:
    """The line of a run with some of its keys changed."""
    return json.dumps(json.loads(LINES[1]) | values)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        pytest.param('{"run', "no JSON", id="half"),
        pytest.param("", "no JSON", id="empty"),
        pytest.param("[]", "expected a JSON object", id="list"),
        pytest.param("[" * 100_000, "nested too deeply|no JSON", id="deep"),
        pytest.param('{"run": "r"}', "'first' is missing", id="run-without-dates"),
        pytest.param('{"granted": [], "x": 1}', "unknown key 'x'", id="unknown-key"),
        pytest.param('{"granted": {}}', "expected a list", id="no-list"),
        pytest.param(
            '{"granted": [["A", "a\\nb"]]}', r"bad value 'a\\nb'", id="newline"
        ),
        pytest.param(changed(url="/x"), "unknown key 'url'", id="url"),
        pytest.param(changed(by="Nope"), "knows no Nope", id="operation"),
        pytest.param(changed(by=["x"]), "bad value", id="operation-list"),
        pytest.param(
            changed(grant=["ALLOW_OPERATIONS", "ImageList"]), "knows no", id="another"
        ),
        pytest.param(changed(grant=["X"]), "a variable and an item", id="half-a-grant"),
        pytest.param(changed(grant="X=y"), "expected a list", id="grant-as-text"),
        pytest.param(changed(project="x"), "unknown key 'project'", id="project"),
        pytest.param(changed(method="POST"), "knows no ContainerList", id="method"),
        pytest.param(
            changed(grant=["CREATE_BINDS", "/srv"], by="ContainerCreate"),
            "unknown key 'method'",
            id="method-of-a-value",
        ),
        pytest.param(
            changed(grant=["ONLY_CONTAINERS", "db"]),
            "unknown key 'method'",
            id="method-of-an-object",
        ),
        pytest.param(changed(named=1), "expected true or false, not 1", id="named"),
        pytest.param(
            fact_line(Sight("CREATE", "x", "ContainerCreate"), Facts(1, 2)),
            "knows no ContainerCreate with CREATE=x",
            id="item-of-a-family",
        ),
        pytest.param(changed(section="IMAGES"), "knows no ContainerList", id="section"),
        pytest.param(changed(first="yesterday"), "bad value 'yesterday'", id="date"),
        pytest.param(
            changed(first="2026-13-01T00:00:00Z"), "month must be", id="month"
        ),
        pytest.param(changed(results={"2xx": RUN}), "bad value '2xx'", id="result"),
        pytest.param(changed(results=[]), "expected an object", id="no-object"),
        pytest.param(changed(runs={RUN: {"200": -1}}), "bad count -1", id="negative"),
        pytest.param(changed(runs={RUN: {"200": True}}), "bad count", id="boolean"),
        pytest.param(changed(runs={"a b": {}}), "bad value 'a b'", id="run-id"),
        pytest.param(changed(used_by={"agents": ["x$(y)"]}), "bad value", id="agent"),
        pytest.param(changed(used_by={"x": []}), "unknown key 'x'", id="askers"),
        pytest.param(changed(agents=[]), "unknown key 'agents'", id="old-key"),
        pytest.param(changed(results={"200": RUN}), "expected a list", id="old-result"),
        pytest.param(
            changed(results={"200": [RUN]}),
            "expected a run and seconds",
            id="no-offset",
        ),
        pytest.param(run_changed(status=-2), "bad count -2", id="status"),
        pytest.param(run_changed(seconds=1.5), "bad count 1.5", id="fraction"),
        pytest.param(run_changed(source="guess"), "bad value 'guess'", id="source"),
        pytest.param('{"grant": ["X", ""]}', "is missing", id="half-a-fact"),
        pytest.param(changed(facets=[]), "unknown key 'facets'", id="facets"),
    ],
)
def test_a_damaged_line_before_the_last_stops(line: str, message: str) -> None:
    """Anything damaged but the last line is an error that names file and line."""
    text = data(HEADER, line, *LINES[1:])
    with pytest.raises(ConfigError, match=message) as caught:
        load(text, name="app.jsonl")
    assert str(caught.value).startswith("app.jsonl:2: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(data("{}"), "the first line is not", id="no-header"),
        pytest.param(data("PATH=/bin"), "the first line is not", id="env-file"),
        pytest.param(data("\ufeff" + HEADER), "no JSON", id="byte-order-mark"),
        pytest.param(data(HEADER, '{"odd": 1}'), "is missing", id="strange-last-line"),
        pytest.param(b"not evidence", "is not", id="text-without-newline"),
        pytest.param(b"\x1f\x8b\xff\n", "the first line is not", id="gzip"),
    ],
)
def test_what_is_no_evidence_stops(text: bytes, message: str) -> None:
    """A file of another kind is never taken for a damaged one, and so not replaced; nor is
    its owner told to remove it, which is for what is evidence but for some damage."""
    with pytest.raises(ConfigError, match=re.escape(message)) as caught:
        load(text, name="app.jsonl")
    is_kind = "the first line" not in str(caught.value)
    assert ("or remove it" in caught.value.hint) is is_kind


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_reader(junk: bytes) -> None:
    """Whatever stands behind the header, reading ends in evidence or in one error."""
    text = HEADER.encode() + b"\n" + junk
    with suppress(ConfigError):
        assert load(text, name="x").evidence.routes == {}


def test_dates_are_written_in_utc() -> None:
    """Times are whole seconds in UTC."""
    assert iso(1_795_515_300) == "2026-11-24T10:15:00Z"
    first = "0001-01-01T00:00:00Z"  # as a clock may say, and what is written is read
    assert iso(seconds(first)) == first
    # A run may say that it went on for longer than there are dates: explain ended in a traceback.
    last = "9999-12-31T23:59:59Z"
    assert iso(seconds(last)) == iso(seconds(last) + 1) == iso(2**63 - 1) == last
