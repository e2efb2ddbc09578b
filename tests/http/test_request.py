"""Request heads: what of them is judged and sent on."""

import pytest

from trioproxy.errors import BadRequest
from trioproxy.http.request import parse_request


def head(target: bytes, host: bytes) -> bytes:
    return b"GET %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (target, host)


@pytest.mark.parametrize(
    ("target", "host", "origin_form"),
    [
        pytest.param(b"http://d/info", b"d", b"/info", id="plain"),
        pytest.param(b"HTTP://D/info", b"d", b"/info", id="capitals"),
        pytest.param(b"http://[::1]:2375/a?b=/", b"[::1]:2375", b"/a?b=/", id="port"),
        pytest.param(b"http://d", b"d", b"/", id="no-path"),
        pytest.param(b"http://d/http://e/", b"d", b"/http://e/", id="once-only"),
        pytest.param(b"https://d/info", b"d", b"https://d/info", id="other-scheme"),
        pytest.param(b"/http://e/", b"d", b"/http://e/", id="no-absolute-form"),
    ],
)
def test_absolute_form_becomes_origin_form(
    target: bytes, host: bytes, origin_form: bytes
) -> None:
    """What names the Host itself loses that name; nothing else of a target changes."""
    assert parse_request(head(target, host)).target == origin_form


@pytest.mark.parametrize(
    ("target", "host"),
    [
        pytest.param(b"http://e/info", b"d", id="other-host"),
        pytest.param(b"http://d:80/info", b"d", id="port-that-is-implied"),
        pytest.param(b"http://u@d/info", b"d", id="user"),
        pytest.param(b"http://d%2e/info", b"d.", id="escaped"),
        pytest.param(b"http://d#/info", b"d#", id="fragment"),
    ],
)
def test_two_hosts_are_refused(target: bytes, host: bytes) -> None:
    """A target that names another host than the Host field is no request for one host."""
    with pytest.raises(BadRequest):
        parse_request(head(target, host))
