"""Whether a request can be accepted: every field checked, every problem named, nothing stored."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from datetime import datetime

import msgspec

from modembank.clock import rfc3339, to_ms
from modembank.config import SendingConfig
from modembank.decency import RecipientsConfig
from modembank.errors import FieldProblem, InvalidRequest, ModembankError
from modembank.messages import routes
from modembank.messages.channels import MOST_CHARACTERS, MOST_SUBJECT, Naming, NoProviders, ProviderDirectory
from modembank.messages.model import MessageFlags, OnUnknown
from modembank.messages.numbers import BadNumber, normalise_recipient, normalise_sender
from modembank.messages.permitted import Permitted, Rules
from modembank.messages.requests import MAX_RECIPIENTS, SubmitRequest, UnknownProvider
from modembank.messages.text import TextProblem, measure
from modembank.messages.verdicts import BAD_NUMBER, MOST_SHOWN, NOT_PERMITTED, Refused
from modembank.messages.views import Note
from modembank.providers import Channel
from modembank.providers.addresses import BadAddress, mail_address
from modembank.tpdu import MAX_SEGMENTS, Encoding, SegmentCount

MAX_VALID_FOR_S = 30 * 86_400
MAX_AHEAD_MS = 366 * 86_400_000
MAX_REFERENCE = 255
MAX_PROVIDERS = 256
_WINDOW = re.compile(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d", re.ASCII)
_ON_CHANNEL = {
    Channel.SMS: MessageFlags.NONE,
    Channel.EMAIL: MessageFlags.EMAIL,
    Channel.WHATSAPP: MessageFlags.WHATSAPP,
}
_FORCED = {"auto": MessageFlags.NONE, "gsm7": MessageFlags.FORCE_GSM7, "ucs2": MessageFlags.FORCE_UCS2}


class Admitted(msgspec.Struct, frozen=True, gc=False):
    """A request with nothing wrong: what its rows will hold. Times are unix milliseconds."""

    recipients: tuple[str, ...]
    places: tuple[int, ...]
    """Of each recipient, among those that the request gives."""
    text: str
    encoding: Encoding
    segments: int
    flags: MessageFlags
    route: str
    """Canonical spec."""
    rank: int
    not_before: int | None
    """None: at once."""
    expires_at: int
    window: str | None
    on_unknown: OnUnknown
    reference: str | None
    listed: bool
    """Recipients were given as a list, and not as one text."""
    many: bool
    """Several recipients were asked for, so that the answer has a batch even if one is left."""
    partial: bool
    refused: tuple[Refused, ...]
    """Only with ``partial``."""
    notes: tuple[Note, ...]
    subject: str | None = None

    @property
    def placed(self) -> zip[tuple[str, int]]:
        """Each recipient with its place."""
        return zip(self.recipients, self.places, strict=True)

    def pointer(self, place: int) -> str:
        """Return where in the request the recipient at a place stands."""
        return recipient_pointer(place, listed=self.listed)


class _Findings(msgspec.Struct):
    """What is wrong, and what is only worth telling, in the order of the request's fields."""

    problems: list[FieldProblem] = msgspec.field(default_factory=list)
    unknown: list[FieldProblem] = msgspec.field(default_factory=list)
    notes: list[Note] = msgspec.field(default_factory=list)
    refused: list[Refused] = msgspec.field(default_factory=list)

    def wrong(self, pointer: str, detail: str) -> None:
        self.problems.append(FieldProblem(pointer, detail))

    def not_there(self, pointer: str, detail: str) -> None:
        self.unknown.append(FieldProblem(pointer, detail))

    def note(self, pointer: str, detail: str) -> None:
        self.notes.append(Note(pointer, detail))


class Admission:
    """Checks requests against the box's SIMs, defaults and region."""

    def __init__(
        self,
        sims: routes.SimDirectory,
        sending: SendingConfig,
        region: str = "",
        permitted: Permitted | None = None,
        providers: ProviderDirectory | None = None,
    ) -> None:
        """``region`` is the ISO 3166 country of national numbers; empty: only international ones are understood."""
        self._permitted = permitted or Permitted(RecipientsConfig(), region)
        self._names = routes.SimNames(sims)
        self._naming = Naming(self._names, providers or NoProviders())
        self._sending = sending
        self._region = region

    def recipient(self, written: str) -> str:
        """Return one number in the form messages are stored with; raises BadNumber."""
        return normalise_recipient(written, self._region)

    def sender(self, address: str) -> str:
        """Return an inbound address in the form that recipients have, or as it came when it is no number."""
        return normalise_sender(address, self._region)

    def not_permitted(self, number: str) -> str | None:
        """Return why the box does not send to a number, however it is asked, or None when it does."""
        refusal = self._permitted.refusal(number)
        return None if refusal is None else f"{number} {refusal}"

    @property
    def rules(self) -> Rules:
        """By which numbers are refused, for another process."""
        return self._permitted.rules

    def is_too_dear(self, number: str) -> bool:
        """Return whether a number that is not permitted is so for its premium rate."""
        return self._permitted.is_too_dear(number)

    def party(self, written: str) -> str:
        """Return whom somebody means: a number in the form that messages are stored with, or a name as it is."""
        try:
            return self.recipient(written)
        except BadNumber:
            return written

    def check(self, request: SubmitRequest, now_ms: int) -> Admitted:
        """Return what to store; raises InvalidRequest with all problems, UnknownProvider when only names are wrong."""
        found = _Findings()
        kept = self._recipients(request, found)
        count = self._text(request, found)
        self._check_reference(request.reference, found)
        return self._admitted(request, kept, count, now_ms, found)

    def terms(self, request: SubmitRequest, now_ms: int) -> Admitted:
        """Return what messages have in common whose recipients and texts are looked at elsewhere; raises as check()."""
        found = _Findings()
        if request.max_segments is not None and not 1 <= request.max_segments <= MAX_SEGMENTS:
            found.wrong("/max_segments", f"must be 1 to {MAX_SEGMENTS}")
        return self._admitted(request, {}, None, now_ms, found)

    def _admitted(
        self, request: SubmitRequest, kept: dict[str, int], count: SegmentCount | None, now_ms: int, found: _Findings
    ) -> Admitted:
        """Check what has to do with neither recipients nor text, and put all together; raises as check()."""
        channel = Channel(request.channel)
        route, useless = self._route(request, channel, found)
        subject = self._subject(request, channel, found)
        if not 0 <= request.priority <= 9:
            found.wrong("/priority", "must be 0 to 9; 9 goes first")
        not_before, expires_at = self._times(request, now_ms, found)
        window = self._window(request.window, found)
        if found.problems:
            raise InvalidRequest(*found.problems, *found.unknown)
        if found.unknown:
            raise UnknownProvider(*found.unknown)
        if useless is not None:
            raise useless
        return Admitted(
            recipients=tuple(kept),
            places=tuple(kept.values()),
            text=request.text,
            encoding=count.encoding if count else Encoding.AUTO,
            segments=count.segments if count else 0,
            flags=_flags(request.encoding, request.delivery_report, request.flash, channel),
            route=route,
            rank=9 - request.priority,
            not_before=not_before,
            expires_at=expires_at,
            window=window,
            on_unknown=OnUnknown[(request.on_unknown or self._sending.on_unknown).upper()],
            reference=request.reference,
            listed=not isinstance(request.to, str),
            many=len(request.recipients) > 1,
            partial=request.partial,
            refused=tuple(found.refused),
            notes=tuple(found.notes),
            subject=subject,
        )

    def _recipients(self, request: SubmitRequest, found: _Findings) -> dict[str, int]:
        """Return the recipients that can get a message, and the place at which each was given first."""
        given, listed = request.recipients, not isinstance(request.to, str)
        if not given:
            found.wrong("/to", "is empty: give at least one number")
        if len(given) > MAX_RECIPIENTS:
            found.wrong("/to", f"has {len(given)} recipients: at most {MAX_RECIPIENTS} fit one request")
            return {}
        kept: dict[str, int] = {}
        for index, written in enumerate(given):
            try:
                number = self._written(written, request.channel)
            except (BadNumber, BadAddress) as error:
                found.refused.append(Refused(index, written[:MOST_SHOWN], BAD_NUMBER, str(error)))
                continue
            if request.channel != "email" and (refusal := self._permitted.refusal(number)) is not None:
                found.refused.append(Refused(index, written[:MOST_SHOWN], NOT_PERMITTED, f"{number} {refusal}"))
                continue
            first = kept.setdefault(number, index)
            if first != index:
                same = f"is the same number as {recipient_pointer(first, listed=listed)}: it gets one message"
                found.note(recipient_pointer(index, listed=listed), same)
        if not (request.partial and kept):
            for refused in found.refused:
                found.wrong(recipient_pointer(refused.at, listed=listed), refused.detail)
        return kept

    def _written(self, written: str, channel: str) -> str:
        """Return a recipient as messages are stored with it; raises BadNumber, BadAddress."""
        if channel == "email":
            return mail_address(written)
        number = normalise_recipient(written, self._region)
        if channel == "whatsapp" and not number.startswith("+"):
            raise BadNumber(why=f"{number} is a short code, which WhatsApp does not reach")
        return number

    def _text(self, request: SubmitRequest, found: _Findings) -> SegmentCount | None:
        if request.channel != "sms":
            return self._plain_text(request, Channel(request.channel), found)
        allowed = self._sending.max_segments if request.max_segments is None else request.max_segments
        if not 1 <= allowed <= MAX_SEGMENTS:
            found.wrong("/max_segments", f"must be 1 to {MAX_SEGMENTS}")
            allowed = MAX_SEGMENTS
        try:
            return measure(request.text, Encoding(request.encoding), allowed)
        except TextProblem as error:
            found.wrong("/text", str(error))
            return None

    @staticmethod
    def _plain_text(request: SubmitRequest, channel: Channel, found: _Findings) -> SegmentCount:
        """Check a text that knows neither alphabets nor segments; it counts as one."""
        most = MOST_CHARACTERS[channel]
        if not request.text.strip():
            found.wrong("/text", "is empty: there is nothing to send")
        elif len(request.text) > most:
            found.wrong("/text", f"has {len(request.text)} characters: {channel.value} takes at most {most}")
        elif "\0" in request.text:
            found.wrong("/text", "has a NUL character: remove it")
        for field, usual in (("flash", False), ("max_segments", None), ("encoding", "auto")):
            if getattr(request, field) != usual:
                found.wrong(f"/{field}", f"is a matter of sms, not of {channel.value}: leave it out")
        return SegmentCount(Encoding.UCS2, 1, len(request.text), most - len(request.text))

    @staticmethod
    def _subject(request: SubmitRequest, channel: Channel, found: _Findings) -> str | None:
        if request.subject is None:
            return None
        if channel is not Channel.EMAIL:
            found.wrong("/subject", f"is a matter of email, not of {channel.value}: leave it out")
        elif not 1 <= len(request.subject) <= MOST_SUBJECT:
            found.wrong("/subject", f"must have 1 to {MOST_SUBJECT} characters, or be left out")
        elif not request.subject.isprintable():
            found.wrong("/subject", "has characters that cannot be printed, such as a line end")
        return request.subject

    @staticmethod
    def _check_reference(reference: str | None, found: _Findings) -> None:
        if reference is None:
            return
        if not 1 <= len(reference) <= MAX_REFERENCE:
            found.wrong("/reference", f"must have 1 to {MAX_REFERENCE} characters, or be left out")
        elif not reference.isprintable():
            found.wrong("/reference", "has characters that cannot be printed")

    def _route(self, request: SubmitRequest, channel: Channel, found: _Findings) -> tuple[str, ModembankError | None]:
        """Return the spec of what it may leave through, and why nothing of that is of any use now."""
        if request.sim is None and request.pool is None and request.providers is None:
            return routes.channel_spec(channel.value), self._naming.available(channel)  # nearly all
        named = [name for name in ("sim", "pool", "providers") if getattr(request, name) is not None]
        for extra in named[1:]:
            found.wrong(f"/{extra}", f"cannot be given together with {named[0]}")
        if channel is not Channel.SMS and request.providers is None:
            found.wrong(f"/{named[0]}", f"carries sms, not {channel.value}: leave it out")
        if request.sim is not None:
            return self._one_sim(request.sim, found), None
        if request.pool is not None:
            if self._names.is_pool(request.pool):
                return routes.pool_spec(request.pool), None
            found.not_there("/pool", f"no SIM has the label {request.pool[:80]!a}")
            return routes.ANY, None
        return self._providers(request.providers or (), channel, found)

    def _one_sim(self, name: str, found: _Findings) -> str:
        sims = self._names.one(name)
        if not sims:
            found.not_there("/sim", f"there is no SIM with the ICCID, slot or label {name[:80]!a}")
        elif len(sims) > 1:
            found.wrong("/sim", f"is the label of {len(sims)} SIMs: use pool, or name one by its ICCID or slot")
        return routes.sims_spec(sims)

    def _providers(self, names: Sequence[str], channel: Channel, found: _Findings) -> tuple[str, ModembankError | None]:
        if not names:  # nobody is meant: whoever is best
            return routes.channel_spec(channel.value), self._naming.available(channel)
        if len(names) > MAX_PROVIDERS:
            found.wrong("/providers", f"must name at most {MAX_PROVIDERS} providers, SIMs or pools")
            return routes.ANY, None
        return self._naming.spec(
            names,
            channel,
            lambda at, what: found.wrong(f"/providers/{at}", what),
            lambda at, what: found.not_there(f"/providers/{at}", what),
        )

    def _times(self, request: SubmitRequest, now_ms: int, found: _Findings) -> tuple[int | None, int]:
        """Return the earliest time to send, if it is ahead, and the time from which it is too late."""
        valid_for_s = self._sending.valid_for_s if request.valid_for_s is None else request.valid_for_s
        if not 1 <= valid_for_s <= MAX_VALID_FOR_S:
            found.wrong("/valid_for_s", f"must be 1 to {MAX_VALID_FOR_S} seconds")
            valid_for_s = MAX_VALID_FOR_S
        if request.send_at is None:
            return None, now_ms + valid_for_s * 1000
        if request.send_at.tzinfo is None:
            found.wrong("/send_at", "needs a time zone, such as a Z at the end")
            return None, 0
        asked = to_ms(request.send_at.timestamp())
        expires_at = asked + valid_for_s * 1000
        if asked > now_ms + MAX_AHEAD_MS:
            found.wrong("/send_at", "is more than a year ahead")
        elif expires_at <= now_ms:
            found.wrong("/send_at", f"is so long ago that the message would have expired {rfc3339(expires_at)}")
        elif asked <= now_ms:
            found.note("/send_at", "has passed: the message goes at once")
        return (asked if asked > now_ms else None), expires_at

    @staticmethod
    def _window(window: str | None, found: _Findings) -> str | None:
        if window is None:
            return None
        start, _, end = window.partition("-")
        if not _WINDOW.fullmatch(window):
            found.wrong("/window", "must be HH:MM-HH:MM, such as 08:00-20:00")
        elif start == end:
            found.wrong("/window", "is empty: its start is its end")
        return window


def recipient_pointer(place: int, *, listed: bool) -> str:
    """Return where in a request the recipient at a place stands; one that is no list has one place."""
    return f"/to/{place}" if listed else "/to"


@functools.lru_cache(maxsize=64)  # an IntFlag makes an object of every |, and there are a dozen keys
def _flags(encoding: str, delivery_report: bool, flash: bool, channel: Channel) -> MessageFlags:
    flags = _FORCED[encoding] | _ON_CHANNEL[channel]
    if delivery_report:
        flags |= MessageFlags.DELIVERY_REPORT
    if flash:
        flags |= MessageFlags.FLASH
    return flags


def moment_ms(moment: datetime, pointer: str) -> int:
    """Return unix milliseconds of a time in a filter; raises InvalidRequest for one without a zone."""
    if moment.tzinfo is None:
        raise InvalidRequest(FieldProblem(pointer, "needs a time zone, such as a Z at the end"))
    return to_ms(moment.timestamp())
