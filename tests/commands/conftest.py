"""What the tests of the commands share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.answering import answering
from tests.fakes import FakeEngine


@pytest.fixture
async def fake(tmp_path: Path) -> AsyncIterator[FakeEngine]:
    """An Engine that answers every request."""
    async with answering(tmp_path / "engine.sock") as engine:
        yield engine
