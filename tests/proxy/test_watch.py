"""The watch: no byte, end or turn is lost, whether a task parks or looks on the spot."""

import select
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import cast

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import settle
from tests.patience import PATIENCE
from trioproxy.errors import ClientLost
from trioproxy.proxy.relay import Buffer
from trioproxy.proxy.watch import RESET, Watch
from trioproxy.proxy.wire import FAIR_SHARE, Wire

FOR_EVER = 3600.0
"""Away for so long that no test would see the end of it."""

either_way = pytest.mark.parametrize("away", [0.0, 0.002], ids=["parks", "looks"])


class Vain(Exception):
    """A task waited on the spot for nothing, and others meanwhile for it."""


class Impatient:
    """An epoll instance for waits that must all be ended by an event."""

    def __init__(self, epoll: select.epoll) -> None:
        self._epoll = epoll
        self.register = epoll.register
        self.modify = epoll.modify
        self.unregister = epoll.unregister
        self.fileno = epoll.fileno
        self.close = epoll.close

    def poll(self, seconds: float, most: int) -> list[tuple[int, int]]:
        events = self._epoll.poll(min(seconds, PATIENCE), most)
        if seconds > PATIENCE and not events:
            raise Vain
        return events


class Ends:
    """Wires under one watch, and the far end of each."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.far: list[socket.socket] = []
        self.near: list[Wire] = []

    def pair(self) -> tuple[Wire, socket.socket]:
        near, far = socket.socketpair()
        far.settimeout(PATIENCE)
        self.near.append(Wire(near, ClientLost, self.watch))
        self.far.append(far)
        return self.near[-1], far

    def close(self) -> None:
        for wire in self.near:
            wire.close()
        for far in self.far:
            far.close()


@asynccontextmanager
async def watching(away: float = 0.0) -> AsyncIterator[Ends]:
    """A watch that runs and counts the test's task; afterwards it counts no other."""
    watch = Watch(away=away)
    watch._epoll = cast(select.epoll, Impatient(watch._epoll))
    ends = Ends(watch)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch.run)
            nursery.start_soon(watch.give_turns)
            await settle()
            watch._unparked += 1
            watch._counted.add(trio.lowlevel.current_task())
            yield ends
            nursery.cancel_scope.cancel()
        assert watch._unparked == len(watch._counted) == 1
    finally:
        ends.close()
        watch.close()


Step = tuple[str, int]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["send", "read later", "read", "read into", "look"]),
        st.integers(1, 9),
    ),
    max_size=30,
)


@either_way
@given(steps=STEPS)
async def test_whatever_is_there_is_read(away: float, steps: list[Step]) -> None:
    """Bytes and the end are found by any read of any size, also if the watch saw them long before."""
    async with watching(away) as ends:
        wire, far = ends.pair()
        left = 0
        for what, size in steps:
            if what == "send":
                left += far.send(bytes(size))
            elif what == "look":
                ends.watch._deliver(0)
            elif left:
                left -= await read(ends, wire, what, size)
        far.close()
        while left:
            left -= await read(ends, wire, "read later", left + 1)
        assert await read(ends, wire, "read later", 1) == 0
        assert await read(ends, wire, "read", 1) == 0


class Memory:
    """Room for whatever comes."""

    most = 1 << 20
    takes_all = True

    def fill(self, sock: socket.socket, size: int) -> int:
        return sock.recv_into(bytearray(size))


async def read(ends: Ends, wire: Wire, how: str, size: int) -> int:
    """Read at most `size` bytes, of which some are here, or the end is: that takes no time."""
    counts: list[int] = []

    async def once() -> None:
        if how == "read later":
            counts.append(len(await wire.recv_later(size)))
        elif how == "read":
            counts.append(len(await wire.recv(size)))
        else:
            counts.append(await wire.recv_into(Memory(), size))

    async with trio.open_nursery() as nursery:
        ends.watch.start_soon(nursery, once)
        await settle()
        nursery.cancel_scope.cancel()
    (count,) = counts
    return count


class Passes(trio.abc.Instrument):
    """Counts passes of Trio's loop."""

    def __init__(self) -> None:
        self.count = 0

    def before_io_wait(self, timeout: float) -> None:
        """Count one."""
        self.count += 1


async def go_away(ends: Ends) -> None:
    """From here on the task may wait on the spot: an event came by Trio's loop."""
    waker, far = ends.pair()
    far.send(b"x")
    await waker.recv_later(1)


def in_thread(function: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    return thread


async def test_a_wait_on_the_spot_ends_with_its_own_bytes() -> None:
    """Trio's loop is not needed: nothing else could wake this task for ten minutes."""
    async with watching(FOR_EVER) as ends:
        wire, far = ends.pair()
        await go_away(ends)
        thread = in_thread(lambda: far.sendall(b"y"))
        assert await wire.recv_later(1) == b"y"
        thread.join()


async def test_a_wait_on_the_spot_lets_others_run() -> None:
    """While one waits on the spot, a parked one answers at once: its peer waits for that."""
    async with watching(FOR_EVER) as ends:
        waiting, far = ends.pair()
        parked, other = ends.pair()
        answers: list[bytes] = []

        async def echo() -> None:
            await parked.send_all(await parked.recv_later(10))

        def ask() -> None:
            other.sendall(b"ping")
            answers.append(other.recv(10))
            far.sendall(b"z")

        async with trio.open_nursery() as nursery:
            ends.watch.start_soon(nursery, echo)
            await settle()
            await go_away(ends)
            thread = in_thread(ask)
            assert await waiting.recv_later(1) == b"z"
        thread.join()
        assert answers == [b"ping"]


async def test_room_to_write_ends_a_wait_on_the_spot() -> None:
    """A full peer that reads again is heard of, on the spot too."""
    async with watching(FOR_EVER) as ends:
        wire, far = ends.pair()
        sent = 8 << 20
        got: list[int] = []

        def drain() -> None:
            count = 0
            while count < sent:
                count += len(far.recv(1 << 20))
            got.append(count)

        await go_away(ends)
        thread = in_thread(drain)
        await wire.send_all(bytes(sent))
        thread.join()
        assert got == [sent]


@pytest.mark.parametrize("most", [1, 64], ids=["looked at some", "looked at all"])
async def test_an_end_beside_a_wait_is_seen(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who found its bytes on the spot sees the end of another socket, though not told of it."""
    monkeypatch.setattr("trioproxy.proxy.watch.MOST_EVENTS", most)
    async with watching(FOR_EVER) as ends:
        client, far = ends.pair()
        kept, engine = ends.pair()
        await go_away(ends)
        far.send(b"x")
        engine.close()
        await client.recv_later(1)
        assert kept.has_ended_or_bytes()


async def test_an_end_since_the_last_look_is_seen() -> None:
    """Bytes heard of before are read without a look, so what is beside them is looked at."""
    async with watching(FOR_EVER) as ends:
        client, far = ends.pair()
        kept, engine = ends.pair()
        await go_away(ends)
        far.send(b"x")
        ends.watch._deliver(0)
        engine.close()
        await client.recv_later(1)
        assert kept.has_ended_or_bytes()


@either_way
@pytest.mark.parametrize("is_shared", [False, True], ids=["own memory", "shared"])
async def test_a_busy_wire_lets_others_run(away: float, is_shared: bool) -> None:
    """One that could read for ever passes the turn on after its fair share, or the next at the latest."""
    async with watching(away and FOR_EVER) as ends:
        busy, flood = ends.pair()
        idle, far = ends.pair()
        turns: list[str] = []
        buffer = Buffer()
        buffer.close()  # of its pipe nothing is used

        async def answer() -> None:
            await idle.recv_later(1)
            turns.append("other")

        async with trio.open_nursery() as nursery:
            ends.watch.start_soon(nursery, answer)
            await settle()
            far.send(b"?")
            left = 3 * FAIR_SHARE
            while not turns:
                flood.send(bytes(4096))
                if is_shared:
                    left -= await busy.recv_into(buffer, 4096)
                else:
                    left -= len(await busy.recv(4096))
                assert left >= 0


@either_way
@pytest.mark.parametrize("write", [False, True], ids=["reader", "writer"])
async def test_cancelled_and_closed_waits(away: float, write: bool) -> None:
    """A wait ends by its scope; by the owner's close it ends with an error that says so."""
    async with watching(away) as ends:
        wire, _ = ends.pair()

        async def wait() -> None:
            await (wire.send_all(bytes(8 << 20)) if write else wire.recv_later(1))

        with trio.move_on_after(0.05) as scope:
            await wait()
        assert scope.cancelled_caught
        async with trio.open_nursery() as nursery:

            async def closed() -> None:
                with pytest.raises(trio.ClosedResourceError):
                    await wait()

            ends.watch.start_soon(nursery, closed)
            await settle()
            wire.close()


@pytest.mark.parametrize("write", [False, True], ids=["readers", "writers"])
async def test_two_tasks_at_one_end(write: bool) -> None:
    """A second task that waits for the same is a mistake, and told so."""
    async with watching() as ends:
        wire, _ = ends.pair()

        async def wait() -> None:
            await (wire.send_all(bytes(8 << 20)) if write else wire.recv_later(1))

        async with trio.open_nursery() as nursery:
            ends.watch.start_soon(nursery, wait)
            await settle()
            with pytest.raises(trio.BusyResourceError):
                await wait()
            nursery.cancel_scope.cancel()


@either_way
@pytest.mark.parametrize("how", ["first", "second", "both", "close", "cancel"])
async def test_a_task_between_two_sockets_is_woken_once(away: float, how: str) -> None:
    """Whichever can be read first ends the wait; afterwards either can be waited for again."""
    async with watching(away) as ends:
        (one, near), (other, far) = ends.pair(), ends.pair()
        woken = 0

        async def wait() -> None:
            nonlocal woken
            with suppress(trio.ClosedResourceError):
                await ends.watch.park_between(one, other)
            woken += 1

        async with trio.open_nursery() as nursery:
            ends.watch.start_soon(nursery, wait)
            await settle()
            with pytest.raises(trio.BusyResourceError):
                ends.watch.park_between(other, one)
            if how in {"first", "both"}:
                near.send(b"x")
            if how in {"second", "both"}:
                far.send(b"x")
            if how == "close":
                other.close()
            if how == "cancel":
                nursery.cancel_scope.cancel()
            await settle()
        assert woken == (how != "cancel")
        assert {one.reader, one.twin, other.reader, other.twin} == {None}


async def test_each_hang_up_is_told_once() -> None:
    """An end of data, then the close; a wait to write in between tells nothing twice."""
    async with watching() as ends:
        wire, far = ends.pair()
        told = list[tuple[bool, bool]]()
        wire.on_hangup = lambda: told.append((wire.gone, wire.heard & RESET != 0))
        far.shutdown(socket.SHUT_WR)
        await settle()
        assert told == [(False, False)]
        with trio.move_on_after(0.05):
            await wire.send_all(bytes(8 << 20))
        assert told == [(False, False)]
        far.close()
        await settle()
        assert told == [(False, False), (True, True)]  # what we sent was never read


async def test_an_event_of_a_socket_that_just_went() -> None:
    """Who hears of a hang-up may close others whose events came with it."""
    async with watching() as ends:
        wires = [ends.pair() for _ in range(2)]
        heard = list[bool]()

        def close_all(wire: Wire) -> None:
            heard.append(wire.gone and not wire.heard & RESET)
            ends.close()

        for wire, _ in wires:
            wire.on_hangup = partial(close_all, wire)
        for _, far in wires:
            far.close()
        await settle()
        assert heard == [True]


# Who may stay off Trio's loop


@pytest.mark.parametrize("write", [False, True], ids=["reads", "writes"])
async def test_a_task_that_is_not_counted_never_stays(write: bool) -> None:
    """Only tasks that were started through the watch may; of others it knows nothing."""
    async with watching(FOR_EVER) as ends:
        wire, far = ends.pair()
        parked, _ = ends.pair()
        ran: list[str] = []

        async def uncounted() -> None:
            await (wire.send_all(bytes(8 << 20)) if write else wire.recv_later(1))

        async def other() -> None:
            await trio.lowlevel.checkpoint()
            ran.append("other")
            far.close()

        await go_away(ends)
        async with trio.open_nursery() as nursery:
            ends.watch.start_soon(nursery, parked.recv_later, 1)
            await settle()
            # All counted tasks but the one that runs now are parked: were it counted ...
            ends.watch._counted.discard(trio.lowlevel.current_task())
            nursery.start_soon(other)
            with suppress(ClientLost):
                await uncounted()
            assert ran == ["other"]
            ends.watch._counted.add(trio.lowlevel.current_task())
            nursery.cancel_scope.cancel()


Elsewhere = Callable[[], Awaitable[object]]


async def _by_event() -> None:
    event = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(event.wait)
        await trio.lowlevel.checkpoint()
        event.set()


async def _by_nursery() -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.lowlevel.checkpoint)


async def _by_sleep() -> None:
    await trio.sleep(0.02)


async def _by_thread() -> None:
    await trio.to_thread.run_sync(lambda: None)


async def _by_connect() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        stream = await trio.open_tcp_stream(*listening.getsockname())
        await stream.aclose()


async def _by_a_turn() -> None:
    await trio.lowlevel.checkpoint()


@pytest.mark.parametrize(
    "elsewhere",
    [_by_event, _by_nursery, _by_sleep, _by_thread, _by_connect, _by_a_turn],
    ids=["event", "nursery", "sleep", "thread", "connect", "turn"],
)
async def test_nobody_stays_while_another_could_run(elsewhere: Elsewhere) -> None:
    """A task that waits for what Trio alone knows of, and then speaks, is not kept waiting."""
    async with watching(FOR_EVER) as ends:
        wire, far = ends.pair()

        async def other() -> None:
            await elsewhere()
            far.send(b"r")

        await go_away(ends)
        async with trio.open_nursery() as nursery:
            ends.watch.start_soon(nursery, other)
            assert await wire.recv_later(1) == b"r"


async def test_a_woken_task_is_not_kept_waiting() -> None:
    """Between its event and its turn a task is no longer parked, and who woke it parks."""
    async with watching(FOR_EVER) as ends:
        wire, far = ends.pair()
        woken, waker = ends.pair()

        async def other() -> None:
            await woken.recv_later(1)
            far.send(b"r")

        async with trio.open_nursery() as nursery:
            ends.watch.start_soon(nursery, other)
            await settle()
            await go_away(ends)
            waker.send(b"w")
            ends.watch._deliver(0)
            assert await wire.recv_later(1) == b"r"


async def test_nobody_stays_while_one_has_work_on_the_loop() -> None:
    """A task that serves no client has each pass for as long as it asks, and no longer."""
    async with watching(FOR_EVER) as ends:
        wire, far = ends.pair()
        begun = trio.Event()

        async def writer() -> None:
            with ends.watch.nobody_stays():
                begun.set()
                for _ in range(20):
                    await trio.lowlevel.checkpoint()
            far.send(b"w")

        await go_away(ends)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(writer)
            await begun.wait()
            assert await wire.recv_later(1) == b"w"
        await go_away(ends)
        thread = in_thread(lambda: far.sendall(b"y"))
        passes = Passes()
        trio.lowlevel.add_instrument(passes)
        assert await wire.recv_later(1) == b"y"
        trio.lowlevel.remove_instrument(passes)
        thread.join()
        assert passes.count == 0


async def test_the_one_that_is_left_stays() -> None:
    """Tasks that ended, were cancelled, or are parked in either way keep nobody at home."""
    async with watching(FOR_EVER) as ends:
        wire, far = ends.pair()
        full, _ = ends.pair()
        silent, _ = ends.pair()
        cancelled, _ = ends.pair()
        scope = trio.CancelScope()

        async def cut_off() -> None:
            with scope:
                await cancelled.recv_later(1)
            with trio.move_on_after(0):
                await cancelled.send_all(bytes(8 << 20))

        async with trio.open_nursery() as nursery:
            start = ends.watch.start_soon
            start(nursery, silent.recv_later, 1)
            start(nursery, full.send_all, bytes(8 << 20))
            start(nursery, trio.lowlevel.checkpoint)
            start(nursery, cut_off)
            await settle()
            scope.cancel()
            await settle()
            await go_away(ends)
            passes = Passes()
            trio.lowlevel.add_instrument(passes)
            thread = in_thread(lambda: far.sendall(b"y"))
            assert await wire.recv_later(1) == b"y"
            trio.lowlevel.remove_instrument(passes)
            thread.join()
            assert passes.count == 0
            nursery.cancel_scope.cancel()


class Endless(socket.socket):
    """A socket whose peer sends faster than anybody reads."""

    reads = 0

    def recv(self, size: int, flags: int = 0) -> bytes:
        self.reads += 1
        assert self.reads < 1000, "whoever sends without end keeps all others waiting"
        return bytes(min(size, 4096))


async def test_who_is_turned_away_and_sends_without_end_holds_nobody() -> None:
    """What is there is taken before the end, and not what comes meanwhile."""
    async with watching() as ends:
        near, far = socket.socketpair()
        wire = Wire(Endless(fileno=near.detach()), ClientLost, ends.watch)
        wire.finish()
        wire.close()
        assert far.recv(1) == b""
        far.close()
