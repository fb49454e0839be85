"""Words of the OpenAPI document for the fields of opt-outs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modembank_web.wording.paging import CURSOR, LIMIT

FIELDS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "OptOutsQuery": {
        "number": {"description": "Only this number, in any usual form", "example": "+447900900123"},
        "state": {"description": "Only numbers that are `out`, or `in` again", "example": "out"},
        "cursor": CURSOR,
        "limit": LIMIT,
    },
    "OptOutRequest": {
        "number": {"description": "E.164, national, or an operator's short code"},
        "note": {"description": "How you know, up to 200 characters"},
    },
    "OptInQuery": {
        "reason": {
            "description": "How you know that they want messages again; needed, up to 200 characters",
            "example": "asked by telephone",
        },
    },
    "OptOutView": {
        "source": {"description": "`keyword`: they wrote it; `review`: somebody took it so; `api`; `import`"},
        "message": {"description": "The inbound message that said so"},
    },
    "ReviewsQuery": {
        "state": {"description": "Only those that are `open`, or `all`", "example": "open"},
        "cursor": CURSOR,
        "limit": LIMIT,
    },
    "ReviewView": {
        "keyword": {"description": "What it looks like"},
        "text": {"description": "The message; null when it is not there any more"},
    },
    "ReviewDecision": {
        "decision": {"description": "`opt_out`: it was meant; `dismiss`: it was not"},
    },
    "ImportRequest": {
        "items": {"description": "Up to 100,000 numbers, each with a note if you like"},
    },
    "ImportDone": {
        "skipped": {"description": "Rows of a file whose state is `in`: an import only adds opt-outs"},
    },
    "ExportQuery": {
        "format": {"description": "`machine`, or `spreadsheet` for a file that people open", "example": "machine"},
    },
}
