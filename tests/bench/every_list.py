"""Every list that a face shows, the worst filters included, for ``bench_lists.py``."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol, cast

from box_after_years import BEGAN, COMMON_USER, FIRST, MAILINGS, RARE_USER, STEP_MS, USUAL_USER

from modembank.accounts.model import ROLE_SCOPES, Actor, Role, Scope
from modembank.audit import Audit, Wanted
from modembank.bus import Bus
from modembank.clock import SystemClock
from modembank.config import SendingConfig
from modembank.conversations import Conversations
from modembank.couriers import Means
from modembank.dispatch import Finishing
from modembank.eventlog import EventLog, viewer_of
from modembank.ids import public_id
from modembank.mailings.rows import MAILING_ID
from modembank.mailings.service import Mailings
from modembank.messages import Admission, Inbox, MessageFilter, Messages
from modembank.messages.telling import told_of_messages
from modembank.messages.views import BATCH_ID
from modembank.metrics import Metrics
from modembank.optouts import OptOuts
from modembank.twilio import MessagesFilter, Talk
from modembank.webhooks import Webhooks

PAGE = 50


class Silent:
    """A box without SIMs that explains nothing."""

    def all(self) -> tuple[object, ...]:
        """Return no SIM."""
        return ()

    def explain(self, _: object) -> None:
        """Return no sentence."""


class Unrecorded:
    """Notes nothing of who reads what: that is a write, and once an hour."""

    async def note(self, *_: object) -> None:
        """Do nothing."""


class Listed(Protocol):
    """A page of any list."""

    @property
    def items(self) -> Sequence[object]:
        """What it shows."""

    @property
    def cursor(self) -> str | None:
        """What asks for the next; None at the end."""


Read = Callable[[str | None], Coroutine[Any, Any, Listed]]


@dataclass(frozen=True)
class Shown:
    """A page of what has other pages than the lists."""

    items: Sequence[object]
    cursor: str | None = None


def person(user_id: int | None) -> Actor:
    """Return a sender, or an admin."""
    role = Role.ADMIN if user_id is None else Role.SENDER
    return Actor(user_id or 0, "someone", role, frozenset(Scope) if user_id is None else ROLE_SCOPES[role])


def filters(rows: int) -> Iterator[tuple[str, MessageFilter, int | None]]:
    """Every kind of list, the worst ones included: name, filter, whose messages (None: an admin's list)."""

    def at(share: float) -> datetime:
        return datetime.fromtimestamp((BEGAN + rows * share * STEP_MS) / 1000, UTC)

    recipient, batch = "+447900000007", FIRST + rows // 4000
    yield "all", MessageFilter(), None
    yield "a user with a third of all", MessageFilter(), COMMON_USER
    yield "a user with one in ten thousand", MessageFilter(), RARE_USER
    yield "a user without messages", MessageFilter(), 999
    for words in ("delivered", "sent", "queued", "scheduled", "sending", "unknown", "failed,expired,cancelled"):
        yield f"status {words}", MessageFilter(status=tuple(words.split(","))), None
    yield "status failed,scheduled,sent", MessageFilter(status=("failed", "scheduled", "sent")), None
    for name, user in (("a third", COMMON_USER), ("a fiftieth", USUAL_USER), ("one in ten thousand", RARE_USER)):
        for words in ("scheduled", "unknown", "sent", "cancelled,sent"):
            yield f"status {words}, user with {name}", MessageFilter(status=tuple(words.split(","))), user
        yield f"a SIM that sent nothing, user with {name}", MessageFilter(sim="8944110000000000002"), user
        yield f"until the first tenth, user with {name}", MessageFilter(until=at(0.1)), user
    yield "status queued, user without", MessageFilter(status=("queued",)), 999
    yield "to", MessageFilter(to=recipient), None
    yield "to, user without", MessageFilter(to=recipient), 999
    yield "reference", MessageFilter(reference="order-4711"), None
    yield "batch", MessageFilter(batch=public_id(BATCH_ID, batch)), None
    yield "batch, status it has not", MessageFilter(batch=public_id(BATCH_ID, batch), status=("queued",)), None
    yield "a SIM that sent all", MessageFilter(sim="8944110000000000001"), None
    yield "a SIM that sent nothing", MessageFilter(sim="8944110000000000002"), None
    yield "since the last tenth", MessageFilter(since=at(0.9)), None
    yield "since tomorrow", MessageFilter(since=at(1.1)), None
    yield "since the last tenth, status unknown", MessageFilter(since=at(0.9), status=("unknown",)), USUAL_USER
    yield "until the first tenth", MessageFilter(until=at(0.1)), None


class Faces:
    """The services that faces call, over one reader."""

    def __init__(self, store: object, rows: int) -> None:
        """``store`` is what they read from, ``rows`` how many messages it has."""
        self.rows = rows
        clock, bus, metrics = SystemClock(), Bus(), Metrics()
        box, nobody, sending = cast("Any", store), cast("Any", Silent()), SendingConfig()
        self.admission = Admission(nobody, sending)
        self.messages = Messages(box, bus, clock, metrics, self.admission, nobody)
        self.inbox = Inbox(box, self.admission, clock)
        self.conversations = Conversations(
            box, self.messages, self.inbox, self.admission, nobody, cast("Any", Unrecorded())
        )
        finishing = Finishing(nobody)
        self.mailings = Mailings(
            box, bus, clock, metrics, admission=self.admission, finishing=finishing, sending=sending, region="",
            data_dir=Path("/nonexistent"),
        )  # fmt: skip
        self.audit = Audit(box, clock)
        self.events = EventLog(box, bus, clock, nobody, {"message": told_of_messages})
        self.optouts = OptOuts(box, bus, clock, self.admission)
        self.webhooks = Webhooks(Means(box, self.events, clock, metrics))
        self.twilio = Talk(box, self.messages, self.inbox, nobody, self.admission)

    def lists(self) -> Iterator[tuple[str, Read]]:
        """Every list that a face shows, with how to read a page of it."""
        for name, which, user in filters(self.rows):
            yield name, _paged(self.messages.list, person(user), which)
        yield from self._inbound()
        yield from self._others()
        yield "webhooks with their retries, all of the box", self._all_webhooks

    def _inbound(self) -> Iterator[tuple[str, Read]]:
        number = "+447900000007"
        for name, user in (("", None), (" of a sender", COMMON_USER)):
            who = person(user)
            yield f"inbox{name}", _paged(self.inbox.list, who)
            yield f"inbox, from{name}", _paged(self.inbox.list, who, sender=number)
            yield f"conversations{name}", _paged(self.conversations.list, who)
            yield f"one conversation{name}", _paged(self.conversations.thread, who, number)
            yield f"mailings{name}", _paged(self.mailings.list, who)
        newest = public_id(MAILING_ID, FIRST + (MAILINGS - 1) * 2000)
        yield "refused rows of a mailing", _paged(self.mailings.refused, person(None), newest)

    def _others(self) -> Iterator[tuple[str, Read]]:
        admin = person(None)
        for name, wanted in (
            ("", Wanted()),
            (", of an actor", Wanted(actor="user-7")),
            (", of an actor that did nothing", Wanted(actor="nobody")),
            (", a rare action", Wanted(action="backup")),
            (", an action that never was", Wanted(action="sim.rename")),
            (", since tomorrow", Wanted(since=1 << 50)),
        ):
            yield f"audit{name}", _paged(self.audit.list, admin, wanted)
        for name, user, kinds in (
            ("all", None, ("*",)),
            ("a rare kind", None, ("optout.*",)),
            ("a kind that never was", None, ("sim.*",)),
            ("of a sender", USUAL_USER, ("message.*",)),
        ):
            yield f"events, {name}", partial(self._page_of_events, person(user), kinds)
        yield "opt-outs", _paged(self.optouts.list, admin)
        yield "opt-outs, state out", _paged(self.optouts.list, admin, state="out")
        yield "opt-outs, state in", _paged(self.optouts.list, admin, state="in")
        yield "reviews, open", _paged(self.optouts.reviews, admin)
        yield "reviews, all", _paged(self.optouts.reviews, admin, still_open=False)
        for name, asked in (
            ("", MessagesFilter()),
            (", to", MessagesFilter(to="+447900000007")),
            (", to nobody", MessagesFilter(to="+447900900901")),
            (", from", MessagesFilter(sender="+447900000007")),
            (", of one day", MessagesFilter(date_sent="2024-06-01")),
        ):
            yield f"Twilio, messages{name}", partial(self._page_of_twilio, person(COMMON_USER), asked)

    async def _page_of_events(self, actor: Actor, kinds: Sequence[str], cursor: str | None) -> Shown:
        page = await self.events.page(int(cursor or 0), viewer_of(actor, kinds, "/events"), PAGE)
        return Shown(page.events, str(page.upto) if page.more else None)

    async def _page_of_twilio(self, actor: Actor, which: MessagesFilter, token: str | None) -> Shown:
        page = await self.twilio.list(actor, cast("Any", _Account(actor.user_id)), which, token=token, limit=PAGE)
        return Shown(page.messages, page.following)

    async def _all_webhooks(self, _: str | None) -> Shown:
        return Shown(await self.webhooks.list(person(None)))


@dataclass(frozen=True)
class _Account:
    """What of a Twilio account its lists use."""

    user_id: int
    sid: str = "AC" + "0" * 32


def _paged(fn: Callable[..., Coroutine[Any, Any, Listed]], *given: object, **named: object) -> Read:
    return lambda cursor: fn(*given, cursor=cursor, limit=PAGE, **named)
