"""A fresh box for every test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fakes.web_boxes import Box, make_box


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Box]:
    """A box without anything in its queue."""
    box = await make_box(tmp_path)
    yield box
    await box.store.close()
