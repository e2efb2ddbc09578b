"""Variables to a policy: every value is read in one way, or the start stops.

What is not understood is never passed over: a restriction that is not enforced must not
look as if it were. No file is opened here, and no request judged.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from trioproxy.api.families import (
    NONE,
    OPERATIONS_VARIABLE,
    REDACT_VARIABLE,
    Family,
    Hides,
)
from trioproxy.api.matched import Route, with_segments
from trioproxy.api.routes import LIMITED, OPERATIONS, match, of_family
from trioproxy.api.target import Target
from trioproxy.errors import BadTarget, ConfigError
from trioproxy.file.envfile import (
    CUT,
    check_end,
    decode_value,
    needless_escape,
    parse,
    split_by_sh,
)
from trioproxy.file.exact import exact_policy
from trioproxy.file.names import check_names, lint
from trioproxy.file.near import near
from trioproxy.file.sections import section_policy
from trioproxy.file.variables import (
    COMPAT_VARIABLE,
    FAMILY_PREFIXES,
    LIBPOD_VARIABLES,
    METHOD_SWITCHES,
    SWITCHES,
    VERBS,
)
from trioproxy.judge.rules import READING, Confines, Policy
from trioproxy.limits.limit import open_families, parse_limits
from trioproxy.limits.objects import parse_objects

ENVIRONMENT = "the environment"
_PLACE = "\0"
"""Stands for the file and the line in an error: no text that is shown has one."""

_GRANTING = frozenset({OPERATIONS_VARIABLE, *SWITCHES, *VERBS, *LIBPOD_VARIABLES})
"""A policy file has to name one of these, at whatever value.

One that names none is empty, or has limits and comments alone: that is how a file begins
that was cut, and nobody's way to say "nothing". `ALLOW_OPERATIONS=` is, and so are
sections that are all 0: somebody spoke of grants there and gave none, and what is open
beside them is what every file of sections opens. In the process environment none of them
is needed, since the incumbents start without any.
"""

_REFUSING = frozenset({"", "0", "false", "no", "off"})
_FLAGS = frozenset({*SWITCHES, *METHOD_SWITCHES, *VERBS, *LIBPOD_VARIABLES})
_SHOWN = 64
_MOST_NAMED = 4
_ROUTE = re.compile(
    r"([A-Z]{1,16}):((?:/(?:\{[A-Za-z_][A-Za-z0-9_.]*\}|[A-Za-z0-9_.:@+~-]+))+)"
)


def parse_policy_file(text: str, *, name: str) -> tuple[Policy, tuple[str, ...]]:
    """Build the policy of an env file, and say what in it has no effect.

    `ConfigError` also for a file that may have been cut while it was written: see
    `check_end`, and `_GRANTING`.
    """
    check_end(text, name=name)
    variables = parse(text, name=name)
    policy, warnings = parse_lines(variables, text, name=name)
    if not _GRANTING & variables.keys():
        raise says_nothing(name, f"write {OPERATIONS_VARIABLE}= if nothing may pass")
    return policy, (*warnings, *split_by_sh(variables))


def parse_lines(
    variables: Mapping[str, str], text: str, *, name: str
) -> tuple[Policy, tuple[str, ...]]:
    """Build the policy of variables that stand in a text, but for some that do not."""
    try:
        return parse_policy(variables, source=_PLACE, is_file=True)
    except ConfigError as error:
        # In which line is what it names; in none, where that is not certain.
        named = variables.keys() & re.findall(r"\w+", str(error).partition(_PLACE)[0])
        lines = [line.lstrip(" \t").partition("=")[0] for line in text.split("\n")]
        at = [lines.index(one) + 1 for one in named & {*lines}]
        place = f"{name}:{at[0]}" if len(named) == len(at) == 1 else name
        raise ConfigError(str(error).replace(_PLACE, place), hint=error.hint) from None


def says_nothing(name: str, fix: str) -> ConfigError:
    """Say that a file grants nothing, without a word that this is meant."""
    return ConfigError(f"{name} says nothing of grants", hint=f"{CUT}; else {fix}")


def parse_policy(
    variables: Mapping[str, str], *, source: str = ENVIRONMENT, is_file: bool = False
) -> tuple[Policy, tuple[str, ...]]:
    """Build the policy, and say what looks like a permission and is none.

    Which names of others are passed over is decided in `file.names`.
    """
    flags = {
        name: _parse_flag(name, variables[name], source)
        for name in sorted(_FLAGS & variables.keys())
    }
    linuxserver = _is_linuxserver(variables.get(COMPAT_VARIABLE, ""), source)
    warnings = (*check_names(variables, source, is_file=is_file), *lint(variables))
    confines = Confines(
        parse_limits(variables, source=source),
        parse_objects(variables, source=source),
        _parse_hides(variables.get(REDACT_VARIABLE), source),
    )
    if OPERATIONS_VARIABLE not in variables:
        policy = section_policy(flags, confines, linuxserver=linuxserver)
        return policy, (*warnings, *_about_lists(policy))
    operations, routes = _parse_list(variables[OPERATIONS_VARIABLE], source)
    if confines.hides:
        _check_tellable(operations, routes, source)
    policy = exact_policy(operations, routes, confines)
    return policy, (
        *warnings,
        *_idle_switches([*flags, *({COMPAT_VARIABLE} & variables.keys())]),
        *(_early_grant(variables) if is_file else ()),
        *_about_lists(policy),
    )


def _about_lists(policy: Policy) -> Iterator[str]:
    yield from _about_limits(policy)
    yield from _about_objects(policy)
    if policy.gone_around:
        yield policy.gone_around


def _about_limits(policy: Policy) -> Iterator[str]:
    """Say what stands open beside limits, and which limits have nothing to limit."""
    if not (limits := policy.limits):
        return
    opened = policy.opened_operations
    for family in open_families(limits, opened):
        names = " and ".join(of_family(family, opened))
        yield f"{family}_* is not set: {names} may ask for anything"
    holds = bool(policy.objects) and limits.limits_creation
    for one in policy.opened:
        if one.is_unlimitable and not (holds and one.is_held_by_objects):
            yield f"no variable limits {one.operation}, which may give root on the host"
    for route in policy.routes:
        if route.method not in READING:
            yield f"no variable limits {route}, which this version does not know"
    # Beside lists of objects it limits what is reached into, too.
    reaches = holds and any(one.reaches for one in policy.opened)
    for family in sorted(limits.families):
        if family is Family.CREATE and reaches:
            continue
        if not any(family in LIMITED[name] for name in opened & LIMITED.keys()):
            yield f"{family}_* limits nothing: no operation that it limits is granted"


def _about_objects(policy: Policy) -> Iterator[str]:
    """Say what passes beside lists of objects that is not within them."""
    if not policy.objects:
        return
    roaming = [one.operation for one in policy.opened if one.is_unconfined]
    if beyond := [*roaming, *map(str, policy.routes)]:
        yield f"no ONLY_* variable limits {_some(beyond)}"
    if policy.opens("ContainerCreate") and not policy.limits.limits_creation:
        yield "ONLY_* holds for a client that means no harm: without CREATE_* it may create what reaches everything"


def _some(names: list[str]) -> str:
    """Name the first of many."""
    more = len(names) - _MOST_NAMED
    shown = names[:_MOST_NAMED] + ([f"{more} more"] if more > 0 else [])
    return " and ".join(shown)


def _parse_flag(name: str, value: str, source: str) -> bool:
    if value == "1" or value in _REFUSING:
        return value == "1"
    raise ConfigError(
        f"{name}={value[:_SHOWN]!r} in {source} is neither 1 nor 0",
        hint=f"write {name}=1 to grant, {name}=0 to refuse",
    )


def _is_linuxserver(value: str, source: str) -> bool:
    if value in {"", "tecnativa", "linuxserver"}:
        return value == "linuxserver"
    raise ConfigError(
        f"{COMPAT_VARIABLE}={value[:_SHOWN]!r} in {source} is not known",
        hint=f"write {COMPAT_VARIABLE}=linuxserver or leave it out",
    )


def _parse_hides(value: str | None, source: str) -> frozenset[Hides] | None:
    """Read what answers do not tell. A word that is not known would hide nothing."""
    if value is None:
        return None
    if value == NONE:
        return frozenset()
    words = value.split(",")
    if not {*words} <= {*Hides}:
        known = ", ".join(Hides)
        raise ConfigError(
            f"{REDACT_VARIABLE}={value[:_SHOWN]!r} in {source} is not known",
            hint=f"list {known} with one comma between two, or write {REDACT_VARIABLE}={NONE}",
        )
    return frozenset(map(Hides, words))


def _check_tellable(
    operations: Iterable[str], routes: Iterable[Route], source: str
) -> None:
    """Stop where what is listed can never pass, for nobody knows its answer."""
    listed = [name for name in sorted(operations) if OPERATIONS[name][0].is_untellable]
    if names := [*listed, *map(str, routes)]:
        raise ConfigError(
            f"{_some(names)} in {OPERATIONS_VARIABLE} of {source} cannot be granted beside {REDACT_VARIABLE}",
            hint=f"nobody can tell what is secret in its answer: leave it out, or {REDACT_VARIABLE}",
        )


def _parse_list(value: str, source: str) -> tuple[frozenset[str], tuple[Route, ...]]:
    if escape := needless_escape(value):
        raise ConfigError(
            f"{escape} in {OPERATIONS_VARIABLE} of {source} needs no escape",
            hint=f"write {decode_value(escape)}",
        )
    operations = set[str]()
    routes = list[Route]()
    for item in parse_operations(value):
        if item in OPERATIONS:
            if not OPERATIONS[item][0].is_reachable:
                raise ConfigError(
                    f"{item} in {OPERATIONS_VARIABLE} of {source} cannot be granted",
                    hint="it exists over HTTP/2 only, which never passes",
                )
            operations.add(item)
        elif ":" in item:
            routes.append(_parse_route(item, source))
        else:
            raise _unknown_operation(item, source)
    return frozenset(operations), tuple(routes)


def parse_operations(value: str) -> tuple[str, ...]:
    """Split the value of `ALLOW_OPERATIONS`; the names are not looked up."""
    if not value.strip():
        return ()
    return tuple(decode_value(item.strip()) for item in value.split(","))


def _parse_route(item: str, source: str) -> Route:
    where = f"{item[:_SHOWN]!r} in {OPERATIONS_VARIABLE} of {source}"
    found = _ROUTE.fullmatch(item)
    if found is None:
        hint = "write METHOD:/path/{parameter}, a parameter for one segment"
        raise ConfigError(f"{where} is no route", hint=hint)
    route = Route(method=found[1], template=found[2])
    try:
        target = Target.parse(with_segments(route.template, "x").encode("ascii"))
        endpoint = match(route.method, target)
    except BadTarget as error:
        raise ConfigError(f"{where} can never pass: {error}") from error
    if target.version:
        raise ConfigError(f"{where} has a version", hint="write it without")
    if endpoint is not None:
        hint = f"write {endpoint.operation}"
        raise ConfigError(f"{where} has a name of its own", hint=hint)
    return route


def _unknown_operation(item: str, source: str) -> ConfigError:
    names = {name.lower(): name for name in OPERATIONS}
    hint = "trioproxy explain lists them"
    if re.search(r"[;\s]|^$", item):
        hint = f"write a comma between two; {hint}"
    elif "/" not in item and (found := near(item.lower(), names)):
        hint = f"did you mean {names[found]}? {hint}"
    return ConfigError(
        f"{item[:_SHOWN]!r} in {OPERATIONS_VARIABLE} of {source} is no operation",
        hint=hint,
    )


def _idle_switches(names: list[str]) -> Iterator[str]:
    """Say that sections, verbs and methods, granted or refused, do nothing beside a list."""
    if names:
        has = "has" if len(names) == 1 else "have"
        yield f"{_some(names)} {has} no effect beside {OPERATIONS_VARIABLE}, which alone grants"


def _early_grant(variables: Mapping[str, str]) -> Iterator[str]:
    """Say what a file would grant that is cut below its list: the lines are in its order."""
    names = list(variables)
    behind = names[names.index(OPERATIONS_VARIABLE) + 1 :]
    above = (*FAMILY_PREFIXES, REDACT_VARIABLE)
    if limits := [one for one in behind if one.startswith(above)]:
        yield f"{_some(limits)} behind {OPERATIONS_VARIABLE}: a file that is cut while it is written would grant without: write {OPERATIONS_VARIABLE} as the last line"
