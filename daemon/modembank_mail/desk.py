"""Who may have mails become messages, to which numbers, and that they do: for one mail at a time."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence

import msgspec
import structlog

from modembank.accounts import Actor, Unauthorized
from modembank.app import App
from modembank.errors import Forbidden
from modembank.messages import IdempotencyKey, SubmitReceipt, SubmitRequest
from modembank.messages.numbers import normalise_recipient
from modembank_mail.reading import read_mail

_PROBE = "."
"""A text that fits, to ask whether a number could get one."""
_MOST_REFERENCE = 255
_log = structlog.get_logger()


class Caller(msgspec.Struct, frozen=True):
    """Who logged in, and with what; it is asked for again with each mail, since keys end."""

    name: str
    key: str
    source: str

    def __repr__(self) -> str:
        """Never show the key."""
        return f"Caller({self.name!r})"


class Desk:
    """Uses the services of a box on behalf of whoever logged in."""

    def __init__(self, app: App) -> None:
        """Use these."""
        self._app = app
        self._config = app.config.mail_in
        self._domain = self._config.domain.lower()
        self._users = {sender.address.lower(): sender.user.casefold() for sender in self._config.sender}

    async def actor(self, caller: Caller) -> Actor:
        """Return who is acting; raises Unauthorized."""
        actor = await self._app.accounts.authenticate(caller.key, caller.source)
        if actor.name.casefold() != caller.name.casefold():
            raise Unauthorized(why="the name and the API key do not belong together")
        return actor.at(caller.source)

    def check_sender(self, actor: Actor, address: str) -> None:
        """Raise Forbidden unless mails of an address may become messages of a user."""
        written = address.lower()
        user = self._users.get(written) or self._users.get(f"@{written.rpartition('@')[2]}")
        if user is None:
            raise Forbidden(why=f"{address[:80]} may not send: it is none of the senders under [[mail_in.sender]]")
        if user != actor.name.casefold():
            raise Forbidden(why=f"{address[:80]} may not send as {actor.name}: it is a sender of another user")

    async def number_of(self, actor: Actor, address: str) -> str:
        """Return the number that a recipient's address means, if a message may go there.

        Raises Forbidden, BadNumber, InvalidRequest, QuotaExceeded, StoreError.
        """
        written, _, domain = address.rpartition("@")
        if domain.lower() != self._domain:
            raise Forbidden(why=f"this server takes mail for numbers at {self._domain} alone")
        region = self._app.config.box.region
        if not region and written.startswith("00"):
            written = f"+{written[2:]}"
        number = normalise_recipient(written, region)
        await self._app.messages.submit(actor, SubmitRequest(to=number, text=_PROBE, dry_run=True))
        return number

    async def accept(self, actor: Actor, numbers: Sequence[str], octets: bytes) -> SubmitReceipt:
        """Have a mail become messages, durably, all or none; the same mail once.

        Raises Unusable and what ``Messages.submit`` raises.
        """
        config = self._config
        read = await asyncio.to_thread(read_mail, octets, config.subject, cut_quotes=config.cut_quotes)
        request = SubmitRequest(
            to=numbers[0] if len(numbers) == 1 else tuple(numbers),
            text=read.text,
            reference=read.message_id[:_MOST_REFERENCE] or None,
        )
        key = _key(read.message_id, numbers, read.text) if read.message_id else None
        receipt = await self._app.messages.submit(actor, request, key)
        count, what = len(receipt.messages), receipt.batch or receipt.messages[0].id
        _log.info("mail_accepted", user=actor.name, messages=count, accepted_as=what, replayed=receipt.replayed)
        return receipt


def _key(message_id: str, numbers: Sequence[str], text: str) -> IdempotencyKey:
    """Return what makes a mail one: its id, and to whom it goes, for a server may hand it over in parts."""
    whole = "\0".join((message_id, *sorted(numbers)))
    return IdempotencyKey.of(f"mail-{hashlib.sha256(whole.encode()).hexdigest()}", text.encode())
