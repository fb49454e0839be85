"""From what that API's clients ask for to a request of the box's own, or to a refusal under that API's codes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from modembank.accounts import Actor
from modembank.errors import FieldProblem, InvalidRequest
from modembank.messages import Admission, IdempotencyKey, Messages, OptedOut, SubmitReceipt, SubmitRequest
from modembank.messages.numbers import BadNumber
from modembank.outgoing import why_refused
from modembank.twilio import rows
from modembank.twilio.errors import Code, Refused
from modembank.twilio.model import Account
from modembank.twilio.rows import Extra

MOST_CHARACTERS = 1_600
MOST_VALID_S = 36_000
_FIELDS = {"/to": "To", "/text": "Body", "/valid_for_s": "ValidityPeriod", "/send_at": "SendAt"}


class KnownSim(Protocol):
    """What a sender may be named by."""

    @property
    def iccid(self) -> str:
        """ICCID."""

    @property
    def msisdn(self) -> str | None:
        """Its own number, when known."""

    @property
    def label(self) -> str:
        """The name people gave it; SIMs with the same label are a pool."""

    @property
    def slot(self) -> str | None:
        """Where it was last seen."""


class NewMessage(msgspec.Struct, frozen=True):
    """A message to be sent, as its fields say."""

    to: str
    body: str
    sender: str | None = None
    status_callback: str | None = None
    validity_s: int | None = None
    send_at: datetime | None = None
    smart_encoded: bool = False
    reply: bool = False
    """It answers an inbound message."""


async def send(
    messages: Messages,
    actor: Actor,
    account: Account,
    wanted: NewMessage,
    route: dict[str, str],
    key: IdempotencyKey | None = None,
) -> SubmitReceipt:
    """Accept a message; ``route`` is what of a SubmitRequest names the SIM. Raises Refused, and as ``submit`` does."""
    _check(account, wanted)
    text = wanted.body
    if wanted.smart_encoded:
        text = messages.preview(text).text_after or text
    request = SubmitRequest(to=wanted.to, text=text, valid_for_s=wanted.validity_s, send_at=wanted.send_at, **route)  # type: ignore[arg-type]
    try:
        return await messages.submit(actor, request, key, beside=_beside(wanted))
    except OptedOut as error:
        raise Refused(Code.OPTED_OUT, "To", error.problems[0].detail) from None
    except InvalidRequest as error:
        raise _renamed(error) from None


def check_destination(admission: Admission, written: str) -> None:
    """Raise Refused for a number that the box does not send to, whoever asks; what is none is seen elsewhere."""
    try:
        number = admission.recipient(written)
    except BadNumber:
        return
    barred = admission.not_permitted(number)
    if barred is not None:
        raise Refused(Code.PREMIUM_TO if admission.is_too_dear(number) else Code.BARRED_TO, "To", barred)


def _check(account: Account, wanted: NewMessage) -> None:
    if not wanted.body:
        raise Refused(Code.EMPTY_BODY, "Body", "is empty: there is nothing to send")
    if len(wanted.body) > MOST_CHARACTERS:
        raise Refused(Code.BODY_TOO_LONG, "Body", f"has {len(wanted.body)} characters: at most {MOST_CHARACTERS}")
    if wanted.validity_s is not None and not 1 <= wanted.validity_s <= MOST_VALID_S:
        raise Refused(Code.INVALID_PARAMETER, "ValidityPeriod", f"must be 1 to {MOST_VALID_S} seconds")
    if wanted.status_callback is not None:
        check_address(wanted.status_callback, "StatusCallback", allow_private=account.allow_private)


def check_address(url: str, name: str, *, allow_private: bool) -> None:
    """Raise Refused for an address that is never posted to."""
    why = why_refused(url, allow_private=allow_private)
    if why is not None:
        raise Refused(Code.INVALID_PARAMETER, name, why)


def route_of(sims: Sequence[KnownSim], sender: str | None, number: Callable[[str], str | None]) -> dict[str, str]:
    """Return what of a SubmitRequest chooses the sender: a SIM's own number, its ICCID, slot or label, or a pool.

    ``number`` writes a telephone number as SIMs' are written, or returns None for what is none. Raises Refused.
    """
    if sender is None:
        return {}
    written = number(sender)
    for sim in sims:
        if sim.msisdn is not None and sim.msisdn in {sender, written}:
            return {"sim": sim.iccid}
    named = [sim for sim in sims if sender in {sim.iccid, sim.slot}] or [sim for sim in sims if sim.label == sender]
    if len(named) == 1:
        return {"sim": named[0].iccid}
    if named:
        return {"pool": sender}
    raise _no_sender(sims, sender, Code.INVALID_FROM if written is None else Code.NOT_OUR_FROM)


def _no_sender(sims: Sequence[KnownSim], sender: str, code: Code) -> Refused:
    numbers = [sim.msisdn for sim in sims if sim.msisdn]
    labels = sorted({sim.label for sim in sims if sim.label})
    known = ", ".join([*numbers, *labels][:20]) or "no SIM has a number or a label yet; leave From out"
    return Refused(code, "From", f"{sender[:40]!a} is no number or label of a SIM of this box; there are: {known}")


def _beside(wanted: NewMessage) -> Callable[[sqlite3.Connection, int], None] | None:
    extra = Extra(wanted.status_callback, wanted.sender, wanted.reply)
    if extra == Extra(None, None):
        return None
    return lambda conn, message_id: rows.put_extra(conn, message_id, extra)


def _renamed(error: InvalidRequest) -> InvalidRequest:
    """Return a refusal with the names of that API's fields, and the code of the first."""
    first, *others = (FieldProblem(f"/{_FIELDS.get(each.pointer, 'From')}", each.detail) for each in error.problems)
    renamed = InvalidRequest(first, *others)
    if first.pointer == "/To":
        renamed.fields["code"] = int(Code.INVALID_TO)
    elif first.pointer == "/Body" and "segments" in first.detail:
        renamed.fields["code"] = int(Code.BODY_TOO_LONG)
    return renamed
