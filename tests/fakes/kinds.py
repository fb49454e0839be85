"""Kinds of providers for tests: the documented example, and one that ends as a test says."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Mapping
from types import ModuleType
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import pytest

from fakes import spool
from modembank.errors import FieldProblem, InvalidRequest
from modembank.modem.outcome import AttemptOutcome
from modembank.providers import Draft, Provider, kinds
from modembank.providers.model import (
    Arrival,
    BadCall,
    Call,
    Channel,
    Gate,
    Means,
    NotAuthentic,
    Outbound,
    Receipt,
    ReceiptStatus,
    Reply,
    Result,
)

SETTINGS: dict[str, Any] = {"url": "https://sms.example.net/send", "key_secret": "trial-key"}


class TrialSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Settings of every shape that a form must know."""

    url: Annotated[str, msgspec.Meta(min_length=1, max_length=200, description="Where messages go")]
    channel: Annotated[Literal["sms", "email", "whatsapp"], msgspec.Meta(description="What it carries")] = "sms"
    key_secret: Annotated[str, msgspec.Meta(max_length=64, description="Name of the secret with the key")] = ""
    window: Annotated[int, msgspec.Meta(ge=1, le=64, description="Messages at once")] = 4
    timeout_s: Annotated[float, msgspec.Meta(ge=0.1, le=60, description="Seconds for an answer")] = 10.0
    verify: Annotated[bool, msgspec.Meta(description="Check certificates")] = True
    sender: Annotated[str | None, msgspec.Meta(description="What recipients see")] = None
    headers: Annotated[dict[str, str], msgspec.Meta(description="More headers of the request")] = {}
    good: Annotated[tuple[int, ...], msgspec.Meta(description="Statuses that mean that it was taken")] = (200, 202)


class Trial:
    """Ends as ``results`` say, then well."""

    results: ClassVar[deque[Result]] = deque()
    sent: ClassVar[list[Outbound]] = []
    broken: ClassVar[str | None] = None

    def __init__(self, settings: TrialSettings, means: Means) -> None:
        self.settings, self.means = settings, means

    @property
    def window(self) -> int:
        return self.settings.window

    def not_ready(self) -> str | None:
        return Trial.broken

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def send(self, message: Outbound, gate: Gate) -> Result:
        if not await gate():
            return Result(AttemptOutcome.NOT_SENT)
        Trial.sent.append(message)
        return Trial.results.popleft() if Trial.results else Result(
            AttemptOutcome.ACCEPTED, f"ref-{len(Trial.sent)}", evidence={"answer": "202 Accepted", "seconds": 0.1}
        )  # fmt: skip

    async def called(self, call: Call) -> Reply:
        if call.headers.get("x-key") != "right":
            raise NotAuthentic(why="the key is wrong")
        if call.method == "GET":
            return Reply(200, call.query.get("challenge", ""))
        said: Mapping[str, Any] = msgspec.json.decode(call.body) if call.body else {}
        if "from" in said:
            await self.means.sink.arrival(Arrival(said["key"], said["from"], said["text"]))
        elif "ref" in said:
            await self.means.sink.receipt(Receipt(said["ref"], ReceiptStatus(said["status"]), said.get("detail", "")))
        else:
            raise BadCall(why="ref is missing")
        return Reply(200, '{"taken": true}', "application/json")


class Brought:
    """Keeps what adapters bring; a Sinks and a Sink in one, for a box without a journal."""

    def __init__(self) -> None:
        self.receipts: list[Receipt] = []
        self.arrivals: list[Arrival] = []
        self.fails: Exception | None = None

    def of(self, provider: Provider) -> Brought:
        return self

    async def receipt(self, receipt: Receipt) -> None:
        if self.fails is not None:
            raise self.fails
        self.receipts.append(receipt)

    async def arrival(self, arrival: Arrival) -> None:
        if self.fails is not None:
            raise self.fails
        self.arrivals.append(arrival)


def draft(name: str = "alpha", **more: Any) -> Draft:
    """Return a provider of the kind ``trial``."""
    return Draft(name, "trial", SETTINGS | more)


def install(patch: pytest.MonkeyPatch) -> None:
    """Let the kinds ``trial`` and ``spool`` be all that there are, for one test."""
    trial = ModuleType("modembank.providers.adapters.trial", "An account that ends as a test says.")
    vars(trial).update(
        NAME="trial", Settings=TrialSettings, make=Trial, check=_check, channel=lambda given: Channel(given.channel)
    )
    patch.setitem(sys.modules, trial.__name__, trial)
    patch.setitem(sys.modules, "modembank.providers.adapters.spool", spool)
    patch.setattr(kinds, "KINDS", ("trial", "spool"))
    patch.setattr(Trial, "results", deque())
    patch.setattr(Trial, "sent", [])
    patch.setattr(Trial, "broken", None)


def _check(settings: TrialSettings) -> None:
    if not settings.url.startswith("https://"):
        raise InvalidRequest(FieldProblem("/url", "must begin with https://"))
