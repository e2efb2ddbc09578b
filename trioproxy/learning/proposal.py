"""What learning would write: evidence, the existing file and a person's wishes to text.

`propose` decides what is granted, and nothing else does: what was used, what a person
put into the file, never what a person took out. `env_text` makes the text of it, reads it
back and replays the evidence against it. No file is opened here.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath

from trioproxy.api.families import (
    ANYWHERE,
    LIMITS,
    NETWORK_VARIABLE,
    NONE,
    OBJECTS,
    OPERATIONS_VARIABLE,
    OWNER_VARIABLE,
    PROXY_VARIABLE,
    REDACT_VARIABLE,
)
from trioproxy.api.routes import OPERATIONS, OPTIONS, SECTIONS, row_of, section_prefix
from trioproxy.errors import ConfigError, TrioProxyError
from trioproxy.evidence.seen import OWN, Completeness, Evidence
from trioproxy.evidence.sight import Sight
from trioproxy.file import envfile
from trioproxy.file.permissions import (
    parse_lines,
    parse_operations,
    parse_policy_file,
    says_nothing,
)
from trioproxy.file.variables import SWITCHES, VERBS
from trioproxy.judge.more import more
from trioproxy.judge.rules import Decision, Policy, is_untellable
from trioproxy.learning.flows import Unseen, unseen_states
from trioproxy.learning.learnedfile import Learned, items_in, render, says_left_open
from trioproxy.learning.lists import NO_LISTS, Lists, propose_lists
from trioproxy.learning.only import NO_OBJECT_LISTS, ObjectLists, propose_objects
from trioproxy.learning.wish import Basis, Wish
from trioproxy.learning.wording import count, day, span
from trioproxy.limits.grant import Grant, grants_in
from trioproxy.limits.objects import OWN as OWN_OBJECTS
from trioproxy.quoting import argument
from trioproxy.values import value_class


@value_class
class Proposal:
    """What the file should grant."""

    granted: frozenset[str] = frozenset()
    """All that it grants: operations, and what a person wrote as `METHOD:/template`."""
    added: frozenset[str] = frozenset()
    """What of it the existing file does not grant."""
    declined: frozenset[str] = frozenset()
    """Operations that a person took out of the file."""
    capped: frozenset[str] = frozenset()
    """Operations that were used once, and that the ceiling refuses now."""
    by_hand: frozenset[str] = frozenset()
    """What of it a person wrote into the file: no run has ever shown that it is needed."""
    marks: frozenset[str] = frozenset()
    """Operations to remember as granted, once the file is written."""
    lists: Lists = NO_LISTS
    """What requests may ask for."""
    objects: ObjectLists = NO_OBJECT_LISTS
    """Which objects they may name."""
    redact: str = ""
    """What answers do not tell, as the file says it, or its ceiling."""

    @property
    def values(self) -> Mapping[str, str]:
        """All lines of the file but the one that grants, by variable, in their order."""
        redact = {REDACT_VARIABLE: self.redact} if self.redact else {}
        return {**self.lists.values, **self.objects.values, **redact}

    @property
    def grants(self) -> frozenset[Grant]:
        """All of it to remember as granted, once the file is written."""
        operations = frozenset(map(Grant.of_operation, self.marks))
        return operations | self.lists.marks | self.objects.marks

    @property
    def has_news(self) -> bool:
        """Whether there is anything that the existing file does not grant or list."""
        return bool(self.added or self.lists.added or self.objects.added)


def propose(
    evidence: Evidence, old: str, wish: Wish, *, going_on: str = ""
) -> Proposal:
    """Say what the file should grant; `old` is its text now, empty if there is none.

    `going_on`: a run that is not over. `ConfigError`: the existing file cannot be read,
    or is none that learning may extend.
    """
    found = listed_operations(old, wish.file)
    refuse_cut(evidence, old, wish.file, found)
    # Without a list the file is new, or begun anew: nobody took anything out of it.
    once = frozenset() if found is None else evidence.granted_operations
    listed = found or frozenset()
    declined = (wish.declined | once) - wish.restored - listed
    used = evidence.used_operations(include_failed=wish.include_failed)
    seen = used | wish.restored | wish.extra
    capped = frozenset(name for name in seen if exceeds(name, wish.ceiling))
    variables = envfile.parse(old, name=wish.file)
    redact = variables.get(REDACT_VARIABLE, "")
    if not redact and wish.ceiling:
        # A file that hides less would go beyond it.
        redact = wish.ceiling.hidden_words
    if redact not in {"", NONE}:
        # Beside it they can never pass, and the file would not load.
        capped |= frozenset(one for one in seen if is_untellable(row_of(one)))
    granted = listed | (seen - declined - capped)
    # A mark says that there were lists, and the file that learning left them out itself.
    is_taken_out = (
        OPERATIONS_VARIABLE in variables
        and not variables.keys() & OBJECTS.keys()
        and any(one.variable in OBJECTS for one in evidence.granted)
        and not says_left_open(old)
    )
    known = Basis(
        evidence=evidence,
        variables=variables,
        granted=granted,
        wish=wish,
        going_on=going_on,
        is_taken_out=is_taken_out,
    )
    lists = propose_lists(known)
    return Proposal(
        granted=granted,
        added=granted - listed,
        declined=declined,
        capped=capped,
        by_hand=granted - evidence.used_operations() - evidence.failed_operations(),
        marks=granted & {sight.operation for sight in evidence.routes},
        lists=lists,
        objects=propose_objects(known, lists.values),
        redact=redact,
    )


def listed_operations(text: str, file: str) -> frozenset[str] | None:
    """What an existing file lists in `ALLOW_OPERATIONS`; None if it has no such line.

    A file that grants by section variables alone is not ours to extend: a list would
    grant less, and the whole section more than was ever used.
    """
    envfile.check_end(text, name=file)
    variables = envfile.parse(text, name=file)
    if OPERATIONS_VARIABLE not in variables:
        if variables.keys() & {*SWITCHES, *VERBS}:
            raise ConfigError(
                f"{file} grants by section variables, which learning cannot extend",
                hint=f"learn --within {argument(file)} -o ANOTHER writes what is used of it,"
                f" and learn --fresh -o {argument(file)} starts it over",
            )
        # Faults are told before any work; what learning adds itself is none. An owner needs a
        # list beside it: where nothing is made, none is added, and the owner would be lost.
        owner = variables.get(OWNER_VARIABLE)
        lists = {} if owner else dict.fromkeys(OBJECTS, OWN_OBJECTS)
        places = ANYWHERE.used_in(variables.values())
        whole = {OPERATIONS_VARIABLE: "", **lists, **places, **variables}
        parse_lines({**whole, OWNER_VARIABLE: owner or "any"}, text, name=file)
        return None
    parse_policy_file(text, name=file)
    return frozenset(parse_operations(variables[OPERATIONS_VARIABLE]))


def listed_in(text: str, file: str) -> frozenset[Grant]:
    """What an existing file grants and lists."""
    operations = map(Grant.of_operation, listed_operations(text, file) or ())
    items = grants_in(envfile.parse(text, name=file), {*LIMITS, *OBJECTS})
    return frozenset((*operations, *items))


def refuse_excess(text: str, wish: Wish) -> None:
    """Stop where a file already grants more than its ceiling."""
    if names := excess(text, wish):
        raise ConfigError(
            f"{wish.file} already grants what {wish.within} refuses: {', '.join(names)}",
            hint=f"narrow {wish.file} to that, or start it over: learn --fresh",
        )


def excess(text: str, wish: Wish) -> list[str]:
    """What a file grants that its ceiling, if it has one, is not proven to; a part of a file
    grants nothing."""
    if wish.ceiling is None:
        return []
    variables = {OPERATIONS_VARIABLE: "", **envfile.parse(text, name=wish.file)}
    policy, _ = parse_lines(variables, text, name=wish.file)
    return sorted({one.name for one in more(wish.ceiling, policy)})


def refuse_cut(
    evidence: Evidence, text: str, file: str, listed: frozenset[str] | None
) -> None:
    """Stop where learning once wrote grants into a file, and it has none at all now.

    It was cut, or a person took them out: what is missing must not count as declined, nor
    what was declined be granted again. A file that is gone was removed, and begins anew.
    """
    if text and evidence.granted and listed is None:
        raise says_nothing(file, f"remove {file}, to have it written from its evidence")


def refuse_restore(evidence: Evidence, text: str, wish: Wish) -> None:
    """Stop where something is to be restored that was never declined."""
    listed = listed_operations(text, wish.file) or frozenset()
    for one in sorted(wish.restore):
        if one not in evidence.granted and one.name not in listed:
            found = propose(evidence, text, replace(wish, restore=frozenset()))
            items = found.lists.declined | found.objects.declined
            declined = (*sorted(found.declined), *sorted(map(str, items)))
            raise ConfigError(
                f"{one.name!r:.66} is not among what was declined in {wish.file}",
                hint=f"declined are: {', '.join(declined) or 'none'}",
            )


def exceeds(item: str, ceiling: Policy | None) -> bool:
    """Whether a ceiling refuses an operation or route, or a part of it."""
    if ceiling is None:
        return False
    method, mark, template = item.partition(":")
    if mark:
        return not ceiling.decide_route(method, None, template).allowed
    if item == OPTIONS.operation:
        return not all(map(ceiling.takes_options, SECTIONS))
    return not all(
        ceiling.rows[one].allowed
        for one in OPERATIONS.get(item, ())
        if one in ceiling.rows and one.is_reachable
    )


def is_beyond(grant: Grant, ceiling: Policy | None) -> bool:
    """Whether a ceiling does not allow a grant; an item with a hole it has to list itself."""
    variable, item = grant
    if ceiling is None or grant.is_operation:
        return exceeds(item, ceiling)
    if variable in OBJECTS:
        only = ceiling.objects.by_kind.get(OBJECTS[variable])
        return only is not None and not only.lists(item)
    limit = ceiling.limits.limit_of(variable)
    if limit is None or limit.is_any or limit.allows(item):
        return False
    return all(one.text != item for one in limit.patterns)


def env_text(evidence: Evidence, proposal: Proposal, old: str, wish: Wish) -> str:
    """Write the file's text; of `old` the lines stay that are not ours."""
    learned = Learned(
        name=wish.name,
        file=PurePath(wish.file).name,
        operations=proposal.granted,
        lists=proposal.values,
        is_taken_out=proposal.objects.is_taken_out,
        asked=frozenset(one.variable for one in evidence.facts),
    )
    text = render(learned, old)
    check_text(text, proposal, evidence, file=wish.file)
    return text


def check_text(text: str, proposal: Proposal, evidence: Evidence, *, file: str) -> None:
    """Read the text back and replay the evidence against it.

    `TrioProxyError`: it would refuse what it was learned from, or grant something else.
    That is a bug of ours, and such a file is not written.
    """
    policy, _ = parse_policy_file(text, name=file)
    wanted = {**proposal.lists.values, **proposal.objects.values}
    if socket := policy.limits.proxy_socket:  # a person's line, which stays
        wanted[PROXY_VARIABLE] = socket
    if network := policy.objects.network:  # likewise
        wanted[NETWORK_VARIABLE] = network
    lines = (f"{name}={value}" for name, value in wanted.items())
    written = (*policy.limits.lines, *policy.objects.lines)
    if policy.lines != proposal.granted or set(map(items_in, written)) != set(
        map(items_in, lines)
    ):
        raise TrioProxyError(f"bug: {file} would not grant what was learned")
    for refused in (
        *refused_operations(policy, evidence, proposal.granted),
        *_refused_values(policy, evidence, proposal),
        *_refused_objects(policy, evidence, proposal),
    ):
        raise TrioProxyError(f"bug: {file} would refuse {refused}")


def refused_operations(
    policy: Policy, evidence: Evidence, granted: frozenset[str]
) -> Iterator[str]:
    """Replay what was used of the granted operations."""
    for sight in evidence.used():
        decisions = decisions_on(policy, sight) if sight.operation in granted else ()
        if not all(one.allowed for one in decisions):
            yield f"{sight.operation}, which was used"


def _refused_values(
    policy: Policy, evidence: Evidence, proposal: Proposal
) -> Iterator[str]:
    """Replay what was asked for; what nobody wanted is left out."""
    lists, limits = proposal.lists, policy.limits
    unwanted = {one.variable for one in lists.declined | lists.capped}
    replayed = LIMITS - unwanted - lists.unlisted.keys()
    for one in evidence.used_arguments():
        is_listed = limits.lists(one.variable, limits.meaning_of(one.item))
        is_granted = one.operation in proposal.granted and one.variable in replayed
        if one.item and is_granted and not is_listed:
            yield f"{one.grant}, which was used"


def _refused_objects(
    policy: Policy, evidence: Evidence, proposal: Proposal
) -> Iterator[str]:
    """Replay what was named; what nobody wanted is left out."""
    objects = proposal.objects
    if objects.refused or objects.declined or objects.is_kept or not policy.objects:
        return
    for one in evidence.used_objects():
        # What an answer told of it will not any more.
        is_named = one.item and not one.has and not one.is_told
        only = policy.objects.by_kind[OBJECTS[one.variable]]
        is_listed = only.lists(one.item, one.project) or only.labels
        if is_named and one.operation in proposal.granted and not is_listed:
            yield f"{one.kind} {one.item}, which {one.operation} named"


def decisions_on(policy: Policy, sight: Sight) -> Iterator[Decision]:
    """Decide again, by a policy, on each route that a sight may have met."""
    for endpoint in sight.endpoints:
        is_options = endpoint is OPTIONS
        path = section_prefix(sight.section) if is_options else endpoint.template
        yield policy.decide_route(sight.method, endpoint, path)


@value_class
class Quiet:
    """After how much watching without anything new the evidence is taken as complete."""

    seconds: int = 0
    runs: int = 0

    @classmethod
    def parse(cls, text: str) -> "Quiet":
        """Read `90s`, `30m`, `2h`, `1d` or `3runs`."""
        found = re.fullmatch(r"([1-9][0-9]{0,5}) ?(s|m|h|d|runs?)", text, re.ASCII)
        if found is None:
            raise ConfigError(
                f"bad value --until-quiet {text!r:.80}", hint="write 30m, 2h or 3runs"
            )
        number, unit = int(found[1]), found[2]
        if unit.startswith("run"):
            return cls(runs=number)
        return cls(seconds=number * {"s": 1, "m": 60, "h": 3_600, "d": 86_400}[unit])

    def is_reached(self, facts: Completeness, unseen: Sequence[Unseen] = ()) -> bool:
        """Whether that much was watched; never where nothing was used at all.

        Nor while there are states that the client has never met: on a machine where the
        image is always there, any number of runs shows nothing of the pull.
        """
        enough = facts.quiet >= self.seconds and facts.quiet_runs >= self.runs
        return enough and facts.passes and not unseen

    def describe(
        self, facts: Completeness, unseen: Sequence[Unseen] = (), beside: str = ""
    ) -> str:
        """Say whether it is reached; `beside`: what else to say, in place of what was asked."""
        if self.runs:
            seen, wanted = count(facts.quiet_runs, "run"), count(self.runs, "run")
        else:
            seen, wanted = span(facts.quiet), span(self.seconds)
        beside = beside or f"asked: {wanted}"
        if self.is_reached(facts, unseen):
            return f"ready: nothing new in {seen} ({beside})"
        if not facts.passes:
            return f"not ready: the last run brought something new ({beside})"
        if not self.is_reached(facts):
            return f"not ready: nothing new in {seen} only ({beside})"
        lacking = ", ".join(f"no {one.state.shown}" for one in unseen)
        return f"not ready: nothing new in {seen} ({beside}), but {lacking} seen"


def describe_ready(
    evidence: Evidence, opened: Collection[str], came_up: Iterable[str] = ()
) -> str:
    """Say whether a file is ready for who asked for no number: a run of a COMMAND is enough,
    else an hour; empty: nothing was used.

    `came_up`: days on which something did. Of a log that is all that is known of when.
    """
    facts = facts_for_ready(evidence)
    if not facts.newest:
        return ""
    has_command = evidence.runs[max(evidence.runs)].status is not None
    enough = Quiet(runs=1) if has_command else Quiet(seconds=3_600)
    last = f"last new on {max([day(facts.newest), *came_up])}"
    return enough.describe(facts, unseen_states(evidence, opened), last)


def facts_for_ready(evidence: Evidence) -> Completeness:
    """What says whether more watching is needed: our own runs, not those of others."""
    groups = evidence.groups()
    return evidence.completeness(OWN if OWN in groups and groups != [OWN] else None)
