"""The hub's pages of the pool: its sums, its messages, and one message's way."""

from __future__ import annotations

import contextlib
from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec

from modembank.accounts import Scope
from modembank.errors import Conflict
from modembank_fleet.pool.assigning import State
from modembank_web.answer import Answer
from modembank_web.hub.api import number_of
from modembank_web.hub.surface import hub
from modembank_web.operation import Call
from modembank_web.pages.page import ROOT, Page
from modembank_web.pages.rendering import render

POOL = f"{ROOT}/pool"
_ONE = f"{POOL}/{{message}}"
_READ, _CHANGE = (Scope.MODEMS,), (Scope.ADMIN,)
_A_PAGE = 50
STATES = tuple(state.value for state in State)
TONES = {
    "queued": "", "assigned": "info", "accepted": "info", "sent": "ok", "delivered": "ok", "undelivered": "bad",
    "failed": "bad", "unknown": "warn", "expired": "warn", "expired_unknown": "warn", "cancelled": "",
    "refused": "warn", "released": "", "wanted_back": "",
}  # fmt: skip
"""Of states, and of steps on the way."""
Word = Annotated[str, msgspec.Meta(max_length=80)]


class PoolQuery(msgspec.Struct, frozen=True):
    """Which messages, and where the list goes on."""

    state: Word = ""
    cursor: Word | None = None

    def address(self, cursor: int | None) -> str:
        """Return where the page after this one is, empty at the end."""
        if cursor is None:
            return ""
        given = {"state": self.state} if self.state else {}
        return f"{POOL}?{urlencode(given | {'cursor': str(cursor)})}"


async def pool(call: Call) -> Answer:
    """Show the pool and its messages; or the next page of them."""
    query = call.query(PoolQuery)
    shown = await _messages(call, query)
    if query.cursor is not None:
        return render(call, "hub/_pool_rows.html", **shown)
    return render(call, "hub/pool.html", **shown, totals=await hub(call).pool.totals(call.caller))


async def pool_now(call: Call) -> Answer:
    """Answer sums and the newest messages."""
    shown = await _messages(call, call.query(PoolQuery))
    return render(call, "hub/_pool.html", **shown, totals=await hub(call).pool.totals(call.caller))


async def message(call: Call) -> Answer:
    """Show one message's way."""
    return render(call, "hub/pool_message.html", **await _message(call))


async def message_now(call: Call) -> Answer:
    """Answer how far it is."""
    return render(call, "hub/_pool_message.html", **await _message(call))


async def cancel(call: Call) -> Answer:
    """Want it back; one that has ended meanwhile is shown as it ended."""
    with contextlib.suppress(Conflict):
        await hub(call).pool.cancel(call.caller, call.path("message"))
    return render(call, "hub/_pool_message.html", **await _message(call))


async def _messages(call: Call, query: PoolQuery) -> dict[str, Any]:
    state = query.state if query.state in STATES else None
    page = await hub(call).pool.list(call.caller, state=state, cursor=number_of(query.cursor), limit=_A_PAGE)
    again = f"{POOL}/now" + (f"?{urlencode({'state': state})}" if state else "")
    return {
        "messages": page.items,
        "more_at": query.address(page.cursor),
        "again": again,
        "query": query,
        "states": [(state, state.replace("_", " ")) for state in STATES],
        "tones": TONES,
    }


async def _message(call: Call) -> dict[str, Any]:
    row, steps = await hub(call).pool.get(call.caller, call.path("message"))
    return {"message": row, "way": steps, "tones": TONES}


PAGES = (
    Page("pool", "GET", POOL, pool, _READ),
    Page("poolNow", "GET", f"{POOL}/now", pool_now, _READ),
    Page("poolMessage", "GET", _ONE, message, _READ),
    Page("poolMessageNow", "GET", f"{_ONE}/now", message_now, _READ),
    Page("cancelPoolMessage", "POST", f"{_ONE}/cancel", cancel, _CHANGE),
)
