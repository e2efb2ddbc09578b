"""Who a client is, by its container: asked of the Engine after each accept."""

import json
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import parse_qsl

import pytest
import trio

from tests.fakes import (
    Client,
    EngineConnection,
    FakeEngine,
    Message,
    chunk,
    connect,
    request,
    response,
    settle,
)
from tests.patience import PATIENCE
from tests.proxy.conftest import LogAt, flush
from trioproxy.commands.servedpolicy import ServedPolicy
from trioproxy.commands.serving import Serving
from trioproxy.config import Config, Level, TcpAddress, UnixAddress
from trioproxy.errors import ConfigError
from trioproxy.file.permissions import parse_policy
from trioproxy.hostpath import Own
from trioproxy.http.framing import Dechunked
from trioproxy.judge.gate import Gate
from trioproxy.limits.marks import OWNER_LABEL
from trioproxy.proxy import containers, listeners, server
from trioproxy.proxy.containers import LONGEST_EVENT
from trioproxy.proxy.inquiry import MOST_OF_AN_ANSWER
from trioproxy.proxy.log import Log
from trioproxy.proxy.server import Server

OWN = "0" * 64
NET = "e" * 64
LISTS = {
    "ps": Gate.enforcing(parse_policy({"ALLOW_OPERATIONS": "ContainerList"})[0]),
    "images": Gate.enforcing(parse_policy({"ALLOW_OPERATIONS": "ImageList"})[0]),
    "all": Gate.enforcing(
        parse_policy(
            {
                "BUILD": "1",
                "CONTAINERS": "1",
                "NETWORKS": "1",
                "POST": "1",
                "SERVICES": "1",
            }
        )[0]
    ),
}


def container(
    name: str,
    address: str = "127.0.0.1",
    *,
    full: str = "1" * 64,
    labels: dict[str, str] | None = None,
    end: str = "f" * 64,
    network: str = NET,
) -> dict[str, object]:
    """A container as the Engine lists it."""
    there = {"NetworkID": network, "EndpointID": end, "IPAddress": address}
    return {
        "Id": full,
        "Names": [f"/{name}"],
        "Labels": labels or {},
        "ImageID": "sha256:" + "a" * 64,
        "Status": "Up 2 hours",
        "NetworkSettings": {"Networks": {"tp": there}},
    }


def at(one: dict[str, Any]) -> dict[str, str]:
    """The address of a container as the Engine says it of its network."""
    end = one["NetworkSettings"]["Networks"]["tp"]
    there = {"IPv4Address": f"{end['IPAddress']}/8", "IPv6Address": ""}
    return {"Name": one["Names"][0][1:], "EndpointID": end["EndpointID"], **there}


def came_to(one: tuple[str, float]) -> bytes:
    """The event of a container that came to the network."""
    who = {"ID": NET, "Attributes": {"container": one[0]}}
    event = {"Type": "network", "Actor": who, "timeNano": int(one[1] * 1e9)}
    return json.dumps(event).encode() + b"\n"


@dataclass(kw_only=True)
class Host:
    """What the Engine has."""

    containers: list[dict[str, object]] = field(default_factory=list)
    lists: list[list[dict[str, object]]] = field(default_factory=list)
    """What is listed first, once each."""
    joined: list[dict[str, object]] | None = None
    """Who is on the network, where that is not who is listed."""
    started: dict[str, float] = field(default_factory=dict)
    came: list[tuple[str, float]] | None = field(default_factory=list)
    """Which container came to the network, and when; None: it knows no such filter."""
    image_labels: dict[str, str] | None = field(default_factory=dict)
    asked: list[bytes] = field(default_factory=list)
    events: list[EngineConnection] = field(default_factory=list)
    older: bytes = b"{}\n"
    """Those of its last events that are older than whoever connects."""
    called: str = "proxy"
    """What the proxy's own container is called."""
    network: str = NET
    """The network that it is on."""
    edit: Callable[[str], str] = str
    """What becomes of what it writes."""
    lists_us: bool = True
    """Whether the proxy is listed on its networks; of a pod Podman's lists one container."""
    tells: bool = True
    """Whether it tells of events."""
    refusals: int = 0
    """How often it tells of none first."""
    between: Callable[[EngineConnection], Awaitable[object]] | None = None
    """What happens between two pieces of a network's description, which comes in one chunk then."""
    holds_back: trio.Event | None = None
    held: bytes = b"/networks/"
    """How the questions begin whose answers are held back."""
    is_asked: trio.Event = field(default_factory=trio.Event)
    """Set when the answer to a question is held back."""

    async def answer(self, connection: EngineConnection) -> None:
        """Answer on one connection."""
        while True:
            try:
                request = await connection.read_request()
            except (AssertionError, OSError):
                return
            target = request.line.split()[1]
            self.asked.append(target)
            path = target.partition(b"?")[0].decode()
            if path == "/_ping":
                await connection.send(response("200 OK", "Connection: close"))
                connection.close()
                return
            if path == "/events" and b"until=" not in target:
                if not self.tells or self.refusals:
                    self.refusals = max(0, self.refusals - 1)
                    await connection.send(response("500 Internal Server Error"))
                    continue
                self.events.append(connection)
                head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                await connection.send(head.encode())
                return
            if self.holds_back is not None and target.startswith(self.held):
                self.is_asked.set()
                await self.holds_back.wait()
            asked = dict(parse_qsl(target.partition(b"?")[2].decode()))
            filters = json.loads(asked.get("filters", "{}"))
            with suppress(OSError):  # who has read enough hangs up
                answer = self._answer(path, filters)
                if self.between is None or not path.startswith("/networks/"):
                    await connection.send(answer)
                else:
                    body = chunk(answer.partition(b"\r\n\r\n")[2]) + b"0\r\n\r\n"
                    begun = response("200 OK", "Transfer-Encoding: chunked")
                    await connection.send(begun + body[:100])
                    await self.between(connection)
                    await connection.send(body[100:-7])
                    await settle()
                    await connection.send(body[-7:])

    def _answer(self, path: str, filters: dict[str, list[str]]) -> bytes:
        ids = filters.get("id")
        me = container("proxy", "127.0.0.9", full=OWN, network=self.network)
        if path == "/containers/json":
            us = [me] if self.lists_us else []
            there = [*us, *(self.lists.pop(0) if self.lists else self.containers)]
            value: object = [one for one in there if ids is None or one["Id"] in ids]
        elif path == f"/networks/{self.network}":
            joined = self.containers if self.joined is None else self.joined
            there = [me, *(one for one in joined if self.network in json.dumps(one))]
            value = {"Containers": {str(one["Id"]): at(one) for one in there}}
        elif path == f"/networks/{NET}":
            return response("404 Not Found", body=b"{}")
        elif path == "/events":
            if self.came is None:
                return response("500 Internal Server Error", body=b"{}")
            if "network" in filters:
                return response(body=b"".join(map(came_to, self.came)))
            return response(body=self.older)
        elif path.startswith("/containers/"):
            full = path.split("/")[2]
            began = datetime.fromtimestamp(self.started.get(full, 0.0), UTC)
            state = {"StartedAt": began.isoformat()}
            made = {"Config": {"Labels": {OWNER_LABEL: ""}}, "HostConfig": {}}
            value = {**me, **made, "Name": f"/{self.called}", "State": state}
        elif path.startswith("/images/sha256"):
            if self.image_labels is None:
                return response("404 Not Found", body=b"{}")
            value = {"Config": {"Labels": self.image_labels}}
        else:
            value = {}
        text = json.dumps(value, separators=(",", ":"))
        return response(body=self.edit(text + "\n").encode())

    async def tell(self, value: object) -> None:
        """Send an event to whoever listens."""
        text = value if isinstance(value, str) else json.dumps(value)
        line = text.encode() + b"\n"
        for one in self.events:
            await one.send(b"%x\r\n%b\r\n" % (len(line), line))


async def is_served(client: Client) -> None:
    """Ask for the list, and have it."""
    await client.ask("GET", "/containers/json")
    assert (await client.read_response()).status == 200


@dataclass(kw_only=True)
class Stack:
    """A proxy that knows its clients by their containers."""

    server: Server
    host: Host
    log: Path
    log_of: Log
    clients: list[Client] = field(default_factory=list)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server.addresses[0].rpartition(":")[2])

    async def connect(self, source: str = "") -> Client:
        """A new client, from 127.0.0.1 where no address is given."""
        client = await connect(self.server.addresses[0], source=source)
        self.clients.append(client)
        return client

    async def served(self) -> Client:
        """A new client that has been served, and may ask again."""
        client = await self.connect()
        await is_served(client)
        return client

    async def ask(
        self, target: str = "/containers/json", method: str = "GET", body: bytes = b""
    ) -> tuple[int, str]:
        """Ask on a new connection."""
        client = await self.connect()
        await client.ask(method, target, body=body)
        with trio.fail_after(PATIENCE):
            answer = await client.read_response()
        client.close()
        return answer.status, answer.body.decode()

    def lines(self) -> str:
        """The log so far."""
        flush(self.log_of)
        return self.log.read_text()


@pytest.fixture
def host() -> Host:
    """Nothing yet."""
    return Host()


@pytest.fixture
async def stack(
    host: Host, fake: FakeEngine, nursery: trio.Nursery, log_at: LogAt, tmp_path: Path
) -> AsyncIterator[Stack]:
    """The proxy, three policies of containers, and an Engine that says who is who."""
    nursery.start_soon(fake.serve, host.answer)
    log_file = tmp_path / "proxy.log"
    log = log_at(log_file)
    server = Server(
        config=Config(
            listen=(TcpAddress(host="127.0.0.1", port=0),),
            upstream=UnixAddress(path=str(fake.path)),
            policies="/policies",
        ),
        gates=LISTS,
        of_containers=tuple(LISTS),
        containers=True,
        log=log,
        own=Own(id=OWN),
    )
    await nursery.start(server.run)
    one = Stack(server=server, host=host, log=log_file, log_of=log)
    await be_heard_for_long(one)
    yield one
    for client in one.clients:
        client.close()
    nursery.cancel_scope.cancel()


LABEL = "trioproxy.policy"
COMPOSE = {
    "com.docker.compose.project": "shop",
    "com.docker.compose.service": "ps",
    "com.docker.compose.container-number": "1",
}


async def test_each_has_the_policy_of_its_name(stack: Stack) -> None:
    """By its name, and another container at the same address by its own, at once: nothing is remembered."""
    for name, statuses in (
        ("ps", (200, 403)),
        ("images", (403, 200)),
        ("ps", (200, 403)),
    ):
        stack.host.containers = [container(name)]
        found = [
            (await stack.ask(one))[0] for one in ("/containers/json", "/images/json")
        ]
        assert tuple(found) == statuses
    assert "client=ps@127.0.0.1:" in stack.lines()


async def test_no_table_of_addresses_ends_one_client(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever comes by IPv6 where no descriptor is left to look up its network is let go, and nobody else."""
    with monkeypatch.context() as patched:
        patched.setattr(listeners, "peer_of", lambda *_: "[::1]:5")
        patched.setattr(listeners, "ADDRESSES", tmp_path / "none")
        client = await stack.connect()
        assert await client.read_rest() == b""
    assert "cannot-watch" in stack.lines()
    assert (await stack.ask())[0] == 403


async def test_events_are_asked_for_since_then(stack: Stack) -> None:
    """The Engine sends the head of its events before it listens itself: it is asked to tell of what happens in between."""
    assert (await stack.ask())[0] == 403
    asked = next(one for one in stack.host.asked if one.startswith(b"/events?"))
    since = float(dict(parse_qsl(asked.decode()))["since"])
    assert 0 <= time.time() - since < PATIENCE


async def be_known(stack: Stack) -> None:
    """Ask, and be there for long: since when it is there is asked no more."""
    assert (await stack.ask())[0] == 200
    be_there_for_long(stack)


async def be_heard_for_long(stack: Stack) -> None:
    """Let the stream of events have told for ever: a client may connect before it does."""
    there = stack.server._containers
    assert there is not None
    with trio.fail_after(PATIENCE):
        await there._listening.wait()
    there._heard_since = -inf


def be_there_for_long(stack: Stack) -> None:
    """Let all who are known have been there for ever: how old a connection is the kernel tells in
    steps of some milliseconds, and one that is made right away may be told to be older."""
    assert stack.server._containers is not None
    for ends in stack.server._containers._ends.values():
        ends.update(dict.fromkeys(ends, -inf))


async def test_one_question_tells_who_it_is(stack: Stack) -> None:
    """One question a connection, be there many requests: who is on the network."""
    stack.host.containers = [container("ps")]
    await be_known(stack)
    before = len(stack.host.asked)
    client = await stack.connect()
    for _ in range(3):
        await client.ask("GET", "/containers/json")
        assert (await client.read_response()).status == 200
    asked = stack.host.asked[before:]
    assert asked == [b"/networks/%b" % NET.encode(), *[b"/containers/json"] * 3]
    assert stack.server._containers is not None
    assert stack.server._containers._asking == {}


async def test_who_it_is_takes_no_request_s_time(stack: Stack) -> None:
    """How long the Engine took to say who a client is counts for no request: of the first one our own time was less than nothing, and the sum that Prometheus reads fell."""
    server, host = stack.server, stack.host
    server._metrics = server._measure()
    server.reload(LISTS["ps"], client="ps", is_containers=True)
    host.containers = [container("ps")]
    host.holds_back = trio.Event()
    client = await stack.connect()
    await client.ask("GET", "/containers/json")
    await host.is_asked.wait()
    await trio.sleep(0.1)
    host.holds_back.set()
    assert (await client.read_response()).status == 200
    counts = server._metrics.of("ps")
    counts.fold()
    own, _ = counts._times["ContainerList"]
    assert own.seconds > 0


def count_calls(where: Callable[[FrameType], bool], count: list[int]) -> None:
    """Count what is called from now on where that counts, by Python or by C."""

    def counts(frame: FrameType, event: str, _: object) -> None:
        count[-1] += event in {"call", "c_call"} and where(frame)

    sys.setprofile(counts)


async def test_an_answer_in_pieces_is_read_at_one_look(
    stack: Stack, fake: FakeEngine
) -> None:
    """The Engine writes its answer in one chunk, and the socket has it in pieces: its lines are not walked over, and the connection carries the request then."""
    stack.host.containers = [container("ps")]
    await be_known(stack)

    async def later(_: EngineConnection) -> None:
        await settle()

    stack.host.between, walked = later, [0]
    count_calls(lambda frame: frame.f_code is Dechunked.feed.__code__, walked)
    try:
        assert (await stack.ask())[0] == 200
    finally:
        sys.setprofile(None)
    assert walked == [0]
    network = b"/networks/%b" % NET.encode()
    assert stack.host.asked[-2:] == [network, b"/containers/json"]


async def test_who_goes_while_the_answer_comes_is_nobody(stack: Stack) -> None:
    """The answer has begun to come, and the container goes: 403."""
    stack.host.containers = [container("ps")]
    await be_known(stack)

    async def goes(_: EngineConnection) -> None:
        await stack.host.tell(GONE)
        await settle()

    stack.host.between = goes
    status, text = await stack.ask()
    assert (status, "has gone" in text) == (403, True), text
    stack.host.between = None
    assert (await stack.ask())[0] == 200


@pytest.mark.parametrize("leaves", ["client", "engine"])
async def test_who_leaves_while_the_answer_comes(stack: Stack, leaves: str) -> None:
    """The client or the Engine leaves in the middle of the answer: nobody is chosen by a part of it, and others are served."""
    stack.host.containers = [container("ps")]
    await be_known(stack)
    client = await stack.connect()

    async def left(connection: EngineConnection) -> None:
        (connection if leaves == "engine" else client).close()
        await settle()

    stack.host.between = left
    await client.ask("GET", "/containers/json")
    if leaves == "engine":
        assert (await client.read_response()).status == 502
    await settle()
    stack.host.between = None
    assert (await stack.ask())[0] == 200
    assert "crash" not in stack.lines()


async def test_a_large_stack_is_no_limit(stack: Stack) -> None:
    """Four hundred containers beside the proxy, each with dozens of labels: who is who is told as among three, and two with one address are told apart from one."""
    labels = {f"label-{at}": "x" * 20 for at in range(50)}
    others = [
        container(
            f"c{at}",
            f"10.0.{at // 250}.{at % 250}",
            full=f"{at:064x}"[:64],
            labels=labels,
        )
        for at in range(1, 401)
    ]
    stack.host.containers = [*others, container("ps", full="f" * 64)]
    assert (await stack.ask())[0] == 200
    stack.host.containers.append(container("images", full="e" * 64))
    status, text = await stack.ask()
    assert (status, "of 2 containers" in text) == (403, True)


READ, UNREAD = "zz has no policy here", "says more of who has 127.0.0.1 than is read"
STRANGERS = {
    "1 MiB": ({"x": "x" * 1024 * 1024}, READ),
    "10,000": ({f"label-{at}": "x" for at in range(10_000)}, READ),
    "more than are read": ({f"label-{at}": "x" for at in range(20_001)}, UNREAD),
    "escapes": ({"x": "<" * 100_001}, UNREAD),
    "more than is read": ({"x": "x" * MOST_OF_AN_ANSWER}, UNREAD),
}


@pytest.mark.parametrize(("labels", "why"), STRANGERS.values(), ids=STRANGERS)
async def test_a_stranger_that_says_too_much_harms_nobody(
    stack: Stack, labels: dict[str, str], why: str
) -> None:
    """Whoever joins the network with labels without an end: others are served, and nothing is asked of it for them; who has its address is nobody."""
    stack.host.edit = lambda text: text.replace("<", "\\u003c")
    stranger = container("zz", "10.0.0.7", full="d" * 64, labels=labels)
    stack.host.containers = [stranger, container("ps")]
    assert [(await stack.ask())[0] for _ in range(3)] == [200] * 3
    assert not any(b"d" * 64 in one for one in stack.host.asked)
    stack.host.containers = [container("zz", full="d" * 64, labels=labels)]
    status, text = await stack.ask()
    assert (status, why in text) == (403, True), text
    stack.host.containers.append(container("ps"))
    assert (await stack.ask())[0] == 403


async def test_what_is_told_as_before_is_not_read_again(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixty containers on the network, as before: that is read once."""
    others = (
        container(f"c{at}", f"10.0.0.{at}", full=f"{at:064x}") for at in range(60)
    )
    stack.host.containers = [*others, container("ps", full="f" * 64)]
    await be_known(stack)
    read = list[bytes]()
    monkeypatch.setattr(containers, "parse_answer", read.append)
    assert (await stack.ask())[0] == 200
    assert not read


SPOILED: dict[str, Callable[[str], str]] = {
    "more behind it": lambda text: f"{text}{{}}",
    "less": lambda text: text.removesuffix("}\n"),
    "a name twice": lambda text: text.replace('"Name"', '"Name":"a","Name"'),
    "of another kind": lambda text: text.replace("127.0.0.1/8", '"],"x":["'),
    "a number": lambda text: text.replace('"127.0.0.1/8"', "1"),
}


@pytest.mark.parametrize("edit", SPOILED.values(), ids=SPOILED)
async def test_an_answer_that_is_none_names_nobody(
    stack: Stack, edit: Callable[[str], str]
) -> None:
    """Be somebody known or not: 502. And the next answer names him."""
    stack.host.containers = [container("ps")]
    assert (await stack.ask())[0] == 200
    for full in ("1" * 64, "2" * 64):
        stack.host.containers = [container("ps", full=full)]
        stack.host.edit = edit
        assert (await stack.ask())[0] == 502
        stack.host.edit = str
        assert (await stack.ask())[0] == 200


async def test_who_is_there_is_known_whoever_was_before(stack: Stack) -> None:
    """Who comes, goes, moves or is listed elsewhere, first or last: each answer says who it is."""
    ps, other = (
        container("ps", full="2" * 64),
        container("a", "10.0.0.6", full="3" * 64),
    )
    moved = container("ps", full="3" * 64)
    gone = container("ps", "10.0.0.7", full="2" * 64)
    there = [ps], [ps, other], [other, ps], [moved, gone], [ps], [moved], [moved, ps]
    for one in (*there, [ps]):
        stack.host.containers = [*one]
        status, _ = await stack.ask()
        assert status == (403 if one == [moved, ps] else 200), "an address of two"


CHOICES = {
    "label": ({LABEL: "ps"}, {}, "x1", 200),
    "label of the image": ({LABEL: "ps"}, {LABEL: "ps"}, "x1", 403),
    "label before name": ({LABEL: "images"}, {}, "ps", 403),
    "label without file, whatever the name": ({LABEL: "none"}, {}, "ps", 403),
    "Compose's service": (COMPOSE, {}, "shop-ps-1", 200),
    "service of a built image": (
        COMPOSE,
        {k: v for k, v in COMPOSE.items() if "number" not in k},
        "shop-ps-1",
        200,
    ),
    "service that the image has, and no number": (
        {k: v for k, v in COMPOSE.items() if "number" not in k},
        {},
        "shop-ps-1",
        403,
    ),
    "service, all of it from the image": (COMPOSE, COMPOSE, "shop-ps-1", 403),
    "marked": ({"trioproxy.owner": ""}, {}, "ps", 403),
    "marked, with a label": ({"trioproxy.owner": "x", LABEL: "ps"}, {}, "ps", 403),
    "marked, as its image is": (
        {"trioproxy.owner": ""},
        {"trioproxy.owner": ""},
        "ps",
        403,
    ),
    "image gone": ({LABEL: "ps"}, None, "ps", 403),
    "a path": ({LABEL: "../ps"}, {}, "x1", 403),
    "capitals": ({LABEL: "PS"}, {}, "x1", 403),
    "empty, whatever the name": ({LABEL: ""}, {}, "ps", 403),
    "no file": ({}, {}, "other", 403),
}


@pytest.mark.parametrize(
    ("labels", "image", "name", "status"), CHOICES.values(), ids=CHOICES
)
async def test_what_chooses(
    stack: Stack,
    labels: dict[str, str],
    image: dict[str, str] | None,
    name: str,
    status: int,
) -> None:
    """Its label, else its service, else its name; and nothing that an image, or a client, may have given."""
    stack.host.containers = [container(name, labels=labels)]
    stack.host.image_labels = image
    assert (await stack.ask())[0] == status


async def test_project_and_service_come_before_the_service(stack: Stack) -> None:
    """`shop.ps.env` is for one project, `ps.env` for all."""
    stack.host.containers = [container("shop-ps-1", labels=COMPOSE)]
    assert (await stack.ask())[0] == 200
    stack.server.reload(LISTS["images"], (), "shop.ps", is_containers=True)
    assert (await stack.ask())[0] == 403


async def test_nobody_is_told_what_would_help(stack: Stack) -> None:
    """403 names the file and the label; health is told to everybody."""
    stack.host.containers = [
        container("shop-web-1", labels={**COMPOSE, "com.docker.compose.service": "web"})
    ]
    status, text = await stack.ask()
    assert status == 403
    for word in ("shop.web.env", "web.env", "shop-web-1.env", "trioproxy.policy=NAME"):
        assert word in text
    assert stack.lines().count(" nobody client=127.0.0.1:") == 1
    before = len(stack.host.asked)
    assert (await stack.ask("/_trioproxy/health"))[0] == 200
    assert stack.host.asked[before:] == [b"/_ping"]
    assert stack.lines().count(" nobody ") == 1
    assert (await stack.ask())[0] == 403
    assert stack.server.has_turned_away
    assert stack.server._shared.accepted == 0, "who is nobody has no place"
    await settle()
    assert not stack.server._watch._unparked, "a task that is over counts as one"


async def test_who_asks_for_health_may_do_so_a_moment_later(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is asked who that is, and no line says that it is nobody."""
    monkeypatch.setattr(server, "SPEAKS_WITHIN", PATIENCE)
    client = await stack.connect()
    await settle()
    await client.ask("GET", "/_trioproxy/live")
    assert (await client.read_response()).status == 200
    assert " nobody " not in stack.lines()


async def test_a_task_of_a_swarm_is_told_of_its_service(stack: Stack) -> None:
    """What a task is called ends with it: told is a label for all of its service, which has a file that stays."""
    service = {"com.docker.swarm.service.name": "web"}
    stack.host.containers = [container("web.1.w0sqwdo7q504zq", labels=service)]
    for _ in range(2):  # of who is known already its labels are not
        status, text = await stack.ask()
        assert status == 403
        assert (
            "label trioproxy.policy=web all tasks of its service have web.env" in text
        )
        assert "zq.env" not in text
    chosen = {"trioproxy.policy": "other"}
    stack.host.containers = [container("web.2.x", labels=service | chosen)]
    assert "other.env in POLICIES would be its own" in (await stack.ask())[1]


NOBODIES = {
    "a gateway": ([], "no container"),
    "another host of a swarm": ([], "who asks from the host, another one, or through"),
    "two at once": (
        [container("ps"), container("images", full="2" * 64)],
        "of 2 containers: docker network inspect names them, make one anew",
    ),
    "on another network": ([container("ps", network="f" * 64)], "no container"),
    "another address": ([container("ps", "127.0.0.2")], "no container"),
}


@pytest.mark.parametrize(("there", "why"), NOBODIES.values(), ids=NOBODIES)
async def test_who_is_nobody(
    stack: Stack, there: list[dict[str, object]], why: str
) -> None:
    """An address says who somebody is only if one container has it, on a network of the proxy's."""
    stack.host.containers = there
    status, text = await stack.ask()
    assert status == 403
    assert why in text


async def test_who_started_later_is_not_who_connected(stack: Stack) -> None:
    """A container that came to an address after the connection was made is asked when it began, and has no part in it."""
    stack.host.containers = [container("ps", end="")]
    stack.host.started["1" * 64] = time.time() + 60
    status, text = await stack.ask()
    assert (status, "connect again" in text) == (403, True)
    stack.host.started["1" * 64] = time.time() - 1
    assert (await stack.ask())[0] == 200
    stack.host.came = None
    assert (await stack.ask())[0] == 200


async def test_who_came_within_a_tick_is_not_who_connected(stack: Stack) -> None:
    """The kernel says in its ticks how old a connection is: who came to the address a millisecond behind that has no part in it either."""
    with socket.create_connection(("127.0.0.1", stack.port)) as client:
        stack.host.containers = [container("ps")]
        stack.host.came = [("1" * 64, time.time())]
        client.sendall(request("GET", "/containers/json"))
        client.setblocking(False)
        with trio.fail_after(PATIENCE):
            await trio.lowlevel.wait_readable(client)
        answer = client.recv(4096)
    assert b" 403 " in answer
    assert b"connect again" in answer


async def test_who_asks_before_the_engine_notes_that_he_runs_is_known(
    stack: Stack,
) -> None:
    """Who came to the network before the connection was made has made it, be the Engine ever so late to note his start; but his last coming counts, and nobody else's."""
    stack.host.containers = [container("ps", end="")]
    stack.host.started["1" * 64] = time.time() + 60
    stack.host.came = [("1" * 64, time.time() - 1), ("2" * 64, time.time() + 60)]
    assert (await stack.ask())[0] == 200
    [question] = [one for one in stack.host.asked if b"until=" in one]
    assert NET.encode() in question, "of others' networks nothing is read"
    stack.host.came.append(("1" * 64, time.time() + 60))
    assert (await stack.ask())[0] == 403
    stack.host.came = [("2" * 64, time.time() - 1)]
    assert (await stack.ask())[0] == 403


async def test_who_had_the_address_before_is_listed_a_moment_longer(
    stack: Stack,
) -> None:
    """The Engine gives an address away before it notes that its container has ended: that is asked again."""
    stack.host.containers = [container("ps")]
    await stack.ask()
    stack.host.lists = [[*stack.host.containers, container("images", full="2" * 64)]]
    assert (await stack.ask())[0] == 200


async def asked_about(stack: Stack) -> tuple[Client, trio.Event]:
    """A client that has asked, and by what the Engine goes on to say who it is."""
    stack.host.containers = [container("ps")]
    stack.host.holds_back = trio.Event()
    client = await stack.connect()
    await client.ask("GET", "/containers/json")
    with trio.fail_after(PATIENCE):
        await stack.host.is_asked.wait()
    return client, stack.host.holds_back


async def test_who_hung_up_while_it_was_asked_about_is_gone(stack: Stack) -> None:
    """What it has asked for by then is not waited for: nobody would have the answer."""
    stack.host.containers = [container("ps")]
    stack.host.holds_back = who_is_that = trio.Event()
    client = await stack.connect()
    await client.ask("GET", "/v1.40/containers/json")
    with trio.fail_after(PATIENCE):
        await stack.host.is_asked.wait()
    client.reset()
    await settle()
    stack.host.is_asked, stack.host.holds_back = trio.Event(), trio.Event()
    stack.host.held = b"/v1.40/"
    who_is_that.set()
    with trio.fail_after(5):
        await stack.host.is_asked.wait()
    await settle()
    assert not stack.server.connections


@pytest.mark.parametrize("length", [1, 5 * 1024 * 1024], ids=["short", "long"])
async def test_a_container_that_the_engine_does_not_describe_is_known(
    stack: Stack, length: int
) -> None:
    """While somebody copies into a container the Engine does not say since when it runs: it was there before it connected where the Engine still has an event from before that, be that more than is read, and no later one of its coming."""
    stack.host.containers, stack.host.held = [container("ps")], b"/containers/1"
    stack.host.holds_back, stack.host.older = trio.Event(), b"x" * length
    assert (await stack.ask())[0] == 200
    stack.host.containers, stack.host.older = [container("ps", end="a" * 64)], b""
    client = await stack.connect()
    await client.ask("GET", "/containers/json")
    with trio.fail_after(PATIENCE):
        await stack.host.is_asked.wait()


async def test_who_was_moved_to_an_address_has_no_part_in_what_was_sent_from_it(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container that runs for hours may have come to its address just now, by `network connect`: since when it is there is asked when it has come, and not again."""
    monkeypatch.setattr(containers, "MOST_ENDS", 1)
    stack.host.containers = [container("ps")]
    await be_known(stack)
    for end in ("a" * 64, "b" * 64):  # it has left, and has come again
        stack.host.containers = [container("ps", end=end)]
        stack.host.came = [("1" * 64, time.time() + 60)]
        status, text = await stack.ask()
        assert (status, "connect again" in text) == (403, True)
        stack.host.came = [("1" * 64, time.time() - 1)]
        await be_known(stack)


async def test_a_clock_that_is_set_back_keeps_nobody_out(stack: Stack) -> None:
    """A container that was started, as the Engine noted it, in an hour from now is served when it connects again, as it was told to."""
    stack.host.containers, stack.host.older = [container("ps")], b""
    stack.host.started["1" * 64] = time.time() + 3600
    status, text = await stack.ask()
    assert (status, "connect again" in text) == (403, True)
    be_there_for_long(stack)
    assert (await stack.ask())[0] == 200


async def test_a_clock_that_is_set_forward_makes_nobody_older(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who came to an address after a connection was made from there has no part in it, be it an hour later by the machine's clock when that is asked."""
    client, answer = await asked_about(stack)
    now = time.time()
    actor = {"ID": NET, "Attributes": {"container": "1" * 64}}
    event = {"Type": "network", "Action": "connect", "Actor": actor}
    await stack.host.tell({**event, "timeNano": int(now * 1e9)})
    await settle()
    stack.host.came = [("1" * 64, now)]
    monkeypatch.setattr(time, "time", lambda: now + 3600)
    answer.set()
    assert (await client.read_response()).status == 403


CAME: dict[str, tuple[str, list[tuple[str, float]] | None, dict[str, object]]] = {
    "docker": ("a" * 64, [], {"ID": NET, "Attributes": {"container": "1" * 64}}),
    "podman": ("", None, {"ID": "1" * 64, "Attributes": {"network": "tp"}}),
}
"""The id of an end, what the Engine answers who came, and who the actor of the event is."""


@pytest.mark.parametrize(("end", "came", "actor"), CAME.values(), ids=CAME)
async def test_who_came_is_known_whatever_was_told_since(
    stack: Stack,
    end: str,
    came: list[tuple[str, float]] | None,
    actor: dict[str, object],
) -> None:
    """The Engine keeps its last events alone, and who makes many hides that somebody came; Podman does not know that question: the stream of events has told of it."""
    stack.host.containers = [container("ps")]
    await be_known(stack)
    stack.host.containers, stack.host.came = [container("ps", end=end)], came
    for later, status in ((60, 403), (-1, 200)):
        at = {"timeNano": int((time.time() + later) * 1e9)}
        event = {"Type": "network", "Action": "connect", "Actor": actor, **at}
        await stack.host.tell(event)
        await settle()
        assert (await stack.ask())[0] == status


async def test_who_came_to_a_network_that_is_the_proxys_since_is_known(
    stack: Stack,
) -> None:
    """That the proxy came to a network, and somebody behind it, is told at once, and what is told late the Engine has forgotten."""
    stack.host.containers = [container("ps")]
    await be_known(stack)
    other, at = "d" * 64, {"timeNano": int((time.time() + 60) * 1e9)}
    told = list[str]()
    for full in (OWN, "1" * 64):
        actor = {"ID": other, "Attributes": {"container": full}}
        event = {"Type": "network", "Action": "connect", "Actor": actor, **at}
        told.append(json.dumps(event))
    stack.host.network = other
    stack.host.containers = [container("ps", end="a" * 64, network=other)]
    await stack.host.tell("\n".join(told))
    await settle()
    status, text = await stack.ask()
    assert (status, "connect again" in text) == (403, True)


async def test_who_has_the_address_in_a_network_that_was_made_anew_is_known(
    stack: Stack,
) -> None:
    """A network was removed, and another one is there by its name: who has the address there that somebody had before is asked about, and not in a network that is none."""
    stack.host.containers = [container("ps")]
    await be_known(stack)
    other = stack.host.network = "d" * 64
    stack.host.containers = [container("ps", end="a" * 64, network=other)]
    await stack.host.tell({"Type": "network", "Actor": {"ID": OWN}})
    await settle()
    assert (await stack.ask())[0] == 200


async def test_a_question_that_takes_long_needs_a_time(stack: Stack) -> None:
    """Who was known at an address may have left it, and another one have come there, while the Engine took its time to answer."""
    stack.host.containers = [container("ps")]
    await be_known(stack)
    client, answer = await asked_about(stack)
    stack.host.containers = [container("ps", end="a" * 64)]
    stack.host.came = [("1" * 64, time.time())]
    answer.set()
    assert (await client.read_response()).status == 403


@pytest.mark.parametrize("is_told", [True, False], ids=["told", "not told"])
async def test_who_is_listed_and_has_gone_is_not_who_connected(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, is_told: bool
) -> None:
    """A container whose volumes take long to be put away is listed as before, with the address that another one has by then: who connects from there is that one, or nobody, be it told by an event or not yet."""
    monkeypatch.setattr(containers, "PAUSES", (0.01,))
    ps, images = container("ps"), container("images", full="2" * 64, end="a" * 64)
    stack.host.containers = [ps]
    await be_known(stack)
    client = await stack.served()
    if is_told:
        await stack.host.tell(LEFT)
        assert await client.read_gone() in {"end", "reset"}
    stack.host.joined = [images]  # its program runs, and the Engine has not noted that
    status, text = await stack.ask()
    assert (status, "the address of no container" in text) == (403, True)
    stack.host.containers = [ps, images]
    found = [(await stack.ask(one))[0] for one in ("/containers/json", "/images/json")]
    assert found == [403, 200]


async def test_who_waited_for_long_is_not_who_came_meanwhile(stack: Stack) -> None:
    """However long a connection has waited, whoever came to its address since then has no part in it."""
    client, answer = await asked_about(stack)
    stack.host.came = [("1" * 64, time.time())]
    answer.set()
    assert (await client.read_response()).status == 403


@pytest.mark.parametrize(
    ("older", "began", "status"),
    [(b"{}\n", 0.0, 200), (b"{}\n", 60.0, 403), (b"", 0.0, 403)],
    ids=["told", "began since", "forgotten"],
)
async def test_who_connected_before_there_were_events_may_be_forgotten(
    stack: Stack,
    monkeypatch: pytest.MonkeyPatch,
    older: bytes,
    began: float,
    status: int,
) -> None:
    """Who connects while no stream tells of events, as to a socket that is handed over, is known by what the Engine still tells of the time before that, and by when he was started; else whoever has his address by now may have been moved there."""
    monkeypatch.setattr(containers, "LISTEN_AGAIN", 0.2)
    stack.host.containers, stack.host.older = [container("ps")], older
    stack.host.started["1" * 64] = time.time() + began
    await settle()
    stack.host.tells = False  # until the client is there, however long that takes
    stack.host.events.pop().close()
    await settle()
    client = await stack.connect()
    await client.ask("GET", "/containers/json")
    stack.host.tells = True
    assert (await client.read_response()).status == status
    await trio.sleep(0.02)  # the kernel counts the age of a connection by its ticks
    assert (await stack.ask())[0] == 200


GONE: dict[str, object] = {
    "Type": "container",
    "Action": "die",
    "Actor": {"ID": "1" * 64},
}
LEFT: dict[str, object] = {
    "Type": "network",
    "Action": "disconnect",
    "Actor": {"ID": NET, "Attributes": {"container": "1" * 64}},
}
LEFT_ANOTHER = LEFT | {"Actor": {"ID": "f" * 64, "Attributes": {"container": "1" * 64}}}
LEFT_PODMAN: dict[str, object] = {
    "Type": "network",
    "Action": "disconnect",
    "Actor": {"ID": "1" * 64, "Attributes": {"name": "ps", "network": "tp"}},
}


@pytest.mark.parametrize(
    "event",
    [GONE, LEFT, LEFT_PODMAN, {**GONE, "Action": "rename"}],
    ids=["dies", "leaves", "leaves-podman", "renamed"],
)
async def test_it_is_cut_when_it_goes(stack: Stack, event: dict[str, object]) -> None:
    """Its connections end when its container does, leaves a network of the proxy's, or is called otherwise; others go on, and so does who leaves another network."""
    stack.host.containers = [container("ps")]
    client = await stack.served()
    await stack.host.tell(LEFT_ANOTHER)
    await settle()
    await is_served(client)
    stack.host.containers = [container("ps", full="2" * 64)]
    other = await stack.served()
    await stack.host.tell(event)
    assert await client.read_gone() in {"end", "reset"}
    await is_served(other)


@pytest.mark.parametrize(
    "label", ["<" * 100_001, "x" * LONGEST_EVENT, "x" * LONGEST_EVENT * 3],
    ids=["escapes", "long", "longer"],
)  # fmt: skip
async def test_an_event_that_is_too_much_cuts_nobody_else(
    stack: Stack, label: str
) -> None:
    """Who makes a container says how long its labels are, and with that its events, and how its image
    is called: they tell that it is gone, and of nobody else, and the stream goes on."""
    stack.host.containers = [container("ps")]
    client = await stack.served()
    stack.host.containers = [container("ps", full="2" * 64)]
    other = await stack.served()
    gone = {"ID": "1" * 64, "Attributes": {"a": label, "b": "2" * 64}}
    head = {"status": "die", "id": "1" * 64, "from": "x/" + "2" * 64}
    raw = json.dumps({**head, "Type": "container", "Action": "die", "Actor": gone})
    await stack.host.tell(raw.replace("<", "\\u003c"))
    assert await client.read_gone() in {"end", "reset"}
    await is_served(other)
    assert " events-lost " not in stack.lines()


async def test_who_goes_while_he_is_asked_about_is_nobody(stack: Stack) -> None:
    """An event that comes before the answer counts, whatever the answer says."""
    client, answer = await asked_about(stack)
    await stack.host.tell(GONE)
    await trio.testing.wait_all_tasks_blocked(0.05)
    answer.set()
    assert (await client.read_response()).status == 403


async def test_who_is_asked_about_when_events_break_has_not_gone(stack: Stack) -> None:
    """Nobody knows any more whose the address is, and what is told is that: his container is there."""
    client, answer = await asked_about(stack)
    stack.host.events.pop().close()
    await trio.testing.wait_all_tasks_blocked(0.05)
    answer.set()
    told = await client.read_response()
    assert (told.status, b"tells of no events" in told.body) == (504, True), told


async def test_who_connects_much_is_asked_about_by_turns(stack: Stack) -> None:
    """Of one address the Engine is asked about some connections at once: the others of it wait, and nobody else does."""
    other = container("ps", "127.0.0.2", full="2" * 64)
    stack.host.containers = [container("zz"), other]
    assert (await stack.ask())[0] == 403
    stack.host.holds_back, before = trio.Event(), len(stack.host.asked)
    many = [await stack.connect() for _ in range(containers.AT_ONCE + 5)]
    for one in many:
        await one.ask("GET", "/containers/json")
    await trio.testing.wait_all_tasks_blocked(0.05)
    assert len(stack.host.asked) - before == containers.AT_ONCE
    client = await stack.connect("127.0.0.2")
    await client.ask("GET", "/containers/json")
    await trio.testing.wait_all_tasks_blocked(0.05)
    assert len(stack.host.asked) - before == containers.AT_ONCE + 1
    stack.host.holds_back.set()
    with trio.fail_after(PATIENCE):
        assert (await client.read_response()).status == 200
        assert {(await one.read_response()).status for one in many} == {403}
    assert stack.server._containers is not None
    assert not stack.server._containers._turns


async def test_who_is_asked_about_when_all_shall_end_is_served(stack: Stack) -> None:
    """Its request came before the listener closed: it is judged and answered, and then the proxy ends."""
    client, answer = await asked_about(stack)
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stack.server.drain)
            await trio.testing.wait_all_tasks_blocked(0.05)
            answer.set()
            assert (await client.read_response()).status == 200


async def test_without_events_nobody_is_chosen(stack: Stack, fake: FakeEngine) -> None:
    """When the stream of events breaks, all who were chosen are cut, and choose again behind a new one."""
    stack.host.containers = [container("ps")]
    client = await stack.served()
    stack.host.events.pop().close()
    assert await client.read_gone() in {"end", "reset"}
    assert (await stack.ask())[0] == 200
    assert " events-lost " in stack.lines()


async def test_why_there_are_no_events_is_told(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An Engine that tells of none, as Podman where it keeps none: the log says once what it answers, and who waits reads of it."""
    stack.host.containers = [container("ps")]
    await stack.served()
    monkeypatch.setattr(containers, "CHOOSE_SECONDS", 0.3)
    monkeypatch.setattr(containers, "LISTEN_AGAIN", 0.05)
    stack.host.tells = False
    stack.host.events.pop().close()
    status, text = 200, ""
    with trio.fail_after(PATIENCE):
        while "tells of no events" not in text:
            status, text = await stack.ask()
    assert status == 504
    await settle()
    assert " nobody " in stack.lines()
    assert " turned-away " not in stack.lines()  # which is for want of a place
    said = "the Docker Engine answers 500 to a wait for events"
    assert stack.lines().count(said) == 1


@pytest.fixture
def tells_late(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Engine tells of no events while the proxy starts."""
    monkeypatch.setattr(containers, "LISTEN_AGAIN", 0.05)
    host.refusals = 2


@pytest.mark.usefixtures("tells_late")
async def test_an_engine_that_tells_of_events_later(stack: Stack) -> None:
    """Who starts before the Engine tells of any is told why nobody is chosen, once, and waits for it."""
    assert stack.lines().count(" events-lost ") == 1
    assert "the Docker Engine answers 500 to a wait for events" in stack.lines()
    stack.host.containers = [container("ps")]
    assert (await stack.ask())[0] == 200


async def test_a_proxy_in_a_pod_tells_nobody_apart(stack: Stack) -> None:
    """Its networks are the pod's: who comes is refused, and reads what would help."""
    stack.host.lists_us, stack.host.containers = False, [container("ps")]
    status, text = await stack.ask()
    assert (status, "it has that of its pod" in text) == (403, True)


async def test_a_proxy_on_no_network_of_its_own_tells_nobody_apart(
    stack: Stack,
) -> None:
    """On one that every Engine has an address says nothing: who comes is refused, and reads what would help."""
    stack.host.containers = [container("ps")]
    stack.host.edit = lambda text: text.replace('"tp":', '"bridge":')
    moved = {"ID": NET, "Attributes": {"container": OWN}}
    event = {"Type": "network", "Action": "disconnect", "Actor": moved}
    await stack.host.tell(event)
    status, text = await stack.ask()
    assert (status, "on one that every Engine has" in text) == (403, True)
    assert " no-network " in stack.lines()


async def test_without_events_it_is_not_ready(stack: Stack) -> None:
    """Nobody can be told from another then: `ready` says so, and is well again with a new stream."""

    async def until(wanted: int) -> str:
        status, said = 0, ""
        with trio.fail_after(PATIENCE):
            while status != wanted:
                status, said = await stack.ask("/_trioproxy/ready")
        return said

    await until(200)
    stack.host.tells = False
    stack.host.events.pop().close()
    assert "the Engine tells of no events" in await until(503)
    assert (await stack.ask("/_trioproxy/live"))[0] == 200
    stack.host.tells = True
    await until(200)


@pytest.fixture
def welcomed(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The names of each container that is learned from, which all are."""
    found = list[list[str]]()

    async def welcome(called: list[str]) -> None:
        found.append(called)

    assert stack.server._containers is not None
    monkeypatch.setattr(stack.server._containers, "welcome", welcome)
    return found


async def test_who_learns_tells_what_would_give_a_name(
    stack: Stack, welcomed: list[list[str]]
) -> None:
    """A container whose name can be no file's is nobody there as well, and reads which label would help."""
    for name in ("Web", "y" * 65):
        stack.host.containers = [container(name)]
        status, text = await stack.ask()
        assert (status, f"{name} has no policy" in text, LABEL in text) == (
            403,
            True,
            True,
        )
    stack.host.containers = [container("ps")]
    assert (await stack.ask())[0] == 200
    assert welcomed == [[], [], ["ps"]]


@pytest.mark.parametrize(("who", "status"), [("2", 200), ("1", 403)])
async def test_who_is_learned_is_welcomed_whoever_else_goes(
    who: str, status: int, stack: Stack, welcomed: list[list[str]]
) -> None:
    """A client that came while another container ended was not begun with, and refused as one without a policy."""
    stack.host.containers, stack.host.holds_back = [container("ps")], trio.Event()
    client = await stack.connect()
    await client.ask("GET", "/containers/json")
    with trio.fail_after(PATIENCE):
        await stack.host.is_asked.wait()
        await stack.host.tell({**GONE, "Actor": {"ID": who * 64}})
        await settle()
        stack.host.holds_back.set()
        assert (await client.read_response()).status == status
    assert welcomed == [["ps"]] * (status == 200)


async def test_a_policy_that_goes_takes_its_clients_along(stack: Stack) -> None:
    """A file that is taken out of the folder is nobody's any more, and who had it is cut."""
    stack.host.containers = [container("ps")]
    client = await stack.served()
    stack.server.forget("ps")
    assert await client.read_gone() in {"end", "reset"}
    assert (await stack.ask())[0] == 403


async def test_a_policy_that_comes_takes_its_clients(stack: Stack) -> None:
    """Who is connected by `ps.env` and has `shop.ps.env` from now on is cut, and judged by that; who would not have it goes on, and so does who has it when it is read again."""
    stack.host.containers = [container("shop-ps-1", labels=COMPOSE)]
    client = await stack.served()
    stack.host.containers = [container("ps", full="2" * 64)]
    other = await stack.served()
    stack.server.reload(LISTS["all"], (), "shop.ps", is_containers=True)
    assert await client.read_gone() in {"end", "reset"}
    stack.host.containers = [container("shop-ps-1", labels=COMPOSE)]
    client = await stack.connect()
    for one in (client, other):
        await one.ask("GET", "/containers/json")
        assert (await one.read_response()).status == 200
    stack.server.reload(LISTS["all"], (), "shop.ps", is_containers=True)
    for one in (client, other):
        await one.ask("GET", "/containers/json")
        assert (await one.read_response()).status == 200


@pytest.mark.parametrize("how", ["its lines", "its evidence", "one beside it"])
async def test_a_file_that_cannot_be_read_is_its_containers(
    how: str,
    stack: Stack,
    nursery: trio.Nursery,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whose `shop.ps.env` came and is not in force had `ps.env` for as long as that took, be that one's to do more: it is cut, and nobody until it is read, or gone, whatever a list of files leaves out."""
    folder, policies = tmp_path / "policies", dict[str, ServedPolicy]()
    folder.mkdir()
    file, beside = folder / "shop.ps.env", folder / "Shop.env"
    stack.server.config = replace(stack.server.config, policies=str(folder))
    is_kept = how != "its evidence"

    def add(client: str, path: str) -> ServedPolicy:
        if not is_kept:
            raise ConfigError("no evidence can be kept")
        policies[client] = one = ServedPolicy(
            client=client,
            env_file=path,
            is_containers=True,
            own=Own(id=OWN),
            policies=policies,
        )
        return one

    serving = Serving(server=stack.server, policies=policies, add=add, beside=nursery)
    stack.host.containers = [container("shop-ps-1", labels=COMPOSE)]
    client = await stack.served()
    good = "ALLOW_OPERATIONS=ContainerList\n"
    file.write_text("ALLOW_OPERATIONS=none\n" if how == "its lines" else good)
    if how == "one beside it":
        beside.touch()
    await serving.look_for_policies()
    assert await client.read_gone() in {"end", "reset"}
    status, text = await stack.ask()
    assert (status, "shop.ps.env of POLICIES is the policy of" in text) == (403, True)
    if how != "one beside it":
        file.unlink()
        await serving.look_for_policies()
        assert (await stack.ask())[0] == 200
    is_kept = True
    file.write_text(good)
    beside.unlink(missing_ok=True)
    await serving.look_for_policies()
    await serving.reload(*policies.values())
    assert (await stack.ask())[0] == 200
    assert "client=shop.ps@127.0.0.1" in stack.lines().splitlines()[-1]
    # A list that leaves it out, though it is there.
    with monkeypatch.context() as patch:
        patch.setattr(os, "listdir", lambda _: [])
        await serving.look_for_policies()
    assert (await stack.ask())[0] == 200
    assert "client=shop.ps@127.0.0.1" in stack.lines().splitlines()[-1]
    file.unlink()
    await serving.look_for_policies()
    assert (await stack.ask())[0] == 200


async def test_each_container_has_places_of_its_own(
    fake: FakeEngine, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two on one network of IPv6 share the first 64 bits of their addresses, and no places, nor those of who is not known yet; a second connection of one takes its own."""
    monkeypatch.setattr(listeners, "group_of", lambda _: "fd00::/64")
    host = Host(
        containers=[
            container("ps", "127.0.0.1"),
            container("images", "127.0.0.2", full="2" * 64),
        ]
    )
    nursery.start_soon(fake.serve, host.answer)
    server = Server(
        config=Config(
            listen=(TcpAddress(host="127.0.0.1", port=0),),
            upstream=UnixAddress(path=str(fake.path)),
            policies="/policies",
            max_connections_per_client=1,
        ),
        gates=LISTS,
        of_containers=tuple(LISTS),
        containers=True,
        log=Log(Level.EMERG),
        own=Own(id=OWN),
    )
    await nursery.start(server.run)
    clients = list[Client]()

    async def ask(address: str, target: str) -> Client:
        clients.append(one := await connect(server.addresses[0], source=address))
        await one.ask("GET", target)
        with trio.fail_after(PATIENCE):
            assert (await one.read_response()).status == 200
        return one

    clients.append(nobody := await connect(server.addresses[0], source="127.0.0.3"))
    await nobody.ask("GET", "/containers/json")  # and is asked about for a second
    first = await ask("127.0.0.1", "/containers/json")
    await ask("127.0.0.2", "/images/json")
    assert len(server.connections) == 2
    await ask("127.0.0.1", "/containers/json")
    with trio.fail_after(PATIENCE):
        assert not await first.fill()  # its end, and nothing before that
    for client in clients:
        client.close()
    nursery.cancel_scope.cancel()


def create(**host: object) -> bytes:
    """The body of a creation."""
    return json.dumps({"Image": "x", **host}).encode()


CREATE = "/containers/create"
CONNECT = f"/networks/{'d' * 64}/connect"
MAKE = "/networks/create"
REFUSED = {
    "rename": ("POST", "/containers/x/rename?name=ps", b""),
    "rename, with a slash": ("POST", "/containers/x/rename?name=/ps", b""),
    "connect by name": ("POST", "/networks/tp/connect", b'{"Container": "x"}'),
    "connect by the beginning of an id": (
        "POST",
        "/networks/eeee/connect",
        b'{"Container": "x"}',
    ),
    "connect by the id of an endpoint": (
        "POST",
        CONNECT,
        json.dumps({"Container": "x", "EndpointConfig": {"NetworkID": NET}}).encode(),
    ),
    "connect of the proxy": ("POST", CONNECT, b'{"Container": "proxy"}'),
    "connect of the proxy by its id": (
        "POST",
        "/networks/bridge/connect",
        json.dumps({"container": OWN[:12]}).encode(),
    ),
    "rename of the proxy": ("POST", "/containers/proxy/rename?name=free", b""),
    "connect, in another case": (
        "POST",
        CONNECT,
        json.dumps({"Container": "x", "endpointconfig": {"networkid": NET}}).encode(),
    ),
    "mode": ("POST", CREATE, create(HostConfig={"NetworkMode": "tp"})),
    "mode of a container": (
        "POST",
        CREATE,
        create(HostConfig={"NetworkMode": "container:ps"}),
    ),
    "build in a container's network": (
        "POST",
        "/build?networkmode=container:ps",
        b"",
    ),
    "mode in another case": ("POST", CREATE, create(hostconfig={"networkmode": NET})),
    "mode at the top": ("POST", CREATE, create(NetworkMode="tp")),
    "endpoint": (
        "POST",
        CREATE,
        create(NetworkingConfig={"EndpointsConfig": {"tp": {}}}),
    ),
    "id of an endpoint": (
        "POST",
        CREATE,
        create(NetworkingConfig={"EndpointsConfig": {"x": {"NetworkID": NET}}}),
    ),
    "a network on another's bridge": (
        "POST",
        MAKE,
        b'{"Name": "x", "Driver": "macvlan", "Options": {"parent": "br-eeeeeeeeeeee"}}',
    ),
    "the same in another case": ("POST", MAKE, b'{"Name": "x", "driver": "ipvlan"}'),
    "an overlay": ("POST", MAKE, b'{"Name": "x", "Driver": "overlay"}'),
    "a service": ("POST", "/services/create", b"{}"),
    "our label": ("POST", CREATE, create(Labels={LABEL: "ps"})),
}


@pytest.mark.parametrize(("method", "target", "body"), REFUSED.values(), ids=REFUSED)
async def test_nobody_becomes_somebody_else(
    stack: Stack, method: str, target: str, body: bytes
) -> None:
    """No policy lets a client rename a container to another's name, or get onto the proxy's networks."""
    stack.host.containers = [container("all")]
    status, text = await stack.ask(target, method, body)
    assert status == 403
    assert "in every policy here" in text or "the proxy's to give" in text


MOVED: dict[str, tuple[str, dict[str, str], dict[str, object], str]] = {
    "called otherwise": (
        "door",
        {"called": "door"},
        {
            "Type": "container",
            "Action": "rename",
            "Actor": {"ID": OWN, "Attributes": {"oldName": "/proxy", "name": "door"}},
        },
        "this proxy's own container",
    ),
    "on another network": (
        "x",
        {"network": "d" * 64},
        {
            "Type": "network",
            "Action": "connect",
            "Actor": {"ID": "d" * 64, "Attributes": {"container": OWN}},
        },
        "as one of this proxy's may be",
    ),
}


@pytest.mark.parametrize(("what", "now", "event", "why"), MOVED.values(), ids=MOVED)
async def test_the_proxy_is_known_as_it_is_now(
    stack: Stack, what: str, now: dict[str, str], event: dict[str, object], why: str
) -> None:
    """Somebody renames its container, or puts it onto another network: who is connected for long puts nothing there, though nobody new comes."""
    stack.host.containers = [container("all")]
    client = await stack.served()
    body = json.dumps({"Container": what}).encode()

    async def connects() -> Message:
        await client.ask("POST", CONNECT, body=body)
        return await client.read_response()

    assert (await connects()).status == 200
    for name, value in now.items():
        setattr(stack.host, name, value)
    await stack.host.tell(event)
    with trio.fail_after(PATIENCE):
        while (answer := await connects()).status == 200:
            pass
    assert (answer.status, why in answer.body.decode()) == (403, True)


async def test_the_networks_that_were_ours_have_a_bound(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the networks that the proxy was on some thousand are remembered; when they are forgotten all who were chosen there are cut, and known anew."""
    monkeypatch.setattr(containers, "MOST_ENDS", 2)
    stack.host.containers = [container("ps")]
    client, known = await stack.served(), stack.server._containers
    assert known is not None
    for letter in "abcd":
        stack.host.network = letter * 64
        stack.host.containers = [container("ps", network=letter * 64)]
        moved = {"ID": letter * 64, "Attributes": {"container": OWN}}
        event = {"Type": "network", "Action": "connect", "Actor": moved}
        await stack.host.tell(event)
        with trio.fail_after(PATIENCE):
            while letter * 64 not in known._were_ours:  # noqa: ASYNC110  another task asks
                await trio.sleep(0.01)
        assert len(known._were_ours) <= 2
    assert await client.read_gone() in {"end", "reset"}
    await stack.served()


async def test_a_proxy_that_moved_looks_once_where_it_is(stack: Stack) -> None:
    """Whatever is told later is no reason to ask for its networks again."""
    moved = {"ID": NET, "Attributes": {"container": OWN}}
    event = {"Type": "network", "Action": "connect", "Actor": moved}
    await stack.host.tell(event)
    await settle()
    before = len(stack.host.asked)
    await stack.host.tell(GONE)
    await settle()
    assert len(stack.host.asked) == before > 1


async def test_who_came_is_remembered_within_a_bound(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of those who came to a network the last ones are."""
    monkeypatch.setattr(containers, "MOST_ENDS", 2)
    for full in ("1" * 64, "2" * 64, "3" * 64):
        actor = {"ID": NET, "Attributes": {"container": full}}
        await stack.host.tell({"Type": "network", "Action": "connect", "Actor": actor})
    await settle()
    assert stack.server._containers is not None
    assert [*stack.server._containers._came] == ["2" * 64, "3" * 64]


async def test_while_nobody_knows_what_is_guarded_nobody_is_served(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy is put onto another network, and the Engine does not say which in time: who is connected is cut, and joins that one no more."""
    stack.host.containers = [container("all")]
    client = await stack.served()
    monkeypatch.setattr(containers, "CHOOSE_SECONDS", 0.1)
    stack.host.held, stack.host.holds_back = (
        b"/containers/%b/" % OWN.encode(),
        trio.Event(),
    )
    await stack.host.tell(MOVED["on another network"][2])
    with trio.fail_after(PATIENCE):
        assert await client.read_gone() in {"end", "reset"}
    assert "does not say which networks are ours" in stack.lines()


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/containers/x/rename?name=free", b""),
        (CONNECT, b'{"Container": "x"}'),
        (CREATE, create(HostConfig={"NetworkMode": "other"})),
        (CREATE, create(HostConfig={"NetworkMode": "t"})),
        (CREATE, create()),
        (MAKE, b'{"Name": "x"}'),
        (MAKE, b'{"Name": "x", "Driver": "bridge"}'),
    ],
    ids=[
        "rename",
        "connect",
        "create",
        "start of our name",
        "plain",
        "network",
        "bridge",
    ],
)
async def test_all_else_passes(stack: Stack, target: str, body: bytes) -> None:
    """Other names, and other networks, are what the policy says."""
    stack.host.containers = [container("all")]
    assert (await stack.ask(target, "POST", body))[0] == 200
