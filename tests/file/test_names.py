"""Names that are not known, where they stand, and what becomes of them."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioproxy.errors import ConfigError
from trioproxy.file.incumbents import INCUMBENTS
from trioproxy.file.names import OUR_PREFIXES, is_foreign
from trioproxy.file.permissions import parse_policy
from trioproxy.file.variables import PERMISSIONS, SETTINGS

STOPS, WARNS, SILENT = "stops", "warns", "silent"
BESIDE: dict[str, tuple[Mapping[str, str], bool]] = {
    "file": ({"CONTAINERS": "1"}, True),
    "own": ({"CONTAINERS": "1", "POST": "1", "CREATE_BINDS": ""}, False),
    "incumbents": ({"CONTAINERS": "1", "POST": "1"}, False),
}
TABLE = [
    # name, in a file, in an environment with a variable of ours, with the incumbents' alone
    ("CREATE_MOUNTS", STOPS, STOPS, STOPS),
    ("CREATE_MOUNT", STOPS, STOPS, STOPS),
    ("CREATE_HOST_NETWORKS", STOPS, STOPS, STOPS),
    ("ONLY_IMAGES", STOPS, STOPS, STOPS),
    ("ONLY_CONTAINER", STOPS, STOPS, STOPS),
    ("BUILD_PRIVILEGED", STOPS, STOPS, STOPS),
    ("PULL_REGISTRIES", STOPS, STOPS, STOPS),
    ("EXEC_ROOT", STOPS, STOPS, STOPS),
    ("ALLOW_RESTART", STOPS, STOPS, STOPS),
    ("LIBPOD_CONTAINER", STOPS, STOPS, STOPS),
    ("REDACT", STOPS, STOPS, STOPS),
    ("create_binds", STOPS, STOPS, STOPS),
    ("Only_Owner", STOPS, STOPS, STOPS),
    ("create_mounts", STOPS, SILENT, SILENT),
    ("Only_Container", STOPS, SILENT, SILENT),
    ("redact_env", STOPS, SILENT, SILENT),
    ("containers", STOPS, WARNS, WARNS),
    ("CREATE_SUPERUSER", STOPS, STOPS, WARNS),
    ("PULL_POLICY", STOPS, STOPS, WARNS),
    ("EXEC_QQQ", STOPS, STOPS, WARNS),
    ("ALLOW_QQQ", STOPS, STOPS, WARNS),
    ("BUILD_NUMBER", STOPS, SILENT, SILENT),
    ("BUILD_TAG", STOPS, SILENT, SILENT),
    ("BUILD_USER_ID", STOPS, SILENT, SILENT),
    ("BUILD_DATE", STOPS, SILENT, SILENT),
    ("BUILD_SOURCEBRANCHNAME", STOPS, SILENT, SILENT),
    ("PULL_REFS", STOPS, SILENT, SILENT),
    ("PULL_BASE_REF", STOPS, SILENT, SILENT),
    ("CREATE_IMAGES_SERVICE_HOST", STOPS, SILENT, SILENT),
    ("CREATE_IMAGES_SERVICE_PORT_HTTP", STOPS, SILENT, SILENT),
    ("CREATE_IMAGES_PORT_80_TCP_ADDR", STOPS, SILENT, SILENT),
    ("ALLOW_EMPTY_PASSWORD", STOPS, SILENT, SILENT),
    ("LOGS", STOPS, WARNS, WARNS),
    ("POSTGRES_PASSWORD", STOPS, SILENT, SILENT),
    ("CONTAINER_LABELS", STOPS, SILENT, SILENT),
    ("PUID", WARNS, SILENT, SILENT),
    ("UMASK", WARNS, SILENT, SILENT),
    ("COMPOSE_PROJECT_NAME", WARNS, SILENT, SILENT),
    ("DOCKER_BUILDKIT", WARNS, SILENT, SILENT),
    ("TRIOPROXY_STAY", WARNS, SILENT, SILENT),
    ("path", SILENT, SILENT, SILENT),
]


def outcome(name: str, where: str, value: str = "1") -> str:
    variables, is_file = BESIDE[where]
    before = parse_policy(variables, is_file=is_file)[1]
    try:
        _, warnings = parse_policy({**variables, name: value}, is_file=is_file)
    except ConfigError:
        return STOPS
    return (
        WARNS if any(name in one for one in warnings if one not in before) else SILENT
    )


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0])
def test_table(row: tuple[str, str, str, str]) -> None:
    """An unknown name stops, warns or is passed over, by where it stands."""
    name, *expected = row
    assert [outcome(name, where) for where in BESIDE] == expected


THINGS = "APPARMOR CAPABILITIES CAPS ENTRYPOINTS ENVS FOLDERS GPUS IPC LABELS MOUNTS PATHS PID REGISTRIES REPOSITORIES REPOS ROOT SECCOMP SOCKETS SYSCTLS TMPFS ULIMITS USERNS"  # fmt: skip


@pytest.mark.parametrize("word", THINGS.split())
def test_what_is_limited_by_a_guessed_name(word: str) -> None:
    """A word for what containers have, with an S or without, is meant for us in any environment."""
    for name in (f"EXEC_QQQQ_{word}", f"EXEC_QQQQ_{word.removesuffix('S')}"):
        assert outcome(name, "incumbents") == STOPS
    assert outcome("EXEC_QQQQ_QQQQ", "incumbents") == WARNS


def test_a_port_of_kubernetes() -> None:
    """A service's address is others', by its value; a guessed limit is none."""
    address = "tcp://10.0.0.1:80"
    assert outcome("CREATE_PORT", "own", address) == SILENT
    assert outcome("CREATE_PORT", "own", "80") == STOPS
    assert outcome("CREATE_PORT", "incumbents", "80") == STOPS


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("CREATE_MOUNTS", "did you mean CREATE_BINDS?"),
        ("ONLY_IMAGES", "CREATE_IMAGES and PULL_IMAGES"),
        ("BUILD_PRIVILEGED", "did you mean BUILD_OPTIONS?"),
        ("EXEC_ROOT", "there are EXEC_COMMANDS, EXEC_OPTIONS, EXEC_PRIVILEGED"),
        ("create_binds", "did you mean CREATE_BINDS? Names are in capitals"),
        ("create_mounts", "did you mean CREATE_BINDS?"),
        ("Only_Container", "did you mean ONLY_CONTAINERS?"),
        ("redact_env", "did you mean REDACT=env?"),
        ("LOGS", "did you mean ALLOW_LOGS?"),
        ("REDCAT", "did you mean REDACT?"),
        ("POSTGRES_PASSWORD", "remove it"),
    ],
)
def test_the_hint(name: str, hint: str) -> None:
    """The nearest name is in the hint, or which there are, or what to do."""
    with pytest.raises(ConfigError, match=f"{name} in app.env is not known") as caught:
        parse_policy({name: "1"}, source="app.env", is_file=True)
    assert hint in caught.value.hint


@pytest.mark.parametrize("proxy", INCUMBENTS, ids=lambda one: one.name)
def test_the_incumbents_images(proxy: object) -> None:
    """The whole environment of either image starts, and nothing of it is warned about."""
    found = next(one for one in INCUMBENTS if one is proxy)
    image = {"PATH": "/bin", "HOSTNAME": "x", "HOME": "/root", "TZ": "Etc/UTC"}
    _, warnings = parse_policy({**image, **found.defaults})
    assert not warnings


words = st.sampled_from(
    sorted({word for name in PERMISSIONS for word in name.split("_")})
)


@given(
    st.sampled_from(OUR_PREFIXES),
    st.lists(words, min_size=1, max_size=3),
    st.sampled_from(sorted(BESIDE)),
    st.sampled_from(["", "0", "1", "/srv", "x"]),
)
def test_nothing_is_limited_silently(
    prefix: str, parts: list[str], where: str, value: str
) -> None:
    """A name of a prefix and words of ours is ours, or stops or warns, wherever it stands."""
    name = prefix + "_".join(parts)
    if name in PERMISSIONS | SETTINGS:
        return
    if not is_foreign(name, value):
        assert outcome(name, where, value) != SILENT
    assert outcome(name, "file", value) == STOPS
