"""The picture of who asks for what: everything in its frame, and nothing left out."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioproxy.api.routes import OPERATIONS
from trioproxy.review.picture import (
    NARROW,
    OTHERS,
    PROGRAMS_DRAWN,
    THICKEST,
    WIDE,
    Use,
    bar,
    dots,
    draw,
    thickness,
)

names = st.sampled_from(sorted(OPERATIONS))
# One that calls itself so is put together with those that have no room.
programs = st.text(min_size=1, max_size=70).filter(lambda name: name != OTHERS)


@st.composite
def use(draw_one: st.DrawFn) -> Use:
    endpoint = OPERATIONS[draw_one(names)][0]
    return Use(
        operation=endpoint.operation,
        section=endpoint.section,
        level=str(endpoint.risk),
        count=draw_one(st.integers(1, 10**9)),
        askers=tuple(draw_one(st.sets(programs, min_size=1, max_size=12))),
    )


uses = st.lists(use(), min_size=1, max_size=30, unique_by=lambda one: one.operation)


@given(uses=uses, frame=st.sampled_from([WIDE, NARROW]))
def test_all_is_drawn_within_the_frame(uses: list[Use], frame: object) -> None:
    """Each operation has its box with its count, and no box or bar leaves the picture."""
    assert frame is WIDE or frame is NARROW
    text = draw(uses, frame).text
    view = re.search(r'viewBox="0 0 (\d+) ([\d.]+)"', text)
    assert view
    width, height = float(view[1]), float(view[2])
    rects = re.findall(r'x="([\d.]+)" y="([\d.-]+)" width="([\d.]+)" height="([\d.]+)"', text)  # fmt: skip
    for x, y, wide, high in (map(float, one) for one in rects):
        assert x + wide <= width
        assert y >= 0
        assert y + high <= height + 0.2
    assert text.count('class="box ') == len(uses)
    for one in uses:
        assert f">{one.count}</text>" in text
    bars = text.count('class="bar"') - len({one.section for one in uses}) * (frame is WIDE)  # fmt: skip
    wanted = {name for one in uses for name in one.askers}
    assert bars == min(len(wanted), PROGRAMS_DRAWN + 1)


def test_programs_without_room_are_put_together() -> None:
    """The programs of the least use become one, which is called others."""
    rows = [
        Use(
            operation=f"Operation{at:02}",
            section="SYSTEM",
            level="low",
            count=100 - at,
            askers=(f"program{at:02}",),
        )
        for at in range(PROGRAMS_DRAWN + 3)
    ]
    text = draw(rows, WIDE).text
    assert "program00" in text
    assert f">{OTHERS}</text>" in text
    assert f"program{PROGRAMS_DRAWN:02}<" not in text


@given(one=st.integers(1, 10**12), more=st.integers(1, 10**12))
def test_more_use_is_never_thinner(one: int, more: int) -> None:
    """A band grows with the count, and never beyond its row."""
    assert thickness(one) <= thickness(one + more) <= THICKEST


@pytest.mark.parametrize(
    ("uses", "label"),
    [
        pytest.param([1, 0, 3], "in 2 of the newest 3 runs", id="some"),
        pytest.param([1], "in the one run", id="one"),
        pytest.param([0], "not in the one run", id="none"),
    ],
)
def test_dots_say_what_they_show(uses: list[int], label: str) -> None:
    """A strip has a dot for each run, and says in words in how many it was used."""
    text = dots(uses, [False] * len(uses)).text
    assert f'aria-label="{label}"' in text
    assert text.count("<circle") == len(uses)
    assert text.count('class="full"') == sum(map(bool, uses))


def test_a_failed_run_is_a_square() -> None:
    """Of a run that failed the mark has another form, and not another colour alone."""
    text = dots([1, 1], [False, True]).text
    assert (text.count("<circle"), text.count("<rect")) == (1, 1)


def test_a_bar_of_nothing() -> None:
    """A bar whose parts are all 0 is empty; else the parts fill it."""
    assert 'width="0.00%"' in bar([("used", 0)]).text
    found = re.findall(r'width="([\d.]+)%"', bar([("used", 1), ("beyond", 3)]).text)
    assert found == ["25.00", "75.00"]
