"""What a test suite does with testcontainers."""

from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

SERVE = (
    "mkdir /www; echo hello >/www/index.html; httpd -f -h /www &"
    " until wget -q -O /dev/null http://127.0.0.1/; do :; done; echo ready; wait"
)

if __name__ == "__main__":
    with Network() as network:
        served = (
            DockerContainer("busybox")
            .with_command(["sh", "-c", SERVE])
            .with_exposed_ports(80)
            .with_network(network)
            .with_network_aliases("web")
            .with_env("A", "b")
            .waiting_for(LogMessageWaitStrategy("ready"))
        )
        with served as container:
            assert container.get_exposed_port(80)
            assert container.get_container_host_ip()
            assert b"ready" in container.get_logs()[0]
            asked = container.exec(["wget", "-q", "-O", "-", "http://web/"])
            assert b"hello" in asked.output, asked
            assert container.get_wrapped_container().status
