"""Mistakes in the file that sets the appliance up."""

from __future__ import annotations

from modembank.events import BoxChanged
from modembank.health.model import Finding, Severity
from modembank.health.parts import Check, Standing
from modembank.health.surroundings import Surroundings

MOST = 5
"""Mistakes whose words are in the evidence."""


async def look(around: Surroundings, standing: Standing) -> list[Finding]:  # noqa: ARG001 - what all checks take
    """Find that something of the file was not taken."""
    file = (await around.appliance.state()).first_file
    if file is None or not file.mistakes:
        return []
    first, others = file.mistakes[0], len(file.mistakes) - 1
    line = f", line {first.line}" if first.line else ""
    what = (first.field, first.reason)
    more = f", and {others} more" if others else ""
    summary = (
        f"box.toml{line}: {' '.join(filter(None, what))}; {first.way_out or 'correct it'}{more}. It counts"
        " as it last was right, or not at all: correct the file on the boot partition, and restart."
    )
    told = [f"line {one.line}: {one.field}: {one.reason}" for one in file.mistakes[:MOST]]
    return [Finding("", Severity.WARNING, summary, {"mistakes": told, "count": len(file.mistakes)})]


CHECK = Check(
    kind="box_file",
    when="A part of the appliance's `box.toml` has mistakes and counts as it last was right, or not at all",
    severity="warning",
    todo="Correct the line that the page *Box* names, and restart",
    look=look,
    on=(BoxChanged,),
)
