"""A policy with more in its lists than its file has: what a person allows for a while.

What is added is grants, as a reviewer would write them into the file; the file itself, and the
policy that it means, stay as they are.
"""

from collections.abc import Iterable

from trioproxy.api.families import LIMITS, OBJECTS
from trioproxy.api.routes import OPERATIONS
from trioproxy.errors import ConfigError
from trioproxy.file.exact import exact_policy
from trioproxy.judge.rules import Confines, Mode, Policy
from trioproxy.limits.grant import Grant
from trioproxy.limits.limit import ANY, Limits
from trioproxy.limits.objects import NAME, Objects, parse_objects
from trioproxy.limits.patterns import Pattern

_NOT_LISTED = "no list of a policy file can hold that"


def widened(policy: Policy, grants: Iterable[Grant]) -> Policy:
    """Add grants to a policy of listed operations.

    Raises `ConfigError` for what no list of this file can hold.
    """
    operations, items = set[str](), dict[str, list[str]]()
    for one in dict.fromkeys(grants):
        if one.is_operation:
            operations.add(one.item)
        else:
            items.setdefault(one.variable, []).append(one.item)
    is_listed = (
        policy.mode is Mode.EXACT
        and operations <= OPERATIONS.keys()
        and items.keys() <= {*LIMITS, *OBJECTS}
    )
    if not is_listed:
        raise ConfigError(_NOT_LISTED)
    objects = {name: items[name] for name in OBJECTS.keys() & items.keys()}
    limits = _with_items(policy.limits, items)
    lists = _with_objects(policy.objects, objects) if objects else policy.objects
    confines = Confines(limits, lists, policy.hides)
    return exact_policy(policy.operations | operations, policy.routes, confines)


def _with_items(limits: Limits, items: dict[str, list[str]]) -> Limits:
    more = dict[str, list[Pattern]]()
    for name in LIMITS & items.keys():
        old = limits.by_variable.get(name)
        if old is None or not old.is_any:
            more[name] = [limits.item(name, one) for one in items[name]]
    return limits.with_more(more)


def _with_objects(objects: Objects, items: dict[str, list[str]]) -> Objects:
    if not objects:
        raise ConfigError(_NOT_LISTED)
    said = dict(map(Grant.parse, objects.lines))
    for name, more in items.items():
        # A star that a client wrote, or a word of ours, is no name.
        if not all(map(NAME.fullmatch, more)):
            raise ConfigError(_NOT_LISTED)
        listed = objects.by_kind[OBJECTS[name]].items
        if listed != (ANY,):
            new = (one for one in more if one not in listed)
            said[name] = ",".join((*listed, *new))
    return parse_objects(said, source="what was allowed")
