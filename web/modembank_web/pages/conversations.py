"""Conversations: what was said with a number, and answering it."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import msgspec

from modembank.accounts import QuotaExceeded, Scope
from modembank.errors import Conflict, InvalidRequest
from modembank.messages import MessageView, NoProviderAvailable, ProviderDisabled
from modembank_web.answer import Answer
from modembank_web.forms import FormBody
from modembank_web.operation import Call
from modembank_web.pages.page import ROOT, Page
from modembank_web.pages.rendering import render
from modembank_web.pages.words import STATUS

PATH = f"{ROOT}/conversations"
_READ, _SEND = (Scope.MESSAGES_READ,), (Scope.MESSAGES_SEND,)
_A_PAGE = 40


class Cursor(msgspec.Struct, frozen=True):
    """Where a page of a list goes on."""

    cursor: Annotated[str, msgspec.Meta(max_length=2_000)] | None = None


class FoundQuery(msgspec.Struct, frozen=True):
    """What is looked for in what came in, and where a page of it goes on."""

    q: Annotated[str, msgspec.Meta(max_length=1_000)] = ""
    cursor: Annotated[str, msgspec.Meta(max_length=2_000)] | None = None


class Reply(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An answer as it was written."""

    text: Annotated[str, msgspec.Meta(max_length=20_000)] = ""


_REPLY = FormBody(Reply)


async def conversations(call: Call) -> Answer:
    """Show the list; or the next page of it."""
    cursor = call.query(Cursor).cursor
    listed = await call.app.conversations.list(call.caller, cursor=cursor, limit=_A_PAGE)
    if cursor is not None:
        return render(call, "conversations/_rows.html", listed=listed, number="", words=STATUS)
    return render(call, "conversations/page.html", listed=listed, number="", words=STATUS)


async def found(call: Call) -> Answer:
    """Show what came in whose text has some words, the newest first; or the next page of it."""
    query, problem = call.query(FoundQuery), ""
    words, page = query.q.strip(), None
    if words:
        try:
            page = await call.app.inbox.list(call.caller, words=words, cursor=query.cursor, limit=_A_PAGE)
        except InvalidRequest as error:
            problem = "; ".join(each.detail for each in error.problems)
    shown: dict[str, Any] = {"page": page, "words": words, "problem": problem}
    if query.cursor is not None and page is not None:
        return render(call, "conversations/_found_rows.html", **shown)
    return render(call, "conversations/found.html", status=422 if problem else 200, **shown)


async def conversations_now(call: Call) -> Answer:
    """Answer the list alone, from its beginning."""
    listed = await call.app.conversations.list(call.caller, limit=_A_PAGE)
    return render(call, "conversations/_list.html", listed=listed, number="", words=STATUS)


async def thread(call: Call) -> Answer:
    """Show what was said with a number beside the list; or what came before a page of it."""
    cursor = call.query(Cursor).cursor
    shown = await _thread(call, cursor)
    if cursor is not None:
        return render(call, "conversations/_earlier.html", **shown)
    listed = await call.app.conversations.list(call.caller, limit=_A_PAGE)
    return render(call, "conversations/page.html", listed=listed, **shown)


async def thread_now(call: Call) -> Answer:
    """Answer the newest of a thread."""
    return render(call, "conversations/_newest.html", **await _thread(call, None))


async def read(call: Call) -> Answer:
    """Mark it as read, since it is on somebody's screen."""
    await call.app.conversations.read(call.caller, call.path("number"))
    return Answer(b"", 204)


async def reply(call: Call) -> Answer:
    """Answer it, through the SIM that received the last of it."""
    form, problem = await call.form(_REPLY), ""
    if not form.text.strip():
        problem = "write something first"
    else:
        try:
            await call.app.conversations.reply(call.caller, call.path("number"), form.text)
        except InvalidRequest as error:
            problem = "; ".join(each.detail for each in error.problems[:3])
        except (Conflict, ProviderDisabled, NoProviderAvailable, QuotaExceeded) as error:
            problem = str(error)
    shown: dict[str, Any] = {"number": call.path("number"), "problem": problem, "text": form.text if problem else ""}
    extra = () if problem else ((b"hx-trigger", b"said"),)
    return render(call, "conversations/_reply.html", status=422 if problem else 200, extra=extra, **shown)


async def _thread(call: Call, cursor: str | None) -> dict[str, Any]:
    found = await call.app.conversations.thread(call.caller, call.path("number"), cursor=cursor, limit=_A_PAGE)
    said = [(item, isinstance(item, MessageView)) for item in reversed(found.items)]
    address = f"{PATH}/{quote(found.number, safe='')}"
    return {
        "number": found.number, "thread": found, "said": said, "address": address, "words": STATUS,
        "problem": "", "text": "",
        "can_reply": found.number.startswith("+") or any(item.provider for item, ours in said if not ours),
    }  # fmt: skip


PAGES = (
    Page("conversations", "GET", PATH, conversations, _READ),
    Page("conversationsFound", "GET", f"{PATH}/found", found, _READ),
    Page("conversationsNow", "GET", f"{PATH}/now", conversations_now, _READ),
    Page("conversation", "GET", f"{PATH}/{{number}}", thread, _READ),
    Page("conversationNow", "GET", f"{PATH}/{{number}}/now", thread_now, _READ),
    Page("conversationRead", "POST", f"{PATH}/{{number}}/read", read, _READ),
    Page("conversationReply", "POST", f"{PATH}/{{number}}/reply", reply, _SEND),
)
