"""Questions of ours to the Engine: what it has under a name, before a request goes on."""

import json
from contextlib import suppress

import pytest
import trio
from trio.testing import MockClock

from tests.fakes import (
    Client,
    EngineConnection,
    Message,
    chunk,
    request,
    response,
    settle,
)
from tests.proxy.conftest import OPEN, Proxy, Start
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.gate import Gate
from trioproxy.proxy.exchange import HALF_CLOSE_SECONDS
from trioproxy.proxy.inquiry import MOST_OF_AN_ANSWER, QUESTIONS_SECONDS

JSON = "Content-Type: application/json"
CREATE = "/v1.45/containers/create"
ID = f"sha256:{'a1' * 32}"
IMAGES = {**OPEN, "CREATE_IMAGES": "busybox", "CREATE_BINDS": "/srv/app"}


@pytest.fixture
async def limited(start: Start) -> Proxy:
    """A proxy that lists one image."""
    return await start(IMAGES)


def body(image: str) -> bytes:
    return json.dumps({"Image": image, "HostConfig": {}}).encode()


def described(*tags: str, digests: tuple[str, ...] = ()) -> bytes:
    value = {"Id": ID, "RepoTags": list(tags), "RepoDigests": list(digests)}
    return json.dumps(value).encode()


def told(answer: Message) -> str:
    text = json.loads(answer.body)["message"]
    assert isinstance(text, str)
    return text


async def asking(
    proxy: Proxy, image: str, *fields: str
) -> tuple[Client, EngineConnection, Message]:
    """A client that creates by an id, and the question that the Engine is asked."""
    client = await proxy.connect()
    await client.send(request("POST", CREATE, JSON, *fields, body=body(image)))
    engine = await proxy.fake.accept()
    return client, engine, await engine.read_request()


@pytest.mark.parametrize("image", [ID, ID[7:], ID[7:19], "a", f"{ID[:9]}"])
async def test_an_id_goes_on_in_full_if_a_name_of_it_is_listed(
    limited: Proxy, image: str
) -> None:
    """The Engine is asked for the names of an id; what was judged is what goes on."""
    client, engine, question = await asking(limited, image)
    assert question.line == f"GET /images/{image}/json HTTP/1.1".encode()
    await engine.send(response(body=described("other:1", "busybox:latest")))
    asked = await engine.read_request()
    assert json.loads(asked.body) == {
        "Image": ID,
        "HostConfig": {},
        "Labels": {"trioproxy.owner": ""},
    }
    await engine.send(response("201 Created", body=b"{}"))
    assert (await client.read_response("POST")).status == 201


async def test_a_digest_is_a_name(start: Start) -> None:
    """An image that has a digest for a name is listed by it."""
    digest = f"sha256:{'b' * 64}"
    proxy = await start({**OPEN, "CREATE_IMAGES": f"nginx@{digest}"})
    _, engine, _ = await asking(proxy, "a1")
    await engine.send(response(body=described(digests=(f"nginx@{digest}",))))
    assert json.loads((await engine.read_request()).body)["Image"] == ID


@pytest.mark.parametrize("listed", [ID, ID[7:], ID[7:19]])
async def test_a_listed_id_is_an_id(start: Start, listed: str) -> None:
    """A list may hold ids, in full or their first digits; it needs no name then."""
    proxy = await start({**OPEN, "CREATE_IMAGES": listed})
    _, engine, _ = await asking(proxy, "a1a1")
    await engine.send(response(body=described()))
    assert json.loads((await engine.read_request()).body)["Image"] == ID


async def test_a_full_id_that_is_listed_is_not_asked_for(start: Start) -> None:
    """What cannot mean anything else costs no round trip, and neither does a name."""
    proxy = await start({**OPEN, "CREATE_IMAGES": f"busybox,{ID}"})
    for image in (ID, "busybox", "busybox:latest"):
        _, _, asked = await asking(proxy, image)
        assert asked.line.startswith(b"POST /v1.45/containers/create ")


async def test_an_id_whose_names_are_not_listed_is_refused(limited: Proxy) -> None:
    """The refusal names the variable, what the client wrote, and what the image is."""
    client, engine, _ = await asking(limited, "a1")
    await engine.send(response(body=described("evil:latest")))
    answer = await client.read_response("POST")
    assert answer.status == 403
    assert told(answer) == (
        "trioproxy: ContainerCreate asks for Image=a1 (evil:latest),"
        " which CREATE_IMAGES does not list"
    )
    await client.send(request("POST", CREATE, JSON, body=body("busybox")))
    assert (await engine.read_request()).line.startswith(b"POST ")


async def test_what_is_refused_anyway_is_not_asked_for(limited: Proxy) -> None:
    """An argument that is not listed is refused before the Engine hears of the request."""
    client = await limited.connect()
    asked = {"Image": "a1", "HostConfig": {"Binds": ["/etc:/e"]}}
    await client.send(request("POST", CREATE, JSON, body=json.dumps(asked).encode()))
    assert (await client.read_response("POST")).status == 403
    assert not await limited.fake.is_called()


async def test_an_image_that_is_mounted_is_pinned_too(limited: Proxy) -> None:
    """An id in a mount is looked up as one that runs, each once."""
    client = await limited.connect()
    mounts = [{"Type": "image", "Source": "a1", "Target": f"/{n}"} for n in "xy"]
    asked = {"Image": "a1", "HostConfig": {"Mounts": mounts}}
    await client.send(request("POST", CREATE, JSON, body=json.dumps(asked).encode()))
    engine = await limited.fake.accept()
    await engine.read_request()
    await engine.send(response(body=described("busybox:latest")))
    sent = json.loads((await engine.read_request()).body)
    assert sent["Image"] == ID
    assert [one["Source"] for one in sent["HostConfig"]["Mounts"]] == [ID, ID]


async def test_what_the_engine_does_not_have(limited: Proxy) -> None:
    """The client gets the Engine's own answer, by which it knows what to do: to pull."""
    client, engine, _ = await asking(limited, "a1")
    text = b'{"message":"No such image: a1:latest"}'
    await engine.send(response("404 Not Found", body=text))
    answer = await client.read_response("POST")
    assert (answer.status, told(answer)) == (404, "No such image: a1:latest")


BAD = {
    "an error": (response("500 Oh", body=b"{}"), "answers 500"),
    "no JSON": (response(body=b"<p>"), "no JSON"),
    "a list": (response(body=b"[]"), "not complete"),
    "no id": (response(body=b'{"RepoTags":["busybox:latest"]}'), "not complete"),
    "twice": (response(body=described()[:-1] + b',"Id":"x"}'), "twice"),
    "cut": (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "in mid-body"),
    "interim": (b"HTTP/1.1 102 Wait\r\n\r\n", "answers 102 to a question"),
    "switched": (b"HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\n", "head is bad"),
    "elsewhere": (response("301 Moved", "Location: /x"), "answers 301"),
    "long": (
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (MOST_OF_AN_ANSWER + 1),
        "longer than",
    ),
    "no HTTP": (b"SSH-2.0\r\n\r\n", "head is bad"),
    "bad chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "chunk"),
    "cut chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{}", "in mid-body"),
    "more than its chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}{}\r\n0\r\n\r\n", "bad chunk size"),
    "long chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}", "in mid-body"),
}  # fmt: skip


@pytest.mark.parametrize(("answer", "words"), BAD.values(), ids=BAD)
async def test_a_bad_answer_fails_the_request(
    limited: Proxy, answer: bytes, words: str
) -> None:
    """What cannot be read lets nothing pass: the client gets a 502 that says why."""
    client, engine, _ = await asking(limited, "a1")
    await engine.send(answer)
    engine.half_close()
    told_of = await client.read_response("POST")
    assert told_of.status == 502
    assert words in told(told_of)
    client.half_close()  # else the proxy reads for a while what it may still send
    assert not await engine.read_rest()


@pytest.mark.parametrize("cut", [0, 20])
async def test_an_answer_in_chunks(limited: Proxy, cut: int) -> None:
    """However the Engine frames its answer, and in whatever pieces it comes, it is read whole."""
    _, engine, _ = await asking(limited, "a1")
    value = described("busybox:latest")
    parts = [value[:cut], value[cut:]] if cut else [value]
    await engine.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    await engine.send_each(b"".join(map(chunk, parts)) + b"0\r\n\r\n")
    assert json.loads((await engine.read_request()).body)["Image"] == ID


async def test_an_answer_that_closes(limited: Proxy) -> None:
    """Where the Engine closes behind its answer, the request goes on a new connection."""
    _, engine, _ = await asking(limited, "a1")
    value = described("busybox:latest")
    await engine.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + value)
    engine.close()
    second = await limited.fake.accept()
    assert json.loads((await second.read_request()).body)["Image"] == ID


async def test_an_engine_that_is_away(limited: Proxy) -> None:
    """Without the Engine nothing is judged, and nothing passes."""
    limited.fake.die()
    client = await limited.connect()
    await client.send(request("POST", CREATE, JSON, body=body("a1")))
    answer = await client.read_response("POST")
    assert answer.status == 502
    assert "cannot reach the Docker Engine" in told(answer)


async def test_an_engine_that_hangs(limited: Proxy, autojump_clock: MockClock) -> None:
    """A question has a deadline, and its connection is of no use behind it; the log has the time
    that it took."""
    client, engine, _ = await asking(limited, "a1")
    began = trio.current_time()
    answer = await client.read_response("POST")
    assert trio.current_time() - began == pytest.approx(QUESTIONS_SECONDS, abs=1)
    assert answer.status == 504
    assert "does not say what the request names" in told(answer)
    assert not await engine.read_rest()
    (line,) = limited.lines_of("ContainerCreate")
    assert " ms=0.0 " not in line


async def test_a_client_that_leaves_meanwhile(limited: Proxy) -> None:
    """Whoever left is not waited for: the question ends at once, nothing is sent on, and the log
    tells that once, and of no refusal. Who comes again does that for the first time."""
    client, engine, _ = await asking(limited, "a1")
    client.close()
    assert not await engine.read_rest()
    await settle()
    (line,) = limited.lines_of("ContainerCreate")
    assert " info request " in line
    assert " status=- by=engine " in line
    assert " decision=none reason=unjudged client=" in line
    assert " end=client-left " in line
    assert " ms=0.0 " not in line
    _, engine, _ = await asking(limited, "a1")
    await engine.send(response(body=described("busybox:latest")))
    await engine.read_request()
    await engine.send(response("201 Created", body=b"{}"))
    await settle()
    assert " notice request " in limited.lines_of("ContainerCreate")[-1]


async def test_a_client_that_sends_no_more(
    limited: Proxy, autojump_clock: MockClock
) -> None:
    """Who only ended its data may still read: the question goes on for a while."""
    client, engine, _ = await asking(limited, "a1")
    client.half_close()
    began = trio.current_time()
    assert not await engine.read_rest()
    waited = trio.current_time() - began
    assert waited == pytest.approx(HALF_CLOSE_SECONDS, abs=1)
    assert not (await client.read_rest())
    (line,) = limited.lines_of("ContainerCreate")
    assert " end=client-left " in line


async def test_all_questions_have_one_deadline(
    limited: Proxy, autojump_clock: MockClock
) -> None:
    """Two hundred names of an Engine that takes a while for each are given up together."""
    client = await limited.connect()
    mounts = [
        {"Type": "image", "Source": f"{number:03x}", "Target": f"/{number}"}
        for number in range(200)
    ]
    value = {"Image": "busybox", "HostConfig": {"Mounts": mounts}}
    raw = json.dumps(value).encode()
    began = trio.current_time()
    await client.send(request("POST", CREATE, JSON, body=raw))
    engine = await limited.fake.accept()
    asked = 0
    with suppress(OSError):  # it is left alone in mid-answer
        while await engine.fill():
            engine.take()
            asked += 1
            await trio.sleep(0.5)
            await engine.send(response(body=described("busybox:latest")))
    waited = trio.current_time() - began
    assert waited == pytest.approx(QUESTIONS_SECONDS, abs=1)
    assert 50 < asked < 110
    assert (await client.read_response("POST")).status == 504


@pytest.mark.parametrize("image", ["", "/", "..", "a/../b"])
async def test_what_is_no_name_is_never_asked_for(limited: Proxy, image: str) -> None:
    """Nothing that a client writes changes which question is asked."""
    client = await limited.connect()
    await client.send(request("POST", CREATE, JSON, body=body(image)))
    if image:
        assert (await client.read_response("POST")).status == 403
        assert not await limited.fake.is_called()


async def test_a_policy_that_is_tried_out_asks_too(start: Start) -> None:
    """A shadow asks to know what it would refuse; what passes in spite of it is untouched."""
    policy, _ = parse_policy(IMAGES)
    proxy = await start({}, gate=Gate.trying(policy))
    _, engine, question = await asking(proxy, "a1")
    assert question.line.startswith(b"GET /images/a1/json ")
    await engine.send(response(body=described("evil:latest")))
    assert (await engine.read_request()).body == body("a1")
