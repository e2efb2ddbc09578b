"""What two other proxies allow, as tables: the rules of their HAProxy configurations.

Both go through a list of rules; the first that fits decides, and none means refused. A rule
looks at the decoded path behind its version, without regard to case, and only at how the
path begins. A variable counts as 1 if its text begins with a whole number other than 0
(so `true` is 0 there). Nothing of trioproxy's own rules is known here.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache

from trioproxy.api.matched import with_segments
from trioproxy.api.routes import (
    ALL_SECTIONS,
    OPTIONS,
    SECTIONS,
    Endpoint,
    section_prefix,
)
from trioproxy.file.variables import (
    LIBPOD_ON_BY_DEFAULT,
    LIBPOD_VARIABLES,
    ON_BY_DEFAULT,
    PERMISSIONS,
    READ_VERBS,
    SWITCHES,
    WORDS_OF_VERBS,
)
from trioproxy.judge.rules import READING
from trioproxy.values import value_class

_VERSION = re.compile(r"/v[0-9.]+", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?0*[1-9]")


@cache  # the table never changes, and is asked for with each question about a price
def examples_of(endpoint: Endpoint) -> tuple[tuple[str, str], ...]:
    """Methods and paths that stand for an endpoint: these rules read paths, no templates.

    An id is one segment, `x`. `OPTIONS`, which has no path of its own, has one for each
    section.
    """
    if endpoint is OPTIONS:
        return tuple((OPTIONS.method, section_prefix(one)) for one in SECTIONS)
    if not endpoint.is_reachable:
        return ()
    method = "POST" if endpoint.method == "ANY" else endpoint.method
    return ((method, with_segments(endpoint.template, "x")),)


@value_class
class Rule:
    """One line: one that allows acts where its variable is set, one that refuses where not."""

    variable: str
    begins: str
    """How a path begins, as a regular expression: compiled when it is asked for."""
    allows: bool = True
    writes_only: bool = False
    """Whether `GET` and `HEAD` pass by this rule."""

    def fits(self, method: str, path: str) -> bool:
        """Whether a request is one that this rule speaks of."""
        if self.writes_only and method in READING:
            return False
        return re.match(self.begins, path, re.IGNORECASE | re.ASCII) is not None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)  # one is itself, and a key
class Incumbent:
    """A proxy that people run now, pinned to a version."""

    name: str
    image: str
    version: str
    rules: tuple[Rule, ...]
    defaults: Mapping[str, str] = field(repr=False)
    """What its image sets."""

    def allows(self, variables: Mapping[str, str], method: str, path: str) -> bool:
        """Whether it lets a request pass; `path` is decoded, a version may lead it."""
        for rule in _fitting(self, method, path):
            own = self.defaults.get(rule.variable, "")
            if rule.allows == is_true(variables.get(rule.variable, own)):
                return rule.allows
        return False

    def can_allow(self, method: str, path: str) -> bool:
        """Whether some variables let a request pass."""
        return self.allows(ALL_ONES, method, path)

    def variables(self) -> tuple[str, ...]:
        """All variables that its rules read, sorted."""
        return tuple(sorted({rule.variable for rule in self.rules}))


@lru_cache(maxsize=1024)  # the table's requests, with one file after another
def _fitting(incumbent: Incumbent, method: str, path: str) -> tuple[Rule, ...]:
    """The rules that speak of a request, in their order; a version may lead `path`."""
    version = _VERSION.match(path)
    path = path[version.end() :] if version else path
    return tuple(rule for rule in incumbent.rules if rule.fits(method, path))


def is_true(value: str) -> bool:
    """Read a variable as HAProxy's `-m bool` does: as the number it begins with."""
    return _NUMBER.match(value) is not None


def _sections(names: Iterable[str]) -> Iterator[Rule]:
    for name in names:
        yield Rule(variable=name, begins=re.escape(section_prefix(name)))


def _verbs(prefix: str, base: str) -> Iterator[Rule]:
    for verb, words in WORDS_OF_VERBS.items():
        behind = "|".join(words).lower()
        yield Rule(variable=f"{prefix}{verb}", begins=_route(base, behind))


def _denials() -> Iterator[Rule]:
    for verb, word in READ_WORDS.items():
        yield Rule(variable=verb, begins=_route(_PODS_TOO, word), allows=False)


def _route(base: str, words: str) -> str:
    return f"{base}/[a-zA-Z0-9_.-]+/({words})"


READ_WORDS = {one: one.removeprefix("ALLOW_").lower() for one in READ_VERBS}
READ_WORDS["ALLOW_CHANGES"] = "change"
"""How linuxserver knows the routes that a read verb refuses: by any method, and by how the
segment behind the name of a container begins."""

_PODS_TOO = "(/libpod)?/(containers|pods)"

_WRITES_NEED_POST = Rule(variable="POST", begins="", allows=False, writes_only=True)
_SWITCH_DEFAULTS = {name: str(int(name in ON_BY_DEFAULT)) for name in SWITCHES}

TECNATIVA = Incumbent(
    name="tecnativa",
    image="tecnativa/docker-socket-proxy",
    version="0.5.0",
    # Refuses writes before it looks at a verb: without POST=1 no verb does anything.
    rules=(_WRITES_NEED_POST, *_verbs("ALLOW_", "/containers"), *_sections(SECTIONS)),
    defaults=_SWITCH_DEFAULTS,
)

LINUXSERVER = Incumbent(
    name="linuxserver",
    image="linuxserver/socket-proxy",
    version="3.4.6",
    # Verbs come before POST; the read verbs only lift a refusal, the section still decides.
    rules=(
        *_denials(),
        *_verbs("ALLOW_", _PODS_TOO),
        *_verbs("LIBPOD_ALLOW_", "/libpod/containers"),
        *_verbs("LIBPOD_ALLOW_POD_", "/libpod/pods"),
        _WRITES_NEED_POST,
        *_sections(ALL_SECTIONS),
    ),
    defaults={
        **_SWITCH_DEFAULTS,
        **{n: str(int(n in LIBPOD_ON_BY_DEFAULT)) for n in sorted(LIBPOD_VARIABLES)},
    },
)

INCUMBENTS = (TECNATIVA, LINUXSERVER)

VARIABLES = tuple(
    sorted(PERMISSIONS & {*TECNATIVA.variables(), *LINUXSERVER.variables()})
)
"""All permissions of ours that one of the two reads."""

ALL_ONES = dict.fromkeys(VARIABLES, "1")
