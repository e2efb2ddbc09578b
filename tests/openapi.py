"""`python -m tests.openapi DOCUMENT...`: what of an API document of the Engine no table here has.

A newer Engine has operations, fields that requests ask with, and texts that answers tell, of
which nobody here has decided anything. Until somebody does, an operation is refused and a field
of a body that is limited too; but a text of an answer is shown, unless `REDACT` hides it by its
name. So each of them is named, with the file in which it belongs, and the status is 1.

DOCUMENT: paths of `v1.NN.yaml`, as the Engine's repository has them in `api/docs`. None is kept here.
"""

import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.answers import documented
from trioproxy.api.fields import ARGUED, JsonKind, rows
from trioproxy.api.routes import ENDPOINTS, Endpoint

METHODS: Final = ("get", "head", "post", "put", "delete")
DEEPEST: Final = 12
"""Of schemas in one another: some hold themselves."""

Schema = Mapping[str, Any]


class New(NamedTuple):
    """Something of which nothing was decided."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def read(path: Path) -> dict[str, Any]:
    """Read a document, by the one reader of YAML that is there: docker's, as an extension of
    a Compose file."""
    # Of statuses it wants to be told that they are names.
    quoted = re.sub(r"(?m)^( *)([0-9]{3}):", r'\1"\2":', path.read_text())
    text = "services: {}\nx-document:\n" + textwrap.indent(quoted, "  ")
    command = ["docker", "compose", "--file=-", "config", "--no-interpolate", "--format=json"]  # fmt: skip
    ran = subprocess.run(command, input=text.encode(), capture_output=True, check=True)
    document: dict[str, Any] = json.loads(ran.stdout)["x-document"]
    return document


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
        if row.operation in ARGUED:
            yield from self._of_request(row.operation, told.get("parameters", ()))
        yield from self._of_answer(row.operation, told["responses"])

    # -- what requests ask for -----------------------------------------------------

    def _of_request(self, operation: str, parameters: list[Schema]) -> Iterator[New]:
        known = ARGUED[operation]
        # The Engine folds names, and documents before 1.40 wrote some otherwise.
        fields = {path.casefold(): field for path, field in rows(known)}
        for one in parameters:
            match one["in"]:
                case "query" if one["name"] not in known.query:
                    yield New("trioproxy/api/fields.py", f"{operation} ?{one['name']}=")
                case "body":
                    for path in sorted({*self._fields(one["schema"])}):
                        parents = path.casefold().split(".")
                        is_any = any(
                            (field := fields.get(".".join(parents[:end]))) is not None
                            and field.kind is JsonKind.ANY
                            for end in range(1, len(parents))
                        )
                        if path.casefold() not in fields and not is_any:
                            yield New("trioproxy/api/fields.py", f"{operation} {path}")
                case _:
                    pass  # a part of the path, or a header

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
        known = _TOLD.get(operation, frozenset())
        for status, response in responses.items():
            if status[:1] == "2" and "schema" in response:
                for path in sorted({*self._texts(response["schema"])} - known):
                    yield New(
                        "tests/data/answers.tsv", f"{operation} {path or '(all)'}"
                    )

    def _texts(self, schema: Schema, path: str = "", depth: int = 0) -> Iterator[str]:
        """The places of texts in an answer, as `tests/data/answers.tsv` writes them."""
        for inner in self._parts(schema) if depth < DEEPEST else ():
            kind = inner.get("type")
            if kind == "string" or (isinstance(kind, list) and "string" in kind):
                yield path
            for name, one in inner.get("properties", {}).items():
                yield from self._texts(one, _below(path, name), depth + 1)
            for key, sign in (("items", "[]"), ("additionalProperties", "{}")):
                if isinstance(one := inner.get(key), dict):
                    yield from self._texts(one, _below(path, sign), depth + 1)

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


_ROWS: Final = {(one.method, _plain(one.template)): one for one in ENDPOINTS}
_TOLD: Final[dict[str, frozenset[str]]] = {}
for _one in documented():
    _TOLD[_one.operation] = _TOLD.get(_one.operation, frozenset()) | {_one.path}


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
