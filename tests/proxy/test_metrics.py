"""What is counted, by whose name, and what a scrape reads of it."""

import threading
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from tests.fakes import FakeEngine, connect, request, response, settle
from tests.markdown import ROOT
from tests.patience import PATIENCE
from tests.proxy.conftest import Proxy, Start
from trioproxy.api.routes import OPERATIONS
from trioproxy.config import Level, UnixAddress
from trioproxy.errors import BadRequest
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.gate import Gate
from trioproxy.judge.outcome import Moment, Outcome, Waits
from trioproxy.judge.rules import Reason
from trioproxy.proxy import metrics as metrics_module
from trioproxy.proxy.admission import Admission, Admitted
from trioproxy.proxy.metrics import Counts, EndCount, Times, described

READS = {
    "ALLOW_OPERATIONS": "ContainerList,SystemEvents,ContainerAttach,ContainerCreate",
    "CREATE_IMAGES": "busybox",
}
TRIOPROXY = "trioproxy_"

Told = dict[str, float]
"""Each series as it is written, `name{label="value",...}`, and its value."""


@pytest.fixture
def place(tmp_path: Path) -> UnixAddress:
    return UnixAddress(path=str(tmp_path / "metrics.sock"))


async def scrape(proxy: Proxy, place: UnixAddress) -> Told:
    """What is told, while the Engine is away: nobody answers its ping here."""
    proxy.fake.stop()
    client = await connect(str(place))
    await client.send(request("GET", "/metrics"))
    answer = await client.read_response()
    client.close()
    assert answer.status == 200
    return dict(series(answer.body.decode()))


def series(text: str) -> Iterator[tuple[str, float]]:
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            labels = ",".join(f'{k}="{v}"' for k, v in sorted(one.labels.items()))
            name = one.name.removeprefix(TRIOPROXY)
            yield f"{name}{{{labels}}}" if labels else name, one.value


def of(told: Told, name: str) -> Told:
    return {key: value for key, value in told.items() if key.startswith(name) and value}


async def answered(proxy: Proxy, status: str) -> None:
    """A request that the Engine answers."""
    client, engine = await proxy.ask("GET", "/containers/json")
    await engine.read_request()
    await engine.send(response(status, "Connection: close") + b"four")
    engine.close()
    await client.read_response()


async def test_each_end_is_counted_once(
    start: Start, place: UnixAddress, fake: FakeEngine
) -> None:
    """Allowed, failed, refused by route and by a list, not to be read: by operation, decision, status, reason."""
    proxy = await start(READS, metrics=place)
    await answered(proxy, "200 OK")
    await answered(proxy, "500 Oh")
    for asked in (
        request("GET", "/images/json"),
        request("POST", "/containers/create", body=b'{"Image": "alpine"}'),
        request("GET", "/containers//json"),
    ):
        client = await proxy.connect()
        await client.send(asked)
        await client.read_response()
    fake.stop()
    client = await proxy.connect()
    await client.ask("GET", "/containers/json")
    assert (await client.read_response()).status == 502
    told = await scrape(proxy, place)
    listed = 'client="-",decision="allowed",operation="ContainerList"'
    made = 'client="-",decision="refused",operation="ContainerCreate"'
    shown = 'client="-",decision="refused",operation="ImageList"'
    unread = 'client="-",decision="rejected",operation="unread"'
    assert of(told, "requests_total") == {
        f'requests_total{{{listed},status="2xx"}}': 1,
        f'requests_total{{{listed},status="5xx"}}': 2,
        f'requests_total{{{made},status="4xx"}}': 1,
        f'requests_total{{{shown},status="4xx"}}': 1,
        f'requests_total{{{unread},status="4xx"}}': 1,
    }
    assert of(told, "refusals_total") == {
        f'refusals_total{{{made},reason="argument",variable="CREATE_IMAGES"}}': 1,
        f'refusals_total{{{shown},reason="operation",variable=""}}': 1,
        f'refusals_total{{{unread},reason="rejected",variable=""}}': 1,
    }
    assert of(told, "engine_errors") == {
        'engine_errors_total{client="-",kind="failed"}': 1
    }
    assert told["engine_up"] == 0
    assert [*of(told, "build_info").values()] == [1]
    assert told['own_seconds_count{operation="ContainerList"}'] == 3
    assert told["accepted_total"] == len(proxy.lines_of(" request ")) == 6
    assert told['sent_bytes_total{client="-"}'] == len("four") * 2


async def test_the_time_of_the_engine_is_not_ours(
    start: Start, place: UnixAddress
) -> None:
    """What passes while the Engine has a request is its time, and no part of ours; a refusal takes none of its."""
    proxy = await start(READS, metrics=place)
    client = await proxy.connect()
    began = perf_counter()
    await client.ask("GET", "/containers/json")
    engine = await proxy.fake.accept()
    await engine.read_request()
    held = perf_counter()
    await settle()
    held = perf_counter() - held
    await engine.send(response("200 OK", body=b"[]"))
    await client.read_response()
    whole = perf_counter() - began
    await client.ask("GET", "/images/json")
    await client.read_response()
    told = await scrape(proxy, place)
    assert told['engine_seconds_sum{operation="ContainerList"}'] >= held
    assert told['own_seconds_sum{operation="ContainerList"}'] <= whole - held
    assert told['engine_seconds_count{operation="ImageList"}'] == 0
    assert told['own_seconds_count{operation="ImageList"}'] == 1


async def test_bytes_are_told_while_they_flow(start: Start, place: UnixAddress) -> None:
    """A tunnel is counted as one request when it opens; its bytes are told before it ends, and once."""
    proxy = await start(READS, metrics=place)
    client = await proxy.connect()
    await client.ask("POST", "/containers/a/attach?stream=1", "Upgrade: tcp")
    engine = await proxy.fake.accept()
    await engine.read_head()
    await engine.send(b"HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\nhello")
    await client.read_until(b"hello")
    await client.send(b"abc")
    assert await engine.read(3) == b"abc"
    while_open, later = await scrape(proxy, place), Told()
    assert while_open['tunnels{client="-"}'] == while_open['connections{client="-"}']
    assert while_open['tunnels{client="-"}'] == 1
    for told in (while_open, later):
        if told is later:
            engine.close()
            client.close()
            while proxy.open_connections():
                await settle()
            proxy.server._metrics._fresh_until = 0.0  # type: ignore[union-attr]
            told |= await scrape(proxy, place)
        assert told['sent_bytes_total{client="-"}'] == len("hello")
        assert told['received_bytes_total{client="-"}'] == len("abc")
        assert len(of(told, "requests_total")) == 1
    assert later['tunnels{client="-"}'] == 0


async def test_all_that_the_table_describes_is_told(
    start: Start, place: UnixAddress
) -> None:
    """After a request of each kind there is a series of each metric, and of no other."""
    proxy = await start(READS, metrics=place)
    client = await proxy.connect()
    await client.ask("GET", "/images/json")
    await client.read_response()
    health = proxy.server.health
    health.tell_policy("1a2b3c4d", is_stale=False)
    health.tell_policy("1a2b3c4d", is_stale=True)
    health.tell_folder(is_stale=True)
    told = await scrape(proxy, place)
    names = {key.partition("{")[0] for key in told}
    names = {one for one in names if not one.startswith("process_")}
    wanted = {name.removeprefix(TRIOPROXY) for _, name, _, _ in described()}
    times = {one for one in wanted if one in {"own_seconds", "engine_seconds"}}
    parts = {f"{one}_{part}" for one in times for part in ("bucket", "sum", "count")}
    assert names == wanted - times | parts
    assert told['policy_info{client="-",hash="1a2b3c4d"}'] == 1
    assert told['policy_stale{client="-"}'] == 1
    assert told['reload_failures_total{client="-"}'] == 1
    assert told['reload_failures_total{client="POLICIES"}'] == 1
    assert told['policy_stale{client="POLICIES"}'] == 1
    assert told['policy_loaded_timestamp_seconds{client="-"}'] > 0


async def test_a_policy_that_is_gone_is_told_of_no_more(
    start: Start, place: UnixAddress
) -> None:
    """Files that come and go leave nothing behind."""
    proxy = await start(READS, metrics=place)
    gate = Gate.enforcing(parse_policy(READS)[0])
    proxy.server.reload(gate, client="app", is_containers=True)
    proxy.server.health.tell_policy("1a2b3c4d", is_stale=False, client="app")
    assert 'client="app"' in "".join(await scrape(proxy, place))
    proxy.server.forget("app")
    proxy.server._metrics._fresh_until = 0.0  # type: ignore[union-attr]
    assert 'client="app"' not in "".join(await scrape(proxy, place))


async def test_a_scrape_adds_up_what_is_new_alone(
    start: Start, place: UnixAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 256 policies there are 15,000 counts: all were added up anew in Trio's own thread, at each scrape."""
    folded, fold = list[EndCount](), EndCount.fold

    def counted(self: EndCount) -> None:
        folded.append(self)
        fold(self)

    monkeypatch.setattr(EndCount, "fold", counted)
    proxy = await start(READS, metrics=place)
    await answered(proxy, "200 OK")
    for _ in range(2):
        proxy.server._metrics._fresh_until = 0.0  # type: ignore[union-attr]
        assert of(await scrape(proxy, place), "requests_total")
        assert len(folded) == 1


async def test_who_leaves_in_mid_scrape_has_none_begun_beside_it(
    start: Start,
    place: UnixAddress,
    nursery: trio.Nursery,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of 256 policies a text is seconds of work: it is made once at a time, whoever hangs up."""
    proxy = await start(READS, metrics=place)
    proxy.fake.stop()
    metrics, goes_on, begun = proxy.server._metrics, threading.Event(), trio.Event()
    assert metrics is not None
    token = trio.lowlevel.current_trio_token()

    def write(_: object) -> bytes:
        token.run_sync_soon(begun.set)
        goes_on.wait(PATIENCE)
        return b"written"

    monkeypatch.setattr(metrics_module, "generate_latest", write)
    scope = trio.CancelScope()

    async def leave() -> None:
        with scope:
            await metrics.text()

    nursery.start_soon(leave)
    await begun.wait()
    scope.cancel()
    nursery.start_soon(metrics.text)
    await settle()
    waiting = metrics._turn.statistics().tasks_waiting
    goes_on.set()
    assert waiting == 1
    assert await metrics.text() == b"written"


async def test_a_policy_that_never_was_in_force_is_stale_alone(
    start: Start, place: UnixAddress
) -> None:
    """A first file that is refused has no hash and no age."""
    proxy = await start(READS, metrics=place)
    proxy.server.health.tell_policy("", is_stale=True, client="app")
    told = await scrape(proxy, place)
    assert told['policy_stale{client="app"}'] == 1
    assert not [key for key in told if "policy_info" in key and "app" in key]
    assert 'policy_loaded_timestamp_seconds{client="app"}' not in told


async def test_lines_that_were_dropped_are_counted_for_good(
    start: Start, place: UnixAddress
) -> None:
    """Also those that the log has told of meanwhile."""
    proxy = await start(READS, metrics=place)
    log = proxy.server.log
    log.dropped = 7
    log.line(Level.NOTICE, "start")
    log.finish()
    log.dropped += 2
    assert (await scrape(proxy, place))["log_lines_dropped_total"] == 9


@given(st.lists(st.tuples(st.sampled_from(["GET", "PUT", "X"]), st.text()), max_size=8))
def test_no_client_makes_a_series(asked: list[tuple[str, str]]) -> None:
    """Whatever a client asks for, what it is counted by stands in our tables."""
    counts = Counts({}, lambda _: None)
    admission = Admission(Gate.enforcing(parse_policy(READS)[0]))
    admission.reload(admission.gate, [counts.note])
    for method, text in asked:
        raw = f"{method} /{text} HTTP/1.1\r\nHost: d\r\n\r\n".encode()
        verdict, status = None, 400
        try:
            admitted = admission.admit(raw)
        except BadRequest:
            pass
        else:
            if isinstance(admitted, Admitted):
                verdict = admitted.verdict
                status = verdict.decision.status
        admission.tell(
            Outcome(Moment.WHOLE, "a:1", verdict, status, is_ours=True, waits=Waits())
        )
    counts.fold()
    known = {*OPERATIONS, "unknown", "unread"}
    for tally in counts.tallies.values():
        operation, decision, reason, variable = tally.refusal
        assert operation in known
        assert decision in {"allowed", "refused", "rejected"}
        assert reason in {*Reason, "rejected"}
        assert variable == ""
    assert sum(one.count for one in counts.tallies.values()) == len(asked)


@given(st.lists(st.floats(0, 100)))
def test_times_are_counted_as_prometheus_has_them(seconds: list[float]) -> None:
    """Each bound has all that took no longer, and the last one has all."""
    times = Times()
    half = len(seconds) // 2
    times.add(seconds[:half])
    times.add(seconds[half:])
    told = times.cumulative()
    for bound, count in told:
        assert count == sum(one <= float(bound) for one in seconds)
    assert told[-1] == ("+Inf", len(seconds))


def test_the_page_has_the_table() -> None:
    """docs/metrics.md describes each metric, as the program describes it to Prometheus."""
    page = (ROOT / "docs" / "metrics.md").read_text()
    rows = [
        f"| `{name}` | {kind} | {', '.join(labels)} | {told} |"
        for kind, name, labels, told in described()
    ]
    assert "\n".join(rows) in page
