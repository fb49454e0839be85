"""Files in the spool folder of an SMS daemon on the same machine, such as smstools; one kind of provider."""

from __future__ import annotations

import asyncio
import hmac
from pathlib import Path
from typing import Annotated

import msgspec

from modembank.errors import FieldProblem, InvalidRequest
from modembank.modem.outcome import AttemptOutcome, Cause, CauseClass
from modembank.providers import model

NAME = "spool"


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where messages go, and what its calls prove themselves by."""

    folder: Annotated[str, msgspec.Meta(description="The folder of outgoing messages, from the root")]
    token_secret: Annotated[str, msgspec.Meta(description="The secret that calls carry in the header X-Token")] = ""


def channel(settings: Settings) -> model.Channel:
    """It carries SMS."""
    return model.Channel.SMS


def check(settings: Settings) -> None:
    """Refuse what cannot be a folder."""
    if not settings.folder.startswith("/"):
        raise InvalidRequest(FieldProblem("/folder", "must begin at the root, such as /var/spool/sms/outgoing"))


def make(settings: Settings, means: model.Means) -> Spool:
    """Return a provider with these settings."""
    return Spool(Path(settings.folder), settings.token_secret, means)


class Spool:
    """Writes each message as a file, under a name that only a whole file has."""

    window = 4

    def __init__(self, folder: Path, token_secret: str, means: model.Means) -> None:
        """Touch nothing yet."""
        self._folder, self._token_secret, self._means = folder, token_secret, means

    def not_ready(self) -> str | None:
        """Return why nothing can be written, or None."""
        return None if self._folder.is_dir() else f"there is no folder {self._folder}"

    async def run(self) -> None:
        """Hold nothing."""

    async def send(self, message: model.Outbound, gate: model.Gate) -> model.Result:
        """Write a file; the rename gives the message away, and it works or it does not: nothing is UNKNOWN here."""
        half, whole = self._folder / f".{message.key}", self._folder / message.key
        try:
            await asyncio.to_thread(half.write_text, f"To: {message.recipient.lstrip('+')}\n\n{message.text}\n")
            if not await gate():
                return model.Result(AttemptOutcome.NOT_SENT)
            half.rename(whole)
        except OSError as error:
            return model.Result(AttemptOutcome.NOT_SENT, cause=Cause(CauseClass.MODEM, "spool_failed", str(error)))
        return model.Result(AttemptOutcome.ACCEPTED, reference=message.key, evidence={"file": message.key})

    async def called(self, call: model.Call) -> model.Reply:
        """Take what the daemon's event handler posts: ``?status=delivered&file=KEY``."""
        token = self._means.secret(self._token_secret) if self._token_secret else ""
        if not token or not hmac.compare_digest(token.encode(), call.headers.get("x-token", "").encode()):
            raise model.NotAuthentic(why="the header X-Token does not carry the token")
        status, file = call.query.get("status", ""), call.query.get("file", "")
        if status not in set(model.ReceiptStatus) or not file:
            raise model.BadCall(why="status must be delivered, failed or the like, and file the name of a message")
        await self._means.sink.receipt(model.Receipt(file, model.ReceiptStatus(status)))
        return model.Reply()
