"""Values that are made anew for each head: frozen, as far as anybody checks."""

from trioproxy.api.target import Target


def test_a_value_is_what_its_fields_are() -> None:
    """Equal fields make equal values of one hash; the type checker refuses to set a field."""
    one, other = Target.parse(b"/info"), Target.parse(b"/info")
    assert one == other
    assert hash(one) == hash(other)
    one.path = "/version"  # type: ignore[misc]  # an unused ignore fails the lint step
    assert one != other
