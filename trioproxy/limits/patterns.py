"""Patterns: the items of a list, each parsed to what it fits.

An item is written in the normal form of what it allows, and a `*` in it stands for any
letters, digits, `_` and `-`: never for a slash, a dot in a name of a host, a colon; a
`*{8}` for eight of them. A path and a repository may end in `/*`: all that lies below. What
varies by a rule has a hole of its class (`limits.varying`), where that leaves open neither
whose a thing is nor where it comes from: a path's first segment, a registry. An item that
can never fit anything, because it is in no normal form, is an error and no item.
"""

import re
from collections.abc import Callable, Container, Iterator
from dataclasses import field
from typing import Final, NamedTuple

from trioproxy.api import normal
from trioproxy.limits import places, root
from trioproxy.limits.languages import STAR as STAR
from trioproxy.limits.languages import (
    TAG,
    Language,
    Some,
    Word,
    expression,
    is_literal,
    others,
)
from trioproxy.limits.varying import HOLE, NAMES, joined, kind_of, with_holes
from trioproxy.values import ordered_class

_Match = Callable[[str], re.Match[str] | None]


class Words:
    """What an item fits, as words."""

    __slots__ = ("_fullmatch", "language", "spares_sockets")

    def __init__(self, *language: Word, spares_sockets: bool = False) -> None:
        self.language: Language = language
        self.spares_sockets = spares_sockets
        """Whether sockets of engines are left out, which are doors of their own."""
        self._fullmatch: _Match | None = None
        """Made when it is asked for: that takes longer than to read an item."""

    def values(self) -> list[str] | None:
        """All that it fits, where that can be said word for word."""
        if not all(map(is_literal, self.language)):
            return None
        return ["".join(map(str, word)) for word in self.language]

    def matcher(self) -> _Match:
        """Make, once, what finds out whether a value is one of the words."""
        if self._fullmatch is None:
            self._fullmatch = re.compile(expression(self.language)).fullmatch
        return self._fullmatch

    def fits(self, value: str) -> bool:
        """Whether one of the words is this value."""
        if not self.language or self.matcher()(value) is None:
            return False
        return not self.spares_sockets or not root.SOCKET.fullmatch(
            value.removesuffix(READ_ONLY)
        )


class Ports(NamedTuple):
    """Host ports in normal form."""

    address: str
    """Empty: all addresses."""
    first: int
    last: int
    """0 for both: one that the Engine chooses."""
    protocol: str

    def fits(self, value: str) -> bool:
        """Whether these are all the ports that a value asks for, or more."""
        asked = parse_ports(value)
        return asked is not None and self.includes(asked)

    def includes(self, other: "Ports") -> bool:
        """Whether all that others are is within these."""
        if self.address not in {"", other.address} or self.protocol != other.protocol:
            return False
        # What the Engine chooses may be what Linux has handed out before.
        is_free = other.first in EPHEMERAL and other.last in EPHEMERAL
        is_within = self.first <= other.first <= other.last <= self.last
        return is_within or (is_free and not self.first)


READ_ONLY: Final = ":ro"
"""The end of a bind that may be read and not written."""


def places_of(bind: "Pattern") -> Iterator[tuple[places.Place, bool]]:
    """What a bind is, and whether it is read and not written."""
    for word in bind.means.language if isinstance(bind.means, Words) else ():
        is_read_only = word[-1] == READ_ONLY
        yield places.place(word[: len(word) - is_read_only]), is_read_only


@ordered_class
class Pattern:
    """An item of a list."""

    text: str
    """As it is written."""
    means: Words | Ports = field(compare=False, repr=False)
    """All that it fits."""

    def fits(self, value: str) -> bool:
        """Whether it fits a value in normal form."""
        return self.means.fits(value)

    def make_ready(self) -> None:
        """Make what a value is tried with, unless it has no star and is looked up."""
        if isinstance(self.means, Words) and self.means.values() is None:
            self.means.matcher()


class Bad(Exception):
    """An item that is none: what is wrong, and what to write."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.hint = hint


def check_escapes(text: str) -> None:
    """Refuse a percent sign that begins no escape. Raises `Bad`."""
    if found := re.search(r"%(?![0-9A-F]{2})([0-9A-Fa-f]{2})?", text):
        escape = found[0]
        hint = f"write {escape.upper()} for {escape}"
        hint = hint if found[1] else "write %25 for a percent sign"
        raise Bad("a % without two capital hex digits", hint)


_BRACED: Final = re.compile(r"\{[^{}]*\}")
_MOST_DATES: Final = 4
"""Holes of an item that stand for one of two words: each doubles all of its words."""


def check_holes(text: str, kinds: Container[str]) -> None:
    """Refuse a hole that is none, or of another kind than may stand here. Raises `Bad`."""
    text = STAR.sub("*", text)
    for hole in _BRACED.findall(text):
        if not HOLE.fullmatch(hole):
            raise Bad(f"{hole} is no hole", f"write {NAMES}, or %7B for a brace")
        if kind_of(hole) not in kinds:
            raise Bad(f"no place for {hole}", "list the values one by one")
    # An escape is one character, whatever its digits.
    if re.search(r"[0-9*}]\{num\}|\{num\}[0-9*{]", re.sub("%..", "%", text)):
        raise Bad("a digit or a hole beside {num}", "write one hole for both")
    if text.count("{date}") + text.count("{uid}") > _MOST_DATES:
        raise Bad(f"more than {_MOST_DATES} of {{date}} and {{uid}}", "write some out")


def check_quoted(text: str) -> None:
    """Refuse a second form of a value: what needs an escape has one, nothing else has.

    Holes stand in it, and are none of it. Raises `Bad`.
    """
    for part in HOLE.sub("*", text).split("*"):
        if not normal.is_quoted(part):
            hint = f"write {normal.quote(normal.unquote(part))} for {part}"
            raise Bad("not written in the one way", hint)


# --- Paths ------------------------------------------------------------------------


_BELOW: Final = others(":\n")


def path_of(text: str, *, mode: str = "") -> Language:
    """Read a path, `/*` at its end and all. Raises `Bad`.

    `mode`: what stands behind it in the item, and stays there in what the hints say.
    """
    if not text.startswith("/"):
        hint = f"write {normal.path(f'/{text}')}{mode}, from the host's root"
        raise Bad("not an absolute path", hint)
    check_quoted(text)
    stem, below = (text[:-2], "/*") if text.endswith("/*") else (text, "")
    plain = HOLE.sub("%2A", stem or "/")
    if normal.quote(normal.path(normal.unquote(plain))) != plain:
        cleaned = normal.path(stem).removesuffix("/") if below else normal.path(stem)
        raise Bad("not a clean path", f"write {cleaned}{below}{mode}")
    if "*" in stem.rpartition("/")[0]:
        raise Bad("a * in front of the last segment", "list the paths one by one")
    if "{" in STAR.sub("*", stem).split("/")[:2][-1]:
        raise Bad("a hole in the first segment", "list the paths one by one")
    return joined(with_holes(stem), (("/", _BELOW),) if below else ((),))


# --- Images -----------------------------------------------------------------------

_IMAGE = re.compile(
    r"(?P<repo>[^:@]*(?::[0-9]+/[^:@]*)?)(?::(?P<tag>[^:@/]*))?(?:@(?P<digest>[^@]*))?"
)
_ID = re.compile(r"sha256:[0-9a-f]{64}|[0-9a-f]{12,64}")
_DIGEST_STAR: Final = Some(TAG.chars | frozenset(":+"))


def image_of(text: str, *, is_pulled: bool = False) -> Words:
    """Fit `repo:tag`, `repo@digest`, or one that has both. Raises `Bad`.

    Of one that is pulled no hole leaves open whose it is.
    """
    if _ID.fullmatch(text):
        return Words((text,))
    found = _IMAGE.fullmatch(text)
    is_id = text.startswith("sha256:") and "{" in STAR.sub("*", text)
    if found is None or not found["repo"] or is_id:
        raise Bad("no image", "write repository:tag, as nginx:1.27")
    repo, tag, digest = found["repo"], found["tag"], found["digest"]
    _check_repository(repo, text.removeprefix(repo))
    _check_owner(repo, is_pulled=is_pulled)
    name = with_holes(repo.removesuffix("/*"))
    if repo.endswith("/*"):
        name = joined(name, (("/", others(":@")),))
    tagged = joined(name, ((":",),), with_holes(tag or "latest", TAG))
    if digest:
        check_holes(digest, ())
        hashed = joined((("@",),), with_holes(digest, _DIGEST_STAR))
        return Words(*joined(tagged if tag else name, hashed))
    if tag == "*":
        # Any tag: also none, as beside a digest, and `repo:*` itself, which a pull without a tag asks for
        # (`normal.tagged`).
        names = (*name, *tagged, *joined(name, ((":*",),)))
        return Words(*names, *joined(names, (("@", others("@")),)))
    return Words(*tagged)


def lists_repositories(item: str) -> bool:
    """Whether an item of images lists whole repositories, for a `*` is in that part."""
    found = _IMAGE.fullmatch(item)
    return found is not None and HOLE.search(found["repo"]) is not None


def _check_owner(repo: str, *, is_pulled: bool) -> None:
    """Refuse a hole in what says where an image comes from. Raises `Bad`.

    The Engine takes a first part for a registry that has a dot, a colon or a capital, or
    is `localhost`. Of what is no star, `{randN}` alone may be so.
    """
    *owners, _ = STAR.sub("*", repo).split("/")
    first = "".join(owners[:1])
    if "{" in first and ("{rand" in first or re.search(r"[.:]", first)):
        raise Bad("a hole where a registry may be", "list the images one by one")
    if is_pulled and any("{" in one for one in owners):
        raise Bad("a hole in the owner of what is pulled", "list the images one by one")


def _check_repository(repo: str, rest: str) -> None:
    plain = HOLE.sub("x", repo)
    if normal.repository(plain) != plain:
        short = normal.repository(repo)
        # A `*` alone would be any image of any registry.
        hint = f"write {short}{rest or (':latest' if short == '*' else '')}"
        raise Bad("not the short form of a name", f"{hint}, as the docker CLI shows it")
    if normal.image(f"{plain}:x") != f"{plain}:x":
        raise Bad("no image", "write repository:tag in lower case, as nginx:1.27")


# --- Ports ------------------------------------------------------------------------

_PORT = re.compile(
    r"(?:(?P<address>[0-9.]+|\[[0-9a-f:.]+\]):)?"
    r"(?P<ports>random|[1-9][0-9]{0,4}(?:-[1-9][0-9]{0,4})?)"
    r"(?:/(?P<protocol>[a-z]+))?"
)
_LAST_PORT = 65_535
EPHEMERAL: Final = range(32_768, 61_000)
"""What `random` stands for besides the Engine's own choice: the ports that Linux hands
out by itself. Clients ask it for a free one, and then the Engine for that one."""
_PORT_HINT = (
    "write 8080, 8000-8100, 127.0.0.1:8080, [::1]:8080 or random, /udp behind it"
)


def port_of(text: str) -> Ports:
    """Read the ports of an item, written in the one way. Raises `Bad`."""
    listed = parse_ports(text)
    if listed is None or not listed.first <= listed.last <= _LAST_PORT:
        raise Bad("no port", _PORT_HINT)
    address, ports = listed.address.strip("[]"), f"{listed.first}-{listed.last}"
    if address and not normal.is_address(address):  # as in 8080:80, which fits nothing
        raise Bad("no port", _PORT_HINT)
    if (written := normal.host_port(address, ports, listed.protocol)) != text:
        raise Bad("not written in the one way", f"write {written}")
    return listed


def parse_ports(text: str) -> Ports | None:
    """Read host ports in normal form; None for what is none."""
    found = _PORT.fullmatch(text)
    if found is None:
        return None
    first, _, last = found["ports"].replace("random", "0").partition("-")
    address, protocol = found["address"] or "", found["protocol"] or "tcp"
    return Ports(address, int(first), int(last or first), protocol)
