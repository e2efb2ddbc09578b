"""A policy in the words of another proxy, and what that proxy opens beyond it.

tecnativa and linuxserver know sections and a few verbs; wollomatic and cetusguard know
a regular expression for each route, and can be as exact as we are. An id is one segment
there; only images, plugins and the like may hold slashes. Where a target cannot say
something, that is reported, never left out in silence.

None of them reads what requests ask for, but for one thing: wollomatic (1.10 and newer) has a
list of folders that may be bound, each with all that lies below it.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Final

from trioproxy.api import normal
from trioproxy.api.families import PROXY
from trioproxy.api.fields import variables_of
from trioproxy.api.matched import Request, with_segments
from trioproxy.api.routes import (
    ALL_SECTIONS,
    ENDPOINTS,
    OPTIONS,
    SECTIONS,
    Endpoint,
    expression_of,
    section_prefix,
)
from trioproxy.evidence.sight import METHODS
from trioproxy.file.envfile import format_value
from trioproxy.file.incumbents import (
    INCUMBENTS,
    LINUXSERVER,
    TECNATIVA,
    Incumbent,
    examples_of,
)
from trioproxy.judge.rules import Mode, Policy
from trioproxy.learning.minimize import (
    opened_operations,
    price,
    price_of,
    smallest_sections,
    unopenable,
)
from trioproxy.limits.limit import BINDS
from trioproxy.limits.varying import HOLE
from trioproxy.values import value_class


class Proxy(StrEnum):
    """Another proxy that people run."""

    TECNATIVA = "tecnativa"
    LINUXSERVER = "linuxserver"
    WOLLOMATIC = "wollomatic"
    CETUSGUARD = "cetusguard"


@value_class
class Exported:
    """A policy for another proxy."""

    text: str
    over: tuple[str, ...]
    """Operations that it opens beyond the policy."""
    missing: tuple[str, ...]
    """What is granted here and cannot be said there."""
    without_slashes: tuple[str, ...] = ()
    """Operations whose names may hold slashes here, and not there."""
    unsaid: tuple[str, ...] = ()
    """Variables of limits that it is not told, so that they are open there."""
    wider: tuple[str, ...] = ()
    """What it takes beyond a limit that it is told, in words."""


# One segment of a path, and several. None begins with a dot, so no path climbs.
_SEGMENT = r"[^/.][^/]*"
_SEGMENTS = rf"{_SEGMENT}(/{_SEGMENT})*"
_VERSION = r"(/v1\.[0-9]+)?"
_LIBPOD_VERSION = r"(/v[0-9]+(\.[0-9]+){1,2})?"
# The engine knows few names with slashes: those of images and plugins.
_WITH_SLASHES = frozenset({"IMAGES", "PLUGINS", "DISTRIBUTION"})


def export(policy: Policy, proxy: Proxy, *, source: str) -> Exported:
    """Write a policy for another proxy; `source` names where it came from."""
    unsaid = tuple(_limiting(policy))
    if proxy in _INCUMBENTS:
        return replace(_sections(policy, _INCUMBENTS[proxy], source), unsaid=unsaid)
    patterns = _patterns(policy)
    lines = [f"{method} {one}" for method, of in patterns.items() for one in of]
    missing, wider = list[str](), list[str]()
    if proxy is Proxy.WOLLOMATIC:
        folders, missing, wider = _folders(policy)
        lines = [*_wollomatic(patterns), *folders]
        unsaid = tuple(name for name in unsaid if not (folders and name == BINDS))
    mark, name, *notes = _HEADS[proxy]
    head = [f"from {format_value(source)} by trioproxy, for {name}", *notes]
    return Exported(
        text=_text([*(f"{mark} {line}" for line in head), *lines]),
        over=_beyond(policy, patterns),
        missing=(*_newer_routes(policy), *missing),
        without_slashes=tuple(sorted({*_without_slashes(policy)})),
        unsaid=unsaid,
        wider=tuple(wider),
    )


def elsewhere(policy: Policy, variables: Mapping[str, str]) -> str:
    """Say what the same client would have in the other proxies that know sections alone.

    `variables`: those of the file, which count there if it has no list.
    """
    if policy.mode is Mode.EXACT:
        opened = price_of(policy.granted, TECNATIVA)
        return f"in {TECNATIVA.image} the same client would have {opened}"
    return f"in the other proxies this file opens {price(variables, INCUMBENTS)}"


def _limiting(policy: Policy) -> Iterator[str]:
    """The variables that keep something from an operation that is open."""
    for name in sorted(variables_of(policy.opened_operations)):
        if policy.limits.limits(name):
            yield name
    for only in policy.objects.by_kind.values():
        if not only.is_any:
            yield only.variable


_NOTHING: Final = "/dev/null/none"
"""A folder that no host has: an empty list would allow all."""

_READ_OTHERWISE: Final = re.compile(r"[,$]| (?:#|\Z)")
"""What of a folder ends there; or, for Compose, in the line of an env file: of `/srv/a #b` or
`/srv/a$B` it leaves `/srv/a`."""


def _folders(policy: Policy) -> tuple[list[str], list[str], list[str]]:
    """The line of the folders that may be bound, for wollomatic, if there shall be one; what
    of the list it cannot say, and what it takes beyond that."""
    folders, missing, wider = list[str](), list[str](), list[str]()
    limit, opened = policy.limits.limit_of(BINDS), policy.opened_operations
    if limit is None or limit.is_any or "ContainerCreate" not in opened:
        return [], missing, wider
    for one in limit.patterns:
        item = policy.limits.places.meant(one.text)
        path, _, mode = item.partition(":")
        stem = path.removesuffix("/*") or "/"
        folder = normal.unquote(stem)
        is_plain = folder.isprintable() and not _READ_OTHERWISE.search(folder)
        if item == PROXY or HOLE.search(stem) or not is_plain:
            missing.append(f"{BINDS}={item}")
            continue
        folders.append(folder)
        wider.append(f"{stem} itself" if path != stem else f"what lies below {stem}")
        if mode:
            wider.append(f"{stem} to be written")
    if "VolumeCreate" in opened:
        wider.append("volumes that are any folder, by VolumeCreate")
    services = opened & {"ServiceCreate", "ServiceUpdate"}
    missing += [f"{name} with other folders" for name in sorted(services)]
    listed = ",".join(sorted(set(folders))) or _NOTHING
    return [f"SP_ALLOWBINDMOUNTFROM={listed}"], missing, [*dict.fromkeys(wider)]


_INCUMBENTS = {Proxy.TECNATIVA: TECNATIVA, Proxy.LINUXSERVER: LINUXSERVER}
_HEADS: Final[Mapping[Proxy, tuple[str, ...]]] = {
    Proxy.WOLLOMATIC: (
        *("#", "wollomatic/socket-proxy"),
        "SP_ALLOWFROM says who may connect",
    ),
    Proxy.CETUSGUARD: (
        *("!", "cetusguard"),
        "a file for CETUSGUARD_RULES_FILE; with CETUSGUARD_NO_BUILTIN_RULES=true,",
        "else /_ping, /version and /info are open too",
    ),
}
"""How comments begin there, what it is called, and what stands above its rules."""


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _sections(policy: Policy, incumbent: Incumbent, source: str) -> Exported:
    # All of them: what is not written has the image's default, which may open something.
    written = smallest_sections(policy.granted, incumbent)
    image = f"{incumbent.image} {incumbent.version}"
    head = f"# from {format_value(source)} by trioproxy, for {image}"
    opened = opened_operations(written, [incumbent])
    return Exported(
        text=_text([head, *map("=".join, written.items())]),
        over=tuple(sorted(opened - policy.opened_operations)),
        missing=unopenable(policy.granted, incumbent),
    )


def _wollomatic(patterns: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for method, of_it in patterns.items():
        for number, pattern in enumerate(of_it):
            suffix = f"_{number + 1}" if number else ""
            yield f"SP_ALLOW_{method}{suffix}={pattern}"


def _patterns(policy: Policy) -> dict[str, list[str]]:
    """The paths that a policy opens, by method, as regular expressions without anchors."""
    found = defaultdict[str, set[str]](set)
    for endpoint in ENDPOINTS:
        is_any = endpoint.method == "ANY"
        method = "POST" if is_any else endpoint.method
        sections = map(section_prefix, SECTIONS)
        for path in sections if endpoint is OPTIONS else [endpoint.template]:
            if policy.decide_route(method, endpoint, path).allowed:
                for one in METHODS if is_any else [method]:
                    found[one].add(_pattern_of(endpoint, path))
    for route in policy.routes:
        for method in ("GET", "HEAD") if route.method == "GET" else (route.method,):
            found[method].add(_pattern(route.template, _SEGMENT))
    return {method: sorted(found[method]) for method in sorted(found)}


def _beyond(policy: Policy, patterns: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """The operations that the patterns open beyond the policy.

    `/debug/pprof/{name}` fits `/debug/pprof/cmdline` too, and these expressions know no
    exception; nearly all other templates of the table exclude each other.
    """
    fits = {one: re.compile("|".join(of)).fullmatch for one, of in patterns.items()}
    opened = {
        endpoint.operation
        for endpoint in ENDPOINTS
        for method, path in examples_of(endpoint)
        if method in fits and fits[method](path)
    }
    return tuple(sorted(opened - policy.opened_operations))


def _without_slashes(policy: Policy) -> Iterator[str]:
    """The operations that lose names with slashes, such as those of legacy links.

    `/containers/parent/alias/json` is a route of the Engine. A pattern that took such
    names would take paths of other operations too.
    """
    for endpoint in ENDPOINTS:
        if endpoint.section not in _WITH_SLASHES and "{" in endpoint.template:
            method = "GET" if endpoint.method == "ANY" else endpoint.method
            path = with_segments(endpoint.template, "a/b")
            request = Request.parse(method, path.encode())
            if request.endpoint is endpoint and policy.decide(request).allowed:
                yield endpoint.operation


def _newer_routes(policy: Policy) -> Iterator[str]:
    for section in ALL_SECTIONS:
        if section in policy.sections:
            yield f"routes in {section} that this version does not know"


def _pattern_of(endpoint: Endpoint, path: str) -> str:
    if endpoint is OPTIONS:  # the path is that of a section
        return f"{_VERSION}{re.escape(path)}(/.*)?"
    has_slashes = endpoint.section in _WITH_SLASHES
    if endpoint.is_podmans:
        has_slashes = endpoint.takes_slashes
    return _pattern(endpoint.template, _SEGMENTS if has_slashes else _SEGMENT)


def _pattern(template: str, parameter: str) -> str:
    version = _LIBPOD_VERSION if template.startswith("/libpod/") else _VERSION
    return version + expression_of(template, parameter)
