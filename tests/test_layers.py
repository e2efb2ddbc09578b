import subprocess
import sys
from pathlib import Path

import pytest

import trioproxy.policy
from tests.commands.running import unmeasured

MODULES = sorted(
    path.stem
    for path in Path(trioproxy.policy.__path__[0]).glob("*.py")
    if path.stem != "__init__"
)


@pytest.mark.parametrize("module", MODULES)
def test_the_policy_imports_no_io(module: str) -> None:
    """Judging a request needs no Trio, h11, click or socket, not even indirectly."""
    program = (
        f"import sys, trioproxy.policy.{module}\n"
        "print(*sys.modules.keys() & {'trio', 'h11', 'click', 'socket', 'asyncio'})"
    )
    # Not measured: coverage itself would import a socket into the process.
    found = subprocess.run(
        [sys.executable, "-c", program],
        env=unmeasured(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == ""
