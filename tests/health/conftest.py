"""A ward for every test."""

import pytest

from fakes.healths import Ward


@pytest.fixture
async def ward(tmp_path):
    opened = await Ward(tmp_path).open()
    yield opened
    await opened.close()
