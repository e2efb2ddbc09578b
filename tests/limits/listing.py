"""Shared by the tests of lists: made-up files of limits, and values that they list."""

import string
from collections.abc import Mapping

from hypothesis import strategies as st

from trioproxy.limits.languages import Some, Word
from trioproxy.limits.patterns import EPHEMERAL, Pattern, Words

A64 = "a" * 64
_SEGMENTS = st.sampled_from(["a", "b", "ab", "docker.sock", "a%20b", "srv"])
_STARRED = st.sampled_from(["a*", "*", "*b", "a*b", "*a*", "ab*", "*{2}", "a*{1}"])
_HOLES = st.sampled_from(
    ["{num}", "a{num}", "{hex6}", "{rand6}.sock", "*{6}", "{uuid}", "{date}", "{uid}"]
)


@st.composite
def _binds(draw: st.DrawFn) -> str:
    base = draw(st.sampled_from(["/", "{base}/"]))
    middle = draw(st.lists(_SEGMENTS, max_size=2))
    if middle or base != "/":
        typed = _HOLES.filter(lambda one: "*" not in one)
        middle += draw(st.lists(typed, max_size=1))
    last = draw(_SEGMENTS | _STARRED | _HOLES if middle else _SEGMENTS | _STARRED)
    between = "".join(f"{one}/" for one in middle)
    return f"{base}{between}{last}{draw(st.sampled_from(['', '/*']))}{draw(st.sampled_from(['', ':ro']))}"


@st.composite
def _images(draw: st.DrawFn) -> str:
    repo = draw(
        st.sampled_from(
            ["a", "a/b", "a*", "a/*", "x.io/a", "x.io/*", "x.io:1/a*", "a-{hex4}"]
        )
    )
    tag = draw(
        st.sampled_from(["", ":1", ":1*", ":*", ":1.*", ":*1", ":{hex4}", ":{num}"])
    )
    return repo + tag + draw(st.sampled_from(["", f"@sha256:{A64}", "@sha256:*", "@*"]))


@st.composite
def _ports(draw: st.DrawFn) -> str:
    address = draw(st.sampled_from(["", "127.0.0.1:", "[::1]:"]))
    first = draw(st.integers(1, 9) | st.integers(32_766, 32_770))
    last = first + draw(st.integers(1, 3))
    ports = draw(st.sampled_from(["random", str(first), f"{first}-{last}"]))
    return address + ports + draw(st.sampled_from(["", "/udp"]))


_WORDS = st.sampled_from(["a", "b", "a*", "*b*", "*b", "a.*", "a%3Ab", "a*b*", "a*{1}"])


def _behind(*prefixes: str) -> st.SearchStrategy[str]:
    return st.tuples(st.sampled_from(prefixes), _WORDS).map("".join)


def _options(*names: str) -> st.SearchStrategy[str]:
    values = st.none() | _WORDS | _HOLES
    named = st.tuples(st.sampled_from(names), values)
    return named.map(lambda one: one[0] if one[1] is None else f"{one[0]}={one[1]}")


ITEMS: Mapping[str, st.SearchStrategy[str]] = {
    "CREATE_BINDS": _binds(),
    "CREATE_CAPS": st.sampled_from(["ALL", "NET_ADMIN", "SYS_ADMIN"]),
    "CREATE_DEVICES": st.sampled_from(["gpu", "rule", "/dev/a", "/dev/a*", "/dev/*"])
    | _behind("driver:"),
    "CREATE_DRIVERS": _behind("log:", "volume:"),
    "CREATE_IMAGES": _images() | st.just("@built"),
    "CREATE_NAMESPACES": st.sampled_from(["net:host", "pid:host", "links"]),
    "CREATE_OPTIONS": _options(
        "ContainerCreate:HostConfig.Annotations.a", "VolumeCreate:DriverOpts.type"
    ),
    "CREATE_PORTS": _ports(),
    "CREATE_PRIVILEGED": st.sampled_from(["0", "1"]),
    "CREATE_RUNTIMES": _WORDS,
    "CREATE_SECURITY": _behind("seccomp:", "label:", "paths:"),
    "CREATE_TAGS": _images(),
    "EXEC_COMMANDS": _WORDS | _HOLES,
    "EXEC_OPTIONS": _options("ContainerExec:Env.PATH", "ContainerExec:New"),
    "EXEC_PRIVILEGED": st.sampled_from(["0", "1"]),
    "EXEC_USERS": _WORDS | st.sampled_from(["@default", "{uid}", "{uid}%3A{uid}"]),
    "PULL_IMAGES": _images() | _behind("src:"),
    "PULL_OPTIONS": _options("ImageCreate:new"),
    "BUILD_OPTIONS": _options("ImageBuild:networkmode", "ImageBuild:new"),
}
"""Items of lists, by variable: every kind of pattern that there is."""


@st.composite
def lists(draw: st.DrawFn, variable: str) -> str:
    """A value of a variable."""
    items = draw(st.lists(ITEMS[variable], max_size=3, unique=True))
    return draw(st.sampled_from(["*", ",".join(items)])) if items else ""


@st.composite
def files(draw: st.DrawFn) -> dict[str, str]:
    """The limits of a file."""
    names = draw(st.sets(st.sampled_from(sorted(ITEMS)), max_size=4))
    found = {name: draw(lists(name)) for name in sorted(names)}
    base = draw(st.sampled_from(["/srv/one", "/srv/two"]))
    return {**found, "CREATE_BASE": base}


_ANY_CHARS = string.ascii_letters + string.digits + "_-./:@%=,"


@st.composite
def values(draw: st.DrawFn, item: Pattern) -> str:
    """A value that an item fits, or one that it spares: an engine's socket."""
    means = item.means
    if not isinstance(means, Words):
        least, most = means.first, means.last
        if not least and draw(st.booleans()):
            least, most = EPHEMERAL[0], EPHEMERAL[-1]
        first = draw(st.integers(least, most))
        last = draw(st.integers(first, most))
        ports = f"{first}-{last}" if last > first else str(first) if first else "random"
        address = means.address or draw(st.sampled_from(["", "127.0.0.1", "[::1]"]))
        protocol = "" if means.protocol == "tcp" else f"/{means.protocol}"
        return f"{address}{address and ':'}{ports}{protocol}"
    word: Word = draw(st.sampled_from(means.language))
    return "".join(
        draw(_some(part)) if isinstance(part, Some) else part for part in word
    )


def _some(part: Some) -> st.SearchStrategy[str]:
    chars = sorted(char for char in _ANY_CHARS if part.has(char))
    size = {"min_size": part.number or 1, "max_size": part.number or 5}
    made_up = st.text(st.sampled_from(chars), **size)
    if part.number:
        return made_up
    known = [
        one
        for one in ("a", "b", "ab", "docker.sock", "1", "1.1")
        if set(one) <= set(chars)
    ]
    return made_up | st.sampled_from(known or chars)
