"""What the hub's API shows: boxes, events, telemetry, commands, what could not be read."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from modembank.clock import rfc3339
from modembank_fleet.wire import Verb
from modembank_hub.fleet import Gap
from modembank_hub.rows_of_boxes import BoxRow
from modembank_hub.rows_of_commands import CommandRow
from modembank_hub.rows_of_quarantine import Quarantined
from modembank_hub.rows_of_streams import EventRow
from modembank_hub.rows_of_telemetry import Stretch

Standing = Literal["online", "stale", "offline"]


class BoxView(msgspec.Struct, frozen=True):
    """A box: how it stands, and what it told last. Stale: it said it was online, and has been silent since."""

    name: str
    site: str
    box: str
    label: str
    standing: str
    shut_out: bool
    """Whether nothing that it says counts, and it is told nothing."""
    why: str
    """Of the presence that counts: birth, shutdown, update, will."""
    seen_at: str
    first_at: str
    version: str
    epoch: str
    problems: int
    skew_s: float | None
    modems_ready: int
    modems: int
    waiting: int
    unknown: int
    outbox: int


class BoxDetail(BoxView, frozen=True):
    """A box with all that it told last, as it told it; null: nothing yet."""

    birth: Mapping[str, Any] | None = None
    telemetry: Mapping[str, Any] | None = None
    modem_table: Sequence[Mapping[str, Any]] = ()
    configuration: Mapping[str, Any] | None = None
    update: Mapping[str, Any] | None = None
    gaps: Sequence[GapView] = ()


class GapView(msgspec.Struct, frozen=True):
    """What is missing of a stream for ever."""

    stream: str
    first: int
    last: int
    why: str
    at: str


class EventView(msgspec.Struct, frozen=True):
    """Something that happened at a box; ``at`` is by its clock, null where that was not set."""

    seq: int
    type: str
    severity: str
    at: str | None
    received_at: str
    subject: str
    data: Mapping[str, Any]


class StretchView(msgspec.Struct, frozen=True):
    """A stretch of time: what was sent and received in it, and the extremes of what was reported."""

    at: str
    reports: int
    modems_ready: int
    waiting: int
    sent: int
    delivered: int
    failed: int
    received: int
    cpu: float | None
    memory: float | None
    disk_left_gb: float | None
    temperature: float | None


class CommandView(msgspec.Struct, frozen=True):
    """A command and how far it is; what has not happened is null."""

    id: str
    box: str
    verb: str
    args: Mapping[str, Any]
    by: str
    issued_at: str
    ttl_s: int
    state: str
    code: str
    percent: int | None
    data: Mapping[str, Any]
    sends: int
    sent_at: str | None
    accepted_at: str | None
    running_at: str | None
    ended_at: str | None


class LogView(msgspec.Struct, frozen=True):
    """Lines of a box's log, as far as they have come."""

    lines: Sequence[str]


class VerbView(msgspec.Struct, frozen=True):
    """What can be ordered, and the JSON Schema of its arguments."""

    name: str
    most_ttl_s: int
    signed: bool
    possible: bool
    """Whether this hub can give it: what must be signed needs a key."""
    args: Mapping[str, Any]


class QuarantinedView(msgspec.Struct, frozen=True):
    """Something that came and could not be read; ``payload`` is its beginning in base64."""

    id: str
    at: str
    topic: str
    code: str
    reason: str
    octets: int
    payload: str


def summary_of(row: BoxRow) -> dict[str, Any]:
    """Return the fields of a BoxView."""
    tele = json.loads(row.tele) if row.tele else {}
    modems, queue = tele.get("modems", {}), tele.get("q", {})
    return {
        "name": row.name,
        "site": row.site,
        "box": row.box,
        "label": row.label,
        "standing": row.standing,
        "shut_out": row.out_at is not None,
        "why": row.why,
        "seen_at": rfc3339(row.seen_at),
        "first_at": rfc3339(row.first_at),
        "version": row.version,
        "epoch": row.epoch,
        "problems": row.problems,
        "skew_s": None if row.skew_ms is None else row.skew_ms / 1000,
        "modems_ready": modems.get("ready", 0),
        "modems": len(json.loads(row.birth)["modems"]["rows"]) if row.birth else sum(modems.values()),
        "waiting": queue.get("ready", 0) + queue.get("delayed", 0),
        "unknown": queue.get("unknown", 0),
        "outbox": tele.get("outbox", {}).get("n", 0),
    }


def box_view(row: BoxRow) -> BoxView:
    """Return a box as lists show it."""
    return BoxView(**summary_of(row))


def box_detail(row: BoxRow, gaps: Sequence[Gap]) -> BoxDetail:
    """Return a box with everything."""
    return BoxDetail(
        **summary_of(row),
        birth=_object(row.birth),
        telemetry=_object(row.tele),
        modem_table=modem_table(row),
        configuration=_object(row.reported),
        update=_object(row.ota),
        gaps=[GapView(gap.stream, gap.first, gap.last, gap.why, rfc3339(gap.at)) for gap in gaps],
    )


def modem_table(row: BoxRow) -> list[dict[str, Any]]:
    """Return a box's modems, one object each: what its birth says of them, and over that what it reported last."""
    born = _rows(json.loads(row.birth)["modems"]) if row.birth else []
    told = {one.get("slot"): one for one in (_rows(json.loads(row.modems)) if row.modems else [])}
    known = {one.get("slot") for one in born}
    return [one | told.get(one.get("slot"), {}) for one in born] + [
        one for slot, one in told.items() if slot not in known
    ]


def event_view(row: EventRow) -> EventView:
    """Return an event."""
    at = None if row.at is None else rfc3339(row.at)
    return EventView(row.seq, row.type, row.severity, at, rfc3339(row.received_at), row.subject, json.loads(row.body))


def stretch_view(row: Stretch) -> StretchView:
    """Return a stretch."""
    return StretchView(
        rfc3339(row.bucket * 1000),
        *(row.reports, row.ready, row.waiting, row.sent, row.delivered, row.failed, row.received),
        *(row.cpu, row.mem, row.disk, row.temp),
    )


def command_view(row: CommandRow) -> CommandView:
    """Return a command."""
    return CommandView(
        id=row.id,
        box=f"{row.site}/{row.box}",
        verb=row.verb,
        args=json.loads(row.args),
        by=row.actor,
        issued_at=rfc3339(row.issued_at),
        ttl_s=row.ttl_s,
        state=row.state,
        code=row.code,
        percent=row.percent,
        data=json.loads(row.data),
        sends=row.sends,
        sent_at=_when(row.sent_at),
        accepted_at=_when(row.accepted_at),
        running_at=_when(row.running_at),
        ended_at=_when(row.ended_at),
    )


def verb_view(verb: Verb, *, possible: bool) -> VerbView:
    """Return a verb."""
    return VerbView(verb.name, verb.most_ttl_s, verb.signed, possible, msgspec.json.schema(verb.args))


def quarantined_view(row: Quarantined) -> QuarantinedView:
    """Return what could not be read."""
    payload = base64.b64encode(row.payload).decode("ascii")
    return QuarantinedView(str(row.id), rfc3339(row.at), row.topic, row.code, row.reason, row.octets, payload)


def _object(text: str | None) -> Mapping[str, Any] | None:
    return None if text is None else json.loads(text)


def _rows(table: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [dict(zip(table["cols"], row, strict=False)) for row in table["rows"]]


def _when(at: int | None) -> str | None:
    return None if at is None else rfc3339(at)
