"""docs/hub.md says of alerts what is so."""

import re
from pathlib import Path

import pytest

from modembank_hub.alerting import telling
from modembank_hub.alerting.deciding import MOST_DAMPING
from modembank_hub.alerting.kinds_table import KINDS
from modembank_hub.alerting.rows import AGAIN_MS
from modembank_hub.alerting.watching import LOOK_S, MARGIN_S
from modembank_hub.alerting.wording import MOST_NAMED
from modembank_web.pages.formats import duration

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = (ROOT / "docs" / "hub.md").read_text("utf-8")
CHAPTER = DOCUMENT.partition("\n## Alerts\n")[2].partition("\n## ")[0]


def row_of(kind):
    found = re.search(rf"^\| `{re.escape(kind)}` \|(.*)\|$", CHAPTER, re.MULTILINE)
    assert found, kind
    return [cell.strip() for cell in found[1].split("|")]


def written(seconds):
    return duration(seconds).replace("\u202f", " ") if seconds else ""


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_a_kind_s_row_is_its_rule(kind):
    _, severity, hold, clear, threshold = row_of(kind.name)
    assert (severity, hold, clear) == (kind.severity, written(kind.hold_s), written(kind.clear_s))
    assert threshold == (f"{kind.threshold} {kind.unit}" if kind.unit else "")


def test_no_kind_is_described_that_is_not_there():
    named = re.findall(r"^\| `((?:box|hub)\.[a-z]+)` \|", CHAPTER, re.MULTILINE)
    assert named == list(KINDS)


def test_the_times_in_the_text_are_the_program_s():
    assert LOOK_S == 10
    assert "every ten seconds" in CHAPTER
    assert MARGIN_S == 30
    assert "half a minute more" in CHAPTER
    assert AGAIN_MS == 6 * 3_600_000
    assert "within six hours" in CHAPTER
    assert 2**MOST_DAMPING == 8
    assert "up to eight times" in CHAPTER
    assert (telling.GATHER_MS, telling.BETWEEN_MS, telling.MOST_RETRY_S) == (30_000, 300_000, 900)
    for words in ("waits half a minute", "five\nminutes apart", "a quarter of an hour"):
        assert words in CHAPTER
    assert MOST_NAMED == 50
    assert "names fifty alerts" in CHAPTER


def test_every_command_is_named():
    from modembankd.fleet_cli import fleet

    for name in ("alerts", "alert", "silence", "silences", "alert-channels"):
        assert name in fleet.commands
        assert f"`modembank fleet {name} " in DOCUMENT
