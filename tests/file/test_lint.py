import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from trioproxy.api.routes import OPERATIONS
from trioproxy.file import names
from trioproxy.file.names import check_names, lint, suggest
from trioproxy.file.variables import (
    FAMILY_PREFIXES,
    PERMISSIONS,
    RENAMED,
    SETTINGS,
    SWITCHES,
    VERBS,
    VERBS_OF_PODMAN,
)

WARNED = [
    ("LOGS", "1", "did you mean ALLOW_LOGS?"),
    ("PATCH", "0", "POST=1 lets all writes of the open sections pass; an ALLOW_* verb opens a single one"),
    ("WRITE", "true", "POST=1 lets all writes of the open sections pass; an ALLOW_* verb opens a single one"),
    ("KILL", "1", "did you mean ALLOW_KILL?"),
    ("CONTAINER", "1", "did you mean CONTAINERS?"),
    ("VOLUME", "yes", "did you mean VOLUMES?"),
    ("PORTS", "1", "ports are part of CONTAINERS"),
    ("ALLOWED_PATHS", "/a,/b", "paths go into ALLOW_OPERATIONS, as GET:/path/{template}"),
    ("HAS_IPV6", "anything", "did you mean DISABLE_IPV6?"),
    ("RESTARTS", "1", "did you mean ALLOW_RESTARTS?"),
    ("RESTART", "1", "did you mean ALLOW_RESTARTS?"),
    ("REMOVE", "1", "did you mean ALLOW_DELETE?"),
    ("containers", "1", "did you mean CONTAINERS? Names are in capitals"),
    ("Post", "", "did you mean POST? Names are in capitals"),
    ("CONTAINERS_CREATE", "1", "did you mean CONTAINERS?"),
    ("CONTAINERS_LIST", "1", "did you mean CONTAINERS?"),
    ("IMAGES_READ", "1", "did you mean IMAGES?"),
    ("API_CONTAINERS", "1", "did you mean CONTAINERS?"),
    ("SOCKETPATH", "/run/docker.sock", "did you mean SOCKET_PATH?"),
    ("LOGLEVEL", "debug", "did you mean LOG_LEVEL?"),
    ("DISABLE_IPV4", "1", "did you mean DISABLE_IPV6?"),
    ("SHADOW", "1", "shadowing is an option: trioproxy enforce --shadow"),
    ("WATCH", "1", "watching is an option: trioproxy enforce --watch"),
]  # fmt: skip

SILENT = [
    ("PATH", "/usr/bin"),
    ("HOME", "/root"),
    ("HOSTNAME", "1"),
    ("LANG", "C"),
    ("TERM", "xterm"),
    ("SHLVL", "1"),
    ("PWD", "/"),
    ("_", "1"),
    ("TZ", ""),
    ("PYTHONUNBUFFERED", "1"),
    ("DEBUG", "1"),
    ("CI", "true"),
    ("SERVICE", "web"),
    ("IMAGE", "nginx"),
    ("LOGS", "/var/log"),
    ("container", "docker"),
    ("CONTAINERS_PURPLE", "1"),
    ("POST_CREATE", "1"),
    ("XDG_SESSION_ID", "1"),
    ("DESKTOP_SESSION", "gnome"),
    ("DOCKER_TLS_VERIFY", "1"),
    ("HTTP_PROXY", ""),
    ("ALLOW_RESTART", "1"),
    ("", "1"),
]


@pytest.mark.parametrize(("name", "value", "advice"), WARNED, ids=lambda v: v[:20])
def test_warned(name: str, value: str, advice: str) -> None:
    """A name that looks like ours gets one warning, with a suggestion."""
    assert lint({name: value}) == (f"{name} has no meaning here: {advice}",)


@pytest.mark.parametrize(("name", "value"), SILENT, ids=lambda v: f"[{v}]")
def test_silent(name: str, value: str) -> None:
    """The ordinary environment of a process gets no warning."""
    assert lint({name: value}) == ()


MISTAKES = names._KNOWN_MISTAKES | names._UNMISTAKABLE


@pytest.mark.parametrize("name", MISTAKES)
def test_each_known_mistake_has_an_advice(name: str) -> None:
    """And what it tells to write is something that there is."""
    assert name.isupper()
    advice = MISTAKES[name]
    assert lint({name: "1"}) == (f"{name} has no meaning here: {advice}",)
    meant = set(re.findall(r"\b[A-Z][A-Z0-9_]+\b", advice)) - {"GET", "ALLOW_"}
    assert meant <= PERMISSIONS | SETTINGS
    assert meant or "trioproxy" in advice or "section variable" in advice


def test_verbs_name_operations() -> None:
    """Each names some, and all of them are in the table; so do other words for them."""
    for verb, operations in (VERBS | VERBS_OF_PODMAN).items():
        assert verb.startswith(("ALLOW_", "LIBPOD_ALLOW_"))
        assert operations
        assert operations <= OPERATIONS.keys()
    for name, advice in names._OTHER_WORDS.items():
        assert name not in VERBS
        assert name.startswith("ALLOW_")
        meant = set(re.findall(r"[A-Z_]{2,}", advice))
        assert meant
        assert meant <= {*VERBS, *SWITCHES}
        assert suggest(name, {}) == advice


def test_a_guessed_limit_is_told_what_is_meant() -> None:
    """By a variable that there is, and for a name that looks like one."""
    for name, meant in RENAMED.items():
        assert name.startswith(FAMILY_PREFIXES)
        assert name not in PERMISSIONS
        assert set(re.findall(r"\b[A-Z]+_[A-Z_]+", meant)) & PERMISSIONS


def test_what_is_known_is_silent() -> None:
    """No variable that this version reads is warned about, at any value; each is one that a
    shell can set."""
    known = PERMISSIONS | SETTINGS
    assert all(re.fullmatch("[A-Z][A-Z0-9_]+", name) for name in known)
    assert lint(dict.fromkeys(known, "1")) == lint(dict.fromkeys(known, "x")) == ()


def test_settings_in_a_policy_file() -> None:
    """A setting in a policy file is named as having no effect there, with the place where it
    has one: a time zone has one nowhere, and DOCKER_HOST none for who enforces."""
    variables = dict.fromkeys(("LISTEN", "CONTAINERS", "TZ", "DOCKER_HOST"), "1")
    assert tuple(check_names(variables, "app.env", is_file=True)) == (
        "DOCKER_HOST has no effect in a policy file",
        "LISTEN has no effect in a policy file: set it in the environment",
        "TZ has no effect in a policy file",
    )


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("ALLOW_LOG", "did you mean ALLOW_LOGS?"),
        ("ALLOW_RESTART", "did you mean ALLOW_RESTARTS?"),
        ("ALLOW_RESIZE", "no verb names ContainerResize, which is one of CONTAINERS"),
        ("ALLOW_POWER", "did you mean ALLOW_START and ALLOW_RESTARTS?"),
        ("ALLOW_OPERATION", "there is no such permission"),
        ("ALLOW_X", "there is no such permission"),
        ("ALLOW_IMAGES", "did you mean IMAGES?"),
        ("ALLOW_POST", "did you mean POST?"),
        ("LIBPOD_POD", "did you mean LIBPOD_PODS?"),
    ],
)
def test_suggest(name: str, advice: str) -> None:
    """An unknown permission is told from its neighbours, or from an operation."""
    assert suggest(name, {name: "1"}) == advice


words = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ_", min_size=1, max_size=12)
actions = st.sampled_from(
    [
        name.removeprefix("Container").upper()
        for name in OPERATIONS
        if name.startswith("Container")
    ]
)


@given(words | actions, st.sampled_from([*SWITCHES, *VERBS]))
def test_no_list_beside_sections(word: str, switch: str) -> None:
    """Beside a section variable at 1 no hint advises a list, which would close it."""
    name = f"ALLOW_{word}"
    assume(name not in PERMISSIONS)
    assert "ALLOW_OPERATIONS" not in suggest(name, {name: "1", switch: "1"})
    dialect = {f"IMAGES_{word}": "1", switch: "1"}
    assert not any("ALLOW_OPERATIONS" in line for line in lint(dialect))
