"""The page on events names every kind as the table does."""

import re
from pathlib import Path

from modembank.eventlog import KINDS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "webhooks.md").read_text("utf-8")


def test_every_kind_stands_in_the_page_and_nothing_else():
    for kind in KINDS:
        assert f"| `{kind.name}` | {kind.when} |" in PAGE
    assert set(re.findall(r"^\| `(\w+\.\w+)` \|", PAGE, re.MULTILINE)) == {kind.name for kind in KINDS}
