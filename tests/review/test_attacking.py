"""Known attacks, judged by what a file lists: what is said to be open, shut, and would shut it."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from trioproxy.api.families import OBJECTS
from trioproxy.api.fields import ARGUED, SOURCES, WITH_PARENT
from trioproxy.api.routes import OPERATIONS, Risk
from trioproxy.file import envfile
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.meaning import meaning_of
from trioproxy.review.attacking import Fate, Tried, try_all, try_one, words_of
from trioproxy.review.attacks import Attack, attacks, words

ROOT = Path(__file__).parents[2]
FILES = sorted([*ROOT.glob("learned/*.env"), *ROOT.glob("examples/**/policy.env")])
ATTACKS = attacks()
SHUT_IN_ALL = {
    *("labels", "forms", "browsers"),
    "a privileged container, its HostConfig given twice",
    "a privileged container, in a body of no length",
}
"""Doors and names of those that no file opens."""
INCUMBENT = {"CONTAINERS": "1", "POST": "1", "IMAGES": "1", "NETWORKS": "1"}
ONE_MORE = {"EXEC": "1", "BUILD": "1", "COMMIT": "1", "VOLUMES": "1", "SWARM": "1"}


def opening(attack: Attack) -> dict[str, str]:
    """A file that grants what an attack needs, and has the list that it goes around."""
    own = {attack.beside: "@own", "ONLY_OWNER": "me"} if attack.beside else {}
    return own | {"ALLOW_OPERATIONS": ",".join(sorted(attack.needs))}


def standing(variables: Mapping[str, str], attack: Attack) -> Fate:
    """What becomes of it."""
    return try_one(parse_policy(variables)[0], attack)[0]


def tried(variables: Mapping[str, str]) -> tuple[Tried, ...]:
    """What becomes of all."""
    return try_all(variables, parse_policy(variables)[0]).tried


@cache
def of_file(path: Path) -> tuple[Mapping[str, str], tuple[Tried, ...]]:
    """A shipped file, and what becomes of all."""
    variables = dict(envfile.parse(path.read_text(), name=path.name))
    return variables, tried(variables)


def by_name(variables: Mapping[str, str]) -> dict[str, Tried]:
    """The same, by their names."""
    return {one.attack.name: one for one in tried(variables)}


def test_how_many() -> None:
    """At least 60, each with a source, under one name; at most nine that no test can make."""
    assert len(ATTACKS) >= 60
    assert len({one.name for one in ATTACKS}) == len(ATTACKS)
    assert all(one.source and one.effect for one in ATTACKS)
    assert sum(bool(one.unshown) for one in ATTACKS) <= 9


SENT = {
    *("send", "serve", "body", "raw", "form", "tar", "image", "packed", "fields"),
    *("length", "aside", "after", "repeat", "until", "keep", "knows", "finds"),
}


@pytest.mark.parametrize("attack", ATTACKS, ids=[one.name for one in ATTACKS])
def test_a_row_has_known_words(attack: Attack) -> None:
    """Its requests, operations and what undoes it are such as the data explains."""
    requests = (*attack.setup, *attack.requests)
    assert {key for one in requests for key in one} <= SENT
    assert attack.requests
    assert attack.needs
    assert attack.needs <= OPERATIONS.keys()
    assert attack.undone <= words("undone").keys()


@pytest.mark.parametrize("attack", ATTACKS, ids=[one.name for one in ATTACKS])
def test_each_is_open_and_shut(attack: Attack) -> None:
    """With what it needs an attack is open, and with the lines that shut it shut; or always."""
    variables = opening(attack)
    is_never_open = not {attack.door, attack.name}.isdisjoint(SHUT_IN_ALL)
    if is_never_open or attack.beside:
        assert standing(variables, attack) is Fate.SHUT
        return
    assert standing(variables, attack) is Fate.OPEN
    lines = [one.replace("{image}", "busybox:latest") for one in attack.shut]
    more = dict(line.split("=", 1) for line in lines)
    if OBJECTS.keys() & more.keys():
        more["ONLY_OWNER"] = "me"
    wanted = Fate.SHUT if more else Fate.OPEN
    assert standing(variables | more, attack) is wanted
    assert standing({"ALLOW_OPERATIONS": ""}, attack) is Fate.CLOSED


def applied(variables: Mapping[str, str], advice: str) -> dict[str, str]:
    """A file after an advice, taken as text."""
    name, mark, item = advice.partition(" without ")
    if mark:
        left = [one for one in variables[name].split(",") if one != item]
        return {**variables, name: ",".join(left)}
    return {**variables, **dict(one.split("=", 1) for one in advice.split(" "))}


LISTING = {
    "CREATE_BINDS": "/etc,/srv/a:ro",
    "CREATE_NAMESPACES": "pid:host,volumes:container",
    "CREATE_PRIVILEGED": "1",
    "ONLY_CONTAINERS": "@own,strangers-*",
    "ONLY_OWNER": "me",
}


@pytest.mark.parametrize(
    "variables",
    [
        pytest.param(INCUMBENT, id="sections"),
        pytest.param(INCUMBENT | ONE_MORE, id="more sections"),
        pytest.param(INCUMBENT | ONE_MORE | LISTING, id="lists"),
        pytest.param(
            LISTING
            | {"ALLOW_OPERATIONS": ",".join(sorted({n for o in ATTACKS for n in o.needs}))},
            id="operations",
        ),
    ],
)  # fmt: skip
def test_what_would_shut_it_does(variables: Mapping[str, str]) -> None:
    """Each open attack has an advice; whoever follows that, as text, has shut it."""
    found = [one for one in tried(variables) if one.standing is Fate.OPEN]
    assert found
    for one in found:
        changed = applied(variables, one.remedy)
        assert standing(changed, one.attack) is not Fate.OPEN, one


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.parent.name + path.stem)
def test_root_is_open_only_where_the_verdict_says_so(file: Path) -> None:
    """No attack that gives root is open in a shipped file of which nobody says root."""
    variables, results = of_file(file)
    found = [
        one.attack.name
        for one in results
        if one.standing is Fate.OPEN and one.attack.gives is Risk.HOST_ROOT
    ]
    assert not found or meaning_of(parse_policy(variables)[0]).is_root


@pytest.mark.parametrize(
    "key",
    sorted(
        k
        for k, r in ARGUED["ImageBuild"].query.items()
        if SOURCES[r or WITH_PARENT].variable == "BUILD_OPTIONS"
    ),
)
def test_an_option_of_a_build_is_root_only_where_the_verdict_says_so(key: str) -> None:
    """An option of a build opens an attack that gives root only where the verdict is root."""
    asked = {"BUILD_OPTIONS": f"ImageBuild:{key}", "ALLOW_OPERATIONS": "ImageBuild"}
    is_open = any(
        one.standing is Fate.OPEN and one.attack.gives is Risk.HOST_ROOT
        for one in tried(asked)
    )
    assert not is_open or meaning_of(parse_policy(asked)[0]).is_root


def test_an_attack_is_made_of_what_is_listed() -> None:
    """With images, names, networks and tags of the file's own, an attack is as open as ever."""
    operations = ",".join(sorted({n for one in ATTACKS for n in one.needs}))
    bare = {"ALLOW_OPERATIONS": operations, "CREATE_PRIVILEGED": "1"}
    listing = {
        "CREATE_IMAGES": "ghcr.io/us/{rand8}:{num}",
        "CREATE_TAGS": "ghcr.io/us/*",
        "EXEC_COMMANDS": "/bin/ash",
        "ONLY_CONTAINERS": "web-*,@label:team=us",
        "ONLY_NETWORKS": "front",
        "ONLY_VOLUMES": "data-*,cache",
    }
    before, after = by_name(bare), by_name(bare | listing)
    name = "a privileged container"
    assert before[name].standing is after[name].standing is Fate.OPEN
    literal = bare | {"ONLY_CONTAINERS": "web", "ONLY_VOLUMES": "", "ONLY_NETWORKS": ""}
    assert by_name(literal)[name].standing is Fate.OPEN
    for image in ("@built", "cafe:*", "deadbeef"):  # a name that may begin an id too
        assert by_name(bare | {"CREATE_IMAGES": image})[name].standing is Fate.OPEN
    project = literal | {"ONLY_CONTAINERS": "@project:shop"}
    assert by_name(project)[name].standing is Fate.OPEN
    assert after["a command in another's container"].standing is Fate.SHUT


@pytest.mark.parametrize("item", ["*", "*{8}", "{num}", "{hex12}", "{rand8}", "{uuid}", "{date}", "{uid}"])  # fmt: skip
def test_a_hole_is_filled_with_what_it_stands_for(item: str) -> None:
    """An attack is made of a value that the item lists, whatever varies in it: of `{uid}` too,
    which begins with neither a letter nor a zero."""
    operations = "ContainerCreate,ContainerStart,ContainerLogs,ImageTag"
    policy = parse_policy(
        {
            "CREATE_BINDS": f"/run/user/{item}",
            "CREATE_TAGS": f"app:{item}",
            "ALLOW_OPERATIONS": operations,
        }
    )[0]
    found = words_of(policy)
    for variable, word in (("CREATE_BINDS", "shared"), ("CREATE_TAGS", "tag")):
        limit = policy.limits.limit_of(variable)
        assert limit
        assert limit.lists(found[word])


@pytest.mark.parametrize(
    ("item", "name"),
    [
        ("/dev/vda", "a disk of the host"),
        ("/run/docker.sock", "a bind of the Engine's socket"),
        ("/var/run/docker.sock:ro", "a bind of the Engine's socket"),
        ("/etc/cron.d", "a bind of /etc"),
        ("/usr/local/*", "a bind of /usr"),
        ("/etc/cron.d,/etc", "a bind of /etc"),
        ("/lib/systemd", "a bind of /"),
        ("/etc:ro", "a bind of /etc"),
        ("/run/*", "a bind of /run"),
        ("/var/run/*:ro", "a bind of /var"),
        ("/home/me/.s*", "a bind of /"),
        ("/mnt/disk", "a bind of /"),
        ("/srv/app", ""),
        ("/run/app-{rand8}", ""),
        # Listed names that look like a word of an attack, which was put in their place: without an end.
        ("/etc/%7Bimage%7D", "a bind of /etc"),
        ("/etc/%7Bin_etc%7D", "a bind of /etc"),
    ],
)
def test_what_is_listed_is_given(item: str, name: str) -> None:
    """Another disk, another name of the Engine's socket, it to be read, what lies in a place that is root, and
    what varies and may be one are as open as the names that an attack has by itself; each can be struck out."""
    file = {"ALLOW_OPERATIONS": "ContainerCreate,ContainerStart,ContainerLogs"}
    file["CREATE_DEVICES" if item.startswith("/dev") else "CREATE_BINDS"] = item
    opened = [one for one in tried(file) if one.standing is Fate.OPEN]
    found = [one for one in opened if one.attack.gives is Risk.HOST_ROOT]
    assert [one.attack.name for one in found] == [name] * bool(name)
    assert all(one.remedy for one in found)


def test_a_client_that_restarts_starts() -> None:
    """Where only a restart is granted, what it makes runs by that."""
    variables = {"ALLOW_OPERATIONS": "ContainerCreate,ContainerRestart"}
    found = by_name(variables)["a privileged container"]
    assert found.standing is Fate.OPEN
    assert found.remedy == "CREATE_PRIVILEGED="


@pytest.mark.parametrize("label", ["label:x=y", "label:x=%7Bimage%7D", "label:%7Bimage%7D=%7Bn%7D", "project:%7Bimage%7D"])  # fmt: skip
def test_what_is_made_has_the_label_that_is_listed(label: str) -> None:
    """A label that looks like a word of an attack was another one, and what is open was told to be shut."""
    lists = {"ONLY_CONTAINERS": f"@{label}", "ONLY_OWNER": "client"}
    variables = {"ALLOW_OPERATIONS": "ContainerCreate,ContainerLogs,ContainerStart"}
    found = by_name(variables | lists)["a privileged container"]
    assert found.standing is Fate.OPEN


def test_what_an_attack_is_about_is_struck_out_first() -> None:
    """Of the operations that it needs one as bad as itself, before what is worse and does more."""
    name = "an empty folder anywhere on the host, by a working folder that is swapped at a restart"
    needs = "ContainerCreate,ContainerLogs,ContainerRestart,ContainerStart"
    found = by_name({"ALLOW_OPERATIONS": needs})[name]
    assert found.remedy == "ALLOW_OPERATIONS without ContainerRestart"


def test_what_is_not_granted_and_what_does_not_apply() -> None:
    """What needs a closed operation, and what goes around a list that is not there, is said apart."""
    found = by_name({"ALLOW_OPERATIONS": "ContainerInspect"})
    assert found["a privileged container"].standing is Fate.CLOSED
    assert found["a slash of the path that is escaped"].standing is Fate.MOOT
    one = found["another container's environment"]
    assert one.standing is Fate.OPEN
    assert one.remedy == "REDACT=env"
    logs, name = {"ALLOW_OPERATIONS": "ContainerLogs"}, "another container's log"
    assert by_name(logs)[name].remedy == "ONLY_CONTAINERS=@own ONLY_OWNER=client"
    # The other container is there, and shut out.
    one = by_name({**logs, "ONLY_CONTAINERS": "app", "ONLY_OWNER": "x"})[name]
    assert (one.standing, "which ONLY_CONTAINERS does not list" in one.why) == (
        Fate.SHUT,
        True,
    )


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.parent.name + path.stem)
def test_no_attack_fails_by_what_it_made_itself(file: Path) -> None:
    """What is refused is another's or not listed, and never what the attack was free to choose."""
    for one in of_file(file)[1]:
        is_of_own = re.search(r"(?:names|makes) .*attack", one.why)
        assert not is_of_own or "bodiless" in one.attack.undone, (one.attack.name, one)
