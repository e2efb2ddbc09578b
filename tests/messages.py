"""What the program says to people: found in its source, wherever it is put together.

A message is what is handed to one of `CARRIERS`: an error, a warning, a line of the log. It
may stand there as a text, or come from a variable, a constant, a function, a field of a
table; it is followed to all texts that it can be. What is only known when the program runs
is a `\\0` in it.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice, product
from pathlib import Path

from tests.markdown import ROOT

TABLE = ROOT / "docs" / "messages.tsv"
"""What is said, and what it means or what to do: a line each, of a section of the page."""
PAGE = ROOT / "docs" / "troubleshooting.md"
BEGIN = re.compile(r"(?m)^<!-- messages: ([\w-]+) -->\n((?:\|.*\n){2})(?:\|.*\n)*")
"""Where a section's rows stand in it, below the two lines of their table's head."""


def rows() -> list[tuple[str, str, str]]:
    """The table: section, what is said, what is told of it; nothing, if that says it itself."""
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    cells = [line.split("\t") for line in lines if not line.startswith("#")]
    return [(section, said, told) for section, said, told in cells]


def page(text: str) -> str:
    """The page with the rows of its sections as the table has them."""
    return BEGIN.sub(
        lambda found: f"<!-- messages: {found[1]} -->\n{found[2]}{_rows(found[1])}",
        text,
    )


def _rows(section: str) -> str:
    return "".join(
        f"|{said}|{told}|\n" for one, said, told in rows() if one == section and told
    )


BEGINNING = " ..."
"""What ends a span that is how a message begins."""


def beginnings(spans: Iterable[str]) -> list[re.Pattern[str]]:
    """How messages begin, where a span says no more: capitals stand for a value."""
    begun = (one.removesuffix(BEGINNING) for one in spans if one.endswith(BEGINNING))
    return [
        re.compile(".+".join(map(re.escape, re.split(r"'?\b[A-Z_]+\b'?", one))))
        for one in begun
    ]


ANY = "\0"
MOST = 64
"""Texts that one expression may be, of which each is looked up."""

FEW = 8
SENTENCE = 3
"""Words of what is no mere name within a message."""

CARRIERS = {
    **dict.fromkeys(
        (
            "BadBody", "BadRequest", "BadTarget", "BodyTooLarge",
            "TooManyBodies", "ConfigError", "ConnectTimeout", "CrossSite",
            "HeadTooLarge", "RequestTooSlow", "TrioProxyError", "UpstreamError",
            "UpstreamLost", "UsageError", "_failure", "fail", "warn",
        ),
        0,
    ),
    "line": 1,
    "message": 1,
    "_error": 2,
}  # fmt: skip
"""What carries a message to people, and which of its arguments that is."""

KEYWORDS = {"message", "text"}
"""Fields of values that carry one: `Decision(message=...)`, `log.line(..., text=...)`."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Scope:
    """Where an expression stands."""

    source: "Source"
    function: Function | None


@dataclass
class Source:
    """A module, and what its names may be."""

    path: Path
    tree: ast.Module
    functions: dict[str, list[Function]] = field(default_factory=dict)
    calls: dict[str, list[tuple[ast.Call, Scope]]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> "Source":
        one = cls(path, ast.parse(path.read_text()))
        one._walk(one.tree, None)
        return one

    def _walk(self, node: ast.AST, function: Function | None) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, Function):
                self.functions.setdefault(child.name, []).append(child)
            if isinstance(child, ast.Call):
                name = name_of(child.func)
                self.calls.setdefault(name, []).append((child, Scope(self, function)))
            self._walk(child, child if isinstance(child, Function) else function)


def name_of(node: ast.expr) -> str:
    """The last name of what is called."""
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def assigned(nodes: Iterable[ast.AST], name: str) -> Iterator[ast.expr]:
    """All that a name is set to among some nodes."""
    for node in nodes:
        match node:
            case ast.Assign(targets=targets, value=value):
                if any(isinstance(o, ast.Name) and o.id == name for o in targets):
                    yield value
            case ast.AnnAssign(target=ast.Name(id=found), value=ast.expr() as value):
                if found == name:
                    yield value
            case ast.AugAssign(target=ast.Name(id=found), value=value):
                if found == name:
                    yield ast.BinOp(ast.Constant(ANY), ast.Add(), value)
            case ast.NamedExpr(target=ast.Name(id=found), value=value):
                if found == name:
                    yield value
            case _:
                pass


class Program:
    """All modules of the package."""

    def __init__(self, paths: Iterable[Path] = ()) -> None:
        """`paths`: other modules than those of the package."""
        paths = [*paths] or sorted((ROOT / "trioproxy").rglob("*.py"))
        self.sources = [Source.read(path) for path in paths]

    def messages(self) -> Iterator[tuple[str, str]]:
        """Each message with a `\\0` for what is not known, and where it is said."""
        for source in self.sources:
            for name, calls in source.calls.items():
                for call, scope in calls:
                    for node in carried(name, call):
                        where = f"{source.path.name}:{call.lineno}"
                        for text in self.texts(node, scope):
                            if text.replace(ANY, "").strip(": ") and "%(" not in text:
                                yield text, where

    @cached_property
    def constants(self) -> dict[str, list[tuple[ast.expr, Scope]]]:
        """What each name is set to outside of functions."""
        found = defaultdict[str, list[tuple[ast.expr, Scope]]](list)
        for source in self.sources:
            for body in (
                source.tree.body,
                *(n.body for n in source.tree.body if isinstance(n, ast.ClassDef)),
            ):
                for node in body:
                    for name in targets_of(node):
                        for value in assigned([node], name):
                            found[name].append((value, Scope(source, None)))
        return found

    def texts(
        self, node: ast.expr, scope: Scope, seen: frozenset[int] = frozenset()
    ) -> list[str]:
        """All that an expression may be, of the texts that stand in the program."""
        if id(node) in seen:
            return [ANY]
        return list(
            dict.fromkeys(islice(self._texts(node, scope, seen | {id(node)}), MOST))
        )

    def _texts(
        self, node: ast.expr, scope: Scope, seen: frozenset[int]
    ) -> Iterator[str]:
        match node:
            case ast.Constant(value=str() as text):
                yield text
            case ast.JoinedStr(values=values):
                parts = [self.texts(one, scope, seen) for one in values]
                yield from ("".join(one) for one in product(*parts))
            case ast.FormattedValue(value=value):
                # What is shown of a value is its own, but for texts of ours.
                yield from self._inner(value, scope, seen)
            case ast.IfExp() | ast.BoolOp():
                for one in branches(node):
                    yield from self.texts(one, scope, seen)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                both = (self.texts(left, scope, seen), self.texts(right, scope, seen))
                yield from ("".join(one) for one in product(*both))
            case ast.Name(id=name):
                yield from self._named(name, scope, seen)
            case ast.Attribute(attr=name):
                yield from self._constant(name, seen)
            case ast.Call(func=func):
                yield from self._returned(name_of(func), scope, seen)
            case _:
                yield ANY

    def _inner(
        self, value: ast.expr, scope: Scope, seen: frozenset[int]
    ) -> Iterator[str]:
        found = self.texts(value, scope, seen)
        for text in found if len(found) <= FEW else [ANY]:
            # A name or a kind is a value, for which the page has a word of its own.
            yield text if len(text.split()) >= SENTENCE else ANY

    def _named(self, name: str, scope: Scope, seen: frozenset[int]) -> Iterator[str]:
        function = scope.function
        if function is not None:
            values = list(assigned(ast.walk(function), name))
            for value in values:
                yield from self.texts(value, scope, seen)
            if values:
                return
            if name in parameters(function):
                yield from self._handed(function, name, scope, seen)
                return
        yield from self._constant(name, seen)

    def _constant(self, name: str, seen: frozenset[int]) -> Iterator[str]:
        values = self.constants.get(name, []) if name.isupper() else []
        for value, scope in values:
            yield from self.texts(value, scope, seen)
        if not values:
            yield ANY

    def _handed(
        self, function: Function, name: str, scope: Scope, seen: frozenset[int]
    ) -> Iterator[str]:
        """What callers in the same module give for a parameter."""
        calls = scope.source.calls.get(function.name, [])
        at = parameters(function).index(name)
        for call, where in calls:
            given = [one.value for one in call.keywords if one.arg == name]
            positional = call.args[at : at + 1]
            for one in given or positional:
                yield from self.texts(one, where, seen)
        if not calls:
            yield ANY

    def _returned(self, name: str, scope: Scope, seen: frozenset[int]) -> Iterator[str]:
        functions = scope.source.functions.get(name, [])
        for function in functions:
            inside = Scope(scope.source, function)
            for node in ast.walk(function):
                if isinstance(node, ast.Return) and node.value is not None:
                    yield from self.texts(node.value, inside, seen)
        if not functions:
            yield ANY


def branches(node: ast.IfExp | ast.BoolOp) -> list[ast.expr]:
    """What an expression is one of."""
    return node.values if isinstance(node, ast.BoolOp) else [node.body, node.orelse]


def targets_of(node: ast.stmt) -> list[str]:
    """The names that a statement sets."""
    targets = node.targets if isinstance(node, ast.Assign) else []
    if isinstance(node, ast.AnnAssign):
        targets = [node.target]
    return [one.id for one in targets if isinstance(one, ast.Name)]


def parameters(function: Function) -> list[str]:
    """The parameters, without `self`."""
    args = function.args
    names = [one.arg for one in (*args.posonlyargs, *args.args)]
    names = names[1:] if names[:1] in (["self"], ["cls"]) else names
    return [*names, *(one.arg for one in args.kwonlyargs)]


def carried(name: str, call: ast.Call) -> Iterator[ast.expr]:
    """What of a call is a message."""
    if name in CARRIERS:
        at = CARRIERS[name]
        yield from call.args[at : at + 1]
    for keyword in call.keywords:
        if keyword.arg in KEYWORDS:
            yield keyword.value
