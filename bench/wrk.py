"""Runs wrk, and reads its figures from a script of ours rather than from its prose."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.processes import BenchError

_DONE = """
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('\\nFIGURES {"requests": %d, "micros": %d, "p50": %d, "p99": %d, ' ..
    '"lost": %d, "refused": %d}\\n', summary.requests, summary.duration, latency:percentile(50),
    latency:percentile(99), e.connect + e.read + e.write + e.timeout, e.status))
end
"""

# Each request names a container of its own, as a client does that inspects what it found.
# Each run starts at another number, so that no head returns.
_UNIQUE = """
local n = os.time() % 100000 * 4000000
function request()
  n = n + 1
  return wrk.format("GET", string.format("/containers/%012x/json", n))
end
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What wrk shall send."""

    target: str = "/containers/json"
    connections: int
    unique: bool = False
    """Every head different: the target is ignored."""
    close: bool = False
    """Ask for the connection to be closed after each response."""
    refused: bool = False
    """Every answer must be an error, rather than none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """What one run of wrk found."""

    requests: int
    seconds: float
    p50: float
    """Milliseconds."""
    p99: float
    lost: int

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


def shoot(
    load: Load, port: int, seconds: int, folder: Path, prefix: Sequence[str] = ()
) -> Shot:
    """Load a port for some seconds; raises if answers are not what the load expects."""
    script = folder / "load.lua"
    script.write_text(_DONE + (_UNIQUE if load.unique else ""))
    fields = ["-H", "Connection: close"] if load.close else []
    command = [
        *prefix, "wrk", "-t1", f"-c{load.connections}", f"-d{seconds}s", "-s", str(script), *fields,
        f"http://127.0.0.1:{port}{load.target}",
    ]  # fmt: skip
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=seconds + 60, check=False
    )
    _, marker, line = done.stdout.rpartition("FIGURES ")
    if not marker:
        raise BenchError(f"wrk failed: {(done.stdout + done.stderr).strip()[-500:]}")
    return _read(json.loads(line), load)


def _read(figures: dict[str, int], load: Load) -> Shot:
    requests, refused = figures["requests"], figures["refused"]
    if not requests:
        raise BenchError(f"no answer at all to {load.target}")
    if refused != (requests if load.refused else 0):
        raise BenchError(
            f"{refused} of {requests} answers to {load.target} were errors"
        )
    return Shot(
        requests=requests,
        seconds=figures["micros"] / 1e6,
        p50=figures["p50"] / 1000,
        p99=figures["p99"] / 1000,
        lost=figures["lost"],
    )
