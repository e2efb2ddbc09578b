"""The policy: which requests may pass, and why.

A policy is data: what is decided on each route of the table is made once, when the policy
is, and then only looked up. What of that depends on more than the route is little. A path
that no row has is decided by its section, or by a route that the file names; so is what the
Engine takes by any method, or on every path. A name may hold slashes, and words that refuse.
How a file says all that is known in `file` alone: it gives a function, from method, route and
path to a ruling, which is asked for each row at the start, with the row's template as the
path, and afterwards for what is in no row.
"""

import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import field
from enum import StrEnum
from functools import cache, lru_cache
from typing import Final, NamedTuple

from trioproxy.api import query
from trioproxy.api.families import (
    OBJECTS,
    OPERATIONS_VARIABLE,
    REDACT_VARIABLE,
    Hides,
    Kind,
)
from trioproxy.api.fields import PODMANS
from trioproxy.api.matched import Request, Route, shown
from trioproxy.api.redaction import may_tell_more
from trioproxy.api.routes import (
    ENDPOINTS,
    OPERATIONS,
    OPTIONS,
    SECTIONS,
    Endpoint,
    section_prefix,
    unlisted,
)
from trioproxy.errors import BadTarget
from trioproxy.judge.showing import Showing
from trioproxy.judge.showing import showings as showings_of
from trioproxy.limits.limit import NO_LIMITS, Limits
from trioproxy.limits.objects import LISTED_BY, NAME, NO_OBJECTS, Objects
from trioproxy.limits.things import NOT_FOUND
from trioproxy.values import ordered_class, settle, value_class

READING = frozenset({"GET", "HEAD"})
"""The methods that need no `POST=1`."""


class Mode(StrEnum):
    """What a policy is made of."""

    EXACT = "exact"
    """`ALLOW_OPERATIONS` alone grants."""
    SECTIONS = "sections"
    """Section variables, `POST` and verbs, as in the incumbents."""


class Reason(StrEnum):
    """Why a request may pass or not."""

    OPERATION = "operation"
    ROUTE = "route"
    """By a `METHOD:/path/template`."""
    VERB = "verb"
    METHOD = "method"
    WRITE_LIKE_READ = "write-like-read"
    EXEC = "exec"
    SECTION = "section"
    NO_SECTION = "no-section"
    """No variable covers this path."""
    UNKNOWN_ROUTE = "unknown-route"
    """Passes by its section, though the table does not know it: without `Upgrade`."""
    ARGUMENT = "argument"
    """It asks for what the file does not list."""
    UNREAD = "unread"
    """What it asks for is limited, and its body cannot be read any more."""
    UNRESOLVED = "unresolved"
    """What it names has to be looked up at the Engine, and that does not say it."""
    UNJUDGED = "unjudged"
    """It ended before it was judged: its client left, or was cut."""
    OBJECT = "object"
    """It names or makes what the file does not list."""
    UNCONFINED = "unconfined"
    """It shows or changes objects without naming one, and the file limits them."""
    GUARDED = "guarded"
    """It would make somebody another client, where these are known by their containers."""
    MISSING = "missing"
    """The Engine has nothing by a name in it; the answer has the Engine's own words."""
    UNLIMITABLE = "unlimitable"
    """No limit covers it, and the file has limits."""
    REDACTED = "redacted"
    """Its answer would tell what the file redacts, or its body has the marker for that."""
    ASKED = "asked"
    """The policy refuses it, and a person who was asked let it pass."""
    LEARNING = "learning"
    CEILING = "ceiling"


@ordered_class
class Decision:
    """Whether a request may pass."""

    allowed: bool
    reason: Reason
    rule: str
    """The variable that decided."""
    message: str = ""
    """For a refusal: what was refused, and what would allow it."""
    status: int = 403
    """Of our answer to what is refused."""
    would_refuse: bool = False
    """Allowed only because the policy is tried out: `message` says what it refuses."""
    item: str = ""
    """For a refusal by a list: what `rule` would have to list; empty: no item is known."""
    words: str = field(init=False, compare=False, repr=False)
    """It as words of a log line, each with a space before it."""

    def __post_init__(self) -> None:
        settle(self, words=_words(self.word, self.reason, self.rule))

    @property
    def is_answered(self) -> bool:
        """Whether the Engine has answered already, for it has nothing under a name.

        No rule refuses that: it is what the client would have got.
        """
        return self.reason is Reason.MISSING and self.status == NOT_FOUND

    @property
    def unlisted_name(self) -> str:
        """Of what a list of objects refuses: the name that it would have to hold, if any."""
        is_list = self.reason is Reason.OBJECT and self.rule in OBJECTS
        return self.item if is_list and NAME.fullmatch(self.item) else ""

    @property
    def word(self) -> str:
        """How logs call it."""
        if self.would_refuse:
            return "would-refuse"
        if self.reason is Reason.UNJUDGED:
            return "none"
        return "allowed" if self.allowed or self.is_answered else "refused"


BY_LISTS: Final = frozenset({Reason.ARGUMENT, Reason.OBJECT})
"""Reasons of what a list of a file refuses."""


@cache
def _words(word: str, reason: Reason, rule: str) -> str:
    """The words of a decision, made once for each of the few that there are."""
    variable = f" variable={rule or 'none'}" if reason in BY_LISTS else ""
    return f" decision={word} reason={reason}{variable}"


class Ruling(NamedTuple):
    """What a file says of a route, whatever it limits beside."""

    allowed: bool
    reason: Reason
    rule: str
    """The variable that decided."""
    advice: str = ""
    """For a refusal: what would allow it."""
    names_it: bool = False
    """Whether that would grant it by its name."""


Rules = Callable[[str, Endpoint | None, str], Ruling]
"""Rules on a method, a route and a path; a row's template stands for all of its paths."""


class Confines(NamedTuple):
    """How far what a file grants goes; the fields of a `Policy` that are called so."""

    limits: Limits
    objects: Objects
    hides: frozenset[Hides] | None


@value_class
class Policy:
    """A set of rules; nothing else is allowed."""

    mode: Mode
    rules: Rules = field(compare=False, repr=False)
    lines: frozenset[str]
    """All that these follow from, as text."""
    operations: frozenset[str] = frozenset()
    """Those that are listed one by one."""
    routes: tuple[Route, ...] = ()
    """Those that are listed and in no table."""
    sections: frozenset[str] = frozenset()
    """The section variables that are 1: routes that no row has pass by them."""
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By section, how a segment behind a name may begin that has the path refused."""
    limits: Limits = NO_LIMITS
    """What requests may ask for beyond their route."""
    objects: Objects = NO_OBJECTS
    """Which containers, networks and volumes they may name."""
    hides: frozenset[Hides] | None = None
    """What answers do not tell; None: the file does not speak of that, and they tell all."""
    rows: Mapping[Endpoint, Decision] = field(init=False, compare=False, repr=False)
    """What is decided on each route that has a method and a path of its own."""
    opened_operations: frozenset[str] = field(init=False, compare=False, repr=False)
    """The operations of the table that it opens."""
    showings: Mapping[str, Showing] = field(init=False, compare=False, repr=False)
    """How answers are shown, by operation; what is not in it goes on as it comes."""
    drops_nodes: bool = field(init=False, compare=False)
    """Whether containers go on, and are reached into, without the capability for nodes.

    So it is where a client is confined and the Engine packs or unpacks files for it, and
    no list lets it have that capability: see `api.nodes`.
    """

    def __post_init__(self) -> None:
        rows = {
            one: _on_row(self._rule(one.method, one, one.template), one)
            for one in ENDPOINTS
            if one.method not in {"ANY", OPTIONS.method}
        }
        opened = {one.operation for one, decision in rows.items() if decision.allowed}
        if any(map(self.takes_options, SECTIONS)):
            opened.add(OPTIONS.operation)
        showings: Mapping[str, Showing] = {}
        if self.objects or self.hides:
            showings = showings_of(self.objects, self.hides or frozenset())
        touches = any(rows[one].allowed and one.touches_containers for one in rows)
        settle(
            self,
            rows=rows,
            opened_operations=frozenset(opened),
            showings=showings,
            drops_nodes=self.is_confined and touches and not self.limits.lists_nodes,
        )

    @property
    def is_confined(self) -> bool:
        """Whether containers that are reached into are listed, and within the limits."""
        return self.objects.limits(Kind.CONTAINER) and self.limits.limits_creation

    @property
    def opened(self) -> tuple[Endpoint, ...]:
        """The rows of the operations that it opens, one each, by name."""
        opened = self.opened_operations
        return tuple(rows[0] for name, rows in OPERATIONS.items() if name in opened)

    def opens(self, *operations: str) -> tuple[str, ...]:
        """Those of some operations of the table that it opens."""
        return tuple(name for name in operations if name in self.opened_operations)

    def items_of(self, variable: str) -> tuple[str, ...] | None:
        """What a list of values or of objects has; None: the file has no such line."""
        if variable in OBJECTS:
            only = self.objects.by_kind.get(OBJECTS[variable])
            return only.items if only else None
        limit = self.limits.by_variable.get(variable)
        return tuple(limit.value.split(",")) if limit else None

    def decide(self, request: Request) -> Decision:
        """May this request pass, and why?"""
        endpoint, target = request.endpoint, request.target
        counts = target.query and self._limits_more(request.operation)
        if counts and (message := _does_more(request)):
            return refuse(Reason.UNLIMITABLE, "", message)
        row = self.rows.get(endpoint) if endpoint is not None else None
        if target.query and row is not None and row.allowed:
            refusal = (
                self._refuses_ps(request)
                or self._refuses_name(request)
                or _refuses_podmans(request)
            )
            if refusal is not None:
                return refusal
        if row is not None and endpoint is not None:
            # A name with slashes may hold a word; a HEAD is allowed as its GET is.
            has_slashes = target.path.count("/") != endpoint.template.count("/")
            is_told = row.allowed or request.method == endpoint.method
            if is_told and not (has_slashes and endpoint.section in self.words):
                return row
        return self.decide_route(request.method, endpoint, target.path, target.shown)

    def _limits_more(self, operation: str) -> bool:
        """Whether it counts what an operation does by its query: beside limits; and of who may
        start containers, who is root by a checkpoint, unless he may make one, and is told so."""
        if self.limits or operation != "ContainerStart":
            return bool(self.limits)
        return self.opens(operation, "CheckpointCreate") == (operation,)

    def _refuses_ps(self, request: Request) -> Decision | None:
        """Refuse arguments by which a list of processes may tell what is not for this client."""
        # Podman runs no `ps` on the host.
        is_podmans = request.endpoint is not None and request.endpoint.is_podmans
        others = self.objects.limits(Kind.CONTAINER) and not is_podmans
        if not (self.hides or others) or not (text := _telling_more(request)):
            return None
        reason, rule = Reason.UNLIMITABLE, ""
        told = "show processes of the whole host by them, and not of a container alone"
        if self.hides:
            reason, rule = Reason.REDACTED, REDACT_VARIABLE
            told = f"print environments by them, which {REDACT_VARIABLE} hides"
        message = f"{request.shown} with ps_args={text} is not allowed: ps may {told}; -ef, aux and -eo pid,comm pass"
        return refuse(reason, rule, message)

    def _refuses_name(self, request: Request) -> Decision | None:
        """Refuse to call a container so that it is taken for another one.

        The Engine looks for names first, so whoever names a stranger's container by its
        short id would reach this one: its owner by hand, or another policy's client. A
        network may: testcontainers for Node calls each of its own by 12 such digits.
        """
        if not self.objects.limits(Kind.CONTAINER) or not (
            name := _like_an_id(request)
        ):
            return None
        message = f"{request.operation} names a container {name!a}, which may be taken for the beginning of another one's id: give a name that is not 12 or more hex digits"
        return refuse(Reason.OBJECT, LISTED_BY[Kind.CONTAINER], message)

    def decide_route(
        self, method: str, endpoint: Endpoint | None, path: str, shown_path: str = ""
    ) -> Decision:
        """Decide by the route alone. `path` may be a template, for all that fit it."""
        ruling = self._rule(method, endpoint, path)
        return _decision(ruling, shown(method, endpoint, shown_path or path))

    def _rule(self, method: str, endpoint: Endpoint | None, path: str) -> Ruling:
        """Rule on a route by what the file says, and by what it limits beside."""
        # A file says what it grants, and its lists how far. Both hold only if no route that is open
        # gives the power that is limited, by a way that no list reads: a plugin beside
        # `CREATE_BINDS`, a swarm's service beside `ONLY_CONTAINERS`. Sections and verbs open such
        # routes by the dozen and nobody means it, so beside lists they are shut (`_guard`).
        # Whoever names a route has read its name: then it passes, and a warning says so.
        ruling = self.rules(method, endpoint, path)
        by_name = ruling.reason in _BY_NAME if ruling.allowed else ruling.names_it
        if self.hides and is_untellable(endpoint):
            ruling = _IS_UNTELLABLE  # and no file loads that names it
        elif not by_name and (guard := self._guard(method, endpoint)):
            # Beside limits what a refusal advises would not be enough either.
            ruling = guard if ruling.allowed else ruling._replace(advice=guard.advice)
        return ruling

    def decide_unlisted(self, method: str, section: str) -> Decision | None:
        """Decide on the routes of a section that no row has; None where rows have all."""
        template = unlisted(method, section)
        return self.decide_route(method, None, template) if template else None

    def takes_options(self, section: str) -> bool:
        """Whether `OPTIONS` passes on the paths of a section."""
        return self._rule(OPTIONS.method, OPTIONS, section_prefix(section)).allowed

    def _guard(self, method: str, endpoint: Endpoint | None) -> Ruling | None:
        """Refuse what gives the power that is limited elsewhere: half a guard is none."""
        if not self.limits and not self.objects:
            return None
        if endpoint is None:
            is_any, is_open = True, method not in READING
        else:
            is_any = endpoint.is_unconfined
            # No variable limits what a `PUT .../archive` writes, but lists of containers say into what. So it is a door
            # beside `CREATE_*` alone, where it writes into anybody's, and none beside lists, where what it reaches is
            # judged.
            is_held = bool(self.objects) and endpoint.is_held_by_objects
            is_open = endpoint.is_unlimitable and not is_held
        if self.objects and is_any:
            return _NAMES_NONE
        return _IS_OPEN if is_open else None

    @property
    def shows_listed(self) -> tuple[str, ...]:
        """What it opens that would show everybody's objects, and shows those that are listed."""
        if not self.objects:
            return ()
        return tuple(one.operation for one in self.opened if one.shows_all)

    @property
    def gone_around(self) -> str:
        """Say which lists a granted build goes around; empty: none.

        The Engine pulls what a Dockerfile begins with and fetches what it adds, by itself
        and from where it stands in the host's network.
        """
        names = ["PULL_IMAGES"] if self.limits.limits("PULL_IMAGES") else []
        if self.objects.limits(Kind.NETWORK):
            names.append("ONLY_NETWORKS")
        if not names or not self.opens("ImageBuild", "BuildKitControl"):
            return ""
        lists = " and ".join(names)
        return (
            f"a build goes around {lists}: it pulls any image and connects to any host"
        )

    @property
    def read_operations(self) -> frozenset[str]:
        """The operations of which more than the route has to be read."""
        return self.limits.operations | self.objects.reads

    @property
    def said(self) -> tuple[Mode, list[str], list[str]]:
        """All that it says: how, what it grants, and how far that goes."""
        return self.mode, sorted(self.lines), sorted(self.limiting)

    @property
    def fingerprint(self) -> str:
        """Eight hex digits by which people tell policies apart, and not a signature."""
        return f"{zlib.crc32(repr(self.said).encode()):08x}"

    @property
    def limiting(self) -> frozenset[str]:
        """How far what it grants goes, and what is hidden, as lines of a file."""
        return self.limits.lines | self.objects.lines | self.hiding

    @property
    def hiding(self) -> frozenset[str]:
        """What is hidden, as a line of a file; nothing, if nothing is."""
        words = self.hidden_words
        return frozenset({f"{REDACT_VARIABLE}={words}"} if words else ())

    @property
    def hidden_words(self) -> str:
        """What is hidden, as the value of `REDACT`."""
        return ",".join(one for one in Hides if one in (self.hides or ()))

    @property
    def still_shows(self) -> tuple[str, ...]:
        """What it opens that can show secrets, though answers are redacted."""
        if not self.hides:
            return ()
        return tuple(one.operation for one in self.opened if one.shows_what_is_hidden)

    @property
    def granted(self) -> frozenset[str]:
        """All that it opens by name: operations of the table, and named routes."""
        return self.opened_operations | {str(route) for route in self.routes}


_BY_NAME = frozenset({Reason.OPERATION, Reason.ROUTE, Reason.VERB})
"""What is granted by its name passes beside limits, and nothing else that is open does."""

_NAMES_NONE = Ruling(
    False,
    Reason.UNCONFINED,
    OPERATIONS_VARIABLE,
    f"it reaches what no ONLY_* variable lists, and this file has one: name it in {OPERATIONS_VARIABLE}",
)
_IS_OPEN = Ruling(
    False,
    Reason.UNLIMITABLE,
    OPERATIONS_VARIABLE,
    f"no variable limits what it asks for, as this file does for others: name it in {OPERATIONS_VARIABLE}",
)
_IS_UNTELLABLE = Ruling(
    False,
    Reason.REDACTED,
    REDACT_VARIABLE,
    f"nobody can tell what is secret in its answer, and this file has {REDACT_VARIABLE}: leave that out, or do without it",
)


@lru_cache(maxsize=4096)
def _on_row(ruling: Ruling, row: Endpoint) -> Decision:
    """Decide on a row of the table: most policies say the same words of most of them."""
    return _decision(ruling, shown(row.method, row, row.template))


def _decision(ruling: Ruling, what: str) -> Decision:
    if ruling.allowed:
        return Decision(True, ruling.reason, ruling.rule)
    message = f"{what} is not allowed: {ruling.advice}"
    return refuse(ruling.reason, ruling.rule, message)


def is_untellable(endpoint: Endpoint | None) -> bool:
    """Whether nobody can tell where secrets stand in an answer: it has no row, or no form."""
    return endpoint is None or endpoint.is_untellable


def refuse(reason: Reason, rule: str, message: str, item: str = "") -> Decision:
    """Refuse a request; `rule`: the variable that does, `item`: what it does not list."""
    return Decision(False, reason, rule, message=message, item=item)


UNREAD: Final = refuse(
    Reason.UNREAD, "", "what it asks for is limited, and was not read"
)
"""What a policy of now says of a body that is not here any more, or yet."""

UNRESOLVED: Final = refuse(
    Reason.UNRESOLVED, "", "what it names was not looked up at the Engine"
)
"""What is said where the Engine does not say, or is not asked, what a name means."""

UNJUDGED: Final = refuse(Reason.UNJUDGED, "", "")
"""What is told of a request that ended before it was judged; nobody is answered by it."""


def asks_more(request: Request) -> bool:
    """Whether a file may refuse it by its query alone, whatever it lists; not for one that
    nobody reads, which the Engine refuses, or the file as it is."""
    if not request.target.query:
        return False
    try:
        told = _does_more(request) or _telling_more(request) or _like_an_id(request)
        return bool(told or _refuses_podmans(request))
    except BadTarget:
        return False


def _does_more(request: Request) -> str:
    """Say by which key the Engine does what no variable limits; empty: by none.

    Experimental Engines restore from `checkpoint=../../DIR`, wherever that is, processes with
    all capabilities: a brother of the routes for checkpoints, which no variable limits either.
    And before 28 whose files those are that are copied in was looked up by `getent`, of the
    container, as root of the host.
    """
    operation = request.operation
    if operation not in {"ContainerStart", "PutContainerArchive"}:
        return ""
    for key, value in query.parse(request.target.query):
        if operation == "ContainerStart":
            if value and key in _CHECKPOINTS:
                return f"{request.shown} with a checkpoint is not allowed: no variable limits what a folder of the host is restored to"
        # Podman takes a name in any case.
        elif key.casefold() not in _COPIES and value.casefold() not in _NO:
            return f"{request.shown} with {key[:64]!a} is not allowed: by copyUIDGID Engines before 28 run a program of the container as root of the host, so leave it out (docker cp without -a)"
    return ""


_CHECKPOINTS = frozenset({"checkpoint", "checkpoint-dir"})
_COPIES = frozenset({"path", "nooverwritedirnondir"})
_NO = frozenset({"", "0", "false"})


def _refuses_podmans(request: Request) -> Decision | None:
    """Refuse a key by which Podman does more than the operation says, and Docker nothing."""
    if (row := PODMANS.get(request.operation)) is None:
        return None
    asked = {*query.values_of(query.parse(request.target.query), row.key)} - {""}
    if not asked or (row.is_flag and asked <= query.FALSE):
        return None
    message = (
        f"{request.shown} with {row.key}, by which Podman {row.does}, is not allowed"
    )
    return refuse(Reason.UNLIMITABLE, "", message)


_LIKE_AN_ID: Final = re.compile(r"/?([0-9a-f]{12,64})")
"""What tools show of an id, and as much more as it has."""


def _like_an_id(request: Request) -> str:
    """The name that a container gets, if it may be the beginning of an id; or empty."""
    if request.operation not in {"ContainerCreate", "ContainerRename"}:
        return ""
    given = query.values_of(query.parse(request.target.query), "name")
    return next(
        (found[1] for one in given if (found := _LIKE_AN_ID.fullmatch(one))), ""
    )


def _telling_more(request: Request) -> str:
    """The arguments of `ps` by which more may be told than of one container; empty: none."""
    if request.endpoint is None or not request.endpoint.lists_processes:
        return ""
    asked = query.values_of(query.parse(request.target.query), "ps_args")
    return next((f"{one[:64]!a}" for one in asked if one and may_tell_more(one)), "")
