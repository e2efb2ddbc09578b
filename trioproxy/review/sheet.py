"""The sheet: a line for each thing that a reviewer can strike out of a file, or add to it.

A file grants operations and items of lists; clients use operations, ask for values and name
objects. Both are brought to one form here, a `Grant`, and laid side by side: what is granted,
with its power and what was seen of it; and what is not, though it came up, with the power
that it would have. Every view (`explain`, `diff` with evidence, `approve`, the page) is
made of these lines, so that no two of them can say two things of one fact.

Evidence is read in one function, `_seen`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from itertools import chain
from typing import Final, NamedTuple

from trioproxy.api.families import LIMITS, NOWHERE, OBJECTS, OPERATIONS_VARIABLE, Places
from trioproxy.api.nodes import MAKE_IT_ANEW
from trioproxy.api.routes import OPERATIONS, Effect, Endpoint, row_of
from trioproxy.apiversion import too_old
from trioproxy.errors import ConfigError
from trioproxy.evidence.keeping import as_moving
from trioproxy.evidence.needs import is_need
from trioproxy.evidence.seen import NOBODY, Evidence, Facts
from trioproxy.evidence.sight import (
    BY_NODES,
    NODES,
    REFUSED,
    UNKNOWN,
    UNPROVEN,
    UNROUTED,
    Sight,
)
from trioproxy.judge.meaning import Meaning, meaning_of, what_of
from trioproxy.judge.power import Power, Powers
from trioproxy.judge.rules import Mode, Policy, Reason
from trioproxy.learning.flows import unseen_states
from trioproxy.learning.proposal import decisions_on
from trioproxy.learning.wording import count, day, days, some, span
from trioproxy.limits.ends import Ends
from trioproxy.limits.grant import Grant
from trioproxy.limits.inclusion import taken_out
from trioproxy.limits.limit import ANY, NOTHING
from trioproxy.limits.objects import (
    NETWORKS_OF_ALL,
    OF_LABEL,
    OWN,
    is_listed,
    item_of_project,
)
from trioproxy.limits.sorts import parse_pattern
from trioproxy.review.adding import Adding
from trioproxy.values import value_class

NEVER: Final = "NEVER USED: added by hand or by approve"
NOT_YET: Final = "not seen so far"
NO_WAY: Final = "no known way to root by itself"
PROGRAMS_SHOWN: Final = 3
NEWEST_DAYS: Final = 3
"""So many days are told apart on which something came up."""
UNUSED_DAYS: Final = 30
"""Granted and not used for so long is told of."""
DAY: Final = 86_400


class Standing(StrEnum):
    """What a file says of something."""

    GRANTED = "granted"
    REFUSED = "refused"
    DECLINED = "declined: a reviewer took it out of the file"
    FAILED = "it only ever failed"
    UNSEEN = "usual in a state that was never met"


@value_class
class Seen:
    """What evidence has of something."""

    runs: Mapping[str, int]
    """How often in each run that is counted by itself; of what is granted, its uses."""
    of_runs: int
    """How many runs there were, with those of which `approve` took this alone."""
    first: int = 0
    last: int = 0
    """Seconds since the epoch, as `first`; 0: never."""
    programs: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    """Addresses, or user ids."""
    values: tuple[str, ...] = ()
    """What was asked for, where an item fits more than itself."""

    @property
    def count(self) -> int:
        """How often, over these runs."""
        return sum(self.runs.values())

    def __str__(self) -> str:
        """Say it in one line."""
        by = f", by {some(self.programs, PROGRAMS_SHOWN)}" if self.programs else ""
        runs = count(self.of_runs, "run")
        since = days(self.first, self.last)
        return f"seen {self.count}x in {len(self.runs)} of {runs}, {since}{by}"


@value_class
class Line:
    """One thing that a reviewer can strike out, or add."""

    grant: Grant
    standing: Standing
    power: Power
    """What it gives; of what is not granted, what it would give."""
    told: str = ""
    """Of what was asked for and is not granted: as the refusal says it."""
    note: str = ""
    """What else is known of why it is not granted."""
    seen: Seen | None = None
    """None: the evidence cannot tell."""
    is_nameable: bool = True
    """Whether one name in the file would allow it."""

    @property
    def endpoint(self) -> Endpoint | None:
        """The row of the table, for an operation."""
        return row_of(self.grant.item) if self.grant.is_operation else None

    @property
    def route(self) -> str:
        """Method and template of an operation of the table; empty for all else."""
        endpoint = self.endpoint
        return f"{endpoint.method} {endpoint.template}" if endpoint else ""

    @property
    def does(self) -> str:
        """Why it is root, what the operation does, or what the item is."""
        return self.power.why or what_of(*self.grant)

    def among(self, askers: Sequence[str]) -> str:
        """What stands before who asked: of a value it is not known which of them did."""
        return "some of " if askers[1:] and not self.grant.is_operation else ""

    @property
    def last_used(self) -> str:
        """When it was used last, to stand behind its name; empty: never."""
        last = self.seen.last if self.seen else 0
        return f", last {day(last)}" if last else ""

    @property
    def sighting(self) -> str:
        """Say what was seen of it; empty if the evidence cannot tell."""
        if self.seen is None:
            return ""
        # Nobody adds what is the client's own by hand, before there is any.
        never = NOT_YET if self.grant.item == OWN else NEVER
        return str(self.seen) if self.seen.last else never


def split_news(news: Mapping[str, list[str]]) -> tuple[dict[str, list[str]], str]:
    """The newest days but the first of all, and what to say of those before."""
    newest = dict(list(news.items())[: min(NEWEST_DAYS, len(news) - 1)])
    before = [one for one in news if one not in newest]
    number = sum(len(news[one]) for one in before)
    others = count(number, "other") if newest else count(number, "grant")
    return newest, f"{others} up to {before[0]}" if before else ""


def unused_for(seconds: int, days: int = UNUSED_DAYS) -> str:
    """Say in which time something was not used; `seconds`: how long was watched."""
    if seconds < days * DAY:
        return f"in {span(seconds)}, which proves little"
    return f"in the last {count(days, 'day')} that were watched"


@value_class
class Sheet:
    """All lines of a file beside what was seen."""

    policy: Policy
    meaning: Meaning
    lines: tuple[Line, ...]
    """In the order of the file, and behind that what is not granted."""
    knows_values: bool
    """Whether the evidence knows what requests asked for."""

    @property
    def granted(self) -> tuple[Line, ...]:
        """What the file grants."""
        return tuple(one for one in self.lines if one.standing is Standing.GRANTED)

    @property
    def operations(self) -> tuple[Line, ...]:
        """The operations that it opens."""
        return tuple(one for one in self.granted if one.endpoint)

    @property
    def writes(self) -> int:
        """How many of the operations that it opens change something."""
        return sum(one.effect is Effect.WRITE for one in self.policy.opened)

    def items(self, variable: str) -> tuple[Line, ...]:
        """What a variable lists."""
        return tuple(one for one in self.granted if one.grant.variable == variable)

    @property
    def refused(self) -> tuple[Line, ...]:
        """What it does not grant, and clients asked for."""
        return tuple(one for one in self.lines if one.told)

    @property
    def news(self) -> dict[str, list[str]]:
        """What it grants and was seen, by the day on which that came up, the newest first."""
        found = defaultdict[str, list[str]](list)
        for one in self.granted:
            if one.seen and one.seen.last:
                found[day(one.seen.first)].append(one.grant.name)
        return dict(sorted(found.items(), reverse=True))

    def unused(self, since: int) -> tuple[Line, ...]:
        """What it grants and nobody used since a time, in seconds since the epoch."""
        return tuple(one for one in self.granted if one.seen and one.seen.last < since)


def sheet_of(policy: Policy, evidence: Evidence | None = None) -> Sheet:
    """Lay a file beside what was seen."""
    meaning = meaning_of(policy)
    powers = Powers(policy, meaning.ways)
    sights = list(_seen(evidence)) if evidence else []
    items = _Items(policy, evidence.newest_places if evidence else NOWHERE)
    uses = defaultdict[Grant, list[_Use]](list)
    refused: _Refusals = defaultdict(list)
    for one in sights:
        fitting = items.fitting(one)
        for grant in fitting if one.is_used else ():
            uses[grant].append(one)
        if refusal := items.refusal(one, fitting):
            refused[items.written(one)].append((one, refusal))
    grants = list(grants_of(policy))
    seen = _seen_of(grants, uses, evidence) if evidence else {}
    granted = list[Line]()
    for grant in grants:
        power, of_it = powers.of(grant), seen.get(grant)
        line = Line(grant=grant, standing=Standing.GRANTED, power=power, seen=of_it)
        granted.append(line)
    others = _others(policy, evidence, refused) if evidence else ()
    return Sheet(
        policy=policy,
        meaning=meaning,
        lines=(*granted, *others),
        knows_values=any(not one.grant.is_operation for one in sights),
    )


def grants_of(policy: Policy) -> Iterator[Grant]:
    """All that a reviewer can strike out of a file."""
    named = (*sorted(policy.opened_operations), *map(str, policy.routes))
    yield from map(Grant.of_operation, named)
    for variable in (*policy.limits.by_variable, *sorted(policy.objects.set_variables)):
        for item in listed_items(policy, variable):
            yield Grant(variable, item)


def listed_items(policy: Policy, variable: str) -> list[str]:
    """What a variable lists, item by item."""
    if variable == OPERATIONS_VARIABLE:
        return sorted(policy.operations | set(map(str, policy.routes)))
    empty = {""} if variable in OBJECTS else {"", NOTHING}
    return [one for one in policy.items_of(variable) or () if one not in empty]


def of_kind(policy: Policy, grant: Grant) -> list[str]:
    """What a file grants of a kind: operations of a section, items of a list."""
    if not grant.is_operation:
        return listed_items(policy, grant.variable)
    section = OPERATIONS[grant.item][0].section
    opened = sorted(policy.opened_operations)
    return [name for name in opened if OPERATIONS[name][0].section == section]


# --- What was seen ------------------------------------------------------------------


class _Use(NamedTuple):
    """One thing that clients did: used an operation, asked for a value, named an object."""

    grant: Grant
    """As the evidence has it."""
    sight: Sight
    facts: Facts
    routes: Sequence[Facts]
    """What is known of the operation."""

    @property
    def reached(self) -> str:
        """What has the value and was reached into, as `container db`; empty: it was asked for."""
        return f"{self.sight.kind} {self.sight.item}" if self.sight.has else ""

    @property
    def is_of_nodes(self) -> bool:
        """Whether it counts where files are packed alone, and is not to be listed for that."""
        return self.sight.has == str(NODES)

    @property
    def is_used(self) -> bool:
        """Whether any answer shows a need."""
        ends = chain(self.facts.results, *self.facts.runs.values())
        return any(is_need(self.sight, end) for end in ends)


def _seen(evidence: Evidence) -> Iterator[_Use]:
    """All that evidence has, in one form. What only says that there was something is left out."""
    known = sorted(evidence.facts.items(), key=lambda one: one[0])
    routes = defaultdict[str, list[Facts]](list)
    for sight, facts in known:
        if sight.is_route:
            routes[sight.operation].append(facts)
    for sight, facts in known:
        if grant := _shown(sight):
            of_it = [facts] if sight.is_route else routes[sight.operation]
            yield _Use(grant, sight, facts, of_it)


def _shown(sight: Sight) -> Grant | None:
    """What a sight shows a need for; None: it only says that something was looked at."""
    if sight.has:
        has = Grant.parse(sight.has)
        is_value = has.item and has.variable in LIMITS
        return BY_NODES if has == NODES else has if is_value else None
    is_any = sight.is_route or sight.variable in LIMITS or sight.kind is not None
    return sight.grant if sight.item and is_any and not sight.is_told else None


def _seen_of(
    grants: Iterable[Grant], uses: Mapping[Grant, list[_Use]], evidence: Evidence
) -> dict[Grant, Seen]:
    """What was seen of those grants of which the evidence can tell whether they were used.

    What has a label it does not know, nor which operation a route is.
    """
    found, known = dict[Grant, Seen](), {OPERATIONS_VARIABLE}
    known.update(LIMITS if evidence.arguments else ())
    known.update(OBJECTS if evidence.objects else ())
    for one in grants:
        item = "" if one.is_operation else one.item
        is_strange = item.startswith(OF_LABEL) if item else one.item not in OPERATIONS
        if one.variable in known and not is_strange:
            found[one] = _sum(uses.get(one, ()), evidence, item=item)
    return found


def _sum(
    sights: Iterable[_Use],
    evidence: Evidence,
    *,
    item: str = "",
    is_granted: bool = True,
) -> Seen:
    """Unite what was seen; of what is granted only what shows a need."""
    uses, runs, askers = list(sights), Counter[str](), NOBODY
    for one in uses:
        for run, counts in one.facts.runs.items():
            ends = [e for e in counts if not is_granted or is_need(one.sight, e)]
            runs[run] += sum(counts[end] for end in ends)
        # Of a value it is not known who asked for it, but who did so in the same runs.
        for route in one.routes if not item else ():
            if route.runs.keys() & one.facts.runs.keys():
                askers = askers.unite(route.users)
                askers = askers.unite(NOBODY if is_granted else route.triers)
    values = {one.grant.item for one in uses} - {item} if item else ()
    return Seen(
        runs={run: number for run, number in sorted(runs.items()) if number},
        of_runs=len(evidence.runs.keys() | runs.keys()),
        first=min((one.facts.first for one in uses), default=0),
        last=max((one.facts.last for one in uses), default=0),
        programs=tuple(sorted(askers.agents)),
        clients=tuple(sorted(askers.clients)),
        values=tuple(sorted(values)),
    )


# --- What passes, and by what -------------------------------------------------------


class _Items:
    """The items of a file, by what they fit.

    There may be thousands, and as many values: which items fit is looked up, and no item is
    tried for each value.
    """

    def __init__(self, policy: Policy, places: Places) -> None:
        """`places`: what `{base}` is in values, where the file does not say it."""
        self._policy = policy
        self._opened = policy.opened_operations
        said = zip(policy.limits.places, places, strict=True)
        self._places = Places(*(mine or other for mine, other in said))
        self._objects = {
            one.variable: (frozenset(one.items), _by_ends(one.items))
            for one in policy.objects.by_kind.values()
        }

    def fitting(self, one: _Use) -> list[Grant]:
        """The grants of the file by which something passes."""
        variable, value = one.grant
        limit, fits = self._policy.limits.by_variable.get(variable), list[str]()
        if one.grant.is_operation:
            fits = [value] if value in self._opened else []
        elif variable in self._objects:
            kind, project = OBJECTS[variable], one.sight.project
            items, by_ends = self._objects[variable]
            near = items.intersection((item_of_project(project), *NETWORKS_OF_ALL))
            near = near.union(by_ends.near(value, value, is_whole=True))
            fits = [item for item in near if is_listed([item], kind, value, project)]
        elif limit is not None:
            fits = [ANY] if limit.is_any else limit.fitting(self._whole(one))
            was_taken = one.facts.results.keys() - {REFUSED}
            if not fits and was_taken and variable.endswith("_OPTIONS"):
                # Of an option the evidence may have the name alone: of one that was refused each
                # time none of these was its value.
                listed = listed_items(self._policy, variable)
                fits = [item for item in listed if item.startswith(f"{value}=")]
        return [Grant(variable, item) for item in fits]

    def written(self, one: _Use) -> Grant:
        """What the file would have to list."""
        if one.grant.is_operation and one.sight.operation == UNKNOWN:
            where = f"{one.sight.method} in {one.sight.section or 'no section'}"
            return one.grant._replace(item=where)
        variable, places = one.grant.variable, self._policy.limits.places
        if variable not in LIMITS:
            return one.grant
        return Grant(variable, as_moving(variable, self._whole(one), places))

    def refusal(self, one: _Use, fitting: list[Grant]) -> str:
        """What the file refuses of it, and why; empty if it passes."""
        if one.grant.is_operation:
            return _refusal(self._policy, one.sight)
        # Of an operation that is not open all is refused, and it has a line of its own.
        if fitting or one.sight.operation not in self._opened or self._may_pass(one):
            return ""
        (variable, value), name = one.grant, one.sight.operation
        if variable in OBJECTS:
            kind = OBJECTS[variable]
            named = f"any {kind}" if value == ANY else f"{kind} {value}"
            return f"{name} names {named}, which {variable} does not list"
        if one.reached:
            what = f"reaches into {one.reached}, which has {self._whole(one)}, and"
            way = f": {MAKE_IT_ANEW}" if one.is_of_nodes else ""
            return f"{name} {what} {variable} does not list that{way}"
        return f"{name} asks for {self._whole(one)}, which {variable} does not list"

    def _may_pass(self, one: _Use) -> bool:
        """Whether something passes though no item fits it, or may, as far as it is known."""
        policy, variable, value = self._policy, one.grant.variable, self._whole(one)
        if one.reached:  # which nobody looks at without lists of objects
            judges = policy.drops_nodes if one.is_of_nodes else policy.objects
            return not judges or policy.limits.lists_had(variable, value)
        if variable not in OBJECTS:
            return policy.limits.lists(variable, value)
        only = policy.objects.by_kind.get(OBJECTS[variable])
        # By a label it may be listed, unless it was refused.
        return only is None or (bool(only.labels) and REFUSED not in one.facts.results)

    def _whole(self, one: _Use) -> str:
        """A value with its base in front."""
        value = one.grant.item
        return self._policy.limits.meaning_of(self._places.meant(value))


def _by_ends(items: Iterable[str]) -> Ends[str]:
    """Items of a list of objects, by how what they fit begins and ends."""
    return Ends((one.partition(ANY)[0], one.rpartition(ANY)[2], one) for one in items)


def _refusal(policy: Policy, sight: Sight) -> str:
    if sight.operation == UNKNOWN:
        decision = policy.decide_unlisted(sight.method, sight.section)
        if decision is None or decision.allowed:
            return ""
        what = f"an unknown route, {sight.method} in {sight.section or 'no section'}"
        advice = f"find it in the log and name it as {sight.method}:/path/{{x}}"
        if decision.reason is not Reason.OPERATION:  # of a list
            advice = decision.message.partition(" is not allowed: ")[2]
        return f"{what}, is not allowed: {advice}"
    decisions = decisions_on(policy, sight)
    return next((one.message for one in decisions if not one.allowed), "")


@value_class
class Flips:
    """What of all that was observed two files decide otherwise."""

    recorded: int
    """How many things were observed: operations, values, objects."""
    refused: tuple[Line, ...]
    """What the new file refuses and the old one did not."""
    allowed: tuple[Line, ...]
    """The other way round."""

    @property
    def number(self) -> int:
        """How many are decided otherwise."""
        return len(self.refused) + len(self.allowed)

    @property
    def last(self) -> int:
        """When one of them came up last, in seconds since the epoch; 0: never."""
        lines = (*self.refused, *self.allowed)
        return max((one.seen.last for one in lines if one.seen), default=0)


def flips_of(old: Policy, new: Policy, evidence: Evidence) -> Flips:
    """Decide all that was observed by two files, one after the other.

    What was asked for with an operation that one of them closes is decided with that.
    """
    uses, both = list(_seen(evidence)), old.opened_operations & new.opened_operations
    decided = [
        one for one in uses if one.grant.is_operation or one.sight.operation in both
    ]
    places = evidence.newest_places
    before, after = (_refusals(policy, decided, places) for policy in (old, new))
    return Flips(
        recorded=len({one.grant for one in uses}),
        refused=tuple(_more_of(after, before, Adding(new), evidence)),
        allowed=tuple(_more_of(before, after, Adding(old), evidence)),
    )


_Refusals = dict[Grant, list[tuple[_Use, str]]]
"""What is refused, by the names that evidence has: each use with the words for it."""


def _refusals(policy: Policy, uses: Iterable[_Use], places: Places) -> _Refusals:
    items, found = _Items(policy, places), _Refusals()
    for one in uses:
        if told := items.refusal(one, items.fitting(one)):
            found.setdefault(one.grant, []).append((one, told))
    return found


def _told(refused: list[tuple[_Use, str]]) -> str:
    """The words for the first of some uses, with the operations of the others."""
    first, told = refused[0]
    name = first.sight.operation
    others = sorted({one.sight.operation for one, _ in refused} - {name})
    if not others:
        return told
    return f"{name}, like {some(others, PROGRAMS_SHOWN)},{told.removeprefix(name)}"


def _more_of(
    refused: _Refusals, other: _Refusals, adding: Adding, evidence: Evidence
) -> Iterator[Line]:
    """A line for each thing that one policy refuses, and another one does not."""
    for grant in sorted(refused.keys() - other.keys()):
        yield _line(grant, refused[grant], adding, evidence)


def _line(
    grant: Grant,
    refused: list[tuple[_Use, str]],
    adding: Adding,
    evidence: Evidence,
) -> Line:
    """What is not granted, and of which these uses are refused."""
    return Line(
        grant=grant,
        standing=Standing.REFUSED,
        power=adding.power(grant),
        told=_told(refused) if refused else "",
        seen=_sum([one for one, _ in refused], evidence, is_granted=False),
    )


# --- What is not granted ------------------------------------------------------------


def _others(policy: Policy, evidence: Evidence, refused: _Refusals) -> Iterator[Line]:
    """A line for all that was asked for or declined, and for what is usual."""
    adding, outdated = Adding(policy), evidence.outdated_operations()
    declined = frozenset(declined_of(policy, evidence))
    for grant in sorted({*refused, *declined}):
        of_it = refused.get(grant, [])
        uses = [one for one, _ in of_it]
        standing, note = Standing.DECLINED, ""
        if grant not in declined:
            old_api = evidence.oldest_api if grant.name in outdated else None
            standing, note = _standing(uses, old_api)
        is_of_nodes = bool(uses) and all(one.is_of_nodes for one in uses)
        is_nameable = _is_nameable(policy, grant) and not is_of_nodes
        line = _line(grant, of_it, adding, evidence)
        yield replace(line, standing=standing, note=note, is_nameable=is_nameable)
    for state in unseen_states(evidence, policy.opened_operations):
        note = f"usual after a {state.state.shown}, which never came up"
        lacking = map(Grant.of_operation, state.lacks)
        for grant in (one for one in lacking if one not in refused):
            power = adding.power(grant)
            yield Line(grant=grant, standing=Standing.UNSEEN, power=power, note=note)


def _standing(uses: list[_Use], old_api: str | None) -> tuple[Standing, str]:
    """What became of it, and what else is known of that; `old_api`: its clients were older."""
    ends = {end for one in uses for end in one.facts.results}
    if ends == {UNROUTED}:
        return Standing.FAILED, "the Engine has no such route"
    if any(one.sight.operation == UNKNOWN for one in uses):
        return Standing.REFUSED, "a route that this version does not know"
    if REFUSED in ends or any(one.is_used for one in uses):
        return Standing.REFUSED, ""
    if old_api is not None:
        return Standing.FAILED, too_old(old_api)
    is_unproven = UNPROVEN in ends
    return Standing.FAILED, "in a log that does not say how it ended" * is_unproven


def _is_nameable(policy: Policy, grant: Grant) -> bool:
    """Whether one name in the file would allow it."""
    variable, item = grant
    if grant.is_operation:
        known = policy.mode is Mode.EXACT and item in OPERATIONS
        return known and not (policy.hides and OPERATIONS[item][0].is_untellable)
    if variable in OBJECTS:
        return item != ANY  # no name would allow what names none
    limits = policy.limits
    try:
        pattern = parse_pattern(variable, item, places=limits.places)
    except ConfigError:
        return False
    return pattern.fits(limits.meaning_of(item))


def declined_of(policy: Policy, evidence: Evidence) -> Iterator[Grant]:
    """What learning once wrote and a person took out."""
    if policy.mode is Mode.EXACT:
        known = evidence.granted_operations & OPERATIONS.keys()
        yield from map(Grant.of_operation, known - policy.opened_operations)
    yield from taken_out(policy.limits, evidence.listed)
    yield from policy.objects.taken_out(evidence.listed)


# --- What would allow it ------------------------------------------------------------


class Addition(NamedTuple):
    """A line of a file as it would be with more in its list."""

    grant: Grant
    """The variable, and its whole value."""
    root: str
    """Why it gives root on the host, beside those before it that do not; or empty."""


def additions(sheet: Sheet) -> Iterator[Addition]:
    """The lines that would allow all that was refused."""
    new = defaultdict[str, list[Line]](list)
    for line in sheet.refused:
        if line.is_nameable:
            new[line.grant.variable].append(line)
    adding = Adding(sheet.policy)
    for variable, lines in new.items():
        grants = [line.grant for line in lines]
        items = [*listed_items(sheet.policy, variable), *(one.item for one in grants)]
        if variable == OPERATIONS_VARIABLE:
            items = sorted(items)
        alone = (line.power.why for line in lines if line.power.is_root)
        why = next(alone, "") or adding.opens(*grants)
        if not why:
            adding = adding.with_more(*grants)
        yield Addition(Grant(variable, ",".join(items)), why)
