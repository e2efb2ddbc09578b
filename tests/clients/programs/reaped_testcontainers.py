"""Uses testcontainers with its reaper, says which session it is, and waits to be killed."""

import sys

from testcontainers.core.container import DockerContainer
from testcontainers.core.labels import SESSION_ID
from testcontainers.core.network import Network
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

if __name__ == "__main__":
    network = Network().create()
    box = (
        DockerContainer("busybox")
        .with_command("sh -c 'echo ready; sleep 600'")
        .with_network(network)
        .waiting_for(LogMessageWaitStrategy("ready"))
    )
    with box:
        sys.stdout.write(f"{SESSION_ID}\n")
        sys.stdout.flush()
        sys.stdin.read()
