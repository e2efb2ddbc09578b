"""Objects on the way: asked for, judged, and sent on by their ids."""

import json
from typing import Any

import pytest
import trio

from tests.fakes import (
    HEADS,
    Client,
    EngineConnection,
    Message,
    request,
    response,
)
from tests.proxy.conftest import OPEN, Proxy, Start
from trioproxy.api.routes import OPERATIONS
from trioproxy.file.permissions import parse_policy
from trioproxy.hostpath import Own, find_own
from trioproxy.judge.gate import Gate

JSON = "Content-Type: application/json"
ID = "a1" * 32
OTHER = "b2" * 32
OWN = {"trioproxy.owner": "app"}
LISTED = {
    "ALLOW_OPERATIONS": ",".join(OPERATIONS.keys() - {"BuildKitGrpc"}),
    "ONLY_CONTAINERS": "@own",
    "ONLY_OWNER": "app",
}


@pytest.fixture
async def own(start: Start) -> Proxy:
    """A proxy whose client may name what it made."""
    return await start(LISTED)


@pytest.fixture
async def named(start: Start) -> Proxy:
    """A proxy that lists a name."""
    return await start({**LISTED, "ONLY_CONTAINERS": "web"})


def container(labels: object = None, name: str = "/web", **more: Any) -> bytes:  # noqa: ANN401  JSON
    value = {
        "Id": ID,
        "Name": name,
        "Image": f"sha256:{OTHER}",
        "Config": {"Labels": labels},
        "HostConfig": {},
        **more,
    }
    return response(body=json.dumps(value).encode())


def image(labels: object = None) -> bytes:
    value = {"Id": f"sha256:{OTHER}", "Config": {"Labels": labels}}
    return response(body=json.dumps(value).encode())


def told(answer: Message) -> str:
    text = json.loads(answer.body)["message"]
    assert isinstance(text, str)
    return text


async def asking(
    proxy: Proxy, method: str, target: str, *fields: str, body: bytes = b""
) -> tuple[Client, EngineConnection, bytes]:
    client = await proxy.connect()
    await client.send(request(method, target, *fields, body=body))
    engine = await proxy.fake.accept()
    return client, engine, (await engine.read_request()).line


PATHS = [
    ("web", "web"),
    (ID[:3], ID[:3]),
    ("par/alias", "par%2Falias"),
    ("par%2Falias", "par%2Falias"),
    ("a%20b%3F", "a%20b%3F"),
]


@pytest.mark.parametrize(("written", "asked"), PATHS, ids=[p[0] for p in PATHS])
async def test_a_container_goes_on_by_its_id(
    named: Proxy, written: str, asked: str
) -> None:
    """One question; then the request, with version and query as they came."""
    target = f"/v1.45/containers/{written}/logs?stdout=1"
    _, engine, question = await asking(named, "GET", target)
    assert question == f"GET /containers/{asked}/json HTTP/1.1".encode()
    await engine.send(container())
    sent = await engine.read_request()
    assert sent.line == f"GET /v1.45/containers/{ID}/logs?stdout=1 HTTP/1.1".encode()


async def test_each_request_is_asked_for(named: Proxy) -> None:
    """The same head, byte for byte, may mean another container a moment later."""
    client, engine, _ = await asking(named, "GET", "/containers/web/json")
    await engine.send(container())
    await engine.read_request()
    await engine.send(response(body=b"{}"))
    assert (await client.read_response()).status == 200
    for _ in range(3):
        await client.send(request("GET", "/containers/web/json"))
        await engine.read_request()
        await engine.send(container(name="/db"))
        answer = await client.read_response()
        assert answer.status == 403
        assert told(answer) == (
            "trioproxy: ContainerInspect names container web,"
            " which ONLY_CONTAINERS does not list"
        )


async def test_labels_of_an_image_are_asked_for_once(own: Proxy) -> None:
    """A label counts if the image does not have it; what an image has never changes."""
    client, engine, _ = await asking(own, "POST", "/containers/web/stop")
    await engine.send(container(OWN))
    question = await engine.read_request()
    assert question.line == f"GET /images/sha256:{OTHER}/json HTTP/1.1".encode()
    await engine.send(image())
    for _ in range(2):
        assert ID.encode() in (await engine.read_request()).line
        await engine.send(response("204 No Content"))
        assert (await client.read_response("POST")).status == 204
        await client.send(request("POST", "/containers/web/stop"))
        await engine.read_request()
        await engine.send(container(OWN))
    assert ID.encode() in (await engine.read_request()).line


IMAGES = {
    "has it": image(OWN),
    "is gone": response("404 Not Found", body=b'{"message":"No such image"}'),
}


@pytest.mark.parametrize("answer", IMAGES.values(), ids=IMAGES)
async def test_a_label_that_an_image_may_have_given(own: Proxy, answer: bytes) -> None:
    """Whoever builds gives images any labels: such a container is nobody's."""
    client, engine, _ = await asking(own, "POST", "/containers/web/stop")
    await engine.send(container(OWN))
    await engine.read_request()
    await engine.send(answer)
    assert (await client.read_response("POST")).status == 403


async def test_a_container_of_no_image_is_nobodys(own: Proxy) -> None:
    """Docker makes one of an empty name. There is no image to ask about, and no label counts."""
    client, engine, _ = await asking(own, "POST", "/containers/web/stop")
    await engine.send(container(OWN, Image=""))
    assert (await client.read_response("POST")).status == 403


async def test_a_strangers_container_costs_one_question(own: Proxy) -> None:
    """Without our label nothing more is asked."""
    client, engine, _ = await asking(own, "POST", "/containers/web/stop")
    await engine.send(container({}))
    assert (await client.read_response("POST")).status == 403


async def test_an_exec_is_judged_by_its_container(own: Proxy) -> None:
    """The id of an exec is no pass: its container counts."""
    client, engine, question = await asking(own, "GET", f"/exec/{OTHER}/json")
    assert question == f"GET /exec/{OTHER}/json HTTP/1.1".encode()
    runs = {"entrypoint": "sh"}
    found = json.dumps({"ID": OTHER, "ContainerID": ID, "ProcessConfig": runs}).encode()
    await engine.send(response(body=found))
    assert ID.encode() in (await engine.read_request()).line
    await engine.send(container({}))
    assert (await client.read_response()).status == 403


async def test_what_is_not_there(own: Proxy) -> None:
    """The Engine's own words and status, to a path that names nothing; nothing goes on."""
    client, engine, _ = await asking(own, "POST", "/containers/nope/stop")
    text = b'{"message":"No such container: nope"}'
    await engine.send(response("404 Not Found", body=text))
    answer = await client.read_response("POST")
    assert (answer.status, answer.body) == (404, text + b"\n")
    assert answer.one("server") == b"trioproxy"


async def test_a_creation_that_names_nothing(own: Proxy) -> None:
    """It would join what comes later: 400, for a client pulls the image at a 404."""
    body = b'{"Image":"x","HostConfig":{"NetworkMode":"later"}}'
    client, engine, _ = await asking(own, "POST", "/containers/create", JSON, body=body)
    text = b'{"message":"network later not found"}'
    await engine.send(response("404 Not Found", body=text))
    answer = await client.read_response("POST")
    assert (answer.status, told(answer)) == (400, "network later not found")


async def test_a_creation_is_labelled_and_asks_nothing(own: Proxy) -> None:
    """What names nothing but the default network goes on at once, with our label."""
    client = await own.connect()
    body = b'{"Image":"x"}'
    await client.send(request("POST", "/containers/create", JSON, body=body))
    engine = await own.fake.accept()
    sent = json.loads((await engine.read_request()).body)
    assert sent == {"Image": "x", "HostConfig": {}, "Labels": OWN}


async def test_a_volume_is_made_first(own: Proxy) -> None:
    """A volume that is not there is made by us, labelled, once all else may pass."""
    body = b'{"Image":"x","HostConfig":{"Binds":["v:/v"]}}'
    client, engine, question = await asking(
        own, "POST", "/containers/create", JSON, body=body
    )
    assert question == b"GET /volumes/v HTTP/1.1"
    await engine.send(response("404 Not Found", body=b'{"message":"no v"}'))
    made = await engine.read_request()
    assert made.line == b"POST /volumes/create HTTP/1.1"
    volume = {"Name": "v", "Driver": "", "Labels": OWN}
    assert json.loads(made.body) == volume
    await engine.send(response("201 Created", body=json.dumps(volume).encode()))
    assert (await engine.read_request()).line == b"POST /containers/create HTTP/1.1"
    await engine.send(response("201 Created", body=b"{}"))
    assert (await client.read_response("POST")).status == 201


async def test_a_volume_that_was_made_meanwhile(own: Proxy) -> None:
    """A creation gives back what is there: without our label it is somebody else's."""
    body = b'{"Image":"x","HostConfig":{"Binds":["v:/v"]}}'
    client, engine, _ = await asking(own, "POST", "/containers/create", JSON, body=body)
    await engine.send(response("404 Not Found", body=b'{"message":"no v"}'))
    await engine.read_request()
    theirs = json.dumps({"Name": "v", "Labels": None}).encode()
    await engine.send(response("201 Created", body=theirs))
    answer = await client.read_response("POST")
    assert answer.status == 403
    assert "names volume v in HostConfig.Binds[0]" in told(answer)


async def test_whose_a_volume_is_no_other_policy_tells(
    start: Start, nursery: trio.Nursery
) -> None:
    """A container's volume that nobody named is the client's own, though the Engine was asked for it before for another policy, which lists neither."""
    mounts = [{"Type": "volume", "Name": OTHER, "Destination": "/v"}]
    host = {"CapDrop": ["MKNOD"]}
    listed = {
        "Id": ID,
        "Names": ["/web"],
        "ImageID": f"sha256:{OTHER}",
        "Labels": OWN,
        "Mounts": mounts,
    }
    volume = {"Name": OTHER, "Labels": {"com.docker.volume.anonymous": ""}}
    answers = {
        b"/containers/web/json": container(OWN, Mounts=mounts, HostConfig=host),
        b"/images/": image(),
        b"/volumes/": response(body=json.dumps(volume).encode()),
        b"/containers/json": response(body=json.dumps([listed]).encode()),
        b"/containers/%b/" % ID.encode(): response(body=b""),
    }

    async def answer(engine: EngineConnection) -> None:
        while line := (await engine.read_request()).line:
            await engine.send(next(v for k, v in answers.items() if k in line))

    variables = {**LISTED, "CREATE_IMAGES": "x"}
    proxy = await start({**variables, "ONLY_OWNER": "other"})
    nursery.start_soon(proxy.fake.serve, answer)
    for status in (403, 200):
        client = await proxy.connect()
        await client.send(request("GET", "/containers/web/archive?path=/v"))
        assert (await client.read_response()).status == status
        proxy.server.reload(Gate.enforcing(parse_policy(variables)[0]))
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("after", "is_cut"),
    [("@label:team=b", True), ("@label:team=b,@label:x=1", False)],
)
async def test_a_label_of_an_image_counts_after_no_reload(
    start: Start, after: str, is_cut: bool
) -> None:
    """A stream of a container that is listed by a label of its own ends where instead of that one is listed which it has from its image, and goes on where both are."""
    variables = {"ALLOW_OPERATIONS": "ContainerLogs", "ONLY_OWNER": "app"}
    proxy = await start({**variables, "ONLY_CONTAINERS": "@label:x=1"})
    client, engine, _ = await asking(proxy, "GET", "/containers/web/logs?follow=1")
    await engine.send(container({"x": "1", "team": "b"}))
    await engine.read_request()
    await engine.send(image({"team": "b"}))
    await engine.read_request()
    await engine.send(HEADS["events"])
    await client.read_head()
    variables["ONLY_CONTAINERS"] = after
    proxy.server.reload(Gate.enforcing(parse_policy(variables)[0]))
    assert any(" revoked " in one for one in proxy.lines()) == is_cut
    if is_cut:
        assert await client.read_gone() in {"end", "reset"}


async def test_nothing_is_made_for_what_is_refused(own: Proxy) -> None:
    """A creation that is refused leaves no volume behind."""
    host = {"Binds": ["v:/v"], "Links": ["web:x"]}
    body = json.dumps({"Image": "x", "HostConfig": host}).encode()
    client, engine, first = await asking(
        own, "POST", "/containers/create", JSON, body=body
    )
    missing = response("404 Not Found", body=b'{"message":"no v"}')
    answers = {b"GET /volumes/v": missing, b"GET /containers/web/json": container({})}
    line = first
    for _ in answers:
        await engine.send(answers[line.rpartition(b" ")[0]])
        if line is first:
            line = (await engine.read_request()).line
    assert (await client.read_response("POST")).status == 403


async def test_a_commit_makes_nobodys_image(own: Proxy) -> None:
    """The label stays with the container: a change in the query empties it."""
    _, engine, _ = await asking(own, "POST", "/commit?container=web&repo=x")
    await engine.send(container(OWN))
    await engine.read_request()
    await engine.send(image())
    sent = await engine.read_request()
    change = "changes=LABEL%20trioproxy.owner%3D"
    target = f"/commit?{change}&container={ID}&repo=x"
    assert sent.line == f"POST {target} HTTP/1.1".encode()
    assert sent.body == b""


async def test_an_upload_is_not_read(named: Proxy) -> None:
    """A body that is content goes on as it came, behind a path that was judged."""
    client = await named.connect()
    body = bytes(range(256)) * 400
    asked = request("PUT", "/containers/web/archive?path=/", body=body)
    await client.send(asked[: len(asked) // 2])
    engine = await named.fake.accept()
    await engine.read_until(b"\r\n\r\n")
    await engine.send(container())
    await client.send(asked[len(asked) // 2 :])
    sent = await engine.read_request()
    assert sent.line == f"PUT /containers/{ID}/archive?path=/ HTTP/1.1".encode()
    assert sent.body == body


SECTIONS = {**OPEN, "INFO": "1", "ONLY_CONTAINERS": "web", "ONLY_OWNER": "app"}
BEYOND = [
    "GET /services", "GET /secrets", "GET /configs", "GET /tasks", "GET /nodes",
    "POST /swarm/leave", "GET /containers/x/new", "POST /networks/new/thing",
]  # fmt: skip


@pytest.mark.parametrize("line", BEYOND)
async def test_what_names_nothing_that_is_known(start: Start, line: str) -> None:
    """By sections, what reaches everybody's objects is refused beside a list of objects."""
    proxy = await start(SECTIONS)
    client = await proxy.connect()
    await client.send(request(*line.split()))
    answer = await client.read_response(line.split()[0])
    assert answer.status == 403
    assert "reaches what no ONLY_* variable lists" in told(answer)


async def test_lists_pass(start: Start) -> None:
    """Lists go on; what is shown of them is judged when they come (test_narrowing)."""
    proxy = await start(SECTIONS)
    client = await proxy.connect()
    await client.send(request("GET", "/containers/json"))
    engine = await proxy.fake.accept()
    assert (await engine.read_request()).line == b"GET /containers/json HTTP/1.1"


TABLE = """\
1 0 0:1 / / rw - overlay overlay rw
2 1 8:1 /var/lib/docker/containers/{id}/resolv.conf /etc/resolv.conf rw - ext4 /dev/sda rw
3 1 8:1 /var/lib/docker/containers/{id}/hostname /etc/hostname rw - ext4 /dev/sda rw
4 1 8:1 /var/lib/docker/volumes/data/_data /data rw - ext4 /dev/sda rw
"""


def test_which_container_this_is(tmp_path: Any) -> None:  # noqa: ANN401  a path
    """The mount table of a container names it, and its volumes."""
    table = tmp_path / "mountinfo"
    table.write_text(TABLE.format(id=ID))
    assert find_own(table) == Own(id=ID, volumes=frozenset({"data"}))
    other, own = "2" * 64, "3" * 64
    pod = TABLE.format(id=other).replace(
        f"{other}/hostname", f"{own}/userdata/hostname"
    )
    hosts = f"5 1 8:1 /c/{other}/userdata/hosts /etc/hosts rw - ext4 /dev/sda rw\n"
    table.write_text(pod + hosts)
    assert find_own(table).id == own
    table.write_text(TABLE.splitlines()[0])
    assert find_own(table) == find_own(tmp_path / "none") == Own()


async def test_our_own_container_is_outside(named: Proxy) -> None:
    """The proxy's own container, networks and volumes are nobody's to name."""
    named.server._shared.remembered.own = Own(id=ID, volumes=frozenset({"v"}))
    client, engine, _ = await asking(named, "POST", "/containers/web/stop")
    await engine.send(container())
    answer = await client.read_response("POST")
    assert told(answer).endswith("names container web, which is this proxy's own")
