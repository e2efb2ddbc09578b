"""What the Engine is asked about a request, in which order, and what its answers mean."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.corpus import OWNER, PLAIN
from tests.deciding import Door, ScriptedEngine, asked, decide, door, written
from tests.judge.test_naming import (
    CONFINED,
    EXEC,
    ID,
    INSPECT,
    LISTED,
    OPERATIONS,
    START,
    container,
    mounts,
    networks,
    world,
)
from trioproxy.api.families import Kind
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.gate import Gate
from trioproxy.limits.objects import own_alone
from trioproxy.limits.things import Thing, describe, listed
from trioproxy.proxy.resolve import DEFAULTS_SECONDS, Resolver
from trioproxy.proxy.shared import (
    LONGEST_LABELS,
    MOST_REMEMBERED,
    REMEMBERED_BYTES,
    Remembered,
)

IMAGE = f"/images/{PLAIN}/json"
OTHER = f"sha256:{'7' * 64}"
INSIDE = "/containers/c/json"
CREATE = "POST /containers/create"


def learning(*unused: str, **ceiling: str) -> Door:
    policy = parse_policy(ceiling)[0] if ceiling else None
    gate = Gate.learning(policy, objects=own_alone("app"))
    return Door(gate=gate, unused=frozenset(unused))


def test_what_each_request_asks() -> None:
    """Each question is asked once, and none that changes nothing."""
    volumes = container(Mounts=mounts("mine"), NetworkSettings=networks(mine="", bridge=""))  # fmt: skip
    here = world(volumes)
    assert decide(LISTED, INSPECT, None, here).questions == [INSIDE, IMAGE]
    joins = world(container(HostConfig={"PidMode": f"container:{'2' * 64}"}))
    assert decide(LISTED, INSPECT, None, joins).questions == [INSIDE, IMAGE]
    assert decide(LISTED, EXEC, {}, here).questions == [INSIDE, IMAGE, "/volumes/mine"]
    started = [INSIDE, IMAGE, "/volumes/mine", "/networks/mine"]
    assert decide(LISTED, START, None, here).questions == started
    by_name = {**LISTED, "ONLY_CONTAINERS": "c", "ONLY_NETWORKS": "*"}
    stranger = {**volumes, "Config": {"Labels": None}}
    assert decide(by_name, START, None, world(stranger)).questions == [INSIDE]
    limited = {**by_name, "CREATE_BINDS": "/srv/app"}
    assert decide(limited, START, None, world(stranger)).questions == [INSIDE, "/volumes/mine"]  # fmt: skip
    assert not decide(OPERATIONS, START, None, here).questions


def test_one_name_twice() -> None:
    """A name in two places of a request is one question."""
    host = {"Binds": ["mine:/a", "mine:/b"], "NetworkMode": "mine"}
    body = {"HostConfig": {**host, "Links": ["c:x", "c:y"]}}
    variables = {**LISTED, "CREATE_NAMESPACES": "links"}
    answer = decide(variables, CREATE, body, world())
    assert answer.allowed, answer.message
    assert sorted(answer.questions) == sorted(set(answer.questions))


def test_an_image_is_asked_about_once() -> None:
    """What labels an image has never changes: that is remembered, by its id."""
    at = door(LISTED)
    assert IMAGE in asked(at, INSPECT, None, world()).questions
    assert asked(at, INSPECT, None, world()).questions == [INSIDE]
    other = world(container(Image=OTHER))
    answer = asked(at, INSPECT, None, other)
    assert not answer.allowed
    assert len(answer.questions) == 2


PART = {
    "digest": f"sha256:{'8' * 64}",
    "platform": {"os": "linux", "architecture": "386"},
}
OF_PART = f"{IMAGE}?platform=%7B%22os%22:%22linux%22%2C%22architecture%22:%22386%22%7D"  # fmt: skip
PARTS = {"mediaType": "application/vnd.oci.image.index.v1+json"}


@pytest.mark.parametrize(
    ("told", "is_own"),
    [
        ({"Id": PART["digest"], "Config": {"Labels": OWNER}}, False),
        ({"Id": PART["digest"], "Config": {}}, True),
        ({"Id": f"sha256:{'9' * 64}", "Config": {}}, False),
        ((404, {"message": "no such platform"}), False),
        ({"Id": PLAIN, "Config": {}}, True),
    ],
    ids=["its label", "no label", "of another part", "gone", "an Engine before 28.1"],
)
def test_the_labels_of_its_own_platform_count(told: object, is_own: bool) -> None:
    """Of an image for several platforms, that which a container is made of says whose a label is; and an old client's list does not say which that is."""
    whole = {"Id": PLAIN, "Descriptor": PARTS, "Config": {}}
    one = container(ImageManifestDescriptor=PART)
    here = world(one, **{IMAGE: whole, OF_PART: told, f"/containers/{ID}/json": one})
    answer = decide(LISTED, INSPECT, None, here)
    assert (answer.allowed, answer.questions) == (is_own, [INSIDE, OF_PART])
    gate = Gate.enforcing(parse_policy(LISTED)[0])
    seen = {"Id": ID, "Names": ["/c"], "Labels": OWNER, "ImageID": PLAIN}

    async def complete(value: Any) -> Thing:  # noqa: ANN401  JSON
        at = Resolver(ScriptedEngine(here), gate, Remembered())
        return await at.complete(listed(Kind.CONTAINER, value))

    for more in ({}, {"ImageManifestDescriptor": PART}):
        thing = trio.run(complete, {**seen, **more})
        assert gate.narrows.holds(thing) is is_own


def test_of_an_image_for_several_platforms_each_counts_for_itself() -> None:
    """Of whom nobody says which platform he has, nothing is remembered that would count for another."""
    whole = {"Id": PLAIN, "Descriptor": PARTS, "Config": {}}
    labelled = {"Id": PART["digest"], "Config": {"Labels": OWNER}}
    one = container(ImageManifestDescriptor=PART)
    here = world(
        one, **{IMAGE: whole, OF_PART: labelled, f"/containers/{ID}/json": one}
    )
    gate = Gate.enforcing(parse_policy(LISTED)[0])
    seen: dict[str, Any] = {
        "Id": ID,
        "Names": ["/c"],
        "Labels": OWNER,
        "ImageID": PLAIN,
    }
    older = describe(Kind.CONTAINER, container(Id="2" * 64))

    async def complete() -> list[Thing]:
        at = Resolver(ScriptedEngine(here), gate, Remembered())
        return [await at.complete(it) for it in (older, listed(Kind.CONTAINER, seen))]

    assert [*map(gate.narrows.holds, trio.run(complete))] == [True, False]


def test_a_volume_of_a_container_is_asked_about_once() -> None:
    """What a container mounts cannot become another volume; under its name alone it can."""
    at = door(LISTED)
    here = world(container(Mounts=mounts("mine")))
    assert "/volumes/mine" in asked(at, EXEC, {}, here).questions
    assert "/volumes/mine" not in asked(at, EXEC, {}, here).questions
    other = world(container(Mounts=mounts("mine"), Id="2" * 64))
    assert "/volumes/mine" in asked(at, EXEC, {}, other).questions
    assert "/volumes/mine" in asked(at, "GET /volumes/mine", None, here).questions


def test_what_is_remembered_has_an_end() -> None:
    """Before it grows too large, all of it is forgotten."""
    at = door(LISTED)
    asked(at, INSPECT, None, world())
    at.remembered.labels |= {
        (str(number), frozenset()): {} for number in range(MOST_REMEMBERED - 1)
    }
    assert asked(at, INSPECT, None, world()).questions == [INSIDE]
    at.remembered.labels["one more", frozenset()] = {}
    other = world(container(Image=OTHER), **{f"/images/{OTHER}/json": {"Id": OTHER}})
    assert len(asked(at, INSPECT, None, other).questions) == 2
    assert len(at.remembered.labels) == 1
    at.remembered.size = REMEMBERED_BYTES + 1
    assert len(asked(at, INSPECT, None, world()).questions) == 2
    assert (len(at.remembered.labels), at.remembered.size < 100) == (1, True)


async def test_whoever_watches_events_makes_room_too() -> None:
    """What is asked about one of many things is kept within the same bound."""
    gate, remembered = Gate.enforcing(parse_policy(LISTED)[0]), Remembered()
    for number in range(MOST_REMEMBERED + 1):
        remembered.labels[str(number), frozenset()] = {}
    at = Resolver(ScriptedEngine(world()), gate, remembered)
    assert await at.find(Kind.CONTAINER, "c") is not None
    assert len(remembered.labels) == 1


def labelled(labels: dict[str, str]) -> dict[str, Any]:
    """What the Engine says of an image with such labels."""
    return {IMAGE: {"Id": PLAIN, "Config": {"Labels": labels}}}


def test_what_is_remembered_of_an_image_is_what_is_judged() -> None:
    """Of its labels those that count, and none at all where these are long."""
    at = door({**LISTED, "ONLY_CONTAINERS": "@own,@label:a=b"})
    asked(at, INSPECT, None, world(**labelled({"a": "b", "c": "x" * 3_000_000})))
    assert list(at.remembered.labels.values()) == [{"a": "b"}]
    assert at.remembered.size < 100
    at = door(LISTED)
    long = world(**labelled({"trioproxy.owner": "x" * (LONGEST_LABELS + 1)}))
    for _ in range(2):
        assert IMAGE in asked(at, INSPECT, None, long).questions
    assert not at.remembered.labels


async def test_what_the_engine_gives_is_remembered_for_seconds(
    autojump_clock: MockClock,
) -> None:
    """Reaching into a container asks for no default: a moment ago is good enough."""
    at = door(CONFINED)
    here = world(container(HostConfig={"CapDrop": ["ALL"], "Runtime": "runc"}))
    raw = written(EXEC, {})
    assert "/info" in (await at.ask(raw, here)).questions
    await trio.sleep(DEFAULTS_SECONDS - 1)
    assert "/info" not in (await at.ask(raw, here)).questions
    await trio.sleep(1)
    assert "/info" in (await at.ask(raw, here)).questions


def test_a_default_that_matters_to_nobody() -> None:
    """Where nothing is limited, or the runtime is listed, the Engine is not asked for it."""
    here = world(container(HostConfig={"CapDrop": ["ALL"], "Runtime": "runsc"}))
    assert "/info" not in decide(LISTED, EXEC, {}, here).questions
    listed = {**CONFINED, "CREATE_RUNTIMES": "runsc"}
    assert "/info" not in decide(listed, EXEC, {}, here).questions
    assert "/info" not in decide(CONFINED, INSPECT, None, here).questions
    plain = world(container())
    assert "/info" not in decide(CONFINED, EXEC, {}, plain).questions


STATUSES = [
    (200, 0), (201, 0), (301, 502), (400, 400), (403, 502), (404, 404), (409, 409), (500, 502),
]  # fmt: skip


@pytest.mark.parametrize(("status", "answered"), STATUSES)
def test_each_status_of_a_container(status: int, answered: int) -> None:
    """There is one, there is none or more than one, or it is not known: then nothing passes."""
    value = container() if status < 300 else {"message": "in the Engine's words"}
    answer = decide(LISTED, INSPECT, None, world() | {INSIDE: (status, value)})
    assert answer.status == answered
    if answered in {400, 404, 409}:
        assert answer.message == "in the Engine's words"
    if answered == 502:
        assert f"answers {status} to the question what container 'c' is" in answer.message  # fmt: skip


@pytest.mark.parametrize("value", [[], {}, {"message": 7}, {"message": None}])
def test_what_is_missing_without_a_word(value: object) -> None:
    """What the Engine does not put into words is answered without any."""
    answer = decide(LISTED, INSPECT, None, world() | {INSIDE: (404, value)})
    assert (answer.status, answer.message) == (404, "")


@pytest.mark.parametrize("status", [400, 404, 409, 500])
def test_an_engine_without_a_word_of_itself(status: int) -> None:
    """What it gives by default is not known then, and not taken for nothing."""
    here = world(container(HostConfig={"CapDrop": ["ALL"], "Runtime": "runc"}))
    answer = decide(CONFINED, EXEC, {}, here | {"/info": (status, {"message": "x"})})
    assert answer.status == 502
    assert f"answers {status} to the question what it gives by default (GET /info)" in answer.message  # fmt: skip


HALF: dict[str, dict[str, Any]] = {
    "a label that is no text": {"Labels": {"trioproxy.owner": "app", "x": 1}},
    "labels that are no map": {"Labels": ["trioproxy.owner=app"]},
    "no labels": {"Labels": None},
}


@pytest.mark.parametrize("config", HALF.values(), ids=HALF)
def test_half_read_labels(config: dict[str, Any]) -> None:
    """Labels of which one is no text are none that could be judged, of whatever has them."""
    missing = config["Labels"] is None
    answer = decide(LISTED, INSPECT, None, world(container(Config=config)))
    assert answer.status == (403 if missing else 502)
    for kind, words in (("networks", "a network"), ("volumes", "a volume")):
        one = {"Name": "mine", "Id": "mine" * 10, **config}
        found = world() | {f"/{kind}/mine": one}
        answer = decide(LISTED, f"GET /{kind}/mine", None, found)
        assert answer.status == (403 if missing else 502)
        if not missing:
            assert f"description of {words} is not complete" in answer.message
    of_image = world() | {IMAGE: {"Id": PLAIN, "Config": config}}
    assert decide(LISTED, INSPECT, None, of_image).status == (0 if missing else 502)


IMAGES = [(200, {}, 0), (404, {"message": "gone"}, 403), (500, {}, 502), (409, {}, 502), (400, {}, 502)]  # fmt: skip


@pytest.mark.parametrize(("status", "value", "answered"), IMAGES, ids=[str(i[0]) for i in IMAGES])  # fmt: skip
def test_an_image_that_may_have_given_the_label(
    status: int, value: object, answered: int
) -> None:
    """Of an image that is gone nobody knows what it gave; of one that is not told, too."""
    answer = decide(LISTED, INSPECT, None, world() | {IMAGE: (status, value)})
    assert answer.status == answered


def test_images_that_do_not_matter() -> None:
    """A stranger's container, and one that is listed by its name, need no image."""
    assert decide(LISTED, INSPECT, None, world(container(None))).questions == [INSIDE]
    listed = {**LISTED, "ONLY_CONTAINERS": "c,@own"}
    assert decide(listed, INSPECT, None, world()).questions == [INSIDE]


def test_an_exec() -> None:
    """It belongs to its container for good, so that is asked about, by its id."""
    policy = {**LISTED, "ALLOW_OPERATIONS": "ExecInspect,ExecStart"}
    whole = {"ID": "e" * 64, "ContainerID": ID, "ProcessConfig": {"entrypoint": "sh"}}
    here = world() | {
        "/exec/e/json": whole,
        f"/containers/{ID}/json": container(),
    }
    answer = decide(policy, "GET /exec/e/json", None, here)
    assert answer.questions == ["/exec/e/json", f"/containers/{ID}/json", IMAGE]
    assert answer.line == "GET /exec/e/json"
    theirs = here | {f"/containers/{ID}/json": container(None)}
    assert decide(policy, "GET /exec/e/json", None, theirs).status == 403
    halves = ({name: whole[name] for name in whole if name != one} for one in whole)
    for half in (*halves, [], whole | {"ID": "e"}, whole | {"ProcessConfig": None}):
        answer = decide(policy, "GET /exec/e/json", None, here | {"/exec/e/json": half})
        assert "exec is not complete" in answer.message


USERS = [
    ([], False, False), (["own"], True, True), (["own", "own"], True, True),
    (["own", "other"], False, True), (["other"], False, True), (["longer"], False, False),
]  # fmt: skip


@pytest.mark.parametrize(("names", "passes", "is_used"), USERS, ids=[str(u[0]) for u in USERS])  # fmt: skip
def test_a_volume_that_nobody_named(
    names: list[str], passes: bool, is_used: bool
) -> None:
    """It is the client's own if all that have it are: the Engine is asked who that is."""
    listed = [
        {
            "Id": "2" * 64,
            "Names": ["/x"],
            "ImageID": PLAIN,
            "Labels": OWNER if name != "other" else {},
            "Mounts": mounts("anon2" if name == "longer" else "anon"),
        }
        for name in names
    ]
    question = "/containers/json?all=1&filters=%7B%22volume%22:%5B%22anon%22%5D%7D"
    labels = {"com.docker.volume.anonymous": ""}
    here = world() | {
        "/volumes/anon": {"Name": "anon", "Driver": "local", "Labels": labels},
        question: listed,
    }
    answer = decide(LISTED, "DELETE /volumes/anon", None, here)
    assert (answer.allowed, question in answer.questions) == (passes, True)
    # Whether it may be filled is asked for where creations are limited.
    body = {"HostConfig": {"Binds": ["anon:/x"]}}
    limited = {**OPERATIONS, "CREATE_BINDS": "/srv/app"}
    gate = Gate.enforcing(parse_policy(limited)[0])
    for unused in (frozenset[str](), frozenset({"anon"})):
        answer = asked(Door(gate=gate, unused=unused), CREATE, body, here)
        # Of what no server saw made nobody knows who ever had it.
        nocopy = ":nocopy" * (is_used or not unused)
        assert answer.body["HostConfig"]["Binds"] == [f"anon:/x{nocopy}"]
    for status in (404, 500):
        untold = here | {question: (status, {})}
        assert decide(LISTED, "DELETE /volumes/anon", None, untold).status == 502
        assert decide(limited, CREATE, body, untold).status == 502


def test_a_volume_that_is_made() -> None:
    """It is made as the client's own before the creation goes on, and once all may pass."""
    mount = {
        "Type": "volume", "Source": "new", "Target": "/x",
        "VolumeOptions": {"Labels": {"a": "b"}, "DriverConfig": {"Options": {"size": "1"}}},
    }  # fmt: skip
    body = {"HostConfig": {"Mounts": [mount]}}
    at = door({**LISTED, "CREATE_OPTIONS": "*", "CREATE_BINDS": "*"})
    answer = asked(at, CREATE, body, world())
    assert answer.allowed, answer.message
    assert answer.questions == ["/volumes/new", "POST /volumes/create"]
    theirs = world() | {"POST /volumes/create": (201, {"Name": "new", "Labels": None})}
    answer = asked(at, CREATE, body, theirs)
    assert "names volume new in HostConfig.Mounts[0].Source" in answer.message
    both = {"HostConfig": {"Mounts": [mount], "Links": ["c:x"]}}
    stranger = world(container(None))
    answer = asked(at, CREATE, both, stranger)
    assert not answer.allowed
    assert "POST /volumes/create" not in answer.questions
    # Where objects are not limited the Engine makes it itself.
    limited = {**OPERATIONS, "CREATE_BINDS": "*", "CREATE_OPTIONS": "*"}
    assert decide(limited, CREATE, body, world()).questions == []
    failed = world() | {"POST /volumes/create": (500, {"message": "disk full"})}
    assert asked(at, CREATE, body, failed).status == 502
    none = world() | {"POST /volumes/create": (409, {"message": "another driver"})}
    assert asked(at, CREATE, body, none).message == "another driver"


def test_learning_lets_pass_what_is_not_told() -> None:
    """Learning may stand in front of another proxy, which refuses our questions."""
    untold = world() | {INSIDE: (403, {"message": "no"})}
    assert asked(learning(), INSPECT, None, untold).allowed
    assert asked(learning(**OPERATIONS), INSPECT, None, untold).allowed
    assert asked(learning(**LISTED), INSPECT, None, untold).status == 502
    policy, _ = parse_policy(LISTED)
    assert asked(Door(gate=Gate.trying(policy)), INSPECT, None, untold).status == 502
    assert asked(Door(gate=Gate.enforcing(policy)), INSPECT, None, untold).status == 502


def test_learning_below_limits() -> None:
    """Who has a volume may be untold while it is learned: it is not filled then."""
    limited = {**OPERATIONS, "CREATE_BINDS": "/srv/app"}
    body = {"HostConfig": {"Binds": ["mine:/x"]}}
    question = "/containers/json?all=1&filters=%7B%22volume%22:%5B%22mine%22%5D%7D"
    untold = world() | {question: (403, {})}
    answer = asked(learning("mine", **limited), CREATE, body, untold)
    assert answer.body["HostConfig"]["Binds"] == ["mine:/x:nocopy"]
    answer = asked(learning("mine", **limited), CREATE, body, world())
    assert answer.body["HostConfig"]["Binds"] == ["mine:/x"]


ESCAPED = {
    "a": "a", "a/b": "a%2Fb", "a%3Fb": "a%3Fb", "a%20b": "a%20b", "a:b~c.d_e-f": "a:b~c.d_e-f",
    "%C3%A9": "%C3%A9", "%25": "%25",
}  # fmt: skip


@pytest.mark.parametrize(("name", "question"), ESCAPED.items(), ids=ESCAPED)
def test_a_name_is_one_segment(name: str, question: str) -> None:
    """Nothing in a name changes which question is asked."""
    answer = decide(LISTED, f"GET /containers/{name}/json", None)
    assert answer.questions == [f"/containers/{question}/json"]


@pytest.mark.parametrize("name", ["", ".", "..", "a//b", "a/./b", "a/../b", "/", "x/"])
def test_what_can_be_no_name(name: str) -> None:
    """Where a name has parts by which a path is cleaned, nothing is asked."""
    body = {"HostConfig": {"VolumesFrom": [name]}}
    variables = {**LISTED, "CREATE_NAMESPACES": "volumes:container"}
    answer = decide(variables, CREATE, body)
    assert (answer.status, answer.questions) == (400, [])
    assert "is no name of a container" in answer.message


def test_the_slash_in_front_of_a_name() -> None:
    """Docker writes names with a slash, and takes them so."""
    body = {"HostConfig": {"VolumesFrom": ["/c:ro"]}}
    answer = decide(LISTED, CREATE, body, world())
    assert answer.questions[0] == INSIDE
    assert answer.body["HostConfig"]["VolumesFrom"] == [f"{ID}:ro"]


def test_answers_that_are_no_json() -> None:
    """What cannot be read is an answer to nothing."""
    for raw in (b"", b"<html>", b'{"Id":1,"Id":2}'):
        answer = decide(LISTED, INSPECT, None, world() | {INSIDE: (200, raw)})
        assert answer.status == 502
        assert "answer to a question is no JSON" in answer.message
