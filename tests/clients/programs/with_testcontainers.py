"""Uses testcontainers as a test suite does, and prints what it saw."""

import sys

from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy


def main() -> None:
    testcontainers_config.ryuk_disabled = (
        True  # its image is not here, and nothing is pulled
    )
    ready = LogMessageWaitStrategy("ready")
    box = (
        DockerContainer("busybox")
        .with_command("sh -c 'echo ready; sleep 600'")
        .waiting_for(ready)
    )
    with box as started:
        result = started.exec(["sh", "-c", "echo in; sleep 0.2; exit 2"])
        sys.stdout.write(
            f"{result.exit_code} {result.output!r} {started.get_logs()!r}\n"
        )


if __name__ == "__main__":
    main()
