"""What is said: one type for each kind of payload. Field names are short, for each of them is sent a thousand times.

Minor versions only add fields. Whoever reads passes over what it does not know; whoever writes never renames.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec

VERSION = 1
"""Of the payloads' shapes (``v``); the topics' is in the topic."""
MOST_EVENTS = 100
MOST_RESULTS = 100
MOST_DETAIL = 512
"""Characters of an event's text."""

Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Epoch: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]{4,32}\Z")]
"""Random for each generation of a database: new after a restore, a factory reset, a new image."""
Id: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{8,64}\Z")]
Run: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]{8,32}\Z")]
"""Random for each start of a box's program."""
Text: TypeAlias = Annotated[str, msgspec.Meta(max_length=MOST_DETAIL)]
Seconds: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=1e12)]
ClockState: TypeAlias = Literal["ntp", "rtc", "unsync"]
ResultState: TypeAlias = Literal["accepted", "running", "done", "rejected", "failed", "expired", "cancelled", "unknown"]
ENDED: frozenset[ResultState] = frozenset({"done", "rejected", "failed", "expired", "cancelled", "unknown"})
"""States after which nothing more comes of a command."""


class Up(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What everything that a box says begins with."""

    v: int
    ep: Epoch
    bs: Count
    """How often the box was started in this epoch."""
    ts: Seconds | None = None
    """Unix seconds; absent while nobody knows the time."""
    up: Seconds
    """Seconds since the box was started, by a clock that never jumps."""
    clk: ClockState


class Avail(msgspec.Struct, kw_only=True, omit_defaults=True):
    """``up/avail``: presence; the will is one of these. An offline counts only for the connection that it names."""

    v: int
    s: Literal["online", "offline"]
    ep: Epoch
    bs: Count
    conn: Count
    """How many connections this start of the box has made: an older will never ends a newer connection."""
    ts: Seconds | None = None
    """When the connection began."""
    why: Literal["birth", "shutdown", "update", "will"]


class Table(msgspec.Struct, kw_only=True):
    """Rows with the names of their columns once."""

    cols: list[str]
    rows: list[list[Any]]


class Software(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What runs on a box."""

    version: str
    schema: Count
    python: str = ""
    arch: str = ""
    os: str = ""


class Birth(Up, kw_only=True, omit_defaults=True):
    """``up/birth``: all that stays as it is while the box is connected."""

    conn: Count
    base: dict[str, Count]
    """The first sequence number of each stream in this epoch."""
    label: str = ""
    """Where it stands, for people."""
    sw: Software
    verbs: list[str]
    """Commands that the box carries out: known to it, and not closed by its own gates."""
    profile: str
    privacy: Literal["counts", "meta", "full"]
    kids: list[str] = []
    """Hub keys that it trusts now."""
    modems: Table


class Queue(msgspec.Struct, kw_only=True):
    """Messages that have not ended."""

    ready: Count
    delayed: Count
    inflight: Count
    unknown: Count


class Totals(msgspec.Struct, kw_only=True):
    """Ever growing within an epoch, so that lost telemetry falsifies nothing."""

    sent: Count
    dlr: Count
    fail: Count
    recv: Count


class ModemCounts(msgspec.Struct, kw_only=True):
    """How many modems are how."""

    ready: Count
    cool: Count
    err: Count


class Outbox(msgspec.Struct, kw_only=True):
    """What the hub has not acknowledged."""

    n: Count
    oldest: Seconds
    """Seconds."""


class PoolCredit(msgspec.Struct, kw_only=True):
    """How many messages of the fleet's pool the box takes; counts from the ``up`` beside it."""

    run: Run
    window: Count
    """At most so many at once; 0: none, and it gives back what it has."""
    held: Count


class TeleBox(Up, kw_only=True, omit_defaults=True):
    """``up/tele/box``: how the box is."""

    seq: Count
    cpu: float | None = None
    """Load of the last minute, by processor."""
    mem: float | None = None
    """Part of the memory in use, 0 to 1."""
    disk: float | None = None
    """Room that is left, in 10^9 octets."""
    temp: float | None = None
    q: Queue
    thr: Totals
    modems: ModemCounts
    outbox: Outbox
    issues: Count = 0
    pool: PoolCredit | None = None
    """Absent: the box sends nothing for the hub."""


class TeleModems(Up, kw_only=True, omit_defaults=True):
    """``up/tele/modems``: one row for each modem."""

    seq: Count
    cols: list[str]
    rows: list[list[Any]]


class Event(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Something that happened."""

    seq: Count
    type: Annotated[str, msgspec.Meta(pattern=r"^[a-z_]{1,32}\.[a-z_]{1,32}\Z|^gap\Z")]
    sev: Literal["info", "warning", "error", "security"] = "info"
    at: Seconds | None = None
    """Unix seconds by the box's clock; None while that was not set."""
    subj: Text = ""
    data: dict[str, Any] = {}


class Batch(Up, kw_only=True, omit_defaults=True):
    """A stretch of a stream. It covers every number from ``first`` to ``last``: what is not listed was not for the hub.

    The hub acknowledges the end of what it has without a hole, from ``base`` on. A batch that begins beyond that may be
    left: the box goes back and sends again.
    """

    base: Count
    first: Count
    last: Count


class EvBatch(Batch, kw_only=True, omit_defaults=True):
    """``up/ev``: events."""

    ev: Annotated[list[Event], msgspec.Meta(max_length=MOST_EVENTS)]


class Result(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What became of a command."""

    seq: Count
    id: str
    verb: str
    st: ResultState
    code: str = ""
    """Why it did not go as wished, for machines."""
    pct: Annotated[int, msgspec.Meta(ge=0, le=100)] | None = None
    data: dict[str, Any] = {}
    at: Seconds | None = None


class PoolWord(msgspec.Struct, kw_only=True):
    """``data`` of a result that is of a message of the pool: ``id`` is the message's then, and ``verb`` msg.submit."""

    fence: Count
    """Of which assignment."""
    word: Literal[
        "accepted", "refused", "released", "sent", "failed", "unknown", "delivered", "undelivered"
    ]  # fmt: skip


class ResBatch(Batch, kw_only=True, omit_defaults=True):
    """``up/res``: results of commands."""

    res: Annotated[list[Result], msgspec.Meta(max_length=MOST_RESULTS)]


class LogChunk(msgspec.Struct, kw_only=True, omit_defaults=True):
    """``up/log/<id>/<n>``: a piece of the log that was asked for."""

    v: int
    id: Id
    n: Count
    end: bool = False
    lines: list[str]


class ReportedError(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is wrong with a key of a configuration."""

    path: Annotated[str, msgspec.Meta(max_length=200)]
    """Its keys with dots between them, such as ``sims.*.limits.per_day``; empty: all of it."""
    code: Annotated[str, msgspec.Meta(max_length=64)]
    detail: Text = ""
    """For people."""


class CfgReported(Up, kw_only=True, omit_defaults=True):
    """``up/cfg/reported``: which configuration the box has."""

    ver: Annotated[int, msgspec.Meta(ge=0, le=2**50)]
    """The newest that it took; 0: none yet. There is room for later ones, whatever a box says."""
    st: Literal["applied", "pending", "rejected", "rolled_back"]
    hash: str
    """Of the document of ``ver``."""
    eff: Count = 0
    """The version that is in force: an older one where the newest was rejected or rolled back."""
    errs: Annotated[list[ReportedError], msgspec.Meta(max_length=100)] = []
    local: Annotated[list[str], msgspec.Meta(max_length=2000)] = []
    """Keys of the hub that the site wants otherwise."""


class Ota(Up, kw_only=True, omit_defaults=True):
    """``up/ota``: how an update of the box is going."""

    job: str = ""
    frm: Annotated[str, msgspec.Meta(description="the version before")] = msgspec.field(default="", name="from")
    to: str = ""
    ph: Literal[
        "idle", "offered", "waiting_window", "downloading", "verifying", "installing", "rebooting", "trial",
        "committed", "rolled_back", "failed",
    ]  # fmt: skip
    pct: Annotated[int, msgspec.Meta(ge=0, le=100)] | None = None
    slot: str = ""
    attempt: Count = 0
    err: str = ""
    next_try: Seconds | None = None


class Ack(msgspec.Struct, kw_only=True, omit_defaults=True):
    """``down/ack``: up to where the hub has each stream durably. Of another epoch it says nothing."""

    v: int
    ep: Epoch
    ev: Count | None = None
    res: Count | None = None


class Hello(msgspec.Struct, kw_only=True, omit_defaults=True):
    """``_fleet/down/hello``: the hub's presence; its will is one of these."""

    v: int
    he: Epoch
    """Random for each start of the hub: another one wants births."""
    s: Literal["online", "offline"]
    ts: Seconds | None = None
    window: Annotated[float, msgspec.Meta(ge=1, le=3600)] = 120.0
    """Seconds over which boxes spread their connections and births."""
    min: str = ""
    """The oldest version that it talks to."""


class CfgDesired(msgspec.Struct, kw_only=True, omit_defaults=True):
    """``down/cfg/desired``: the configuration that the hub wants."""

    v: int
    ver: Annotated[int, msgspec.Meta(ge=1, le=2**53)]
    """Grows with each change; what is not above the last one has no effect."""
    ep: Epoch
    """The life of the box that it is for."""
    by: Text = ""
    at: Seconds | None = None
    """When it was made, in unix seconds."""
    doc: msgspec.Raw
    """A CfgDocument."""
