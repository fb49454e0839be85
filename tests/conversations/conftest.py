"""A box that accepts and receives, on a fresh file for each test."""

import pytest

from fakes.correspondence import Correspondence


@pytest.fixture
async def box(tmp_path):
    opened = await Correspondence(tmp_path / "talk.db").open()
    yield opened
    await opened.close()
