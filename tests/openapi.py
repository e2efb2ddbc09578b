"""`python -m tests.openapi DOCUMENT...`: what of an API document of the Engine no table here has.

A newer Engine has operations, fields that requests ask with, and fields that answers tell, of
which nobody here has decided anything. Until somebody does, an operation is refused and a field
of a body that is limited too; but a key of a query that no list reads goes on, and a field of an
answer is shown, unless `REDACT` hides it by its name or lists make the answer anew. So each of
them is named, of whatever type it is, with the file in which it belongs, and the status is 1: a
number may count what is somebody else's, and what has no type may be anything.

DOCUMENT: paths of `v1.NN.yaml`, as the Engine's repository has them in `api/docs`. None is kept here.
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

METHODS: Final = ("get", "head", "post", "put", "delete")
DEEPEST: Final = 12
"""Of schemas in one another: some hold themselves."""

FIELDS: Final = "trioproxy/api/fields.py"
LOOKED_AT: Final = "tests/data/looked_at.tsv"
"""What no table of ours reads, and of which somebody has said by a line there that this is right."""

Schema = Mapping[str, Any]


class New(NamedTuple):
    """Something of which nothing was decided."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def read(path: Path) -> dict[str, Any]:
    """Read a document. Statuses are names, as all that is no list or map is a text here."""
    document: dict[str, Any] = yaml.load(path.read_text(), yaml.CBaseLoader)
    return document


class Leaf(NamedTuple):
    """A value in an answer that holds no others."""

    path: str
    is_text: bool


class Document:
    """One document, and what of it is new."""

    def __init__(self, document: Schema) -> None:
        self._paths = document["paths"]
        self._definitions = document.get("definitions", {})

    def news(self) -> Iterator[New]:
        """What no table has."""
        for path, methods in self._paths.items():
            for method in METHODS:
                if (told := methods.get(method)) is not None:
                    yield from self._of_operation(method.upper(), path, told)

    def _of_operation(self, method: str, path: str, told: Schema) -> Iterator[New]:
        row = _row(method, path)
        if row is None:
            name = told.get("operationId", "without a name")
            yield New("trioproxy/api/routes.py", f"{method} {path} ({name})")
            return
        for new in self._of_request(row.operation, told.get("parameters", ())):
            if new.where != LOOKED_AT or (row.operation, new.what) not in _KNOWN:
                yield New(new.where, f"{row.operation} {new.what}")
        yield from self._of_answer(row.operation, told["responses"])

    # -- what requests ask for -----------------------------------------------------

    def _of_request(self, operation: str, parameters: list[Schema]) -> Iterator[New]:
        """What of it no reader judges; of what none judges at all, whatever it is."""
        known = ARGUED.get(operation)
        for one in parameters:
            name, place = one["name"], one["in"]
            if place == "header":
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
        if (name := schema.get("$ref")) is not None:
            yield from self._parts(self._definitions[name.rpartition("/")[2]])
            return
        yield schema
        for one in (*schema.get("allOf", ()), *schema.get("oneOf", ())):
            yield from self._parts(one)


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
    news = dict.fromkeys(
        one for path in paths for one in Document(read(Path(path))).news()
    )
    print(*news, sep="\n", end="\n" if news else "")
    print(f"{len(news)} new in {len(paths)} documents", file=sys.stderr)
    return 1 if news else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
