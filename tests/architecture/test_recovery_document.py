"""docs/recovery.md says what the ladder is: its tables are held against the code."""

import re
from pathlib import Path

import pytest

from modembank.modem import POWER_S, Rung, Timings, Trouble
from modembank.modem.quirks import VENDORS
from modembank.modem.recovery import LADDERS, REST_S

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "recovery.md").read_text("utf-8")
PROSE = " ".join(TEXT.split())


def rows(name):
    """The cells of the table row that begins with this name."""
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in TEXT.splitlines()
        if re.match(rf"\| {name} ", line)
    ]


@pytest.mark.parametrize("trouble", list(Trouble))
def test_every_trouble_has_its_ladder(trouble):
    ((_, seen, ladder),) = rows(trouble.value)
    assert seen
    assert ladder == ", ".join(rung.value for rung in LADDERS[trouble])


@pytest.mark.parametrize("rung", [rung for rung in Rung if rung is not Rung.QUARANTINE])
def test_every_rung_has_its_rest(rung):
    (cells,) = [cells for cells in rows(rung.value) if len(cells) == 4]
    rest_s = REST_S[rung]
    assert cells[3] == (f"{rest_s / 60:g} min" if rest_s >= 60 else f"{rest_s:g} s")


def test_every_vendor_reset_is_named():
    (cells,) = [cells for cells in rows("vendor_reset") if len(cells) == 4]
    orders = {order.text for quirks in VENDORS for order in quirks.resets}
    assert set(re.findall(r"`([^`]+)`", cells[1])) == orders


def test_the_times_are_those_of_the_code():
    timings = Timings()
    assert f"looked at every {timings.beat_s:g} s" in PROSE
    assert f"watched for {timings.down_s:g} s" in PROSE
    assert f"up to {timings.restart_s:g} s to answer again" in PROSE
    assert f"waits {timings.final_s:g} s" in PROSE
    assert f"power: at most {POWER_S:g}," in PROSE
    assert timings.quarantine_s == timings.settled_s == 600  # "ten minutes"
    assert timings.missing_most_s == 2  # "every two seconds"
    sums = [
        float(cells[2])
        for cells in rows(r"[a-z][a-z_ ':,]+")
        if len(cells) == 3 and cells[2].replace(".", "").isdigit()
    ]
    assert sums == sorted(sums)
    assert sums[-1] == 86.6
