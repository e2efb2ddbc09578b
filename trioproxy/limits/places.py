"""Places of a host that have two names, in one table.

Paths are compared as text, and a host has links of its own: what is bound as `/var/run/app`
lies in `/run`. So wherever a path decides something - is it root, does one lie below
another, is it ours - all names are compared that a place has on the usual hosts, with all
that a `*` may be. Which link is there on the host at hand is not looked up: the Engine's
host is another one, or will be. What may be one place is taken to be one.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final, NamedTuple

from trioproxy.limits.automata import have_common, reached
from trioproxy.limits.ends import FEW, Ends
from trioproxy.limits.languages import Part, Some, Word, is_literal, others
from trioproxy.limits.varying import with_holes

SEGMENT: Final[Word] = (others("/"),)
"""Any name of a file or folder."""


class Place(NamedTuple):
    """A file or folder of the host, or several: a `*` stands for each of its values."""

    segments: tuple[Word, ...]
    is_below: bool = False
    """Whether it is all that lies below, and not the folder itself."""

    @property
    def inside(self) -> "Place":
        """All that lies in it."""
        return self._replace(is_below=True)

    def meets(self, other: "Place") -> bool:
        """Whether something is in both."""
        mine, others_ = len(self.segments), len(other.segments)
        if mine < others_ and not self.is_below:
            return False
        if others_ < mine and not other.is_below:
            return False
        if mine == others_ and self.is_below is not other.is_below:
            return False
        return _all_meet(self.segments, other.segments)


def place(word: Word) -> Place:
    """Read a path, as the word of a language."""
    segments = [list[Part]()]
    for part in word:
        if isinstance(part, Some):
            if part.has("/"):  # what follows can only be narrower, as what began here
                return _place(segments[:-1], True)
            segments[-1].append(part)
            continue
        first, *more = part.split("/")
        if segments[-1] and isinstance(text := segments[-1][-1], str):
            segments[-1][-1] = f"{text}{first}"
        else:
            segments[-1] += [first] * bool(first)
        segments += [[one] * bool(one) for one in more]
    return _place(segments, False)


def _place(segments: list[list[Part]], is_below: bool) -> Place:
    return Place(tuple(tuple(one) for one in segments if one), is_below)


def _all_meet(one: tuple[Word, ...], other: tuple[Word, ...]) -> bool:
    return all(_meet(a, b) for a, b in zip(one, other, strict=False))


def _meet(one: Word, other: Word) -> bool:
    if one == other or SEGMENT in {one, other}:
        return True
    if is_literal(one) and is_literal(other):
        return False
    return have_common((one,), (other,))


class _Ways(dict[Word, "Tree"]):
    """Where places go on, by their next segment."""

    __slots__ = ("_ends",)

    def __init__(self) -> None:
        super().__init__()
        self._ends: Ends[Word] | None = None

    def meeting(self, word: Word) -> "Iterator[Tree]":
        """Where those lead to that may be what a segment is; none is added from now on."""
        tried: Iterable[Word] = self
        if len(self) > FEW:
            if self._ends is None:
                self._ends = Ends.of_words((one, one) for one in self)
            tried = self._ends.near_word(word)
        yield from (self[one] for one in tried if _meet(word, one))


class Tree:
    """Many places, or what of them lies behind some segments, among which those are found that
    a place meets, without trying each.

    Segment by segment: what is written word for word is looked up, and only what has a
    star is tried.
    """

    __slots__ = ("is_below", "is_end", "literal", "starred")

    def __init__(self, several: Iterable[Place] = ()) -> None:
        self.literal = _Ways()
        self.starred = _Ways()
        self.is_end = False
        """Whether one of them is here."""
        self.is_below = False
        """Whether one of them is all that lies below."""
        for one in several:
            tree = self
            for word in one.segments:
                ways = tree.literal if is_literal(word) else tree.starred
                if word not in ways:
                    ways[word] = Tree()
                tree = ways[word]
            tree.is_below |= one.is_below
            tree.is_end |= not one.is_below

    def along(self, word: Word) -> "Iterator[Tree]":
        """Where what a segment may be leads to."""
        if not is_literal(word):
            yield from self.literal.meeting(word)
        elif word in self.literal:
            yield self.literal[word]
        yield from self.starred.meeting(word)

    def meets(self, one: Place) -> bool:
        """Whether something of a place is in one of these, as `Place.meets` says of each."""
        # All are followed that the place may be at: a star in it, or in one of the tree, leads to several. What
        # stands for all below a folder is met as soon as the place goes on from there; a place that is itself all below
        # one is met by whatever the tree has further down.
        trees = [self]
        for word in one.segments:
            if any(tree.is_below for tree in trees):
                return True
            trees = [far for tree in trees for far in tree.along(word)]
        if one.is_below:
            return any(t.is_below or t.literal or t.starred for t in trees)
        return any(tree.is_end for tree in trees)


Links = Mapping[Place, Place]
"""Names of places, and what each is another name of."""


def _links(*pairs: tuple[str, str]) -> Links:
    return {written(name): written(of) for name, of in pairs}


def written(path: str) -> Place:
    """A place as tables have it: a star is part of any name."""
    return place(with_holes(path, others("/"))[0])


SAME: Final = _links(
    # /usr merged: Debian, Fedora, Arch and what is made of them.
    *((f"/{name}", f"/usr/{name}") for name in ("bin", "lib", "sbin")),
    *((f"/lib{bits}", f"/usr/lib{bits}") for bits in ("32", "64", "x32")),
    ("/var/run", "/run"),
    ("/var/lock", "/run/lock"),
    # Fedora CoreOS, Silverblue and the like keep in /var what is not the image's.
    *((f"/var/{name}", f"/{name}") for name in ("home", "mnt", "opt", "srv")),
    ("/var/roothome", "/root"),
    ("/var/usrlocal", "/usr/local"),
    ("/run/media", "/media"),
    # macOS, and the machine in which Docker Desktop has the Engine.
    *((f"/private/{name}", f"/{name}") for name in ("etc", "tmp", "var")),
    ("/host_mnt", "/"),
)
"""Names of one place. The second is the one that other tables use."""

EVERY: Final[Links] = {
    **SAME,
    # A host, a drive of Windows; all of them, in the machine of Docker Desktop.
    **_links(("/Users", "/home"), ("/host", "/"), ("/host_mnt/*{1}", "/")),
    **_links(("/run/desktop/mnt/host", "/mnt"), ("/mnt/host", "/mnt")),
}
"""These, and places that are judged as if they were others: two hosts are not one place."""

_DISKS: Final[Links] = _links(
    *((f"/{name}", "/") for name in ("mnt", "mnt/*", "media", "media/*", "media/*/*"))
)
"""Where disks and the roots of other systems are mounted: there, one below, and in /media also
in a folder for each user. What lies deeper is judged by its name in there, and so but once: in
the folder `media` of a disk no other one is mounted."""

NO_LINKS: Final[Links] = MappingProxyType({})

_FIRST: Final = frozenset(name.segments[0] for name in (*EVERY, *_DISKS))
"""How names begin. Where a path begins otherwise, and no star is there, none is met."""
if not all(map(is_literal, _FIRST)):
    raise AssertionError(f"{_FIRST}: a name that may begin any path")


def names(one: Place, links: Links = SAME) -> tuple[Place, ...]:
    """All names of a place, its own first; by `EVERY` also those on a disk that is mounted.

    A name may have others: `/private/var/run` is `/var/run` is `/run`.
    """
    found = dict.fromkeys(reached([one], partial(_renamed, links=links)))
    if links is EVERY:
        on_disks = [far for each in found for far in _renamed(each, _DISKS)]
        found |= dict.fromkeys(reached(on_disks, partial(_renamed, links=links)))
    return tuple(found)


def _renamed(one: Place, links: Links) -> Iterator[Place]:
    first = one.segments[0] if one.segments else SEGMENT
    if is_literal(first) and first not in _FIRST:
        return
    for name, of in links.items():
        # Two cases. What lies below a link lies below its other name, too, by the same segments behind it. And who has
        # all below a folder in which the link is (`/var`, of `/var/run`) has what the link leads to, and all below
        # that.
        depth = len(name.segments)
        if not _all_meet(one.segments, name.segments):
            continue
        if depth <= len(one.segments):
            yield Place(of.segments + one.segments[depth:], one.is_below)
        elif one.is_below:  # the link lies in it, and leads there
            yield from (of, of.inside)
