"""Bytes that pass through the kernel's pipe: all of them, in order, and none of another's."""

import errno
import os
import random
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes import CHUNK_END, chunk, settle
from tests.patience import PATIENCE
from trioproxy.errors import ClientLost, UpstreamError, UpstreamLost
from trioproxy.http.framing import Boundary, Chunked, Sized, until_close
from trioproxy.proxy.pipe import CannotSplice, Pipe
from trioproxy.proxy.relay import BULK, Buffer, relay
from trioproxy.proxy.watch import Watch
from trioproxy.proxy.wire import Wire

Pair = tuple[socket.socket, socket.socket]

HELD = 3 * BULK // 2
"""Bytes that any socket holds for its reader: the first piece of them is bulk."""


def unix_pair() -> Pair:
    return socket.socketpair()


def tcp_pair() -> Pair:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        one = socket.create_connection(listener.getsockname())
        return one, listener.accept()[0]


KINDS: dict[str, tuple[Callable[[], Pair], Callable[[], Pair]]] = {
    "download": (unix_pair, tcp_pair),
    "upload": (tcp_pair, unix_pair),
    "socket to socket": (unix_pair, unix_pair),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


class Metered(Pipe):
    """A pipe that says how much went through it."""

    moved = 0

    def fill(self, sock: socket.socket, size: int) -> int:
        count = super().fill(sock, size)
        self.moved += count
        return count

    def is_empty(self) -> bool:
        try:
            os.read(self._outlet, 1)
        except BlockingIOError:
            return True
        return False


class Stage:
    """A watch, a buffer, and relays with a far end on each side."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.buffer = Buffer()
        self.buffer.close()
        self.pipe = self.buffer.pipe = Metered()
        self._wires: list[Wire] = []
        self._far: list[socket.socket] = []

    def between(self, kind: str) -> tuple[Wire, Wire, socket.socket, socket.socket]:
        """A source and a sink, and who sends and receives there."""
        (near_source, sender), (near_sink, receiver) = (pair() for pair in KINDS[kind])
        source = Wire(near_source, UpstreamLost, self.watch)
        sink = Wire(near_sink, ClientLost, self.watch)
        for far in (sender, receiver):
            far.settimeout(PATIENCE)
        self._wires += [source, sink]
        self._far += [sender, receiver]
        return source, sink, sender, receiver

    def close(self) -> None:
        for wire in self._wires:
            wire.close()
        for far in self._far:
            far.close()
        self.buffer.close()


@asynccontextmanager
async def staged() -> AsyncIterator[Stage]:
    watch = Watch()
    stage = Stage(watch)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch.run)
            nursery.start_soon(watch.give_turns)
            yield stage
            nursery.cancel_scope.cancel()
        assert stage.pipe.is_empty()
    finally:
        stage.close()
        watch.close()


@contextmanager
def sending(sender: socket.socket, data: bytes) -> Iterator[None]:
    """Send from a thread; the first bytes are there before the block begins."""
    sender.sendall(data[:HELD])
    thread = threading.Thread(target=sender.sendall, args=[data[HELD:]], daemon=True)
    thread.start()
    yield
    thread.join()


class Received:
    """What arrives at the far end, read by a thread."""

    def __init__(self, receiver: socket.socket, count: int) -> None:
        self._data = bytearray()
        self._receiver = receiver
        self._count = count
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while len(self._data) < self._count:
            data = self._receiver.recv(100_000)
            if not data:
                return
            self._data += data

    @property
    def is_reading(self) -> bool:
        return self._thread.is_alive()

    def all(self) -> bytes:
        self._thread.join()
        return bytes(self._data)


async def assert_carries(stage: Stage, kind: str, data: bytes) -> None:
    """Relay one sized body, and find it whole at the far end."""
    source, sink, sender, receiver = stage.between(kind)
    received = Received(receiver, len(data))
    with sending(sender, data):
        assert await relay(source, sink, Sized(len(data)), stage.buffer) == b""
    assert received.all() == data


def content(count: int, seed: int = 0) -> bytes:
    """Bytes that are nowhere alike."""
    return random.Random(seed).randbytes(count)


@every_kind
async def test_what_is_large_is_moved(kind: str) -> None:
    """A large body arrives as it was sent, and not by way of our memory."""
    async with staged() as stage:
        await assert_carries(stage, kind, content(4 << 20))
        assert stage.pipe.moved > 0


@every_kind
async def test_what_is_small_is_copied(kind: str) -> None:
    """Pieces that are not worth a pipe see none."""
    async with staged() as stage:
        source, sink, sender, receiver = stage.between(kind)
        boundary = Sized(100 * 1000)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(relay, source, sink, boundary, stage.buffer)
            for number in range(100):
                sender.sendall(bytes([number]) * 1000)
                await settle()
                assert receiver.recv(2000) == bytes([number]) * 1000
        assert stage.pipe.moved == 0


@settings(max_examples=30)
@given(
    kind=st.sampled_from(sorted(KINDS)),
    sizes=st.lists(st.sampled_from([1, 1000, BULK, HELD, 4 * BULK]), max_size=8),
    behind=st.sampled_from([b"", b"next", bytes(BULK)]),
)
async def test_chunks_of_any_size(kind: str, sizes: list[int], behind: bytes) -> None:
    """The data of a large chunk is moved, its ends are seen, and nothing behind the body passes."""
    body = b"".join(chunk(content(size, size)) for size in sizes) + CHUNK_END
    async with staged() as stage:
        source, sink, sender, receiver = stage.between(kind)
        received = Received(receiver, len(body))
        with sending(sender, body + behind):
            boundary = Chunked(UpstreamError)
            surplus = await relay(source, sink, boundary, stage.buffer)
            assert surplus is not None
            assert behind.startswith(surplus)
            assert received.all() == body
            left = len(behind) - len(surplus)
            while left:
                left -= len(await source.recv(left))


@every_kind
async def test_nothing_rests_in_the_pipe(kind: str) -> None:
    """What a slow reader does not take is held for it outside, and reaches it whole and once."""
    data = content(16 << 20)
    async with staged() as stage:
        source, sink, sender, receiver = stage.between(kind)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(relay, source, sink, Sized(len(data)), stage.buffer)
            with sending(sender, data):
                while sink.writer is None:
                    await trio.lowlevel.checkpoint()
                received = Received(receiver, len(data))
                while received.is_reading:
                    await trio.lowlevel.checkpoint()
                    assert stage.pipe.is_empty()
        assert received.all() == data
        assert stage.pipe.moved > 0


async def test_two_at_once_do_not_mix() -> None:
    """The pipe is shared: each gets what was sent to it."""
    bodies = [content(8 << 20, seed) for seed in range(3)]
    async with staged() as stage:
        received: list[Received] = []
        with ExitStack() as senders:
            async with trio.open_nursery() as nursery:
                for body, kind in zip(bodies, KINDS, strict=True):
                    source, sink, sender, receiver = stage.between(kind)
                    senders.enter_context(sending(sender, body))
                    received.append(Received(receiver, len(body)))
                    boundary = Sized(len(body))
                    nursery.start_soon(relay, source, sink, boundary, stage.buffer)
        assert [one.all() for one in received] == bodies
        assert stage.pipe.moved > 0


@every_kind
async def test_a_sink_that_is_gone(kind: str) -> None:
    """Bytes on their way to one that left are lost with it, and others go on without a copy."""
    async with staged() as stage:
        source, sink, sender, receiver = stage.between(kind)

        async def fail() -> None:
            with pytest.raises(ClientLost):
                await relay(source, sink, until_close(), stage.buffer)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail)
            sender.sendall(content(HELD))
            await trio.to_thread.run_sync(Received(receiver, HELD).all)
            receiver.close()
            await settle()
            while nursery.child_tasks:
                sender.sendall(content(HELD))
                await settle()
        assert (stage.pipe.moved > 0, stage.pipe.works) == (True, True)


class Broken(Sized):
    """A boundary with a bug, which shows once bytes are in the pipe."""

    def feed(self, data: bytes | bytearray, at: int, end: int) -> int:
        """Take everything that is looked at."""
        return end

    def skip(self, count: int) -> None:
        """Fail as a bug fails."""
        raise KeyError(count)


async def test_what_a_crash_left_in_the_pipe_reaches_nobody_else() -> None:
    """Any exception between filling and emptying costs the pipe, not the next client its bytes."""
    async with staged() as stage:
        source, sink, sender, receiver = stage.between("download")
        with sending(sender, content(4 * HELD)):
            with pytest.raises(KeyError):
                await relay(source, sink, Broken(sys.maxsize), stage.buffer)
        receiver.close()
        other, its_sink, its_sender, its_receiver = stage.between("download")
        data = b"B" * (4 << 20)
        received = Received(its_receiver, len(data))
        with sending(its_sender, data):
            await relay(other, its_sink, Sized(len(data)), stage.buffer)
        assert received.all() == data


def test_a_pipe_that_cannot_be_made_anew_closes_nothing_of_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a descriptor for another one it stays as it is, and a number that was given away is not closed."""
    pipe = Pipe()
    with ExitStack() as stack:
        source, far = map(stack.enter_context, socket.socketpair())
        far.send(b"left by a crash")
        pipe.fill(source, 64)
        with monkeypatch.context() as patched:
            patched.setattr(os, "pipe2", lambda _: os.open("/nowhere/at/all", 0))
            with pytest.raises(OSError, match="/nowhere"):
                pipe.fill(source, 64)
        others = [*socket.socketpair(), *socket.socketpair()]
        far.send(b"next")
        assert pipe.fill(source, 64) == 4
        for one in others:
            with one:
                assert one.getsockname() == ""
    pipe.close()


@every_kind
async def test_a_source_that_ends_too_early(kind: str) -> None:
    """An end of data in the middle of a large body is told as what it is."""
    data = content(4 << 20)
    async with staged() as stage:
        source, sink, sender, receiver = stage.between(kind)
        received = Received(receiver, len(data))
        with sending(sender, data):
            async with trio.open_nursery() as nursery:

                async def end() -> None:
                    await trio.to_thread.run_sync(received.all)
                    sender.shutdown(socket.SHUT_WR)

                nursery.start_soon(end)
                boundary = Sized(len(data) + 1)
                assert await relay(source, sink, boundary, stage.buffer) is None
        assert received.all() == data
        assert stage.pipe.moved > 0


def test_source_that_cannot_be_spliced() -> None:
    """A kernel that does not splice from this says so once: afterwards nobody asks."""
    pipe, counter = Metered(), os.eventfd(1)
    with socket.socket(socket.AF_UNIX) as source:
        os.dup2(counter, source.fileno())  # any real socket can be spliced from
        with pytest.raises(CannotSplice):
            pipe.fill(source, 10)
    assert not pipe.works
    assert pipe.is_empty()
    os.close(counter)
    pipe.close()


def test_sink_that_cannot_be_spliced_into(tmp_path: Path) -> None:
    """What the kernel does not splice into a sink is there to be sent otherwise."""
    pipe = Metered()
    appended = os.open(tmp_path / "sink", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    one, other = socket.socketpair()
    with one, other:
        other.sendall(b"some bytes")
        assert pipe.fill(one, 100) == 10
    assert pipe.empty_into(appended, 10) == b"some bytes"
    assert not pipe.works
    os.close(appended)
    pipe.close()


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS, errno.EPERM])
async def test_without_splice_all_is_copied(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no splice is to be had, as in some sandboxes, a large body arrives all the same."""
    asked: list[int] = []

    def refuse(*_: int, **__: int) -> int:
        asked.append(number)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "splice", refuse)
    async with staged() as stage:
        await assert_carries(stage, "download", content(4 << 20))
    assert asked == [number]


def boundaries() -> list[Boundary]:
    """One of each kind, in the middle of a body."""
    chunked = Chunked(UpstreamError)
    head = b"64\r\n"
    assert chunked.feed(head, 0, len(head)) == len(head)
    return [Sized(100), until_close(), chunked]


@pytest.mark.parametrize("boundary", boundaries(), ids=["sized", "close", "chunked"])
def test_bytes_unseen_are_counted(boundary: Boundary) -> None:
    """Whoever skips part of the unseen bytes comes to the same end as who looks at them."""
    assert boundary.unseen >= 100
    before = boundary.passed
    boundary.skip(60)
    assert boundary.unseen >= 40
    assert boundary.feed(bytes(40), 0, 40) == 40
    assert boundary.passed == before + 100
    is_over = boundary.unseen == 0 and isinstance(boundary, Sized)
    assert boundary.done is is_over
    assert boundary.unseen in {0, sys.maxsize - 100}
