"""What becomes of one message of a box: read without touching anything, then put down inside a write."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec

from modembank_fleet import wire
from modembank_fleet.wire import Address
from modembank_hub import lending
from modembank_hub import rows_of_boxes as boxes
from modembank_hub import rows_of_commands as commands
from modembank_hub import rows_of_config as configs
from modembank_hub import rows_of_enrolment as enrolment
from modembank_hub import rows_of_issues as issues
from modembank_hub import rows_of_quarantine as quarantine
from modembank_hub import rows_of_streams as streams
from modembank_hub import rows_of_telemetry as telemetry

PERIODS_S: Mapping[str, int] = {"live": 10, "standard": 60, "lean": 300, "metered": 900}
"""Seconds between two reports, by profile."""
_SHAPES: Mapping[tuple[str, ...], type[msgspec.Struct]] = {
    ("avail",): wire.Avail,
    ("birth",): wire.Birth,
    ("tele", "box"): wire.TeleBox,
    ("tele", "modems"): wire.TeleModems,
    ("ev",): wire.EvBatch,
    ("res",): wire.ResBatch,
    ("cfg", "reported"): wire.CfgReported,
    ("ota",): wire.Ota,
}
_GAP = "gap"
_encode = msgspec.json.Encoder().encode


class Told(msgspec.Struct, frozen=True):
    """A message of a box that could be read."""

    address: Address
    message: msgspec.Struct
    topic: str
    payload: bytes
    received_at: int
    """Unix milliseconds by the hub's clock."""


class Unreadable(msgspec.Struct, frozen=True):
    """One that could not, and why."""

    topic: str
    payload: bytes
    received_at: int
    code: str
    reason: str


Uplink: TypeAlias = Told | Unreadable


class Outcome(msgspec.Struct):
    """What a write of several messages brought about."""

    streams: set[tuple[Address, int, str]] = msgspec.field(default_factory=set)
    """Address, row id and epoch of the boxes of which streams are to be acknowledged."""
    boxes: set[Address] = msgspec.field(default_factory=set)
    """Boxes that are not as they were."""
    commands: bool = False
    """Whether a command came further, or is due."""
    configs: bool = False
    """Whether a box said something of its configuration, or is due to be told its own."""
    credits: list[lending.Told] = msgspec.field(default_factory=list)
    """What boxes take of the pool, as they told it."""
    words: bool = False
    """Whether a message of the pool came further."""
    quarantined: int = 0

    def add(self, other: Outcome) -> None:
        """Count another one's too."""
        self.streams |= other.streams
        self.boxes |= other.boxes
        self.commands |= other.commands
        self.configs |= other.configs
        self.credits += other.credits
        self.words |= other.words
        self.quarantined += other.quarantined


def read(topic: str, payload: bytes, content_encoding: str, received_at: int) -> Uplink:
    """Read a message; whatever it is, it becomes one of the two."""
    try:
        read_topic = wire.parse(topic)
        parts = read_topic.parts
        shape = wire.LogChunk if parts[0] == "log" and len(parts) == 3 else _SHAPES.get(parts)
        if read_topic.direction != "up" or shape is None:
            raise wire.WireError(code="bad_topic", detail="nothing is taken in on this topic")
        message = wire.decode(shape, payload, content_encoding)
        if isinstance(message, wire.EvBatch | wire.ResBatch):
            _check_batch(message)
        if isinstance(message, wire.LogChunk) and parts[1:] != (message.id, str(message.n)):
            raise wire.WireError(code="malformed", detail="the topic names another piece of a log")
    except wire.WireError as error:
        return Unreadable(topic, payload, received_at, error.code, error.detail)
    return Told(read_topic.address, message, topic, payload, received_at)


def _check_batch(batch: wire.EvBatch | wire.ResBatch) -> None:
    numbers = [one.seq for one in (batch.ev if isinstance(batch, wire.EvBatch) else batch.res)]
    if not 1 <= batch.first <= batch.last or any(not batch.first <= number <= batch.last for number in numbers):
        raise wire.WireError(code="malformed", detail="the batch does not cover what it holds")


def take(conn: sqlite3.Connection, uplink: Uplink, outcome: Outcome) -> None:
    """Put a message down; taken twice it is as taken once."""
    heard = _heard(conn, uplink)
    if isinstance(heard, Unreadable):
        quarantine.add(conn, heard.received_at, heard.topic, heard.code, heard.reason, heard.payload)
        outcome.quarantined += 1
        return
    uplink = heard
    box_id = boxes.known(conn, uplink.address, uplink.received_at)
    outcome.boxes.add(uplink.address)
    message, now = uplink.message, uplink.received_at
    if isinstance(message, wire.EvBatch | wire.ResBatch):
        _take_batch(conn, box_id, uplink.address, message, now, outcome)
    elif isinstance(message, wire.Avail):
        if boxes.note_presence(conn, box_id, message, now) and message.s == "online":
            outcome.commands |= commands.make_due(conn, box_id, now) > 0
    elif isinstance(message, wire.Birth):
        _take_birth(conn, box_id, message, now)
        outcome.configs |= configs.make_due(conn, box_id, now)
    elif isinstance(message, wire.TeleBox):
        _take_tele(conn, box_id, message, now)
        _take_credit(conn, box_id, message, outcome)
    elif isinstance(message, wire.TeleModems):
        table = json.dumps({"cols": message.cols, "rows": message.rows})
        boxes.note_modems(conn, box_id, message.ep, _order(message), table, now)
    elif isinstance(message, wire.LogChunk):
        if not commands.add_log(conn, box_id, message.id, message.n, _encode(message.lines).decode()):
            quarantine.add(conn, now, uplink.topic, "unasked", "nobody asked for this log", uplink.payload)
            outcome.quarantined += 1
        outcome.commands = True
    elif not boxes.is_old_epoch(conn, box_id, message.ep):  # type: ignore[attr-defined]  # CfgReported, Ota
        if isinstance(message, wire.CfgReported):
            _take_reported(conn, box_id, message, now, outcome)
        else:
            boxes.note_whole(conn, box_id, "ota", _encode(message).decode())


def _heard(conn: sqlite3.Connection, uplink: Uplink) -> Uplink:
    """Return a message as it counts: of a box that is shut out nothing does."""
    if isinstance(uplink, Unreadable):
        return uplink
    if enrolment.shut_out(conn, uplink.address.site, uplink.address.box) is None:
        return uplink
    reason = "the box is shut out: nothing that it says counts"
    return Unreadable(uplink.topic, uplink.payload, uplink.received_at, "revoked", reason)


def _take_batch(
    conn: sqlite3.Connection,
    box_id: int,
    address: Address,
    batch: wire.EvBatch | wire.ResBatch,
    now: int,
    outcome: Outcome,
) -> None:
    name = "ev" if isinstance(batch, wire.EvBatch) else "res"
    stream_id, acked = streams.stream_of(conn, box_id, batch.ep, name, batch.base)
    outcome.streams.add((address, box_id, batch.ep))
    if batch.base - 1 > acked:  # the box has nothing older any more, and no other hub can give it
        streams.add_gap(conn, stream_id, acked + 1, batch.base - 1, "never reached this hub", now)
        acked = streams.extend(conn, stream_id, acked, acked + 1, batch.base - 1)
    if batch.last <= acked:
        return
    if isinstance(batch, wire.EvBatch):
        streams.add_events(
            conn,
            [
                streams.EventRow(
                    *(stream_id, one.seq, now, None if one.at is None else round(one.at * 1000), batch.bs),
                    *(one.type, one.sev, one.subj, _encode(one.data).decode()),
                )
                for one in batch.ev
            ],
        )
        for one in batch.ev:
            if one.type == _GAP:
                _take_gap(conn, box_id, batch.ep, one.data, now)
            elif one.type in {issues.RAISED, issues.CLEARED}:
                issues.note(conn, box_id, issues.Told(batch.ep, one.seq, one.type, one.data), now)
    else:
        for result in batch.res:
            _take_result(conn, box_id, (stream_id, batch.ep), result, now, outcome)
    streams.extend(conn, stream_id, acked, batch.first, batch.last)


def _take_gap(conn: sqlite3.Connection, box_id: int, epoch: str, told: Mapping[str, Any], now: int) -> None:
    """The box says what it had to drop; what makes no sense stays an event like any other."""
    name, first, last = told.get("stream", "ev"), told.get("from"), told.get("to")
    if name not in {"ev", "res"} or not isinstance(first, int) or not isinstance(last, int):
        return
    if not 1 <= first <= last < 2**63:
        return
    stream_id, acked = streams.stream_of(conn, box_id, epoch, name, first)
    streams.add_gap(conn, stream_id, first, last, str(told.get("why", ""))[:200], now)
    if last > acked:
        streams.extend(conn, stream_id, acked, first, last)


def _take_result(
    conn: sqlite3.Connection, box_id: int, stream: tuple[int, str], result: wire.Result, now: int, outcome: Outcome
) -> None:
    new = streams.add_result(conn, stream[0], result.seq, now, result.id[:64], _encode(result).decode())
    if new and result.verb == lending.SUBMIT.name and lending.hear(conn, box_id, stream[1], result, now):
        outcome.words = True
    elif new:
        told = commands.Told(result.st, result.code, result.pct, _encode(result.data).decode())
        outcome.commands |= commands.note_result(conn, box_id, result.id, told, now)


def _take_birth(conn: sqlite3.Connection, box_id: int, birth: wire.Birth, now: int) -> None:
    if boxes.is_old_epoch(conn, box_id, birth.ep):
        return
    told = {
        "label": birth.label[:200],
        "version": birth.sw.version[:64],
        "period_s": PERIODS_S.get(birth.profile, 60),
        "birth": _encode(birth).decode(),
        "birth_at": now,
        "skew_ms": _skew(birth, now),
    }
    boxes.note_birth(conn, box_id, told)


def _take_reported(conn: sqlite3.Connection, box_id: int, told: wire.CfgReported, now: int, outcome: Outcome) -> None:
    before = boxes.reported(conn, box_id)
    if before is not None and before["ep"] == told.ep and (before["bs"], before["up"]) > (told.bs, told.up):
        return  # workers share what comes: this one is late
    boxes.note_whole(conn, box_id, "reported", _encode(told).decode())
    configs.note_reported(conn, box_id, told, now)
    outcome.configs = True


def _take_tele(conn: sqlite3.Connection, box_id: int, tele: wire.TeleBox, now: int) -> None:
    before, epoch, seq = boxes.latest_tele(conn, box_id)
    if epoch == tele.ep and seq is not None and _order(tele) <= seq:
        return  # late, or a second time
    if epoch not in {None, tele.ep} and boxes.is_old_epoch(conn, box_id, tele.ep):
        return
    thr = tele.thr
    sent, delivered, failed, received = thr.sent, thr.dlr, thr.fail, thr.recv
    if before is None:  # what it did before the hub knew it is nothing of this stretch
        sent = delivered = failed = received = 0
    elif epoch == tele.ep:
        was = json.loads(before)["thr"]
        sent, delivered, failed, received = (
            max(0, total - was[name])
            for total, name in ((sent, "sent"), (delivered, "dlr"), (failed, "fail"), (received, "recv"))
        )
    ready = tele.modems.ready
    waiting = tele.q.ready + tele.q.delayed
    stretch = telemetry.Stretch(
        *(now // 1000, 1, ready, ready, waiting, sent, delivered, failed, received),
        *(tele.cpu, tele.mem, tele.disk, tele.temp),
    )
    telemetry.add(conn, box_id, stretch)
    told = {
        "tele": _encode(tele).decode(),
        "at": now,
        "epoch": tele.ep,
        "seq": _order(tele),
        "problems": min(tele.issues + tele.modems.err, 10_000),
        "skew_ms": _skew(tele, now),
    }
    boxes.note_tele(conn, box_id, told)


def _take_credit(conn: sqlite3.Connection, box_id: int, tele: wire.TeleBox, outcome: Outcome) -> None:
    if not boxes.is_old_epoch(conn, box_id, tele.ep):
        period_s = conn.execute("SELECT period_s FROM boxes WHERE id = ?", (box_id,)).fetchone()[0]
        outcome.credits.append(lending.Told(box_id, tele.ep, tele.up, tele.pool, period_s))


def _order(tele: wire.TeleBox | wire.TeleModems) -> int:
    """Return a number that grows with each report of an epoch: each start of the box counts its reports anew."""
    return (min(tele.bs, 2**30) << 32) + min(tele.seq, 2**32 - 1)


def _skew(up: wire.Birth | wire.TeleBox, now: int) -> int | None:
    return None if up.ts is None or up.clk == "unsync" else now - round(up.ts * 1000)
