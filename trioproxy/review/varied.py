"""Values that were refused and that one maker made: one question, and no line for each.

A client that makes up a folder each time is refused each time, and no list of those that were
refused lets the next one pass. What learning would have made of them is asked in their place.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace

from trioproxy.api.families import LIMITS, Places
from trioproxy.judge.rules import Policy
from trioproxy.learning.holes import Value, items_of
from trioproxy.learning.wording import count
from trioproxy.review.adding import Adding
from trioproxy.review.sheet import Line, Seen


def together(lines: Iterable[Line], policy: Policy) -> list[Line]:
    """Put the lines of what varies by a rule into one each, with its power in the policy.

    What gives root stays by itself, and so has nothing in common with others.
    """
    by_variable = defaultdict[str, dict[str, Line]](dict)
    found, adding = list[Line](), Adding(policy)
    for line in lines:
        if line.grant.variable in LIMITS and line.seen and not line.power.is_root:
            by_variable[line.grant.variable][line.grant.item] = line
        else:
            found.append(line)
    for variable, alike in by_variable.items():
        found.extend(_together(variable, alike, adding, policy.limits.places))
    return found


def _together(
    variable: str, lines: dict[str, Line], adding: Adding, places: Places
) -> Iterator[Line]:
    seen = {item: one.seen for item, one in lines.items() if one.seen}
    runs = {run for one in seen.values() for run in one.runs}
    is_one_run = len(runs) < 2
    values = [
        Value(item, frozenset(one.runs), missed=is_one_run or len(one.runs) < len(runs))
        for item, one in seen.items()
    ]
    for item in items_of(variable, values, places=places, is_one_run=is_one_run):
        first, *more = (lines[value] for value in sorted(item.values))
        if not more:
            yield first
            continue
        told = f"{first.told}, nor {count(len(more), 'more value')} like it"
        grant = first.grant._replace(item=item.text)
        of_it = _sum([seen[value] for value in sorted(item.values)])
        power = adding.power(grant)
        yield replace(first, grant=grant, power=power, told=told, seen=of_it)


def _sum(several: list[Seen]) -> Seen:
    runs = Counter[str]()
    for one in several:
        runs.update(one.runs)
    return replace(
        several[0],
        runs=runs,
        first=min(one.first for one in several),
        last=max(one.last for one in several),
        programs=tuple(sorted({name for one in several for name in one.programs})),
        clients=tuple(sorted({name for one in several for name in one.clients})),
    )
