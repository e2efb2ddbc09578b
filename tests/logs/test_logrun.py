"""Logs as evidence: one run each, which is the same whenever it is read."""

from collections.abc import Iterable, Iterator
from copy import deepcopy
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioproxy.evidence.evidencefile import dump
from trioproxy.evidence.recorder import OTHER_REASONS, REASONS_KEPT
from trioproxy.evidence.seen import Evidence
from trioproxy.evidence.sight import Sight, route
from trioproxy.logs.logrun import (
    CLIENTS_TOLD_APART,
    EVERYBODY,
    MOST_SILENCE,
    TARGETS_KEPT,
    LogFile,
    _read,
    united,
)

BEGUN = datetime(2026, 11, 25, 19, 38, 27, tzinfo=UTC)
LIST, CREATE = "GET /v1.45/containers/json", "POST /v1.45/containers/create"
DAY = 86_400


def line(
    asked: str = LIST,
    *,
    after: float = 0,
    client: str = "10.0.0.1",
    status: str = "200",
    state: str = "----",
) -> bytes:
    """A line of HAProxy's log, so many seconds after the first."""
    date = datetime.fromtimestamp(BEGUN.timestamp() + after, UTC)
    stamp = f"{date:%d/%b/%Y:%H:%M:%S}.{date.microsecond // 1000:03}"
    return (
        f"{client}:5 [{stamp}] proxy docker/socket 0/0/0/3/3 {status} 12"
        f' - - {state} 1/1/0/0/0 0/0 "{asked} HTTP/1.1"'
    ).encode()


def read(lines: Iterable[bytes], **options: object) -> LogFile:
    """Read a log."""
    log = LogFile(**options)  # type: ignore[arg-type]
    for one in lines:
        log.feed(one)
    log.end()
    return log


def evidence_of(lines: Iterable[bytes], **options: object) -> Evidence:
    """What everybody's requests in a log show."""
    return read(lines, **options).evidence[EVERYBODY]


def shape(operation: str, method: str) -> Sight:
    return route(operation, method, "CONTAINERS")


def test_a_log_is_a_run_of_its_own() -> None:
    """Its requests are counted by shape and result in one run, whose source is a log."""
    evidence = evidence_of([line(), line(after=5), line(CREATE, after=7, status="409")])
    (run,) = evidence.runs.values()
    assert (run.source, run.status, run.seconds) == ("log", None, 7)
    assert (run.first, run.last) == (int(BEGUN.timestamp()), int(BEGUN.timestamp()) + 7)
    assert evidence.used_operations() == {"ContainerList", "ContainerCreate"}
    record = evidence.facts[shape("ContainerList", "GET")]
    assert record.count() == 2
    assert record.users.clients == {"10.0.0.1"}
    assert record.users.versions == {"1.45"}


def test_a_need_is_what_it_is_live() -> None:
    """Whether an answer shows a need is decided as for what is seen live."""
    evidence = evidence_of(
        [
            line(CREATE, status="500"),
            line("DELETE /containers/x", status="404"),
            line("POST /containers/x/start", status="404"),
            line("POST /containers/x/kill", status="403", state="PR--"),
        ]
    )
    assert evidence.used_operations() == {"ContainerDelete"}
    assert evidence.failed_operations() == {"ContainerCreate", "ContainerStart"}
    assert [one.operation for one in evidence.ended("refused")] == ["ContainerKill"]


def test_what_never_reached_the_engine_shows_nothing() -> None:
    """An answer that the other proxy made for want of the Engine's is no result."""
    log = read([line(status="503", state="SC--"), line(status="-1", state="CR--")])
    assert log.evidence == {}
    assert log.unanswered == 2


def test_what_cannot_be_used_is_counted() -> None:
    """Each line that shows nothing is counted with its reason, and the first is kept."""
    long = "GET /v1.45/containers/" + "a" * 2_000
    log = read(
        [
            b"hello",
            b"",
            b"world",
            line().replace(b'"GET', b'"<BADREQ>').partition(b">")[0] + b'>"',
            line("GET /v1.45//info"),
            line("GET /v1.12/info"),
            line(long).removesuffix(b' HTTP/1.1"'),
            line(status="999"),
            line(),
        ]
    )
    assert (log.others, log.first_other) == (2, b"hello")
    assert log.cut == 1
    assert log.unread.total() == 4
    assert log.requests == 6
    assert len(log.evidence) == 1


def test_reasons_are_bounded() -> None:
    """Reasons hold what clients sent, so only some are kept; all are counted."""
    log = read(line(f"GET /v1.45/a{number}/../info") for number in range(100))
    assert len(log.unread) == REASONS_KEPT + 1
    assert log.unread.total() == 100
    assert log.unread[OTHER_REASONS] == 100 - REASONS_KEPT


def test_nothing_of_a_target_is_kept() -> None:
    """Names, ids and queries of a log are not in the evidence."""
    text = dump(evidence_of([line("GET /containers/secret/json?token=secret")]))
    assert "secret" not in text


def test_memory_does_not_grow_with_the_log() -> None:
    """What is remembered of targets and clients has a bound, whatever the log holds."""
    log = read(
        line(
            f"GET /containers/{n}/json", client=f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}"
        )
        for n in range(TARGETS_KEPT + 100)
    )
    assert _read.cache_info().currsize <= TARGETS_KEPT
    assert len(log.clients) == CLIENTS_TOLD_APART + 1
    assert log.evidence[EVERYBODY].routes.keys() == {shape("ContainerInspect", "GET")}


# -- the same log again --------------------------------------------------------------------

REQUESTS = st.lists(
    st.tuples(
        st.sampled_from([LIST, CREATE, "GET /info", "DELETE /containers/x"]),
        st.integers(-10, 3 * DAY),
        st.sampled_from(["10.0.0.1", "10.0.0.2", "fd00::1"]),
        st.sampled_from(["200", "404", "500"]),
    ),
    min_size=1,
    max_size=12,
)


def lines_of(requests: Iterable[tuple[str, int, str, str]]) -> Iterator[bytes]:
    for asked, after, client, status in requests:
        yield line(asked, after=after, client=client, status=status)


@given(REQUESTS)
def test_a_log_that_is_read_twice_counts_once(
    requests: list[tuple[str, int, str, str]],
) -> None:
    """Merged with itself it stays as it is."""
    evidence = evidence_of(lines_of(requests))
    twice = deepcopy(evidence)
    twice.merge(evidence_of(lines_of(requests)))
    assert dump(twice) == dump(evidence)


@given(REQUESTS, st.data())
def test_a_log_that_grew_takes_the_place_of_its_beginning(
    requests: list[tuple[str, int, str, str]], data: st.DataObject
) -> None:
    """Read yesterday and again today, it says what it says if read today alone."""
    begun = requests[: data.draw(st.integers(1, len(requests)))]
    both = evidence_of(lines_of(begun))
    both.merge(evidence_of(lines_of(requests)))
    assert dump(both) == dump(evidence_of(lines_of(requests)))


@given(REQUESTS)
def test_what_stands_in_front_of_lines_makes_no_other_run(
    requests: list[tuple[str, int, str, str]],
) -> None:
    """`docker logs`, and Compose's way to show the same log, are one log."""
    plain = evidence_of(lines_of(requests))
    shown = evidence_of(b"proxy-1  | " + one for one in lines_of(requests))
    assert dump(shown) == dump(plain)


@given(REQUESTS)
def test_clients_told_apart_are_those_who_were_named(
    requests: list[tuple[str, int, str, str]],
) -> None:
    """A client's part is what is learned from that client alone; the parts are all."""
    parts = read(lines_of(requests), apart=True)
    whole = Evidence()
    for client, evidence in parts.evidence.items():
        alone = read(
            lines_of(requests), includes={client}.__contains__, selection=client
        )
        assert dump(alone.evidence[EVERYBODY]) == dump(evidence)
        assert alone.passed_over == len(requests) - sum(
            record.count() for record in evidence.routes.values()
        )
        whole.merge(evidence)
    together = evidence_of(lines_of(requests))
    assert whole.routes.keys() == together.routes.keys()
    assert whole.used_operations() == together.used_operations()
    assert len({*whole.runs}) == len(parts.evidence)
    for name, record in together.routes.items():
        assert whole.facts[name].count() == record.count()


def test_two_logs_are_two_runs() -> None:
    """Logs of one call are united as those of two calls are."""
    logs = [read([line()]), read([line(after=60), line(CREATE, after=90)])]
    evidence = united(logs)[EVERYBODY]
    assert len(evidence.runs) == 2
    assert evidence.facts[shape("ContainerList", "GET")].count() == 2
    assert evidence.completeness().newest_run == 2


# -- time ----------------------------------------------------------------------------------


def watched(*offsets: float) -> int:
    """How long a log was watched whose requests came then."""
    (run,) = evidence_of(line(after=one) for one in offsets).runs.values()
    return run.seconds


def test_days_of_a_log_count() -> None:
    """A log of two days was watched for two days, and then nothing new is a sign."""
    offsets = [0, *range(600, 2 * DAY + 1, 600)]
    evidence = evidence_of(line(after=one) for one in offsets)
    facts = evidence.completeness()
    assert (facts.seconds, facts.quiet) == (2 * DAY, 2 * DAY)


def test_new_things_end_the_quiet() -> None:
    """What is new in the middle of a log was new then."""
    evidence = evidence_of(
        [
            line(),
            *(line(after=3_600 * n) for n in range(1, 5)),
            line(CREATE, after=15_000),
            line(after=16_000),
        ]
    )
    assert evidence.completeness().quiet == 1_000


@pytest.mark.parametrize(
    ("offsets", "seconds"),
    [
        pytest.param((0, 5, 9), 9, id="forward"),
        pytest.param((0, 100, -3_000, 110), 110, id="a-long-stream-ends-last"),
        pytest.param((0, 10, -7_000, -6_990), 10, id="a-clock-set-back"),
        pytest.param(
            (0, 10, 400 * DAY, 400 * DAY + 5), 15 + MOST_SILENCE, id="a-year-of-nothing"
        ),
    ],
)
def test_time_that_was_watched(offsets: tuple[float, ...], seconds: int) -> None:
    """Dates that go back add nothing, and a silence of more than a day proves a day."""
    assert watched(*offsets) == seconds


def test_a_client_was_watched_as_long_as_the_log() -> None:
    """A client that asked once in a long log had all of it to ask for more."""
    lines = [line(after=60 * n) for n in range(10)]
    lines.insert(3, line(client="10.0.0.2", after=130))
    parts = read(lines, apart=True).evidence
    assert {one.completeness().seconds for one in parts.values()} == {540}


# -- clients -------------------------------------------------------------------------------


def test_who_is_not_named_is_passed_over() -> None:
    """With a choice of clients the others are counted, and nothing else of them is kept."""
    log = read(
        [line(), line(CREATE, client="10.0.0.2")], includes={"10.0.0.1"}.__contains__
    )
    assert log.passed_over == 1
    assert log.evidence[EVERYBODY].used_operations() == {"ContainerList"}
    assert log.clients == {"10.0.0.1", "10.0.0.2"}


def test_a_log_without_clients_has_none_to_tell_apart() -> None:
    """A log that does not say who asked gives no client a file."""
    called = (
        b'time="2026-11-25T19:39:37.7Z" level=debug msg="Calling GET /info" spanID=1'
    )
    log = read([called], apart=True)
    assert log.evidence == {}
    assert log.passed_over == 1


def test_too_many_clients_are_told_of() -> None:
    """Beyond the bound nobody gets a file of their own, and one more says that."""
    log = read((line(client=f"10.0.1.{number}") for number in range(200)), apart=True)
    assert len(log.evidence) == CLIENTS_TOLD_APART + 1


def test_a_target_with_scheme_and_host_is_its_path() -> None:
    """Some clients of proxies send both: what is asked for is the same."""
    evidence = evidence_of([line(LIST.replace("/v1", "http://docker/v1", 1))])
    assert evidence.used_operations() == {"ContainerList"}


def test_the_same_client_by_two_addresses() -> None:
    """IPv4 within IPv6, as a socket for both has it, is IPv4."""
    log = read([line(), line(client="::ffff:10.0.0.1")], apart=True)
    assert set(log.evidence) == {"10.0.0.1"}
