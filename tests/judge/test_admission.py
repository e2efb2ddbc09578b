"""From the bytes of a request to what may be done with them: what is rendered and kept."""

from typing import Any

import pytest
import trio

from tests import corpus
from tests.deciding import Door, asked, decide, door, written
from tests.fakes import request
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.gate import Gate, NeedBody, NeedThings
from trioproxy.proxy.admission import Admission, Admitted, Pending
from trioproxy.proxy.condition import Probe

ALL = {"ALLOW_OPERATIONS": ",".join(corpus.operations())}
JSON = "Content-Type: application/json"


def admitted(raw: bytes, variables: dict[str, str] | None = None) -> Admitted:
    policy, _ = parse_policy(ALL if variables is None else variables)
    found = Admission(Gate.enforcing(policy)).admit(raw)
    assert isinstance(found, Admitted)
    return found


def pending(raw: bytes, variables: dict[str, str]) -> Pending:
    found = Admission(Gate.enforcing(parse_policy(variables)[0])).admit(raw)
    assert isinstance(found, Pending)
    return found


# Whether it may hijack, is a tunnel, finite and repeatable, and has a raw body.
TRAITS = [
    ("GET /info", "--FR-"),
    ("GET /events", "-----"),
    ("GET /containers/x/logs", "-----"),
    ("GET /containers/x/archive", "--F--"),
    ("PUT /containers/x/archive", "--F--"),
    ("POST /containers/x/stop", "--F--"),
    ("POST /containers/x/attach", "HT--B"),
    ("POST /exec/x/start", "HT---"),
    ("GET /containers/x/attach/ws", "-T--B"),
    ("POST /session", "-T--B"),
    ("GET /nowhere/x", "--F--"),
]


@pytest.mark.parametrize(("line", "letters"), TRAITS, ids=[one[0] for one in TRAITS])
def test_what_follows_from_the_route(line: str, letters: str) -> None:
    """Whether the Engine may take the stream over, and how an answer ends, is the table's."""
    method, _, target = line.partition(" ")
    traits = admitted(request(method, target)).traits
    found = (
        *(traits.may_hijack, traits.is_tunnel, traits.is_finite),
        *(traits.is_repeatable, traits.has_raw_body),
    )
    assert "".join(letter if is_so else "-" for letter, is_so in zip("HTFRB", found, strict=True)) == letters  # fmt: skip


def test_how_an_answer_is_read() -> None:
    """By method, version, and whether the connection may be taken over."""
    asked_for = "Connection: Upgrade", "Upgrade: tcp"
    attach = admitted(request("POST", "/containers/x/attach", *asked_for))
    assert attach.expected.may_hijack
    assert attach.expected.upgrades
    assert b"Upgrade: tcp" in attach.upstream
    plain = admitted(request("GET", "/info", *asked_for))
    assert not plain.expected.may_hijack
    assert not plain.expected.upgrades
    assert b"Upgrade" not in plain.upstream
    assert admitted(request("HEAD", "/_ping")).expected.is_head
    assert not plain.expected.is_head


def test_what_is_refused_has_no_head() -> None:
    """Of the head that goes on and the refusal only one is ever made."""
    passes = admitted(request("GET", "/info"))
    assert passes.upstream.startswith(b"GET /info HTTP/1.1\r\n")
    assert not passes.refusal
    refused = admitted(request("GET", "/info"), {})
    assert not refused.upstream
    assert refused.refusal.startswith(b"HTTP/1.1 403 ")
    assert b"Connection: close" not in refused.refusal
    closing = admitted(request("GET", "/info", "Connection: close"), {})
    assert b"connection: close" in closing.refusal.lower()
    posted = admitted(request("POST", "/build", "Content-Length: 1"), {})
    assert b"connection: close" in posted.refusal.lower()
    head = admitted(request("HEAD", "/_ping"), {"PING": "0"})
    assert head.refusal.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("field", ["Authorization: x", "X-Registry-Auth: x", "A: b"])
def test_what_is_remembered(field: str) -> None:
    """A head that came twice has one verdict; one with credentials is never kept."""
    admission = Admission(Gate.enforcing(parse_policy(ALL)[0]))
    raw = request("GET", "/info", field)
    found = [admission.admit(raw) for _ in range(4)]
    assert (found[2] is found[3]) is (field == "A: b")
    admission.reload(Gate.enforcing(parse_policy({})[0]), ())
    now = admission.admit(raw)
    assert isinstance(now, Admitted)
    assert not now.verdict.decision.allowed


def test_the_observers_are_all_told() -> None:
    """One or several, each hears of each end, and of none of another policy."""
    told: list[tuple[int, Any]] = []
    gate = Gate.enforcing(parse_policy(ALL)[0])

    def observer(number: int) -> Any:  # noqa: ANN401  whatever it is told
        return lambda outcome: told.append((number, outcome))

    for count in (0, 1, 2, 3):
        admission = Admission(gate)
        admission.reload(gate, map(observer, range(count)))
        outcome: Any = count
        admission.tell(outcome)
    assert told == [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]


def test_the_proxys_own_question() -> None:
    """Its health is asked for with GET at one path, and with nothing else."""
    for one in Probe:
        assert admitted(request("GET", f"/_trioproxy/{one}")).probe is one
    assert admitted(request("POST", "/_trioproxy/health")).probe is None
    assert admitted(request("GET", "/_trioproxy/health?a")).probe is None
    assert admitted(request("GET", "/_ping")).probe is None


def test_grpc_has_one_route() -> None:
    """With its media type the Engine hands a request to services before any route."""
    grpc = "Content-Type: application/grpc"
    at = door(ALL)
    assert asked(at, "POST /grpc").allowed

    async def ask(raw: bytes) -> tuple[bool, str]:
        answer = await at.ask(raw, {})
        return answer.allowed, answer.message

    allowed, message = trio.run(ask, request("GET", "/info", grpc))
    assert not allowed
    assert "gRPC bypasses the Engine's routes" in message
    assert trio.run(ask, request("POST", "/grpc", grpc))[0]


CREATE = "POST /containers/create"
LIMITED = {**ALL, "CREATE_BINDS": "/srv/app"}
QUERIES = [
    ("/containers/create", "/containers/create"),
    ("/containers/create?", "/containers/create?"),
    ("/containers/create?name=a", "/containers/create?name=a"),
    ("/v1.45/containers/create?name=a%20b", "/v1.45/containers/create?name=a%20b"),
]


@pytest.mark.parametrize(("target", "sent"), QUERIES, ids=[one[0] for one in QUERIES])
def test_a_query_goes_on_as_it_was_read(target: str, sent: str) -> None:
    """With its mark, where there was one, and what was read behind it."""
    for variables in (ALL, LIMITED):
        assert (
            decide(variables, f"POST {target}", {"Image": "x"}).line == f"POST {sent}"
        )
    query = target.partition("?")[1] + target.partition("?")[2]
    assert decide(ALL, f"GET /info{query}").line == f"GET /info{query}"


def test_what_goes_on_was_judged() -> None:
    """A body that is read is written anew; what is only tried out goes on as it came."""
    raw = b'{ "Image" : "x", "HostConfig" : {"Binds": ["/etc:/x"]} }'
    spaced = b'{ "Image" : "x" }'
    policy, _ = parse_policy(LIMITED)
    enforced, shadow = Door(gate=Gate.enforcing(policy)), Door(gate=Gate.trying(policy))
    learning = Door(gate=Gate.learning())
    assert asked(enforced, CREATE, spaced).sent.endswith(b'{"Image":"x","HostConfig":{},"Labels":{"trioproxy.owner":""}}')  # fmt: skip
    assert not asked(enforced, CREATE, raw).allowed
    assert asked(shadow, CREATE, raw).sent.endswith(raw)
    assert asked(shadow, CREATE, raw).word == "would-refuse"
    assert not asked(shadow, CREATE, spaced).sent.endswith(spaced)
    never = b'{ "Image":"x", "Binds":["/a:/b"] }'
    assert asked(learning, CREATE, never).sent.endswith(never)
    assert not asked(enforced, CREATE, never).allowed
    assert asked(learning, CREATE, raw).body["HostConfig"] == {"Binds": ["/etc:/x"]}


def test_what_the_engine_unpacks_is_sent_in_chunks() -> None:
    """A tar that is read as it passes has no length that could be told before."""
    put = request("PUT", "/containers/x/archive?path=/", body=b"tar")
    head = admitted(put.partition(b"tar")[0], LIMITED)
    assert b"Transfer-Encoding: chunked" in head.upstream
    assert head.verdict.unpacks
    empty = admitted(request("PUT", "/containers/x/archive?path=/"), LIMITED)
    assert b"chunked" not in empty.upstream
    free = admitted(put.partition(b"tar")[0])
    assert b"Content-Length: 3" in free.upstream


def test_a_body_is_read_where_it_is_judged() -> None:
    """Until then nothing is decided; one without a body has nothing to wait for."""
    raw = written(CREATE, {"Image": "x"})
    head = pending(raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n", LIMITED)
    assert isinstance(head.need, NeedBody)
    none = admitted(request("POST", "/containers/x/update"), LIMITED)
    assert none.verdict.decision.allowed
    listed = {**ALL, "ONLY_CONTAINERS": "web", "ONLY_OWNER": "x"}
    named = pending(request("GET", "/containers/web/json"), listed)
    assert isinstance(named.need, NeedThings)


REFUSED_TEXTS = {
    "too-old": ("GET /v1.41/containers/json", {}, "fails without a proxy too"),
    "new-enough": ("GET /v1.44/containers/json", {}, "set CONTAINERS=1"),
    "unversioned": ("GET /containers/json", {}, "set CONTAINERS=1"),
    "may-not-ping": ("GET /v1.24/containers/json", {"PING": "0"}, "set CONTAINERS=1"),
}


@pytest.mark.parametrize(
    ("line", "variables", "text"), REFUSED_TEXTS.values(), ids=REFUSED_TEXTS
)
def test_who_is_too_old_for_the_engine(
    line: str, variables: dict[str, str], text: str
) -> None:
    """A refusal names what would allow a request, but where the Engine would not take it.

    Whoever may not ping names an old version for that reason alone.
    """
    raw = f"{line} HTTP/1.1\r\nHost: docker\r\n\r\n".encode()
    admission = Admission(Gate.enforcing(parse_policy(variables)[0]))
    before = admission.admit(raw)
    assert isinstance(before, Admitted)
    assert "set CONTAINERS=1" in before.verdict.decision.message
    admission.know_oldest("1.44")
    after = admission.admit(raw)
    assert isinstance(after, Admitted)
    assert text in after.verdict.decision.message
    assert text.encode() in after.refusal
    assert not after.upstream
    assert after.verdict.decision.status == before.verdict.decision.status


def test_what_passes_goes_on_whatever_its_age() -> None:
    """Who is too old and granted hears it from the Engine; a reload changes no Engine."""
    gate = Gate.enforcing(parse_policy({"CONTAINERS": "1"})[0])
    granted, other = (request("GET", f"/v1.41/{one}/json") for one in ("containers", "images"))  # fmt: skip
    admission = Admission(gate)
    before = admission.admit(granted)
    admission.know_oldest("1.44")
    after = admission.admit(granted)
    assert isinstance(before, Admitted)
    assert isinstance(after, Admitted)
    assert (after.upstream, after.refusal) == (before.upstream, b"")
    admission.reload(gate, ())
    refused = admission.admit(other)
    assert isinstance(refused, Admitted)
    assert b"the Engine takes 1.44 and newer" in refused.refusal
