"""Objects: which containers, networks and volumes requests may name.

While none of `ONLY_CONTAINERS`, `ONLY_NETWORKS` and `ONLY_VOLUMES` is set, any. Once one
is, an unset one allows what is the client's own, and no other. An object is judged by
what the Engine says of it (`things`), never by the words of a client; where requests
name objects is in `references`.

**Own** is what was made through this policy. It is known by a label, which the proxy adds
to all that the client makes. So nobody but the proxy may give that label: a client that
sends another value is refused, and a label that a container has from its image, where
any client that builds can put one, does not count.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import field, replace
from functools import lru_cache
from typing import Final

from trioproxy.api import normal
from trioproxy.api.decoding import show
from trioproxy.api.families import NETWORK_VARIABLE, OBJECTS, OWNER_VARIABLE, Kind
from trioproxy.api.form import PROJECT_LABEL, Asked
from trioproxy.api.routes import ENDPOINTS, Touch, row_of
from trioproxy.errors import ConfigError
from trioproxy.limits.ends import Ends
from trioproxy.limits.grant import Grant
from trioproxy.limits.limit import ANY, Refusal, split_items
from trioproxy.limits.marks import OWNER_LABEL as OWNER_LABEL
from trioproxy.limits.things import ANONYMOUS, BRIDGE, BUILT_IN, PROCESS, Thing, made
from trioproxy.values import settle, value_class

OWN: Final = "@own"
OF_PROJECT: Final = "@project:"
OF_LABEL: Final = "@label:"
NUMBER_LABEL: Final = "com.docker.compose.container-number"
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}", re.ASCII)
"""What the Engine calls objects."""
NETWORKS_OF_ALL: Final = (*BRIDGE, "none")
"""What an unset `ONLY_NETWORKS` allows beside the client's own."""

LISTED_BY: Final = {kind: name for name, kind in OBJECTS.items()}
"""The variable that lists each kind."""


@value_class
class Only:
    """What one variable lists."""

    variable: str
    items: tuple[str, ...]
    """As they are written."""
    holds: Callable[[Thing], bool] = field(compare=False, repr=False)
    """Whether an object is listed."""
    is_any: bool = False
    labels: frozenset[str] = field(default=frozenset(), compare=False, repr=False)
    """The keys of the labels by which it lists objects, of which no name tells."""

    @property
    def value(self) -> str:
        """Write it as in a file."""
        return ",".join(self.items)

    def lists(self, name: str, project: str = "") -> bool:
        """Whether an object is listed by its name and project alone; see `is_listed`."""
        return is_listed(self.items, OBJECTS[self.variable], name, project)


@value_class
class Objects:
    """Which objects requests may name. Without any variable, all."""

    by_kind: Mapping[Kind, Only] = field(default_factory=dict)
    """The lists of all three kinds, or none at all."""
    set_variables: frozenset[str] = frozenset()
    owner: str = ""
    """The value of the label of what is the client's own; empty: nothing is labelled."""
    network: str = ""
    """What a creation joins that names no network, or the built-in bridge; empty: that."""

    operations: frozenset[str] = field(init=False)
    """The operations that name objects, or make them."""
    reads: frozenset[str] = field(init=False)
    """Those of which the query or the body has to be read for that."""
    judged_labels: frozenset[str] = field(init=False)
    """The labels of a container of which it counts whether its image has them."""

    def __post_init__(self) -> None:
        rows = ENDPOINTS if self.by_kind else ()
        operations = frozenset(one.operation for one in rows if one.kinds)
        reads = frozenset(one.operation for one in rows if one.names)
        labels = (one.labels for one in self.by_kind.values())
        judged_labels = frozenset({OWNER_LABEL, NUMBER_LABEL}).union(*labels)
        settle(self, judged_labels=judged_labels, operations=operations, reads=reads)

    def __bool__(self) -> bool:
        return bool(self.by_kind)

    @property
    def lines(self) -> frozenset[str]:
        """What is set, as `NAME=value`."""
        said = {OWNER_VARIABLE: self.owner, NETWORK_VARIABLE: self.network}
        named = (f"{name}={value}" for name, value in said.items() if value)
        return frozenset(named).union(
            f"{one.variable}={one.value}"
            for one in self.by_kind.values()
            if one.variable in self.set_variables
        )

    def limits(self, kind: Kind) -> bool:
        """Whether not every object of a kind may be named."""
        one = self.by_kind.get(kind)
        return one is not None and not one.is_any

    def taken_out(self, once_listed: Iterable[Grant]) -> Iterator[Grant]:
        """Say what once was in lists and is in none of them now."""
        for grant in sorted(once_listed):
            kind = OBJECTS.get(grant.variable)
            only = self.by_kind.get(kind) if kind else None
            if only is not None and grant.item and not only.lists(grant.item):
                yield grant

    def owns(self, thing: Thing) -> bool:
        """Whether a container may be the client's own, and have what the client chose."""
        inherited = thing.inherited or {}
        is_labelled = thing.labels.get(OWNER_LABEL) == self.owner != ""
        return is_labelled and inherited.get(OWNER_LABEL) != self.owner

    def is_own(self, thing: Thing) -> bool:
        """Whether an object is the client's own, be that listed or not."""
        if not self.owner:
            return False
        return thing.own_label(OWNER_LABEL) == self.owner or (
            thing.is_anonymous
            and bool(thing.users)
            and all(map(self.is_own, thing.users))
        )

    def needs_image(self, thing: Thing) -> bool:
        """Whether it counts which labels of a container are its image's."""
        if not self.by_kind:
            return False
        # A label counts only if the image does not have it, and to ask about an image is a round trip. So a container
        # is judged with nothing known of its image, where no label counts, and as if that had none, where each does:
        # only where the two differ the image decides. A list of thousands has few such, and `may_show` drops strangers
        # in the same way.
        held = self.by_kind[Kind.CONTAINER].holds
        return not held(thing) and held(thing.inheriting({}))

    def own_label_of(self, kind: Kind) -> str:
        """A label that all has which is listed of a kind, as `KEY=VALUE`; empty: there is none."""
        is_own = self.by_kind[kind].items == (OWN,)
        return f"{OWNER_LABEL}={self.owner}" if is_own else ""

    def refuses(
        self, operation: str, thing: Thing, text: str, place: str
    ) -> Refusal | None:
        """Say why a request may not name an object.

        `text`: as it is named; `place`: where that stands, empty for the path.
        """
        row = row_of(operation)
        is_shown = row is not None and row.inspects and self.shows(thing)
        if is_shown or self.holds(thing):
            return None
        only = self.by_kind[thing.kind]
        where = f" in {place}" if place else ""
        what = f"{operation} names {thing.kind} {show(text)}{where}, which"
        if PROCESS in thing.value:  # it was named by an exec
            what = f"{operation} names exec {show(text)}, whose container"
        why, item = f"{only.variable} does not list", next(iter(thing.names), "")
        if thing.is_proxys:
            why, item = "is this proxy's own", ""
        return Refusal(variable=only.variable, message=f"{what} {why}", item=item)

    def shows(self, thing: Thing) -> bool:
        """Whether answers tell of an object: what may be named, and what is beside it.

        The host's network is told of where `none` is: who may join it is no list's to say
        (`CREATE_NAMESPACES`), nobody can make or remove either, and clients that list networks
        go on to inspect each.
        """
        return self.holds(thing) or (
            thing.kind is Kind.NETWORK
            and thing.names == ("host",)
            and self.holds(thing._replace(names=("none",)))
        )

    def holds(self, thing: Thing) -> bool:
        """Whether requests may name an object."""
        is_listed = self.by_kind[thing.kind].holds(thing)
        if thing.users and thing.is_anonymous:
            held = self.by_kind[Kind.CONTAINER].holds
            is_listed = is_listed or all(map(held, thing.users))
        return is_listed and not thing.is_proxys

    def remembered(self, thing: Thing) -> Thing:
        """The same with no more than it is judged by."""
        keys = self.judged_labels | {PROJECT_LABEL, ANONYMOUS}
        inherited = thing.inherited
        return thing._replace(
            labels=_only_these(thing.labels, keys),
            inherited=inherited and _only_these(inherited, keys),
            volumes=(),
            users=tuple(map(self.remembered, thing.users)),
            members=frozenset(),
            value={},
        )

    def may_show(self, thing: Thing) -> bool:
        """Whether `shows` may come to hold, once all is known: False is certain."""
        return thing.is_anonymous or self.shows(thing.inheriting({}))

    def refuses_making(self, operation: str, asked: Asked | None) -> Refusal | None:
        """Say why a request may not make what it does not name."""
        row = row_of(operation)
        if row is None or (kind := row.kind) is None:
            return None
        if row.touch is not Touch.MAKES or asked is None or asked.is_told:
            return None  # what went on was judged, and is made
        thing = made(kind, asked)
        if not self.limits(kind) or self.by_kind[kind].holds(thing):
            return None
        name = LISTED_BY[kind]
        what = f" {thing.names[0][:64]!a}" if thing.names[0] else ""
        message = f"{operation} makes a {kind}{what} that {name} does not list"
        return Refusal(variable=name, message=message, item=thing.names[0])


NO_OBJECTS = Objects()
"""Requests may name anything."""


# --- Lists ------------------------------------------------------------------------


def parse_objects(variables: Mapping[str, str], *, source: str) -> Objects:
    """Read the variables. Raises `ConfigError` for what can never fit."""
    given = OBJECTS.keys() & variables.keys()
    owner = variables.get(OWNER_VARIABLE, "")
    if owner and not re.fullmatch(r"[A-Za-z0-9_.-]{1,128}", owner):
        raise ConfigError(
            f"{OWNER_VARIABLE}={owner[:64]!r} in {source} is no name",
            hint="write letters, digits, dots, - and _",
        )
    network = variables.get(NETWORK_VARIABLE, "")
    if network and (network in BUILT_IN or not NAME.fullmatch(network)):
        raise ConfigError(
            f"{NETWORK_VARIABLE}={network[:64]!r} in {source} is no network that somebody made",
            hint="write its name as docker network ls shows it",
        )
    if not given:
        if network:
            raise ConfigError(
                f"{NETWORK_VARIABLE} in {source} needs lists to be judged by",
                hint=f"set ONLY_NETWORKS={network}{'' if owner else ' and ONLY_OWNER=NAME'} as well",
            )
        if owner:
            raise ConfigError(
                f"{OWNER_VARIABLE} in {source} limits nothing by itself",
                hint=f"set ONLY_CONTAINERS={OWN} as well",
            )
        return NO_OBJECTS
    lists = {name: _items(name, variables.get(name), source) for name in OBJECTS}
    if not owner and any(OWN in items for items in lists.values()):
        raise ConfigError(
            f"{OWN} in {source} needs a name for what is the client's own",
            hint=f"set {OWNER_VARIABLE}=NAME, another one in each file;"
            f" an unset variable of {', '.join(OBJECTS)} lists {OWN}",
        )
    return Objects(
        by_kind={
            OBJECTS[name]: _only(name, items, owner, source)
            for name, items in lists.items()
        },
        set_variables=frozenset(given),
        owner=owner,
        network=network,
    )


def of_owner(owner: str) -> Objects:
    """List what is the client's own, as a file that says no more: what it is shown if it is
    learned as if it were alone."""
    variables = {LISTED_BY[Kind.CONTAINER]: OWN, OWNER_VARIABLE: owner}
    return parse_objects(variables, source="")


def own_alone(owner: str) -> Objects:
    """List what is the client's own, and nothing else: learning looks at it that way."""
    variables = {**dict.fromkeys(OBJECTS, OWN), OWNER_VARIABLE: owner}
    listed = parse_objects(variables, source="")
    own = listed.by_kind[Kind.CONTAINER]
    # Of both labels it counts whether the image has them.
    both = replace(own, holds=lambda one: own.holds(one) or bool(project_of(one)))
    return replace(listed, by_kind={**listed.by_kind, Kind.CONTAINER: both})


def is_listed(items: Collection[str], kind: Kind, name: str, project: str = "") -> bool:
    """Whether items hold an object by its name and project alone, or `@own` itself.

    This is what a file says of a name that was written down. What a label that is listed
    holds nobody can tell from a name, so that it holds nothing here.
    """
    said = {ANY, name} | ({item_of_project(project)} if project else set())
    if kind is Kind.NETWORK and name in BRIDGE:
        said |= {*BRIDGE}
    # A star of the name stands for what one of the item stands for, and for no more.
    return not said.isdisjoint(items) or any(
        _fits(item, "*")(name) for item in items if "*" in item and item[0] != "@"
    )


def _only_these(labels: Mapping[str, str], keys: frozenset[str]) -> dict[str, str]:
    return {key: labels[key] for key in keys & labels.keys()}


def item_of_project(project: str) -> str:
    """Write what Compose made for a project."""
    return f"{OF_PROJECT}{normal.quote(project)}"


@lru_cache(maxsize=4096)  # each name of a long list is held to the same items
def _fits(item: str, more: str = "") -> Callable[[str], re.Match[str] | None]:
    """Match names by an item; `more`: what its stars stand for besides."""
    star = f"[A-Za-z0-9_{more}-]+"
    return re.compile(star.join(map(re.escape, item.split("*")))).fullmatch


def _items(name: str, value: str | None, source: str) -> tuple[str, ...]:
    if value is None:
        # Unset beside another one: on the networks of every Engine a container is without a word, and could not start
        # else.
        return (OWN, *(NETWORKS_OF_ALL if OBJECTS[name] is Kind.NETWORK else ()))
    return split_items(name, value, source, what="names")


def _only(name: str, items: tuple[str, ...], owner: str, source: str) -> Only:
    if items == (ANY,):
        return Only(variable=name, items=items, holds=lambda _: True, is_any=True)
    # Of a fleet's thousands each container is looked up, and not tried with each.
    names, starred = set[str](), list[str]()
    labels = defaultdict[str, set[str]](set)
    try:
        for item in items:
            if item.startswith("@"):
                key, value = _label_of(item, owner)
                labels[key].add(value)
                continue
            _check_name(item)
            if "*" in item:
                starred.append(item)
            else:
                names.add(item)
    except ValueError as error:
        what, _, hint = str(error).partition("; ")
        raise ConfigError(f"{what} in {name} of {source}", hint=hint) from None
    if OBJECTS[name] is Kind.NETWORK and "default" in names:
        names.add("bridge")  # creations call it otherwise than the Engine
    fits = [_by_label(key, values) for key, values in labels.items()]
    if names:
        fits.insert(0, lambda thing: not names.isdisjoint(thing.names))
    if starred:
        fits.append(_of_starred(starred))
    return Only(
        variable=name,
        items=items,
        # One, as of most lists, is asked without more ado: of each container of a list.
        holds=fits[0] if len(fits) == 1 else lambda thing: any(f(thing) for f in fits),
        labels=frozenset(labels) - {_PROJECT, OWNER_LABEL},
    )


def _check_name(item: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9*][A-Za-z0-9_.*-]*", item):
        raise ValueError(f"{item[:64]!r} is no name; write it as docker shows it")


_PROJECT: Final = ""
"""In place of a label's key, for a project is told by two (`project_of`)."""


def _of_starred(items: Iterable[str]) -> Callable[[Thing], bool]:
    """Hold things by names with a star, of which those are tried that begin and end so."""
    ends = Ends((one.split("*")[0], one.split("*")[-1], one) for one in items)
    return lambda thing: any(
        _fits(one)(name)
        for name in thing.names
        for one in ends.near(name, name, is_whole=True)
    )


def _by_label(key: str, values: Collection[str]) -> Callable[[Thing], bool]:
    if key == _PROJECT:
        return lambda thing: project_of(thing) in values
    return lambda thing: thing.own_label(key) in values


def _label_of(item: str, owner: str) -> tuple[str, str]:
    """The key of a label by which an item lists things, and its value."""
    if item == OWN:
        return OWNER_LABEL, owner
    if item.startswith(OF_PROJECT):
        project = _unquote(item, item.removeprefix(OF_PROJECT))
        if not project:  # which is what all have that Compose did not make
            raise ValueError(f"{item!r} names no project; write {OF_PROJECT}NAME")
        return _PROJECT, project
    if item.startswith(OF_LABEL):
        key, mark, value = item.removeprefix(OF_LABEL).partition("=")
        if not mark or not key:
            raise ValueError(f"{item[:64]!r} is no label; write @label:KEY=VALUE")
        key, value = _unquote(item, key), _unquote(item, value)
        if key == OWNER_LABEL:
            raise ValueError(f"{item[:64]!r} is the proxy's own label; write {OWN}")
        return key, value
    raise ValueError(
        f"{item[:64]!r} is nothing that is known;"
        f" write a name, {OWN}, @project:NAME or @label:KEY=VALUE"
    )


def project_of(thing: Thing) -> str:
    """The project that Compose made an object for; empty: none.

    Images that it builds have the project's label as well. The number that each of its
    containers has is on no image, so that is looked for.
    """
    if thing.kind is Kind.CONTAINER and thing.own_label(NUMBER_LABEL) is None:
        return ""
    return thing.labels.get(PROJECT_LABEL, "")


def _unquote(item: str, text: str) -> str:
    if not normal.is_quoted(text):
        written = normal.quote(normal.unquote(text))
        raise ValueError(
            f"{item[:64]!r} is not written in the one way; write {written}"
        )
    return normal.unquote(text)
