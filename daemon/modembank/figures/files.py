"""A report as CSV for spreadsheets: one row for each day, or for each day and user or SIM that has any."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Literal

from modembank.figures.report import Line, Report

Subject = Literal["days", "senders", "sims"]
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "'")
_BOM = "\ufeff"


def write_csv(report: Report, subject: Subject) -> bytes:
    """Return one of the report's tables (RFC 4180, UTF-8 with a byte order mark).

    A cell that a spreadsheet could take for a formula begins with an apostrophe (OWASP ASVS 5.0, 1.2.10).
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(
        [f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in row] for row in _rows(report, subject)
    )
    return (_BOM + text.getvalue()).encode("utf-8", "replace")


def _rows(report: Report, subject: Subject) -> Iterator[Sequence[str]]:
    if subject == "senders":
        yield "day", "user", "segments_accepted"
        yield from ((day, line.name, count) for day, line, count in _counted(report, report.senders))
    elif subject == "sims":
        yield "day", "sim", "iccid", "segments_sent"
        yield from ((day, line.name, line.key, count) for day, line, count in _counted(report, report.sims))
    else:
        yield "day", "segments_accepted", "segments_sent", *(f"messages_{state.word}" for state in report.ends)
        accepted, sent = report.accepted, report.sent
        for place, day in enumerate(report.days):
            known = str(sent[place]) if day >= report.sims_since else ""
            yield day.isoformat(), str(accepted[place]), known, *(str(ends[place]) for ends in report.ends.values())


def _counted(report: Report, lines: Sequence[Line]) -> Iterator[tuple[str, Line, str]]:
    for place, day in enumerate(report.days):
        for line in lines:
            if line.by_day[place]:
                yield day.isoformat(), line, str(line.by_day[place])
