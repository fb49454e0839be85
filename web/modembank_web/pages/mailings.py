"""The mailings: the list, and what can be seen of one and done with it while it goes out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from modembank.accounts import Scope
from modembank.mailings.views import MailingView, MomentView
from modembank.messages import MessageFilter, MessageState
from modembank.messages.views import MessageView
from modembank_web.answer import Answer
from modembank_web.operation import Call
from modembank_web.pages.mailing_words import (
    STATES,
    STATES_OF,
    bar_of,
    chart_of,
    failed,
    left,
    plain,
    route_words,
    share_done,
    whole,
)
from modembank_web.pages.new_mailing import LIST, NEW
from modembank_web.pages.page import Page, by_htmx, goes_to
from modembank_web.pages.regions_table import REGIONS
from modembank_web.pages.rendering import render
from modembank_web.streaming import Stream

ONE = f"{LIST}/{{id}}"
PER_PAGE = 25
MOST_LIVE = 200
"""Mailings that a list grows to while somebody looks at it; then its page begins anew."""
_NEEDS = (Scope.MAILINGS,)
_STATE_CHOICES = [
    *((states, f"all {word}") for word, states in STATES_OF.items() if "," in states),
    *((state.word, state.word.replace("_", " ")) for state in MessageState),
]
_ON_THE_WAY = frozenset({"sending", "importing", "canary"})


class Query(msgspec.Struct, frozen=True):
    """Where a list goes on, and which messages it shows."""

    cursor: str | None = None
    last: str = ""
    """The last mailing of what is live: it reaches as far down again, to where the older ones begin."""
    status: str = ""
    part: str = ""
    """``newest``: only what is live of the messages."""


async def show_list(call: Call) -> Answer:
    """Show a page of mailings: the whole page, what is live of it, or what comes behind it."""
    query = call.query(Query)
    live = by_htmx(call) and bool(query.last)
    page = await call.app.mailings.list(call.caller, cursor=query.cursor, limit=MOST_LIVE if live else PER_PAGE)
    if live:
        ids = [one.id for one in page.items]
        if query.last not in ids:
            return goes_to(call, LIST)
        page = replace(page, items=page.items[: ids.index(query.last) + 1])
    owners = await call.app.mailings.owners(call.caller, page.items) if call.caller.is_admin else {}
    part = "mailings/_older.html" if query.cursor else "mailings/_list.html"
    template = part if by_htmx(call) else "mailings/page.html"
    return render(call, template, page=page, owners=owners, new=NEW, **_words())


async def show(call: Call) -> Answer:
    """Show a mailing and its messages."""
    query = call.query(Query)
    status, cursor = query.status, query.cursor
    chosen = status if status in dict(_STATE_CHOICES) else ""
    mailing = await call.app.mailings.get(call.caller, call.path("id"))
    page = None
    if _reads_messages(call):
        which = MessageFilter(batch=_batch(mailing), status=tuple(chosen.split(",")) if chosen else ())
        page = await call.app.messages.list(call.caller, which, cursor=cursor, limit=PER_PAGE)
    shown: dict[str, Any] = {"page": page, "chosen": chosen, "words_of_messages": _STATE_CHOICES}
    if by_htmx(call):
        newest = "mailings/_newest_messages.html" if query.part == "newest" else "mailings/_messages.html"
        part = "mailings/_older_messages.html" if cursor else newest
        return render(call, part, mailing=mailing, path=_at(mailing), **shown, **_words())
    return render(call, "mailings/messages.html", **await _status(call, mailing), **shown)


async def show_rows(call: Call) -> Answer:
    """Show the rows of a mailing's file that gave no message."""
    mailing = await call.app.mailings.get(call.caller, call.path("id"))
    cursor = call.query(Query).cursor
    page = await call.app.mailings.refused(call.caller, mailing.id, cursor=cursor, limit=PER_PAGE)
    if by_htmx(call):
        return render(call, "mailings/_more_rows.html", page=page, path=_at(mailing))
    return render(call, "mailings/rows.html", **await _status(call, mailing), page=page)


async def show_settings(call: Call) -> Answer:
    """Show with what settings a mailing was made."""
    mailing = await call.app.mailings.get(call.caller, call.path("id"))
    details = await call.app.mailings.details(call.caller, mailing.id)
    route = route_words(details.route, call.app.sims.all())
    return render(
        call,
        "mailings/settings.html",
        **await _status(call, mailing),
        details=details,
        route=route,
        regions=dict(REGIONS),
    )


async def status(call: Call) -> Answer:
    """Show how far a mailing is."""
    mailing = await call.app.mailings.get(call.caller, call.path("id"))
    return render(call, "mailings/_status.html", **await _status(call, mailing))


async def results(call: Call) -> Answer:
    """Answer what became of each message, as a file."""
    mailing = call.path("id")
    return _file(f"{mailing}-results.csv", await call.app.mailings.results(call.caller, mailing))


async def refusals(call: Call) -> Answer:
    """Answer the rows that gave no message, as a file."""
    mailing = call.path("id")
    return _file(f"{mailing}-refused-rows.csv", await call.app.mailings.refusals(call.caller, mailing))


async def start(call: Call) -> Answer:
    """Let one go that was kept ready."""
    return await _changed(call, call.app.mailings.start_sending)


async def pause(call: Call) -> Answer:
    """Have one wait."""
    return await _changed(call, call.app.mailings.pause)


async def resume(call: Call) -> Answer:
    """Let one go on."""
    return await _changed(call, call.app.mailings.resume)


async def proceed(call: Call) -> Answer:
    """Let the rest go behind the first part."""
    return await _changed(call, call.app.mailings.proceed)


async def cancel(call: Call) -> Answer:
    """Cancel what was not sent."""
    return await _changed(call, call.app.mailings.cancel)


async def retry(call: Call) -> Answer:
    """Send again what failed."""
    return await _changed(call, call.app.mailings.retry_failed)


async def _changed(call: Call, change: Callable[[Any, str], Awaitable[MailingView]]) -> Answer:
    mailing = await change(call.caller, call.path("id"))
    return render(call, "mailings/_status.html", **await _status(call, mailing))


def _at(mailing: MailingView) -> str:
    return f"{LIST}/{mailing.id}"


def _batch(mailing: MailingView) -> str:
    return mailing.id.replace("mlg_", "bat_")


def _reads_messages(call: Call) -> bool:
    return call.caller.is_admin or Scope.MESSAGES_READ in call.caller.scopes


def _words() -> dict[str, Any]:
    return {
        "words": STATES, "bar_of": bar_of, "left": left, "whole": whole, "share_done": share_done, "failed": failed,
    }  # fmt: skip


async def _status(call: Call, mailing: MailingView) -> dict[str, Any]:
    """Return how far one is, why it waits, and how it went on so far."""
    moments: Sequence[MomentView] = ()
    if mailing.started_at is not None:
        moments = await call.app.mailings.history(call.caller, mailing.id)
    return {
        "mailing": mailing,
        "path": _at(mailing),
        "hrefs": {word: f"{_at(mailing)}?status={states}#messages" for word, states in STATES_OF.items()}
        if _reads_messages(call)
        else {},
        "waits": await _why_it_waits(call, mailing),
        "chart": chart_of(moments),
        **_words(),
    }


async def _why_it_waits(call: Call, mailing: MailingView) -> str | None:
    """Return what the next message waits for; asked only while one waits, so that none is searched for in vain."""
    if mailing.status not in _ON_THE_WAY or not _reads_messages(call):
        return None
    waiting = [state for state in ("queued", "scheduled") if mailing.messages[state]]
    if not waiting or mailing.messages["sending"]:
        return None
    which = MessageFilter(batch=_batch(mailing), status=tuple(waiting))
    found = await call.app.messages.list(call.caller, which, limit=1)
    first = found.items[0] if found.items else None
    return plain(first.waiting_for) if isinstance(first, MessageView) and first.waiting_for else None


def _file(name: str, lines: Any) -> Answer:
    header = f'attachment; filename="{name}"'.encode("ascii", "replace")
    return Stream(lines, b"text/csv; charset=utf-8", ((b"content-disposition", header),))


PAGES = (
    Page("mailings", "GET", LIST, show_list, _NEEDS),
    Page("mailing", "GET", ONE, show, _NEEDS),
    Page("mailingStatus", "GET", f"{ONE}/status", status, _NEEDS),
    Page("mailingRefusedRows", "GET", f"{ONE}/rows", show_rows, _NEEDS),
    Page("mailingSettings", "GET", f"{ONE}/settings", show_settings, _NEEDS),
    Page("downloadResults", "GET", f"{ONE}/results", results, _NEEDS),
    Page("downloadRefusedRows", "GET", f"{ONE}/refused-rows", refusals, _NEEDS),
    Page("startMailingHere", "POST", f"{ONE}/start", start, _NEEDS),
    Page("pauseMailingHere", "POST", f"{ONE}/pause", pause, _NEEDS),
    Page("resumeMailingHere", "POST", f"{ONE}/resume", resume, _NEEDS),
    Page("proceedMailingHere", "POST", f"{ONE}/continue", proceed, _NEEDS),
    Page("cancelMailingHere", "POST", f"{ONE}/cancel", cancel, _NEEDS),
    Page("retryMailingHere", "POST", f"{ONE}/retry-failed", retry, _NEEDS),
)
