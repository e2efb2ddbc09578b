import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.judge.judging import passes
from trioproxy.api.routes import OPERATIONS
from trioproxy.errors import ConfigError
from trioproxy.file.permissions import (
    parse_operations,
    parse_policy,
    parse_policy_file,
)
from trioproxy.file.variables import (
    LIBPOD_VARIABLES,
    METHOD_SWITCHES,
    ON_BY_DEFAULT,
    SWITCHES,
    VERBS,
)
from trioproxy.judge.rules import Mode

FLAGS = [*SWITCHES, *METHOD_SWITCHES, *VERBS, *sorted(LIBPOD_VARIABLES)]

STOPS = [
    ({"POST": "true"}, "POST='true' in the environment is neither 1 nor 0", "write POST=1 to grant, POST=0 to refuse"),
    ({"CONTAINERS": "yes"}, "neither 1 nor 0", ""),
    ({"CONTAINERS": "on"}, "neither 1 nor 0", ""),
    ({"CONTAINERS": "2"}, "neither 1 nor 0", ""),
    ({"CONTAINERS": "01"}, "neither 1 nor 0", ""),
    ({"CONTAINERS": " 1"}, "neither 1 nor 0", ""),
    ({"CONTAINERS": "1\n"}, "neither 1 nor 0", ""),
    ({"CONTAINERS": "FALSE"}, "neither 1 nor 0", ""),
    ({"CONTAINERS": "\u0661"}, "neither 1 nor 0", ""),
    ({"ALLOW_START": "x" * 999}, "x" * 64 + "' in", ""),
    ({"COMPAT": "lsio"}, "COMPAT='lsio' in the environment is not known", "COMPAT=linuxserver"),
    ({"ALLOW_RESTART": "1"}, "ALLOW_RESTART in the environment is not known", "did you mean ALLOW_RESTARTS?"),
    ({"ALLOW_RESIZE": "1"}, "ALLOW_RESIZE", "ContainerResize, which is one of CONTAINERS"),
    ({"ALLOW_RESIZE": "1", "INFO": "1"}, "ALLOW_RESIZE", "ContainerResize, which is one of CONTAINERS"),
    ({"ALLOW_STATS": "1", "CONTAINERS": "1"}, "ALLOW_STATS", "ContainerStats, which is one of CONTAINERS"),
    ({"ALLOW_STATS": "1", "ALLOW_STOP": "1"}, "ALLOW_STATS", "ContainerStats, which is one of CONTAINERS"),
    ({"ALLOW_REMOVE": "1"}, "ALLOW_REMOVE in the environment is not known", "did you mean ALLOW_DELETE?"),
    ({"DELETE": "true"}, "DELETE='true' in the environment is neither 1 nor 0", ""),
    ({"ALLOW_QQQ": "1", "ALLOW_OPERATIONS": ""}, "ALLOW_QQQ", "there is no such permission"),
    ({"ALLOW_\n": "1", "CREATE_CAPS": ""}, "'ALLOW_\\n' in", ""),
    ({"ALLOW_RESTART": "0"}, "ALLOW_RESTART in the environment is not known", "did you mean ALLOW_RESTARTS?"),
    ({"CREATE_BINDS": "x"}, "'x' in CREATE_BINDS: not an absolute path (the environment)", "write /x, from the host's root"),
    ({"CREATE_PRIVILEGED": "no"}, "neither 1 nor 0", "write 1 to allow it"),
    ({"CREATE_CAPS": "FROB"}, "no capability", ""),
    ({"CREATE_BIND": "/x"}, "CREATE_BIND in the environment is not known", "did you mean CREATE_BINDS?"),
    ({"CREATE_PRIVILEGE": "0"}, "CREATE_PRIVILEGE in the environment is not known", "did you mean CREATE_PRIVILEGED?"),
    ({"EXEC_USER": ""}, "EXEC_USER in the environment is not known", "did you mean EXEC_USERS?"),
    ({"PULL_IMAGE": "x"}, "PULL_IMAGE", "did you mean PULL_IMAGES?"),
    ({"BUILD_OPTION": ""}, "BUILD_OPTION", "did you mean BUILD_OPTIONS?"),
    ({"CREATE_LOG_DRIVERS": ""}, "CREATE_LOG_DRIVERS", "did you mean CREATE_DRIVERS=log:NAME?"),
    ({"LIBPOD_PING": "yes"}, "LIBPOD_PING='yes' in the environment is neither 1 nor 0", ""),
    ({"LIBPOD_CONTAINER": "1"}, "LIBPOD_CONTAINER in the environment is not known", "did you mean LIBPOD_CONTAINERS?"),
    ({"ALLOW_OPERATIONS": "ContainerLst"}, "'ContainerLst' in ALLOW_OPERATIONS of the environment is no operation", "did you mean ContainerList? trioproxy explain lists them"),
    ({"ALLOW_OPERATIONS": "containerlist"}, "is no operation", "did you mean ContainerList?"),
    ({"ALLOW_OPERATIONS": "ContainerList ContainerInspect"}, "is no operation", "write a comma between two"),
    ({"CREATE_DEVICES": "/dev/dri:/dev/dri:rwm"}, "'/dev/dri:/dev/dri:rwm' in CREATE_DEVICES: no device", "write /dev/dri, which is listed"),
    ({"ALLOW_OPERATIONS": "/containers/json"}, "'/containers/json' in ALLOW_OPERATIONS of the environment is no operation", "trioproxy explain lists them"),
    ({"ALLOW_OPERATIONS": "Container%43reate"}, "%43 in ALLOW_OPERATIONS of the environment needs no escape", "write C"),
    ({"ALLOW_OPERATIONS": "GET:%2ffrob"}, "%2f in ALLOW_OPERATIONS", "write /"),
    ({"ALLOW_OPERATIONS": "%2a"}, "'*' in ALLOW_OPERATIONS", "trioproxy explain lists them"),
    ({"ALLOW_OPERATIONS": "ContainerList,"}, "'' in ALLOW_OPERATIONS of the environment is no operation", "a comma between two"),
    ({"CREATE_BINDS": "@proxi"}, "'@proxi' in CREATE_BINDS: stands for nothing", "write a path, or @proxy"),
    ({"ALLOW_OPERATIONS": "BuildKitGrpc"}, "cannot be granted", "HTTP/2"),
    ({"ALLOW_OPERATIONS": "GET:/containers/json"}, "has a name of its own", "write ContainerList"),
    ({"ALLOW_OPERATIONS": "HEAD:/containers/json"}, "has a name of its own", "write ContainerList"),
    ({"ALLOW_OPERATIONS": "GET:/containers/mine/json"}, "has a name of its own", "write ContainerInspect"),
    ({"ALLOW_OPERATIONS": "POST:/containers/{x}/start"}, "has a name of its own", "write ContainerStart"),
    ({"ALLOW_OPERATIONS": "OPTIONS:/frob"}, "has a name of its own", "write SystemOptions"),
    ({"ALLOW_OPERATIONS": "GET:/v1.45/frob"}, "has a version", "write it without"),
    ({"ALLOW_OPERATIONS": "GET:/v1.2/frob"}, "can never pass", ""),
    ({"ALLOW_OPERATIONS": "GET:/a/../b"}, "can never pass", ""),
    ({"ALLOW_OPERATIONS": "GET:/frob/"}, "is no route", "METHOD:/path/{parameter}"),
    ({"ALLOW_OPERATIONS": "GET:frob"}, "is no route", ""),
    ({"ALLOW_OPERATIONS": "get:/frob"}, "is no route", ""),
    ({"ALLOW_OPERATIONS": "GET:/frob/*"}, "is no route", ""),
    ({"ALLOW_OPERATIONS": "GET:/frob/a{x}"}, "is no route", ""),
    ({"ALLOW_OPERATIONS": "GET:/frob?x"}, "is no route", ""),
    ({"CREATE_NETWORK": "x"}, "needs lists", "set ONLY_NETWORKS=x and ONLY_OWNER=NAME as well"),
]  # fmt: skip

STARTS = [
    ({}, Mode.SECTIONS, ()),
    ({"PATH": "/bin", "HOME": "/root", "POST": "no", "EXEC": "off", "INFO": "false"}, Mode.SECTIONS, ()),
    ({"COMPAT": "tecnativa"}, Mode.SECTIONS, ()),
    ({"LIBPOD_PING": "0", "LIBPOD_VERSION": "1", "LIBPOD_PODS": ""}, Mode.SECTIONS, ()),
    ({"LIBPOD_X": ""}, Mode.SECTIONS, ("LIBPOD_X in the environment is not known, and limits nothing",)),
    ({"LIBPOD_PODS": "1", "LIBPOD_ALLOW_STOP": "1", "LIBPOD_PING": "1"}, Mode.SECTIONS, ()),
    ({"DELETE": "0", "PUT": "no"}, Mode.SECTIONS, ()),
    ({"DELETE": "1", "PUT": "1"}, Mode.SECTIONS, ()),
    ({"TZ": "Europe/Madrid"}, Mode.SECTIONS, ()),
    ({"BUILD_NUMBER": "17", "PULL_NUMBER": "3", "PULL_REFS": "main", "BUILD_TAG": "x", "EXEC_QQQ": "1"}, Mode.SECTIONS, ("EXEC_QQQ in the environment is not known, and limits nothing",)),
    ({"CREATE_BINDS": "/x"}, Mode.SECTIONS, ("CREATE_* limits nothing: no operation that it limits is granted",)),
    ({"ALLOW_OPERATIONS": "ContainerStart", "CREATE_BINDS": "", "ONLY_CONTAINERS": "a", "ONLY_OWNER": "o"}, Mode.EXACT, ()),  # it limits what is reached into
    ({"CREATE_BASE": "/home/me/app"}, Mode.SECTIONS, ()),
    ({"ALLOW_OPERATIONS": "ContainerCreate,ContainerExec,ServiceCreate,POST:/frob", "CREATE_BINDS": ""}, Mode.EXACT, (
        "EXEC_* is not set: ContainerExec may ask for anything",
        "no variable limits ServiceCreate, which may give root on the host",
        "no variable limits POST:/frob, which this version does not know")),
    ({"CONTAINERS": "1", "SERVICES": "1", "POST": "1", "CREATE_BINDS": ""}, Mode.SECTIONS, ()),
    ({"ALLOW_OPERATIONS": "ImageBuild", "CREATE_TAGS": "x"}, Mode.EXACT, ("BUILD_* is not set: ImageBuild may ask for anything",)),
    ({"ALLOW_X": ""}, Mode.SECTIONS, ("ALLOW_X in the environment is not known, and limits nothing",)),
    ({"LOGS": "1"}, Mode.SECTIONS, ("LOGS has no meaning here: did you mean ALLOW_LOGS?",)),
    ({"ALLOW_OPERATIONS": ""}, Mode.EXACT, ()),
    ({"ALLOW_OPERATIONS": " "}, Mode.EXACT, ()),
    ({"ALLOW_OPERATIONS": "ContainerList, GET:/frob/{x}"}, Mode.EXACT, ()),
    ({"ALLOW_OPERATIONS": "ContainerList", "CONTAINERS": "1"}, Mode.EXACT, ("CONTAINERS has no effect beside ALLOW_OPERATIONS, which alone grants",)),
    ({"ALLOW_OPERATIONS": "ContainerList", "COMPAT": "linuxserver"}, Mode.EXACT, ("COMPAT has no effect beside ALLOW_OPERATIONS, which alone grants",)),
    ({"ALLOW_OPERATIONS": "ContainerList", "CONTAINERS": "0", "POST": ""}, Mode.EXACT, ("CONTAINERS and POST have no effect beside ALLOW_OPERATIONS, which alone grants",)),
    ({"ALLOW_OPERATIONS": "ContainerLogs", "ALLOW_LOGS": "0", "DELETE": "no", "LIBPOD_PODS": "1"}, Mode.EXACT, ("ALLOW_LOGS and DELETE and LIBPOD_PODS have no effect beside ALLOW_OPERATIONS, which alone grants",)),
    ({"ALLOW_OPERATIONS": "", **dict.fromkeys(SWITCHES, "1")}, Mode.EXACT, ("AUTH and BUILD and COMMIT and CONFIGS and 20 more have no effect beside ALLOW_OPERATIONS, which alone grants",)),
    ({"ALLOW_OPERATIONS": "ContainerCreate", "CREATE_BINDS": ""}, Mode.EXACT, ()),
]  # fmt: skip


def name(value: object) -> str | None:
    if isinstance(value, dict):
        return ascii(",".join(f"{k}={v[:20]}" for k, v in value.items())[:50])
    return "" if isinstance(value, str | tuple) else None


@pytest.mark.parametrize(("variables", "message", "hint"), STOPS, ids=name)
def test_stops(variables: dict[str, str], message: str, hint: str) -> None:
    """With what could be misunderstood it refuses to start, in one line that names it."""
    with pytest.raises(ConfigError) as caught:
        parse_policy(variables)
    assert message in str(caught.value)
    assert hint in caught.value.hint
    assert caught.value.hint or "can never pass" in message
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("variables", "mode", "warnings"), STARTS, ids=name)
def test_starts(
    variables: dict[str, str], mode: Mode, warnings: tuple[str, ...]
) -> None:
    """What is clear makes a policy; what does nothing gets a warning."""
    policy, given_warnings = parse_policy(variables)
    assert policy.mode is mode
    assert given_warnings == warnings


LIMITED = {
    "CONTAINERS": "1",
    "SERVICES": "1",
    "IMAGES": "1",
    "POST": "1",
    "CREATE_BINDS": "",
}
BESIDE_LIMITS = [
    ("POST", "/containers/create", True),
    ("POST", "/services/create", False),
    ("POST", "/images/load", False),
    ("PUT", "/containers/x/archive", False),
    ("POST", "/containers/x/frob", False),
    ("GET", "/containers/x/frob", True),
    ("GET", "/services", True),
    ("DELETE", "/services/x", True),
]


@pytest.mark.parametrize(
    ("method", "path", "passes_it"),
    BESIDE_LIMITS,
    ids=[f"{b[0]}-{b[1]}" for b in BESIDE_LIMITS],
)
def test_sections_open_no_door_beside_limits(
    method: str, path: str, passes_it: bool
) -> None:
    """What no variable limits passes beside a limit only where its name is granted."""
    policy, _ = parse_policy(LIMITED)
    assert passes(policy, method, path) is passes_it
    assert (
        passes(parse_policy({**LIMITED, "CREATE_BINDS": "*"})[0], method, path)
        is passes_it
    )
    open_policy, _ = parse_policy(
        {k: v for k, v in LIMITED.items() if k != "CREATE_BINDS"}
    )
    assert passes(open_policy, method, path)


def test_a_named_door_stands_beside_limits() -> None:
    """A grant by name opens what no variable limits."""
    policy, _ = parse_policy({"ALLOW_OPERATIONS": "ServiceCreate", "CREATE_BINDS": ""})
    assert passes(policy, "POST", "/services/create")


def test_defaults() -> None:
    """Unset, three section variables are 1, all others and POST are 0."""
    policy, _ = parse_policy({})
    assert policy.sections == ON_BY_DEFAULT
    assert "POST=0" in policy.lines
    assert policy.opened_operations == {
        "SystemEvents", "SystemPing", "SystemPingHead", "SystemVersion",
    }  # fmt: skip


def test_the_source_is_named() -> None:
    """An error says which file holds the bad value."""
    with pytest.raises(ConfigError, match=r"in learned/app\.env is"):
        parse_policy({"POST": "x"}, source="learned/app.env")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# POST=2\n\n POST=2\n", "POST='2' in app.env:3 is"),
        ("POST=1\nCREATE_BINDS=x\n", "'x' in CREATE_BINDS: not an absolute path (app.env:2)"),
        ("REDACT=env\nALLOW_OPERATIONS=GET:/x\n", "GET:/x in ALLOW_OPERATIONS of app.env:2 cannot"),
        ("POST=1\nCREATE_BINDS=/POST/:rw\n", "'/POST/:rw' in CREATE_BINDS: no mode but :ro (app.env)"),
        ("ONLY_VOLUMES=@own\nALLOW_OPERATIONS=\n", "@own in app.env needs a name"),
    ],
    ids=["flag", "item", "two names", "a value like a name", "of the file"],
)  # fmt: skip
def test_the_line_is_named(text: str, said: str) -> None:
    """An error of a variable's value says in which line of the file that is, if it is certain."""
    with pytest.raises(ConfigError) as caught:
        parse_policy_file(text, name="app.env")
    assert str(caught.value).startswith(said)


def test_from_a_file() -> None:
    """A policy file is read with its warnings; a setting in it has no effect."""
    text = "# mine\nCONTAINERS=1\nSOCKET_PATH=/x\nPUID=1000\n"
    policy, warnings = parse_policy_file(text, name="app.env")
    assert "ContainerList" in policy.opened_operations
    assert warnings == (
        "PUID has no effect in a policy file",
        "SOCKET_PATH has no effect in a policy file: set it in the environment",
    )


@pytest.mark.parametrize("value", ["0", "1"])
@pytest.mark.parametrize("switch", FLAGS)
def test_a_switch_beside_a_list_decides_nothing(switch: str, value: str) -> None:
    """A section, verb or method beside a list, at 0 or 1, leaves the policy as it is."""
    grants = {
        "ALLOW_OPERATIONS": "ContainerDelete,ContainerStop,ImageList,LibpodPodList"
    }
    alone, _ = parse_policy(grants)
    assert parse_policy({**grants, switch: value})[0] == alone


EARLY = [
    ("ALLOW_OPERATIONS=ContainerCreate\nCREATE_BINDS=\n", "CREATE_BINDS behind"),
    (
        "CREATE_CAPS=\nALLOW_OPERATIONS=ImageList\nONLY_CONTAINERS=a\n\n# x\nONLY_OWNER=b\n",
        "ONLY_CONTAINERS and ONLY_OWNER behind",
    ),
    ("CREATE_BINDS=\nALLOW_OPERATIONS=ContainerCreate\n", ""),
    ("ALLOW_OPERATIONS=ImageList\nTZ=UTC\nPOST=0\n", ""),
    ("POST=1\nCREATE_BINDS=\n", ""),
]


@pytest.mark.parametrize(
    ("text", "words"), EARLY, ids=["limit", "some", "last", "others", "sections"]
)
def test_a_list_in_front_of_limits_is_warned_of(text: str, words: str) -> None:
    """A file whose list stands above its limits is judged, and told to write it last."""
    _, warnings = parse_policy_file(text, name="app.env")
    advice = (
        f"{words} ALLOW_OPERATIONS: a file that is cut while it is written would grant"
        " without: write ALLOW_OPERATIONS as the last line"
    )
    found = [one for one in warnings if "last line" in one]
    assert found == ([advice] if words else [])


# What may be left of a file that is cut while it is written, and what is said of it.
TORN = [
    pytest.param("", "says nothing of grants", id="empty"),
    pytest.param("# mine\n", "says nothing of grants", id="comment"),
    pytest.param("CREATE_BINDS=/srv\n", "says nothing of grants", id="limits"),
    pytest.param("COMPAT=linuxserver\n", "says nothing of grants", id="setting"),
    pytest.param("DELETE=0\n", "says nothing of grants", id="method"),
    pytest.param("ALLOW_OPERATIONS=", "does not end in a line end", id="list"),
    pytest.param("POST=1\nCONTAINERS=1", "does not end in a line end", id="section"),
    pytest.param("POST=1\n# mi", "does not end in a line end", id="half-a-comment"),
]


@pytest.mark.parametrize(("text", "said"), TORN)
def test_a_torn_file(text: str, said: str) -> None:
    """A file without its last line's end, or without a word of grants, is an error that
    says so, and what would make it one that is whole."""
    with pytest.raises(ConfigError, match=f"^app.env {said}") as caught:
        parse_policy_file(text, name="app.env")
    assert "the file may have been cut while it was written" in caught.value.hint


@pytest.mark.parametrize("line", ["ALLOW_OPERATIONS=", "CONTAINERS=0", "ALLOW_LOGS=0"])
def test_nothing_that_is_written(line: str) -> None:
    """A list that is empty and a section at 0 are a person's "nothing", and load."""
    policy, _ = parse_policy_file(f"{line}\n", name="app.env")
    assert "ContainerList" not in policy.opened_operations


@pytest.mark.parametrize(
    "line", ["LISTEN=unix:///x?mode=0660&gid=9", "COMPOSE_URL=http://x/?a=1&b=2"]
)
def test_an_ampersand_is_warned_about(line: str) -> None:
    """A value that sh would cut at an & is named, with what to do; quoted it is none."""
    name = line.partition("=")[0]
    _, warnings = parse_policy_file(f"POST=1\n{line}\n", name="app.env")
    assert f"{name} holds an &, where sh ends the value: docker and" in warnings[-1]
    _, quiet = parse_policy_file(f"POST=1\n{name}='a&b'\n", name="app.env")
    assert not any("&" in warning for warning in quiet)


def test_lists_are_decoded_once() -> None:
    """An escape in a list is undone once, after the commas have been read."""
    assert parse_operations("A,%2C%252C, B") == ("A", ",%2C", "B")
    assert parse_operations("") == ()


@given(
    st.dictionaries(
        st.sampled_from(
            [*SWITCHES, *VERBS, "ALLOW_OPERATIONS", "COMPAT", "ALLOW_X", "LOGS"]
        ),
        st.text(),
    )
)
def test_never_crashes(variables: dict[str, str]) -> None:
    """Any text in any variable gives a policy or one clear error."""
    try:
        policy, _ = parse_policy(variables)
    except ConfigError:
        return
    assert policy.opened_operations <= OPERATIONS.keys()


@given(st.text(), st.booleans())
def test_no_value_but_1_grants(value: str, linuxserver: bool) -> None:
    """Whatever text a switch holds, only the text 1 opens anything."""
    compat = "linuxserver" if linuxserver else ""
    try:
        policy, _ = parse_policy({"CONTAINERS": value, "COMPAT": compat})
    except ConfigError:
        return
    assert ("ContainerList" in policy.opened_operations) == (value == "1")
