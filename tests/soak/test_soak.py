"""The soak itself, for some seconds."""

from pathlib import Path

import pytest

from tests.depth import by_depth
from tests.engine import ScratchEngine
from tests.soak import run
from tests.soak.run import Plan, soak


@pytest.mark.slow
@pytest.mark.engine
@pytest.mark.deep
async def test_a_short_soak(
    scratch: ScratchEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mixed clients and a restart of the Engine leave nothing behind, and all is accounted for."""
    monkeypatch.setattr(run, "RESTART_SECONDS", (2, 3))
    plan = Plan(seconds=by_depth(6, 8), clients=by_depth(10, 20), seed=1)
    result = await soak(scratch, tmp_path, plan)
    scratch.docker("rm", "-f", "soak")
    assert result.faults() == []
    assert result.account.sessions > 20  # more than one of each client
    assert result.account.outages
