"""Clients of a Podman: its own, and what they need to be there."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.engine import busybox_archive

REMOTE = ("podman", "--remote", "--url")


def call(
    command: tuple[str, ...], variables: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a client to its end."""
    return subprocess.run(
        command,
        env=os.environ | dict(variables),
        capture_output=True,
        text=True,
        check=False,
    )


def import_busybox(podman: Path, folder: Path) -> None:
    """Give Podman an image, past the proxy."""
    archive = folder / "busybox.tar"
    archive.write_bytes(busybox_archive())
    command = (*REMOTE, f"unix://{podman}", "import", str(archive), "busybox:latest")
    assert call(command, {}).returncode == 0
