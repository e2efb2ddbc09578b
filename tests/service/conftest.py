"""An Engine that answers as `load` expects."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from tests.fakes import FakeEngine
from tests.service.load import answer


@pytest.fixture
async def fake(tmp_path: Path) -> AsyncIterator[FakeEngine]:
    """It listens, and answers."""
    fake = FakeEngine(path=tmp_path / "engine.sock")
    fake.listen()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(fake.serve, answer)
        yield fake
        nursery.cancel_scope.cancel()
    fake.die()
