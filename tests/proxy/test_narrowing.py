"""Answers on the way: read, judged element by element, and written anew."""

import gzip
import json
import re
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import pytest
import trio
from trio.testing import MockClock

from tests.fakes import (
    CHUNK_END,
    HEAD_END,
    HEADS,
    Client,
    EngineConnection,
    chunk,
    request,
    response,
    settle,
)
from tests.patience import PATIENCE
from tests.proxy.conftest import OPEN, Proxy, Start
from tests.proxy.test_floods import MOST_CALLS, turns
from tests.proxy.test_objects import LISTED, OWN, container, image
from trioproxy.api.redaction import MARKER
from trioproxy.file.permissions import parse_policy
from trioproxy.http.elements import MOST_OF_AN_ELEMENT
from trioproxy.judge.gate import Gate
from trioproxy.limits.things import ANONYMOUS
from trioproxy.proxy.inquiry import QUESTIONS_SECONDS
from trioproxy.proxy.narrowing import ONE_BY_ONE, SHORT

IMAGE = "sha256:" + "cd" * 32
SECRET = "hunter2"


def listed(number: int, labels: object = None, **more: Any) -> dict[str, Any]:  # noqa: ANN401  JSON
    """A container as a list shows it."""
    return {
        "Id": f"{number:064x}",
        "Names": [f"/c{number}"],
        "ImageID": IMAGE,
        "Labels": labels,
        **more,
    }


STRANGER = listed(9, {"password": SECRET})


@pytest.fixture
async def own(start: Start) -> Proxy:
    """A proxy whose client may name, and see, what it made."""
    return await start(LISTED)


@pytest.fixture
async def named(start: Start) -> Proxy:
    """A proxy that lists names: nothing has to be asked to judge by these."""
    return await start({**LISTED, "ONLY_CONTAINERS": "c1,c1*"})


def answer(value: object, *fields: str) -> bytes:
    return response(
        "200 OK",
        "Content-Type: application/json",
        *fields,
        body=json.dumps(value).encode(),
    )


CHUNKED = b"HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n"


async def listing(
    proxy: Proxy, *fields: str, method: str = "GET", target: str = "/containers/json"
) -> tuple[Client, EngineConnection]:
    """A client that asked for a list, and the Engine that has read that."""
    client, engine = await proxy.ask(method, target, *fields)
    await engine.read_request()
    return client, engine


async def test_a_list_shows_what_is_its_own(own: Proxy) -> None:
    """Strangers are taken out; what is left comes as the Engine wrote it, with its length."""
    client, engine = await own.ask("GET", "/containers/json?all=1")
    asked = await engine.read_request()
    assert asked.line == b"GET /containers/json?all=1 HTTP/1.1"
    mine = [listed(1, OWN), listed(4, OWN)]
    await engine.send(answer([mine[0], listed(2), listed(3, {"x": "y"}), mine[1]]))
    questions = await own.fake.accept()
    assert (await questions.read_request()).line.startswith(b"GET /images/sha256:cd")
    await questions.send(image())
    found = await client.read_response()
    assert json.loads(found.body) == mine
    assert found.one("content-length") == str(len(found.body)).encode()
    assert len(own.lines_of(" hidden=2")) == 1


async def test_a_container_of_no_image_ends_no_list(own: Proxy) -> None:
    """Whoever may create makes one, with any labels: others are shown what is theirs."""
    client, engine = await listing(own)
    await engine.send(answer([{**listed(1, OWN), "ImageID": ""}, listed(2, OWN)]))
    questions = await own.fake.accept()
    await questions.read_request()
    await questions.send(image())
    found = await client.read_response()
    assert json.loads(found.body) == [listed(2, OWN)]


async def test_of_an_image_those_containers_are_counted_that_are_shown(
    named: Proxy,
) -> None:
    """They are looked at once for all images of a list."""
    client, engine = await listing(named, target="/images/json")
    counts = {IMAGE: 3, "sha256:" + "ef" * 32: 1}
    told = [{"Id": image, "Containers": count} for image, count in counts.items()]
    await engine.send(answer(told))
    questions = await named.fake.accept()
    assert (await questions.read_request()).line.startswith(b"GET /containers/json")
    await questions.send(answer([listed(1), listed(11), STRANGER]))
    found = json.loads((await client.read_response()).body)
    assert [one["Containers"] for one in found] == [2, 0]


async def test_answers_follow_one_another(named: Proxy) -> None:
    """Both connections go on, whatever was said and hidden."""
    client, engine = await listing(named)
    for _ in range(3):
        await engine.send(answer([listed(1), STRANGER]))
        assert json.loads((await client.read_response()).body) == [listed(1)]
        await client.ask("GET", "/containers/json")
        await engine.read_request()


async def test_a_head_alone(named: Proxy) -> None:
    """It does not tell how long the whole list is."""
    client, engine = await listing(named, method="HEAD")
    await engine.send(response(body=b"")[:-4] + b"\r\nX-More: 1\r\n\r\n")
    head = await client.read_head()
    assert b"length" not in head.lower()
    assert b"X-More: 1" in head
    await client.ask("GET", "/containers/json")
    assert await engine.has_more()


async def test_a_body_behind_a_head_alone(named: Proxy) -> None:
    """Bytes that no answer has are none of the next one's: that connection has served."""
    client, engine = await listing(named, method="HEAD")
    await engine.send(answer([STRANGER]))
    await client.read_head()
    await client.ask("GET", "/containers/json")
    await (await named.fake.accept()).read_request()
    assert await engine.read_gone() == "end"


async def test_an_answer_goes_by_the_lists_of_its_request(start: Start) -> None:
    """Another policy that is only tried out, without any, and in force before the Engine answers, is no
    reason to cut that: what it asks of the Engine is what counts for the lists of before."""
    proxy = await start(gate=Gate.trying(parse_policy(LISTED)[0]))
    client, engine = await listing(proxy)
    without = {"ALLOW_OPERATIONS": LISTED["ALLOW_OPERATIONS"]}
    proxy.server.reload(Gate.trying(parse_policy(without)[0]))
    told = [listed(1, OWN), STRANGER]
    await engine.send(answer(told))
    questions = await proxy.fake.accept()
    assert (await questions.read_request()).line.startswith(b"GET /images/")
    await questions.send(image())
    assert json.loads((await client.read_response()).body) == told
    await client.ask()
    assert await engine.has_more()


async def test_what_has_no_body_gets_none(start: Start) -> None:
    """Not even a last chunk, which the client would read as its next answer."""
    proxy = await start({"ALLOW_OPERATIONS": "SystemEvents,SystemPing", "REDACT": "env"})  # fmt: skip
    client, engine = await listing(proxy, target="/events")
    await engine.send(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert (await client.read_response()).status == 204
    await client.ask()
    await engine.answer(body=b"OK")
    assert (await client.read_response()).body == b"OK"


@pytest.mark.parametrize("status", ["400 Bad Request", "500 Internal Server Error"])
async def test_what_shows_nothing_goes_on(named: Proxy, status: str) -> None:
    """An error is the Engine's own, byte for byte."""
    client, engine = await listing(named)
    said = response(status, body=b'{"message":"no"}')
    await engine.send(said)
    assert (await client.read_response()).raw == said


async def test_nothing_is_packed(named: Proxy) -> None:
    """The Engine is asked for what can be read, and believed if it packs all the same."""
    packing = "Accept-Encoding: gzip"
    client, engine = await named.ask("GET", "/containers/json", packing, "Accept: */*")
    asked = await engine.read_request()
    assert asked.all("accept-encoding") == []
    await engine.send(answer([], "Content-Encoding: gzip"))
    found = await client.read_response()
    assert found.status == 502
    assert b"it comes packed" in found.body


async def test_only_what_is_narrowed_is_changed(named: Proxy) -> None:
    """What shows nobody's objects goes both ways as it came."""
    client, engine = await named.ask("GET", "/version", "Accept-Encoding: gzip")
    assert (await engine.read_request()).one("accept-encoding") == b"gzip"
    said = answer({"odd": 1}, "Content-Encoding: identity")
    await engine.send(said)
    assert (await client.read_response()).raw == said


LONG = [listed(10 + n, {"x": "y" * 1000}) for n in range(200)]


async def test_a_long_list_comes_in_chunks(named: Proxy) -> None:
    """The client has its begin before the Engine's last byte is read; trailers are dropped."""
    shown = [one for one in LONG if one["Names"][0].startswith("/c1")]
    raw = json.dumps(LONG).encode()
    client, engine = await listing(named)
    await engine.send(CHUNKED + chunk(raw[: 3 * SHORT]))
    assert b"\r\nTransfer-Encoding: chunked" in await client.read_head()
    begun = await client.arrived()
    assert begun
    await engine.send(chunk(raw[3 * SHORT :]) + b"0\r\nX-Sum: 1\r\n\r\n")
    rest = await client.read_until(CHUNK_END)
    body = b"".join(
        piece
        for at, piece in enumerate((begun + rest).split(b"\r\n"))
        if at % 2  # a size, then what has that size: no line end is in it
    )
    assert json.loads(body) == shown
    await client.ask("GET", "/containers/json")
    assert await engine.has_more()


async def test_a_long_list_for_an_old_client(named: Proxy) -> None:
    """HTTP/1.0 knows no chunks: the end of the list is the end of the connection."""
    client = await named.connect()
    asked = request("GET", "/containers/json", "Connection: keep-alive", version="1.0")
    await client.send(asked)
    engine = await named.fake.accept()
    await engine.read_head()
    kept = "Connection: keep-alive"
    await engine.send(answer(LONG, kept).replace(b"HTTP/1.1", b"HTTP/1.0"))
    head = (await client.read_head()).lower()
    assert b"chunked" not in head
    assert b"content-length" not in head
    assert head.count(b"connection") == head.count(b"connection: close") == 1
    assert len(json.loads(await client.read_rest())) == 110


async def test_a_short_list_for_an_old_client(named: Proxy) -> None:
    """It comes with its length, so that the connection goes on."""
    client = await named.connect()
    asked = request("GET", "/containers/json", "Connection: keep-alive", version="1.0")
    for _ in range(2):
        await client.send(asked)
        engine = named.fake.connections[0] if _ else await named.fake.accept()
        await engine.read_head()
        kept = "Connection: keep-alive"
        said = answer([listed(1), STRANGER], kept)
        await engine.send(said.replace(b"HTTP/1.1", b"HTTP/1.0"))
        found = await client.read_response()
        assert json.loads(found.body) == [listed(1)]


async def test_an_answer_until_the_close(named: Proxy) -> None:
    """Where the Engine says its end by closing, it is the end of whole JSON or none."""
    for is_whole, status in ((True, 200), (False, 502)):
        client, engine = await listing(named)
        raw = json.dumps([listed(1), STRANGER]).encode()
        await engine.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        await engine.send(raw if is_whole else raw[:-1])
        engine.close()
        assert (await client.read_response()).status == status


BAD = {
    "nothing": b"",
    "no JSON": b"<html>hunter2</html>",
    "no list": json.dumps(STRANGER).encode(),
    "cut": json.dumps([STRANGER]).encode()[:-3],
    "more behind it": json.dumps([STRANGER]).encode() + b"[]",
    "a name twice": b'[{"Id":"hunter2","Id":"hunter2"}]',
    "deep": b'[{"hunter2":' + b"[" * 200 + b"]" * 200 + b"}]",
    "no id": b'[{"Names":["/hunter2"]}]',
    "labels that are none": json.dumps([listed(1, {"hunter2": 1})]).encode(),
    "no UTF-8": b'[{"Id":"hunter2\xff"}]',
    "endless": b'[{"hunter2":"' + b"x" * (MOST_OF_AN_ELEMENT + 1),
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD)
@pytest.mark.parametrize("is_chunked", [False, True], ids=["sized", "chunked"])
async def test_what_cannot_be_read(
    named: Proxy, body: bytes, *, is_chunked: bool
) -> None:
    """A 502 in our words, and nothing of the answer; the Engine's connection is closed."""
    client, engine = await listing(named)
    said = response(body=body)
    if is_chunked:
        said = CHUNKED + (chunk(body) if body else b"") + CHUNK_END
    with_it = engine.sock.fileno()
    assert with_it > 0
    try:
        await engine.send(said)
    except BrokenPipeError:
        assert len(body) > SHORT
    found = await client.read_response()
    assert found.status == 502
    assert b"is judged and cannot be read" in found.body or b"complete" in found.body
    assert SECRET.encode() not in bytes(client.received)
    assert await engine.read_gone()


TOO_MUCH = {
    "long": {"hunter2": "x" * MOST_OF_AN_ELEMENT},
    "many values": {f"hunter2-{n}": "" for n in range(20_000)},
    "escapes": {"hunter2": "\u2028" * 100_001},
}
"""Labels of a stranger's that make one element more than is read."""


@pytest.mark.parametrize("labels", TOO_MUCH.values(), ids=TOO_MUCH)
async def test_a_stranger_ends_no_list_and_no_stream(
    own: Proxy, labels: dict[str, str]
) -> None:
    """Who makes something says how long its labels are. Where that is more than is read it is a
    stranger's, in a list, in a stream of events, and in what that asks for; and ends nothing."""
    big, mine = listed(9, labels), listed(1, OWN)
    there = {one["Id"]: {"Name": "x"} for one in (big, mine)}
    bridge = {"Name": "bridge", "Id": "ab" * 32, "Containers": there}
    happened = [json.dumps(event(9, **labels)), json.dumps(event(1))]
    async with trio.open_nursery() as nursery:
        client, engine = await listing(own)
        nursery.start_soon(engine.send, answer([big, mine, big]))
        questions = await own.fake.accept()
        await questions.read_request()
        await questions.send(image())
        assert json.loads((await client.read_response()).body) == [mine]
        assert own.lines_of(" hidden=2")

        client, engine = await listing(own, target="/networks")
        await engine.send(answer([bridge]))
        questions = await own.fake.accept()
        await questions.answer(body=json.dumps([big, mine]).encode())
        (shown,) = json.loads((await client.read_response()).body)
        assert shown["Containers"].keys() == {mine["Id"]}

        client, engine = await listing(own, target="/events")
        await engine.send(HEADS["events"])
        questions = await own.fake.accept()
        for found in ([big, mine], [], {"Volumes": None}):
            await questions.answer(body=json.dumps(found).encode())
        assert b"chunked" in await client.read_head()
        nursery.start_soon(engine.send, *(chunk("\n".join(happened).encode()),))
        assert await client.read_until(b"}}\n\r\n") == chunk(
            f"{happened[1]}\n".encode()
        )


LISTED_ALL = '{"Name":"a"},' * 9_000 + '{"Name":"a"}'
HEAVY = {
    "small volumes": ("/volumes", f'{{"Volumes":[{LISTED_ALL}]}}', '{"Volumes":[]}'),
    "warnings": ("/volumes", (warnings := f'{{"Warnings":[{"1," * 50_000}1]}}'), warnings),
    "lists that are left out": ("/volumes", f'{{"X":[{"1," * 50_000}1]}}', "{}"),
    "brackets": ("/containers/json", f'[{{"Id":[{"[]," * 30_000}[]]}}]', "[]"),
    "names": ("/volumes", "{" + "".join(f'"{n}":1,' for n in range(20_000)), "502"),
}  # fmt: skip
"""Of as little as can be, and much of it."""


@pytest.mark.slow
@pytest.mark.parametrize(("target", "text", "told"), HEAVY.values(), ids=HEAVY)
async def test_others_have_their_turn(
    named: Proxy, target: str, text: str, told: str
) -> None:
    """Whatever an answer is made of, no turn is long; and it is judged as any other."""
    client, engine = await listing(named, target=target)
    with turns() as counted:
        async with trio.open_nursery() as nursery:

            async def answer_it() -> None:
                with suppress(BrokenPipeError):
                    await engine.send(response(body=text.encode()))

            nursery.start_soon(answer_it)
            found = await client.read_response()
    assert counted.longest < MOST_CALLS
    if told == "502":
        assert found.status == 502
    else:
        assert json.loads(found.body) == json.loads(told)


@pytest.mark.parametrize("length", [5, 5000], ids=["too short", "too long"])
async def test_a_length_that_is_wrong(named: Proxy, length: int) -> None:
    """It is a body that is cut, or one that never comes whole."""
    client, engine = await listing(named)
    raw = json.dumps([STRANGER]).encode()
    await engine.send(response("200 OK", f"Content-Length: {length}", body=raw))
    engine.half_close()
    assert (await client.read_response()).status == 502
    assert SECRET.encode() not in bytes(client.received)


async def test_chunks_of_one_byte(named: Proxy) -> None:
    """They are read as any others, and written as one."""
    client, engine = await listing(named)
    raw = json.dumps([listed(1), STRANGER, listed(10)]).encode()
    one_by_one = b"".join(chunk(raw[at : at + 1]) for at in range(len(raw)))
    await engine.send(CHUNKED + one_by_one + CHUNK_END)
    found = await client.read_response()
    assert json.loads(found.body) == [listed(1), listed(10)]


BIG = {"Id": "жé😀" * 9_000, "Config": {"Env": [f"A={SECRET}", "PATH=/bin"]}}
SMALL = {"Id": "жé😀", "Config": {"Env": [f"A={SECRET}", "PATH=/bin"]}}


@pytest.mark.parametrize("told", [SMALL, BIG], ids=["short", "long"])
@pytest.mark.parametrize("framing", ["chunked", "sized", "closed", "cut", "more"])
async def test_one_object_however_it_comes(
    start: Start, told: dict[str, Any], framing: str
) -> None:
    """It is gathered and read as one, wherever it is cut; and the next request, which was sent with
    the first one, has an answer of its own."""
    proxy = await start({"ALLOW_OPERATIONS": "ContainerInspect", "REDACT": "env"})
    client, engine = await proxy.ask("GET", "/containers/a/json")
    await engine.read_request()
    await client.ask("GET", "/containers/b/json")
    raw = json.dumps(told, ensure_ascii=False).encode()
    step = 1 if told is SMALL else 4_097
    async with trio.open_nursery() as nursery:

        async def answer_it() -> None:
            said = response(body=raw[:-1] if framing == "cut" else raw)
            if framing == "chunked":
                pieces = (raw[at : at + step] for at in range(0, len(raw), step))
                said = CHUNKED + b"".join(map(chunk, pieces)) + CHUNK_END
            elif framing == "closed":
                said = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + raw
            elif framing == "more":
                said += b"{"
            at_once = len(said) if framing == "more" else step
            for at in range(0, len(said), at_once):
                await engine.send(said[at : at + at_once])
            if framing == "closed":
                engine.close()

        nursery.start_soon(answer_it)
        found = await client.read_response()
    if framing == "cut":
        assert found.status == 502
        assert SECRET.encode() not in client.received
        return
    shown = {**told, "Config": {"Env": [f"A={MARKER}", "PATH=/bin"]}}
    assert json.loads(found.body) == shown
    if framing != "closed":  # of which a client is told
        again = await proxy.fake.accept() if framing == "more" else engine
        assert (await again.read_request()).line == b"GET /containers/b/json HTTP/1.1"
        await again.send(answer({"Id": "b"}))
        assert json.loads((await client.read_response()).body) == {"Id": "b"}


async def test_a_client_that_leaves_in_the_middle(named: Proxy) -> None:
    """What it does not read is not asked for any more."""
    client, engine = await listing(named)
    await engine.send(CHUNKED + chunk(json.dumps(LONG).encode()[:-1]))
    await client.read_head()
    client.close()
    with suppress(BrokenPipeError, ConnectionResetError):
        await engine.send(chunk(b"," + json.dumps(LONG).encode()[1:-1]))
    assert await engine.read_gone()
    await named.assert_clean()


async def test_what_breaks_in_the_middle(named: Proxy) -> None:
    """An answer that has begun is cut: the client sees no end of it, and nothing more."""
    client, engine = await listing(named)
    raw = json.dumps(LONG).encode()
    await engine.send(CHUNKED + chunk(raw[:-1]))
    await client.read_head()
    await engine.send(chunk(b',{"Id":"hunter2","Id":""}]') + CHUNK_END)
    rest = await client.read_rest()
    assert not rest.endswith(CHUNK_END)
    assert SECRET.encode() not in rest
    assert len(named.lines_of("end=engine-lost")) == 1


async def test_an_engine_that_never_ends(named: Proxy) -> None:
    """A client that leaves takes the Engine's connection with it."""
    client, engine = await listing(named)
    await engine.send(CHUNKED + chunk(b"["))
    await settle()
    client.close()
    assert await engine.read_gone() == "end"
    await named.assert_clean()


async def test_a_client_that_leaves_while_we_ask(own: Proxy) -> None:
    """The question ends with whoever waits for it."""
    client, engine = await listing(own)
    await engine.send(answer([listed(1, OWN)]))
    questions = await own.fake.accept()
    await questions.read_request()
    client.close()
    assert await questions.read_gone() == "end"
    assert await engine.read_gone() == "end"
    await own.assert_clean()


async def test_a_question_that_is_not_answered(own: Proxy) -> None:
    """Then nobody knows whose it is: 502, and no element passes."""
    client, engine = await listing(own)
    await engine.send(answer([listed(1, OWN)]))
    questions = await own.fake.accept()
    await questions.answer("500 Internal Server Error", body=b"{}")
    assert (await client.read_response()).status == 502


@pytest.mark.parametrize("target", ["/events", "/images/json", "/volumes"])
async def test_a_list_that_does_not_come(
    own: Proxy, autojump_clock: MockClock, target: str
) -> None:
    """What an answer is judged by is waited for as any question is: then 504."""
    client, engine = await listing(own, target=target)
    images = [{"Id": IMAGE, "Labels": OWN, "Containers": 1}]
    said = {"/images/json": answer(images), "/volumes": answer({"Volumes": VOLUMES})}
    await engine.send(said.get(target, HEADS["events"]))
    questions = await own.fake.accept()
    for _ in range(ONE_BY_ONE if target == "/volumes" else 0):
        await questions.answer(body=b"[]")
    began = trio.current_time()
    assert (await client.read_response()).status == 504
    assert trio.current_time() - began == pytest.approx(QUESTIONS_SECONDS, abs=1)


LIMITS = {
    "limit=1": (b"all=1", 1),
    "limit=2&all=0": (b"all=1", 2),
    "%6c%69mit=1&%61ll=0": (b"all=1", 1),
    "filters=%7B%7D&limit=1&size=1": (b"all=1&filters=%7B%7D&size=1", 1),
    "limit=%2B01": (b"all=1", 1),
    f"limit={'0' * 30}1": (b"all=1", 1),
    "limit=-1": (b"limit=-1", 3),
    "limit=-01": (b"limit=-01", 3),
    "limit=0x2": (b"limit=0x2", 3),
    "limit=%D9%A1": (b"limit=%D9%A1", 3),
    "limit=0": (b"limit=0", 3),
    "limit=x": (b"limit=x", 3),
}


@pytest.mark.parametrize(("query", "found"), LIMITS.items(), ids=LIMITS)
async def test_a_limit_counts_what_is_shown(
    named: Proxy, query: str, found: tuple[bytes, int]
) -> None:
    """It does not go on, for the Engine would count strangers; it shows what is stopped."""
    client, engine = await named.ask("GET", f"/containers/json?{query}")
    asked, count = found
    line = (await engine.read_request()).line
    assert line == b"GET /containers/json?%b HTTP/1.1" % asked
    await engine.send(answer([STRANGER, listed(1), STRANGER, listed(10), listed(11)]))
    assert len(json.loads((await client.read_response()).body)) == count


async def test_a_limit_that_is_given_twice(named: Proxy) -> None:
    """Two readers may take another one of them."""
    client = await named.connect()
    await client.ask("GET", "/containers/json?limit=1&limit=2")
    assert (await client.read_response()).status == 400


def event(number: int, action: str = "start", **more: str) -> dict[str, Any]:
    """Something that happened to a container."""
    attributes = {"name": f"c{number}", **more}
    actor = {"ID": f"{number:064x}", "Attributes": attributes}
    return {"Type": "container", "Action": action, "Actor": actor}


async def watching(proxy: Proxy) -> tuple[Client, EngineConnection]:
    """A client that watches events. It has one connection to the Engine, and no second one while
    nothing happens: each has two descriptors, which is what `MAX_CONNECTIONS` counts."""
    client, engine = await listing(proxy, target="/events")
    await engine.send(HEADS["events"])
    questions = await proxy.fake.accept()
    for path in ("/containers/json?all=1", "/networks", "/volumes"):
        found: object = {"Volumes": None} if path == "/volumes" else []
        asked = await questions.answer(body=json.dumps(found).encode())
        assert asked.line == f"GET {path} HTTP/1.1".encode()
    assert not await questions.has_more()
    return client, engine


async def test_events_beside_what_cannot_be_told(own: Proxy) -> None:
    """Who would hear of no end of what there is already gets a 502."""
    client, engine = await listing(own, target="/events")
    await engine.send(HEADS["events"])
    questions = await own.fake.accept()
    await questions.read_request()
    await questions.send(response("500 Oh", body=b'{"message":"busy"}'))
    assert not await questions.has_more()
    assert (await client.read_response()).status == 502


async def test_events_come_one_by_one(own: Proxy) -> None:
    """Each line is there as soon as its last byte is; a container is asked about once."""
    client, engine = await watching(own)
    assert b"chunked" in await client.read_head()
    sent = 0
    for step in range(3):
        raw = json.dumps(event(2, f"step {step}", shown="1")).encode()
        await engine.send(chunk(json.dumps(event(9)).encode() + b"\n" + raw))
        if not step:
            questions = await own.fake.accept()
            for number, labels in ((9, None), (2, OWN)):
                asked = (await questions.read_request()).line
                assert asked == f"GET /containers/{number:064x}/json HTTP/1.1".encode()
                await questions.send(container(labels, Id=f"{number:064x}"))
            assert b"/images/" in (await questions.read_request()).line
            await questions.send(image())
        assert await client.arrived() == chunk(raw + b"\n")
        sent += len(raw) + 1
        await engine.send(chunk(b"\n"))
        assert await client.arrived() == b""
    client.close()
    await settle()
    assert f" sent={sent}" in own.lines_of(" closed ")[0]


async def test_who_reads_no_further_has_two_descriptors(own: Proxy) -> None:
    """A long list waits for its reader without the connection on which it was asked about."""
    client, engine = await listing(own)
    many = [listed(number, OWN, more="x" * 4_000) for number in range(1_000)]
    own.nursery.start_soon(engine.send, answer(many))
    questions = await own.fake.accept()
    await questions.answer(body=image().partition(b"\r\n\r\n")[2])
    await client.read_head()
    await settle()
    assert not await questions.has_more()


async def test_a_volume_that_was_made_anew(
    start: Start, autojump_clock: MockClock
) -> None:
    """A stream that does not tell what goes tells of no stranger's volume by a name that was its own.
    The Engine has its time for each answer, and not for all of a stream."""
    proxy = await start({**LISTED, "ONLY_VOLUMES": "@own"})
    client, engine = await watching(proxy)
    await client.read_head()
    actor = {"ID": "cache", "Attributes": {"driver": "local"}}
    value = {"Type": "volume", "Action": "create", "Actor": actor}
    raw, volume = json.dumps(value).encode(), {"Name": "cache", "Driver": "local"}
    for labels in (OWN, {}, OWN):
        await engine.send(chunk(raw))
        made = {**volume, "Labels": labels}
        with trio.fail_after(PATIENCE):  # it is asked about each time
            questions = await proxy.fake.accept()
            asked = await questions.answer(body=json.dumps(made).encode())
        assert asked.line == b"GET /volumes/cache HTTP/1.1"
        if labels:
            assert await client.arrived() == chunk(raw + b"\n")
        await trio.sleep(QUESTIONS_SECONDS)
    # Who made it anew, and what that is, is not known by what it was.
    for action, status in (("create", "404 Not Found"), ("mount", "200 OK")):
        await engine.send(chunk(json.dumps({**value, "Action": action}).encode()))
        with trio.fail_after(PATIENCE):
            questions = await proxy.fake.accept()
        await questions.read_request()
        await questions.send(response(status, body=json.dumps(volume).encode()))
    assert await client.arrived() == b""


async def test_the_end_of_a_volume_that_a_mount_made(start: Start) -> None:
    """What a mount without a source makes has our label, and from Engine 29 on that of volumes without
    names, too: its end is told to who heard that it was made, when there is nobody to be asked about."""
    proxy = await start({**LISTED, "ONLY_VOLUMES": "@own"})
    client, engine = await watching(proxy)
    await client.read_head()
    made = {"Name": "v", "Driver": "local", "Labels": {**OWN, ANONYMOUS: ""}}
    for action in ("create", "destroy"):
        value = {"Type": "volume", "Action": action, "Actor": {"ID": "v"}}
        raw = json.dumps(value).encode()
        await engine.send(chunk(raw))
        if action == "create":
            with trio.fail_after(PATIENCE):
                questions = await proxy.fake.accept()
            await questions.answer(body=json.dumps(made).encode())
            await questions.answer(body=b"[]")  # who has it
        assert await client.arrived() == chunk(raw + b"\n")


LONG_LABEL = "x" * 3_000_000
"""Who makes a volume says how long its labels are."""


async def test_streams_that_remember_much_have_room_for_it(start: Start) -> None:
    """Of what its streams remember a client has a third of the room, and no more: the next is 503,
    until one ends. What a stream hears of is as much a part of that as what it begins with."""
    proxy = await start({**LISTED, "ONLY_VOLUMES": "@own", "ONLY_CONTAINERS": "*"})
    labels = {**OWN, "com.docker.compose.project": LONG_LABEL}
    volume = {"Name": "v", "Driver": "local", "Labels": labels}

    async def watch(*volumes: object) -> tuple[int, Client, EngineConnection]:
        client, engine = await listing(proxy, target="/events")
        await engine.send(HEADS["events"])
        questions = await proxy.fake.accept()
        for path, found in (
            ("/networks", []),
            ("/volumes", {"Volumes": list(volumes)}),
        ):
            asked = await questions.answer(body=json.dumps(found).encode())
            assert asked.line == f"GET {path} HTTP/1.1".encode()
        status = int((await client.read_head()).split()[1])
        return status, client, engine

    streams = [await watch(volume) for _ in range(6)]
    assert [status for status, _, _ in streams] == [200] * 6
    status, _, _ = await watch(volume)
    assert status == 503
    for _ in range(2):
        _, client, engine = streams.pop()
        gone = {"Type": "volume", "Action": "destroy", "Actor": {"ID": "v"}}
        await engine.send(chunk(json.dumps(gone).encode()))
        assert b"destroy" in await client.arrived()
        assert (await watch(volume))[0] == 200
    status, client, engine = await watch()
    assert status == 200  # what is little has room in any case


async def test_a_stream_is_cut_where_less_is_shown(named: Proxy) -> None:
    """A new policy is no policy for a stream of weeks, unless what is shown is the same."""
    client, _ = await watching(named)
    await client.read_head()
    same = {**LISTED, "ONLY_CONTAINERS": "c1,c1*", "PING": "1"}
    named.server.reload(Gate.enforcing(parse_policy(same)[0]))
    assert await client.is_open()
    named.server.reload(Gate.enforcing(parse_policy(LISTED)[0]))
    assert await client.read_rest() == b""


async def test_without_lists_nothing_is_read(start: Start) -> None:
    """No variable of `ONLY_*`: what is no JSON at all goes on, byte for byte."""
    proxy = await start(OPEN)
    client, engine = await listing(proxy, "Accept-Encoding: gzip")
    said = response("200 OK", "Content-Encoding: gzip", body=b"\x1f\x8b")
    await engine.send(said)
    assert (await client.read_response()).raw == said


def filtered(**filters: list[str]) -> str:
    return f"/containers/json?filters={quote(json.dumps(filters))}"


async def test_a_filter_by_what_is_shown(named: Proxy) -> None:
    """`before` and `since` of what is listed mean what they mean to the Engine."""
    client, engine = await named.ask("GET", filtered(before=["c1"], label=["x"]))
    assert (await engine.read_request()).line == b"GET /containers/c1/json HTTP/1.1"
    await engine.send(container(name="/c1"))
    asked = filtered(before=["c1"], label=["x"])
    assert (await engine.read_request()).line == f"GET {asked} HTTP/1.1".encode()
    await engine.send(answer([STRANGER, listed(1)]))
    assert json.loads((await client.read_response()).body) == [listed(1)]


@pytest.mark.parametrize("written", ["filters", "%66ilter%73"])
@pytest.mark.parametrize("is_there", [True, False])
async def test_a_filter_by_a_stranger(
    named: Proxy, written: str, *, is_there: bool
) -> None:
    """It is answered as the Engine answers where there is none, however it is written."""
    asked = filtered(since=["db"]).replace("filters", written)
    client, engine = await named.ask("GET", asked)
    await engine.read_request()
    message = b'{"message":"No such container: db"}'
    missing = response("404 Not Found", body=message)
    await engine.send(container(name="/db") if is_there else missing)
    found = await client.read_response()
    assert (found.status, json.loads(found.body)) == (404, json.loads(message))


ODD_FILTERS = {
    "twice": "filters=%7B%7D&filters=%7B%7D",
    "no JSON": "filters=before",
    "a name twice": f"filters={quote(json.dumps({'before': ['a']})[:-1])},%22before%22:[]%7D",
    "a number": f"filters={quote(json.dumps({'before': [1]}))}",
    "hundreds": f"filters={quote(json.dumps({'before': [f'c1{n}' for n in range(300)]}))}",
}


@pytest.mark.parametrize("query", ODD_FILTERS.values(), ids=ODD_FILTERS)
async def test_filters_that_are_not_clear(named: Proxy, query: str) -> None:
    """What two readers would read otherwise is not asked for."""
    client = await named.connect()
    await client.ask("GET", f"/containers/json?{query}")
    assert (await client.read_response()).status == 400


VOLUMES = [
    {"Name": f"v{n}", "Driver": "local", "Labels": {ANONYMOUS: ""}}
    for n in range(ONE_BY_ONE + 4)
]


async def test_volumes_without_names(named: Proxy) -> None:
    """Who has them is asked one by one; of many, by one look at all containers."""

    def user(number: int, *volumes: str) -> dict[str, Any]:
        mounts = [{"Type": "volume", "Name": name} for name in volumes]
        return listed(number, Mounts=mounts)

    client, engine = await listing(named, target="/volumes")
    await engine.send(answer({"Warnings": None, "Volumes": VOLUMES, "New": [1]}))
    questions = await named.fake.accept()
    for n in range(ONE_BY_ONE):
        asked = await questions.answer(
            body=json.dumps(
                [user(1 if n % 2 else 9, f"v{n}"), user(9, f"v{n}0")]
            ).encode()
        )
        assert b"volume" in asked.line
    users = [
        user(1, "v8", "v9"),
        user(9, "v9"),
        user(10, "v8"),
        user(9, "x"),
        user(1, "v10"),
    ]
    asked = await questions.answer(body=json.dumps(users).encode())
    assert asked.line == b"GET /containers/json?all=1 HTTP/1.1"
    found = json.loads((await client.read_response()).body)
    assert [one["Name"] for one in found["Volumes"]] == [
        "v1",
        "v3",
        "v5",
        "v7",
        "v8",
        "v10",
    ]
    assert found["Warnings"] is None
    assert found.keys() == {"Warnings", "Volumes"}


async def test_what_nobody_reads_has_room(named: Proxy) -> None:
    """One long element is held for each who does not read it: of a client's answers it has room as
    bodies have, the next is 503, and who reads on or leaves gives it back."""
    said = answer([listed(1, {"long": LONG_LABEL})])
    clients = list[Client]()
    for _ in range(7):
        client, engine = await listing(named)
        with suppress(BrokenPipeError):  # the last
            await engine.send(said)
        await settle()
        clients.append(client)
    assert (await clients.pop().read_response()).status == 503
    clients.pop().close()
    await settle()
    first, *others = [clients.pop(), clients.pop()]
    assert LONG_LABEL.encode() in (await first.read_response()).body
    for _ in range(2):
        client, engine = await listing(named)
        await engine.send(said)
        await settle()
        others.append(client)
    for client in others:
        assert LONG_LABEL.encode() in (await client.read_response()).body


@pytest.mark.parametrize("read", [1, 2])
async def test_what_was_read_has_no_room(named: Proxy, read: int) -> None:
    """A list that does not end, of which a client has read long elements, holds none of them."""
    element = json.dumps(listed(1, {"long": "x" * SHORT})).encode() + b","
    client, engine = await listing(named)
    await engine.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n[")
    for _ in range(read):
        await engine.send(element)
        await client.read_until(b"}}")
    await settle()
    assert not named.server._shared.bodies.kept_of


async def test_who_has_volumes_has_room(named: Proxy) -> None:
    """What all containers have is remembered for one list of volumes: of a client's lists it has room
    as bodies have, and the next is 503."""
    user = listed(1, {"com.docker.compose.project": LONG_LABEL})
    user["Mounts"] = [{"Type": "volume", "Name": "v9"}]
    begin = b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n[%b,"
    clients = list[Client]()
    for _ in range(7):
        client, engine = await listing(named, target="/volumes")
        await engine.send(answer({"Volumes": VOLUMES}))
        questions = await named.fake.accept()
        for _ in range(ONE_BY_ONE):
            await questions.answer(body=b"[]")
        await questions.read_request()
        await questions.send(begin % json.dumps(user).encode())
        clients.append(client)
    assert (await clients.pop().read_response()).status == 503
    await settle()
    assert [await client.is_open() for client in clients] == [True] * 6


async def test_redacted_events_come_one_by_one(start: Start) -> None:
    """Where nothing is judged, the head is there before anything happens, too."""
    proxy = await start({**OPEN, "EVENTS": "1", "REDACT": "env"})
    client, engine = await listing(proxy, target="/events")
    await engine.send(HEADS["events"])
    assert b"chunked" in await client.arrived()
    raw = json.dumps(event(1)).encode()
    await engine.send(chunk(raw))
    assert await client.arrived() == chunk(raw + b"\n")


TAKEN = {"message": f'The name is already in use by container "{9:064x}".'}


async def failing(own: Proxy, error: bytes, *answers: bytes) -> tuple[Client, bytes]:
    """A creation that the Engine refuses, and what it is asked about that. Its query has the id of
    who is in the way, as the query has of who tries out whose it may be."""
    client = await own.connect()
    body = b'{"Image":"busybox"}'
    target = f"/containers/create?name=x&guess={9:064x}"
    await client.send(request("POST", target, "Content-Type: application/json", body=body))  # fmt: skip
    engine = await own.fake.accept()
    assert (await engine.read_request()).line.startswith(b"POST /containers/create")
    await engine.send(error)
    asked = b""
    questions = await own.fake.accept() if answers else engine
    for one in answers:
        asked += (await questions.read_request()).line
        await questions.send(one)
    return client, asked


async def test_an_error_does_not_tell_of_a_stranger(own: Proxy) -> None:
    """Whose name is taken is asked for, and left out of the answer; the connection serves on."""
    error = response("409 Conflict", "Content-Type: application/json", body=json.dumps(TAKEN).encode())  # fmt: skip
    client, asked = await failing(own, error, container({}))
    assert f"/containers/{9:064x}/json".encode() in asked
    told = await client.read_response("POST")
    assert told.status == 409
    assert told.one("Content-Length") == str(len(told.body)).encode()
    assert json.loads(told.body)["message"].endswith('container "(not listed)".')
    await client.ask("GET", "/containers/json")
    assert b"GET /containers/json" in await own.fake.connections[0].read_head()


async def test_an_error_of_which_nobody_knows(own: Proxy) -> None:
    """Where the Engine does not say whose it is, it is left out."""
    error = response("409 Conflict", body=json.dumps(TAKEN).encode())
    client, _ = await failing(own, error, response("500 Internal Server Error", body=b"{}"))  # fmt: skip
    assert b"(not listed)" in (await client.read_response("POST")).body


async def test_an_error_that_names_nothing(own: Proxy) -> None:
    """What is neither a container nor a network stays in it: no list could hold that."""
    body = json.dumps(TAKEN).encode()
    missing = [response("404 Not Found", body=b"{}")] * 2
    client, asked = await failing(own, response("409 Conflict", body=body), *missing)
    assert re.findall(rb"/(\w+)/0+9", asked) == [b"containers", b"networks"]
    assert (await client.read_response("POST")).body == body


async def test_a_body_is_no_request_behind_a_question(named: Proxy) -> None:
    """Of an attach that failed, and closed, what the client still sends goes nowhere: neither to the
    Engine that is asked what its error tells, where it would be a request that nobody judged."""
    client = await named.connect()
    keys = f"{9:064x}"  # are none, and the Engine repeats them
    await client.ask("POST", f"/containers/c1/attach?detachKeys={keys}", "Content-Length: 20000")  # fmt: skip
    engine = await named.fake.accept()
    await engine.read_head()
    await engine.send(container(name="/c1"))
    await engine.read_head()
    await engine.send(b"HTTP/1.1 400 Bad Request\r\n\r\nInvalid detach keys (%b)\r\n" % keys.encode())  # fmt: skip
    engine.close()
    questions = await named.fake.accept()
    await questions.read_request()
    await client.send(request("POST", "/containers/create"))
    assert await questions.arrived() == b""
    await questions.send(container(name="/stranger"))
    assert b"keys ((not listed))" in await client.read_until(b"listed))")


@pytest.mark.parametrize("close", ["Connection: close", "X-Y: z"])
async def test_an_error_before_the_body_was_read(named: Proxy, close: str) -> None:
    """What is asked about it is no part of the body, which goes on beside that, or ends with the
    connection: the error is there, and nothing has crashed."""
    client = await named.connect()
    await client.ask("PUT", "/containers/c1/archive?path=/", "Content-Length: 9000000")
    engine = await named.fake.accept()
    await engine.read_head()
    await engine.send(container(name="/c1"))
    await engine.read_head()
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def upload() -> None:
            with suppress(BrokenPipeError, ConnectionResetError):
                await client.send(b"x" * 9_000_000)

        await settle()
        error = b"in use by %064x" % 9
        await engine.send(response("409 Conflict", close, f"Content-Length: {len(error)}", body=error))  # fmt: skip
        questions = await named.fake.accept()
        await questions.read_request()
        await questions.send(container(name="/stranger"))
        assert await client.read_until(b"listed)")
        if close == "X-Y: z":
            assert await engine.read(9_000_000) == b"x" * 9_000_000
        nursery.cancel_scope.cancel()
    assert not named.lines_of("crash")


async def test_an_error_of_which_the_engine_never_says(
    own: Proxy, autojump_clock: MockClock
) -> None:
    """All that it may name is asked about by one deadline; then it is left out."""
    every = " ".join(f'"{number:064x}"' for number in range(1, 5))
    said = json.dumps({"message": f"in use by {every}"}).encode()
    client, _ = await failing(own, response("409 Conflict", body=said))
    began = trio.current_time()
    told = json.loads((await client.read_response("POST")).body)["message"]
    assert told.count("(not listed)") == 4
    assert trio.current_time() - began == pytest.approx(QUESTIONS_SECONDS, abs=1)


async def test_an_error_that_comes_packed(own: Proxy) -> None:
    """What is in it cannot be read here, and would be read by the client: it does not go on."""
    packed = gzip.compress(json.dumps(TAKEN).encode())
    client, _ = await failing(own, response("409 Conflict", "Content-Encoding: gzip", body=packed))  # fmt: skip
    told = await client.read_response("POST")
    assert told.status == 502
    assert b"packed" in told.body


async def test_an_error_without_ids_is_as_it_came(own: Proxy) -> None:
    """Nothing is asked, and nothing of it is changed; a long one is read no further."""
    body = b'{"message":"no such image: busybox"}\n'
    client, _ = await failing(own, response("404 Not Found", "X-Y: z", body=body))
    told = await client.read_response("POST")
    assert (told.status, told.body, told.one("X-Y")) == (404, body, b"z")
    client, _ = await failing(own, response("500 Internal Server Error", body=b"x" * 70_000))  # fmt: skip
    assert (await client.read_response("POST")).status == 502


async def test_a_redacted_stream_outlives_a_reload(start: Start) -> None:
    """What hides the same is the same, though it is made anew; what hides more cuts it."""
    variables = {**OPEN, "EVENTS": "1", "REDACT": "env"}
    proxy = await start(variables)
    client, engine = await listing(proxy, target="/events")
    await engine.send(HEADS["events"])
    await client.read_head()
    proxy.server.reload(Gate.enforcing(parse_policy(variables)[0]))
    assert await client.is_open()
    more = {**variables, "REDACT": "env,labels"}
    proxy.server.reload(Gate.enforcing(parse_policy(more)[0]))
    assert await client.read_rest() == b""


@pytest.fixture
async def tried(start: Start) -> Proxy:
    """A proxy that tries out a list of names."""
    policy, _ = parse_policy({**LISTED, "ONLY_CONTAINERS": "c1,c1*"})
    return await start(gate=Gate.trying(policy))


async def test_a_shadow_counts_what_it_would_hide(tried: Proxy) -> None:
    """The answer is the Engine's, byte for byte, however it comes; what would be left out is told
    in the line of the request."""
    client, engine = await listing(tried, target="/containers/json?limit=9")
    raw = json.dumps([listed(1), STRANGER, STRANGER]).encode()
    body = chunk(raw[:9]) + chunk(raw[9:]) + CHUNK_END
    await engine.send(CHUNKED + body)
    assert await client.read_until(CHUNK_END) == CHUNKED + body
    await client.ask("GET", "/containers/json")
    assert (await engine.read_request()).line == b"GET /containers/json HTTP/1.1"
    said = answer([STRANGER])
    await engine.send(said)
    assert (await client.read_response()).raw == said
    assert len(tried.lines_of(" would_hide=2")) == 1
    assert len(tried.lines_of(" would_hide=1")) == 1
    assert not tried.lines_of(" hidden=")


@pytest.mark.parametrize("body", [one for one in BAD.values() if one], ids=[one for one in BAD if BAD[one]])  # fmt: skip
async def test_a_shadow_passes_on_what_it_cannot_read(
    tried: Proxy, body: bytes
) -> None:
    """What would be a 502 disturbs nobody: it goes on as it came."""
    client, engine = await listing(tried)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(engine.send, response(body=body))
        found = await client.read_response()
    assert (found.status, found.body) == (200, body)


async def test_a_shadow_passes_on_any_pieces(tried: Proxy) -> None:
    """What comes in thousands of pieces at once goes on as it came, and is counted as any other."""
    client, engine = await listing(tried)
    raw = json.dumps([STRANGER, *[listed(1)] * 50]).encode()
    body = b"".join(chunk(raw[at : at + 1]) for at in range(len(raw))) + CHUNK_END
    async with trio.open_nursery() as nursery:
        nursery.start_soon(engine.send, CHUNKED + body)
        assert await client.read_until(CHUNK_END) == CHUNKED + body
    await settle()
    assert len(tried.lines_of(" would_hide=1")) == 1


async def test_what_a_shadow_has_not_read_whole_has_room(tried: Proxy) -> None:
    """An element that is long is held until its end is there: it has room as bodies have, and gives
    it back."""
    client, engine = await listing(tried)
    begin, end = json.dumps([listed(1, {"long": LONG_LABEL})]).encode().split(b'xx"')
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
    async with trio.open_nursery() as nursery:
        size = len(begin) + len(end) + 3
        nursery.start_soon(engine.send, head % size + begin)
        await client.read_until(HEAD_END)
        await client.count(len(begin))
    await settle()
    kept = tried.server._shared.bodies.kept_of
    assert kept.total() == len(begin) - 1  # the list has begun
    await engine.send(b'xx"' + end)
    await client.count(len(end) + 3)
    await settle()
    assert not kept


async def test_a_shadow_waits_for_no_list(
    tried: Proxy, autojump_clock: MockClock
) -> None:
    """Events go on, in a while, beside an Engine that does not say what there is."""
    client, engine = await listing(tried, target="/events")
    raw = chunk(json.dumps(event(1)).encode() + b"\n")
    await engine.send(HEADS["events"] + raw)
    await engine.send(raw)
    assert (await client.read_until(raw + raw)).startswith(HEADS["events"])


async def test_a_shadow_follows_events(tried: Proxy) -> None:
    """Events go on as they happen; those of strangers are counted when the stream is over."""
    client, engine = await listing(tried, target="/events")
    await engine.send(HEADS["events"])
    questions = await tried.fake.accept()
    for path in ("/containers/json?all=1", "/networks", "/volumes"):
        found: object = {"Volumes": None} if path == "/volumes" else []
        await questions.answer(body=json.dumps(found).encode())
    await client.read_head()
    for number in (1, 9, 1):
        raw = chunk(json.dumps(event(number)).encode() + b"\n")
        await engine.send(raw)
        assert await client.arrived() == raw
        if number == 9:
            # Nor has it one while nothing happens.
            assert not await questions.has_more()
            questions = await tried.fake.accept()
            asked = await questions.read_request()
            assert b"/containers/" in asked.line
            await questions.send(response("404 Not Found", body=b'{"message":""}'))
    await engine.send(CHUNK_END)
    await client.read_until(CHUNK_END)
    await settle()
    assert len(tried.lines_of(" would_hide=1")) == 1


def volume(name: str, size: int, users: int) -> dict[str, Any]:
    """A volume as `/system/df` shows it."""
    usage = {"Size": size, "RefCount": users}
    return {"Name": name, "Labels": None, "Driver": "local", "UsageData": usage}


def sums(number: int, size: int, free: int, **items: object) -> dict[str, Any]:
    """A sum of API 1.52: all in use but one, where there are two; zeros are left out."""
    told = {"ActiveCount": 1, "TotalCount": number, "TotalSize": size, "Reclaimable": free}  # fmt: skip
    return {key: value for key, value in told.items() if value} | items


@pytest.fixture
async def measuring(start: Start) -> Proxy:
    """A proxy whose client may name a container and a volume."""
    return await start({**LISTED, "ONLY_CONTAINERS": "c1", "ONLY_VOLUMES": "v1"})


ONE, OTHER_VOLUME = volume("v1", 5, 1), volume("v2", 70, 0)
RUNNING = [listed(one, None, State="running", SizeRw=3) for one in (1, 2)]
OF_CACHE = {"ActiveCount": 1, "TotalCount": 1, "TotalSize": 8}
RECORDS = [{"ID": "r", "InUse": True, "Size": 8}]
DISK = {
    "not brief": (
        "verbose=true", b"verbose=true",
        {"ContainerUsage": sums(2, 6, 0, Items=RUNNING), "VolumeUsage": sums(2, 75, 70, Items=[ONE, OTHER_VOLUME]), "BuildCacheUsage": {**OF_CACHE, "Items": RECORDS}},
        {"ContainerUsage": sums(1, 3, 0, Items=RUNNING[:1]), "VolumeUsage": sums(1, 5, 0, Items=[ONE]), "BuildCacheUsage": {**OF_CACHE, "Items": RECORDS}},
    ),
    "brief": (
        "type=volume&verbose=false&type=container", b"type=volume&type=container&verbose=1",
        {"ContainerUsage": sums(2, 6, 0, Items=RUNNING), "VolumeUsage": sums(2, 75, 70, Items=[ONE, OTHER_VOLUME]), "BuildCacheUsage": {**OF_CACHE, "Items": RECORDS}},
        {"ContainerUsage": sums(1, 3, 0), "VolumeUsage": sums(1, 5, 0), "BuildCacheUsage": OF_CACHE},
    ),
    "as before": (
        "x=1", b"x=1",
        {"Containers": RUNNING, "ContainerUsage": sums(2, 6, 0), "VolumeUsage": {}, "Volumes": [ONE, OTHER_VOLUME], "BuildCacheUsage": OF_CACHE, "LayersSize": 7, "NewUsage": {"x": 1}},
        {"Containers": RUNNING[:1], "ContainerUsage": sums(1, 3, 0), "VolumeUsage": {}, "Volumes": [ONE], "BuildCacheUsage": OF_CACHE, "LayersSize": 7},
    ),
    "without its list": (
        "", b"",
        {"VolumeUsage": sums(2, 75, 70), "Volumes": [ONE, OTHER_VOLUME], "ContainerUsage": sums(2, 6, 0)},
        {"Volumes": [ONE]},
    ),
}  # fmt: skip
"""Query, what goes on of it, what the Engine of API 1.52 tells, what is shown."""


@pytest.mark.parametrize(("query", "asked", "told", "shown"), DISK.values(), ids=DISK)
async def test_the_sums_of_newer_engines(
    measuring: Proxy, query: str, asked: bytes, told: object, shown: object
) -> None:
    """They are made of what is shown, with their lists if these were asked for; a sum of which
    the Engine tells no list is left out, and so is what no version of the API has had."""
    mark = "?" * bool(query)
    client, engine = await measuring.ask("GET", f"/v1.52/system/df{mark}{query}")
    line = (await engine.read_request()).line
    assert line == b"GET /v1.52/system/df%b%b HTTP/1.1" % (mark.encode(), asked)
    await engine.send(answer(told))
    assert json.loads((await client.read_response()).body) == shown


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("/services", {"Env": [f"A={SECRET}"]}),
        ("/services", SECRET),
        ("/volumes", {"Warnings": {"Env": [f"A={SECRET}"]}}),
        ("/volumes", {"Volumes": {"Env": [f"A={SECRET}"]}}),
        ("/system/df", {"BuildCache": {"Env": [f"A={SECRET}"]}}),
    ],
    ids=str,
)
async def test_what_is_redacted_and_has_a_new_shape(
    start: Start, target: str, told: object
) -> None:
    """What stands where a list might is nothing or a number, or else a 502: nobody looks inside."""
    granted = "ServiceList,VolumeList,SystemDataUsage"
    proxy = await start({"ALLOW_OPERATIONS": granted, "REDACT": "env"})
    client, engine = await listing(proxy, target=target)
    await engine.send(answer(told))
    assert (await client.read_response()).status == 502
    assert SECRET.encode() not in client.received


@pytest.mark.parametrize("told", [{"Containers": {"x": RUNNING}}, {"ContainerUsage": RUNNING}, {"ContainerUsage": "x"}, {"VolumeUsage": {"Items": "x"}}, {"Volumes": [{"Volume": ONE}]}, {"ContainerUsage": {"Items": {"x": RUNNING}}}], ids=str)  # fmt: skip
async def test_what_has_a_new_shape(measuring: Proxy, told: object) -> None:
    """What stands under a name that is known, and is not what stood there, is a 502."""
    client, engine = await measuring.ask("GET", "/v1.60/system/df")
    await engine.read_request()
    await engine.send(answer(told))
    assert (await client.read_response()).status == 502
