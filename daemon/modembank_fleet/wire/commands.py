"""Commands: every verb with the type of its arguments, in one table."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from modembank_fleet.wire.codec import decode
from modembank_fleet.wire.errors import WireError
from modembank_fleet.wire.shapes import Count, Epoch, Id, Run, Seconds, Text

HOUR, DAY = 3600, 86_400
Iccid: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{18,20}\Z")]
Slot: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{1,32}\Z")]
Limit: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=10_000_000)]
Number: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^\+?[0-9]{3,20}\Z")]
Version: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Za-z.+-]{1,64}\Z")]
Digest: TypeAlias = Annotated[
    str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z", description="SHA-256, 64 hexadecimal digits")
]
UpdateUrl: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^(https://\S{1,1000})?\Z")]
Hours: TypeAlias = Annotated[
    str, msgspec.Meta(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9])?\Z")
]
"""From when to when in a day, such as ``02:00-05:00``; or nothing."""
Lease: TypeAlias = Annotated[int, msgspec.Meta(ge=10, le=3600)]


class If(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What must be so for a command to be carried out."""

    cfg: Count | None = None
    """The version of the configuration."""


class Command(msgspec.Struct, kw_only=True, omit_defaults=True):
    """``down/cmd/<verb>`` and ``down/msg/<verb>``: what the hub wants done, once for each id."""

    v: int
    id: Id
    iat: Annotated[float, msgspec.Meta(ge=0, le=1e12)]
    """Unix seconds at which it was issued."""
    ttl: Annotated[int, msgspec.Meta(ge=1, le=30 * DAY)]
    """Seconds after which it may not begin any more."""
    ep: Epoch
    by: Text
    cond: If | None = msgspec.field(default=None, name="if")
    args: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b"{}"))


class Nothing(msgspec.Struct):
    """No arguments."""


class Profile(msgspec.Struct, kw_only=True):
    """How often telemetry comes; ``live`` ends by itself after a quarter of an hour."""

    profile: Literal["live", "standard", "lean", "metered"]


class OneSim(msgspec.Struct, kw_only=True):
    """Which SIM."""

    iccid: Iccid


class PauseSim(OneSim, kw_only=True, omit_defaults=True):
    """Which SIM, and why."""

    reason: Annotated[str, msgspec.Meta(max_length=200)] = ""


class SimLimits(OneSim, kw_only=True, omit_defaults=True):
    """Limits as they shall be; what is not named stays. They can only be below those of the site."""

    min_interval_s: Annotated[float, msgspec.Meta(ge=0, le=DAY)] | None = None
    per_minute: Limit | None = None
    per_hour: Limit | None = None
    per_day: Limit | None = None
    per_month: Limit | None = None
    recipients_per_month: Limit | None = None


class ResetModem(msgspec.Struct, kw_only=True):
    """Which modem, and how: its own restart, a new enumeration on the USB, or its port's power."""

    slot: Slot
    mode: Literal["soft", "usb", "power"] = "soft"


class RunUssd(msgspec.Struct, kw_only=True):
    """A code to dial."""

    slot: Slot
    code: Annotated[str, msgspec.Meta(pattern=r"^[0-9*#]{1,40}\Z")]


class CollectLogs(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Which lines of the log."""

    unit: Literal["modembank", "kernel", "system"] = "modembank"
    since: Annotated[float, msgspec.Meta(ge=0, le=1e12)] = 0.0
    max_kb: Annotated[int, msgspec.Meta(ge=1, le=2048)] = 256


class PoolMessage(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A message that the hub hands to a box; ``fence`` grows each time that it is assigned."""

    id: Id
    to: Number
    body: Annotated[str, msgspec.Meta(min_length=1, max_length=4000)]
    fence: Count
    not_after: float
    """Unix seconds."""
    dup: Literal["amo", "alo"] = "amo"
    """At most once, or at least once."""


class Submit(msgspec.Struct, kw_only=True):
    """Messages to send, and for how long they are this box's: from when it told the credit that they are given for."""

    run: Run
    up: Seconds
    """The run and uptime that the credit named."""
    lease: Lease
    """Seconds."""
    msgs: Annotated[list[PoolMessage], msgspec.Meta(min_length=1, max_length=50)]


class Recalled(msgspec.Struct, kw_only=True):
    """Which message, as it was assigned when."""

    id: Id
    fence: Count


class Recall(msgspec.Struct, kw_only=True):
    """Messages that the hub wants back."""

    msgs: Annotated[list[Recalled], msgspec.Meta(min_length=1, max_length=50)]


class Update(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An image to install, fetched by HTTPS and judged by its own signature."""

    job: Id
    version: Version
    """The only one that may be in it."""
    sha256: Digest
    """Of the whole file."""
    url: UpdateUrl = ""
    """On a host that the box's owner allows; empty: the box's own source."""
    window: Hours = ""
    """In which hours of the box's day it may restart into it; empty: those that its owner named."""
    force: bool = False
    """At once, whatever the hour and whatever is being sent."""
    spread: Annotated[int, msgspec.Meta(ge=0, le=DAY)] = 0
    """Seconds over which boxes that are told together spread their downloads, and their restarts unless ``force``."""


class OneJob(msgspec.Struct, kw_only=True):
    """Which update."""

    job: Id


class Rotate(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Another certificate for another key, which the box asks the hub for over HTTPS."""

    serial: Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Fa-f]{0,40}\Z")] = ""
    """Of the one that is to be replaced, in hexadecimal digits: where another counts by now, nothing is done."""


class Verb(msgspec.Struct, frozen=True):
    """What is true of a verb whoever uses it."""

    name: str
    args: type[msgspec.Struct]
    most_ttl_s: int
    rerun: bool
    """Whether it may run again when nobody knows whether it ran: its outcome is the same."""
    signed: bool = True
    gate: bool = True
    """Whether a box carries it out when its configuration does not say."""

    @property
    def parts(self) -> tuple[str, str]:
        """The end of its topic."""
        noun, _, what = self.name.partition(".")
        return ("msg", what) if noun == "msg" else ("cmd", self.name)


VERBS: tuple[Verb, ...] = (
    Verb("ping", Nothing, HOUR, rerun=True, signed=False),
    Verb("rebirth", Nothing, HOUR, rerun=True, signed=False),
    Verb("diag.run", Nothing, HOUR, rerun=True, signed=False),
    Verb("tele.profile", Profile, HOUR, rerun=True, signed=False),
    Verb("sim.pause", PauseSim, 7 * DAY, rerun=True),
    Verb("sim.resume", OneSim, 7 * DAY, rerun=True),
    Verb("sim.limits", SimLimits, 7 * DAY, rerun=True),
    Verb("cfg.reload", Nothing, DAY, rerun=True),
    Verb("modem.reset", ResetModem, 600, rerun=False),
    Verb("ussd.run", RunUssd, 300, rerun=False, gate=False),
    Verb("msg.submit", Submit, HOUR, rerun=False, gate=False),
    Verb("msg.recall", Recall, HOUR, rerun=True, gate=False),
    Verb("sw.update", Update, 30 * DAY, rerun=True),
    Verb("sw.cancel", OneJob, 30 * DAY, rerun=True),
    Verb("sw.rollback", Nothing, 30 * DAY, rerun=False),
    Verb("cred.rotate", Rotate, 7 * DAY, rerun=True),
    Verb("logs.collect", CollectLogs, DAY, rerun=True),
    Verb("box.reboot", Nothing, 600, rerun=False),
)
BY_VERB = {verb.name: verb for verb in VERBS}
_BY_PARTS: dict[tuple[str, ...], Verb] = {verb.parts: verb for verb in VERBS}


def verb_of(parts: tuple[str, ...]) -> Verb:
    """Return the verb that the end of a topic names; raises WireError."""
    verb = _BY_PARTS.get(parts)
    if verb is None:
        raise WireError(code="unknown_verb", detail=f"{'/'.join(parts)[:80]!a} is no command")
    return verb


def arguments(verb: Verb, command: Command) -> Any:
    """Return a command's arguments as the verb's type; raises WireError."""
    try:
        return decode(verb.args, bytes(command.args))
    except WireError as error:
        raise WireError(code="bad_args", detail=error.detail) from error


def command(
    verb: Verb,
    args: msgspec.Struct,
    *,
    id: str,  # noqa: A002 - the wire's word
    iat: float,
    ttl: int,
    ep: str,
    by: str,
    cond: If | None = None,  # the wire's word
) -> Command:
    """Return a command; raises WireError when the verb may not wait for so long, or has other arguments."""
    if ttl > verb.most_ttl_s:
        raise WireError(code="ttl_too_long", detail=f"{verb.name} may wait for {verb.most_ttl_s} s, not {ttl}")
    if not isinstance(args, verb.args):
        raise WireError(code="bad_args", detail=f"{verb.name} wants {verb.args.__name__}")
    raw = msgspec.Raw(msgspec.json.encode(args))
    return Command(v=1, id=id, iat=iat, ttl=ttl, ep=ep, by=by, cond=cond, args=raw)
