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


def test_the_tests_that_are_nearest_come_first() -> None:
    """A file's own tests, then those of all that decides; each of them is there."""
    file = mutate.ROOT / "trioproxy" / "judge" / "rules.py"
    found = mutate.tests_of(file)
    assert found[0] == "tests/judge/test_rules.py"
    for room, names in mutate.FAST.items():
        for name in names.split():
            assert (mutate.ROOT / "tests" / room / f"test_{name}.py").is_file()
