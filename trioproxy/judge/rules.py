"""The policy: which requests may pass, and why.

A policy is built once from variables and then only asked. In exact mode
`ALLOW_OPERATIONS` alone grants; else the section variables do, and the `ALLOW_*` verbs.
Whoever adds a rule: a file must never grant more here than in the incumbent, the verbs
and `LIBPOD_*` that it sets to 1 itself aside.
"""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from trioproxy.api.families import Kind
from trioproxy.api.matched import Request, Route
from trioproxy.api.routes import ENDPOINTS
from trioproxy.file import samples
from trioproxy.file.variables import (
    OPERATIONS_VARIABLE,
    READ_VERBS,
    VERBS,
    VERBS_OF_PODMAN,
    WRITE_VERBS,
)
from trioproxy.limits.limit import NO_LIMITS, Limits
from trioproxy.limits.objects import NO_OBJECTS, Objects
from trioproxy.values import ordered_class

NOT_FOUND: Final = 404

READING = frozenset({"GET", "HEAD"})
"""The methods that need no `POST=1`."""

_PODMAN = "/libpod/"

# How linuxserver knows the routes that a read verb refuses: by any method, and by how the
# segment behind the name of a container begins.
DENIED_WORDS = {
    "ALLOW_ARCHIVE": "archive",
    "ALLOW_CHANGES": "change",
    "ALLOW_EXPORT": "export",
    "ALLOW_LOGS": "logs",
    "ALLOW_TOP": "top",
}


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
    OBJECT = "object"
    """It names or makes what the file does not list."""
    UNCONFINED = "unconfined"
    """It shows or changes objects without naming one, and the file limits them."""
    MISSING = "missing"
    """The Engine has nothing by a name in it; the answer has the Engine's own words."""
    UNLIMITABLE = "unlimitable"
    """No limit covers it, and the file has limits."""
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

    @property
    def is_answered(self) -> bool:
        """Whether the Engine has answered already, for it has nothing under a name.

        No rule refuses that: it is what the client would have got.
        """
        return self.reason is Reason.MISSING and self.status == NOT_FOUND

    @property
    def word(self) -> str:
        """How logs call it."""
        if self.would_refuse:
            return "would-refuse"
        return "allowed" if self.allowed or self.is_answered else "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A set of rules; nothing else is allowed."""

    mode: Mode
    operations: frozenset[str] = frozenset()
    routes: tuple[Route, ...] = ()
    switches: Mapping[str, bool] = field(default_factory=dict)
    """Section variables and `POST`, with their defaults; of Podman's own see `podman`."""
    refused_methods: frozenset[str] = frozenset()
    """The methods whose own variable is 0: only a verb still opens what has them."""
    verbs: Mapping[str, bool] = field(default_factory=dict)
    """The verbs that are set, and those that `COMPAT` reads as set."""
    limits: Limits = NO_LIMITS
    """What requests may ask for beyond their route."""
    objects: Objects = NO_OBJECTS
    """Which containers, networks and volumes they may name."""
    read_verbs_grant: bool = True
    """False under `COMPAT=linuxserver`: a read verb at 1 only lifts its refusal."""
    podman: Mapping[str, bool] = field(default_factory=dict)
    """The sections of Podman's own routes, with defaults, and its verbs that are set.

    Empty where no `LIBPOD_*` is 1: such a file says nothing of Podman, and opens nothing.
    """
    drops_nodes: bool = field(init=False, compare=False)
    """Whether containers go on, and are reached into, without the capability for nodes.

    So it is where a client is confined and the Engine packs or unpacks files for it, and
    no list lets it have that capability: see `api.nodes`.
    """

    def __post_init__(self) -> None:
        drops = self.is_confined and not self.limits.lists("CREATE_CAPS", "MKNOD")
        object.__setattr__(self, "drops_nodes", drops and self._touches_containers)

    @property
    def is_confined(self) -> bool:
        """Whether containers that are reached into are listed, and within the limits."""
        return self.objects.limits(Kind.CONTAINER) and self.limits.limits_creation

    def opens(self, *operations: str) -> tuple[str, ...]:
        """Those of some operations of the table that it opens."""
        return tuple(
            name
            for name in operations
            if any(self.decide(one).allowed for one in samples.of_item(name))
        )

    def decide(self, request: Request) -> Decision:
        """May this request pass, and why?"""
        if self.limits and _restores(request):
            message = f"{request.shown} with a checkpoint is not allowed: no variable limits what a folder of the host is restored to, as this file does for others"
            return _refuse(Reason.UNLIMITABLE, "", message)
        if self.mode is Mode.EXACT:
            return self._decide_exactly(request)
        if request.target.path.startswith(_PODMAN):
            return self._decide_podmans(request)
        return self._decide_by_sections(request)

    @property
    def shows_all(self) -> tuple[str, ...]:
        """What it opens that shows objects whether they are listed or not."""
        if not self.objects:
            return ()
        showing = {one.operation for one in ENDPOINTS if one.shows_all}
        return tuple(sorted(self.opened_operations & showing))

    @property
    def _touches_containers(self) -> bool:
        touching = (e.operation for e in ENDPOINTS if e.touches_containers)
        return bool(self.opens(*touching))

    @property
    def gone_around(self) -> str:
        """Say which lists a granted build goes around; empty: none.

        The Engine pulls what a Dockerfile begins with and fetches what it adds, by itself
        and from where it stands in the host's network.
        """
        pulls = self.limits.limit_of("PULL_IMAGES")
        names = ["PULL_IMAGES"] if pulls is not None and not pulls.is_any else []
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
    def fingerprint(self) -> str:
        """Eight hex digits by which people tell policies apart, and not a signature."""
        parts = (
            self.mode,
            sorted(self.operations),
            sorted(map(str, self.routes)),
            sorted(self.switches.items()),
            sorted(self.verbs.items()),
            sorted(self.podman.items()),
            self.read_verbs_grant,
            sorted(self.limits.lines | self.objects.lines),
        )
        return f"{zlib.crc32(repr(parts).encode()):08x}"

    @property
    def granted(self) -> frozenset[str]:
        """All that it opens by name: operations of the table, and named routes."""
        return self.opened_operations | {str(route) for route in self.routes}

    @property
    def operations_count(self) -> int:
        """How many operations of the table it opens."""
        return len(self.opened_operations)

    @property
    def opened_operations(self) -> frozenset[str]:
        """The operations of the table that it opens."""
        return frozenset(
            request.operation
            for request in samples.of_table()
            if self.decide(request).allowed
        )

    def _decide_exactly(self, request: Request) -> Decision:
        if request.operation in self.operations or self._grants_head(request):
            return _allow(Reason.OPERATION, OPERATIONS_VARIABLE)
        if request.endpoint is None:
            for route in self.routes:
                if route.fits(request.method, request.target.path):
                    return _allow(Reason.ROUTE, OPERATIONS_VARIABLE)
            what = f"a {request.shown.partition(' ')[0]}:/path/{{template}} for it"
        else:
            what = request.operation
        message = f"{request.shown} is not allowed: add {what} to {OPERATIONS_VARIABLE}"
        return _refuse(Reason.OPERATION, OPERATIONS_VARIABLE, message)

    def _grants_head(self, request: Request) -> bool:
        """Whether a HEAD route of its own has the template of a granted GET."""
        return request.method == "HEAD" and any(
            endpoint.operation in self.operations
            for endpoint in ENDPOINTS
            if request.endpoint is not None
            and endpoint.method == "GET"
            and endpoint.template == request.endpoint.template
        )

    def _decide_by_sections(self, request: Request) -> Decision:
        decision = self._judge_verbs(request)
        if decision is not None:
            return decision
        if request.method in self.refused_methods:
            return self._refuse(request, Reason.METHOD, request.method)
        if not self.switches["POST"]:
            if request.method not in READING:
                return self._refuse(request, Reason.METHOD, "POST")
            if self._needs_post_for_read(request):
                return self._refuse(request, Reason.WRITE_LIKE_READ, "POST")
        if request.operation == "ContainerExec" and not self.switches["EXEC"]:
            return self._refuse(request, Reason.EXEC, "EXEC")
        return self._judge_section(request)

    def _judge_verbs(self, request: Request) -> Decision | None:
        """Let the narrowest verb that is set decide; then those that refuse by a word.

        `ALLOW_RESTARTS` names stop, restart and kill, `ALLOW_STOP` stop alone. Whoever
        writes both means an exception by the narrower one, whichever is at 0.
        """
        for verb in self._granting_verbs(request):
            if verb in self.verbs:
                if self.verbs[verb]:
                    return _allow(Reason.VERB, verb)
                return self._refuse(request, Reason.VERB, verb)
        for verb in self._refusing_verbs(request):
            return self._refuse(request, Reason.VERB, verb)
        return None

    def _judge_section(self, request: Request) -> Decision:
        section = request.section
        if section is None:
            message = f"{request.shown} is not allowed: no section variable opens it, only {OPERATIONS_VARIABLE}"
            return _refuse(Reason.NO_SECTION, OPERATIONS_VARIABLE, message)
        if not self.switches[section]:
            return self._refuse(request, Reason.SECTION, section)
        if refusal := self._passes_by(request):
            return refusal
        if request.endpoint is None:
            return _allow(Reason.UNKNOWN_ROUTE, section)
        return _allow(Reason.SECTION, section)

    def _passes_by(self, request: Request) -> Decision | None:
        """Refuse what gives the power that is limited elsewhere: half a guard is none."""
        if self.objects and request.is_unconfined:
            message = f"{request.shown} is not allowed: it reaches what no ONLY_* variable lists, and this file has one: name it in {OPERATIONS_VARIABLE}"
            return _refuse(Reason.UNCONFINED, OPERATIONS_VARIABLE, message)
        if not self.limits and not self.objects:
            return None
        if (endpoint := request.endpoint) is None:
            is_open = request.method not in READING
        else:
            is_held = bool(self.objects) and endpoint.is_held_by_objects
            is_open = endpoint.is_unlimitable and not is_held
        return _refuse_unlimitable(request) if is_open else None

    def _decide_podmans(self, request: Request) -> Decision:
        """Decide on one of Podman's own routes, in the order of linuxserver's rules.

        No file for tecnativa is about them. So nothing of what differs for its sake holds
        here: a read verb refuses when unset, and at 1 it only lifts its refusal.
        """
        verb = self._granting_podman_verb(request)
        if verb and not self._refusing_podman_verbs(request):
            return _allow(Reason.VERB, verb)
        for reason, rule in self._podman_obstacles(request):
            message = f"{request.shown} is not allowed: {self._podman_advice(request)}"
            return _refuse(reason, rule, message)
        if refusal := self._passes_by(request):
            return refusal
        reason = Reason.SECTION if request.endpoint else Reason.UNKNOWN_ROUTE
        return _allow(reason, request.section or "")

    def _podman_obstacles(self, request: Request) -> Iterator[tuple[Reason, str]]:
        """What refuses a request that no verb opens; the first is the reason."""
        for verb in self._refusing_podman_verbs(request):
            yield Reason.VERB, verb
        if request.method in self.refused_methods:
            yield Reason.METHOD, request.method
        if not self.switches["POST"]:
            if request.method not in READING:
                yield Reason.METHOD, "POST"
            if _is_write_like(request):
                yield Reason.WRITE_LIKE_READ, "POST"
        if _prepares_exec(request) and not self.podman.get("LIBPOD_EXEC"):
            yield Reason.EXEC, "LIBPOD_EXEC"
        section = request.section
        if section is None:
            yield Reason.NO_SECTION, OPERATIONS_VARIABLE
        elif not self.podman.get(section):
            yield Reason.SECTION, section

    def _podman_verbs(self, request: Request) -> Mapping[str, bool]:
        """The verbs that are set for a route, the narrowest first."""
        if not self.podman:
            return {}
        known = {**self.verbs, **self.podman}
        verbs = _GRANTING_PODMAN.get(request.operation, ())
        return {verb: known[verb] for verb in verbs if verb in known}

    def _granting_podman_verb(self, request: Request) -> str:
        """The narrowest verb that is set for a route, if it is at 1; else nothing."""
        verbs = self._podman_verbs(request)
        first = next(iter(verbs), "")
        return first if verbs.get(first) else ""

    def _refusing_podman_verbs(self, request: Request) -> list[str]:
        """The verb at 0 for a route, and the read verbs, not at 1, of a word in its path."""
        narrowest = list(self._podman_verbs(request).items())[:1]
        refusing = [verb for verb, granted in narrowest if not granted]
        thing, *behind = request.target.path.lower().split("/")[2:]
        if thing not in {"containers", "pods"}:
            return refusing
        return refusing + [
            verb
            for verb, word in DENIED_WORDS.items()
            if not self.verbs.get(verb)
            and any(segment.startswith(word) for segment in behind[1:])
        ]

    def _podman_advice(self, request: Request) -> str:
        if verbs := _GRANTING_PODMAN.get(request.operation):
            return f"set {verbs[0]}=1"
        section = request.section
        if section is None:
            return f"no section variable opens it, only {OPERATIONS_VARIABLE}"
        needed = [*self._refusing_podman_verbs(request), section]
        if _prepares_exec(request):
            needed.append("LIBPOD_EXEC")
        if request.method not in READING or _is_write_like(request):
            needed.append("POST")
        if request.method in self.refused_methods:
            needed.append(request.method)
        is_set = {**self.switches, **self.podman}
        missing = [f"{name}=1" for name in needed if not is_set.get(name)]
        return f"set {' and '.join(missing)}"

    def _granting_verbs(self, request: Request) -> tuple[str, ...]:
        """The verbs that would allow a request, the narrowest first."""
        verbs = _GRANTING if self.read_verbs_grant else _GRANTING_WRITES
        return verbs.get(request.operation, ())

    def _refusing_verbs(self, request: Request) -> list[str]:
        """The verbs at 0 that refuse a request.

        A grant names whole routes. A refusal is read as widely as in linuxserver's rules,
        so that no file refuses less here: `ALLOW_ARCHIVE=0` stops PUT as well.
        """
        if not self.verbs:
            return []
        segments = _segments_behind_the_name(request)
        return [
            verb
            for verb, granted in self.verbs.items()
            if not granted
            and (
                request.operation in VERBS[verb]
                or (
                    verb in DENIED_WORDS
                    and any(one.startswith(DENIED_WORDS[verb]) for one in segments)
                )
            )
        ]

    def _needs_post_for_read(self, request: Request) -> bool:
        if not _is_write_like(request):
            return False
        # Under COMPAT=linuxserver whoever sets ALLOW_ARCHIVE=1 has asked for just that.
        return not any(
            self.verbs.get(verb) and request.operation in READ_VERBS[verb]
            for verb in READ_VERBS
        )

    def _refuse(self, request: Request, reason: Reason, rule: str) -> Decision:
        message = f"{request.shown} is not allowed: {self._advice(request)}"
        return _refuse(reason, rule, message)

    def _advice(self, request: Request) -> str:
        """Say which variables would allow it: a verb where there is one, it is narrower."""
        if verbs := self._granting_verbs(request):
            return f"set {verbs[0]}=1"
        section = request.section
        if section is None:
            return f"no section variable opens it, only {OPERATIONS_VARIABLE}"
        refusing = self._refusing_verbs(request)
        needed = [*refusing, section]
        if request.operation == "ContainerExec":
            needed.append("EXEC")
        is_lifted = any(request.operation in VERBS[verb] for verb in refusing)
        if request.method not in READING or (
            self._needs_post_for_read(request) and not is_lifted
        ):
            needed.append("POST")
        if request.method in self.refused_methods:
            needed.append(request.method)
        missing = [f"{name}=1" for name in needed if not self.switches.get(name)]
        return f"set {' and '.join(missing)}"


def _is_write_like(request: Request) -> bool:
    return request.endpoint is not None and request.endpoint.needs_post


def _prepares_exec(request: Request) -> bool:
    return request.operation == "LibpodContainerExec"


def _segments_behind_the_name(request: Request) -> list[str]:
    """The segments in which linuxserver's rules, or the Engine, may see a word.

    Its rules take the third segment of a path. The Engine takes slashes as part of a
    name (`/containers/PARENT/ALIAS/archive` reaches a container by a legacy link), so
    there the word of the route is elsewhere: it is taken from the template. Where no
    template is known, each segment behind the first of the name may be the word.
    """
    first, *behind = request.target.path.lower().split("/")[1:]
    if first != "containers":
        return []
    if request.endpoint is None:
        return behind[1:]
    return [*behind[1:2], *request.endpoint.template.split("/")[3:4]]


def _by_operation(
    verbs: Mapping[str, frozenset[str]],
) -> Mapping[str, tuple[str, ...]]:
    """Turn a table of verbs around: operation to verbs, the narrowest first."""
    narrowest_first = sorted(verbs, key=lambda verb: len(verbs[verb]))
    return {
        operation: tuple(verb for verb in narrowest_first if operation in verbs[verb])
        for operation in frozenset().union(*verbs.values())
    }


_GRANTING = _by_operation(VERBS)
_GRANTING_WRITES = _by_operation(WRITE_VERBS)
_GRANTING_PODMAN = _by_operation(VERBS_OF_PODMAN)


def _allow(reason: Reason, rule: str) -> Decision:
    return Decision(True, reason, rule)


def _refuse(reason: Reason, rule: str, message: str) -> Decision:
    return Decision(allowed=False, reason=reason, rule=rule, message=message)


UNREAD: Final = Decision(
    allowed=False,
    reason=Reason.UNREAD,
    rule="",
    message="what it asks for is limited, and was not read",
)
"""What a policy of now says of a body that is not here any more, or yet."""

UNRESOLVED: Final = Decision(
    allowed=False,
    reason=Reason.UNRESOLVED,
    rule="",
    message="what it names was not looked up at the Engine",
)
"""What is said where the Engine does not say, or is not asked, what a name means."""


def _restores(request: Request) -> bool:
    """Whether a start makes of a container what a folder of the host says.

    Experimental Engines restore from `checkpoint-dir`, wherever that is: a brother of the
    routes for checkpoints, which no variable limits either.
    """
    if request.operation != "ContainerStart" or not request.target.query:
        return False
    from trioproxy.api import query  # here, for most policies limit nothing

    pairs = query.parse(request.target.query)
    return any(value and key in _CHECKPOINTS for key, value in pairs)


_CHECKPOINTS = frozenset({"checkpoint", "checkpoint-dir"})


def _refuse_unlimitable(request: Request) -> Decision:
    message = f"{request.shown} is not allowed: no variable limits what it asks for, as this file does for others: name it in {OPERATIONS_VARIABLE}"
    return _refuse(Reason.UNLIMITABLE, OPERATIONS_VARIABLE, message)
