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


def test_the_tests_that_are_nearest_come_first() -> None:
    """A file's own tests, then those of all that decides; each of them is there."""
    file = mutate.ROOT / "trioproxy" / "judge" / "rules.py"
    near, fast, rest = mutate.stages_of(file, is_fast=False)
    assert near[0] == "tests/judge/test_rules.py"
    assert near[0] not in fast
    assert rest == [*mutate.ALL]
    assert [near, fast] == [*mutate.stages_of(file, is_fast=True)]
    for room, names in mutate.FAST.items():
        for name in names.split():
            assert (mutate.ROOT / "tests" / room / f"test_{name}.py").is_file()
