"""Words of the OpenAPI document for the fields of mailings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modembank_web.wording.paging import CURSOR, LIMIT

FIELDS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "MailingForm": {
        "file": {"description": "The CSV or XLSX file, up to 100 MB and a million rows", "format": "binary"},
        "name": {"description": "What people call it; the file's name when left out"},
        "template": {"description": "The text, with `{column}` for a row's cells; `{{` and `}}` are braces"},
        "text_column": {"description": "Instead of a template: the column that holds each row's text"},
        "to_column": {"description": "The column of the numbers, by name or number from 1; found out when left out"},
        "reference_column": {"description": "The column of your own names for the messages"},
        "header": {"description": "Whether the first row names the columns"},
        "delimiter": {"description": "The character between the columns of a CSV file; found out when left out"},
        "charset": {"description": "The character set of a CSV file, such as `cp1250`; found out when left out"},
        "sheet": {"description": "The sheet of a workbook; the first when left out"},
        "region": {"description": "The country of numbers without `+`, as GB; the box's own when left out"},
        "allow_duplicates": {"description": "Send to a number as often as it stands in the file"},
        "replace": {"description": "Replace typographic characters that force UCS-2, where that makes a text 7-bit"},
        "hold": {"description": "Import the file and wait for `start`"},
        "dry_run": {"description": "Check all rows and store nothing"},
        "canary_share": {"description": "Percent of the messages that go first, up to 50; the rest waits"},
        "canary_count": {"description": "Or how many, up to 10,000"},
        "canary_minutes": {"description": "The rest goes on so long after the canary left; without it, by `continue`"},
        "canary_max_failed": {"description": "Unless more than so many percent of the canary failed; 5 when left out"},
        "sim": {"description": "Only through this SIM: its ICCID, its slot, or a label that only it has"},
        "pool": {"description": "Only through the SIMs with this label"},
        "providers": {"description": "Only through these: SIMs or pools, with commas between"},
        "priority": {"description": "9 goes first", "minimum": 0, "maximum": 9},
        "valid_for_s": {"description": "Seconds, from `send_at` or now, after which it is not worth sending any more"},
        "send_at": {"description": "Not before this time; up to a year ahead"},
        "window": {"description": "`HH:MM-HH:MM` in the box's time, outside of which it waits"},
        "delivery_report": {"description": "Ask the network for reports"},
        "encoding": {"description": "Of the messages; `auto` takes the cheapest that loses nothing"},
        "flash": {"description": "Shown at once and not stored (class 0)"},
        "max_segments": {"description": "Refuse rows whose text needs more, 1 to 255; the box has a default"},
        "on_unknown": {"description": "When a part may have been sent: `hold` (never twice) or `resend` (never lost)"},
    },
    "MailingView": {
        "messages": {"description": "How many of its messages are in each state"},
        "progress": {"description": "How far its file is"},
        "eta_s": {"description": "Seconds until the last one will have left; null when nobody can tell, or it waits"},
        "canary": {"description": "The messages that go first; null: all go together"},
        "rate_per_minute": {"description": "Messages that left in a minute, over the last ten"},
    },
    "MailingsQuery": {"cursor": CURSOR, "limit": LIMIT},
    "MailingRowsQuery": {"cursor": CURSOR, "limit": LIMIT},
    "ImportView": {
        "waits_for": {"description": "Imports of other files that come before it; 0 once it is being read"},
    },
    "MailingResultsQuery": {
        "format": {"description": "`spreadsheet` guards cells against being formulas", "example": "machine"}
    },
}
