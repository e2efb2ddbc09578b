"""What `make coverage` measures: what runs in pytest and its workers, and each process that is
given `MEASURING`. Any other process that a test starts takes half the time that way."""

import os
from typing import Final

MEASURING: Final = dict[str, str]()
"""Variables by which a process is measured; none unless this one is."""


def leave_out_what_is_started() -> None:
    """From now on a process is measured only if its test says so."""
    for name in [name for name in os.environ if name.startswith("COVERAGE_")]:
        MEASURING[name] = os.environ.pop(name)
