"""`python -m tests.openapi DOCUMENT...`: what of an API document of the Engine no table here has.

A newer Engine has operations, fields that requests ask with, and fields that answers tell, of
which nobody here has decided anything. Until somebody does, an operation is refused and a field
of a body that is limited too; but a key of a query that no list reads goes on, and a field of an
answer is shown, unless `REDACT` hides it by its name or lists make the answer anew. So each of
them is named, of whatever type it is, with the file in which it belongs, and the status is 1: a
number may count what is somebody else's, and what has no type may be anything.

DOCUMENT: paths of `v1.NN.yaml`, as the Engine's repository has them in `api/docs`. None is kept here.
What is no such document, or none that is whole, is an error, and the status 2: of what cannot be read
nothing is new.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from tests.answers import documented, sections
from trioproxy.api.fields import ARGUED, JsonKind, Operation, rows
from trioproxy.api.routes import ENDPOINTS, Endpoint

BESIDE: Final = ("parameters", "x-")
"""What a path has that is none of its methods."""
DEEPEST: Final = 12
"""Of schemas in one another: some hold themselves."""

FIELDS: Final = "trioproxy/api/fields.py"
LOOKED_AT: Final = "tests/data/looked_at.tsv"
"""What no table of ours reads, and of which somebody has said by a line there that this is right."""

Schema = Mapping[str, Any]


class Unreadable(Exception):
    """Of this document it cannot be said what is new; the text says why."""


class New(NamedTuple):
    """Something of which nothing was decided."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def read(path: Path) -> dict[str, Any]:
    """Read a document. Statuses are names, as all that is no list or map is a text here."""
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), yaml.CBaseLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Unreadable(" ".join(str(error).split())) from error
    if not isinstance(document, dict) or document.get("swagger") != "2.0":
        raise Unreadable("it does not begin with swagger: '2.0', as the Engine's do")
    if not isinstance(document.get("paths"), dict) or not document["paths"]:
        raise Unreadable("it has no paths: is it cut?")
    return document


class Leaf(NamedTuple):
    """A value in an answer that holds no others."""

    path: str
    is_text: bool


class Document:
    """One document, and what of it is new."""

    def __init__(self, document: Schema) -> None:
        self._document = document
        self.operations = 0
        """How many were compared."""

    def news(self) -> Iterator[New]:
        """What no table has."""
        for path, methods in self._document["paths"].items():
            shared = methods.get("parameters", [])
            for method, told in methods.items():
                if not method.startswith(BESIDE):
                    asked = [*shared, *told.get("parameters", [])]
                    self.operations += 1
                    yield from self._of_operation(
                        method.upper(), path, {**told, "parameters": asked}
                    )

    def _of_operation(self, method: str, path: str, told: Schema) -> Iterator[New]:
        row = _row(method, path)
        if row is None:
            name = told.get("operationId", "without a name")
            yield New("trioproxy/api/routes.py", f"{method} {path} ({name})")
            return
        for new in self._of_request(row.operation, told["parameters"]):
            if new.where != LOOKED_AT or (row.operation, new.what) not in _KNOWN:
                yield New(new.where, f"{row.operation} {new.what}")
        yield from self._of_answer(row.operation, told["responses"])

    # -- what requests ask for -----------------------------------------------------

    def _of_request(self, operation: str, parameters: list[Schema]) -> Iterator[New]:
        """What of it no reader judges; of what none judges at all, whatever it is."""
        known = ARGUED.get(operation)
        for one in parameters:
            one = self._meant(one)
            name, place = one["name"], one["in"]
            if place not in {"query", "body", "path"}:
                yield New(LOOKED_AT, f"{name}:")
            elif place == "query" and known is None:
                yield New(LOOKED_AT, f"?{name}")
            elif place == "body" and known is None:
                yield New(LOOKED_AT, "(body)")
            elif known is not None and place == "query" and name not in known.query:
                yield New(FIELDS, f"?{name}=")
            elif known is not None and place == "body":
                for path in sorted({*self._fields(one["schema"])}):
                    if not _is_read(known, path):
                        yield New(FIELDS, path)

    def _fields(self, schema: Schema, path: str = "", depth: int = 0) -> Iterator[str]:
        """The fields of a body: lists and maps stand for what is in them."""
        for inner in self._parts(schema) if depth < DEEPEST else ():
            for name, one in inner.get("properties", {}).items():
                yield _below(path, name)
                yield from self._fields(one, _below(path, name), depth + 1)
            for key in ("items", "additionalProperties"):
                if isinstance(one := inner.get(key), dict):
                    yield from self._fields(one, path, depth + 1)

    # -- what answers tell ---------------------------------------------------------

    def _of_answer(
        self, operation: str, responses: Mapping[str, Schema]
    ) -> Iterator[New]:
        for status, response in responses.items():
            if status[:1] != "2":
                continue
            for name in response.get("headers", {}):
                if (operation, f"{name}:") not in _KNOWN:
                    yield New(LOOKED_AT, f"{operation} {name}:")
            schema = response.get("schema")
            for leaf in sorted({*self._leaves(schema)} if schema is not None else ()):
                if (operation, leaf.path) not in (_TOLD if leaf.is_text else _KNOWN):
                    where = "tests/data/answers.tsv" if leaf.is_text else LOOKED_AT
                    yield New(where, f"{operation} {leaf.path or '(all)'}")

    def _leaves(self, schema: Schema, path: str = "", depth: int = 0) -> Iterator[Leaf]:
        """The places of values in an answer, as `tests/data/answers.tsv` writes them; what says of
        itself no more than that it is an object may be anything."""
        for inner in self._parts(schema) if depth < DEEPEST else ():
            held = [
                *((name, one) for name, one in inner.get("properties", {}).items()),
                *(
                    (sign, one)
                    for key, sign in (("items", "[]"), ("additionalProperties", "{}"))
                    if isinstance(one := inner.get(key), dict)
                ),
            ]
            for name, one in held:
                yield from self._leaves(one, _below(path, name), depth + 1)
            kind = inner.get("type", ())
            kinds = {kind} if isinstance(kind, str) else {*kind}
            if "string" in kinds:
                yield Leaf(path, is_text=True)
            elif not held and not inner.keys() & {"allOf", "oneOf"}:
                yield Leaf(path, is_text=False)

    def _parts(self, schema: Schema) -> Iterator[Schema]:
        """A schema, or those that it is made of."""
        schema = self._meant(schema)
        yield schema
        for one in (*schema.get("allOf", ()), *schema.get("oneOf", ())):
            yield from self._parts(one)

    def _meant(self, told: Schema) -> Schema:
        """What it stands for, where it is the name of something else."""
        seen: list[str] = []
        while (name := told.get("$ref")) is not None:
            sign, *parts = name.split("/")
            found: Any = self._document
            for part in parts:
                found = found.get(part) if isinstance(found, dict) else None
            if sign != "#" or name in seen or not isinstance(found, dict):
                why = "goes in a circle" if name in seen else "leads nowhere"
                raise Unreadable(f"{name} {why}")
            seen.append(name)
            told = found
        return told


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _row(method: str, path: str) -> Endpoint | None:
    return _ROWS.get((method, _plain(path)))


def _plain(template: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", template)


def _is_read(known: Operation, path: str) -> bool:
    """Whether a field of a body is judged, or lies in one that is judged as a whole. The Engine
    folds names, and documents before 1.40 wrote some otherwise."""
    fields = {one.casefold(): field for one, field in rows(known)}
    parts = path.casefold().split(".")
    above = [fields.get(".".join(parts[:end])) for end in range(1, len(parts))]
    return path.casefold() in fields or any(
        field is not None and field.kind is JsonKind.ANY for field in above
    )


_ROWS: Final = {(one.method, _plain(one.template)): one for one in ENDPOINTS}
_TOLD: Final = {(one.operation, one.path) for one in documented()}
_KNOWN: Final = {
    (operation, line.replace("(all)", ""))
    for operation, line in sections(Path(__file__).parents[1] / LOOKED_AT)
}


def main(*paths: str) -> int:
    """Name what is new."""
    if not paths:
        print("python -m tests.openapi v1.NN.yaml ...", file=sys.stderr)
        return 2
    news: dict[New, None] = {}
    compared = 0
    for path in paths:
        try:
            document = Document(read(Path(path)))
            news |= dict.fromkeys(document.news())
        except Unreadable as error:
            print(f"{path}: {error}", file=sys.stderr)
            return 2
        except RecursionError:
            print(f"{path}: a schema is made of itself", file=sys.stderr)
            return 2
        except (AttributeError, KeyError, TypeError) as error:
            print(f"{path}: not of the form of swagger 2.0: {error!r}", file=sys.stderr)
            return 2
        compared += document.operations
    print(*news, sep="\n", end="\n" if news else "")
    told = f"{len(news)} new, of {compared} operations in {len(paths)} documents"
    print(told, file=sys.stderr)
    return 1 if news else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
