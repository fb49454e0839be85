"""What the mail server does at each command: the hooks of aiosmtpd, by its names."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as NotBase64
from typing import Any, TypeAlias, cast

import structlog
from aiosmtpd.smtp import MISSING, SMTP, AuthResult, Envelope, Session

from modembank.errors import ModembankError
from modembank.metrics import Metrics
from modembank_mail.answers import FAULT, LOG_IN_FIRST, STOPPING, answer_to, line
from modembank_mail.desk import Caller, Desk

_EMPTY = "="
"""How an empty answer is written in the line of AUTH (RFC 4954 4)."""
_Args: TypeAlias = list[str]
_log = structlog.get_logger()


class Hooks:
    """One for all connections."""

    def __init__(self, desk: Desk, metrics: Metrics, *, most_recipients: int) -> None:
        """Ask ``desk`` for everything."""
        self._desk = desk
        self._metrics = metrics
        self._most = most_recipients
        self.stopping = False

    # -- logging in: RFC 4616, and the older LOGIN

    async def auth_PLAIN(self, server: SMTP, args: _Args) -> AuthResult:
        """Take user and key in one."""
        given = args[1] if len(args) > 1 else None
        octets = await server.challenge_auth("") if given is None else _octets(given)
        if not isinstance(octets, bytes):
            return _told(octets)
        parts = octets.split(b"\0")
        if len(parts) != 3:
            return _no("501 5.5.2 a name, a user and a password are wanted, with zeros between")
        return await self._log_in(server, parts[1] or parts[0], parts[2])

    async def auth_LOGIN(self, server: SMTP, args: _Args) -> AuthResult:
        """Take user and key one after the other."""
        name = _octets(args[1]) if len(args) > 1 else await server.challenge_auth(server.AuthLoginUsernameChallenge)
        if not isinstance(name, bytes):
            return _told(name)
        key = await server.challenge_auth(server.AuthLoginPasswordChallenge)
        if not isinstance(key, bytes):
            return _told(key)
        return await self._log_in(server, name, key)

    async def _log_in(self, server: SMTP, name: bytes, key: bytes) -> AuthResult:
        source = _source(server.session)
        caller = Caller(name.decode("utf-8", "replace"), key.decode("utf-8", "replace"), source)
        try:
            actor = await self._desk.actor(caller)
        except ModembankError as error:
            _log.warning("mail_login_refused", source=source, error=error.key)
            return _no(answer_to(error))
        _log.info("mail_login", user=actor.name, source=source)
        return AuthResult(success=True, auth_data=caller)

    # -- a mail

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a sender that may send."""
        if self.stopping:
            return STOPPING
        caller = cast("object", session.auth_data)
        if not isinstance(caller, Caller):
            return LOG_IN_FIRST
        try:
            self._desk.check_sender(await self._desk.actor(caller), address)
        except ModembankError as error:
            return self._refused("sender", error)
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a number that may get a message."""
        if len(envelope.rcpt_tos) >= self._most:
            return f"452 4.5.3 a mail has at most {self._most} recipients: send it again to the others"
        try:
            number = await self._desk.number_of(await self._desk.actor(_caller(session)), address)
        except ModembankError as error:
            return self._refused("recipient", error)
        if number not in envelope.rcpt_tos:
            envelope.rcpt_tos.append(number)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Answer that a mail was taken when its messages are durable."""
        if self.stopping:
            return STOPPING
        octets = envelope.original_content or b""
        try:
            actor = await self._desk.actor(_caller(session))
            receipt = await self._desk.accept(actor, envelope.rcpt_tos, octets)
        except ModembankError as error:
            return self._refused("mail", error)
        self._metrics.mails_taken.labels("replayed" if receipt.replayed else "accepted").inc()
        count = len(receipt.messages)
        what = receipt.messages[0].id if receipt.batch is None else f"{count} messages, {receipt.batch}"
        return line("250 2.0.0", f"accepted as {what}{', as before' if receipt.replayed else ''}")

    async def handle_VRFY(self, server: SMTP, session: Session, envelope: Envelope, address: str) -> str:
        """Tell nobody anything."""
        return "252 2.5.2 send a mail, and see"

    async def handle_exception(self, error: Exception) -> str:
        """Tell nothing of a fault but that it is one."""
        _log.error("mail_fault", error=repr(error), exc_info=error)
        return FAULT

    def _refused(self, what: str, error: ModembankError) -> str:
        answer = answer_to(error)
        self._metrics.mails_taken.labels("refused").inc()
        _log.info("mail_refused", what=what, error=error.key, code=answer[:9])
        return answer


def _caller(session: Session) -> Caller:
    caller = cast("object", session.auth_data)
    assert isinstance(caller, Caller), "MAIL asks for it"
    return caller


def _source(session: Session | None) -> str:
    peer: Any = None if session is None else session.peer
    return str(peer[0]) if isinstance(peer, tuple) and peer else ""


def _octets(given: str) -> bytes | None:
    """Return what stands in base64, or None when it does not."""
    if given == _EMPTY:
        return b""
    try:
        return b64decode(given, validate=True)
    except (NotBase64, ValueError):
        return None


def _told(answer: object) -> AuthResult:
    """Say that a login came to nothing: aiosmtpd has answered a challenge that went wrong already."""
    return AuthResult(success=False, handled=True) if answer is MISSING else _no("501 5.5.2 this is no base64")


def _no(answer: str) -> AuthResult:
    return AuthResult(success=False, handled=False, message=answer)
