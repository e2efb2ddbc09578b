"""Volumes that are reserved while a creation is under way: every order of two requests."""

import json
import os
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.fakes import Client, EngineConnection, request, response, settle
from tests.proxy.conftest import OPEN, Proxy, Start
from tests.proxy.test_resolve import JSON, told
from trioproxy.errors import VolumeReserved
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.gate import Gate
from trioproxy.proxy.exchange import Exchange
from trioproxy.proxy.reservations import (
    LONGEST_KNOWN,
    LOOK_AGAIN,
    MOST_LOOKS,
    MOST_UNUSED,
    WAIT_SECONDS,
    Reservations,
)

LIMITED = {**OPEN, "CREATE_BINDS": "/srv/app"}
HEX = "c3" * 32
MISSING = response("404 Not Found", body=b'{"message":"no such volume"}')
CREATED = response("201 Created", body=b'{"Id":"x"}')
PLAIN = {"Name": "v", "Driver": "local", "Labels": None, "Options": None}
OPTIONS = {"type": "none", "o": "bind", "device": "/srv/app"}


@pytest.fixture
async def limited(start: Start) -> Proxy:
    """A proxy that limits what containers and volumes may have."""
    return await start(LIMITED)


def described(value: object) -> bytes:
    return response(body=json.dumps(value).encode())


def user(volume: str) -> dict[str, object]:
    """A container of a list, which has a volume."""
    mounts = [{"Type": "volume", "Name": volume}]
    return {"Id": "a1" * 32, "Names": ["/k"], "Labels": {}, "Mounts": mounts}


async def create(
    proxy: Proxy, *binds: str, tcp: bool = False, **host: object
) -> Client:
    """A client that creates a container with such binds."""
    client = await proxy.connect(tcp=tcp)
    value = {"Image": "x", "HostConfig": {"Binds": list(binds), **host}}
    body = json.dumps(value).encode()
    await client.send(request("POST", "/containers/create", JSON, body=body))
    return client


async def make(proxy: Proxy, name: str, options: object = OPTIONS) -> Client:
    """A client that makes a volume of a folder of the host."""
    client = await proxy.connect()
    body = json.dumps({"Name": name, "DriverOpts": options}).encode()
    await client.send(request("POST", "/volumes/create", JSON, body=body))
    return client


async def make_plain(proxy: Proxy) -> None:
    """A plain volume is made, that was not there."""
    await make(proxy, "v", options={})
    engine = await proxy.fake.accept()
    assert await asked(engine, MISSING) == ["/volumes/v"]
    await engine.read_request()
    await engine.send(response("201 Created", body=b"{}"))


async def asked(engine: EngineConnection, *answers: bytes) -> list[str]:
    """Answer the questions; say which they were."""
    lines = []
    for answer in answers:
        lines.append((await engine.read_request()).line.decode().split()[1])
        await engine.send(answer)
    return lines


IN_USE = "/volumes?filters=%7B%22dangling%22:%5B%22false%22%5D%7D"
ALL = "/containers/json?all=1"


def in_use(*names: str) -> bytes:
    """What the Engine has in use."""
    volumes = [{**PLAIN, "Name": name} for name in names]
    return described({"Volumes": volumes, "Warnings": ["a driver does not answer"]})


async def sent(engine: EngineConnection) -> list[str]:
    """The binds of a creation that the Engine gets now."""
    found = await engine.read_request()
    assert found.line.split()[1].endswith(b"/containers/create")
    binds = json.loads(found.body)["HostConfig"]["Binds"]
    assert isinstance(binds, list)
    return binds


async def under_way(
    proxy: Proxy, *binds: str, answer: bytes = MISSING
) -> tuple[Client, EngineConnection]:
    """A creation that the Engine has got, and has not answered."""
    client = await create(proxy, *binds)
    engine = await proxy.fake.accept()
    await asked(engine, *[answer] * len(binds))
    await sent(engine)
    return client, engine


def is_idle(proxy: Proxy) -> bool:
    """Whether nothing is reserved any more."""
    reservations = proxy.server._shared.reservations
    return not reservations.held and not reservations.under_way


async def test_a_first_use_goes_on_as_it_came(limited: Proxy) -> None:
    """A volume that is not there costs one question, and is filled."""
    client = await create(limited, "v:/v", "/srv/app:/a")
    engine = await limited.fake.accept()
    assert await asked(engine, MISSING) == ["/volumes/v"]
    assert await sent(engine) == ["v:/v", "/srv/app:/a"]
    await engine.send(CREATED)
    assert (await client.read_response("POST")).status == 201
    assert is_idle(limited)


USERS = {
    "nobody": ([], "v:/v"),
    "one": ([user("v")], "v:/v:nocopy"),
    "a longer name": ([user("v2")], "v:/v"),
}


@pytest.mark.parametrize(("users", "bind"), USERS.values(), ids=USERS)
async def test_who_has_it(limited: Proxy, users: list[Any], bind: str) -> None:
    """One that was made here is filled if no container has it, by its whole name."""
    await make_plain(limited)
    await create(limited, "v:/v")
    engine = await limited.fake.accept()
    questions = await asked(engine, described(PLAIN), described(users))
    assert questions[1] == "/containers/json?all=1&filters=%7B%22volume%22:%5B%22v%22%5D%7D"  # fmt: skip
    assert await sent(engine) == [bind]


async def test_what_was_there_before(limited: Proxy) -> None:
    """Nobody knows who is in a volume that no container has, so that it is not filled."""
    await create(limited, "v:/v")
    engine = await limited.fake.accept()
    assert await asked(engine, described(PLAIN)) == ["/volumes/v"]
    assert await sent(engine) == ["v:/v:nocopy"]


AFTERWARDS = {
    "made": (CREATED, False),
    "the image is not there": (response("404 Not Found", body=b"{}"), True),
    "it could not be made": (response("500 Server Error", body=b"{}"), False),
    "another proxy gave up": (response("502 Bad Gateway", body=b"{}"), False),
}


@pytest.mark.parametrize(("answer", "is_filled"), AFTERWARDS.values(), ids=AFTERWARDS)
@pytest.mark.parametrize("bind", ["v:/v", "v:/v:nocopy"])
async def test_who_had_it(
    limited: Proxy, bind: str, answer: bytes, is_filled: bool
) -> None:
    """A process is in a volume whose container is gone: it is filled before it ever had one."""
    await make_plain(limited)
    client = await create(limited, bind)
    engine = await limited.fake.accept()
    if bind == "v:/v":
        await asked(engine, described(PLAIN), described([]))
    assert await sent(engine) == [bind]
    await engine.send(answer)
    await client.read_response("POST")
    await create(limited, "v:/v")
    engine = await limited.fake.accept()
    if b"502" in answer:
        assert await asked(engine, in_use()) == [IN_USE]
    await asked(engine, described(PLAIN), *[described([])] * is_filled)
    assert await sent(engine) == ["v:/v" if is_filled else "v:/v:nocopy"]


async def test_a_first_use_that_the_engine_refuses(limited: Proxy) -> None:
    """The Engine may have made the volume by then: nobody had it, and it is filled next time."""
    client = await create(limited, "v:/v")
    engine = await limited.fake.accept()
    await asked(engine, MISSING)
    await sent(engine)
    await engine.send(response("404 Not Found", body=b"{}"))
    await client.read_response("POST")
    await create(limited, "v:/v")
    engine = await limited.fake.accept()
    await asked(engine, described(PLAIN), described([]))
    assert await sent(engine) == ["v:/v"]


async def test_names_are_forgotten_beyond_a_bound() -> None:
    """Of more volumes than are kept none counts as one that no container ever had, nor does
    one of a name that no volume can have, for a client chooses how long that is."""
    reservations = Reservations()
    reservations.keep_unused({"x" * LONGEST_KNOWN, "x" * (LONGEST_KNOWN + 1)})
    assert reservations.unused == {"x" * LONGEST_KNOWN}
    reservations = Reservations()
    reservations.keep_unused({str(n) for n in range(MOST_UNUSED)})
    assert len(reservations.unused) == MOST_UNUSED
    reservations.keep_unused({"one more"})
    assert not reservations.unused


OTHERS = {
    "of a folder": {**PLAIN, "Options": OPTIONS},
    "elsewhere": {**PLAIN, "Driver": "nfs"},
    "of no driver": {"Name": "v"},
}


@pytest.mark.parametrize("volume", OTHERS.values(), ids=OTHERS)
async def test_what_is_not_plain(limited: Proxy, volume: object) -> None:
    """Nobody asks who has what is not filled anyway."""
    await make_plain(limited)
    await create(limited, "v:/v:ro")
    engine = await limited.fake.accept()
    await asked(engine, described(volume))
    assert await sent(engine) == ["v:/v:ro,nocopy"]


async def test_a_creation_without_names_asks_nothing(limited: Proxy) -> None:
    """Nor does one whose client wants nothing filled."""
    for bind in ("/v", "v:/v:nocopy"):
        await create(limited, bind)
        assert await sent(await limited.fake.accept()) == [bind]


@pytest.mark.parametrize("mode", ["shadow", "learn", "open"])
async def test_what_limits_nothing_changes_nothing(start: Start, mode: str) -> None:
    """A shadow, learning without a ceiling and a file without `CREATE_*` neither ask nor wait."""
    policy, _ = parse_policy(LIMITED)
    gates = {
        "shadow": Gate.trying(policy),
        "learn": Gate.learning(learns_arguments=False),
        "open": Gate.enforcing(parse_policy(OPEN)[0]),
    }
    proxy = await start({}, gate=gates[mode])
    memory = {"Options": {"type": "tmpfs", "device": "tmpfs"}}
    mounts = [{"Type": "volume", "VolumeOptions": {"DriverConfig": memory}}]
    for _ in range(2):
        await create(proxy, "v:/v", Mounts=mounts)
        got = await (await proxy.fake.accept()).read_request()
        host = json.loads(got.body)["HostConfig"]
        del host["Mounts"][0]["VolumeOptions"]["Labels"]  # the mark
        assert host == {"Binds": ["v:/v"], "Mounts": mounts}
    assert is_idle(proxy)


async def test_learning_below_a_ceiling(start: Start) -> None:
    """What the ceiling limits is limited while it is learned from."""
    proxy = await start({}, gate=Gate.learning(parse_policy(LIMITED)[0]))
    await create(proxy, "v:/v")
    engine = await proxy.fake.accept()
    assert await asked(engine, response("403 Forbidden", body=b"{}")) == ["/volumes/v"]
    assert await sent(engine) == ["v:/v:nocopy"]


async def test_the_second_waits_and_finds_it_used(limited: Proxy) -> None:
    """Until the first is answered the second asks nothing; then it goes on with `nocopy`."""
    first, engine = await under_way(limited, "v:/v")
    second = await create(limited, "v:/w")
    assert not await limited.fake.is_called()
    await engine.send(CREATED)
    assert (await first.read_response("POST")).status == 201
    other = await limited.fake.accept()
    await asked(other, described(PLAIN))
    assert await sent(other) == ["v:/w:nocopy"]
    await other.send(CREATED)
    assert (await second.read_response("POST")).status == 201
    assert is_idle(limited)


async def test_who_comes_by_another_policy_waits_as_well(start: Start) -> None:
    """Reservations are of the process: two policies in it fill no volume at once."""
    other = Gate.enforcing(parse_policy({**LIMITED, "CREATE_BINDS": "/srv/other"})[0])
    proxy = await start(LIMITED, beside=other)
    first, engine = await under_way(proxy, "v:/v")
    second = await create(proxy, "v:/w", tcp=True)
    assert not await proxy.fake.is_called()
    await engine.send(CREATED)
    assert (await first.read_response("POST")).status == 201
    engine = await proxy.fake.accept()
    await asked(engine, described(PLAIN))
    assert await sent(engine) == ["v:/w:nocopy"]
    await engine.send(CREATED)
    assert (await second.read_response("POST")).status == 201
    assert is_idle(proxy)


async def test_who_leaves_while_it_waits_gives_its_room_back(limited: Proxy) -> None:
    """A client that is gone waits for no name any more, and holds nothing."""
    await under_way(limited, "v:/v")
    await settle()
    held = limited.server._shared.bodies.held.held
    second = await create(limited, "v:/w")
    await settle()
    assert limited.server._shared.bodies.held.held > held
    second.close()
    await settle()
    assert limited.server._shared.bodies.held.held == held


async def test_another_name_waits_for_nobody(limited: Proxy) -> None:
    """Only who names the same volume waits."""
    await under_way(limited, "v:/v")
    await under_way(limited, "w:/w")


async def test_a_use_that_is_not_filled_waits_as_well(limited: Proxy) -> None:
    """What would run in the volume is what must not: `nocopy` of the client's own is no pass."""
    await under_way(limited, "v:/v")
    await create(limited, "v:/v:nocopy")
    assert not await limited.fake.is_called()


async def test_a_volume_is_made_afterwards(limited: Proxy) -> None:
    """Nobody makes a folder of the host under the name that is about to be filled."""
    _, engine = await under_way(limited, "v:/v")
    await make(limited, "v")
    assert not await limited.fake.is_called()
    await engine.send(CREATED)
    other = await limited.fake.accept()
    await asked(other, described(PLAIN))
    got = await other.read_request()
    assert json.loads(got.body)["DriverOpts"] == OPTIONS


async def test_a_volume_that_is_being_made(limited: Proxy) -> None:
    """A creation that comes meanwhile asks afterwards, and sees what was made."""
    await make(limited, "v")
    engine = await limited.fake.accept()
    await asked(engine, MISSING)
    await engine.read_request()
    await create(limited, "v:/v")
    assert not await limited.fake.is_called()
    await engine.send(response("201 Created", body=b"{}"))
    other = await limited.fake.accept()
    await asked(other, described({**PLAIN, "Options": OPTIONS}))
    assert await sent(other) == ["v:/v:nocopy"]


async def test_a_removal_goes_on(limited: Proxy) -> None:
    """Whoever makes it anew waits, so that its removal alone swaps nothing."""
    await under_way(limited, "v:/v")
    client = await limited.connect()
    await client.send(request("DELETE", "/volumes/v"))
    assert (await (await limited.fake.accept()).read_request()).line.startswith(b"DELETE")  # fmt: skip


@pytest.mark.parametrize("first", ["w:/w", "/x"], ids=["named", "of the image"])
async def test_anonymous_names_wait_for_all(limited: Proxy, first: str) -> None:
    """What the Engine names itself is named by nobody else until it is answered."""
    client = await create(limited, first)
    engine = await limited.fake.accept()
    if first.startswith("w"):
        await asked(engine, MISSING)
    await sent(engine)
    await create(limited, f"{HEX}:/v")
    assert not await limited.fake.is_called()
    await engine.send(CREATED)
    await client.read_response("POST")
    other = await limited.fake.accept()
    volume = {**PLAIN, "Name": HEX}
    await asked(other, described(volume))
    assert await sent(other) == [f"{HEX}:/v:nocopy"]


async def test_anonymous_names_wait_for_nothing_that_comes_later(
    limited: Proxy,
) -> None:
    """A name that was known before a creation began is none of its volumes."""
    _, engine = await under_way(limited, "v:/v")
    await create(limited, f"{HEX}:/v")
    await settle()
    await under_way(limited, "w:/w")
    await engine.send(CREATED)
    assert (await asked(await limited.fake.accept(), MISSING))[0] == f"/volumes/{HEX}"


async def test_two_names_in_two_orders(limited: Proxy, nursery: trio.Nursery) -> None:
    """Creations of the same volumes end one after the other, whatever their order."""
    first, engine = await under_way(limited, "v:/v", "w:/w")
    ended: list[int] = []

    async def end(client: Client) -> None:
        ended.append((await client.read_response("POST")).status)

    nursery.start_soon(end, first)
    for binds in (("w:/w", "v:/v"), ("v:/v", "w:/w")):
        nursery.start_soon(end, await create(limited, *binds))
    for over in range(3):  # which of the others is next is nobody's to say
        assert not await limited.fake.is_called()
        await engine.send(CREATED)
        await settle()
        assert ended == [201] * (over + 1)
        if over < 2:
            engine = await limited.fake.accept()
            await asked(engine, MISSING, MISSING)
            await sent(engine)
    assert is_idle(limited)


async def test_a_client_that_hangs_up(limited: Proxy) -> None:
    """The Engine goes on, so its volumes stay reserved until it answers."""
    client, engine = await under_way(limited, "v:/v")
    client.close()
    assert await engine.read_rest() == b""  # it sees that the client is gone
    await create(limited, "v:/v")
    assert not await limited.fake.is_called()
    assert "end=client-left" in limited.lines_of("ContainerCreate")[-1]
    await engine.send(CREATED)
    other = await limited.fake.accept()
    await asked(other, described(PLAIN))
    assert await sent(other) == ["v:/v:nocopy"]


async def test_a_client_that_left_before_it_was_judged(limited: Proxy) -> None:
    """Nobody waits for what the Engine says of its volumes, and nothing is made."""
    client = await limited.connect()
    value = {"Image": "x", "HostConfig": {"Binds": ["v:/v"]}}
    body = json.dumps(value).encode()
    whole = request("POST", "/containers/create", JSON, body=body)
    await client.send(whole[: -len(body)])
    await settle()
    os.write(client.sock.fileno(), body)
    client.close()
    await settle()
    assert is_idle(limited)
    engine = await limited.fake.accept()
    assert b"/create" not in await engine.read_rest()


async def test_an_engine_that_dies_with_nobody_there(limited: Proxy) -> None:
    """Its end is an answer too: what does not run fills nothing."""
    client, engine = await under_way(limited, "v:/v")
    client.close()
    await settle()
    assert not is_idle(limited)
    engine.close()
    await settle()
    assert is_idle(limited)
    await limited.assert_clean()


@pytest.mark.parametrize("gives_up", ["dies", "says so"])
async def test_who_gave_up_before_the_engine(
    limited: Proxy, gives_up: str, autojump_clock: MockClock
) -> None:
    """The client gets a 502, and who waits goes on when the Engine is not at it any more: behind what
    closes, or says 504, after some time a client ran in a volume that the Engine still filled."""
    client, engine = await under_way(limited, "v:/v")
    await create(limited, "v:/v")
    if gives_up == "dies":
        engine.close()
    else:
        await engine.send(response("504 Gateway Timeout", body=b"{}"))
    assert (await client.read_response("POST")).status in {502, 504}
    engine = await limited.fake.accept()
    for _ in range(3):
        assert await asked(engine, in_use("v"), described([])) == [IN_USE, ALL]
    answers = in_use("v"), described([user("v")]), described(PLAIN)
    assert await asked(engine, *answers) == [IN_USE, ALL, "/volumes/v"]
    assert await sent(engine) == ["v:/v:nocopy"]


async def under_way_now(proxy: Proxy) -> None:
    """Who has waited asks now."""
    assert await asked(await proxy.fake.accept(), MISSING) == ["/volumes/v"]


async def test_an_engine_that_never_answers(
    limited: Proxy, autojump_clock: MockClock
) -> None:
    """Who waits is told for what, and what to do; who was first keeps what it has."""
    await under_way(limited, "v:/v")
    began = trio.current_time()
    client = await create(limited, "v:/v")
    answer = await client.read_response("POST")
    assert trio.current_time() - began == pytest.approx(WAIT_SECONDS, abs=1)
    assert answer.status == 503
    assert "another request needs volume 'v'" in told(answer)
    assert "try again" in told(answer)
    assert not is_idle(limited)


async def test_who_gave_up_has_nothing(
    limited: Proxy, autojump_clock: MockClock
) -> None:
    """Of two names one was taken already: it is free again."""
    await under_way(limited, "w:/w")
    client = await create(limited, "v:/v", "w:/w")
    assert (await client.read_response("POST")).status == 503
    await under_way(limited, "v:/v")


async def test_refused_after_reserving(start: Start) -> None:
    """Refused by what it names, a request gives back what it reserved."""
    proxy = await start({**LIMITED, "ONLY_VOLUMES": "w", "ONLY_OWNER": "app"})
    for _ in range(2):
        client = await create(proxy, "v:/v")
        engine = await proxy.fake.accept()
        await asked(engine, described(PLAIN))
        assert (await client.read_response("POST")).status == 403
        assert is_idle(proxy)


async def test_an_engine_that_does_not_say(limited: Proxy) -> None:
    """A question that fails gives back what was reserved; the log tells it from what cannot be read."""
    client = await create(limited, "v:/v")
    await asked(await limited.fake.accept(), response("500 Oh", body=b"{}"))
    assert (await client.read_response("POST")).status == 502
    assert is_idle(limited)
    assert " decision=refused reason=unresolved " in limited.lines_of(" request ")[0]
    client = await limited.connect()
    await client.ask("POST", "/containers/create", JSON, body=b"{")
    assert (await client.read_response("POST")).status == 400
    assert " decision=rejected " in limited.lines_of(" request ")[1]


async def test_where_objects_are_limited(start: Start) -> None:
    """A volume that we make first is filled; nobody is asked who has it."""
    proxy = await start({**LIMITED, "ONLY_VOLUMES": "v", "ONLY_OWNER": "app"})
    await create(proxy, "v:/v")
    engine = await proxy.fake.accept()
    made = response("201 Created", body=json.dumps(PLAIN).encode())
    assert await asked(engine, MISSING, made) == ["/volumes/v", "/volumes/create"]
    assert await sent(engine) == ["v:/v"]


async def test_a_reload_that_cuts_it(limited: Proxy) -> None:
    """The client is cut at once; its volumes stay reserved until the Engine answers."""
    client, engine = await under_way(limited, "v:/v")
    limited.server.reload(
        Gate.enforcing(parse_policy({**LIMITED, "CONTAINERS": "0"})[0])
    )
    assert await client.read_rest() == b""
    limited.server.reload(Gate.enforcing(parse_policy(LIMITED)[0]))
    await create(limited, "v:/v")
    assert not await limited.fake.is_called()
    await engine.send(CREATED)
    await under_way_now(limited)


async def test_a_container_that_goes(limited: Proxy) -> None:
    """Its client is cut by each event of that, and its volumes stay reserved all the same."""
    client, engine = await under_way(limited, "v:/v")
    for _ in range(2):
        limited.server.cut("container-gone", lambda _: True)
        assert await client.read_rest() == b""
        await settle()
    await create(limited, "v:/v")
    assert not await limited.fake.is_called()
    await engine.send(CREATED)
    await under_way_now(limited)


async def test_a_reload_while_others_are_waited_for(limited: Proxy) -> None:
    """Who waited is judged by the policy of now."""
    _, engine = await under_way(limited, "v:/v")
    client = await make(limited, "v")
    await settle()
    limited.server.reload(Gate.enforcing(parse_policy({**LIMITED, "VOLUMES": "0"})[0]))
    await engine.send(CREATED)
    await under_way_now(limited)
    assert (await client.read_response("POST")).status == 403
    assert is_idle(limited)


async def test_a_crash(limited: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug of ours while the Engine works frees nothing before the Engine is done."""
    client, engine = await under_way(limited, "v:/v")

    def crash(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(Exchange, "client_hung_up", crash)
    client.half_close()
    assert (await client.read_response("POST")).status == 500
    assert not is_idle(limited)
    client.close()
    await engine.send(CREATED)
    await settle()
    assert is_idle(limited)


async def test_the_end_of_the_server(limited: Proxy, autojump_clock: MockClock) -> None:
    """A drain waits for the Engine as for any finite request, and then ends."""
    client, _ = await under_way(limited, "v:/v")
    await under_way(limited, "w:/w")
    client.close()
    await settle()
    assert not is_idle(limited)
    await limited.server.drain()
    await settle()
    assert is_idle(limited)


async def test_a_name_that_is_taken_and_one_that_is_cancelled() -> None:
    """Cancelled while it waits, a request leaves nothing behind."""
    reservations = Reservations()
    first = await reservations.take({"b"})
    with trio.move_on_after(0):
        await reservations.take({"a", "b", "c"})
    assert set(reservations.held) == {"b"}
    first.release(may_use=True)
    first.release(may_use=True)
    assert not reservations.held
    assert not reservations.under_way


async def test_what_is_said_of_many(autojump_clock: MockClock) -> None:
    """The first three names, whatever is in them."""
    reservations = Reservations()
    await reservations.take({"a"})
    with pytest.raises(VolumeReserved, match="one of the volumes 'a', 'b', 'c', and"):
        await reservations.take({"a", "b", "c", "d"})


@pytest.fixture
async def second(limited: Proxy) -> Proxy:
    """The same, in the place of a proxy that has ended."""
    limited.server._shared.reservations = Reservations()
    return limited


async def test_nothing_is_left_of_a_process_before(second: Proxy) -> None:
    """The first volume costs one question more, or two where some are in use; later ones none."""
    await create(second, "v:/v")
    engine = await second.fake.accept()
    answers = in_use("u"), described([user("u")]), MISSING
    assert await asked(engine, *answers) == [IN_USE, ALL, "/volumes/v"]
    assert await sent(engine) == ["v:/v"]
    await under_way(second, "w:/w")


@pytest.mark.parametrize(("answer", "status"), [(response("500 Oh", body=b"{}"), 502), (b"", 503)])  # fmt: skip
async def test_an_engine_that_does_not_say_what_is_under_way(
    second: Proxy, autojump_clock: MockClock, answer: bytes, status: int
) -> None:
    """What nobody knows may be filled just now: nothing is created."""
    client = await create(second, "v:/v")
    engine = await second.fake.accept()
    assert await asked(engine, answer) == [IN_USE]
    assert (await client.read_response("POST")).status == status
    assert is_idle(second)


async def test_an_engine_that_tells_of_no_mounts(second: Proxy) -> None:
    """An older Podman has volumes in use, and says of no container that it has them."""
    await create(second, "v:/v")
    engine = await second.fake.accept()
    answers = in_use("v"), described([{**user("v"), "Mounts": None}]), described(PLAIN)
    assert await asked(engine, *answers) == [IN_USE, ALL, "/volumes/v"]


async def test_a_creation_of_a_process_before(
    second: Proxy, autojump_clock: MockClock
) -> None:
    """A client let a creation fill a volume for as long as it took to start the proxy anew, and
    ran in the volume meanwhile: it waits until the container is there. Who needs another one
    waits until no more come."""
    await create(second, "v:/v:nocopy")
    engine = await second.fake.accept()
    for names in (["v"], ["v", "x"], ["v", "x"]):
        questions = await asked(engine, in_use(*names), described([user("u")]))
        assert questions == [IN_USE, ALL]
    await under_way(second, "w:/w")
    is_over = in_use("v", "x", "w"), described([user("v")])
    assert await asked(engine, *is_over) == [IN_USE, ALL]
    assert await sent(engine) == ["v:/v:nocopy"]
    client = await create(second, "x:/x")
    still = in_use("x"), described([user("v")])
    for _ in range(int(WAIT_SECONDS)):
        engine = await second.fake.accept() if _ == 0 else engine
        assert await asked(engine, *still) == [IN_USE, ALL]
    assert (await client.read_response("POST")).status == 503


async def test_who_has_more_made_all_the_time(
    second: Proxy, autojump_clock: MockClock
) -> None:
    """What is under way is looked at so often, and then others go on, but for what was there."""
    await create(second, "v:/v")
    engine, began = await second.fake.accept(), trio.current_time()
    for count in range(MOST_LOOKS + 1):
        await asked(engine, in_use(*map(str, range(count + 1))), described([]))
    assert await asked(engine, MISSING) == ["/volumes/v"]
    assert trio.current_time() - began == pytest.approx(MOST_LOOKS * LOOK_AGAIN)
    assert await sent(engine) == ["v:/v"]
