"""Mutations of the code that decides, and whether the tests without an Engine notice them.

`python -m tests.mutate [--room api,limits] [--files trioproxy/judge/gate.py] [--count 100]
[--part 1/4] [--fast] [--green] [--seed TEXT]` picks places by chance, the same ones for the
same code. Each is changed in a copy of the tree, and the tests run there, those nearest to it
first and at last all of the rooms that decide, until one fails. What none notices has
*survived*: a test is missing, or the change is none. Of those that are none `EQUIVALENT` has
the reason.
"""

import argparse
import ast
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
ROOMS = {
    "api": ("trioproxy/api",),
    "limits": ("trioproxy/limits",),
    "judge": ("trioproxy/judge",),
    "file": ("trioproxy/file",),
    "proxy": ("trioproxy/proxy/resolve.py", "trioproxy/proxy/admission.py"),
}
DECIDING = ("api", "limits", "judge", "file")
COPIED = ("trioproxy", "tests", "learned", "examples", "docs", "pyproject.toml")
FAST = {
    "api": "reading nodes",
    "limits": "inspected limit objects marks proxy_socket",
    "file": "permissions",
    "judge": "gate admission of_objects of_nodes rules naming references fills resolve_names defaults shadow decisions",
    "proxy": "objects resolve reservations",
}
"""The tests that run behind those that have the file's name."""
ALL = tuple(f"tests/{room}" for room in DECIDING)
"""Those that run for what these do not notice, unless it shall be fast."""

EQUIVALENT = {
    (
        "trioproxy/limits/root.py",
        "continue  # nearly always, and none of them need be tried",
        "pass",
    ): "a short cut: the tree has all that is tried behind it, and none of that fits then",
}
"""By file, line of code and what becomes of it: why no test can notice that. At most five of
a sample of 100 are counted as such."""

OTHER = {
    ast.Eq: "!=", ast.NotEq: "==", ast.In: "not in", ast.NotIn: "in", ast.Is: "is not",
    ast.IsNot: "is", ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">",
    ast.And: " or ", ast.Or: " and ", ast.BitOr: "&", ast.BitAnd: "|", ast.Add: "-", ast.Sub: "+",
}  # fmt: skip
RESULTS = ("killed", "SURVIVED", "equivalent")
DROPPED = (ast.Raise, ast.Return, ast.Continue, ast.Break, ast.Assign, ast.Expr)


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """Another text in one place."""

    file: Path
    node: ast.expr | ast.stmt
    kind: str
    new: str

    @property
    def line(self) -> str:
        """The line of code in which it begins."""
        lines = self.file.read_text(encoding="utf-8").splitlines()
        return lines[self.node.lineno - 1].strip()

    def applied(self) -> bytes:
        """The whole file as it becomes."""
        node, text = self.node, self.file.read_bytes()
        lines = text.splitlines(keepends=True)
        first = sum(map(len, lines[: node.lineno - 1])) + node.col_offset
        last = sum(map(len, lines[: (node.end_lineno or 0) - 1]))
        last += node.end_col_offset or 0
        return text[:first] + self.new.encode() + text[last:]


def changes(node: ast.AST) -> Iterator[tuple[ast.expr | ast.stmt, str, str]]:
    """All that may become of a node: what of it is replaced, a word, and what by."""
    if isinstance(node, ast.If | ast.IfExp | ast.While):
        yield node.test, "negate", f"(not ({ast.unparse(node.test)}))"
    if isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
        for part in node.generators:
            yield from ((test, "drop filter", "True") for test in part.ifs)
    if isinstance(node, DROPPED):
        yields = isinstance(getattr(node, "value", None), ast.Yield | ast.YieldFrom)
        yield node, "drop", "yield from ()" if yields else "pass"
    if isinstance(node, ast.expr):
        yield from ((node, word, new) for word, new in other_values(node))


def other_values(node: ast.expr) -> Iterator[tuple[str, str]]:
    """What an expression may become as a whole."""
    text = ast.unparse
    match node:
        case ast.BoolOp(op=op, values=values):
            yield (
                "swap",
                f"({OTHER[type(op)].join(f'({text(one)})' for one in values)})",
            )
        case ast.BinOp(left=a, op=op, right=b) if type(op) in OTHER:
            yield "operator", f"(({text(a)}) {OTHER[type(op)]} ({text(b)}))"
        case ast.Compare(left=a, ops=[op], comparators=[b]):
            yield "compare", f"(({text(a)}) {OTHER[type(op)]} ({text(b)}))"
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield "drop not", f"({text(operand)})"
        case ast.Set():
            yield "empty", "set()"
        case ast.Constant(value=bool() as value):
            yield "flag", str(not value)
        case ast.Constant(value=int() as value):
            yield "off by one", str(value + 1)
        case ast.Constant(value=str() as value) if value:
            yield "empty text", "''"
        case _:
            pass


def left_out(tree: ast.Module) -> set[int]:
    """What decides nothing: texts for people, and types."""
    out: list[ast.AST | None] = []
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant()) | ast.JoinedStr():
                out.append(node)
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                out.append(node)
            case ast.AnnAssign() | ast.arg():
                out.append(node.annotation)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                out += [getattr(node, "returns", None), *node.decorator_list]
            case _:
                pass
    return {id(one) for part in out if part for one in ast.walk(part)}


def mutations(file: Path) -> Iterator[Mutation]:
    """All mutations of a file."""
    tree = ast.parse(file.read_bytes())
    out = left_out(tree)
    for node in ast.walk(tree):
        for part, kind, new in changes(node) if id(node) not in out else ():
            yield Mutation(file=file, node=part, kind=kind, new=new)


def sample(files: list[Path], count: int, seed: str) -> list[Mutation]:
    """Some mutations, the same for the same code; at most as many as there are."""
    found = [one for file in files for one in mutations(file)]
    seed = seed or sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    return random.Random(seed).sample(found, min(count, len(found)))


def stages_of(file: Path, *, is_fast: bool) -> Iterator[list[str]]:
    """The tests that run for a file, those nearest to it first."""
    near = _found(f"tests/{room}/test_{file.stem}*.py" for room in FAST)
    fast = _found(f"tests/{r}/test_{n}.py" for r in FAST for n in FAST[r].split())
    yield near
    yield [one for one in fast if one not in near]
    if not is_fast:
        yield [*ALL]


def _found(patterns: Iterable[str]) -> list[str]:
    paths = (path for one in patterns for path in sorted(ROOT.glob(one)))
    return list(dict.fromkeys(path.relative_to(ROOT).as_posix() for path in paths))


def is_noticed(tree: Path, tests: list[str], seconds: float = 900) -> bool:
    """Whether the tests fail in a tree; one that hangs has failed."""
    command = [sys.executable, "-m", "pytest", "-xq", "-p", "no:cacheprovider", *tests]
    try:
        ran = subprocess.run(command, cwd=tree, capture_output=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return True
    return ran.returncode != 0


def became(tree: Path, one: Mutation, *, is_fast: bool) -> str:
    """What became of a mutation, one of `RESULTS`."""
    name = one.file.relative_to(ROOT)
    if (name.as_posix(), one.line, one.new) in EQUIVALENT:
        return "equivalent"
    (tree / name).write_bytes(one.applied())
    stages = filter(None, stages_of(one.file, is_fast=is_fast))
    is_killed = any(is_noticed(tree, tests) for tests in stages)
    shutil.copy(one.file, tree / name)
    return "killed" if is_killed else "SURVIVED"


def main() -> None:
    """Mutate, test, and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--room", default=",".join(DECIDING))
    parser.add_argument("--files", default="", help="these alone, with commas between")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument(
        "--part", default="1/1", help="2/4: each fourth from the second on"
    )
    parser.add_argument("--fast", action="store_true", help="leave out the last stage")
    parser.add_argument("--green", action="store_true", help="the tests pass as it is")
    parser.add_argument("--seed", default="", help="another sample than the code's own")
    options = parser.parse_args()
    rooms = [name for room in options.room.split(",") for name in ROOMS[room]]
    names = options.files.split(",") if options.files else rooms
    paths = [ROOT / name for name in names]
    files = [f for p in paths for f in (sorted(p.rglob("*.py")) if p.is_dir() else [p])]
    first, parts = map(int, options.part.split("/"))
    tally = Counter[tuple[str, str]]()
    with TemporaryDirectory() as folder:
        tree = Path(folder)
        for name in COPIED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, tree / name)
        if not options.green and is_noticed(tree, [*ALL]):
            raise SystemExit("the tests fail as it is: run them first")
        for one in sample(files, options.count, options.seed)[first - 1 :: parts]:
            name = one.file.relative_to(ROOT).as_posix()
            result = became(tree, one, is_fast=options.fast)
            tally[name, result] += 1
            print(f"{result:10} {name}:{one.node.lineno} {one.kind}: {one.new}")
            print(f"           {one.line}", flush=True)
    for name in sorted({name for name, _ in tally}):
        each = (f"{tally[name, one]:4} {one}" for one in RESULTS)
        print(*each, f" {name}")
    for result in RESULTS:
        print(sum(n for one, n in tally.items() if one[1] == result), result)


if __name__ == "__main__":
    main()
