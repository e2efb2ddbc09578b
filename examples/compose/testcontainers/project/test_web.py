"""A test that starts what it needs: a web server in a network of its own."""

import unittest
import urllib.request

from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

SERVE = "mkdir /www; echo hello >/www/index.html; echo ready; exec httpd -f -h /www"


class TestWeb(unittest.TestCase):
    """What the project serves."""

    def test_web(self) -> None:
        """What is served is seen from its network, and at a port of the host."""
        with Network() as network:
            container = (
                DockerContainer("busybox")
                .with_command(["sh", "-c", SERVE])
                .with_exposed_ports(80)
                .with_network(network)
                .with_network_aliases("web")
                .waiting_for(LogMessageWaitStrategy("ready"))
            )
            with container as web:
                asked = web.exec(["wget", "-q", "-O", "-", "http://web/"])
                assert (asked.exit_code, asked.output) == (0, b"hello\n")
                place = f"{web.get_container_host_ip()}:{web.get_exposed_port(80)}"
                with urllib.request.urlopen(f"http://{place}/") as answer:
                    assert answer.read() == b"hello\n"
