"""What one policy grants beyond another: as the two decide, not as they read.

Beside each other lie their decisions on each route of the table, on every route that one of
them names itself, and on routes of newer engines, which open sections let through.
What requests may ask for is compared by proof (`limits.inclusion`): more, unless the
old file is proven to allow it. `review.compare` shows it; a proxy that reads its file again
says it, and refuses what is opened without a word.
"""

from collections.abc import Collection, Iterable, Iterator

from trioproxy.api.answers import ANSWERS
from trioproxy.api.families import (
    FAMILIES,
    NETWORK_VARIABLE,
    NONE,
    OBJECTS,
    OPERATIONS_VARIABLE,
    OWNER_VARIABLE,
    REDACT_VARIABLE,
    VARIABLES,
    Family,
    Kind,
)
from trioproxy.api.fields import variables_of
from trioproxy.api.matched import Route, with_segments
from trioproxy.api.routes import (
    ALL_SECTIONS,
    LIMITED,
    OPERATIONS,
    OPTIONS,
    SECTIONS,
    kinds_of,
)
from trioproxy.judge.references import NAMES_BRIDGE
from trioproxy.judge.rules import Policy, Reason
from trioproxy.limits.grant import Grant
from trioproxy.limits.inclusion import beyond
from trioproxy.limits.inspected import REACHED, STARTED
from trioproxy.limits.limit import ANY, Limit, Limits
from trioproxy.limits.objects import OWN


def more(old: Policy, new: Policy) -> Iterator[Grant]:
    """Say what `new` grants and `old` does not, one after the other as it is found.

    What has no name of its own is said in words, as an item of `ALLOW_OPERATIONS`; what
    nothing limits any more is `*`, of a variable or of a family, as `CREATE_*`.
    """
    for name in _routes_beyond(old, new):
        yield Grant(OPERATIONS_VARIABLE, name)
    yield from _asked_beyond(old, new)
    yield from _named_beyond(old, new)
    yield from _told_beyond(old, new)


def opened_silently(old: Policy, new: Policy) -> Iterator[tuple[str, str]]:
    """What `old` limits and `new` does not speak of, each with a line that says so."""
    asked = variables_of(new.opened_operations)
    for family, names in FAMILIES.items():
        if family in new.limits.families or family not in old.limits.families:
            continue
        if open_to := [name for name in names if name in asked]:
            was = [f"{one}={ANY}" for one in open_to if one in old.limits.by_variable]
            yield f"{family}_*", " and ".join(was or [f"{open_to[0]}={ANY}"])
    limited = {name for name, one in old.limits.by_variable.items() if not one.is_any}
    for name in sorted(asked & limited - new.limits.by_variable.keys()):
        row = VARIABLES[name]
        if row.only_when_set and row.family in new.limits.families:
            yield name, f"{name}={ANY}"
    if _kinds(new) and not new.objects and any(map(old.objects.limits, Kind)):
        # Each: beside one, the others list what is the client's own.
        yield "ONLY_*", " and ".join(f"{name}={ANY}" for name in OBJECTS)
    if new.hides is None and any(_told_beyond(old, new)):
        yield REDACT_VARIABLE, f"{REDACT_VARIABLE}={NONE}"


# Policies are compared by what they decide, and there are endlessly many paths. A row is decided once for all of its
# own, so that rows are compared one by one. What no row has stands for a newer Engine's routes: one made-up template
# for each section and method will do, as a section decides on all of them alike. And a route that a file names is asked
# about with a segment that nobody wrote in the place of its parameters, beside one for each word that refuses.
def _routes_beyond(old: Policy, new: Policy) -> Iterator[str]:
    """The routes that pass by `new` alone: of the table, newer ones, and those they name."""
    yield from dict.fromkeys(  # for one operation may have two routes
        endpoint.operation
        for endpoint, decision in new.rows.items()
        if decision.allowed and not old.rows[endpoint].allowed
    )
    if any(new.takes_options(one) > old.takes_options(one) for one in SECTIONS):
        yield OPTIONS.operation
    for section in ALL_SECTIONS:
        for method, kind in (("GET", "reading"), ("POST", "writing")):
            before, after = (_passes_newer(p, method, section) for p in (old, new))
            if after > before:
                yield f"unknown {kind} routes in {section}"
    routes = sorted({*old.routes, *new.routes}, key=str)
    for route in routes:
        for segment in _segments(routes, _words(old, new)):
            path = with_segments(route.template, segment)
            is_new = new.decide_route(route.method, None, path).allowed
            if is_new and not old.decide_route(route.method, None, path).allowed:
                yield str(route)


def open_sections(policy: Policy) -> tuple[str, ...]:
    """The sections in which routes pass, too, that this version does not know."""
    return tuple(
        section
        for section in ALL_SECTIONS
        if any(_passes_newer(policy, method, section) for method in ("GET", "POST"))
    )


def _passes_newer(policy: Policy, method: str, section: str) -> bool:
    """Whether all routes pass that a newer Engine has in a section, not only named ones."""
    decision = policy.decide_unlisted(method, section)
    if decision is None or not decision.allowed:
        return False
    return decision.reason is Reason.UNKNOWN_ROUTE


def _asked_beyond(narrow: Policy, wide: Policy) -> Iterator[Grant]:
    """What requests may ask for under one policy, and not under the other."""
    opened = wide.opened_operations & LIMITED.keys()
    families = {family for name in opened for family in LIMITED[name]}
    within = reached(wide.opened_operations) if narrow.objects else ()
    looked_at = {VARIABLES[one].family for one in within}
    # Without lists of objects nobody looks at what is reached into, whatever is limited. Where
    # a list of containers is lost with that, it is told as such.
    is_seen = wide.objects or narrow.objects.limits(Kind.CONTAINER)
    unseen = frozenset[Family]() if is_seen else looked_at
    for family in Family:
        if family not in families | looked_at:
            continue
        if family in wide.limits.families and family not in unseen:
            yield from _listed_beyond(family, narrow, wide)
        elif family in narrow.limits.families:
            yield Grant(f"{family}_*", ANY)


def reached(operations: Collection[str]) -> frozenset[str]:
    """The variables by which it is judged, beside lists of objects, what they reach into.

    Who names a container or volume to have what that has is judged as if he asked for all of
    it, and who starts an exec as if he made it.
    """
    reaches = any(
        row.reaches or Kind.VOLUME in row.kinds
        for name in operations
        for row in OPERATIONS[name]
    )
    found = REACHED if reaches else frozenset[str]()
    return found | STARTED if "ExecStart" in operations else found


def _listed_beyond(family: Family, narrow: Policy, wide: Policy) -> Iterator[Grant]:
    before, after = (
        variables_of(one.opened_operations)
        | (reached(one.opened_operations) if narrow.objects else frozenset())
        for one in (narrow, wide)
    )
    for name in sorted(after & set(FAMILIES[family])):
        known = narrow.limits
        if name not in before:  # no operation there can ask for it at all
            known = Limits(by_variable={name: Limit(variable=name)})
        yield from beyond(known, wide.limits, [name])


def _named_beyond(narrow: Policy, wide: Policy) -> Iterator[Grant]:
    """Which objects requests may name, or answers tell of, under one policy, and not under
    the other.

    More, unless it is proven to be none: by the same words, or by a name that fits. What
    is one owner's own is nothing of another's; and where the one has another network joined
    in place of the bridge, none may be made on the bridge, though it may be named.
    """
    kinds = _kinds(wide)
    for variable, kind in OBJECTS.items():
        if kind not in kinds or not narrow.objects.limits(kind):
            continue
        if not wide.objects.limits(kind):
            yield Grant(variable, ANY)
            continue
        before, after = narrow.objects.by_kind[kind], wide.objects.by_kind[kind]
        is_same_owner = narrow.objects.owner == wide.objects.owner
        for item in after.items:
            if item == OWN and OWN in before.items and not is_same_owner:
                yield Grant(variable, f"{OWN} by {OWNER_VARIABLE}={wide.objects.owner}")
            elif not before.lists(item):
                yield Grant(variable, item)
    is_made = not NAMES_BRIDGE.isdisjoint(wide.opened_operations)
    if is_made and narrow.objects.network and not wide.objects.network:
        networks = wide.objects.by_kind.get(Kind.NETWORK)
        if networks is None or networks.lists("bridge"):
            yield Grant(NETWORK_VARIABLE, "bridge")


def _kinds(policy: Policy) -> frozenset[Kind]:
    """The kinds of what requests may name, and of what answers tell where lists narrow them."""
    opened = policy.opened_operations
    told = (ANSWERS[one].kinds for one in opened & ANSWERS.keys())
    return frozenset(kind for one in opened for kind in kinds_of(one)).union(*told)


def _told_beyond(narrow: Policy, wide: Policy) -> Iterator[Grant]:
    """What answers tell under one policy, and not under the other."""
    if any(one.is_redacted for one in wide.opened):
        for word in sorted((narrow.hides or frozenset()) - (wide.hides or frozenset())):
            yield Grant(REDACT_VARIABLE, f"answers with {word.shown}")


def _words(*policies: Policy) -> set[str]:
    return {word for one in policies for words in one.words.values() for word in words}


def _segments(routes: Iterable[Route], words: Iterable[str]) -> Iterator[str]:
    """Segments that stand for all that a parameter may be.

    One that no route has as it is written: another route allows it by a parameter in
    the same place only, and then allows them all. And one that begins like each word
    that refuses.
    """
    written = {segment for route in routes for segment in route.template.split("/")}
    other = "x"
    while any(segment.endswith(other) for segment in written):
        other += "x"
    yield other
    yield from (f"{word}-{other}" for word in sorted(words))
