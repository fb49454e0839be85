"""What clients of the dialect ask for, on behalf of an account's user."""

from __future__ import annotations

import datetime as dt

import msgspec

from modembank.accounts import Actor, Scope
from modembank.errors import Conflict, NotFound
from modembank.ids import public_id, row_id
from modembank.messages import Admission, IdempotencyKey, Inbox, Messages
from modembank.messages.numbers import BadNumber
from modembank.messages.views import INBOX_ID, MESSAGE_ID
from modembank.sim import Sims
from modembank.store import Store
from modembank.twilio import listing
from modembank.twilio.errors import CannotCancel, CannotTakeAway, Code, Refused
from modembank.twilio.listing import Inbound, Outbound, Place, Wanted
from modembank.twilio.model import Account
from modembank.twilio.sending import NewMessage, check_destination, route_of, send
from modembank.twilio.sids import Kind, read_message_sid
from modembank.twilio.views import TwilioMessage, view_of

_INBOUND = "it was received, not sent"


class MessagesFilter(msgspec.Struct, frozen=True):
    """Which messages a list shows; None does not restrict. Dates are days or moments, as ``moment`` reads them."""

    to: str | None = None
    sender: str | None = None
    date_sent: str | None = None
    date_sent_before: str | None = None
    date_sent_after: str | None = None


class Listed(msgspec.Struct, frozen=True):
    """A page; tokens ask for the pages around it."""

    messages: tuple[TwilioMessage, ...]
    following: str | None
    previous: str | None


class Talk:
    """Sends, shows, calls back and takes away messages of accounts."""

    def __init__(self, store: Store, messages: Messages, inbox: Inbox, sims: Sims, admission: Admission) -> None:
        """``admission`` is the one of ``messages``."""
        self._store = store
        self._messages = messages
        self._inbox = inbox
        self._sims = sims
        self._admission = admission

    async def send(
        self, actor: Actor, account: Account, wanted: NewMessage, key: IdempotencyKey | None = None
    ) -> TwilioMessage:
        """Accept a message durably and return it. Raises Refused, Forbidden, QuotaExceeded, StoreFull, StoreError."""
        route = route_of(self._sims.all(), wanted.sender, self._number)
        check_destination(self._admission, wanted.to)
        receipt = await send(self._messages, actor, account, wanted, route, key)
        accepted = row_id(MESSAGE_ID, receipt.messages[0].id)
        return view_of(account.sid, await self._one(account, Kind.OUTBOUND, accepted or 0, receipt.messages[0].id))

    async def answer(self, actor: Actor, account: Account, to: Inbound, wanted: NewMessage, key: str) -> None:
        """Accept a reply, once for each key; through the SIM that received unless it names another. Raises as send."""
        if wanted.sender is None and to.iccid is not None:
            route = {"sim": to.iccid}
        else:
            route = route_of(self._sims.all(), wanted.sender, self._number)
        check_destination(self._admission, wanted.to)
        # The key alone says that it is the same: whoever is asked again may answer something else.
        await send(self._messages, actor, account, wanted, route, IdempotencyKey.of(key, key.encode()))

    async def fetch(self, actor: Actor, account: Account, sid: str) -> TwilioMessage:
        """Return a message by its sid; raises Forbidden, NotFound."""
        actor.require(Scope.MESSAGES_READ)
        kind, row = _named(account, sid)
        return view_of(account.sid, await self._one(account, kind, row, sid))

    async def list(
        self, actor: Actor, account: Account, which: MessagesFilter, *, token: str | None, limit: int
    ) -> Listed:
        """Return a page, newest first; raises Forbidden, Refused."""
        actor.require(Scope.MESSAGES_READ)
        if not 1 <= limit <= listing.MOST_A_PAGE:
            raise Refused(Code.INVALID_PARAMETER, "PageSize", f"must be 1 to {listing.MOST_A_PAGE}")
        place = Place() if token is None else listing.read_token(token)
        if place is None:
            raise Refused(Code.INVALID_PARAMETER, "PageToken", "is none of this list")
        wanted = self._wanted(which)
        picked = await self._store.read(lambda conn: listing.pick(conn, account.user_id, wanted, place, limit))
        return Listed(
            tuple(view_of(account.sid, message) for message in picked.messages),
            _token(picked.following),
            _token(picked.previous),
        )

    async def cancel(self, actor: Actor, account: Account, sid: str) -> TwilioMessage:
        """Call a message back that nothing was tried of; raises Forbidden, NotFound, CannotCancel."""
        kind, row = _named(account, sid)
        await self._one(account, kind, row, sid)
        if kind is Kind.INBOUND:
            raise CannotCancel(_INBOUND)
        try:
            await self._messages.cancel(actor, public_id(MESSAGE_ID, row))
        except Conflict as error:
            raise CannotCancel(str(error)) from None
        return await self.fetch(actor, account, sid)

    async def redact(self, actor: Actor, account: Account, sid: str) -> TwilioMessage:
        """Take the text of a message away; raises Forbidden, NotFound, CannotTakeAway while it may still be sent."""
        kind, row = _named(account, sid)
        await self._one(account, kind, row, sid)
        try:
            if kind is Kind.OUTBOUND:
                await self._messages.redact(actor, public_id(MESSAGE_ID, row))
            else:
                await self._inbox.redact(actor, public_id(INBOX_ID, row))
        except Conflict as error:
            raise CannotTakeAway(str(error)) from None
        return await self.fetch(actor, account, sid)

    async def delete(self, actor: Actor, account: Account, sid: str) -> None:
        """Let a message vanish; raises Forbidden, NotFound, CannotTakeAway while it may still be sent."""
        kind, row = _named(account, sid)
        await self._one(account, kind, row, sid)
        try:
            if kind is Kind.OUTBOUND:
                await self._messages.delete(actor, public_id(MESSAGE_ID, row))
            else:
                await self._inbox.delete(actor, public_id(INBOX_ID, row))
        except Conflict as error:
            raise CannotTakeAway(str(error)) from None

    async def _one(self, account: Account, kind: Kind, row: int, sid: str) -> Outbound | Inbound:
        found = await self._store.read(lambda conn: listing.one(conn, account.user_id, kind, row))
        if found is None:
            raise NotFound(what="message", which=ascii(sid[:40]))
        return found

    def _wanted(self, which: MessagesFilter) -> Wanted:
        since, before = _between(which)
        return Wanted(self._written(which.to), self._written(which.sender), since, before)

    def _written(self, number: str | None) -> str | None:
        """Return a number as messages are stored with it, or what is none (a sender name) as it is."""
        return None if number is None else self._number(number) or number

    def _number(self, written: str) -> str | None:
        try:
            return self._admission.recipient(written)
        except BadNumber:
            return None


def _token(place: Place | None) -> str | None:
    return None if place is None else place.token


def moment(text: str, name: str) -> tuple[int, int]:
    """Return the first unix millisecond of a day or a second, and of the one after; raises Refused."""
    try:
        if len(text) == 10:
            start = dt.datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=dt.UTC)
            step = dt.timedelta(days=1)
        else:
            start = dt.datetime.fromisoformat(text)
            start = start if start.tzinfo is not None else start.replace(tzinfo=dt.UTC)
            step = dt.timedelta(seconds=1)
        return round(start.timestamp() * 1000), round((start + step).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise Refused(Code.INVALID_PARAMETER, name, "must be a day such as 2026-11-20, in UTC") from None


def _between(which: MessagesFilter) -> tuple[int | None, int | None]:
    """Return from when on and before when; "before" and "after" a day mean until, and from, its midnight."""
    since = before = None
    if which.date_sent is not None:
        since, before = moment(which.date_sent, "DateSent")
    if which.date_sent_after is not None:
        after = moment(which.date_sent_after, "DateSent>")[0]
        since = after if since is None else max(since, after)
    if which.date_sent_before is not None:
        until = moment(which.date_sent_before, "DateSent<")[0] + 1
        before = until if before is None else min(before, until)
    return since, before


def _named(account: Account, sid: str) -> tuple[Kind, int]:
    found = read_message_sid(account.sid, sid)
    if found is None:
        raise NotFound(what="message", which=ascii(sid[:40]))
    return found
