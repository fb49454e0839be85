"""What every provider has in common: what it is handed, what became of it, and what comes back later.

A provider takes whole messages, where the bank takes segments. One kind of provider is one file in ``adapters/``, which
knows its protocol and nothing of queues, databases or retries.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeAlias

import msgspec

from modembank.clock import Clock
from modembank.errors import ModembankError
from modembank.modem.outcome import AttemptOutcome, Cause


class Channel(enum.StrEnum):
    """By which a message reaches its recipient."""

    SMS = "sms"
    EMAIL = "email"
    WHATSAPP = "whatsapp"


class Outbound(msgspec.Struct, frozen=True):
    """One message for one recipient, to be handed over whole."""

    key: str
    """The same for every try at one message, and no other's in the world: for providers that know idempotency keys."""
    channel: Channel
    recipient: str
    """E.164 with ``+`` for SMS and WhatsApp, or an operator's short code; an address for e-mail."""
    text: str
    subject: str | None = None
    """Of an e-mail."""
    segments: int = 1
    flash: bool = False
    delivery_report: bool = True
    """Somebody wants to know whether it arrived."""
    valid_for_s: int = 86_400
    """From now on; it is worth nothing afterwards."""


Evidence: TypeAlias = Mapping[str, str | int | float | bool]
"""What was seen, for people: names in snake_case, short values (an excerpt of an answer, a status, seconds)."""
EVIDENCE_LIMIT = 500
"""Characters of one value of the evidence."""


class Result(msgspec.Struct, frozen=True):
    """The end of one try to hand a message to a provider.

    NOT_SENT: the provider certainly has nothing, for the request was never written whole, or was not the message yet.
    REJECTED: it answered that it does not take it. ACCEPTED: it took it. UNKNOWN: it may have it, as after a timeout,
    a broken connection, or an answer that makes no sense. A cause is given with all but ACCEPTED; its class says what
    follows: RECIPIENT (final: nobody else would take it), SIM (this provider's account: another may), NETWORK (passing:
    later, or another), MODEM (the provider is not ready: it rests), AMBIGUOUS (with UNKNOWN).
    """

    outcome: AttemptOutcome
    reference: str | None = None
    """By which the provider calls the message in its receipts; at most 200 characters."""
    cause: Cause | None = None
    evidence: Evidence = msgspec.field(default_factory=dict)
    retry_after_s: float | None = None
    """With NETWORK or MODEM: what the provider asked for."""


class ReceiptStatus(enum.StrEnum):
    """What a receipt says."""

    PENDING = "pending"
    """It has the message and still tries."""
    DELIVERED = "delivered"
    FAILED = "failed"
    """It gave up."""
    EXPIRED = "expired"
    """It gave up since the validity was over."""


class Receipt(msgspec.Struct, frozen=True):
    """What a provider says later of a message that it took."""

    reference: str
    status: ReceiptStatus
    detail: str = ""
    """Its own words or code, for people; empty when there are none."""
    at_ms: int | None = None
    """When it happened, unix ms by the provider's clock; None when it does not say."""


class Arrival(msgspec.Struct, frozen=True):
    """A message that came in through a provider."""

    key: str
    """By which the provider calls it: what comes twice under one key is one message."""
    sender: str
    text: str
    sent_at_ms: int | None = None
    to: str = ""
    """The number or address of ours that it was sent to."""


class Sink(Protocol):
    """Where adapters bring what comes back; it is durable when the call returns, and told once only after that."""

    async def receipt(self, receipt: Receipt) -> None:
        """Take a receipt. Doubled and unknown ones are harmless."""

    async def arrival(self, arrival: Arrival) -> None:
        """Take an inbound message. Doubled ones are harmless."""


class Call(msgspec.Struct, frozen=True):
    """An HTTP request of a provider to ``/hooks/providers/NAME``."""

    method: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    client: str
    """Its IP address."""


class Reply(msgspec.Struct, frozen=True):
    """What a call is answered when everything it brought is durable."""

    status: int = 200
    body: str = ""
    media_type: str = "text/plain"


class NotAuthentic(ModembankError):
    """A call that does not prove that it comes from the provider; nothing of it was used."""

    key = "unauthorized"
    template = "{why}"


class BadCall(ModembankError):
    """A call that is authentic and makes no sense; ``why`` names the field. It is answered 400."""

    key = "bad_call"
    template = "{why}"


class SecretMissing(ModembankError):
    """A secret that settings name is not there."""

    key = "secret_missing"
    template = "{why}"


class Means(msgspec.Struct, frozen=True):
    """What adapters are given."""

    clock: Clock
    sink: Sink
    secret: Callable[[str], str]
    """Returns the secret of a name; raises SecretMissing with the way out. To be asked each time, for it may be new."""
    allow_private: bool = False
    """Whether an admin allowed the provider's address to be on the LAN or on the box itself."""
    callback_url: str = ""
    """Where the provider reaches the box, when the configuration says so."""


Gate: TypeAlias = Callable[[], Awaitable[bool]]
"""Makes the intent durable. To be awaited once, when the next thing that is done may give the message away; False: do
not send (the outcome is NOT_SENT)."""


class Adapter(Protocol):
    """One provider of one kind, ready or not."""

    @property
    def window(self) -> int:
        """How many messages may be under way at once."""

    def not_ready(self) -> str | None:
        """Return why nothing can be handed over now (not connected, no secret), or None. For people."""

    async def run(self) -> None:
        """Hold what has to be held, such as a session; returns only when it needs nothing. Restarted when it raises."""

    async def send(self, message: Outbound, gate: Gate) -> Result:
        """Hand a message over; never raises for what a provider does. Bounded in time by the settings.

        Cancelled before the gate was asked, nothing was sent; afterwards it is the caller who books UNKNOWN.
        """

    async def called(self, call: Call) -> Reply:
        """Take a call of the provider's; raises NotAuthentic, BadCall."""


class Kind(Protocol):
    """A module of ``adapters/``."""

    NAME: str
    Settings: type[Any]
    """A frozen msgspec.Struct that forbids unknown fields; its fields have Meta descriptions for forms and OpenAPI."""

    def channel(self, settings: Any) -> Channel:
        """Return what a provider with these settings carries."""

    def check(self, settings: Any) -> None:
        """Raise InvalidRequest with pointers below the settings (``/url``) for what types cannot say."""

    def make(self, settings: Any, means: Means) -> Adapter:
        """Return a provider with these settings, which were checked. Raises nothing; does no I/O."""
