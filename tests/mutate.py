"""Mutations of the code that decides, and whether the tests without an Engine notice them.

`python -m tests.mutate [--room api,limits] [--files trioproxy/judge/gate.py] [--count 100]
[--part 1/4] [--jobs 2] [--seed TEXT] [--map FILE]` picks places by chance, the same ones for
the same code. All tests run once first, to see that they pass and which lines each of them
runs. Then each place is changed in a copy of the tree, and the tests that run it run there,
those of its module first and then the quick ones, until one fails. What none notices has
*survived*: a test is missing, or the change is none. Of those that are none `EQUIVALENT` has
the reason.

A change of a function is tried in a fork of this process, which has collected all tests: one
that is noticed costs little more than the test which does. What is left, and all others, is
tested in a fork that loads what is ours anew. What is made when a module is imported, such as a
table, is run by those who run lines that mention it, or what is made of it, and by the files of
tests that do; and tests that start processes, or load changed modules, run for each change: they
are not seen through.
"""

import argparse
import ast
import multiprocessing
import os
import pickle
import random
import re
import resource
import shutil
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from types import CodeType
from typing import Any, Final, TypeVar

import coverage
import pytest

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
TESTS = tuple(f"tests/{room}" for room in DECIDING)
"""They have no Engine."""

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
Slot = TypeVar("Slot")
FORK: Final = multiprocessing.get_context("fork")
MOST_BYTES = 4 << 30
HANGS = 3600
"""Seconds by a clock, for what hangs without work, be the machine as busy as it likes."""
RESULTS = ("killed", "SURVIVED", "equivalent")
DROPPED = (ast.Raise, ast.Return, ast.Continue, ast.Break, ast.Assign, ast.Expr)


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """Another text in one place."""

    file: Path
    node: ast.expr | ast.stmt
    kind: str
    new: str
    lines: range
    """Those of its statement, without the statements in it: who runs it runs one of them."""
    function: tuple[str, ...] = ()
    """The function in whose body it is, behind its class if it has one; empty: in none."""

    @property
    def key(self) -> tuple[str, str, str]:
        """The file, the line of code, and what becomes of it."""
        return self.file.relative_to(ROOT).as_posix(), self.line, self.new

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
    """What decides nothing: texts for people, and what is for the type checker."""
    out: list[ast.AST | None] = []
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant()) | ast.JoinedStr():
                out.append(node)
            case ast.Expr(value=ast.Call(func=ast.Name(id="assert_never"))):
                out.append(node)
            case ast.keyword(arg="repr"):
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
    statements = [one for one in ast.walk(tree) if isinstance(one, ast.stmt)]
    for node in ast.walk(tree):
        for part, kind, new in changes(node) if id(node) not in out else ():
            yield Mutation(
                file=file,
                node=part,
                kind=kind,
                new=new,
                lines=lines(part, statements),
                function=function_around(part, tree.body),
            )


def function_around(
    node: ast.expr | ast.stmt, statements: list[ast.stmt]
) -> tuple[str, ...]:
    """The outermost function in whose body a node is, and its class."""
    for one in statements:
        if isinstance(one, ast.FunctionDef | ast.ClassDef):
            begins = one.body[0].lineno
            if begins <= node.lineno and (node.end_lineno or 0) <= (
                one.end_lineno or 0
            ):
                if isinstance(one, ast.FunctionDef):
                    return (one.name,)
                inner = function_around(node, one.body)
                return (one.name, *inner) if inner else ()
    return ()


def lines(node: ast.expr | ast.stmt, statements: list[ast.stmt]) -> range:
    """The lines of the innermost statement around a node, without those in its body."""
    around = max(
        (
            one
            for one in statements
            if one.lineno <= node.lineno <= (one.end_lineno or 0)
        ),
        key=lambda one: one.lineno,
    )
    match around:
        case ast.Match():
            return range(around.lineno, (around.end_lineno or 0) + 1)
        case _:
            body = getattr(around, "body", None)
            end = body[0].lineno if body else (around.end_lineno or 0) + 1
            return range(around.lineno, max(end, around.lineno + 1))


def values_of(one: Mutation) -> set[str]:
    """What an import makes by a place, or makes of that, by full names.

    A constant of it, and others that are made with that or by functions that go by it, and
    so on. What mentions none of them does not depend on it.
    """
    own = next(module for module in package() if module.file == one.file)
    made = next(
        made for first, made, *_ in reversed(own.statements) if first <= one.node.lineno
    )
    values, going_by, size = set(made), set[str](), -1
    while size < len(values) + len(going_by):
        size = len(values) + len(going_by)
        for module in package():
            for _, names, mentioned, is_code in module.statements:
                if not mentioned.isdisjoint(values | going_by):
                    (going_by if is_code else values).update(names)
    return values


def lines_with(
    values: set[str], modules: Iterable["Module"]
) -> Iterator[tuple[str, int]]:
    """The lines that mention some values."""
    for module in modules:
        words = module.words_for(values)
        for number, line in enumerate(module.lines if words else (), 1):
            if not words.isdisjoint(re.findall(r"\w+", line)):
                yield module.file.relative_to(ROOT).as_posix(), number


class Module:
    """A module, and what its statements name and mention, by their full names."""

    def __init__(self, file: Path) -> None:
        """Read it."""
        text = file.read_text(encoding="utf-8")
        tree = ast.parse(text)
        name = ".".join(file.relative_to(ROOT).with_suffix("").parts)
        self.file, self.lines = file, text.splitlines()
        self.meant = {
            alias.asname or alias.name: f"{one.module}.{alias.name}"
            for one in ast.walk(tree)
            if isinstance(one, ast.ImportFrom)
            for alias in one.names
        }
        for one in tree.body:
            self.meant |= {made: f"{name}.{made}" for made in names_made(one)}
        self.statements = [
            (
                one.lineno,
                {self.meant[made] for made in names_made(one)},
                self.mentioned_in(one),
                isinstance(one, ast.FunctionDef | ast.ClassDef),
            )
            for one in tree.body
        ]

    def mentioned_in(self, statement: ast.stmt) -> set[str]:
        """What a statement mentions: by its name, or as `module.name`."""
        found = set[str]()
        for one in ast.walk(statement):
            match one:
                case ast.Name(id=name):
                    found.add(self.meant.get(name, ""))
                case ast.Attribute(value=ast.Name(id=name), attr=attr):
                    found.add(f"{self.meant.get(name, '')}.{attr}")
                case _:
                    pass
        return found

    def words_for(self, values: set[str]) -> set[str]:
        """How it calls some values, if it does."""
        modules = set(self.meant.values())
        words = {word for word, meant in self.meant.items() if meant in values}
        split = (value.rpartition(".") for value in values)
        return words | {word for module, _, word in split if module in modules}


@cache
def package() -> tuple[Module, ...]:
    """All modules."""
    return tuple(map(Module, sorted((ROOT / "trioproxy").rglob("*.py"))))


@cache
def files_of_tests() -> tuple[Module, ...]:
    """All files of tests."""
    return tuple(
        Module(path)
        for one in TESTS
        for path in sorted((ROOT / one).rglob("test_*.py"))
    )


def names_made(statement: ast.stmt) -> set[str]:
    """What a statement of a module gives a name."""
    match statement:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case ast.Assign(targets=targets):
            return {
                one.id
                for target in targets
                for one in ast.walk(target)
                if isinstance(one, ast.Name)
            }
        case ast.AnnAssign(target=ast.Name(id=name)):
            return {name}
        case _:
            return set()


def sample(files: list[Path], count: int, seed: str) -> list[Mutation]:
    """Some mutations, the same for the same code; at most as many as there are."""
    found = [one for file in files for one in mutations(file)]
    seed = seed or sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    return random.Random(seed).sample(found, min(count, len(found)))


@dataclass(kw_only=True)
class Seen:
    """Which tests run a line, and how long each takes."""

    by_line: dict[tuple[str, int], set[str]] = field(
        default_factory=lambda: defaultdict(set)
    )
    """By file and line. The empty name is for what runs at import, and a file's name for
    what all of its tests share."""
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    starting: set[str] = field(default_factory=set)
    """Those that start processes, or load modules that they changed: what runs there is not
    seen."""

    def tests_of(self, one: Mutation) -> list[list[str]]:
        """The tests that run for it, file by file: of its module first, then the quick ones."""
        name = one.file.relative_to(ROOT).as_posix()
        found = self._running((name, n) for n in one.lines)
        if "" in found:
            quickest = min(
                self.seconds, key=self.seconds.__getitem__
            )  # does it import?
            values = values_of(one)
            lines = lines_with(values, package())
            files = (file for file, _ in lines_with(values, files_of_tests()))
            found = {quickest, *self._running(lines), *files}
        found |= self.starting
        by_file = defaultdict[str, list[str]](list)
        for test in sorted(self.seconds, key=self.seconds.__getitem__):
            file = test.partition("::")[0]
            if test in found or file in found:
                by_file[file].append(test)
        stem = f"/test_{one.file.stem}"
        return sorted(
            by_file.values(),
            key=lambda tests: (
                stem not in tests[0],
                sum(self.seconds[test] for test in tests),
            ),
        )

    def _running(self, lines: Iterable[tuple[str, int]]) -> set[str]:
        """The tests that run any of these lines."""
        return set[str]().union(*(self.by_line.get(line, ()) for line in lines))


def function_of(item: pytest.Item) -> str:
    """The function of an item."""
    return item.nodeid.partition("[")[0]


class Watching:
    """A plugin for pytest that fills `Seen`."""

    def __init__(self, tree: Path, seen: Seen) -> None:
        """For the tree in which the tests run."""
        self.tree, self.seen, self.context = tree, seen, ""
        source = [str(tree / "trioproxy")]
        self.coverage = coverage.Coverage(None, config_file=False, source=source)
        sys.addaudithook(self.hear)

    def hear(self, event: str, given: tuple[object, ...]) -> None:
        """Note who starts a process, or runs a module that it changed."""
        known = "<", str(self.tree), sys.prefix, sys.base_prefix
        name = getattr(given[0], "co_filename", "<") if event == "exec" else "<"
        if event == "subprocess.Popen" or not name.startswith(known):
            self.seen.starting.add(self.context)

    def switch(self, context: str) -> str:
        """What runs from now on belongs to this one; what it belonged to before."""
        before, self.context = self.context, context
        if before != context:
            self.coverage.switch_context(context)
        return before

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """A test. What others had remembered is forgotten, or it would not be run again."""
        if self.switch(function_of(item)) != self.context:
            forget()
        begin = time.process_time()
        result = yield
        self.seen.seconds[function_of(item)] += time.process_time() - begin
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[object]
    ) -> Iterator[None]:
        """What is made once for many tests belongs to all of the file."""
        shared = self.context.partition("::")[0]
        before = self.switch(self.context if fixturedef.scope == "function" else shared)
        result = yield
        self.switch(before)
        return result

    def finish(self) -> None:
        """Read what was measured."""
        self.coverage.stop()
        data = self.coverage.get_data()
        for path in data.measured_files():
            name = Path(path).relative_to(self.tree).as_posix()
            for line, contexts in data.contexts_by_lineno(path).items():
                self.seen.by_line[name, line] = set(contexts)


def forget() -> None:
    """Forget what functions of ours remember."""
    for name, module in [*sys.modules.items()]:
        if name.startswith("trioproxy"):
            for one in vars(module).values():
                if isinstance(one, _CACHED):
                    one.cache_clear()


_CACHED: Final = type(cache(len))


class Choosing:
    """A plugin for pytest that runs some tests of the files, in their order."""

    def __init__(self, tests: list[str]) -> None:
        """Those."""
        self.places = {test: place for place, test in enumerate(tests)}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave out the others."""
        items[:] = sorted(
            (item for item in items if function_of(item) in self.places),
            key=lambda item: self.places[function_of(item)],
        )


def enter(tree: Path, *, log: Path | None = None) -> None:
    """Be a process that has loaded nothing of ours, and loads it from there."""
    os.chdir(tree)
    be_silent(log)
    sys.path[:] = [str(tree), *(p for p in sys.path if Path(p).resolve() != ROOT)]
    for name in [*sys.modules]:
        if name.partition(".")[0] in {"tests", "trioproxy"}:
            del sys.modules[name]


def be_silent(log: Path | None = None) -> None:
    """Write nothing from now on, or there."""
    out = os.open(log or os.devnull, os.O_WRONLY | os.O_CREAT)
    os.dup2(out, 1)
    os.dup2(out, 2)


def run(paths: list[str], *plugins: object) -> int:
    """The status of pytest."""
    return int(pytest.main(["-xq", "-p", "no:cacheprovider", *paths], plugins))


def look(tree: Path, files: list[str], to: Path) -> None:
    """Run these tests, and write what they were seen to do there."""
    enter(tree, log=to.with_suffix(".log"))
    seen = Seen()
    watching = Watching(tree, seen)
    watching.coverage.start()
    status = run(files, watching)
    watching.finish()
    to.write_bytes(
        pickle.dumps((dict(seen.by_line), dict(seen.seconds), seen.starting))
    )
    sys.exit(status)


def looked(trees: list[Path], to: Path) -> Seen:
    """The same of all tests, by a process for each tree; unless it is there already."""
    files = [module.file.relative_to(ROOT).as_posix() for module in files_of_tests()]
    shares = {to.with_name(f"{to.name}{n}"): n for n in range(len(trees))}
    started = [
        FORK.Process(target=look, args=(trees[n], files[n :: len(trees)], share))
        for share, n in shares.items()
        if not share.exists()
    ]
    for process in started:
        process.start()
    for process in started:
        process.join()
    if any(process.exitcode for process in started):
        logs = (share.with_suffix(".log").read_text() for share in shares)
        raise SystemExit("\n".join(("the tests fail as it is:", *logs)))
    seen = Seen()
    for share in shares:
        by_line, seconds, starting = pickle.loads(share.read_bytes())
        seen.seconds.update(seconds)
        seen.starting |= starting
        for line, tests in by_line.items():
            seen.by_line[line] |= tests
    return seen


def notice(tree: Path, stages: list[list[str]], seen: Seen) -> None:
    """Whether the tests notice: the status of this process. Who hangs has noticed."""
    enter(tree)
    for tests in stages:
        spend(seen, tests)
        if run([tests[0].partition("::")[0]], Choosing(tests)):
            sys.exit(1)


class Trying:
    """A plugin for pytest that tries changes of functions, each in a fork, in place of the tests.

    There all is loaded and collected, so that a change which is noticed costs no more than the
    test that does. What an import makes it still has as it was: who survives here may not, anew.
    """

    def __init__(self, found: list[Mutation], seen: Seen, jobs: int) -> None:
        """To be tried, so many at once."""
        self.found, self.seen, self.jobs = found, seen, jobs
        self.killed = set[int]()

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Try them."""
        items = defaultdict[str, list[pytest.Item]](list)
        for item in session.items:
            items[function_of(item)].append(item)
        self.killed = {
            id(one)
            for one, status, _ in at_once(
                [one for one in self.found if one.function],
                [*range(self.jobs)],
                lambda one, _: FORK.Process(
                    target=self._try, args=(session, one, items)
                ),
            )
            if status
        }
        return True

    def _try(
        self,
        session: pytest.Session,
        one: Mutation,
        items: dict[str, list[pytest.Item]],
    ) -> None:
        be_silent()
        forget()
        try:
            put_in(one)
        except (LookupError, StopIteration, ValueError):
            return  # it is no function's alone: it is tested anew
        new = [test for test in items if test not in self.seen.seconds]
        tests = [*new, *(test for stage in self.seen.tests_of(one) for test in stage)]
        chosen = [item for test in tests for item in items.get(test, ())]
        spend(self.seen, tests)
        for item, following in zip(chosen, [*chosen[1:], None], strict=True):
            session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.testsfailed:
                sys.exit(1)


def put_in(one: Mutation) -> None:
    """Have a function that is loaded do what is changed."""
    name = ".".join(one.file.relative_to(ROOT).with_suffix("").parts)
    code = compile(one.applied(), one.file, "exec")
    found: Any = sys.modules[name]
    for part in one.function:
        code = next(
            each
            for each in code.co_consts
            if isinstance(each, CodeType) and each.co_name == part
        )
        found = vars(found)[part]
    for inner in ("fget", "func", "__func__", "__wrapped__"):
        found = getattr(found, inner, found)
    found.__code__ = code


def spend(seen: Seen, tests: list[str]) -> None:
    """From now on this process may work so long as these tests may take."""
    usual = sum(seen.seconds.get(test, 1) for test in tests)
    seconds = round(time.process_time() + 10 + 5 * usual)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    signal.alarm(HANGS)


def at_once(
    todo: list[Mutation],
    slots: list[Slot],
    start: Callable[[Mutation, Slot], ForkProcess],
) -> Iterator[tuple[Mutation, int, Slot]]:
    """The status of a process for each, as many of them at once as there are slots."""
    running = list[tuple[ForkProcess, Mutation, Slot]]()
    todo, free = [*todo], [*slots]
    while todo or running:
        while todo and free:
            one, slot = todo.pop(0), free.pop()
            process = start(one, slot)
            process.start()
            running.append((process, one, slot))
        wait([process.sentinel for process, *_ in running])
        for each in [each for each in running if each[0].exitcode is not None]:
            process, one, slot = each
            running.remove(each)
            free.append(slot)
            yield one, process.exitcode or 0, slot


def results(
    found: list[Mutation], seen: Seen, trees: list[Path]
) -> Iterator[tuple[Mutation, str]]:
    """What became of each, one of `RESULTS`; as many at once as there are trees."""
    tried = [one for one in found if one.key not in EQUIVALENT]
    yield from ((one, "equivalent") for one in found if one.key in EQUIVALENT)
    trying = Trying(tried, seen, len(trees))
    with silent():
        run([*TESTS], trying)
    yield from ((one, "killed") for one in tried if id(one) in trying.killed)

    def start(one: Mutation, tree: Path) -> ForkProcess:
        (tree / one.key[0]).write_bytes(one.applied())
        return FORK.Process(target=notice, args=(tree, seen.tests_of(one), seen))

    left = [one for one in tried if id(one) not in trying.killed]
    for one, status, tree in at_once(left, trees, start):
        shutil.copy(one.file, tree / one.key[0])
        yield one, "killed" if status else "SURVIVED"


@contextmanager
def silent() -> Iterator[None]:
    """Say nothing meanwhile, whoever does."""
    kept = os.dup(1), os.dup(2)
    sys.stdout.flush()
    be_silent()
    yield
    for number, one in zip((1, 2), kept, strict=True):
        os.dup2(one, number)
        os.close(one)


def copied(tree: Path) -> Path:
    """A tree with what the tests need."""
    tree.mkdir()
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tree / name)
    return tree


def main() -> None:
    """Mutate, test, and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--room", default=",".join(DECIDING))
    parser.add_argument("--files", default="", help="these alone, with commas between")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument(
        "--part", default="1/1", help="2/4: each fourth from the second on"
    )
    parser.add_argument("--jobs", type=int, default=1, help="how many at once")
    parser.add_argument("--seed", default="", help="another sample than the code's own")
    parser.add_argument("--map", default="", help="where what runs what is kept")
    options = parser.parse_args()
    rooms = [name for room in options.room.split(",") for name in ROOMS[room]]
    names = options.files.split(",") if options.files else rooms
    paths = [ROOT / name for name in names]
    files = [f for p in paths for f in (sorted(p.rglob("*.py")) if p.is_dir() else [p])]
    first, parts = map(int, options.part.split("/"))
    found = sample(files, options.count, options.seed)[first - 1 :: parts]
    tally = Counter[tuple[str, str]]()
    with TemporaryDirectory() as folder:
        os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = f"{folder}/hypothesis"
        trees = [copied(Path(folder) / str(n)) for n in range(options.jobs)]
        seen = looked(trees, Path(options.map or f"{folder}/map"))
        for one, result in results(found, seen, trees):
            name = one.key[0]
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
