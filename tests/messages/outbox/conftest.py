"""An outbox on a fresh file for each test."""

import pytest

from fakes.outboxes import OutboxBox


@pytest.fixture
async def box(tmp_path):
    opened = await OutboxBox(tmp_path / "box.db").open()
    yield opened
    await opened.close()
