"""A box that accepts messages, on a fresh file for each test."""

import pytest

from fakes.senders import Post


@pytest.fixture
async def post(tmp_path):
    opened = await Post(tmp_path / "post.db").open()
    yield opened
    await opened.close()
