"""Evidence as lines of JSON: `docs/evidence.md` describes the format.

Reading is strict: a line that this version does not understand stops it, because the
file is rewritten later and would lose the line. Only a last line that a power cut tore
is let go, and reported. Nothing here opens a file.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from trioproxy.errors import ConfigError
from trioproxy.learning.evidence import Evidence, Record, Run
from trioproxy.learning.shape import AGENT, CLIENT, RUN, VERSION, Shape

FORMAT = 1
HEADER = f'{{"format": {FORMAT}}}'

_RESULT = re.compile(r"[0-9]{1,3}|unrouted|refused", re.ASCII)
_NAME = re.compile(r"[A-Za-z]{1,64}", re.ASCII)
_SECTION = re.compile(r"[A-Z]{0,32}", re.ASCII)
_GRANTED = re.compile(r"[ -~]{0,512}", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


class _NoJsonError(ValueError):
    """A line that is not even JSON."""


@dataclass(slots=True)
class Loaded:
    """What a file held."""

    evidence: Evidence = field(default_factory=Evidence)
    damage: str = ""
    """Which last line was torn and left out; empty when the file is whole."""
    can_append: bool = False
    """Whether a line may be added as it stands."""


def iso(seconds: int) -> str:
    """Write a time as `2026-11-24T10:15:00Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def dump(evidence: Evidence) -> str:
    """Write evidence as a whole file; equal evidence gives equal text."""
    return "".join(f"{line}\n" for line in _lines(evidence))


def shape_line(shape: Shape, record: Record) -> str:
    """Write one shape as the line that is appended when it is new."""
    data: dict[str, Any] = {
        "operation": shape.operation,
        "method": shape.method,
        "section": shape.section,
    }
    data |= {
        "first": iso(record.first),
        "last": iso(record.last),
        "results": dict(sorted(record.results.items())),
        "runs": {
            run: dict(sorted(counts.items()))
            for run, counts in sorted(record.runs.items())
        },
        "agents": sorted(record.agents),
        "clients": sorted(record.clients),
        "versions": sorted(record.versions),
    }
    return json.dumps(data)


def run_line(run: str, span: Run) -> str:
    """Write one run as a line."""
    data: dict[str, Any] = {
        "run": run,
        "first": iso(span.first),
        "last": iso(span.last),
    }
    if span.dropped:
        data["dropped"] = span.dropped
    return json.dumps(data)


def granted_line(operations: set[str]) -> str:
    """Write the line that names what the env file grants or once granted."""
    return json.dumps({"granted": sorted(operations)})


def load(data: bytes, *, name: str) -> Loaded:
    """Read a file; `ConfigError` names the file and the line that cannot be read."""
    loaded = Loaded()
    lines = data.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    for number, line in enumerate(lines, 1):
        try:
            _read_line(loaded.evidence, line, is_first=number == 1)
        except ValueError as error:
            if number == len(lines) and _is_torn(error, line, number):
                loaded.damage = f"{name}:{number}: the last line is cut off"
                break
            raise ConfigError(
                f"{name}:{number}: {error}",
                hint="restore the file from a backup, or start over with --fresh",
            ) from error
    loaded.can_append = data.endswith(b"\n") and not loaded.damage
    return loaded


def _lines(evidence: Evidence) -> Iterator[str]:
    yield HEADER
    for run, span in sorted(evidence.runs.items()):
        yield run_line(run, span)
    if evidence.granted:
        yield granted_line(evidence.granted)
    for shape, record in sorted(evidence.records.items(), key=lambda item: item[0]):
        yield shape_line(shape, record)


def _is_torn(error: ValueError, line: bytes, number: int) -> bool:
    # A power cut leaves half a line, or zeros in its place. A whole line that says
    # something strange is another matter, and so is a file that is no evidence.
    if not line.strip(b"\0"):
        return True
    if number == 1:
        return HEADER.encode().startswith(line)
    return isinstance(error, _NoJsonError)


def _read_line(evidence: Evidence, line: bytes, *, is_first: bool) -> None:
    data = _parse(line)
    if is_first:
        _check_header(data)
    elif "run" in data:
        _read_run(evidence, data)
    elif "granted" in data:
        _expect_keys(data, {"granted"})
        evidence.granted |= set(_strings(data["granted"], _GRANTED))
    else:
        _read_shape(evidence, data)


def _parse(line: bytes) -> dict[str, Any]:
    try:
        data = json.loads(line.decode())
    except UnicodeDecodeError:
        raise _NoJsonError("not UTF-8") from None
    except json.JSONDecodeError as error:
        raise _NoJsonError(f"no JSON: {error.msg} at column {error.colno}") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(data, dict):
        raise ValueError("expected a JSON object")  # noqa: TRY004  one kind for a bad line
    return data


def _check_header(data: dict[str, Any]) -> None:
    if "format" not in data:
        raise ValueError(f"no evidence: the first line is not {HEADER}")
    if data != {"format": FORMAT}:
        raise ValueError(f"format {data['format']!r}, this version reads {FORMAT}")


def _read_run(evidence: Evidence, data: dict[str, Any]) -> None:
    _expect_keys(data, {"run", "first", "last"}, {"dropped"})
    part = Evidence()
    part.runs[_string(data["run"], RUN)] = Run(
        first=_seconds(data["first"]),
        last=_seconds(data["last"]),
        dropped=_count(data.get("dropped", 0)),
    )
    evidence.merge(part)


def _read_shape(evidence: Evidence, data: dict[str, Any]) -> None:
    _expect_keys(
        data,
        {"operation", "method", "section", "first", "last", "results", "runs"},
        {"facets", "agents", "clients", "versions"},
    )
    # No version ever filled `facets`, but format 1 has them. Nothing is made of them: a
    # line with some is united with the other lines of its route.
    _list(data.get("facets", []))
    record = Record(
        first=_seconds(data["first"]),
        last=_seconds(data["last"]),
        results={
            _string(result, _RESULT): _string(run, RUN)
            for result, run in _object(data["results"])
        },
        runs={
            _string(run, RUN): {
                _string(result, _RESULT): _count(count)
                for result, count in _object(counts)
            }
            for run, counts in _object(data["runs"])
        },
        agents=set(_strings(data.get("agents", []), AGENT)),
        clients=set(_strings(data.get("clients", []), CLIENT)),
        versions=set(_strings(data.get("versions", []), VERSION)),
    )
    part = Evidence()
    part.records[_shape(data)] = record
    evidence.merge(part)


def _shape(data: dict[str, Any]) -> Shape:
    shape = Shape(
        _string(data["operation"], _NAME),
        _string(data["method"], _NAME),
        _string(data["section"], _SECTION),
    )
    if not shape.is_consistent:
        route = f"{shape.operation} ({shape.method}, section {shape.section})"
        raise ValueError(f"this version knows no {route}")
    return shape


def _expect_keys(
    data: dict[str, Any], needed: set[str], optional: set[str] | None = None
) -> None:
    if missing := needed - data.keys():
        raise ValueError(f"{min(missing)!r} is missing")
    if unknown := data.keys() - needed - (optional or set()):
        raise ValueError(f"unknown key {min(unknown)!r:.80}")


def _string(value: object, pattern: re.Pattern[str]) -> str:
    if isinstance(value, str) and pattern.fullmatch(value):
        return value
    raise ValueError(f"bad value {value!r:.80}")


def _strings(value: object, pattern: re.Pattern[str]) -> Iterator[str]:
    return (_string(item, pattern) for item in _list(value))


def _list(value: object) -> list[Any]:
    if isinstance(value, list):
        return value
    raise ValueError(f"expected a list, not {value!r:.80}")


def _object(value: object) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        return iter(value.items())
    raise ValueError(f"expected an object, not {value!r:.80}")


def _count(value: object) -> int:
    if type(value) is int and 0 <= value < 2**63:
        return value
    raise ValueError(f"bad count {value!r:.80}")


def _seconds(value: object) -> int:
    text = _string(value, _DATE)
    return int(datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z").timestamp())
