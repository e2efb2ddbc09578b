"""What one policy grants more or less than another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioproxy.policy import samples
from trioproxy.policy.endpoints import SECTIONS
from trioproxy.policy.permissions import parse_policy
from trioproxy.policy.rules import Policy
from trioproxy.review.compare import Grant, compare

NAMES = sorted({request.operation for request in samples.of_table()})


def policy(**variables: str) -> Policy:
    """A policy of variables."""
    return parse_policy(variables)[0]


def exact(*names: str) -> Policy:
    """A policy of a list."""
    return policy(ALLOW_OPERATIONS=",".join(names))


def names(grants: tuple[Grant, ...]) -> set[str]:
    """What is granted, by name."""
    return {grant.name for grant in grants}


@given(st.sets(st.sampled_from(NAMES)), st.sets(st.sampled_from(NAMES)))
def test_lists_differ_by_their_names(old: set[str], new: set[str]) -> None:
    """Between two lists the difference is what one of them names alone."""
    # GET of these routes allows the HEAD that has a name of its own.
    heads = {"SystemPing": "SystemPingHead", "ContainerArchive": "ContainerArchiveInfo"}
    before = old | {heads[name] for name in old & heads.keys()}
    after = new | {heads[name] for name in new & heads.keys()}
    found = compare(exact(*old), exact(*new))
    assert names(found.more) == after - before
    assert names(found.less) == before - after


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_is_more_than_its_operations(section: str) -> None:
    """A section opens the routes of newer engines too, and that is a difference."""
    opened = policy(**{section: "1", "POST": "1"})
    # A list allows OPTIONS on every path, a section below its own only.
    listed = opened.opened_operations - {"SystemOptions"}
    found = compare(exact(*listed), opened)
    kinds = {
        method for method in ("GET", "POST") if samples.of_unknown(method, section)
    }
    wanted = {"GET": "reading", "POST": "writing"}
    grants = {f"unknown {wanted[kind]} routes in {section}" for kind in kinds}
    assert grants <= names(found.more)
    assert found.less == ()


def test_routes_by_hand_are_compared_as_they_decide() -> None:
    """A named route is no difference where a section opens it anyway."""
    route = "GET:/images/{name}/sbom"
    assert names(compare(exact(), exact(route)).more) == {route}
    assert names(compare(exact(route), exact()).less) == {route}
    assert route not in names(compare(policy(IMAGES="1"), exact(route)).more)


def test_no_difference() -> None:
    """A policy grants what it grants."""
    some = policy(CONTAINERS="1", ALLOW_START="1")
    assert compare(some, some).more == compare(some, some).less == ()


def test_a_grant_knows_its_endpoint() -> None:
    """For an operation there is table text to show; for all else there is none."""
    endpoint = Grant("ImageList").endpoint
    assert endpoint is not None
    assert endpoint.template == "/images/json"
    assert Grant("GET:/x/{y}").endpoint is None
