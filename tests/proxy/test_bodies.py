"""Bodies that are judged: read whole, within bounds, and sent on as they were read."""

import json

import pytest
import trio
from trio.testing import MockClock

from tests.fakes import (
    HEADS,
    Client,
    EngineConnection,
    Message,
    chunk,
    request,
    response,
    settle,
)
from tests.proxy.conftest import OPEN, Proxy, Start
from trioproxy.config import DEFAULT_MAX_BODY
from trioproxy.errors import TooManyBodies
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.gate import Gate
from trioproxy.proxy.bodies import BODIES, MOST_CHUNKS, Bodies, Reading

JSON = "Content-Type: application/json"
LIMITED = {
    **OPEN,
    "CREATE_BINDS": "/srv/app",
    "CREATE_IMAGES": "busybox",
    "EXEC_USERS": "app",
}
CREATE = "/v1.45/containers/create"


@pytest.fixture
async def limited(start: Start) -> Proxy:
    """A proxy that limits what creates and execs may ask for."""
    return await start(LIMITED)


def told(answer: Message) -> str:
    """The message of an answer of ours."""
    text = json.loads(answer.body)["message"]
    assert isinstance(text, str)
    return text


async def received(proxy: Proxy) -> tuple[EngineConnection, Message]:
    """The Engine's side of a request that passed, read."""
    engine = await proxy.fake.accept()
    return engine, await engine.read_request()


GOOD = b'{"image":"busybox","HOSTCONFIG":{"binds":["/srv/app/:/a"],"Memory":null}}'
MARK = b'"Labels":{"trioproxy.owner":""}}'
SENT = b'{"Image":"busybox","HostConfig":{"Binds":["/srv/app/:/a"]},' + MARK
CHUNKED = "Transfer-Encoding: chunked"

FRAMINGS = {
    "sized": ((), GOOD),
    "chunked": ((CHUNKED,), chunk(GOOD) + b"0\r\n\r\n"),
    "in chunks": (
        (CHUNKED, "Trailer: X-A"),
        b"".join(chunk(GOOD[at : at + 7]) for at in range(0, len(GOOD), 7))
        + b"0\r\nX-A: b\r\n\r\n",
    ),
}


@pytest.mark.parametrize("pieces", ["whole", "bytes"])
@pytest.mark.parametrize(("fields", "body"), FRAMINGS.values(), ids=FRAMINGS)
async def test_a_limited_body_goes_on_as_it_was_read(
    limited: Proxy, fields: tuple[str, ...], body: bytes, pieces: str
) -> None:
    """However it comes: canonical names, one length, and nothing of the framing it had."""
    client = await limited.connect()
    asked = request("POST", f"{CREATE}?name=a%62&Env=SECRET", JSON, *fields, body=body)
    if pieces == "bytes":
        await client.send_each(asked)
    else:
        await client.send(asked)
    engine, got = await received(limited)
    assert got.line == b"POST /v1.45/containers/create?name=ab HTTP/1.1"
    assert got.body == SENT
    assert got.one("content-length") == b"%d" % len(SENT)
    assert got.one("content-type") == b"application/json"
    assert got.all("transfer-encoding") == got.all("trailer") == []
    await engine.send(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}")
    assert (await client.read_response()).status == 201
    await client.ask(target="/info")
    await engine.answer(body=b"next")
    assert (await client.read_response()).body == b"next"
    await limited.assert_clean()


async def test_a_refused_argument_is_answered_and_the_connection_stays(
    limited: Proxy,
) -> None:
    """403 names field, value and variable; the next request goes on; nothing went upstream."""
    client = await limited.connect()
    evil = b'{"Image":"busybox","hostconfig":{"binds":["/etc:/e"]}}'
    await client.ask("POST", CREATE, JSON, body=evil)
    answer = await client.read_response()
    assert answer.status == 403
    assert told(answer) == (
        "trioproxy: ContainerCreate asks for HostConfig.Binds[0]=/etc, which CREATE_BINDS does not list"
    )
    assert not await limited.fake.is_called()
    await client.ask(target="/info")
    engine = await limited.fake.accept()
    await engine.answer(body=b"next")
    assert (await client.read_response()).body == b"next"
    (line, _) = [one for one in limited.lines() if "method=" in one]
    assert "decision=refused reason=argument variable=CREATE_BINDS" in line
    assert "HostConfig.Binds[0]=/etc" in line
    await limited.assert_clean()


async def test_a_null_is_nothing(start: Start) -> None:
    """A body of `null`, as the Ruby client sends it, goes on as an object without a field."""
    limited = await start({**LIMITED, "CREATE_IMAGES": "*"})  # it asks for no image
    client = await limited.connect()
    await client.ask("POST", CREATE, JSON, body=b"null")
    engine, got = await received(limited)
    assert got.body == b'{"HostConfig":{},' + MARK
    await engine.send(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}")
    assert (await client.read_response()).status == 201


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"a":1}}', "not JSON"),
        (b'{"HostConfig":{},"hostconfig":{}}', "given twice"),
        (b'{"Ho\\u017ftConfig":{}}', "not ASCII"),
        (b"[]", "must be a JSON object"),
        (b'{"HostConfig":{"Privileged":"true"}}', "not true or false"),
    ],
    ids=["trailing", "twice", "folded", "list", "type"],
)
async def test_a_body_of_two_readings_is_a_400(
    limited: Proxy, body: bytes, message: str
) -> None:
    """What the Engine might read otherwise is answered, closed and never sent on."""
    client = await limited.connect()
    await client.ask("POST", CREATE, JSON, body=body)
    answer = await client.read_response()
    assert answer.status == 400
    assert message in told(answer)
    assert await client.read_rest() == b""
    assert not await limited.fake.is_called()
    await limited.assert_clean()


@pytest.mark.parametrize(
    "fields",
    [(f"Content-Length: {DEFAULT_MAX_BODY + 1}",), (CHUNKED,)],
    ids=["sized", "chunked"],
)
async def test_a_body_beyond_the_bound_is_a_413(
    limited: Proxy, fields: tuple[str, ...]
) -> None:
    """A body that is too long is refused by its length, or as soon as it is longer."""
    client = await limited.connect()
    await client.send(request("POST", CREATE, JSON, *fields))
    if fields == (CHUNKED,):
        await client.send(chunk(b" " * 60_000) * (DEFAULT_MAX_BODY // 60_000 + 1))
    answer = await client.read_response()
    assert answer.status == 413
    assert "MAX_BODY" in told(answer)
    client.close()
    await limited.assert_clean()


AUTH, BUILD = "/v1.45/auth", "/v1.45/build"


async def test_the_engine_holds_no_body_of_any_size(start: Start) -> None:
    """What nobody reads here the Engine holds as a whole, three times over: beyond the bound
    it gets none of it, or no end; what is content has no bound."""
    proxy = await start(OPEN)
    sized = request("POST", AUTH, JSON, f"Content-Length: {DEFAULT_MAX_BODY + 1}")
    client = await proxy.connect()
    await client.send(sized + b" ")
    assert (await client.read_response()).status == 413
    client.close()
    assert not await proxy.fake.is_called()
    whole = request("POST", BUILD, f"Content-Length: {DEFAULT_MAX_BODY + 1}")
    client = await proxy.connect()
    await client.send(whole + b" ")
    engine = await proxy.fake.accept()
    assert b"build" in await engine.read_head()
    client.close()
    for piece in (
        b" " * 60_000,
        b" ",
    ):  # of the short ones many are walked over at once
        client = await proxy.connect()
        await client.send(request("POST", AUTH, JSON, CHUNKED))
        engine = await proxy.fake.accept()
        await engine.read_head()
        block = chunk(piece) * (1 + 60_000 // len(piece))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(engine.count_rest)
            for _ in range(DEFAULT_MAX_BODY // 60_000 + 1):
                await client.send(block)
            answer = await client.read_response()
        assert answer.status == 413, piece[:2]
        assert "MAX_BODY" in told(answer)
        client.close()
    await proxy.assert_clean()


async def test_tiny_chunks_do_not_get_around_the_bound(limited: Proxy) -> None:
    """Chunks are counted too: those of one byte are work for nothing."""
    client = await limited.connect()
    await client.send(request("POST", CREATE, JSON, CHUNKED))
    await client.send(chunk(b" ") * (MOST_CHUNKS + 1))
    assert (await client.read_response()).status == 413
    client.close()
    await limited.assert_clean()


async def test_expect_is_answered_by_us(limited: Proxy) -> None:
    """A client that waits for 100 Continue gets it from us; the Engine is not asked."""
    client = await limited.connect()
    head = request(
        "POST", CREATE, JSON, "Expect: 100-Continue", f"Content-Length: {len(GOOD)}"
    )
    await client.send(head)
    assert await client.read_head() == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert not await limited.fake.is_called()
    await client.send(GOOD)
    _, got = await received(limited)
    assert got.all("expect") == []
    assert got.body == SENT


async def test_whose_body_is_here_waits_for_no_word(limited: Proxy) -> None:
    """Whoever sends its body at once is not told to go on (RFC 9110, 10.1.1)."""
    client = await limited.connect()
    await client.send(request("POST", CREATE, "Expect: 100-continue", body=GOOD))
    engine, _ = await received(limited)
    await engine.send(response(body=b"{}"))
    assert (await client.read_response("POST")).informational == ()


async def test_an_expectation_that_nobody_knows_is_refused(limited: Proxy) -> None:
    """What else a client may wait for, it will not get."""
    client = await limited.connect()
    await client.ask("POST", CREATE, JSON, "Expect: frob", body=GOOD)
    assert (await client.read_response()).status == 400


async def test_a_body_that_stalls_is_a_408(
    limited: Proxy, mock_clock: MockClock
) -> None:
    """A client that stops in the middle of a body is answered after 30 s, not before."""
    client = await limited.connect()
    await client.send(request("POST", CREATE, JSON, "Content-Length: 99") + b"{")
    await settle()
    mock_clock.jump(29.9)
    assert await client.arrived() == b""
    mock_clock.jump(0.2)
    assert (await client.read_response()).status == 408
    await limited.assert_clean()


@pytest.mark.parametrize("how", ["half_close", "close"])
async def test_a_client_that_ends_in_mid_body_is_gone(limited: Proxy, how: str) -> None:
    """Nothing of half a body goes anywhere, nothing of it stays, and who can read is told."""
    client = await limited.connect()
    await client.send(request("POST", CREATE, JSON, "Content-Length: 99") + b"{")
    await settle()
    getattr(client, how)()
    await settle()
    if how == "half_close":
        answer = await client.read_response()
        assert (answer.status, "in mid-body" in told(answer)) == (400, True)
    assert limited.open_connections() == 0
    assert not await limited.fake.is_called()
    await limited.assert_clean()


async def test_all_bodies_have_one_budget(limited: Proxy) -> None:
    """Bodies that are not whole yet share their room; the one that waited longest goes first."""
    most = DEFAULT_MAX_BODY
    clients: list[Client] = []
    for _ in range(BODIES):
        client = await limited.connect()
        await client.send(request("POST", CREATE, JSON, f"Content-Length: {most}"))
        await client.send(b" " * (most - 1))
        await settle()
        clients.append(client)
    late = await limited.connect()
    await late.ask("POST", CREATE, JSON, body=GOOD)
    _, got = await received(limited)
    assert got.body == SENT
    answer = await clients[0].read_response()
    assert answer.status == 503
    assert "this one waited longest" in told(answer)
    assert await clients[1].arrived() == b""
    await limited.assert_clean()


async def test_a_share_is_counted_without_what_asks_for_more() -> None:
    """One request may grow as far as there is room; beside another one with a share none may."""
    bodies = Bodies(DEFAULT_MAX_BODY)
    first, second = Reading(bodies, "one"), Reading(bodies, "one")
    for part in (2, 1):
        first.keep(bodies.room // part)
    first.keep(bodies.room // 2)
    with pytest.raises(TooManyBodies):
        second.keep(1)
    Reading(bodies, "other").keep(1)


async def test_bodies_have_room_until_the_engine_has_them(limited: Proxy) -> None:
    """While an Engine reads nothing who comes gets 503 with a hint; when it has read, there is room."""
    labels = {"a": "x" * (DEFAULT_MAX_BODY - 200)}
    value = {"Image": "busybox", "Labels": labels, "HostConfig": {}}
    body = json.dumps(value).encode()
    said = b""
    while not said:
        client = await limited.connect()
        await client.ask("POST", CREATE, JSON, body=body)
        said = await client.arrived()
    assert b" 503 " in said
    assert b"try again when it has answered some" in said
    assert 2 <= len(limited.clients) <= BODIES
    for _ in limited.clients[:-1]:
        await received(limited)
    late = await limited.connect()
    await late.ask("POST", CREATE, JSON, body=body)
    _, got = await received(limited)
    assert len(got.body) > len(body) // 2
    await limited.assert_clean()


async def test_an_exec_that_is_limited_still_becomes_a_stream(limited: Proxy) -> None:
    """The body of an exec's start is judged, and what the client sends then is its stream."""
    client = await limited.connect()
    await client.send(
        request(
            "POST",
            "/exec/e/start",
            JSON,
            "Upgrade: tcp",
            "Connection: Upgrade",
            body=b'{"tty":true}',
        )
        + b"early"
    )
    engine = await limited.fake.accept()
    head = await engine.read_head()
    assert head.startswith(b"POST /exec/e/start HTTP/1.1\r\n")
    assert await engine.read(12) == b'{"Tty":true}'
    await engine.send(HEADS["attach upgraded"])
    assert await client.read_head() == HEADS["attach upgraded"]
    assert await engine.read(5) == b"early"
    await client.send(b"more")
    assert await engine.read(4) == b"more"
    await engine.send(b"out")
    assert await client.read(3) == b"out"


@pytest.mark.parametrize(
    ("target", "body", "status"),
    [
        ("/build?t=evil", b"tar", 403),
        ("/images/x/tag?repo=evil", b"", 403),
        ("/containers/x/exec", b'{"Cmd":["a"]}', 403),
        ("/containers/create", b"", 403),
        ("/build?dockerfile=D&frob=", b"not json", 0),
        ("/containers/x/update", b'{"Memory":1}', 0),
        ("/containers/x/start", b"not json", 0),
        ("/images/create?fromImage=x", b"", 0),
    ],
    ids=["build", "tag", "exec", "no-body", "build-body", "update", "start", "pull"],
)
async def test_what_is_judged(
    limited: Proxy, target: str, body: bytes, status: int
) -> None:
    """Queries are judged with their heads; bodies of other operations are never read."""
    client = await limited.connect()
    await client.ask("POST", target, *([JSON] if body else []), body=body)
    if status:
        assert (await client.read_response()).status == status
        assert not await limited.fake.is_called()
        return
    _, got = await received(limited)
    assert got.body == body


async def test_a_policy_without_limits_reads_no_body(proxy: Proxy) -> None:
    """Where nothing is limited, a body that makes nothing passes byte for byte."""
    client = await proxy.connect()
    target = "/v1.45/containers/x/update"
    await client.ask("POST", target + "?a=a%62&b=;", JSON, body=b'{"a":1,"a":2}}')
    _, got = await received(proxy)
    assert got.line == b"POST /v1.45/containers/x/update?a=a%62&b=; HTTP/1.1"
    assert got.body == b'{"a":1,"a":2}}'


async def test_what_is_made_is_marked(proxy: Proxy) -> None:
    """A creation that nothing limits goes on as it came, and with one label more."""
    client = await proxy.connect()
    body = b'{"image": "x", "privileged": true, "a": null, "NAME": [1.50, "\\u00e9"]}'
    await client.ask("POST", CREATE + "?name=a%62&Env=x;", JSON, body=body)
    engine, got = await received(proxy)
    assert got.line == b"POST /v1.45/containers/create?name=a%62&Env=x; HTTP/1.1"
    added = {"Labels": {"trioproxy.owner": ""}}
    assert json.loads(got.body) == json.loads(body) | added
    await engine.send(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}")
    assert (await client.read_response()).status == 201
    await client.ask("POST", CREATE + "?", JSON, body=b'{"Labels":{"trioproxy.a":""}}')
    answer = await client.read_response()
    assert answer.status == 403
    assert "labels that begin with trioproxy. are the proxy's to give" in told(answer)
    await client.ask("POST", "/volumes/create?")
    got = await engine.read_request()
    assert got.line == b"POST /volumes/create? HTTP/1.1"
    assert json.loads(got.body) == added
    assert got.one("content-type") == b"application/json"
    await engine.send(response())
    await client.read_response()
    await client.ask("POST", CREATE, JSON, body=b'{"a":1,"a":2}')
    assert (await client.read_response()).status == 400
    await proxy.assert_clean()


async def test_a_body_that_is_marked_has_a_bound(proxy: Proxy) -> None:
    """Where nothing is limited too, and the answer names the setting."""
    client = await proxy.connect()
    length = f"Content-Length: {DEFAULT_MAX_BODY + 1}"
    await client.send(request("POST", "/networks/create", JSON, length))
    answer = await client.read_response()
    assert answer.status == 413
    assert "to be judged and marked: raise MAX_BODY" in told(answer)


async def test_shadow_lets_pass_as_it_came(start: Start) -> None:
    """What is only tried out passes unchanged, and the log says what would be refused."""
    policy, _ = parse_policy({**LIMITED, "ALLOW_OPERATIONS": "ContainerCreate"})
    proxy = await start(gate=Gate.trying(policy))
    client = await proxy.connect()
    evil = b'{"Image":"evil", "Privileged":true}'
    await client.ask("POST", CREATE + "?name=a%62", JSON, body=evil)
    engine, got = await received(proxy)
    assert got.body == evil
    assert b"name=a%62" in got.line
    await engine.send(response())
    await client.read_response()
    (line,) = [one for one in proxy.lines() if "method=" in one]
    assert "decision=would-refuse reason=argument" in line


async def test_the_same_head_with_another_body_is_judged_anew(limited: Proxy) -> None:
    """A head that is kept says nothing of the body behind it."""
    client = await limited.connect()
    other = GOOD.replace(b"/srv/app/", b"/etc/xxxx")
    assert len(other) == len(GOOD)
    await client.ask("POST", CREATE, JSON, body=GOOD)
    engine, _ = await received(limited)
    await engine.send(response())
    await client.read_response()
    for _ in range(3):
        await client.ask("POST", CREATE, JSON, body=other)
        assert (await client.read_response()).status == 403
        await client.ask("POST", CREATE, JSON, body=GOOD)
        assert (await engine.read_request()).body == SENT
        await engine.send(response())
        await client.read_response()
