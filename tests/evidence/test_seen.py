"""What was seen, merged by union."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioproxy.api.families import Places
from trioproxy.api.matched import Request
from trioproxy.api.routes import ENDPOINTS, Endpoint, match
from trioproxy.api.target import Target
from trioproxy.evidence.needs import is_need
from trioproxy.evidence.seen import (
    AGENTS_KEPT,
    CLIENTS_KEPT,
    RUNS_KEPT,
    RUNS_LISTED,
    UNFINISHED,
    VALUES_KEPT,
    Askers,
    Evidence,
    First,
    Run,
    When,
)
from trioproxy.evidence.sight import UNKNOWN, Sight, Who, result_of, route
from trioproxy.learning.flows import half_granted
from trioproxy.learning.wording import describe_runs
from trioproxy.limits.grant import Grant

DAY = 86_400
LIST = route("ContainerList", "GET", "CONTAINERS")
START = route("ContainerStart", "POST", "CONTAINERS")
DELETE = route("ContainerDelete", "DELETE", "CONTAINERS")
CREATE = route("ContainerCreate", "POST", "CONTAINERS")
NOBODY = Who()

RESULTS = ("101", "200", "304", "404", "409", "500", "unrouted", "refused")
SHAPES = (LIST, START, DELETE, CREATE, route(UNKNOWN, "POST", "IMAGES"))
_AGENTS = st.sampled_from([f"agent/{number}" for number in range(12)])
_SIGHTINGS = st.tuples(
    st.sampled_from(["2026-01", "2026-02", "2026-03"]),
    st.sampled_from(SHAPES),
    st.sampled_from(RESULTS),
    st.integers(0, 10_000),
    st.builds(Who, agent=_AGENTS, client=st.sampled_from(["", "10.0.0.5"])),
)


def granted(*operations: str) -> set[Grant]:
    """That an env file once granted some operations."""
    return set(map(Grant.of_operation, operations))


def seen(*sightings: tuple[str, Sight, str, int, Who]) -> Evidence:
    """Evidence of what was observed, each with run, shape, result, time and client."""
    evidence = Evidence()
    for run, shape, result, at, who in sightings:
        evidence.begin(run, at)
        after = max(0, at - evidence.runs[run].first)
        evidence.observe(shape, result, When(at, after), who)
    return evidence


def union(*parts: Evidence) -> Evidence:
    """Merge parts into new evidence."""
    whole = Evidence()
    for part in parts:
        whole.merge(part)
    return whole


def content(evidence: Evidence) -> object:
    """All that evidence knows, for comparison."""
    return (
        evidence.facts,
        evidence.runs,
        evidence.granted,
    )


EVIDENCE = st.lists(_SIGHTINGS, max_size=25).map(lambda parts: seen(*parts))
_FEW = st.integers(0, 3)
_NAMES = st.sampled_from(["", "a", "b"])
_COUNTS = st.dictionaries(_NAMES, _FEW)
RUNS = st.builds(
    Run,
    first=_FEW,
    last=_FEW,
    seconds=_FEW,
    status=st.sampled_from([None, UNFINISHED, 0, 1]),
    source=st.sampled_from(["live", "log"]),
    files=st.frozensets(_NAMES),
    dropped=_FEW,
    places=st.builds(Places, _NAMES, _NAMES, _NAMES),
    oldest_api=st.sampled_from(["", "1.24", "1.44"]),
    own=_COUNTS,
    left=_COUNTS,
    hidden=_COUNTS,
    never=st.frozensets(_NAMES),
    news=st.none() | _FEW,
)


def request(method: str, raw: bytes) -> Request:
    """A request as the gate judges it."""
    target = Target.parse(raw)
    return Request(method=method, target=target, endpoint=match(method, target))


@given(EVIDENCE)
def test_merge_is_idempotent(evidence: Evidence) -> None:
    """Merging evidence with itself counts nothing twice."""
    assert content(union(evidence, evidence)) == content(union(evidence))


@given(EVIDENCE, EVIDENCE)
def test_merge_is_commutative(one: Evidence, two: Evidence) -> None:
    """It does not matter which file is named first."""
    assert content(union(one, two)) == content(union(two, one))


@given(EVIDENCE, EVIDENCE, EVIDENCE)
def test_merge_is_associative(one: Evidence, two: Evidence, three: Evidence) -> None:
    """It does not matter which files are merged before which."""
    left = union(union(one, two), three)
    assert content(left) == content(union(one, union(two, three)))


def test_the_first_and_all_versions_are_united() -> None:
    """Of a result the run in which it came first counts, whichever file is named first, and each version that was asked in."""
    one = seen(("r1", LIST, "200", 1, Who(version="1.40")))
    two = seen(("r2", LIST, "200", 2, Who(version="1.45")))
    for facts in (union(one, two).facts[LIST], union(two, one).facts[LIST]):
        assert facts.results == {"200": First("r1")}
        assert facts.users.versions == {"1.40", "1.45"}


@given(RUNS, RUNS)
def test_all_that_is_said_of_a_run_is_united(one: Run, two: Run) -> None:
    """Whichever file is named first, each field has what both say, and is the same twice."""
    left, right = copy.copy(one), copy.copy(two)
    left.merge(two)
    right.merge(one)
    assert left == right
    left.merge(two)
    assert left == right


@given(EVIDENCE, EVIDENCE)
def test_merge_leaves_the_other_alone(one: Evidence, two: Evidence) -> None:
    """What was merged in is not changed by it, nor by what is observed later."""
    before = copy.deepcopy(content(two))
    one.merge(two)
    one.begin("2026-09", 0)
    one.observe(LIST, "200", When(99_999), NOBODY)
    assert content(two) == before


@given(st.lists(_SIGHTINGS, max_size=25), st.data())
def test_two_learners_equal_one_that_saw_both(
    sightings: list[tuple[str, Sight, str, int, Who]], data: st.DataObject
) -> None:
    """Runs split over two learners and merged are what one learner would know."""
    sightings.sort(key=lambda sighting: sighting[0])
    mine = data.draw(st.sets(st.sampled_from(["2026-01", "2026-02", "2026-03"])))
    one = seen(*(sighting for sighting in sightings if sighting[0] in mine))
    two = seen(*(sighting for sighting in sightings if sighting[0] not in mine))
    assert content(union(one, two)) == content(union(seen(*sightings)))


@given(st.lists(_SIGHTINGS, max_size=25), st.integers(0, 25))
def test_the_parts_of_evidence_make_the_whole(
    sightings: list[tuple[str, Sight, str, int, Who]], cut: int
) -> None:
    """What is handed over in parts, as it grows, is what is known in the end."""
    values = [Sight("CREATE_BINDS", f"/srv/{n}", CREATE.operation) for n in range(3)]
    evidence, whole = Evidence(), Evidence()
    for number, (run, sight, result, at, who) in enumerate(sorted(sightings, key=lambda one: one[0])):  # fmt: skip
        evidence.begin(run, at)
        evidence.observe(sight, result, When(at), who)
        evidence.observe(values[number % 3], result, When(at))
        if number == cut:
            whole.merge(evidence.part())
    whole.merge(evidence.part())
    assert content(whole) == content(union(evidence))


def test_observe_tells_what_is_new() -> None:
    """A shape is new once per result: the first success after a failure is news."""
    evidence = Evidence()
    evidence.begin("2026-01", 0)
    results = ["500", "500", "200", "200", "500"]
    news = [evidence.observe(LIST, result, When(1), NOBODY) for result in results]
    assert news == [True, False, True, False, False]
    assert evidence.take_new() == (LIST,)
    assert evidence.take_new() == ()


def test_what_an_earlier_run_saw_is_not_new() -> None:
    """A second run that sees the same has nothing to announce."""
    evidence = union(seen(("2026-01", LIST, "200", 5, NOBODY)))
    evidence.begin("2026-02", 10)
    assert not evidence.observe(LIST, "200", When(11), NOBODY)
    assert evidence.facts[LIST].count() == 2
    assert evidence.facts[LIST].results.keys() == {"200"}


@pytest.mark.parametrize(
    ("shape", "result", "used"),
    [
        pytest.param(LIST, "200", True, id="success"),
        pytest.param(CREATE, "204", True, id="no-content"),
        pytest.param(CREATE, "101", True, id="upgraded"),
        pytest.param(START, "304", True, id="already-started"),
        pytest.param(LIST, "404", True, id="a-probe-that-found-nothing"),
        pytest.param(LIST, "unrouted", False, id="the-engine-has-no-such-route"),
        pytest.param(START, "404", False, id="a-write-that-found-nothing"),
        pytest.param(START, "409", True, id="start-conflict"),
        pytest.param(DELETE, "409", True, id="delete-conflict"),
        pytest.param(CREATE, "409", True, id="create-conflict"),
        pytest.param(CREATE, "400", False, id="bad-request"),
        pytest.param(LIST, "500", False, id="engine-error"),
        pytest.param(LIST, "0", False, id="never-answered"),
        pytest.param(LIST, "2", False, id="no-status"),
        pytest.param(LIST, "refused", False, id="refused-by-a-ceiling"),
        pytest.param(route(UNKNOWN, "GET", "IMAGES"), "200", False, id="unknown-route"),
    ],
)
def test_what_counts_as_use(shape: Sight, result: str, used: bool) -> None:
    """A request was of use if its client got something out of it."""
    assert is_need(shape, result) is used


def test_results_are_told_apart() -> None:
    """A 404 for a missing container is not a 404 for a missing route."""
    assert result_of(404) == "404"
    assert result_of(404, unrouted=True) == "unrouted"


def test_failed_refused_and_unknown_are_listed_apart() -> None:
    """What only failed, was refused, or is no known route is never among the used."""
    unknown = route(UNKNOWN, "POST", "IMAGES")
    evidence = seen(
        ("2026-01", LIST, "200", 1, NOBODY),
        ("2026-01", LIST, "500", 1, NOBODY),
        ("2026-01", CREATE, "400", 1, NOBODY),
        ("2026-01", DELETE, "refused", 1, NOBODY),
        ("2026-01", unknown, "200", 1, NOBODY),
    )
    assert list(evidence.used()) == [LIST]
    assert evidence.used_operations() == {"ContainerList"}
    assert list(evidence.failed()) == [CREATE]
    assert evidence.failed_operations() == {"ContainerCreate"}
    assert evidence.ended("refused") == [DELETE]
    assert list(evidence.unknown()) == [unknown]


def test_another_method_of_a_used_operation_has_not_failed() -> None:
    """HEAD of a list that GET reads is covered by the same grant."""
    head = LIST._replace(method="HEAD")
    evidence = seen(
        ("2026-01", LIST, "200", 1, NOBODY), ("2026-01", head, "unrouted", 1, NOBODY)
    )
    assert list(evidence.failed()) == []


def test_completeness_names_the_run_of_the_last_new_operation() -> None:
    """The run counts in which an operation first worked, not where it was first tried."""
    evidence = seen(
        ("2026-01", LIST, "200", 0, NOBODY),
        ("2026-01", START, "500", DAY, NOBODY),
        ("2026-02", START, "204", 2 * DAY, NOBODY),
        ("2026-03", LIST, "200", 3 * DAY, NOBODY),
    )
    facts = evidence.completeness()
    assert (facts.runs, facts.newest_run) == (3, 2)
    assert (facts.first, facts.last, facts.seconds) == (0, 3 * DAY, DAY)
    assert facts.quiet == 0
    assert facts.quiet_runs == 1


def test_parallel_runs_are_watched_once() -> None:
    """Two learners side by side for an hour have watched an hour."""
    evidence = seen(
        ("2026-01", LIST, "200", 0, NOBODY),
        ("2026-01", LIST, "200", 3_600, NOBODY),
        ("2026-02", LIST, "200", 1_800, NOBODY),
        ("2026-02", LIST, "200", 4_000, NOBODY),
    )
    assert evidence.completeness().seconds == 4_000


def test_quiet_is_what_was_watched_since_the_last_new_operation() -> None:
    """Time between the runs does not count as watching."""
    evidence = seen(
        ("2026-01", LIST, "200", 0, NOBODY),
        ("2026-01", START, "204", 600, NOBODY),
        ("2026-01", LIST, "200", 1_000, NOBODY),
        ("2026-02", LIST, "200", DAY, NOBODY),
        ("2026-02", LIST, "200", DAY + 50, NOBODY),
    )
    assert evidence.completeness().quiet == 400 + 50


def test_nothing_seen_is_complete_in_no_run() -> None:
    """Without any evidence no run is named, and nothing was quiet."""
    evidence = Evidence()
    evidence.begin("2026-01", 0)
    evidence.end(When(3_600, 3_600))
    facts = evidence.completeness()
    assert (facts.newest_run, facts.quiet, facts.quiet_runs) == (0, 0, 0)
    assert not evidence.saw_anything()


def test_half_granted_flows_are_named() -> None:
    """A pull without a look at the image, a create without a start: named once each."""
    flows = half_granted({"ContainerCreate", "ImageCreate", "ImageInspect"})
    assert [flow.lacks for flow in flows] == ["ContainerStart"]


@pytest.mark.parametrize(
    ("method", "target", "shape"),
    [
        pytest.param("GET", b"/v1.45/containers/json?all=1", LIST, id="query-dropped"),
        pytest.param("POST", b"/containers/my-db/start", START, id="name-dropped"),
        pytest.param(
            "POST",
            b"/images/secret-name/frobnicate",
            route(UNKNOWN, "POST", "IMAGES"),
            id="unknown",
        ),
        pytest.param(
            "EVIL$(X)", b"/nowhere/at/all", route(UNKNOWN, "OTHER", ""), id="made-up"
        ),
        pytest.param(
            "OPTIONS",
            b"/images/json",
            route("SystemOptions", "OPTIONS", "IMAGES"),
            id="options",
        ),
    ],
)
def test_shape_keeps_no_client_text(method: str, target: bytes, shape: Sight) -> None:
    """Names, ids, queries and made-up methods do not reach the evidence."""
    assert Sight.of(request(method, target)) == shape
    assert shape.is_consistent


@pytest.mark.parametrize(
    "endpoint", ENDPOINTS, ids=lambda row: f"{row.method}-{row.template}"
)
def test_shape_finds_its_endpoints(endpoint: Endpoint) -> None:
    """From a shape the row of the table is found again that it came from."""
    method = "GET" if endpoint.method == "ANY" else endpoint.method
    shape = route(endpoint.operation, method, endpoint.section)
    wanted = {endpoint.template}
    assert wanted <= {row.template for row in shape.endpoints}
    assert shape.is_consistent


def test_agents_and_clients_are_bounded() -> None:
    """A client that changes its name with each request fills no memory."""
    evidence = Evidence()
    evidence.begin("2026-01", 0)
    for number in range(1_000):
        who = Who(f"a/{number}", f"10.0.{number // 250}.{number % 250}", f"1.{number}")
        evidence.observe(LIST, "200", When(1), who)
    record = evidence.facts[LIST]
    assert len(record.users.agents) == AGENTS_KEPT
    assert len(record.users.clients) == CLIENTS_KEPT


def test_a_list_is_bounded_in_whichever_order_it_is_merged() -> None:
    """Of two that each have as much as there is room for, the smallest values stay."""
    parts = [
        seen(
            *(
                ("2026-01", Sight("CREATE_ENV", f"V{n:04}", "ContainerCreate"), "201", 1, NOBODY)
                for n in range(first, 2 * VALUES_KEPT, 2)
            )
        )
        for first in (0, 1)
    ]  # fmt: skip
    for whole in (union(*parts), union(*reversed(parts))):
        kept = {one.item for one in whole.arguments}
        assert kept == {f"V{n:04}" for n in range(VALUES_KEPT)}


def test_what_finds_no_room_is_no_news() -> None:
    """Beyond the bound a value is counted as dropped, each time, and wakes nobody."""
    evidence = Evidence()
    evidence.begin("2026-01", 0)
    values = [f"V{n:04}" for n in range(VALUES_KEPT + 1)] + [f"V{VALUES_KEPT:04}"]
    news = [
        evidence.observe(Sight("CREATE_ENV", one, "ContainerCreate"), "201", When(0))
        for one in values
    ]
    assert (sum(news), evidence.dropped()) == (VALUES_KEPT, 2)


def test_news_at_once_are_news() -> None:
    """In the first second of a run, too: whoever merges what was known before that keeps it."""
    before, after = seen(("2026-01", LIST, "200", 0, NOBODY)), Evidence()
    after.merge(before)
    after.runs["2026-01"].news = 0
    for whole in (union(before, after), union(after, before)):
        assert whole.runs["2026-01"].news == 0


def test_made_up_routes_push_no_operation_out() -> None:
    """A file of many, merged with others, took what they had learned, and nothing new was learned beside it."""
    crowd = Evidence()
    crowd.begin("r1", 0)
    for n in range(VALUES_KEPT + 1):
        crowd.observe(route("DebugVars", f"A{n}", "DEBUG"), "200", When(0), Who())
    crowd.observe(DELETE, "204", When(0), Who())
    whole = Evidence()
    whole.merge(crowd)
    whole.begin("r2", 0)
    assert whole.observe(LIST, "200", When(0), Who())
    assert {"ContainerList", "ContainerDelete"} <= whole.used_operations()


def test_client_text_is_kept_only_where_it_is_plain() -> None:
    """Agents, addresses and versions that are not plainly such are left out."""
    evidence = Evidence()
    evidence.begin("2026-01", 0)
    who = Who('docker/26 $(x) "q" a\u00e9', "10.0.0.5\n", "1.0")
    evidence.observe(LIST, "200", When(1), who)
    record = evidence.facts[LIST]
    assert record.users == Askers(frozenset({"docker/26"}))


def test_old_runs_lose_their_counts_but_not_what_they_saw() -> None:
    """What was once used stays used however many runs follow."""
    evidence = seen(
        ("0000", LIST, "200", 1, NOBODY), ("0000", CREATE, "201", 2, NOBODY)
    )
    for number in range(1, RUNS_LISTED + 5):
        evidence.begin(f"{number:04}", number)
        evidence.observe(LIST, "200", When(number), NOBODY)
    evidence = union(evidence)
    assert evidence.used_operations() == {"ContainerCreate", "ContainerList"}
    assert len(evidence.facts[LIST].runs) == RUNS_KEPT
    assert len(evidence.runs) == RUNS_LISTED
    assert evidence.completeness().newest_run == 1


def test_newer_runs_do_not_take_the_counts_of_the_one_that_is_going_on() -> None:
    """A long run that many short ones overtake still knows that it saw something."""
    evidence = seen(("0000", LIST, "200", 1, NOBODY))
    others = [
        (f"{number:04}", LIST, "200", number, NOBODY)
        for number in range(1, RUNS_KEPT + 5)
    ]
    evidence.merge(seen(*others))
    assert evidence.saw_anything()
    assert evidence.facts[LIST].runs["0000"] == {"200": 1}


def test_what_is_only_counted_is_saved() -> None:
    """What repeats and is not looked at is part of what may have changed, until that is asked."""
    evidence = seen(("2026-01", LIST, "200", 1, NOBODY))
    evidence.part()
    assert not evidence.part().facts
    assert evidence.count(LIST, "200")
    assert evidence.part().facts[LIST].count() == 2
    assert not evidence.part().facts


def test_who_only_tries_pushes_nobody_out() -> None:
    """A client that is always refused fills its own bound and not that of the others."""
    evidence = Evidence()
    evidence.begin("2026-01", 0)
    evidence.observe(LIST, "200", When(1), Who("zz-good/1", "99.0.0.1", "1.45"))
    for number in range(1_000):
        who = Who(f"a/{number}", f"10.0.{number // 250}.{number % 250}", f"1.{number}")
        evidence.observe(LIST, "refused", When(1), who)
    record = union(evidence).facts[LIST]
    assert list(map(set, record.users)) == [{"zz-good/1"}, {"99.0.0.1"}, {"1.45"}]
    assert len(record.triers.agents) == AGENTS_KEPT
    assert len(record.triers.clients) == CLIENTS_KEPT


def test_a_wall_clock_that_jumps_is_no_watching() -> None:
    """Lengths are counted by the other clock; the dates are the wall's."""
    evidence = Evidence()
    evidence.begin("2026-01", 1_000)
    evidence.observe(LIST, "200", When(1_000, 0), NOBODY)
    evidence.observe(LIST, "200", When(1_000 + 3_600, 6), NOBODY)
    evidence.end(When(500, 7))
    facts = evidence.completeness()
    assert (facts.seconds, facts.quiet) == (7, 7)
    assert (facts.first, facts.last) == (1_000, 4_600)


@pytest.mark.parametrize(
    ("status", "proves"), [(None, 1), (0, 1), (3, 0), (UNFINISHED, 0)], ids=str
)
def test_only_runs_that_went_well_prove_something(
    status: int | None, proves: int
) -> None:
    """A run that failed, or of which nobody knows the end, is no quiet one."""
    evidence = seen(("2026-01", LIST, "200", 0, NOBODY))
    evidence.begin("2026-02", 10, has_command=status is not None)
    evidence.observe(LIST, "200", When(20, 10), NOBODY)
    evidence.end(When(40, 30), status)
    facts = union(evidence).completeness()
    assert (facts.runs, facts.quiet_runs, facts.quiet) == (2, proves, 30 * proves)
    assert (*facts.failed_runs, *facts.open_runs) == (2,) * (1 - proves)


def test_a_run_that_goes_on_did_not_fail() -> None:
    """Beside a learner that is at work, what it watches is told as without an end, and a run
    that failed as failed."""
    evidence = seen(("2026-01", LIST, "200", 0, NOBODY))
    for run, status in (("2026-02", None), ("2026-03", 1)):
        evidence.begin(run, 10, has_command=True)
        evidence.end(When(40, 30), status)
    said = describe_runs(union(evidence).completeness())
    assert said == "3 runs (run 3 failed; run 2 without an end so far)"


def test_what_ran_before_something_new_is_not_watched_since() -> None:
    """Of two learners side by side, the time before the later news counts for neither."""
    evidence = seen(
        ("2026-01", LIST, "200", 0, NOBODY),
        ("2026-02", LIST, "200", 100, NOBODY),
        ("2026-02", LIST, "200", 500, NOBODY),
        ("2026-01", START, "204", 900, NOBODY),
        ("2026-01", START, "204", 1_000, NOBODY),
    )
    assert evidence.completeness().quiet == 100


def test_each_group_has_its_own_last_news() -> None:
    """What one client knew from its first run on is new for another in its own."""
    one = seen(("2026-01", LIST, "200", 0, NOBODY), ("2026-03", LIST, "200", 9, NOBODY))
    two = seen(("2026-02", LIST, "200", 0, NOBODY), ("2026-04", LIST, "200", 9, NOBODY))
    one.come_from("a.env")
    two.come_from("b.env")
    whole = union(one, two)
    assert whole.groups() == ["a.env", "b.env"]
    for group in whole.groups():
        facts = whole.completeness(group)
        assert (facts.runs, facts.newest_run, facts.quiet_runs) == (2, 1, 1)


def test_when_something_was_new_last() -> None:
    """By the date of its run and how far into it that was, in whichever order runs are merged; news of a file are its own, and a COMMAND that brought some would not have passed."""
    one = seen(("2026-02", LIST, "200", DAY, NOBODY), ("2026-02", START, "204", DAY + 5, NOBODY))  # fmt: skip
    two = seen(("2026-01", LIST, "200", 7, NOBODY))
    two.runs["2026-01"].status = 1
    one.come_from("a.env")
    two.come_from("b.env")
    whole = union(one, two)
    found = whole.completeness()
    assert (found.newest, found.newest_run, found.failed_runs) == (DAY + 5, 2, (1,))
    run = whole.runs["2026-02"]
    for news, status, passes in ((None, 0, True), (9, None, True), (9, 0, False)):
        run.news, run.status = news, status
        assert whole.completeness().passes is passes
    newest = [whole.completeness(one).newest for one in (None, "a.env", "b.env")]
    assert newest == [DAY + 9, DAY + 9, 7]


@given(EVIDENCE, EVIDENCE, st.sampled_from(["a.env", "b.env"]))
def test_where_it_came_from_does_not_change_what_was_seen(
    one: Evidence, two: Evidence, file: str
) -> None:
    """Named or not, what is united is the same; a name that is there stays."""
    named = union(one)
    named.come_from(file)
    named.come_from("later.env")
    assert all(run.files == {file} for run in named.runs.values())
    plain, both = union(one, two), union(named, two)
    assert both.used_operations() == plain.used_operations()
    assert both.completeness() == plain.completeness()


OUTDATED = {
    "too-old": (["1.41"], ["400"], True),
    "refused-at-times": (["1.41"], ["400", "refused"], True),
    "new-enough": (["1.44"], ["400"], False),
    "one-of-them-new": (["1.41", "1.45"], ["400"], False),
    "nobody-said": (["unversioned"], ["400"], False),
    "nobody-knows": ([""], ["400"], False),
    "other-failures": (["1.41"], ["400", "500"], False),
    "only-refused": (["1.41"], ["refused"], False),
    "used": (["1.41"], ["200"], False),
}


@pytest.mark.parametrize(
    ("versions", "results", "expected"), OUTDATED.values(), ids=OUTDATED
)
def test_what_fails_for_clients_that_are_too_old(
    versions: list[str], results: list[str], expected: bool
) -> None:
    """An operation failed for its clients' age if all that asked are too old, and 400 is all."""
    sightings = [
        ("2026-01", LIST, result, DAY, Who(version=version))
        for version in versions
        for result in results
    ]
    evidence = seen(*sightings)
    assert evidence.outdated_operations() == frozenset()  # nobody asked the Engine
    evidence.runs["2026-01"].oldest_api = "1.44"
    assert (LIST.operation in evidence.outdated_operations()) is expected
    evidence.observe(LIST._replace(method="HEAD"), "500", When(DAY))
    assert LIST.operation not in evidence.outdated_operations()
