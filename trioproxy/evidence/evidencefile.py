"""Evidence as lines of JSON: `docs/evidence.md` describes the format.

Reading is strict: a line that this version does not understand stops it, because the
file is rewritten later and would lose the line. Only a last line that a power cut tore
is let go, and reported. A file of format 1 is read, and becomes one of format 2 when it
is written next. Nothing here opens a file.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from trioproxy.api.families import FAMILIES
from trioproxy.api.routes import LIMITED, OPERATIONS
from trioproxy.errors import ConfigError
from trioproxy.evidence.needs import is_need
from trioproxy.evidence.seen import (
    UNFINISHED,
    Argument,
    Askers,
    Evidence,
    Facts,
    First,
    Record,
    Run,
    Thing,
)
from trioproxy.evidence.shape import AGENT, CLIENT, RUN, VERSION, Shape
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
from trioproxy.quoting import visible

FORMAT: Final = 2
HEADER: Final = f'{{"format": {FORMAT}}}'
FORMATS_READ: Final = (1, FORMAT)

_RESULT = re.compile(r"[0-9]{1,3}|unrouted|refused|unproven", re.ASCII)
_NAME = re.compile(r"[A-Za-z]{1,64}", re.ASCII)
_SECTION = re.compile(r"[A-Z_]{0,32}", re.ASCII)
_GRANTED = re.compile(r"[ -~]{0,512}", re.ASCII)
_LISTED = re.compile(r"[A-Z_]{1,64}=[!-~]{0,4096}", re.ASCII)
_FILE = re.compile(r"[^\x00-\x1f\x7f]{1,512}")
FILE_LIMIT: Final = 512
"""Characters of the name of a file that are kept, the last ones."""

_SOURCE = re.compile(r"live|log")
_HAS = re.compile(r"|CREATE_[A-Z]{1,32}=[ -~]{0,4096}", re.ASCII)
_VARIABLE = re.compile(r"[A-Z_]{1,64}", re.ASCII)
_VALUE = re.compile(r"[ -~]{0,4096}", re.ASCII)
_BASE = re.compile(r"(?:/[!-~]{1,4095})?", re.ASCII)
_OLDEST = re.compile(r"(?:1\.[1-9][0-9]{1,2})?", re.ASCII)
_KIND = re.compile(r"container|network|volume")
_OBJECT = re.compile(r"|\*|@own|[A-Za-z0-9][A-Za-z0-9_.-]{0,254}", re.ASCII)
_PROJECT = re.compile(r"[ -~]{0,255}", re.ASCII)

_FACTS = {"first", "last", "results", "runs"}


@dataclass(slots=True)
class Loaded:
    """What a file held."""

    evidence: Evidence = field(default_factory=Evidence)
    damage: str = ""
    """Which last line was torn and left out; empty when the file is whole."""
    can_append: bool = False
    """Whether a line may be added as it stands."""
    format: int = FORMAT


# -- writing ---------------------------------------------------------------------------


def dump(evidence: Evidence) -> str:
    """Write evidence as a whole file; equal evidence gives equal text."""
    return "".join(f"{line}\n" for line in _lines(evidence))


def _lines(evidence: Evidence) -> Iterator[str]:
    yield HEADER
    for name, run in sorted(evidence.runs.items()):
        yield run_line(name, run)
    if evidence.granted or evidence.listed:
        yield granted_line(evidence)
    for shape, record in sorted(evidence.records.items(), key=lambda item: item[0]):
        yield shape_line(shape, record)
    for argument in sorted(evidence.arguments):
        yield argument_line(argument, evidence.arguments[argument])
    for thing in sorted(evidence.things):
        yield object_line(thing, evidence.things[thing])


def run_line(name: str, run: Run) -> str:
    """Write one run as a line."""
    data: dict[str, Any] = {
        "run": name,
        "first": iso(run.first),
        "last": iso(run.last),
        "seconds": run.seconds,
        "source": run.source,
    }
    if run.status is not None:
        data["status"] = run.status
    if run.files:
        data["files"] = sorted(run.files)
    if run.dropped:
        data["dropped"] = run.dropped
    if run.base:
        data["base"] = run.base
    if run.oldest_api:
        data["oldest_api"] = run.oldest_api
    if run.own:
        data["own"] = dict(sorted(run.own.items()))
    return json.dumps(data)


def granted_line(evidence: Evidence) -> str:
    """Write the line that names what the env file grants or once granted."""
    data = {"granted": sorted(evidence.granted)}
    if evidence.listed:
        data["listed"] = sorted(evidence.listed)
    return json.dumps(data)


def shape_line(shape: Shape, record: Record) -> str:
    """Write one shape as the line that is appended when it is new."""
    data = shape._asdict() | _facts(record)
    for key, askers in (("used_by", record.users), ("tried_by", record.triers)):
        if askers != Askers():
            data[key] = {
                "agents": sorted(askers.agents),
                "clients": sorted(askers.clients),
                "versions": sorted(askers.versions),
            }
    if record.files:
        data["files"] = sorted(record.files)
    return json.dumps(data)


def argument_line(argument: Argument, facts: Facts) -> str:
    """Write a value that was asked for."""
    data = {
        "argument": argument.variable,
        "value": argument.value,
        "operation": argument.operation,
    }
    return json.dumps(data | _facts(facts))


def object_line(thing: Thing, facts: Facts) -> str:
    """Write an object that was named."""
    data = {"object": thing.kind, "name": thing.name, "operation": thing.operation}
    if thing.project:
        data["project"] = thing.project
    if thing.has:
        data["has"] = thing.has
    return json.dumps(data | _facts(facts))


def _facts(facts: Facts) -> dict[str, Any]:
    return {
        "first": iso(facts.first),
        "last": iso(facts.last),
        "results": {
            result: list(first) for result, first in sorted(facts.results.items())
        },
        "runs": {
            run: dict(sorted(counts.items()))
            for run, counts in sorted(facts.runs.items())
        },
    }


# -- reading ---------------------------------------------------------------------------


def load(data: bytes, *, name: str) -> Loaded:
    """Read a file; `ConfigError` names the file and the line that cannot be read."""
    loaded = Loaded()
    lines = data.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    for number, line in enumerate(lines, 1):
        try:
            _read_line(loaded, line, is_first=number == 1)
        except ValueError as error:
            if number == len(lines) and _is_torn(error, line, number):
                loaded.damage = f"{name}:{number}: the last line is cut off"
                break
            raise ConfigError(f"{name}:{number}: {error}", hint=_hint(error)) from error
    loaded.evidence.bound()
    is_whole = data.endswith(b"\n") and not loaded.damage
    loaded.can_append = is_whole and loaded.format == FORMAT
    return loaded


class _NoEvidenceError(ValueError):
    """A file that holds something else."""


def _hint(error: ValueError) -> str:
    if not isinstance(error, _NoEvidenceError):
        return "restore the file from a backup, or start over with --fresh"
    return "if it is the log of another proxy: learn --from-log reads it"


def _is_torn(error: ValueError, line: bytes, number: int) -> bool:
    # A power cut leaves half a line, or zeros in its place. A whole line that says
    # something strange is another matter, and so is a file that is no evidence.
    if not line.strip(b"\0"):
        return True
    if number == 1:
        return HEADER.encode().startswith(line)
    return isinstance(error, NoJsonError)


def _read_line(loaded: Loaded, line: bytes, *, is_first: bool) -> None:
    data = parse(line)
    if is_first:
        loaded.format = _read_header(data)
        return
    evidence, part = loaded.evidence, Evidence()
    if "run" in data:
        _read_run(part, data, loaded.format)
    elif "granted" in data:
        expect_keys(data, {"granted"}, {"listed"} if loaded.format > 1 else set())
        part.granted = set(strings(data["granted"], _GRANTED))
        part.listed = set(strings(data.get("listed", []), _LISTED))
    elif loaded.format == 1:
        _read_old_shape(part, data, evidence.runs)
    elif "argument" in data:
        expect_keys(data, {"argument", "value", "operation", *_FACTS})
        part.arguments[_read_argument(data)] = _read_facts(data)
    elif "object" in data:
        expect_keys(data, {"object", "name", "operation", *_FACTS}, {"project", "has"})
        part.things[_read_thing(data)] = _read_facts(data)
    else:
        _read_shape(part, data)
    evidence.unite(part)


def _read_argument(data: dict[str, Any]) -> Argument:
    from trioproxy.evidence.keeping import is_listable  # few files have such lines

    argument = Argument(
        string(data["argument"], _VARIABLE),
        string(data["value"], _VALUE),
        string(data["operation"], _NAME),
    )
    variable, value, operation = argument
    families = LIMITED.get(operation, ())
    if variable in families[:1]:
        is_known = not value
    else:
        is_known = any(variable in FAMILIES[family] for family in families)
        is_known = is_known and (not value or is_listable(variable, value))
    if not is_known:
        raise ValueError(f"this version knows no {operation} with {variable}={value}")
    return argument


def _read_thing(data: dict[str, Any]) -> Thing:
    thing = Thing(
        string(data["object"], _KIND),
        string(data["name"], _OBJECT),
        string(data.get("project", ""), _PROJECT),
        string(data["operation"], _NAME),
        string(data.get("has", ""), _HAS),
    )
    if thing.operation not in OPERATIONS:
        raise ValueError(f"this version knows no operation {thing.operation}")
    return thing


def _read_header(data: dict[str, Any]) -> int:
    if "format" not in data:
        raise _NoEvidenceError(f"no evidence: the first line is not {HEADER}")
    for number in FORMATS_READ:
        if data == {"format": number}:
            return number
    raise ValueError(f"format {data['format']!r:.80}, this version reads 1 and 2")


def _read_run(part: Evidence, data: dict[str, Any], number: int) -> None:
    needed, optional = {"run", "first", "last"}, {"dropped"}
    if number > 1:
        needed |= {"seconds", "source"}
        optional |= {"status", "files", "base", "oldest_api", "own"}
    expect_keys(data, needed, optional)
    first, last = seconds(data["first"]), seconds(data["last"])
    status = data.get("status")
    part.runs[string(data["run"], RUN)] = Run(
        first=first,
        last=last,
        # Format 1 knew one clock only.
        seconds=count(data.get("seconds", max(0, last - first))),
        status=None if status is None else count(status, least=UNFINISHED),
        source=string(data.get("source", "live"), _SOURCE),
        files=_read_files(data.get("files", [])),
        dropped=count(data.get("dropped", 0)),
        base=string(data.get("base", ""), _BASE),
        oldest_api=string(data.get("oldest_api", ""), _OLDEST),
        own={
            string(kind, _KIND): count(number)
            for kind, number in pairs(data.get("own", {}))
        },
    )


def _read_shape(part: Evidence, data: dict[str, Any]) -> None:
    expect_keys(
        data,
        {"operation", "method", "section", *_FACTS},
        {"used_by", "tried_by", "files"},
    )
    facts = _read_facts(data)
    part.records[_shape(data)] = Record(
        first=facts.first,
        last=facts.last,
        results=facts.results,
        runs=facts.runs,
        users=_read_askers(data.get("used_by", {})),
        triers=_read_askers(data.get("tried_by", {})),
        files=_read_files(data.get("files", [])),
    )


def _read_old_shape(part: Evidence, data: dict[str, Any], runs: dict[str, Run]) -> None:
    """A shape of format 1, whose run stands above it."""
    askers = {"agents", "clients", "versions"}
    expect_keys(data, {"operation", "method", "section", *_FACTS}, {"facets", *askers})
    # No version ever filled `facets`, but format 1 has them. Nothing is made of them: a
    # line with some is united with the other lines of its route.
    items(data.get("facets", []))
    first = seconds(data["first"])

    def since(run: str) -> int:
        return max(0, first - runs[run].first) if run in runs else 0

    shape = _shape(data)
    record = Record(
        first=first,
        last=seconds(data["last"]),
        results={
            string(result, _RESULT): First(string(run, RUN), since(run))
            for result, run in pairs(data["results"])
        },
        runs=_read_counts(data["runs"]),
    )
    is_used = any(is_need(shape, result) for result in record.results)
    (record.users if is_used else record.triers).unite(
        _read_askers({key: data[key] for key in askers & data.keys()})
    )
    part.records[shape] = record


def _read_facts(data: dict[str, Any]) -> Facts:
    return Facts(
        first=seconds(data["first"]),
        last=seconds(data["last"]),
        results={
            string(result, _RESULT): _read_first(first)
            for result, first in pairs(data["results"])
        },
        runs=_read_counts(data["runs"]),
    )


def _read_first(value: object) -> First:
    match items(value):
        case [run, after]:
            return First(string(run, RUN), count(after))
        case _:
            raise ValueError(f"expected a run and seconds, not {value!r:.80}")


def _read_counts(value: object) -> dict[str, dict[str, int]]:
    return {
        string(run, RUN): {
            string(result, _RESULT): count(number) for result, number in pairs(counts)
        }
        for run, counts in pairs(value)
    }


def _read_files(value: object) -> set[str]:
    """Names of files, which may have been anything: each is kept as it is shown."""
    return {visible(name)[-FILE_LIMIT:] for name in strings(value, _FILE)}


def _read_askers(value: object) -> Askers:
    data = dict(pairs(value))
    expect_keys(data, set(), {"agents", "clients", "versions"})
    return Askers(
        agents=set(strings(data.get("agents", []), AGENT)),
        clients=set(strings(data.get("clients", []), CLIENT)),
        versions=set(strings(data.get("versions", []), VERSION)),
    )


def _shape(data: dict[str, Any]) -> Shape:
    shape = Shape(
        string(data["operation"], _NAME),
        string(data["method"], _NAME),
        string(data["section"], _SECTION),
    )
    if not shape.is_consistent:
        route = f"{shape.operation} ({shape.method}, section {shape.section})"
        raise ValueError(f"this version knows no {route}")
    return shape
