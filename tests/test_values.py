"""Values that are made anew for each head: frozen, as far as anybody checks."""

from dataclasses import field

from trioproxy.api.target import Target
from trioproxy.values import value_class


def test_a_value_is_what_its_fields_are() -> None:
    """Equal fields make equal values of one hash; the type checker refuses to set a field."""
    one, other = Target.parse(b"/info"), Target.parse(b"/info")
    assert one == other
    assert hash(one) == hash(other)
    one.path = "/version"  # type: ignore[misc]  # an unused ignore fails the lint step
    assert one != other


@value_class
class Drawn:
    """A value, one field of which is nobody's to compare, and one nobody's to see."""

    name: str
    note: str = field(default="", compare=False)
    secret: str = field(default="", repr=False)
    colours: dict[str, str] = field(default_factory=dict, hash=False)


def test_a_field_may_stand_apart() -> None:
    """What is not compared is not hashed, what is not hashed is compared, and what is not to be
    shown is not."""
    one = Drawn(name="a", note="x", secret="b", colours={"c": "d"})
    other = Drawn(name="a", note="y", secret="b", colours={"c": "d"})
    assert (one, hash(one)) == (other, hash(other))
    assert one != Drawn(name="a", secret="b", colours={"c": "e"})
    assert one != Drawn(name="a", secret="c", colours={"c": "d"})
    assert repr(one) == "Drawn(name='a', note='x', colours={'c': 'd'})"
