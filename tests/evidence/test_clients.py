"""Clients that are learned from on a shared listener."""

import pytest

from trioproxy.errors import ConfigError
from trioproxy.evidence.clients import Origins

SOME = Origins.parse(
    ["10.0.0.0/24", "192.168.1.7", "fd00::/64", "fe80::/64", "uid:1000"]
)


@pytest.mark.parametrize(
    ("client", "included"),
    [
        pytest.param("10.0.0.200", True, id="network"),
        pytest.param("10.0.1.1", False, id="other-network"),
        pytest.param("192.168.1.7", True, id="address"),
        pytest.param("192.168.1.8", False, id="other-address"),
        pytest.param("fd00::5", True, id="ipv6"),
        pytest.param("fd00::5%eth0", False, id="ipv6-of-another-network"),
        pytest.param("fe80::5%eth0", True, id="ipv6-of-a-link"),
        pytest.param("unix:uid=1000", True, id="user"),
        pytest.param("unix:uid=0", False, id="other-user"),
        pytest.param("", False, id="nobody"),
    ],
)
def test_who_is_included(client: str, included: bool) -> None:
    """Addresses count by network, users of Unix sockets by their number."""
    assert SOME.includes(client) is included
    assert SOME.includes(client) is included


@pytest.mark.parametrize("text", ["10.0.0.1/24", "traefik", "uid:x", ""])
def test_what_is_no_client_is_refused(text: str) -> None:
    """A name or a network with host bits is an error, not a rule that fits nobody."""
    with pytest.raises(ConfigError, match="bad client"):
        Origins.parse([text])
