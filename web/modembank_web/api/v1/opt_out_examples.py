"""The examples of opt-outs in the OpenAPI document; a test reads each back through its shape."""

from __future__ import annotations

from typing import Any

OPT_OUT: dict[str, Any] = {
    "number": "+447900900123",
    "state": "out",
    "changed_at": "2026-11-20T14:05:00.120Z",
    "source": "keyword",
    "keyword": "STOP",
    "message": "inb_0000008000002",
    "note": "",
    "by": None,
}
IN_AGAIN: dict[str, Any] = {
    **OPT_OUT,
    "state": "in",
    "changed_at": "2026-11-21T09:12:41.007Z",
    "source": "api",
    "keyword": None,
    "message": None,
    "note": "asked by telephone to have them again",
    "by": "alice",
}
REVIEW: dict[str, Any] = {
    "id": "inb_0000008000002",
    "from": "+447900900123",
    "text": "please stop",
    "keyword": "STOP",
    "created_at": "2026-11-20T14:05:00.120Z",
    "decision": None,
    "decided_at": None,
    "by": None,
}
DECIDED: dict[str, Any] = {
    **REVIEW,
    "decision": "opt_out",
    "decided_at": "2026-11-20T15:00:12.345Z",
    "by": "alice",
}
ROWS: list[dict[str, Any]] = [{"number": "+447900900123", "note": "by letter"}, {"number": "+447900900124"}]
CSV = "number,note\r\n+447900900123,by letter\r\n+447900900124,\r\n"
IMPORTED: dict[str, Any] = {"added": 2, "already_out": 0, "skipped": 0}
EXPORT = (
    "number,state,changed_at,source,keyword,message,note,by\r\n"
    "+447900900123,out,2026-11-20T14:05:00.120Z,keyword,STOP,inb_0000008000002,,\r\n"
)
