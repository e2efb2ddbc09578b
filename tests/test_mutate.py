"""Mutations: they are programs that differ in one place, the same ones each time."""

import ast

import pytest

from tests import mutate

FILES = [mutate.ROOT / one for one in mutate.ROOMS["proxy"]]
SAMPLE = mutate.sample(FILES, 30, "")


@pytest.mark.parametrize("one", SAMPLE, ids=range(len(SAMPLE)))
def test_a_mutation_is_a_program(one: mutate.Mutation) -> None:
    """It can be read, and says something else."""
    mutated = ast.dump(ast.parse(one.applied()))
    assert mutated != ast.dump(ast.parse(one.file.read_bytes()))


def test_a_sample_follows_from_the_code() -> None:
    """Whoever runs it again gets the same places, or with a seed others."""
    places = [
        [(one.file, one.node.lineno, one.new) for one in found]
        for found in (
            SAMPLE,
            mutate.sample(FILES, 30, ""),
            mutate.sample(FILES, 30, "x"),
        )
    ]
    assert places[0] == places[1] != places[2]
    assert len(mutate.sample(FILES, 10**6, "x")) == sum(
        1 for file in FILES for _ in mutate.mutations(file)
    )


CODE = '''
if TYPE_CHECKING:
    import x
def decides(a: "A", b: bool = False) -> "R":
    """Text."""
    if not a or a.b in {1}:
        raise Bad(f"no {a}")
    return [one for one in a if one > 2]
'''


def test_what_is_mutated() -> None:
    """Conditions, operators, statements, filters and constants; no texts and no types."""
    names = {
        one[1] for node in ast.walk(ast.parse(CODE)) for one in mutate.changes(node)
    }
    assert names == {"negate", "swap", "drop not", "compare", "empty", "flag", "off by one",
                     "drop", "drop filter", "empty text"}  # fmt: skip
    tree = ast.parse(CODE)
    out = mutate.left_out(tree)
    left = [node for node in ast.walk(tree) if id(node) not in out]
    kinds = {one[1] for node in left for one in mutate.changes(node)}
    assert kinds == names - {"empty text"}


@pytest.mark.parametrize("one", mutate.EQUIVALENT, ids=str)
def test_what_is_equivalent_is_there(one: tuple[str, str, str]) -> None:
    """A reason is for a mutation of the code as it is, and goes with it."""
    file, line, new = one
    found = mutate.mutations(mutate.ROOT / file)
    assert (line, new) in {(each.line, each.new) for each in found}
    assert mutate.EQUIVALENT[one]


def test_every_room_has_files() -> None:
    """What is mutated without a word are the rooms that decide, and each is there."""
    assert set(mutate.DECIDING) < mutate.ROOMS.keys()
    for names in mutate.ROOMS.values():
        assert all((mutate.ROOT / name).exists() for name in names)


RULES = mutate.ROOT / "trioproxy" / "judge" / "rules.py"
FEW = "tests/judge/test_rules.py::test_own", "tests/a.py::test_quick", "tests/a.py::test_slow", "tests/b.py::test_of_a_shared_fixture", "tests/c.py::test_that_starts", "tests/d.py::test_other"  # fmt: skip


def test_the_tests_that_run_a_line_run_for_it() -> None:
    """File by file, first those of its module, then the quick ones, and whoever starts processes."""
    own, quick, slow, shared, starts, other = FEW
    one = next(one for one in mutate.mutations(RULES) if one.line == "if row is not None and endpoint is not None:")  # fmt: skip
    seen = mutate.Seen(starting={starts})
    seen.seconds.update({slow: 9, own: 50, quick: 1, shared: 2, starts: 3, other: 0})
    seen.by_line[one.key[0], one.lines[0]] = {own, quick, slow, "tests/b.py"}
    assert seen.tests_of(one) == [[own], [shared], [starts], [quick, slow]]


def test_what_an_import_makes_is_run_by_who_mentions_it() -> None:
    """Or mentions what is made of it, and by one test at least: it may not load."""
    own, quick, slow, *_, other = FEW
    one = next(one for one in mutate.mutations(RULES) if one.line.startswith("_CHECKPOINTS = "))  # fmt: skip
    name = one.key[0]
    lines = [*enumerate(RULES.read_text().splitlines(), 1)]
    mentions = next(n for n, line in lines if "key in _CHECKPOINTS" in line)
    elsewhere = next(n for n, line in lines if line.startswith("def _telling_more"))
    seen = mutate.Seen()
    seen.seconds.update({slow: 9, own: 50, quick: 1, other: 0})
    seen.by_line[name, one.lines[0]] = {""}
    seen.by_line[name, mentions] = {own, slow}
    seen.by_line[name, elsewhere] = {quick}
    assert seen.tests_of(one) == [[own], [other], [slow]]
    made = next(
        one for one in mutate.mutations(RULES) if one.line.startswith("READING = ")
    )
    values = mutate.values_of(made)
    found = {*mutate.lines_with(values, mutate.package())}
    assert ("trioproxy/file/incumbents.py", 0) not in found
    assert any(name == "trioproxy/file/incumbents.py" for name, _ in found)
    files = {file for file, _ in mutate.lines_with(values, mutate.files_of_tests())}
    assert "tests/file/test_incumbents.py" in files
    assert "tests/api/test_timestamps.py" not in files


BLOCKS = """
def decides(a):
    if (a and
            b):
        return [
            1,
        ]
    match a:
        case 2 if c > 3:
            pass
"""


def test_a_mutation_is_run_by_the_lines_of_its_statement() -> None:
    """Without those in it: who runs a condition may not run what stands behind it."""
    tree = ast.parse(BLOCKS)
    statements = [one for one in ast.walk(tree) if isinstance(one, ast.stmt)]
    found = {
        ast.unparse(one): mutate.lines(one, statements)
        for one in ast.walk(tree)
        if isinstance(one, ast.Constant | ast.BoolOp)
    }
    assert found == {
        "a and b": range(3, 5),
        "1": range(5, 8),
        "2": range(8, 11),
        "3": range(8, 11),
    }
