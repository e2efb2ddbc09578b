"""What a file means, as one value: what it opens, what it limits, and whether that is root.

Whoever shows a file (explain, a diff, a report) renders this value and asks no policy of
its own. "Root" means root on the host, by a way that is known: an operation that no
variable limits, a listed value that gives it, or another container that has it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from trioproxy.arguments import root
from trioproxy.arguments.families import FAMILIES, Family
from trioproxy.arguments.limits import Limits
from trioproxy.arguments.table import OPERATIONS as ARGUED
from trioproxy.arguments.table import READERS
from trioproxy.policy.endpoints import OPERATIONS, Endpoint, Risk
from trioproxy.policy.rules import Policy

REACHING = (
    "ContainerExec",
    "ExecStart",
    "ContainerAttach",
    "ContainerAttachWebsocket",
)
"""Operations that reach into containers, whoever created them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A known way to root on the host."""

    operation: str
    argument: str = ""
    """`VARIABLE=item`, where a listed value gives it."""
    why: str

    def __str__(self) -> str:
        return f"{self.operation}: {self.argument or self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limited:
    """A variable of a family that is limited."""

    variable: str
    value: str
    """As in the file; empty: harmless values only."""
    is_set: bool
    line: str
    """What it limits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What a file means."""

    operations: tuple[Endpoint, ...]
    """What it opens."""
    limits: tuple[Limited, ...]
    """What requests may ask for."""
    ways: tuple[Way, ...]
    """The known ways to root on the host; empty: none is known."""
    conditions: tuple[str, ...]
    """What must be true of a client for that to hold."""

    @property
    def is_root(self) -> bool:
        """Whether root on the host can be reached in a known way."""
        return bool(self.ways)

    @property
    def answer(self) -> str:
        """The answer to "root or not" in one sentence."""
        if self.ways:
            more = f", and {len(self.ways) - 1} more" if len(self.ways) > 1 else ""
            return f"root on the host: yes, by {self.ways[0]}{more}"
        if not self.conditions:
            return "root on the host: no known way"
        return f"root on the host: no known way, for a client that {_list(self.conditions)}"


def meaning_of(policy: Policy) -> Meaning:
    """Say what a policy means."""
    opened = tuple(OPERATIONS[name][0] for name in sorted(policy.opened_operations))
    return Meaning(
        operations=opened,
        limits=tuple(_limits(policy.limits)),
        ways=tuple(_ways(policy, opened)),
        conditions=tuple(_conditions(policy)),
    )


def _list(parts: tuple[str, ...]) -> str:
    if len(parts) == 1:
        return parts[0]
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def _limits(limits: Limits) -> Iterator[Limited]:
    lines = dict[str, str]()
    for source in READERS.values():
        lines.setdefault(source.variable, source.line)
    for family in Family:
        for name in FAMILIES[family] if family in limits.families else ():
            limit = limits.limit_of(name)
            if limit is not None:
                yield Limited(
                    variable=name,
                    value=limit.value,
                    is_set=name in limits.by_variable,
                    line=lines.get(name, "anything else"),
                )


def _ways(policy: Policy, opened: tuple[Endpoint, ...]) -> Iterator[Way]:
    for endpoint in opened:
        if endpoint.risk is Risk.HOST_ROOT and endpoint.operation not in REACHING:
            yield from _open_way(policy, endpoint)
    for endpoint in opened:
        if endpoint.operation in REACHING:
            yield Way(
                operation=endpoint.operation,
                why="reaches into any container, whatever it was given",
            )
    for name, limit in policy.limits.by_variable.items():
        operations = [e.operation for e in opened if _is_limited_by(e, name)]
        for item in limit.value.split(",") if operations and limit.value else ():
            if why := root.of_item(name, item, base=policy.limits.base):
                yield Way(operation=operations[0], argument=f"{name}={item}", why=why)
    yield from _planted(policy, opened)


def _open_way(policy: Policy, endpoint: Endpoint) -> Iterator[Way]:
    argued = ARGUED.get(endpoint.operation)
    if argued is None:
        yield Way(operation=endpoint.operation, why=endpoint.summary)
    elif argued.family not in policy.limits.families:
        why = "nothing limits what it asks for"
        yield Way(operation=endpoint.operation, why=why)


def _is_limited_by(endpoint: Endpoint, variable: str) -> bool:
    argued = ARGUED.get(endpoint.operation)
    return argued is not None and variable in FAMILIES[argued.family]


def _planted(policy: Policy, opened: tuple[Endpoint, ...]) -> Iterator[Way]:
    """Ways by a link that a container leaves in one bind, below which another one lies."""
    binds = policy.limits.by_variable.get("CREATE_BINDS")
    creates = [e.operation for e in opened if _is_limited_by(e, "CREATE_BINDS")]
    if binds is None or binds.is_any or not creates:
        return
    items = [one.text for one in binds.patterns]
    for item in items:
        path, _, mode = item.partition(":")
        if mode == "ro":
            continue
        below = [
            other
            for other in items
            if other.partition(":")[0].startswith(f"{path.rstrip('/')}/")
        ]
        if path.endswith("/*") or below:
            why = "a link planted in one of its folders leads anywhere when it is bound"
            yield Way(operation=creates[0], argument=f"CREATE_BINDS={item}", why=why)


def _conditions(policy: Policy) -> Iterator[str]:
    if "ContainerCreate" not in policy.opened_operations:
        return
    yield "runs nothing on the host itself"
    if (binds := policy.limits.by_variable.get("CREATE_BINDS")) and binds.patterns:
        yield "cannot write the parents of its binds"
    yield "finds no volume that was made of a host folder before"
