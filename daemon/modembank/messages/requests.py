"""What a caller asks of the messages slice: the request to send, its idempotency key, and the ways it is refused."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal, Self

import msgspec

from modembank.errors import FieldProblem, InvalidRequest, ModembankError

MAX_RECIPIENTS = 10_000
MAX_KEY_LENGTH = 255
IDEMPOTENCY_FIELD = "/Idempotency-Key"
"""How the header is named among the fields of what is refused."""
KEY_LIFETIME_MS = 48 * 3_600_000
"""How long an idempotency key is remembered: long enough for a client that retries over a weekend's outage."""


class UnknownProvider(ModembankError):
    """A SIM, pool or provider that the request names does not exist; every such name is told with its field."""

    key = "unknown_provider"
    template = "{summary}"

    def __init__(self, *problems: FieldProblem) -> None:
        """Hold the problems, in the order of the request's fields."""
        self.problems = problems
        super().__init__(summary="; ".join(problem.detail for problem in problems))


class ProviderDisabled(ModembankError):
    """The only provider that the request names takes nothing now."""

    key = "provider_disabled"
    template = "the provider {provider} takes nothing now: {why}"


class AllProvidersDisabled(ModembankError):
    """All providers that the request names take nothing now."""

    key = "all_providers_disabled"
    template = "none of the providers named takes anything now: {why}"


class NoProviderAvailable(ModembankError):
    """No provider is named, and none of the channel can take the message, now or when it is waited for."""

    key = "no_provider_available"
    template = "no provider of the channel {channel} takes messages: {why}"


class OptedOut(InvalidRequest):
    """All that is wrong with a request: recipients that want no messages of this box. Each is named."""

    key = "opted_out"


class IdempotencyMismatch(ModembankError):
    """The idempotency key was used before, for another body."""

    key = "idempotency_mismatch"
    template = (
        "the idempotency key {idempotency_key} was used before with another body: use a new key for a new request"
    )
    problems = (FieldProblem(IDEMPOTENCY_FIELD, "was used before with another body: a new request needs a new key"),)


class SubmitRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One text to one or many recipients. Its shape is checked on decoding, its content by ``Messages.submit``."""

    to: str | Sequence[str]
    text: str
    channel: Literal["sms", "email", "whatsapp"] = "sms"
    subject: str | None = None
    """Of an e-mail; without one it is the beginning of the text."""
    reference: str | None = None
    """The caller's own name for it, up to 255 characters; need not be unique."""
    sim: str | None = None
    """One SIM: its ICCID, label, or the slot it sits in."""
    pool: str | None = None
    """All SIMs with this label."""
    providers: Sequence[str] | None = None
    """Those that may take it, in order: providers, ``bank``, SIMs and pools; SIMs side by side are one."""
    priority: int = 5
    """0 to 9; 9 goes first."""
    valid_for_s: int | None = None
    """Seconds after which it is no longer worth sending, counted from ``send_at`` or now."""
    send_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    window: str | None = None
    """``HH:MM-HH:MM`` in the box's time, outside of which it is not sent."""
    delivery_report: bool = True
    encoding: Literal["auto", "gsm7", "ucs2"] = "auto"
    flash: bool = False
    max_segments: int | None = None
    on_unknown: Literal["hold", "resend"] | None = None
    dry_run: bool = False
    partial: bool = False
    """Accept for the good recipients and tell of each that was refused, instead of all or nothing."""

    @property
    def recipients(self) -> Sequence[str]:
        """The recipients as a sequence, however they were given."""
        return (self.to,) if isinstance(self.to, str) else self.to


def read_request(body: bytes | str) -> SubmitRequest:
    """Decode a JSON body; raises InvalidRequest that names every field of a wrong type, not only the first."""
    try:
        try:
            return msgspec.json.decode(body, type=SubmitRequest)
        except msgspec.ValidationError as error:
            whole = FieldProblem("", str(error))
            fields = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(FieldProblem("", f"is not JSON: {error}")) from error
    if not isinstance(fields, dict):
        raise InvalidRequest(FieldProblem("", "must be a JSON object"))
    raise InvalidRequest(*(_type_problems(fields) or [whole]))


def _type_problems(given: dict[str, object]) -> list[FieldProblem]:
    known = {field.name: field for field in msgspec.structs.fields(SubmitRequest)}
    missing = [name for name, field in known.items() if field.required and name not in given]
    problems = [FieldProblem(f"/{name}", "is required") for name in missing]
    for name, value in given.items():
        if name not in known:
            allowed = ", ".join(known)
            problems.append(FieldProblem(f"/{_escaped(name)}", f"is not known; known are: {allowed}"))
            continue
        try:
            msgspec.convert(value, known[name].type)
        except msgspec.ValidationError as error:
            what, inner = _split_message(str(error))
            problems.append(FieldProblem(f"/{name}{inner}", what))
    return problems


def _escaped(name: str) -> str:
    """Escape a name for a JSON pointer (RFC 6901), bounded."""
    return name[:80].replace("~", "~0").replace("/", "~1")


def _split_message(message: str) -> tuple[str, str]:
    """Return msgspec's sentence and the pointer behind its path (``$[3]`` is ``/3``)."""
    found = re.fullmatch(r"(?P<what>.*?)(?: - at `\$(?P<path>[^`]*)`)?", message, re.DOTALL)
    if found is None:  # pragma: no cover - the pattern matches any text
        return message, ""
    inner = "".join(f"/{key}" for key in re.findall(r"\w+", found["path"] or ""))
    return found["what"].replace("`", ""), inner


class IdempotencyKey(msgspec.Struct, frozen=True):
    """A caller's promise that two requests are one: the key, and the digest of the body it came with."""

    key: str
    digest: bytes
    """SHA-256."""

    @classmethod
    def of(cls, key: str, body: bytes) -> Self:
        """Make one from the header's value and the body as received; raises InvalidRequest for an unusable key."""
        if not 1 <= len(key) <= MAX_KEY_LENGTH or not key.isprintable() or not key.isascii():
            what = f"must be 1 to {MAX_KEY_LENGTH} printable ASCII characters"
            raise InvalidRequest(FieldProblem(IDEMPOTENCY_FIELD, what))
        return cls(key, hashlib.sha256(body).digest())


class MessageFilter(msgspec.Struct, frozen=True):
    """Which messages a list shows; empty fields do not restrict."""

    status: tuple[str, ...] = ()
    """Words of MessageState."""
    to: str | None = None
    since: datetime | None = None
    """Accepted at or after it."""
    until: datetime | None = None
    """Accepted before it."""
    batch: str | None = None
    """Public id."""
    reference: str | None = None
    sim: str | None = None
    """ICCID of the SIM that sent it, or last tried to."""
    provider: str | None = None
    """Name of the provider that took it, or last tried to, whether or not it is still there."""
    words: str | None = None
    """What its text must have, as ``search.match_of`` reads it."""
