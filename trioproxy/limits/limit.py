"""Limits: what a file lets requests ask for, and which requests stay within it.

A family of variables limits as a whole. While none of it is set, nothing of it is
limited; as soon as one is, each of the others allows what is harmless and no more, but
for those that count only when they are set themselves. So a new variable of ours, or a
new field of the Engine's, is closed in every file that limits its family.

A list is compared with arguments in their normal form, escaped as in the file: a `*` that
a client wrote is `%2A` there, and no wildcard.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace
from typing import Final

from trioproxy.api import normal
from trioproxy.api.arguments import Argument
from trioproxy.api.families import (
    BUILT,
    CONDITIONS,
    LIMITS,
    MOVING,
    NOWHERE,
    PROJECT,
    PROXY,
    PROXY_VARIABLE,
    VARIABLES,
    Family,
    Places,
)
from trioproxy.api.form import Asked
from trioproxy.api.routes import LIMITED, of_family
from trioproxy.errors import ConfigError
from trioproxy.limits import places
from trioproxy.limits.lookup import Lookup
from trioproxy.limits.patterns import Pattern, places_of
from trioproxy.limits.places import Tree
from trioproxy.limits.sorts import Varies, listable, parse_pattern, sort_of
from trioproxy.limits.things import Thing
from trioproxy.values import settle, value_class

BINDS = "CREATE_BINDS"
"""The variable that lists binds, by which root and our own files are judged."""

IMAGES: Final = "CREATE_IMAGES"
"""The variable that lists the images of containers."""

BY_ITSELF: Final = "VolumeCreate:DriverOpts."
_MOUNTS: Final = "ContainerCreate:HostConfig.Mounts.VolumeOptions.DriverConfig.Options."
"""How options of a volume begin that is made by itself, or by a mount."""

NOT_BUILT: Final = f"{BUILT} there is what was built through this policy since the proxy began, and not by BuildKit: build it again, or give it a name"

ANY = "*"
"""The value of a variable that lists everything."""

NOTHING: Final = "0"
"""An item that lists nothing, where a privilege is asked for."""

_OF_WHOLE_ID: Final = len("sha256:") + 64
"""Characters of an image's id that is no beginning of one."""


@value_class
class Limit:
    """What one variable lists."""

    variable: str
    patterns: "tuple[Pattern, ...]" = ()
    is_any: bool = False
    _lookup: Lookup | None = field(init=False, repr=False, compare=False)
    _writable: Tree | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        settle(self, _lookup=Lookup(self.patterns) if self.patterns else None)

    def allows(self, value: str) -> bool:
        """Whether a value, in normal form, is listed."""
        return self.is_any or self.lists(value) or self._lists_both(value)

    def lists(self, value: str) -> bool:
        """Whether an item fits a value, in normal form, as it is written."""
        return self._lookup is not None and self._lookup.fits(value)

    def fitting(self, value: str) -> list[str]:
        """All the items that fit a value, in normal form."""
        return [one.text for one in self._lookup.fitting(value)] if self._lookup else []

    def _lists_both(self, value: str) -> bool:
        """Whether a digest beside a tag is listed as both of what it may be read as.

        Engines obey the digest, and some write it down under the tag.
        """
        if "@" not in value:
            return False
        if sort_of(self.variable).varies is not Varies.IMAGE:
            return False
        parts = normal.told_apart(value)
        return parts is not None and all(map(self.lists, parts))

    def writable(self) -> Tree:
        """Of a list of binds, all that they may write, by every name that it has.

        Kept with this very list: another one is equal if it is written alike, and may
        mean other places by `{base}`.
        """
        found = self._writable
        if found is None:
            found = _bound(self.patterns, is_written=True)
            settle(self, _writable=found)
        return found

    @property
    def value(self) -> str:
        """Write it as in a file."""
        return ANY if self.is_any else ",".join(one.text for one in self.patterns)


def _bound(patterns: Iterable[Pattern], *, is_written: bool = False) -> Tree:
    return Tree(
        name
        for pattern in patterns
        # Of each bind the folder and all in it, by every name that these have.
        # A socket that is mounted is one to connect to, and not a file to write.
        if pattern.text != PROXY
        for bind, is_read_only in places_of(pattern)
        if not (is_written and is_read_only)
        for name in (*places.names(bind), *places.names(bind.inside))
    )


@value_class
class Refusal:
    """An argument that is not within the limits."""

    variable: str
    """The variable that refuses it; empty: nothing can allow it."""
    message: str
    item: str = ""
    """What the variable would have to list, in normal form; empty: no item is known."""


@value_class
class Limits:
    """What requests may ask for. Without any variable, all that they like."""

    by_variable: Mapping[str, Limit] = field(default_factory=dict)
    """The variables that are set."""
    places: Places = NOWHERE
    """What `{base}` and the like stand for."""
    proxy_socket: str = ""
    """What a bind of the Engine's socket becomes; empty: it stays what it is."""

    families: frozenset[Family] = field(init=False)
    """The families that are limited."""
    operations: frozenset[str] = field(init=False)
    """The operations whose arguments have to be read."""
    _limits: Mapping[str, Limit] = field(init=False, repr=False, compare=False)
    """All variables that limit, set or not."""

    def __post_init__(self) -> None:
        # A variable of a limited family that is not set is a `Limit` that lists nothing, and so refuses all that has a
        # value: a variable that a later version brings is closed in each file of today. `only_when_set` are those of
        # which every request has some value, as images and commands: closed like the others, they would close the
        # operation.
        families = frozenset(VARIABLES[one].family for one in self.by_variable)
        unset = {
            one.name: Limit(variable=one.name)
            for one in VARIABLES.values()
            if one.family in families and not one.only_when_set
        }
        limited = (n for n, own in LIMITED.items() if not families.isdisjoint(own))
        settle(
            self,
            families=families,
            operations=frozenset(limited),
            _limits={**unset, **self.by_variable},
        )

    def __bool__(self) -> bool:
        return bool(self.by_variable)

    def make_ready(self) -> None:
        """Make what values are tried with: requests should not wait for that."""
        for limit in self.by_variable.values():
            for one in limit.patterns:
                one.make_ready()

    @property
    def lines(self) -> frozenset[str]:
        """What is set, as `NAME=value`: with `{base}` as it stands, and what it is."""
        said = zip(MOVING.values(), self.places, strict=True)
        places = frozenset(f"{name}={value}" for name, value in said if value)
        if self.proxy_socket:
            places |= {f"{PROXY_VARIABLE}={self.proxy_socket}"}
        return places | {f"{k}={one.value}" for k, one in self.by_variable.items()}

    def refuses(
        self, operation: str, asked: Asked, named: frozenset[Argument] = frozenset()
    ) -> Refusal | None:
        """Say what a request asks for that is not within these limits.

        What is `named`, as an image by its id, is judged by `refuses_thing`.
        """
        if asked.never:
            message = f"{operation} asks for {asked.never} outside of HostConfig, where Engines before 27 obey it: send it in HostConfig"
            return Refusal(variable="", message=message)
        # Many ask for the same: each value is compared once.
        values = {(one.variable, one.value) for one in asked.arguments}
        beyond = {one for one in values if not self.lists(*one)}
        found = (one for one in asked.arguments if (one.variable, one.value) in beyond)
        refused = next((one for one in found if one not in named), None)
        return _refusal(operation, refused) if refused is not None else None

    @property
    def binds(self) -> "tuple[Pattern, ...]":
        """What of the host may be bound, where that is listed."""
        return self.patterns_of(BINDS)

    def patterns_of(self, variable: str) -> "tuple[Pattern, ...]":
        """The items of a list; none where it is not set, or lists anything."""
        limit = self.by_variable.get(variable)
        return limit.patterns if limit is not None else ()

    @property
    def limits_creation(self) -> bool:
        """Whether what containers and volumes may have is limited."""
        return Family.CREATE in self.families

    def goes_by_names(self, argument: Argument) -> bool:
        """Whether an argument is judged by what the Engine says: by the names of what may
        be an id, or by whether it is the default."""
        limit = self.limit_of(argument.variable)
        if limit is None or limit.is_any:
            return False
        if argument.unless_default:
            return not limit.allows(argument.value)
        # An id in full can only be itself: where the list has it, nobody has to be asked. A part of one can be a name
        # as well.
        is_whole = len(argument.value) == _OF_WHOLE_ID
        return not (is_whole and limit.allows(argument.value))

    def refuses_thing(
        self, operation: str, argument: Argument, thing: Thing
    ) -> Refusal | None:
        """Say whether what an argument names is not within these limits."""
        if argument.unless_default:
            if thing.gives(argument):
                return None
            refused = _refusal(operation, argument)
            message = f"{refused.message}, and which is not this Engine's default"
            return replace(refused, message=message)
        limit = self.limit_of(argument.variable)
        if limit is None or any(map(limit.allows, (*thing.names, *_ids(thing.id)))):
            return None
        # `@built` goes by what answers of builds and commits told through this policy (`http.hearing`), and by nothing
        # that an image says of itself: its names and labels are its builder's to choose.
        if thing.is_built and limit.lists(BUILT):
            return None
        shown = f"{argument.shown} ({', '.join(thing.names[:3]) or 'without a name'})"
        refused = _refusal(operation, argument._replace(shown=shown))
        # An id is another one on each machine: the name is what is listed.
        tagged = (one for one in thing.names if "@" not in one)
        refused = replace(refused, item=next(tagged, ""))
        if thing.names or not limit.lists(BUILT):
            return refused
        return replace(refused, message=f"{refused.message}: {NOT_BUILT}")

    def item(self, variable: str, text: str) -> Pattern:
        """Read an item as it would stand in a list here. Raises `ConfigError`."""
        places, proxy = self.places, self.proxy_socket
        return parse_pattern(variable, text, places=places, proxy=proxy)

    def with_lists(self, lists: "Mapping[str, tuple[Pattern, ...]]") -> "Limits":
        """The same where some variables list these items, and nothing else."""
        made = {name: Limit(variable=name, patterns=of) for name, of in lists.items()}
        by_variable = dict(sorted({**self.by_variable, **made}.items()))
        return replace(self, by_variable=by_variable)

    def with_more(self, items: Mapping[str, Iterable[Pattern]]) -> "Limits":
        """The same with more items in some lists, of which none lists anything."""
        more = {name: (*self.patterns_of(name), *of) for name, of in items.items()}
        return self.with_lists(more)

    @property
    def lists_built(self) -> bool:
        """Whether it counts which images were built."""
        limit = self.limit_of(IMAGES)
        return limit is not None and limit.lists(BUILT)

    @property
    def lists_nodes(self) -> bool:
        """Whether what is made may make device nodes (`api.nodes`)."""
        return self.lists("CREATE_CAPS", "MKNOD")

    def limits_power_of(self, operation: str) -> bool:
        """Whether an operation's own family is limited, and not its tags alone."""
        return any(own in self.families for own in LIMITED.get(operation, ())[:1])

    def limit_of(self, variable: str) -> Limit | None:
        """What a variable allows, set or not; None if it is not limited.

        One that this version does not know, as evidence of a newer one may name, allows
        nothing.
        """
        if variable not in VARIABLES:
            return Limit(variable=variable)
        return self._limits.get(variable)

    def limits(self, variable: str) -> bool:
        """Whether not every value of a variable may be asked for."""
        limit = self.limit_of(variable)
        return limit is not None and not limit.is_any

    def meaning_of(self, item: str) -> str:
        """What an item that was learned stands for here: `{base}/x` and `@proxy` are paths."""
        if item == PROXY:
            return self.proxy_socket or item
        return self.places.meant(item)

    def lists(self, variable: str, value: str) -> bool:
        """Whether a value, in normal form, may be asked for."""
        limit = self.limit_of(variable)
        if limit is None or limit.allows(value):
            return True
        return any(
            one == variable and value.startswith(prefix) and not self.limits(other)
            for (one, prefix), other in CONDITIONS.items()
        )

    def lists_had(self, variable: str, value: str) -> bool:
        """Whether what something has may be asked for: of options of a volume nobody tells whether
        a mount gave them that made it, or its own creation."""
        by_mount = value.replace(BY_ITSELF, _MOUNTS, 1)
        return self.lists(variable, value) or self.lists(variable, by_mount)

    def lists_writable(
        self, path: str, *, also_inside: bool = False, also_read: bool = False
    ) -> bool:
        """Whether a path, or a folder above it, may be bound and written.

        By each name that a place has. `also_inside`: it is a folder, and one below counts.
        `also_read`: a bind that only reads does, too, as of a socket to connect to.
        """
        limit = self.limit_of(BINDS)
        if limit is None or limit.is_any:
            return False  # whoever lists anything has been told what that is
        own = list(places.names(places.place((normal.quote(path),))))
        own += [one.inside for one in own] if also_inside else []
        tree = _bound(limit.patterns) if also_read else limit.writable()
        return any(map(tree.meets, own))


NO_LIMITS = Limits()
"""Requests may ask for anything."""


def _ids(full: str) -> Iterator[str]:
    """The ways in which a list may have an id: in full, or its first digits."""
    digits = full.removeprefix("sha256:")
    yield full
    yield from (digits[:count] for count in range(12, 65))


def parse_limits(variables: Mapping[str, str], *, source: str) -> Limits:
    """Read the variables that limit. Raises `ConfigError` for what can never fit."""
    places = _parse_places(Places.of(variables), source)
    proxy = _parse_proxy(variables.get(PROXY_VARIABLE, ""), source)
    limits = {
        name: _parse_limit(name, variables[name], places, proxy, source)
        for name in sorted(LIMITS & variables.keys())
    }
    binds = limits.get(BINDS)
    if binds is None or all(one.text != PROXY for one in binds.patterns):
        proxy = ""
    return Limits(by_variable=limits, places=places, proxy_socket=proxy)


def _parse_proxy(value: str, source: str) -> str:
    path = normal.unquote(value)
    # A colon ends a source among Binds.
    hint = "write the path that the listener has on the Engine's host"
    _check_path(PROXY_VARIABLE, value, source, hint, is_bad=":" in path)
    return path


def _check_path(name: str, value: str, source: str, hint: str, *, is_bad: bool) -> None:
    """Refuse a path that is not absolute, or not in its one form; or bad for another reason."""
    cleaned = normal.quote(normal.path(normal.unquote(value)))
    if value and (is_bad or not value.startswith("/") or cleaned != value):
        raise ConfigError(
            f"{name}={value[:64]!r} in {source} is no clean absolute path", hint=hint
        )


def split_items(name: str, value: str, source: str, *, what: str) -> tuple[str, ...]:
    """Split a list of what that is called. Raises `ConfigError` for no list."""
    items = tuple(value.split(",")) if value else ()
    if "" in items or (ANY in items and len(items) > 1):
        raise ConfigError(
            f"{name} in {source} has an item that is {'*' if ANY in items else 'empty'}",
            hint=f"list {what} with one comma between two, or * alone for any",
        )
    return items


def _parse_limit(
    name: str, value: str, places: Places, proxy: str, source: str
) -> Limit:
    items = split_items(name, value, source, what="values")
    if items == (ANY,):
        return Limit(variable=name, is_any=True)
    try:
        patterns = tuple(
            parse_pattern(name, item, places=places, proxy=proxy) for item in items
        )
    except ConfigError as error:
        raise ConfigError(f"{error} ({source})", hint=error.hint) from None
    return Limit(variable=name, patterns=patterns)


def _parse_places(places: Places, source: str) -> Places:
    for name, value in zip(MOVING.values(), places[:2], strict=False):
        # A folder that is root is no better by another name: what is below it is told so.
        hint = "write the folder as /home/me/app"
        _check_path(name, value, source, hint, is_bad=value == "/")
    if places.project and not PROJECT_NAME.fullmatch(places.project):
        raise ConfigError(
            f"{MOVING[PROJECT]}={places.project[:64]!r} in {source} is no Compose project",
            hint="write small letters, digits, - and _, as docker compose ls shows it",
        )
    return places


PROJECT_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,254}")
"""What Compose takes."""


_PATTERN: Final = re.compile(r"[*{%]")
_LONGEST_TOLD: Final = 256
"""Characters of an item in a refusal, which stands on a line of the log as well."""


def _refusal(operation: str, argument: Argument) -> Refusal:
    what, shown = argument.place, argument.shown
    if shown:
        # Who adds it to the list as it is read here must not add a pattern.
        shown = argument.value if _PATTERN.search(shown) else shown
        what = f"{what}={shown}"
    message = f"{operation} asks for {what}, which {argument.variable} does not list"
    # A list may have another word for it (`net:host`), or what is shown was cut.
    item = listable(argument.variable, argument.value)
    if item not in {"", shown} and len(item) <= _LONGEST_TOLD:
        # Not as the last word: the docker command puts a full stop behind that.
        message = f"{message} as {item} yet"
    return Refusal(variable=argument.variable, message=message, item=argument.value)


def open_families(limits: Limits, operations: frozenset[str]) -> Iterator[Family]:
    """Name the families that an opened operation belongs to and nothing limits."""
    for family in Family:
        if family not in limits.families and of_family(family, operations):
            yield family
