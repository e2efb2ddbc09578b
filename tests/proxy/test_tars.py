"""A tar that goes in, on its way through the proxy: rewritten, refused, or cut."""

import gzip
import json
import os
from collections.abc import Callable
from dataclasses import replace

import pytest
import trio

from tests.fakes import CHUNK_END, Client, chunk, request, response, settle
from tests.proxy.conftest import OPEN, Proxy, Start
from tests.tars import END, file, header, pax, rewritten
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.gate import Gate
from trioproxy.judge.outcome import Outcome

TARGET = "/containers/c/archive?path=/"
TAR = pax((b"path", b"p" * 200)) + file(b"x" * 1000) + header(b"d", b"5") + END * 3
NODE = file() + header(b"sda", b"4") + END
CHUNKED = "Transfer-Encoding: chunked"
EARLY = response(
    "404 Not Found", "Connection: close", "Content-Length: 4", body=b"gone"
)


@pytest.fixture
async def limiting(start: Start) -> Proxy:
    """A proxy where tars that go in are rewritten, and nothing else is limited."""
    gate = Gate(policy=parse_policy(OPEN)[0])
    object.__setattr__(gate, "form", replace(gate.form, limits_fills=True))
    return await start(gate=gate)


def framed(data: bytes, framing: str) -> tuple[str, bytes]:
    """A body in that framing: its header field and its bytes."""
    if framing == "sized":
        return f"Content-Length: {len(data)}", data
    size = 700 if framing == "chunked" else 1
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    return CHUNKED, b"".join(map(chunk, pieces)) + CHUNK_END


@pytest.mark.parametrize("framing", ["sized", "chunked", "chunks of one byte"])
@pytest.mark.parametrize("pieces", ["whole", "head first", "byte by byte"])
async def test_a_tar_goes_on_in_its_one_form(
    limiting: Proxy, framing: str, pieces: str
) -> None:
    """However it is framed and cut, the Engine gets the same chunked body; the connection goes on."""
    field, body = framed(TAR, framing)
    client = await limiting.connect()
    asked = request(
        "PUT", TARGET, field, "Trailer: X", "Content-Type: application/x-tar"
    )
    if pieces == "whole":
        await client.send(asked + body + request())
    else:
        await client.send(asked)
    engine = await limiting.fake.accept()
    if pieces == "head first":
        assert (await engine.read_head()).endswith(b"\r\n\r\n")
        await settle()
        assert not await engine.arrived()
    if pieces != "whole":
        size = 1 if pieces == "byte by byte" and framing == "sized" else len(body)
        for at in range(0, len(body), size):
            await client.send(body[at : at + size])
        await client.send(request())
    if pieces == "head first":
        return
    message = await engine.read_request()
    assert message.body == rewritten(TAR)
    assert message.all("transfer-encoding") == [b"chunked"]
    assert not message.all("content-length") + message.all("trailer")
    await engine.send(response())
    assert (await client.read_response("PUT")).status == 200
    assert (await engine.read_request()).line == b"GET /_ping HTTP/1.1"
    await engine.send(response(body=b"OK"))
    assert (await client.read_response()).body == b"OK"


async def test_who_waits_for_a_word_gets_the_engines(limiting: Proxy) -> None:
    """`Expect: 100-continue` goes to the Engine, and its word to the client."""
    client = await limiting.connect()
    fields = (f"Content-Length: {len(TAR)}", "Expect: 100-continue")
    await client.send(request("PUT", TARGET, *fields))
    engine = await limiting.fake.accept()
    assert b"Expect: 100-continue\r\n" in await engine.read_head()
    await engine.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert await client.read_head() == b"HTTP/1.1 100 Continue\r\n\r\n"
    await client.send(TAR)
    assert await engine.read_until(CHUNK_END)
    await engine.send(response())
    assert (await client.read_response("PUT")).status == 200


@pytest.mark.parametrize("framing", ["sized", "chunked", "chunks of one byte"])
async def test_a_gzip_goes_on_unpacked(limiting: Proxy, framing: str) -> None:
    """What a client packs by itself arrives as if it had not, more than one buffer holds too."""
    data = file(os.urandom(40_000)) + file(bytes(10_000_000)) + END
    field, body = framed(gzip.compress(data), framing)
    client = await limiting.connect()
    await client.send(request("PUT", TARGET, field))
    engine = await limiting.fake.accept()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.send, body + request())
        assert (await engine.read_request()).body == rewritten(data)
    await engine.send(response())
    assert (await client.read_response("PUT")).status == 200
    assert (await engine.read_request()).line == b"GET /_ping HTTP/1.1"


@pytest.mark.parametrize("framing", ["sized", "chunked"])
@pytest.mark.parametrize("with_head", [False, True], ids=["behind", "with its head"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
async def test_a_node_ends_the_request(
    limiting: Proxy, pack: Callable[[bytes], bytes], framing: str, with_head: bool
) -> None:
    """The client reads why, the Engine gets neither the node nor an end, and the log says it."""
    field, body = framed(pack(NODE), framing)
    client = await limiting.connect()
    await client.send(request("PUT", TARGET, field) + (body if with_head else b""))
    engine = await limiting.fake.accept()
    if not with_head:
        await client.send(body)
    answer = await client.read_response("PUT")
    assert answer.status == 400
    text = "trioproxy: entry sda of the tar is a block device: make the tar without it"
    assert json.loads(answer.body) == {"message": text}
    assert await engine.read_gone() in {"end", "reset"}
    assert b"sda" not in engine.received
    assert not engine.received.endswith(CHUNK_END)
    client.close()
    await settle()
    (line,) = limiting.lines_of("PutContainerArchive")
    assert "status=400" in line
    assert "entry sda of the tar is a block device" in line
    await limiting.assert_clean()


async def test_a_node_behind_the_beginning_of_an_answer(limiting: Proxy) -> None:
    """Where an answer has begun it breaks off, and the log says why."""
    client, engine = await limiting.ask("PUT", TARGET, CHUNKED)
    await engine.read_head()
    await engine.send(response("200 OK", "Content-Length: 9") + b"half")
    await client.read_head()
    await client.send(chunk(NODE))
    assert await client.read_rest() == b"half"
    await engine.read_gone()
    (line,) = limiting.lines_of("PutContainerArchive")
    assert "is a block device" in line


LARGE = header(size=b"07777777777")
ZEROS = bytes(65536)
UPLOADS = pytest.mark.parametrize(
    ("begin", "more"),
    # Of gzips behind one another the zeros are a thousand times as many.
    [(LARGE, ZEROS), (gzip.compress(LARGE), gzip.compress(ZEROS) * 700)],
    ids=["plain", "gzip"],
)


@UPLOADS
async def test_an_early_answer_goes_through(
    limiting: Proxy, begin: bytes, more: bytes
) -> None:
    """The Engine says 404 while the tar still comes, and closes: the client reads that."""
    client, engine = await limiting.ask("PUT", TARGET, f"Content-Length: {1 << 30}")
    await engine.read_head()
    await client.send(begin)
    await client.send_while_taken(more)
    await engine.send(EARLY)
    engine.close()
    answer = await client.read_response("PUT")
    assert (answer.status, answer.body) == (404, b"gone")
    client.close()
    await limiting.assert_clean()


@UPLOADS
async def test_what_the_engine_does_not_take_waits(
    limiting: Proxy, begin: bytes, more: bytes
) -> None:
    """While the Engine reads nothing, little is taken from the client."""
    client, engine = await limiting.ask("PUT", TARGET, f"Content-Length: {1 << 30}")
    await engine.read_head()
    await client.send(begin)
    assert await client.send_while_taken(more) < 4 << 20
    client.close()
    await limiting.assert_clean()


async def test_a_client_that_goes_ends_no_tar(limiting: Proxy) -> None:
    """The Engine sees the end of data within the body, and never the last chunk."""
    client, engine = await limiting.ask("PUT", TARGET, f"Content-Length: {len(TAR)}")
    await client.send(TAR[:-1])
    client.close()
    await engine.read_gone()
    assert not engine.received.endswith(CHUNK_END)
    engine.close()
    await limiting.assert_clean()


async def test_a_tar_whose_end_does_not_come_is_refused(limiting: Proxy) -> None:
    """A body that is whole around a tar that is not."""
    client, engine = await limiting.ask("PUT", TARGET, body=file()[:-1])
    assert (await client.read_response("PUT")).status == 400
    await engine.read_gone()
    assert not engine.received.endswith(CHUNK_END)


async def test_an_engine_that_goes_is_said(limiting: Proxy) -> None:
    """502, as for every body."""
    client, engine = await limiting.ask("PUT", TARGET, f"Content-Length: {len(TAR)}")
    await client.send(TAR[:512])
    await engine.read_head()
    engine.close()
    assert (await client.read_response("PUT")).status == 502


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (request("PUT", TARGET, "Content-Encoding: gzip", body=TAR), "is packed"),
        (request("PUT", TARGET, body=TAR, version="1.0"), "HTTP/1.1 alone"),
        (request("PUT", TARGET, body=b"BZh9" + TAR), "is packed"),
        (request("PUT", TARGET, body=b"\x1f\x8b\x08" + TAR), "damaged"),
    ],
    ids=["encoded", "1.0", "bzip2", "damaged"],
)
async def test_what_cannot_be_read_as_it_passes(
    limiting: Proxy, asked: bytes, words: str
) -> None:
    """What is packed, or could not go on in chunks, is refused with the reason."""
    client: Client = await limiting.connect()
    await client.send(asked)
    answer = await client.read_response("PUT")
    assert answer.status == 400
    assert words in answer.body.decode()


async def test_identity_is_no_encoding(limiting: Proxy) -> None:
    """`Content-Encoding: identity` says that nothing is packed."""
    client, engine = await limiting.ask(
        "PUT", TARGET, "content-encoding: identity", body=TAR
    )
    assert (await engine.read_request()).body == rewritten(TAR)
    client.close()


async def test_without_a_body_there_is_nothing_to_rewrite(limiting: Proxy) -> None:
    """The request goes on as ever, and the Engine says what it makes of it."""
    _client, engine = await limiting.ask("PUT", TARGET)
    message = await engine.read_request()
    assert message.body == b""
    assert not message.all("transfer-encoding")


async def test_elsewhere_bytes_pass_as_they_are(start: Start) -> None:
    """Where nothing is limited a node is nobody's business, and the framing the client's."""
    proxy = await start(policy=OPEN)
    _client, engine = await proxy.ask("PUT", TARGET, body=NODE)
    message = await engine.read_request()
    assert message.body == NODE
    assert message.one("content-length") == b"%d" % len(NODE)


LEARNED = {
    "fit": (TAR, ""),
    "node": (NODE + bytes(1 << 17), "entry sda of the tar is a block device"),
    "gzip": (gzip.compress(TAR), ""),
    "node in a gzip": (gzip.compress(NODE), "entry sda of the tar is a block device"),
    "packed": (b"BZh9" + bytes(700), "the tar is packed"),
    "cut": (file()[:-1], "the tar is cut short"),
}


@pytest.mark.parametrize("name", LEARNED)
@pytest.mark.parametrize("framing", ["sized", "chunked"])
async def test_what_is_learned_from_passes_and_is_told(
    start: Start, framing: str, name: str
) -> None:
    """The Engine gets each byte, and whoever learns the words by which it is refused later."""
    data, words = LEARNED[name]
    proxy = await start()
    told = list[Outcome]()
    proxy.server.reload(Gate.learning(), [told.append])
    field, body = framed(data, framing)
    client = await proxy.connect()
    await client.send(request("PUT", TARGET, field) + body)
    engine = await proxy.fake.accept()
    assert (await engine.read_request()).body == data
    await engine.send(response())
    assert (await client.read_response("PUT")).status == 200
    client.close()
    await settle()
    (outcome,) = told
    assert outcome.unfit.startswith(words)
    assert bool(outcome.unfit) is bool(words)
