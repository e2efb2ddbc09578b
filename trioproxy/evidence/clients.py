"""Clients that are learned from, on a listener that others use as well."""

import re
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from trioproxy.errors import ConfigError
from trioproxy.values import value_class


@value_class
class Origins:
    """Networks, and users of Unix sockets."""

    networks: tuple[IPv4Network | IPv6Network, ...]
    users: frozenset[str]
    """As they are named in the evidence: `unix:uid=1000`."""

    @classmethod
    def parse(cls, texts: Sequence[str]) -> "Origins":
        """Read addresses, networks (`10.0.0.0/24`) and users (`uid:1000`)."""
        users = {text for text in texts if re.fullmatch(r"uid:[0-9]{1,10}", text)}
        try:
            networks = [ip_network(text) for text in texts if text not in users]
        except ValueError as error:
            raise ConfigError(
                f"bad client: {error}",
                hint="write an address, a network such as 10.0.0.0/24, or uid:1000",
            ) from error
        return cls(
            networks=tuple(networks),
            users=frozenset(text.replace("uid:", "unix:uid=") for text in users),
        )

    def includes(self, client: str) -> bool:
        """Whether a client, as the evidence names it, is among them."""
        if client in self.users:
            return True
        try:
            address = ip_address(client)
        except ValueError:
            return False
        # With an interface only an address of a link is somebody's (`proxy.listeners`).
        if "%" in client and not address.is_link_local:
            return False
        return any(address in network for network in self.networks)
