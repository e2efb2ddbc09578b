"""Evidence as lines of JSON: `docs/evidence.md` describes the format.

Reading is strict: a line that this version does not understand stops it, because the
file is rewritten later and would lose the line. Only a last line that a power cut tore
is let go, and reported. Nothing here opens a file.

It is also quick, for each command that is given evidence reads all of it, and a client of
thousands of values has as many lines: facts go into one dict as they are read, what
thousands of lines have in common (dates, what an operation can ask for) is looked at
once, and bounds are kept once a file.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

from trioproxy.api.families import FAMILIES, Places
from trioproxy.api.routes import LIMITED, OPERATIONS
from trioproxy.errors import ConfigError
from trioproxy.evidence.seen import (
    NOBODY,
    UNFINISHED,
    Askers,
    Evidence,
    Facts,
    First,
    Run,
)
from trioproxy.evidence.sight import AGENT, CLIENT, RUN, VERSION, Sight
from trioproxy.evidence.strictjson import (
    NoJsonError,
    count,
    expect_keys,
    iso,
    items,
    pairs,
    parse,
    seconds,
    string,
    strings,
)
from trioproxy.limits.grant import Grant
from trioproxy.limits.sorts import is_listable
from trioproxy.quoting import visible

FORMAT: Final = 3
HEADER: Final = f'{{"format": {FORMAT}}}'

_RESULT = re.compile(r"[0-9]{1,3}|unrouted|refused|unproven", re.ASCII)
_NAME = re.compile(r"[A-Za-z]{1,64}", re.ASCII)
_SECTION = re.compile(r"[A-Z_]{0,32}", re.ASCII)
_VARIABLE = re.compile(r"[A-Z_]{1,64}", re.ASCII)
_ITEM = re.compile(r"[ -~]{0,4096}", re.ASCII)
_FILE = re.compile(r"[^\x00-\x1f\x7f]{1,512}")
FILE_LIMIT: Final = 512
"""Characters of the name of a file that are kept, the last ones."""

_SOURCE = re.compile(r"live|log")
_HAS = re.compile(r"|(?:CREATE|EXEC)_[A-Z]{1,32}=[ -~]{0,4096}", re.ASCII)
_PLACE = re.compile(r"(?:/[!-~]{1,4095}|[a-z0-9][a-z0-9_-]{0,254})?", re.ASCII)
_OLDEST = re.compile(r"(?:1\.[1-9][0-9]{1,2})?", re.ASCII)
_STATE = re.compile(r"[a-z-]{1,64}", re.ASCII)
_KIND = re.compile(r"container|network|volume")
_OBJECT = re.compile(r"|\*|@own|[A-Za-z0-9][A-Za-z0-9_.-]{0,254}", re.ASCII)
_PROJECT = re.compile(r"[ -~]{0,255}", re.ASCII)

_FACTS: Final = {"grant", "by", "first", "last", "results", "runs"}
_OF_ROUTE: Final = {"method", "section"}
_ASKED: Final = {"used_by", "tried_by", "files"}
"""0.2.0 wrote `files` of an operation as well: they are those of its runs, and not kept twice."""
_OF_OBJECT: Final = {"project", "has", "named"}


@dataclass(slots=True)
class Loaded:
    """What a file held."""

    evidence: Evidence = field(default_factory=Evidence)
    damage: str = ""
    """Which last line was torn and left out; empty when the file is whole."""
    can_append: bool = False
    """Whether a line may be added as it stands."""


# -- writing ---------------------------------------------------------------------------


def dump(evidence: Evidence) -> str:
    """Write evidence as a whole file; equal evidence gives equal text."""
    return "".join(f"{line}\n" for line in _lines(evidence))


def _lines(evidence: Evidence) -> Iterator[str]:
    yield HEADER
    for name, run in sorted(evidence.runs.items()):
        yield run_line(name, run)
    if evidence.granted:
        yield granted_line(evidence)
    for sight in sorted(evidence.facts):
        yield fact_line(sight, evidence.facts[sight])


def run_line(name: str, run: Run) -> str:
    """Write one run as a line."""
    said = {one.name: getattr(run, one.name) for one in fields(run)}
    said |= {"first": iso(run.first), "last": iso(run.last), **run.places._asdict()}
    data: dict[str, Any] = {"run": name}
    for key in _OF_RUN:
        value = said[key]
        if isinstance(value, frozenset | dict):
            value = _sorted(value)
        if value or (value == 0 and key != "dropped"):
            data[key] = value
    return json.dumps(data)


def _sorted(of: frozenset[str] | dict[str, Any]) -> list[str] | dict[str, Any]:
    return dict(sorted(of.items())) if isinstance(of, dict) else sorted(of)


def granted_line(evidence: Evidence) -> str:
    """Write the line that names what the env file grants or once granted."""
    return json.dumps({"granted": sorted(map(list, evidence.granted))})


def fact_line(sight: Sight, facts: Facts) -> str:
    """Write one fact as the line that is appended when it is new."""
    data: dict[str, Any] = {"grant": list(sight.grant), "by": sight.operation}
    if sight.is_route:
        data |= {"method": sight.method, "section": sight.section}
    more = {"project": sight.project, "named": sight.is_named, "has": sight.has}
    data |= {name: value for name, value in more.items() if value}
    data |= {
        "first": iso(facts.first),
        "last": iso(facts.last),
        "results": _sorted(facts.results),
        "runs": _sorted({run: _sorted(of) for run, of in facts.runs.items()}),
    }
    for key, askers in (("used_by", facts.users), ("tried_by", facts.triers)):
        if askers != NOBODY:
            data[key] = {name: sorted(of) for name, of in askers._asdict().items()}
    return json.dumps(data)


# -- reading ---------------------------------------------------------------------------


def load(data: bytes, *, name: str) -> Loaded:
    """Read a file; `ConfigError` names the file and the line that cannot be read."""
    loaded = Loaded()
    lines = data.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    for number, line in enumerate(lines, 1):
        try:
            if number == 1:
                _read_header(line)
            else:
                _read(parse(line), loaded.evidence)
        except ValueError as error:
            if number == len(lines) and _is_torn(error, line, number):
                loaded.damage = f"{name}:{number}: the last line is cut off"
                break
            raise ConfigError(f"{name}:{number}: {error}", hint=_hint(error)) from error
    loaded.evidence.bound()
    loaded.can_append = data.endswith(b"\n") and not loaded.damage
    return loaded


class _NoEvidenceError(ValueError):
    """A file that holds something else."""


def _hint(error: ValueError) -> str:
    if isinstance(error, _NoEvidenceError):
        return "name another file: evidence is NAME.jsonl; learn --from-log reads logs of other proxies"
    return (
        "restore the file from a backup, or remove it: an env file next to it grants as"
        " before, and only what was declined is forgotten"
    )


def _read_header(line: bytes) -> None:
    # A word that only evidence has, before it is parsed: an env file is no damaged evidence,
    # and nobody is told to remove it.
    if b'"format"' not in line or "format" not in (data := parse(line)):
        raise _NoEvidenceError(f"no evidence: the first line is not {HEADER}")
    if data != {"format": FORMAT}:
        found = f"format {data['format']!r:.80}"
        raise ValueError(f"{found}, and this version reads {FORMAT} alone")


def _is_torn(error: ValueError, line: bytes, number: int) -> bool:
    # A power cut leaves half a line, or zeros in its place. A whole line that says
    # something strange is another matter, and so is a file that is no evidence.
    if not line.strip(b"\0"):
        return True
    if number == 1:
        return HEADER.encode().startswith(line)
    return isinstance(error, NoJsonError)


def _read(data: dict[str, Any], evidence: Evidence) -> None:
    """Take one line; lines about the same unite."""
    if "grant" in data:
        sight, facts = _sight(data), _read_facts(data)
        evidence.facts.setdefault(sight, facts).merge(facts)
    elif "run" in data:
        run = _read_run(data)
        evidence.runs.setdefault(string(data["run"], RUN), run).merge(run)
    else:
        expect_keys(data, {"granted"})
        evidence.granted |= set(map(_grant, items(data["granted"])))


def _read_facts(data: dict[str, Any]) -> Facts:
    count_results, results = _counts(_RESULT), pairs(data["results"])
    return Facts(
        first=seconds(data["first"]),
        last=seconds(data["last"]),
        results={string(one, _RESULT): _read_first(first) for one, first in results},
        runs={string(run, RUN): count_results(of) for run, of in pairs(data["runs"])},
        users=_read_askers(data.get("used_by", {})),
        triers=_read_askers(data.get("tried_by", {})),
    )


def _read_first(value: object) -> First:
    match items(value):
        case [run, after]:
            return First(string(run, RUN), count(after))
        case _:
            raise ValueError(f"expected a run and seconds, not {value!r:.80}")


def _grant(value: object) -> Grant:
    match items(value):
        case [variable, item]:
            return Grant(string(variable, _VARIABLE), string(item, _ITEM))
        case _:
            raise ValueError(f"expected a variable and an item, not {value!r:.80}")


def _sight(data: dict[str, Any]) -> Sight:
    """What a line is about: an operation, an object, or else a value."""
    expect_keys(data, _FACTS, _OF_ROUTE | _ASKED | _OF_OBJECT)
    grant, operation = _grant(data["grant"]), string(data["by"], _NAME)
    told = _MORE.keys() & data.keys()
    more = {name: string(data[name], _MORE[name]) for name in told}
    if not isinstance(is_named := data.get("named", False), bool):
        raise ValueError(f"expected true or false, not {is_named!r:.80}")  # noqa: TRY004  one kind for a bad line
    sight = Sight(*grant, operation, **more, is_named=is_named)
    if sight.is_route:
        expect_keys(data, _FACTS | _OF_ROUTE, _ASKED)
        is_known = grant.item == operation and sight.is_consistent
    elif sight.kind is not None:
        expect_keys(data, _FACTS, _OF_OBJECT)
        string(grant.item, _OBJECT)
        is_known = operation in OPERATIONS
    else:
        expect_keys(data, _FACTS)
        is_known = _can_be_asked_for(grant, operation)
    if not is_known:
        raise ValueError(f"this version knows no {operation} with {grant}")
    return sight


_MORE: Final = {"method": _NAME, "section": _SECTION, "project": _PROJECT, "has": _HAS}


def _can_be_asked_for(grant: Grant, operation: str) -> bool:
    families = LIMITED.get(operation, ())
    variable, item = grant
    if variable in families[:1]:
        return not item
    if not any(variable in FAMILIES[family] for family in families):
        return False
    return not item or is_listable(variable, item)


def _read_run(data: dict[str, Any]) -> Run:
    expect_keys(data, {"run", *_ALWAYS}, _OF_RUN.keys())
    read = {name: _OF_RUN[name](value) for name, value in data.items() if name != "run"}
    places = Places(*(read.pop(name, "") for name in Places._fields))
    return Run(places=places, **read)


def _counts(names: re.Pattern[str]) -> Callable[[object], dict[str, int]]:
    return lambda value: {string(k, names): count(n) for k, n in pairs(value)}


def _read_files(value: object) -> frozenset[str]:
    """Names of files, which may have been anything: each is kept as it is shown."""
    return frozenset(visible(name)[-FILE_LIMIT:] for name in strings(value, _FILE))


def _read_askers(value: object) -> Askers:
    data = dict(pairs(value))
    expect_keys(data, set(), _OF_ASKERS.keys())
    read = {name: frozenset(strings(of, _OF_ASKERS[name])) for name, of in data.items()}
    return NOBODY.unite(Askers(**read))


_OF_ASKERS: Final = {"agents": AGENT, "clients": CLIENT, "versions": VERSION}
_ALWAYS: Final = ("first", "last", "seconds", "source")
_OF_RUN: Final[Mapping[str, Callable[[Any], Any]]] = {
    "first": seconds,
    "last": seconds,
    "seconds": count,
    "source": lambda value: string(value, _SOURCE),
    "status": lambda value: count(value, least=UNFINISHED),
    "files": _read_files,
    "dropped": count,
    **dict.fromkeys(Places._fields, lambda value: string(value, _PLACE)),
    "oldest_api": lambda value: string(value, _OLDEST),
    "own": _counts(_KIND),
    "left": _counts(_KIND),
    "hidden": _counts(_NAME),
    "never": lambda value: frozenset(strings(value, _STATE)),
    "news": count,
}
"""What a line says of a run, in this order, and how it is read; all but `_ALWAYS` may be left out."""
