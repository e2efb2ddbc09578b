"""Routes that the table does not have, as people see them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioproxy.api.matched import Request
from trioproxy.api.routes import match
from trioproxy.api.target import Target
from trioproxy.errors import BadTarget
from trioproxy.evidence.unknown import ROUTES_KEPT, UnknownRoutes, guess


def request(method: str, target: str) -> Request:
    """A request as it is judged."""
    parsed = Target.parse(target.encode())
    return Request(method=method, target=parsed, endpoint=match(method, parsed))


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        pytest.param("GET", "/containers/db1/frob", "GET /containers/{id}/frob", id="action"),
        pytest.param("GET", "/v1.99/containers/db1/frob?x=1", "GET /containers/{id}/frob", id="version-and-query"),
        pytest.param("POST", "/models/create", "POST /models/create", id="new-section"),
        pytest.param("PUT", "/models/my-model/tags/v2", "PUT /models/{id}/tags/{id}", id="two-parameters"),
        pytest.param("GET", "/libpod/pods/p/frob", "GET /libpod/pods/{id}/frob", id="podman"),
        pytest.param("GET", "/containers/s3cr3t", "GET /containers/{id}", id="no-action"),
        pytest.param("GET", "/images/registry/name/frob", "GET /images/{id}/name/{id}", id="name-with-slash"),
        pytest.param("BREW", "/containers/x/frob", "OTHER /containers/{id}/frob", id="made-up-method"),
    ],
)  # fmt: skip
def test_a_guess_names_the_route_and_nothing_else(
    method: str, target: str, expected: str
) -> None:
    """Words of a route stay, names and ids become parameters, the rest is left out."""
    assert guess(request(method, target)) == expected


@given(st.lists(st.text("abcXYZ019_.-%!", min_size=1, max_size=40), max_size=6))
def test_a_guess_is_plain(segments: list[str]) -> None:
    """Whatever a client makes up, what is shown is words, slashes and parameters."""
    try:
        asked = request("GET", f"/containers/x/{'/'.join(segments)}")
    except BadTarget:
        return  # no target at all
    assert re.fullmatch(r"GET (/[a-z_-]+|/\{id\})+", guess(asked))


def test_a_client_that_makes_up_routes_is_bounded() -> None:
    """So many are kept, each is new once, and no more are."""
    routes = UnknownRoutes()
    words = [f"/frob{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(100)]
    assert sum(routes.add(request("GET", word)) for word in words * 2) == ROUTES_KEPT
    assert len(list(routes)) == ROUTES_KEPT
