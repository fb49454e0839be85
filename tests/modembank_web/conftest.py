"""A fresh box for every test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fakes import kinds
from fakes.guards import make_cheap
from fakes.kinds import Brought
from fakes.web_boxes import Box, make_box


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Box]:
    """A box without anything in its queue."""
    box = await make_box(tmp_path)
    yield box
    await box.store.close()


@pytest.fixture
async def brought(box: Box, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Brought]:
    """The same box with two kinds of providers, which are held running; what they bring back is kept."""
    kinds.install(monkeypatch)
    make_cheap(box.accounts)
    found = Brought()
    box.providers.start(found)
    yield found
    await box.providers.stop()
