"""A mail server, as forwards use it: what stands in a mail, who logs in, and how many at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from modembank.mail.model import Post
from modembank.mail.wording import letter_of
from modembank.mail_config import MailOutConfig
from modembank.providers.adapters.smtp import PORTS
from modembank.providers.adapters.smtp_mailer import Mailer
from modembank.providers.adapters.smtp_talk import Server
from modembank.providers.model import Result, SecretMissing

AT_ONCE = 2
"""Mails to one server."""


class Office:
    """Hands mails to one server."""

    def __init__(self, config: MailOutConfig, box: str, domain: str) -> None:
        """``domain`` is where answers become messages; empty: nowhere."""
        self._box = box
        self._domain = domain
        server = Server(
            host=config.host,
            port=config.port or PORTS[config.security],
            security=config.security,
            username=config.username,
            ca=config.ca,
            allow_private=True,  # whoever writes the configuration may
        )
        self._mailer = Mailer(server, _password_of(config))
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def send(self, post: Post, told: Mapping[str, Any], label: str) -> Result:
        """Tell an address of a message; never raises for what a server does."""
        letter = letter_of(post, told, label, box=self._box, domain=self._domain)
        async with self._slots:
            return await self._mailer.send(letter, _open)

    async def close(self) -> None:
        """Hang up."""
        await self._mailer.close()


async def _open() -> bool:
    """The gate of mails that are told again when nobody knows: their intent is the event itself."""
    return True


def _password_of(config: MailOutConfig) -> Callable[[], str]:
    def read() -> str:
        if not config.password_file:
            why = f"mail_out {config.name} has a username and no password: name a password_file, or hand one over"
            raise SecretMissing(why=why)
        try:
            return Path(config.password_file).read_text("utf-8").strip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
            raise SecretMissing(why=f"the password file {config.password_file} cannot be read: {reason}") from error

    return read
