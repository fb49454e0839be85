"""The receiving half on a fresh file for each test."""

import pytest

from fakes.inbounds import InboundBox


@pytest.fixture
async def box(tmp_path):
    opened = await InboundBox(tmp_path / "inbound.db").open()
    yield opened
    await opened.close()
