"""Mails, handed to the site's own server: encrypted, bounded in time, with an id that is the same at each try."""

from __future__ import annotations

import asyncio
import contextlib
import smtplib
import socket
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path

import msgspec

from modembank_hub.config import MailConfig

STEP_S = 15.0
"""For one step of the exchange."""
WITHIN_S = 60.0
"""For all of it."""
_POLICY = SMTP.clone(cte_type="7bit")


class Letter(msgspec.Struct, frozen=True):
    """A mail to be."""

    id: str
    to: Sequence[str]
    subject: str
    text: str
    at: float
    """Unix seconds."""


class Mailer:
    """Hands mails over."""

    def __init__(self, config: MailConfig) -> None:
        """To the server that is configured."""
        self._config = config

    @property
    def possible(self) -> bool:
        """Whether there is a server."""
        return bool(self._config.host)

    async def send(self, letter: Letter) -> str | None:
        """Hand a mail over; return why it was not taken, None when it was."""
        if not self.possible:
            return "there is no mail server: name one as host under [mail] in the hub's configuration"
        exchange = _Exchange(self._config)
        try:
            async with asyncio.timeout(WITHIN_S):
                return await asyncio.to_thread(exchange.run, _message(letter, self._config.sender), letter.to)
        except TimeoutError:
            return f"{self._config.host} did not take it within {WITHIN_S:g} seconds"
        finally:
            exchange.abort()


class _Exchange:
    """One conversation with the server, on a thread of its own."""

    def __init__(self, config: MailConfig) -> None:
        self._config = config
        self._server: smtplib.SMTP | None = None

    def run(self, message: EmailMessage, to: Sequence[str]) -> str | None:
        try:
            return self._run(message, to)
        except smtplib.SMTPRecipientsRefused as error:
            return f"it takes mail for none of the recipients: {_said(next(iter(error.recipients.values())))}"
        except smtplib.SMTPResponseException as error:
            return f"it answered {_said((error.smtp_code, error.smtp_error))}"
        except (OSError, ValueError, smtplib.SMTPException) as error:
            return f"{self._config.host}: {str(error)[:300] or type(error).__name__}"

    def abort(self) -> None:
        """Wake the thread, if it is still waiting for the server."""
        held = self._server.sock if self._server is not None else None
        if held is not None:
            with contextlib.suppress(OSError):
                held.shutdown(socket.SHUT_RDWR)

    def _run(self, message: EmailMessage, to: Sequence[str]) -> str | None:
        config = self._config
        password = _password(config)
        trust = ssl.create_default_context(cafile=config.tls_ca or None)
        place, name = (config.host, config.port), socket.gethostname()
        if config.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(*place, name, timeout=STEP_S, context=trust)
        else:
            server = smtplib.SMTP(*place, name, timeout=STEP_S)
        self._server = server
        try:
            if config.security == "starttls":
                server.starttls(context=trust)
            if config.user:
                server.login(config.user, password)
            server.send_message(message, config.sender, list(to))
        finally:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                server.quit()
        return None


def _message(letter: Letter, sender: str) -> EmailMessage:
    made = EmailMessage(policy=_POLICY)
    made["From"] = sender
    made["To"] = ", ".join(letter.to)
    made["Subject"] = letter.subject[:200]
    made["Date"] = format_datetime(datetime.fromtimestamp(letter.at, UTC))
    made["Message-ID"] = f"<{letter.id}@{sender.partition('@')[2]}>"
    made["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answering machine is to answer
    made.set_content(letter.text)
    return made


def _password(config: MailConfig) -> str:
    if not config.password_file:
        return ""
    path = Path(config.password_file)
    if path.stat().st_mode & 0o077:
        message = f"{path} can be read by others: chmod 600"
        raise ValueError(message)
    return path.read_text("utf-8").partition("\n")[0].strip()


def _said(answer: tuple[int, bytes | str]) -> str:
    code, text = answer
    return f"{code} {text.decode('utf-8', 'replace') if isinstance(text, bytes) else text}"[:300]
