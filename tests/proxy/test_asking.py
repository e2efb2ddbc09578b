"""Asking a person about what is refused: who is held, for how long, and what passes then."""

import itertools
import json
import os
import socket
import threading
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from math import inf
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.fakes import Client, EngineConnection, response, settle
from tests.markdown import ROOT
from tests.patience import PATIENCE
from tests.proxy.conftest import Proxy, Start
from tests.proxy.test_objects import ID, OTHER, container, told
from tests.proxy.test_server import descriptor_limit
from trioproxy.errors import ClientLost
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.gate import Gate
from trioproxy.judge.rules import Policy
from trioproxy.limits.grant import Grant
from trioproxy.proxy import asking as asking_module
from trioproxy.proxy import connection, listeners
from trioproxy.proxy.asking import MOST_ASKERS, MOST_UNREAD
from trioproxy.proxy.client import Client as Served
from trioproxy.proxy.client import Clients
from trioproxy.proxy.holding import MOST_GRANTS
from trioproxy.proxy.hours import MOST_KEPT, End, Whose
from trioproxy.proxy.readable import LONGEST_TOLD, MOST_NAMES
from trioproxy.proxy.watch import Watch
from trioproxy.proxy.wire import Wire

JSON = "Content-Type: application/json"
PING = {"ALLOW_OPERATIONS": "SystemPing"}
CREATE = {
    "ALLOW_OPERATIONS": "ContainerCreate,SystemPing",
    "CREATE_IMAGES": "busybox:latest",
    "CREATE_BINDS": "/srv/a",
}
LISTED = {
    "ALLOW_OPERATIONS": "ContainerStart,ContainerStop",
    "CREATE_IMAGES": "busybox:latest",
    "ONLY_CONTAINERS": "web",
    "ONLY_OWNER": "app",
}


def enforcing(policy: Mapping[str, str]) -> Gate:
    return Gate.enforcing(parse_policy(policy)[0])


class Asker:
    """Somebody who is attached, line by line."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._pending = b""

    async def send(self, **line: object) -> None:
        await self.stream.send_all(json.dumps(line).encode() + b"\n")

    async def line(self) -> dict[str, Any]:
        """The next line; an empty one at the end."""
        while b"\n" not in self._pending:
            try:
                more = await self.stream.receive_some()
            except trio.BrokenResourceError:  # it was reset
                more = b""
            if not more:
                return {}
            self._pending += more
        line, _, self._pending = self._pending.partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        return found

    async def until(self, key: str) -> dict[str, Any]:
        """The next line with a key."""
        while key not in (line := await self.line()):
            assert line, f"no line with {key}"
        return line

    async def question(self) -> dict[str, Any]:
        return await self.until("question")

    async def say(self, said: str, **more: object) -> dict[str, Any]:
        """Answer the next question; what it was."""
        question = await self.question()
        await self.send(answer=question["question"], say=said, **more)
        return question


@asynccontextmanager
async def asker(proxy: Proxy, **hello: object) -> AsyncIterator[Asker]:
    """Attach to a proxy."""
    assert proxy.server.asking is not None
    async with await trio.open_unix_socket(proxy.server.asking.address.path) as stream:
        one = Asker(stream)
        await one.send(asker=1, **hello)
        await one.until("attached")
        yield one


async def refused(client: Client) -> str:
    answer = await client.read_response()
    assert answer.status == 403
    return told(answer)


async def passes(proxy: Proxy, client: Client) -> EngineConnection:
    """Have the Engine answer what went on."""
    engine = await proxy.fake.accept()
    await engine.read_request()
    await engine.send(response(body=b"{}"))
    assert (await client.read_response()).status == 200
    return engine


async def test_what_a_person_allows_once_goes_on_once(start: Start) -> None:
    """The request that was held goes on as it came; the next one is asked about anew."""
    proxy = await start(PING, ask=30)
    client = await proxy.connect()
    async with asker(proxy) as one:
        await client.ask(target="/volumes")
        question = await one.say("once")
        assert {
            "operation": "VolumeList",
            "file": "app.env",
        }.items() <= question.items()
        assert question["grants"][0]["name"] == "VolumeList"
        await passes(proxy, client)
        assert (await one.until("done"))["passed"]
        await client.ask(target="/volumes")
        await one.say("no")
        assert "who was asked said no" in await refused(client)
    (line,) = proxy.lines_of("status=200")
    assert "reason=asked" in line


async def test_nobody_there_is_refused_at_once(start: Start) -> None:
    """With --ask and nobody attached, or one of another file, it is as if nobody was ever asked."""
    proxy = await start(PING, ask=30)
    client = await proxy.connect()
    await client.ask(target="/volumes")
    before = await refused(client)
    async with asker(proxy, files=["other.env"]):
        await client.ask(target="/volumes")
        assert await refused(client) == before
    assert "person" not in before


async def test_an_hour_belongs_to_one_client(start: Start) -> None:
    """Who has it is asked about no more, on each of its connections; another client is."""
    proxy = await start(PING, ask=30)
    client, again, other = (
        await proxy.connect(),
        await proxy.connect(),
        await proxy.connect(tcp=True),
    )
    async with asker(proxy) as one:
        await client.ask(target="/volumes")
        await one.say("hour")
        await passes(proxy, client)
        await again.ask(target="/volumes")
        await passes(proxy, again)
        await other.ask(target="/volumes")
        question = await one.say("no")
        assert "127.0.0.1" in question["client"]
        await refused(other)
    third = await proxy.connect()
    await third.ask(target="/volumes")
    await passes(proxy, third)
    (line,) = proxy.lines_of("said=hour")
    assert " until=" in line


def test_two_sockets_without_files_are_two() -> None:
    """An hour belongs to a user on one listener, be that a socket with a name in place of a file."""
    told = set[str]()
    for name in ("tp-a", "tp-b"):
        with socket.socket(socket.AF_UNIX) as near:
            near.bind(f"\0{name}-{os.getpid()}")
            watch = Watch()
            wire = Wire(near, ClientLost, watch)
            one = Whose.of("", Served(wire, "unix:uid=2000", "", Clients()))
            told.add(one.listener)
            wire.close()
            watch.close()
    assert told == {f"@tp-a-{os.getpid()}", f"@tp-b-{os.getpid()}"}


async def test_an_hour_is_over_by_whichever_clock_is_there_first(start: Start) -> None:
    """The monotonic one stands still while a laptop sleeps: the hour that the log names ends then."""
    proxy = await start(PING, ask=30)
    asking = proxy.server.asking
    assert asking is not None
    async with asker(proxy) as one:
        for end in (End(inf, 0), End(0, inf)):
            client = await proxy.connect()
            await client.ask(target="/volumes")
            await one.say("hour")
            await passes(proxy, client)
            hours = asking.hours
            hours._kept = [one._replace(end=end) for one in hours._kept]
        client = await proxy.connect()
        await client.ask(target="/volumes")
        await one.say("no")
        await refused(client)


async def test_an_hour_counts_for_what_waits_already(start: Start) -> None:
    """What waits when it is said, and needs the same, goes on by it, or is refused by it: it waited for an answer of its own, and was refused without one."""
    proxy = await start(PING, ask=30)
    async with asker(proxy) as one:
        for said, path in (("hour", "/volumes"), ("no-hour", "/info")):
            first, second = await proxy.connect(), await proxy.connect()
            await first.ask(target=path)
            question = await one.question()
            await second.ask(target=f"{path}?a=b")
            await one.question()
            await one.send(answer=question["question"], say=said)
            status = 403
            for _ in range(2 if said == "hour" else 0):
                await (await proxy.fake.accept()).answer(body=b"{}")
                status = 200
            for client in (first, second):
                assert (await client.read_response()).status == status


async def test_a_no_for_an_hour_is_asked_no_more(start: Start) -> None:
    """Nor is what needs that and more; when the hour is over, it is."""
    proxy = await start(PING, ask=30)
    client = await proxy.connect()
    async with asker(proxy) as one:
        await client.ask(target="/volumes")
        await one.say("no-hour")
        assert "no, for an hour" in await refused(client)
        await client.ask(target="/volumes")
        await refused(client)
        await client.ask(target="/info")
        assert (await one.say("no"))["operation"] == "SystemInfo"
        await refused(client)
        hours = proxy.server.asking.hours  # type: ignore[union-attr]
        hours._declined = dict.fromkeys(hours._declined, End(0, inf))
        await client.ask(target="/volumes")
        assert (await one.say("no"))["operation"] == "VolumeList"


async def test_all_that_is_missing_is_one_question(start: Start) -> None:
    """A creation that asks for two folders and another image is asked about once, with all three;
    what is shown of its body is what goes on, without our label, and no command that asks."""
    policy, _ = parse_policy({**CREATE, "ONLY_OWNER": "app", "ONLY_CONTAINERS": "@own"})
    gate = Gate.enforcing(policy, source="app.env", approve="trioproxy approve")
    proxy = await start(gate=gate, ask=30)
    client = await proxy.connect()
    body = {
        "Image": "alpine:3",
        "HostConfig": {"Binds": ["/srv/a:/a", "/srv/b:/b", "/data:/c:ro"]},
    }
    async with asker(proxy) as one:
        await client.ask(
            "POST", "/containers/create", JSON, body=json.dumps(body).encode()
        )
        question = await one.say("once")
        assert {grant["name"] for grant in question["grants"]} == {
            "CREATE_IMAGES=alpine:3",
            "CREATE_BINDS=/srv/b",
            "CREATE_BINDS=/data:ro",
        }
        assert question["root"] == ""
        assert '"Image": "alpine:3"' in question["body"]
        assert "trioproxy.owner" not in question["body"]
        assert "trioproxy approve" not in question["refused"]
        await passes(proxy, client)


async def test_nobody_is_asked_about_more_than_is_read(start: Start) -> None:
    """What needs so many lines in the file is asked about, and what needs one more is refused."""
    proxy = await start(CREATE, ask=30)
    async with asker(proxy) as one:
        for count in (MOST_GRANTS + 1, MOST_GRANTS):
            binds = [f"/srv/b{number}:/b" for number in range(count)]
            value = {"Image": "busybox", "HostConfig": {"Binds": binds}}
            body = json.dumps(value).encode()
            client = await proxy.connect()
            await client.ask("POST", "/containers/create", JSON, body=body)
            if count == MOST_GRANTS:
                assert len((await one.say("no"))["grants"]) == MOST_GRANTS
            await refused(client)
    assert len(proxy.lines_of(" notice asked ")) == 1


async def test_nobody_is_asked_about_what_is_not_there(start: Start) -> None:
    """A request that names nothing that there is would find nothing: it is refused, and no person asked, as the page says."""
    proxy = await start(LISTED, ask=30)
    client = await proxy.connect()
    async with asker(proxy):
        await client.ask("POST", "/containers/nope/kill")
        engine = await proxy.fake.accept()
        await engine.read_request()
        await engine.send(response("404 Not Found", body=b'{"message":"none"}'))
        assert "add ContainerKill" in await refused(client)
    assert not proxy.lines_of(" asked ")
    page = (ROOT / "docs" / "asking.md").read_text()
    assert "Never asked about: " in page
    assert "what names something that is not there" in page


@pytest.mark.parametrize("word", [None, "yes"])
async def test_root_wants_its_word(start: Start, word: str | None) -> None:
    """What gives root is let pass by nothing but the word, and waits on until it is said."""
    proxy = await start(CREATE, ask=30)
    client = await proxy.connect()
    body = b'{"Image": "busybox:latest", "HostConfig": {"Privileged": true}}'
    async with asker(proxy) as one:
        await client.ask("POST", "/containers/create", JSON, body=body)
        question = await one.say("hour", **({"word": word} if word else {}))
        assert question["root"]
        assert "root" in (await one.until("error"))["error"]
        assert not await proxy.fake.is_called()
        await one.send(answer=question["question"], say="hour", word="root")
        await passes(proxy, client)
    (line,) = proxy.lines_of("said=hour")
    assert " root=no" not in line


async def test_two_answers_for_an_hour_may_be_root_together(start: Start) -> None:
    """Each by itself is not: a container that runs with the default capabilities is limited, and a
    folder that is bound above a listed one is not root before that one is listed."""
    policy = {
        "ALLOW_OPERATIONS": "ContainerCreate,ContainerStart",
        "CREATE_BINDS": "/srv/data/x",
    }
    proxy = await start(policy, ask=30)
    first, second = await proxy.connect(), await proxy.connect()
    async with asker(proxy) as one:
        for client, bind in ((first, "/srv/y/inner"), (second, "/srv/y")):
            body = json.dumps({"HostConfig": {"Binds": [f"{bind}:/x"]}}).encode()
            await client.ask("POST", "/containers/create", JSON, body=body)
        found = [await one.question(), await one.question()]
        questions = sorted(found, key=lambda question: -len(question["body"]))
        assert [question["root"] for question in questions] == ["", ""]
        await one.send(answer=questions[0]["question"], say="hour")
        await passes(proxy, first)
        await one.send(answer=questions[1]["question"], say="hour")
        assert "root on the host" in (await one.until("error"))["error"]
        assert (await one.until("question"))["root"]


async def test_equal_requests_are_one_question(start: Start) -> None:
    """One answer is for all that wait for it; another query is another question."""
    proxy = await start(PING, ask=30)
    clients = [await proxy.connect() for _ in range(3)]
    async with asker(proxy) as one:
        for client in clients:
            await client.ask(target="/volumes")
        question = await one.question()
        await settle()
        other = await proxy.connect()
        await other.ask(target="/volumes?filters=%7B%7D")
        assert (await one.question())["question"] != question["question"]
        await one.send(answer=question["question"], say="no")
        for client in clients:
            await refused(client)


async def test_no_more_than_four_of_a_client_wait(start: Start) -> None:
    """The fifth is refused at once, and told why nobody was asked."""
    proxy = await start(PING, ask=30)
    async with asker(proxy) as one:
        for number in range(4):
            client = await proxy.connect()
            await client.ask(target=f"/volumes?x={number}")
            await one.question()
        client = await proxy.connect()
        await client.ask(target="/volumes?x=4")
        assert "nobody was asked, for 4 of a client wait" in await refused(client)


async def test_twenty_questions_at_once(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixteen are held, the others are refused at once, and each gets the answer to its own."""
    groups = itertools.count()
    monkeypatch.setattr(listeners, "group_of", lambda _: str(next(groups)))
    proxy = await start(PING, ask=30)
    held, turned_away = dict[str, Client](), 0
    async with asker(proxy) as one:
        for number in range(20):
            client = await proxy.connect()
            await client.ask(target=f"/volumes?x={number}")
            if number < 16:
                held[(await one.question())["question"]] = client
            else:
                await refused(client)
                turned_away += 1
        for number, name in enumerate(held):
            await one.send(answer=name, say=("once", "no")[number % 2])
        for number, client in enumerate(held.values()):
            await (refused(client) if number % 2 else passes(proxy, client))
    assert turned_away == 4


async def test_time_is_over(start: Start) -> None:
    """Nobody answers: it is refused, and whoever answers later is told that it is over."""
    proxy = await start(PING, ask=0.1)
    client = await proxy.connect()
    async with asker(proxy) as one:
        await client.ask(target="/volumes")
        question = await one.question()
        assert "nobody answered within" in await refused(client)
        assert (await one.until("closed"))["said"] is None
        await one.send(answer=question["question"], say="once")
        assert "over" in (await one.until("error"))["error"]


async def test_an_asker_that_leaves_holds_nobody(start: Start) -> None:
    """The last one that is gone has everybody refused; while another is there, it is asked."""
    proxy = await start(PING, ask=30)
    client = await proxy.connect()
    async with asker(proxy) as second:
        async with asker(proxy) as first:
            await client.ask(target="/volumes")
            question = await first.question()
        assert (await second.question())["question"] == question["question"]
        assert proxy.open_connections() == 1
    assert "nobody is there" in await refused(client)


async def test_the_first_of_two_askers_counts(start: Start) -> None:
    """The other one is told that it is over, and its answer is none."""
    proxy = await start(PING, ask=30)
    client = await proxy.connect()
    async with asker(proxy) as first, asker(proxy) as second:
        await client.ask(target="/volumes")
        question = await first.say("no")
        assert (await second.until("closed"))["said"] == "no"
        await second.send(answer=question["question"], say="once")
        assert "over" in (await second.until("error"))["error"]
    await refused(client)


async def test_an_answer_with_two_words_is_none(start: Start) -> None:
    """Of two the last one would count for some, and the first for others."""
    proxy = await start(PING, ask=30)
    client = await proxy.connect()
    async with asker(proxy) as one:
        await client.ask(target="/volumes")
        question = (await one.question())["question"]
        twice = f'{{"answer":"{question}","say":"no","say":"once"}}\n'
        await one.stream.send_all(twice.encode())
        assert "twice" in (await one.until("error"))["error"]
        await one.send(answer=question, say="no")
    await refused(client)


async def test_a_client_that_leaves_is_asked_about_no_more(start: Start) -> None:
    """The question ends with it, nothing goes to the Engine, and the log tells of a refusal as of any."""
    proxy = await start(PING, ask=30)
    client = await proxy.connect()
    async with asker(proxy) as one:
        await client.ask(target="/volumes")
        question = await one.question()
        client.close()
        assert (await one.until("closed"))["why"] == "its client left"
        await one.send(answer=question["question"], say="once")
        await one.until("error")
    assert not await proxy.fake.is_called()
    assert not proxy.lines_of(" crash ")
    (line,) = proxy.lines_of("path=/volumes")
    assert " warning request " in line
    assert " status=403 by=trioproxy " in line


async def test_who_leaves_beside_an_equal_request_ends_no_question(
    start: Start,
) -> None:
    """What was not put yet is put for who asked first, though an equal one waited and has left."""
    proxy = await start(PING, ask=30)
    first, second = await proxy.connect(), await proxy.connect()
    asking, weighs = proxy.server.asking, threading.Event()
    may_weigh = threading.Event()
    assert asking is not None
    widen = asking.hours.widen

    def held(policy: Policy, grants: Iterable[Grant]) -> Policy:
        if not grants:  # beside what is allowed for an hour, and nothing is
            weighs.set()
            assert may_weigh.wait(PATIENCE)
        return widen(policy, grants)

    asking.hours.widen = held
    async with asker(proxy) as one:
        await first.ask(target="/volumes")
        assert await trio.to_thread.run_sync(weighs.wait, PATIENCE)
        (question,) = asking._by_key.values()
        await second.ask(target="/volumes")
        await settle()
        assert question.waiting
        second.close()
        await settle()
        assert not question.waiting
        may_weigh.set()
        assert not question.over.is_set()
        await one.say("once")
        await passes(proxy, first)


async def test_who_is_asked_about_one_file_hears_that_it_is_gone(start: Start) -> None:
    """Its question is over with the policy, and whoever was asked by the file's name is told: the terminal showed it for as long as it was left alone."""
    proxy = await start(PING, ask=30)
    client, asking, files = await proxy.connect(), proxy.server.asking, {"": "app.env"}
    assert asking is not None
    asking.files = lambda: files
    async with asker(proxy, files=["app.env"]) as one:
        await client.ask(target="/volumes")
        question = await one.question()
        files.clear()
        asking.forget("")
        assert (await one.until("closed"))["closed"] == question["question"]
        await refused(client)


async def test_what_waits_for_an_answer_has_room(start: Start) -> None:
    """For all that is shown of it, until it is answered."""
    proxy = await start(PING, ask=30)
    held = proxy.server._shared.bodies.held
    client = await proxy.connect()
    async with asker(proxy) as one:
        await client.ask(target="/volumes")
        question = await one.question()
        assert held.held >= LONGEST_TOLD
        await one.send(answer=question["question"], say="no")
        await refused(client)
    await settle()
    assert held.held == 0


async def test_so_many_answers_for_an_hour_are_kept_and_no_more(start: Start) -> None:
    """One more yes has no room, and one more no takes that of the oldest."""
    asking = (await start(PING, ask=30)).server.asking
    assert asking is not None
    hours, grants = asking.hours, (Grant.of_operation("VolumeList"),)
    clients = [Whose("", "port 1", str(number)) for number in range(MOST_KEPT + 1)]
    last, *others = [hours.allow(one, grants, is_root=False) for one in clients][::-1]
    assert (last, all(others)) == (False, True)
    for one in clients:
        hours.decline(one, grants)
    first, *later = [hours.is_declined(one, grants) for one in clients]
    assert (first, all(later)) == (False, True)


async def test_an_hour_is_over_with_its_policy(start: Start) -> None:
    """What is called the same later, with a policy of its own, has nothing of it; others have theirs."""
    proxy = await start(PING, ask=30)
    asking = proxy.server.asking
    assert asking is not None
    grant = Grant.of_operation("VolumeList")
    mine, other = (Whose(policy, "port 1", "10.0.0.5") for policy in ("app", "db"))
    for who in (mine, other):
        asking.hours.allow(who, (grant,), is_root=False)
    asking.forget("app")
    assert (asking.hours.of(mine), asking.hours.of(other)) == ((), (grant,))


async def test_so_many_are_attached_and_no_more(start: Start) -> None:
    """One more is told so, and comes in when one of them has left."""
    proxy = await start(PING, ask=30)
    asking = proxy.server.asking
    assert asking is not None
    async with AsyncExitStack() as stack:
        for _ in range(MOST_ASKERS - 1):
            await stack.enter_async_context(asker(proxy))
        async with asker(proxy):
            late = Asker(await trio.open_unix_socket(asking.address.path))
            error = {"error": f"{MOST_ASKERS} are attached already"}
            async with late.stream:
                assert error.items() <= (await late.line()).items()
        await settle()
        await stack.enter_async_context(asker(proxy))


async def test_who_has_no_more_to_say_is_answered(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that ends its data while a person is asked, as of `nc -N`, may still read: it was closed without a word, where the log had its 403."""
    monkeypatch.setattr(connection, "HALF_CLOSE_SECONDS", 0.1)
    proxy = await start(PING, ask=30)
    client = await proxy.connect()
    async with asker(proxy) as one:
        await client.ask(target="/volumes")
        await one.question()
        client.sock.shutdown(socket.SHUT_WR)
        assert "VolumeList" in await refused(client)
        assert (await one.until("closed"))["why"] == "its client left"


async def test_a_drain_refuses_what_is_held(start: Start) -> None:
    """It ends the wait at once, and with it the socket of askers, whoever else is served still."""
    proxy = await start(PING, ask=30)
    client, served = await proxy.connect(), await proxy.connect()
    asking = proxy.server.asking
    assert asking is not None
    await served.ask(target="/_ping")
    engine = await proxy.fake.accept()
    async with asker(proxy) as one:
        await client.ask(target="/volumes")
        await one.question()
        proxy.nursery.start_soon(proxy.server.drain)
        assert "about to end" in await refused(client)
        while await one.line():
            pass
        await settle()
        assert not await trio.Path(asking.address.path).exists()
        await engine.answer()
        assert (await served.read_response()).status == 200


async def test_a_reload_judges_what_is_held_anew(start: Start) -> None:
    """What the new file lets pass goes on; what it refuses is asked about by the new file."""
    proxy = await start(PING, ask=30)
    client, other = await proxy.connect(), await proxy.connect()
    async with asker(proxy) as one:
        await client.ask(target="/volumes")
        await one.question()
        await other.ask(target="/info")
        question = await one.question()
        proxy.server.reload(enforcing({"ALLOW_OPERATIONS": "VolumeList"}))
        await passes(proxy, client)
        again = await one.say("no")
        assert again["operation"] == question["operation"] == "SystemInfo"
        assert again["question"] != question["question"]
        await refused(other)


async def test_a_reload_ends_what_was_for_an_hour(start: Start) -> None:
    """Unless it says just what the file said before; what goes on by it is cut."""
    proxy = await start(PING, ask=30)
    client = await proxy.connect()
    async with asker(proxy) as one:
        await client.ask(target="/events")
        await one.say("hour")
        engine = await proxy.fake.accept()
        await engine.read_request()
        proxy.server.reload(enforcing(PING))
        await settle()
        assert proxy.open_connections() == 1
        proxy.server.reload(enforcing({"ALLOW_OPERATIONS": "SystemInfo"}))
        assert await client.read_gone() in {"end", "reset"}
        client = await proxy.connect()
        await client.ask(target="/events")
        await one.say("no")
    assert proxy.lines_of("hour-over")


async def test_what_a_file_lists_by_now_is_allowed_for_no_hour(start: Start) -> None:
    """So who takes it out of the file again has taken it back."""
    proxy = await start(PING, ask=30)
    client, asking = await proxy.connect(), proxy.server._shared.asking
    async with asker(proxy) as one:
        await client.ask(target="/events")
        await one.say("hour")
        await (await proxy.fake.accept()).read_request()
        for more, are_over in (("SystemInfo", 0), ("SystemEvents", 1)):
            gate = enforcing({"ALLOW_OPERATIONS": f"{more},SystemPing"})
            assert asking is not None
            assert gate.policy is not None
            asking.hours.survive("", gate.policy)
            proxy.server.reload(gate)
            await settle()
            assert len(proxy.lines_of("hour-over")) == are_over


async def test_what_a_person_let_pass_once_outlives_a_reload(start: Start) -> None:
    """It was this request that was allowed, and no file spoke of it."""
    proxy = await start(PING, ask=30)
    client = await proxy.connect()
    async with asker(proxy) as one:
        await client.ask(target="/events")
        await one.say("once")
        engine = await proxy.fake.accept()
        await engine.read_request()
        proxy.server.reload(enforcing({"ALLOW_OPERATIONS": "SystemInfo"}))
        await settle()
        await engine.send(response(body=b"{}"))
        assert (await client.read_response()).status == 200


NEVER = [
    pytest.param(("POST", "/build"), b"x" * 64, "application/x-tar", id="build"),
    pytest.param(
        ("PUT", "/containers/web/archive?path=/"), b"x" * 512, "x/tar", id="archive"
    ),
    pytest.param(("POST", "/images/load"), b"x" * 64, "application/x-tar", id="load"),
    pytest.param(
        ("POST", "/images/create?fromSrc=-"),
        b"x" * 64,
        "application/x-tar",
        id="import",
    ),
    pytest.param(("POST", "/build?remote=http://x"), b"", "x/x", id="build-remote"),
    pytest.param(("POST", "/session"), b"", "x/x", id="session"),
    pytest.param(("GET", "/no/such/route"), b"", "x/x", id="unknown"),
    pytest.param(("POST", "/networks/create"), b"{'no'}", "x/x", id="no-json"),
    pytest.param(("POST", "/volumes/create"), b"{}" * 3, "x/x", id="two-values"),
]


@pytest.mark.parametrize(("request_", "body", "kind"), NEVER)
async def test_what_cannot_be_shown_whole_is_not_asked_about(
    start: Start, request_: tuple[str, str], body: bytes, kind: str
) -> None:
    """A stream of content, a route without a name, a body that is none: refused as ever."""
    proxy = await start(PING, ask=30)
    client = await proxy.connect()
    async with asker(proxy) as one:
        await client.ask(*request_, f"Content-Type: {kind}", body=body)
        assert (await client.read_response()).status == 403
        client = await proxy.connect()
        await client.ask(target="/info")
        assert (await one.question())["operation"] == "SystemInfo"


@pytest.mark.parametrize(
    "field",
    ["Accept-Language: en", "Sec-Fetch-Mode: cors", "User-Agent: Mozilla/5.0 (X11)"],
)
async def test_a_browser_is_not_asked_about(start: Start, field: str) -> None:
    """Whatever marks one has it refused at once, on a Unix socket too."""
    proxy = await start(PING, ask=30)
    client = await proxy.connect()
    async with asker(proxy):
        await client.ask("GET", "/volumes", field)
        await refused(client)


async def test_no_variable_no_question(start: Start) -> None:
    """Sections open too much: of their file nobody is asked."""
    proxy = await start({"CONTAINERS": "1"}, ask=30)
    client = await proxy.connect()
    async with asker(proxy):
        await client.ask(target="/volumes")
        await refused(client)


async def test_ids_that_are_shown_are_sent(start: Start) -> None:
    """What has another id when the answer comes stays refused, and what has another name."""
    sent, other, refuses = (
        "",
        "means something else now",
        "refused by the policy of now",
    )
    for later, name, why in (
        (ID, "db", sent),
        (OTHER, "db", other),
        (ID, "x", refuses),
    ):
        proxy = await start({**LISTED, "ALLOW_OPERATIONS": "ContainerStop"}, ask=30)
        client = await proxy.connect()
        async with asker(proxy) as one:
            await client.ask("POST", "/containers/db/stop")
            engine = await proxy.fake.accept()
            for _ in range(2):  # by the file, and with `db` in it
                await engine.read_request()
                await engine.send(container(name="/db"))
            question = await one.say("once")
            assert question["grants"][0]["name"] == "ONLY_CONTAINERS=db"
            assert question["names"][0]["id"] == ID
            assert ID in question["request"]
            await engine.read_request()
            await engine.send(
                container(name=f"/{name}").replace(ID.encode(), later.encode())
            )
            if not why:
                assert ID.encode() in (await engine.read_request()).line
                await engine.send(response(body=b"{}"))
                assert (await client.read_response()).status == 200
            else:
                assert why in await refused(client)
                assert not (await one.until("done"))["passed"]


@pytest.mark.parametrize(
    ("gone", "why"), [("Engine", "Engine"), ("client", "its client left")]
)
async def test_what_is_gone_at_the_answer_is_told_of(
    gone: str, why: str, start: Start
) -> None:
    """Who said yes hears that the request stays refused, and why: it heard nothing more of it."""
    proxy = await start({**LISTED, "ALLOW_OPERATIONS": "ContainerStop"}, ask=30)
    client = await proxy.connect()
    async with asker(proxy) as one:
        await client.ask("POST", "/containers/db/stop")
        engine = await proxy.fake.accept()
        for _ in range(2):
            await engine.read_request()
            await engine.send(container(name="/db"))
        question = await one.question()
        if gone == "Engine":
            proxy.fake.die()
        await one.send(answer=question["question"], say="once")
        if gone == "client":
            await engine.read_request()
            client.close()
        done = await one.until("done")
        assert not done["passed"]
        assert why in done["why"]


async def test_names_that_are_not_shown_are_counted(start: Start) -> None:
    """A prune of more than anybody reads says how many more it would remove."""
    file = {
        "ALLOW_OPERATIONS": "SystemPing",
        "ONLY_CONTAINERS": "job-*",
        "ONLY_OWNER": "app",
    }
    proxy = await start(file, ask=30)
    client = await proxy.connect()
    listed = [
        {"Id": f"{number:064x}", "Names": [f"/job-{number}"], "State": "exited"}
        for number in range(MOST_NAMES + 4)
    ]
    async with asker(proxy) as one:
        await client.ask("POST", "/containers/prune")
        engine = await proxy.fake.accept()
        await engine.read_request()
        await engine.send(response(body=json.dumps(listed).encode()))
        question = await one.say("no")
        assert (len(question["names"]), question["more"]) == (MOST_NAMES, 4)
        await refused(client)


async def test_text_of_a_client_is_escaped_and_cut(start: Start) -> None:
    """Nothing that a client says moves a cursor, hides, or is without an end."""
    proxy = await start(CREATE, ask=30)
    client = await proxy.connect()
    body: dict[str, object] = {"Image": "busybox:latest"}
    body["Cmd"] = ["\x1b[2J\u202e", "x" * 5_000]
    body["HostConfig"] = {"Binds": ["/srv/b:/b"]}
    async with asker(proxy) as one:
        await client.ask(
            "POST", "/containers/create", JSON, body=json.dumps(body).encode()
        )
        line = await one.question()
        assert "\\\\u001b[2J" in json.dumps(line["body"]) or "\\x1b[2J" in line["body"]
        assert line["body"].isprintable()
        assert len(json.dumps(line)) < 8_000


async def test_nothing_that_counts_is_pushed_out_of_sight(start: Start) -> None:
    """Neither names that the Engine ignores hide what it reads, nor `token=` a command; who it is
    run as is no secret, and what a secret holds is one."""
    proxy = await start(PING, ask=30)
    client = await proxy.connect()
    ignored = {f"X{number}": 1 for number in range(40)}
    command = ["sh", "-c", "token=1; rm -rf /data", "--password=hunter2"]
    asked = {**ignored, "Cmd": command, "User": "root", "Env": ["TOKEN=a b"]}
    host = {**ignored, "UsernsMode": "host", "Binds": ["/srv:/s"]}
    async with asker(proxy) as one:
        for target, body, shown in (
            ("/containers/web/exec", asked, (*command[:3], "=...", "root", "TOKEN=...")),
            ("/containers/create", {**ignored, "HostConfig": host}, ("host", "/srv")),
            ("/secrets/create", {"Name": "s", "Data": "hunter2"}, ("s", "...")),
        ):  # fmt: skip
            await client.ask("POST", target, JSON, body=json.dumps(body).encode())
            line = await one.say("no")
            await refused(client)
            assert [word for word in shown if word not in line["body"]] == []
            assert "hunter2" not in line["body"]
            assert "a b" not in line["body"]


async def test_who_reads_nothing_is_let_go(start: Start) -> None:
    """An asker that was stopped is, before much memory is kept for it; one that reads stays."""
    proxy = await start(CREATE, ask=30)
    asking = proxy.server.asking
    assert asking is not None
    line = {"question": "x" * 200_000}  # about as long as one can be
    async with asker(proxy), asker(proxy) as one:
        stopped, _ = asking._askers
        for _ in range(2 * MOST_UNREAD // 200_000):
            asking._tell("", line)
            assert await one.question() == line
        await settle()
        assert stopped.unread < MOST_UNREAD + 300_000
        assert stopped not in asking._askers
        assert len(asking._askers) == 1


async def test_others_have_their_turn_while_it_is_found_out_what_is_missing(
    start: Start,
) -> None:
    """Each list is made anew for each that is missing, in a thread and for one client at a time: beside four clients with fifteen, and a list of a thousand, others waited for 2 s."""
    proxy = await start(CREATE, ask=30)
    asking, at_work, seen = proxy.server.asking, list[str](), list[bool]()
    assert asking is not None
    hours = asking.hours
    widen = hours.widen

    def counted(policy: Policy, grants: Iterable[Grant]) -> Policy:
        at_work.append("")
        is_main = threading.current_thread() is threading.main_thread()
        seen.append(is_main or len(at_work) > 1)
        try:
            return widen(policy, grants)
        finally:
            at_work.pop()

    hours.widen = counted
    async with asker(proxy) as one:
        for place in "abcd":
            client = await proxy.connect()
            binds = [f"/opt/{place}/{number}:/x{number}" for number in range(15)]
            body = {"Image": "busybox:latest", "HostConfig": {"Binds": binds}}
            raw = json.dumps(body).encode()
            await client.ask("POST", "/containers/create", JSON, body=raw)
        done = 0
        while done < 4:  # one may be before the next is asked about
            line = await one.line()
            assert line, "it has left"
            if "question" in line:
                await one.send(answer=line["question"], say="once")
            done += "done" in line
    assert len(seen) > 60
    assert not any(seen)


async def test_a_no_beside_an_always_is_late(start: Start) -> None:
    """Whose always was taken writes the file: another one's no is none by then."""
    proxy = await start(PING, ask=30)
    client = await proxy.connect()
    async with asker(proxy) as one, asker(proxy) as other:
        await client.ask(target="/volumes")
        question = await one.say("always")
        await one.until("write")
        await other.say("no")
        assert "writes the file" in (await other.until("error"))["error"]
        await one.send(written=question["question"])
        await passes(proxy, client)


async def test_who_says_nothing_is_no_asker(start: Start) -> None:
    """A connection holds nobody until it has said what it is; what makes no sense is told so."""
    proxy = await start(PING, ask=30)
    assert proxy.server.asking is not None
    client = await proxy.connect()
    async with await trio.open_unix_socket(proxy.server.asking.address.path) as stream:
        one = Asker(stream)
        await client.ask(target="/volumes")
        await refused(client)
        for hello in ({"asker": 2}, {"asker": "1"}):
            await one.send(**hello)
            assert "begin with" in (await one.until("error"))["error"]
        await one.send(asker=1)
        await one.until("attached")
        for line in (
            {"answer": "x", "say": "once"},
            {"answer": ["x"], "say": "once"},
            {"written": "x"},
            {"say": "once"},
        ):
            await one.send(**line)
            await one.until("error")
        await one.stream.send_all(b"x" * 100_000)
        assert not await one.line()


async def test_no_descriptor_is_left_for_an_asker(
    start: Start, mock_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """It waits for one, and the log says so once: ten times a second there was a traceback of Python's on stderr, be that read or not."""
    proxy = await start(PING, ask=30)
    assert proxy.server.asking is not None
    late = trio.socket.socket(socket.AF_UNIX)
    await settle()
    with descriptor_limit(3):
        await late.connect(proxy.server.asking.address.path)
        for _ in range(20):
            await settle()
            mock_clock.jump(0.2)
    mock_clock.jump(0.2)
    async with trio.SocketStream(late) as stream:
        await Asker(stream).until("trioproxy")
    assert sum("out-of-descriptors" in line for line in proxy.lines()) == 1
    assert not caplog.records


async def test_who_says_a_lot_takes_nobodys_turn(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others have theirs between two lines of an asker: 5,000 that came at once held all clients for 0.1 s."""
    proxy = await start(PING, ask=30)
    parse, turns, seen = asking_module._parse, 0, list[int]()

    def counted(line: bytes) -> Mapping[str, object]:
        seen.append(turns)
        return parse(line)

    monkeypatch.setattr(asking_module, "_parse", counted)

    async def take_turns() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async with asker(proxy) as one, trio.open_nursery() as nursery:
        nursery.start_soon(take_turns)
        await one.stream.send_all(b"{}\n" * 5_000)
        for _ in range(5_000):
            await one.until("error")
        nursery.cancel_scope.cancel()
    assert len(set(seen)) > 2_000


async def test_another_user_is_kept_out(start: Start) -> None:
    """The uid of who attaches is the kernel's word."""
    proxy = await start(PING, ask=30)
    asking = proxy.server.asking
    assert asking is not None
    asking.uid += 1
    async with await trio.open_unix_socket(asking.address.path) as stream:
        assert "is not asked here" in (await Asker(stream).until("error"))["error"]
