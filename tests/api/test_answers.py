"""The table of answers: which are narrowed, and by what."""

from trioproxy.api.answers import ANSWERS, NARROWED, Shape, Tells
from trioproxy.api.families import Kind
from trioproxy.api.routes import OPERATIONS, Effect


def test_what_shows_everybodys_objects_is_narrowed() -> None:
    """Each operation that shows objects has a row which says what they are."""
    showing = {name for name, rows in OPERATIONS.items() if rows[0].shows_all}
    assert showing == NARROWED
    assert all(ANSWERS[name].kinds for name in showing)


def test_rows_are_of_reading_operations() -> None:
    """An answer that is judged can be asked for again: it is no creation's."""
    for name, answer in ANSWERS.items():
        is_read = all(one.effect is Effect.READ for one in OPERATIONS[name])
        assert is_read or name not in NARROWED
        assert (answer.shape is Shape.LISTS) == ("" not in answer.parts)


def test_events_tell_of_all_kinds() -> None:
    """An event may be of a container, a network or a volume."""
    kinds = {Kind.CONTAINER, Kind.NETWORK, Kind.VOLUME}
    assert ANSWERS["SystemEvents"].kinds == kinds
    assert ANSWERS["VolumeList"].parts == {
        "Volumes": Tells.VOLUME,
        "Warnings": Tells.NOBODY,
    }
