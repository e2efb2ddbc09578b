"""What the tests of the commands share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.answering_engine import answering_engine
from tests.fakes import FakeEngine


@pytest.fixture
async def fake(tmp_path: Path) -> AsyncIterator[FakeEngine]:
    """An Engine that answers every request."""
    async with answering_engine(tmp_path / "engine.sock") as engine:
        yield engine
