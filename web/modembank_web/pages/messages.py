"""Messages: writing one, the list, and what became of each with its evidence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import msgspec

from modembank.accounts import QuotaExceeded, Scope
from modembank.errors import Conflict, InvalidRequest, NotFound
from modembank.messages import MessageFilter, NoProviderAvailable, SubmitRequest
from modembank.providers import Channel
from modembank_web.answer import Answer
from modembank_web.forms import FormBody
from modembank_web.operation import Call
from modembank_web.pages.page import ROOT, Page, errors_at, goes_to
from modembank_web.pages.rendering import render
from modembank_web.pages.words import OPEN, STATES, STATUS

PATH = f"{ROOT}/messages"
_READ, _SEND = (Scope.MESSAGES_READ,), (Scope.MESSAGES_SEND,)
_A_PAGE = 50
MOST_BY_HAND = 1_000
_FIELDS = frozenset({"to", "text", "sim", "send_at", "channel", "subject"})
Text = Annotated[str, msgspec.Meta(max_length=20_000)]
Word = Annotated[str, msgspec.Meta(max_length=300)]


class MessagesQuery(msgspec.Struct, frozen=True):
    """Which messages; empty: all."""

    status: Word = ""
    to: Word = ""
    reference: Word = ""
    batch: Word = ""
    q: Word = ""
    since: Word = ""
    until: Word = ""
    cursor: Annotated[str, msgspec.Meta(max_length=2_000)] | None = None

    @property
    def filtered(self) -> dict[str, str]:
        """What was asked for."""
        kept = {name: getattr(self, name) for name in self.__struct_fields__ if name != "cursor"}
        return {name: value for name, value in kept.items() if value}

    @property
    def newest(self) -> str:
        """Where the list alone is, from its beginning."""
        return f"{PATH}/newest?{urlencode(self.filtered)}"

    def address(self, cursor: str) -> str:
        """Return where the page after this one is."""
        return f"{PATH}?{urlencode(self.filtered | {'cursor': cursor})}"


class NewMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A message as it was written."""

    to: Text = ""
    text: Text = ""
    sim: Word = ""
    channel: Literal["sms", "email", "whatsapp"] = "sms"
    subject: Word = ""
    send_at: Word = ""
    zone: Annotated[str, msgspec.Meta(max_length=6)] = ""
    """Minutes that the writer's clock is behind UTC, as browsers tell them; empty: the box's own zone."""


class Fate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What became of a message of which nobody knew."""

    as_: Literal["delivered", "failed"] = msgspec.field(name="as")
    note: Annotated[str, msgspec.Meta(max_length=200)] = ""


_NEW, _FATE = FormBody(NewMessage), FormBody(Fate)


async def messages(call: Call) -> Answer:
    """Show a page of the list."""
    query = call.query(MessagesQuery)
    errors: dict[str, str] = {}
    page = None
    try:
        page = await call.app.messages.list(call.caller, _wanted(query, errors), cursor=query.cursor, limit=_A_PAGE)
    except InvalidRequest as error:
        errors |= errors_at(error)
    shown: dict[str, Any] = {"page": page, "query": query, "errors": errors, "words": STATUS, "states": STATES}
    shown["mailing"] = await _mailing(call, query.batch)
    if query.cursor is not None and page is not None:
        return render(call, "messages/_rows.html", **shown)
    return render(call, "messages/page.html", status=422 if page is None else 200, **shown)


async def newest(call: Call) -> Answer:
    """Answer the list alone, from its beginning."""
    query = call.query(MessagesQuery)
    page = await call.app.messages.list(call.caller, _wanted(query, {}), limit=_A_PAGE)
    return render(call, "messages/_list.html", page=page, query=query, errors={}, words=STATUS)


async def new(call: Call) -> Answer:
    """Show the form for a message."""
    return render(call, "messages/new.html", form=NewMessage(), errors={}, problem="", preview=None, **_ways(call))


async def preview(call: Call) -> Answer:
    """Answer how the text would go out."""
    form = await call.form(_NEW)
    looked, wrong = None, ""
    if form.text and form.channel == "sms":
        try:
            looked = call.app.messages.preview(form.text)
        except InvalidRequest as error:
            wrong = "; ".join(problem.detail for problem in error.problems)
    return render(call, "messages/_preview.html", preview=looked, wrong=wrong)


async def send(call: Call) -> Answer:
    """Accept it, and show it, or the list of what was sent to many."""
    form = await call.form(_NEW)
    errors: dict[str, str] = {}
    problem = ""
    recipients = [
        piece for line in form.to.splitlines() for piece in line.replace(";", ",").split(",") if piece.strip()
    ]
    moment = _moment(form, errors)
    if not recipients:
        errors["to"] = "is needed: whom is it for?"
    if len(recipients) > MOST_BY_HAND:
        errors["to"] = f"has {len(recipients)} numbers: for more than {MOST_BY_HAND} make a mailing from a file"
    if not form.text.strip():
        errors["text"] = "is needed"
    if not errors:
        wanted = SubmitRequest(
            to=recipients if len(recipients) > 1 else recipients[0],
            text=form.text,
            channel=form.channel,
            subject=form.subject.strip() or None,
            sim=form.sim or None,
            send_at=moment,
        )
        try:
            receipt = await call.app.messages.submit(call.caller, wanted)
        except InvalidRequest as error:
            errors = _by_field(error, recipients)
        except (Conflict, NoProviderAvailable, QuotaExceeded) as error:
            problem = str(error)
        else:
            where = f"{PATH}?batch={receipt.batch}" if receipt.batch else f"{PATH}/{receipt.messages[0].id}"
            return goes_to(call, where)
    shown: dict[str, Any] = {"form": form, "errors": errors, "problem": problem, "preview": None, **_ways(call)}
    return render(call, "messages/_form.html", status=422, **shown)


async def message(call: Call) -> Answer:
    """Show one message."""
    return render(call, "messages/message.html", **await _one(call))


async def message_now(call: Call) -> Answer:
    """Answer what changes of it."""
    return render(call, "messages/_message.html", **await _one(call))


async def cancel(call: Call) -> Answer:
    """Call it back before it is sent."""
    await call.app.messages.cancel(call.caller, call.path("id"))
    return await message_now(call)


async def settle(call: Call) -> Answer:
    """Say what became of it."""
    form = await call.form(_FATE)
    await call.app.messages.settle(call.caller, call.path("id"), form.as_, form.note)
    return await message_now(call)


async def redact(call: Call) -> Answer:
    """Take its text away."""
    await call.app.messages.redact(call.caller, call.path("id"))
    return await message_now(call)


async def delete(call: Call) -> Answer:
    """Delete it."""
    await call.app.messages.delete(call.caller, call.path("id"))
    return goes_to(call, PATH)


def _wanted(query: MessagesQuery, errors: dict[str, str]) -> MessageFilter:
    """Return what is to be listed; days are those of UTC, as they are shown without a script."""
    since, until = _day(query.since, "since", errors), _day(query.until, "until", errors)
    return MessageFilter(
        status=(query.status,) if query.status else (),
        to=query.to.strip() or None,
        reference=query.reference.strip() or None,
        batch=query.batch.strip() or None,
        words=query.q.strip() or None,
        since=since,
        until=None if until is None else until + timedelta(days=1),
    )


async def _mailing(call: Call, batch: str) -> str | None:
    """Return the id of the mailing whose messages a batch is, if it is one that the caller may see."""
    if not batch or not (call.caller.is_admin or Scope.MAILINGS in call.caller.scopes):
        return None
    try:
        return (await call.app.mailings.get(call.caller, batch.replace("bat_", "mlg_"))).id
    except NotFound:
        return None


def _day(text: str, name: str, errors: dict[str, str]) -> datetime | None:
    if not text.strip():
        return None
    try:
        return datetime.strptime(text.strip(), "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        errors[name] = "is a day such as 2026-11-30"
        return None


def _moment(form: NewMessage, errors: dict[str, str]) -> datetime | None:
    """Return when it is to go, from the writer's clock; None: now."""
    if not form.send_at.strip():
        return None
    try:
        written = datetime.fromisoformat(form.send_at.strip())
        if written.tzinfo is not None:
            return written
        if form.zone:
            return written.replace(tzinfo=UTC) + timedelta(minutes=int(form.zone))
        return written.astimezone()
    except (ValueError, OverflowError):
        errors["send_at"] = "is a day and a time such as 2026-11-30 08:15"
        return None


def _by_field(refused: InvalidRequest, recipients: list[str]) -> dict[str, str]:
    """Return what is wrong at the form's fields; a number among many is named."""
    found: dict[str, list[str]] = {}
    for problem in refused.problems[:20]:
        name, _, place = problem.pointer.lstrip("/").partition("/")
        which = (
            f"{recipients[int(place)]}: " if name == "to" and place.isdecimal() and int(place) < len(recipients) else ""
        )
        found.setdefault(name if name in _FIELDS else "to", []).append(which + problem.detail)
    return {name: "; ".join(words) for name, words in found.items()}


def _sims(call: Call) -> list[tuple[str, str]]:
    """Return what a message can be bound to: an admin chooses the SIM."""
    if not call.caller.is_admin:
        return []
    return [("", "any that may")] + [(sim.iccid, sim.name) for sim in call.app.sims.all()]


def _ways(call: Call) -> dict[str, Any]:
    """Return what a message can go through: channels are only offered where there is another than SMS."""
    others = sorted({each.channel for each in call.app.providers.all()} - {Channel.SMS})
    channels = [(each.value, each.value) for each in (Channel.SMS, *others)] if others else []
    return {"sims": _sims(call), "channels": channels}


async def _one(call: Call) -> dict[str, Any]:
    view = await call.app.messages.get(call.caller, call.path("id"))
    return {"message": view, "words": STATUS, "open": view.status in OPEN}


PAGES = (
    Page("messages", "GET", PATH, messages, _READ),
    Page("messagesNewest", "GET", f"{PATH}/newest", newest, _READ),
    Page("messageNew", "GET", f"{PATH}/new", new, _SEND),
    Page("messagePreview", "POST", f"{PATH}/preview", preview, _SEND),
    Page("messageSend", "POST", PATH, send, _SEND),
    Page("message", "GET", f"{PATH}/{{id}}", message, _READ),
    Page("messageNow", "GET", f"{PATH}/{{id}}/now", message_now, _READ),
    Page("messageCancel", "POST", f"{PATH}/{{id}}/cancel", cancel, _SEND),
    Page("messageSettle", "POST", f"{PATH}/{{id}}/settle", settle, _SEND),
    Page("messageRedact", "POST", f"{PATH}/{{id}}/redact", redact, _SEND),
    Page("messageDelete", "POST", f"{PATH}/{{id}}/delete", delete, _SEND),
)
