"""What long lists cost: counted in calls of functions, which no machine makes faster."""

from collections.abc import Callable
from cProfile import Profile

import pytest

from tests.cost import KINDS, Kind
from tests.depth import IS_DEEP
from tests.review.given import file
from trioproxy.api.families import OBJECTS
from trioproxy.file.permissions import parse_policy_file
from trioproxy.review.attacking import try_all, words_of
from trioproxy.review.compare import compare
from trioproxy.review.page import Record, page

RUN = "ContainerCreate,ContainerLogs,ContainerStart,ContainerWait"
FEW, MORE = 30, 120
SOME = ("all", "one-folder", "nested", "one-image", "names", "labels")
MOST = 1.25
"""How much more work an item may be in a list that is four times as long."""


def calls(function: Callable[[], object]) -> int:
    """How many functions are called meanwhile, those of C among them."""
    counting = Profile(builtins=True)
    counting.runcall(function)
    return sum(one.callcount for one in counting.getstats())


def shown(kind: Kind, numbers: range) -> object:
    """The page of a file beside its twin and beside what really happens."""
    part = len(numbers) // 10
    twins = range(numbers.start + part, numbers.stop + part)
    learned = Record(path="app.jsonl", digest="", evidence=kind.evidence(numbers))
    live = Record(path="live.jsonl", digest="", evidence=kind.evidence(twins))
    old = file(kind.file(twins))
    return page(file(kind.file(numbers)), learned, old=old, live=live)


def compared(kind: Kind, numbers: range) -> object:
    """The difference from a file of which each item is within one of these."""
    old, _ = parse_policy_file(kind.file(numbers), name="app.env")
    new, _ = parse_policy_file(kind.file(numbers, narrow=True), name="narrow.env")
    found = compare(old, new)
    assert not found.more
    assert found.less
    return found


@pytest.mark.slow
@pytest.mark.deep
@pytest.mark.parametrize("kind", KINDS if IS_DEEP else SOME)
@pytest.mark.parametrize("done", [shown, compared])
def test_work_grows_with_the_list_and_not_with_its_square(
    kind: str, done: Callable[[Kind, range], object]
) -> None:
    """Four times the items, all other ones, are not much more than four times the work."""
    done(KINDS[kind], range(10))  # what is made once is there
    # What is made for each list of objects would hide it in few: there are three.
    times = 4 if KINDS[kind][0].variable in OBJECTS else 1
    few = calls(lambda: done(KINDS[kind], range(1_000, 1_000 + times * FEW)))
    more = calls(lambda: done(KINDS[kind], range(2_000, 2_000 + times * MORE)))
    assert more / few < MOST * MORE / FEW


def test_what_a_list_holds_is_read_once_for_all_attacks() -> None:
    """And once for each change that is tried: not for each of a hundred attacks."""
    few, many = (
        file(f"ALLOW_OPERATIONS={RUN}\nCREATE_BINDS={','.join(binds)}\n")
        for binds in (["/srv/a/*"], [f"/srv/{number}/*" for number in range(100)])
    )
    words_of(many.policy)  # which places are root is known then
    read = calls(lambda: words_of(many.policy))
    less = calls(lambda: try_all(few.variables, few.policy))
    assert calls(lambda: try_all(many.variables, many.policy)) - less < 30 * read
