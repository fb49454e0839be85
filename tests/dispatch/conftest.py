"""A box with a dispatcher on a fresh file for each test."""

import pytest

from fakes.lines import DispatchBox


@pytest.fixture
async def box(tmp_path):
    opened = await DispatchBox(tmp_path / "box.db").open()
    yield opened
    await opened.close()
