"""Is everything there that was promised before the cut? The box is opened as its own start does it, and asked."""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from modembank.accounts import LOCAL_ADMIN
from modembank.clock import SystemClock
from modembank.config import BankConfig, BoxConfig, Config, LimitsConfig
from modembank.ids import public_id, row_id
from modembank.messages import IdempotencyKey, MessageState, OnUnknown
from modembank.messages.model import TERMINAL
from modembank.messages.outbox import ACCEPTED_EVER, AttemptRow, attempts_of
from modembank.messages.requests import read_request
from modembank.messages.views import MESSAGE_ID
from modembank.modem.outcome import AttemptOutcome
from modembank.modem.pin import PinRecord
from modembank.store.schema import known_migrations
from modembankd.compose import Box, assemble
from modembankd.data_folder import make_data_folder
from powercut.disk import Cut
from powercut.witnesses import Asked, Submitted, Witnesses
from powercut.workload import THEIRS

_NO_LIMITS = LimitsConfig(min_interval_s=0, per_minute=0, per_hour=0, per_day=0)
_STATES = {state.word: state for state in MessageState}
_NEVER_SENT = frozenset({MessageState.FAILED, MessageState.EXPIRED, MessageState.CANCELLED})


@dataclass(slots=True)
class Message:
    """A message as the box has it after the cut."""

    id: int
    recipient: str
    text: str
    segments: int
    state: MessageState
    policy: OnUnknown
    attempts: list[AttemptRow]


@dataclass(slots=True)
class Found:
    """What the box holds."""

    messages: dict[str, Message] = field(default_factory=dict)
    """By recipient: each has but one."""
    doubled: list[str] = field(default_factory=list)
    inbox: Counter[tuple[str, str]] = field(default_factory=Counter)
    ledger: set[str] = field(default_factory=set)
    parts: set[str] = field(default_factory=set)
    orphans: set[str] = field(default_factory=set)
    """Delivery reports that wait for their attempt."""
    problems: list[str] = field(default_factory=list)


class Verdict:
    """Judges images of one recording."""

    def __init__(self, witnesses: Witnesses) -> None:
        self._all = witnesses
        self._by_recipient = {to: one for one in witnesses.asked for to in one.to}

    async def of(self, folder: Path, cut: Cut) -> list[str]:
        """Return what is wrong with the box in ``folder``; nothing, if all is well."""
        data = folder / "data"
        try:
            make_data_folder(data)
            box = await assemble(_config(data), SystemClock())
        except Exception as error:  # noqa: BLE001 - a damaged database makes it raise anything
            return [f"the box does not start: {error!r}"]
        try:
            return [problem async for problem in self._problems(box, data, cut.at)]
        except Exception as error:  # noqa: BLE001 - the same
            return [f"the box cannot answer: {error!r}"]
        finally:
            await box.app.store.close()

    async def _problems(self, box: Box, data: Path, at: int):
        found = await box.app.store.read(_look)
        for problem in found.problems:
            yield problem
        if not (await box.app.messages.recount()).holds:
            yield "the counters are not what the table holds"
        for check in (self._accepted, self._shown, self._submitted, self._sent, self._inbound, self._reports):
            for problem in check(found, at):
                yield problem
        for problem in await self._sent_again(box, at):
            yield problem
        for problem in await self._replayed(box, at):
            yield problem
        for problem in _backups(data, wanted=_was(self._all.first_release_at, at)):
            yield problem
        if _was(self._all.pin_refused_at, at) and not _pin_noted(data):
            yield "a PIN that was refused is not known any more"

    def _accepted(self, found: Found, at: int) -> Iterator[str]:
        """What was answered is there, whole; what was not is there whole or not at all."""
        for to in found.doubled:
            yield f"{to} has two messages"
        for one in self._all.asked:
            kept = [found.messages.get(to) for to in one.to]
            answered = one.answered_at is not None and one.answered_at <= at
            if (answered or any(kept)) and not all(kept):
                yield f"of {len(kept)} messages {'answered' if answered else 'asked for'}, {kept.count(None)} are gone"
            ids = [message["id"] for message in one.receipt["messages"]] if answered else []
            for message, known_as in zip(kept, ids, strict=False):
                if message and public_id(MESSAGE_ID, message.id) != known_as:
                    yield f"{known_as} is another message now"
        for to, message in found.messages.items():
            one = self._by_recipient.get(to)
            if one is None or one.at > at or message.text != one.text:
                yield f"a message to {to} that nobody asked for: {message.text!r}"

    def _shown(self, found: Found, at: int) -> Iterator[str]:
        """No state that was shown goes back, and an end stays an end."""
        by_id = {message.id: message for message in found.messages.values()}
        for shown in self._all.shown:
            if shown.at > at:
                continue
            was, message = _STATES[shown.status], by_id.get(row_id(MESSAGE_ID, shown.message))
            if message is None:
                yield f"{shown.message} was {shown.status} and is gone"
            elif (was, message.state) == (MessageState.UNKNOWN, MessageState.SENT):
                pass  # a report proved what nobody knew
            elif message.state < was or (was in TERMINAL and message.state not in TERMINAL):
                yield f"{shown.message} was {shown.status} and is {message.state.word}"

    def _submitted(self, found: Found, at: int) -> Iterator[str]:
        """Every SUBMIT that the network saw is an attempt that is known."""
        for (to, segment), seen in self._seen(at).items():
            message = found.messages.get(to)
            known = [one for one in message.attempts if one.segment == segment] if message else []
            if len(known) < len(seen):
                yield f"{to}: the network saw segment {segment} {len(seen)} times, of which {len(known)} are known"
            accepted = sum(one.accepted for one in seen)
            denied = sum(one.outcome is AttemptOutcome.NOT_SENT for one in known)
            if len(known) - denied < accepted:
                yield f"{to}: segment {segment} was taken and is said not to have been sent"

    def _sent(self, found: Found, at: int) -> Iterator[str]:
        """What is said to have been sent was, and what is said never to have been was not."""
        seen = self._seen(at)
        for to, message in found.messages.items():
            taken = {place for place in range(1, message.segments + 1) if any(one.accepted for one in seen[to, place])}
            if message.state in (MessageState.SENT, MessageState.DELIVERED) and len(taken) < message.segments:
                yield f"{to} is {message.state.word}, and the network saw {len(taken)} of {message.segments} segments"
            if message.state in _NEVER_SENT and taken:
                yield f"{to} is {message.state.word}, and the network has it"

    def _inbound(self, found: Found, at: int) -> Iterator[str]:
        """What the modem was told to delete is in the ledger and in the inbox, once."""
        taken = {one.pdu for one in self._all.taken if one.at <= at}
        for pdu in taken - found.ledger:
            yield f"an inbound PDU that was deleted in the modem is not in the ledger: {pdu}"
        for one in self._all.sent:
            shown = found.inbox[one.sender, one.text]
            if shown > 1:
                yield f"{one.text[:12]!r} was received once and is shown {shown} times"
            ours = taken.intersection(one.pdus)
            if not shown and (len(ours) == len(one.pdus) or ours - found.parts):
                yield f"{one.text[:12]!r} was deleted in the modem and is not in the inbox"
        for sender, text in found.inbox.keys() - {(one.sender, one.text) for one in self._all.sent}:
            yield f"{text!r} of {sender} is in the inbox and was never sent"

    def _reports(self, found: Found, at: int) -> Iterator[str]:
        """A delivery report that was acknowledged has settled an attempt, or waits for it."""
        for one in self._all.taken:
            if one.at > at or one.report is None or one.pdu in found.orphans:
                continue
            to, reference = one.report
            message = found.messages.get(to)
            attempts = message.attempts if message else []
            if not any(each.tp_mr == reference and each.report_status is not None for each in attempts):
                yield f"{to}: the delivery report for reference {reference} is gone"

    async def _sent_again(self, box: Box, at: int) -> list[str]:
        """Under ``hold``, no segment that the network took is ever offered to a modem again."""
        seen = self._seen(at)
        problems = []
        for route in await box.outbox.routes():
            for message in await box.outbox.load(route.id, limit=10_000, exclude=()):
                for segment in set(range(1, message.segments + 1)) - message.done:
                    taken = any(one.accepted for one in seen[message.recipient, segment])
                    if taken and message.on_unknown is OnUnknown.HOLD:
                        problems.append(f"{message.recipient}: segment {segment} would be sent twice")
        return problems

    async def _replayed(self, box: Box, at: int) -> list[str]:
        """An idempotency key that was answered gives the same answer, and no message more."""
        before = await box.app.store.fetch_one("SELECT count(*) FROM messages")
        problems = [f"key {one.key}: answered anew" for one in self._all.asked if not await _replays(box, one, at)]
        if await box.app.store.fetch_one("SELECT count(*) FROM messages") != before:
            problems.append("a request that was answered before was accepted again")
        return problems

    def _seen(self, at: int) -> dict[tuple[str, int], list[Submitted]]:
        found: dict[tuple[str, int], list[Submitted]] = defaultdict(list)
        for one in self._all.submitted:
            if one.at <= at:
                found[one.to, one.segment].append(one)
        return found


async def _replays(box: Box, one: Asked, at: int) -> bool:
    if one.key is None or one.answered_at is None or one.answered_at > at:
        return True
    body = one.body.encode()
    receipt = await box.app.messages.submit(LOCAL_ADMIN, read_request(body), IdempotencyKey.of(one.key, body))
    return receipt.replayed and list(msgspec.to_builtins(receipt.messages)) == one.receipt["messages"]


def _look(conn: sqlite3.Connection) -> Found:
    """Read everything, and check what the file says of itself."""
    found = Found()
    for row in conn.execute("SELECT id, recipient, text, segments, state, on_unknown FROM messages").fetchall():
        message = Message(*row[:4], MessageState(row[4]), OnUnknown(row[5]), attempts_of(conn, row[0]))
        if message.recipient in found.messages:
            found.doubled.append(message.recipient)
        found.messages[message.recipient] = message
    found.inbox.update(conn.execute("SELECT sender, text FROM inbox WHERE missing = '[]'"))
    found.ledger = {row[0] for row in conn.execute("SELECT pdu FROM inbound_pdus")}
    found.orphans = {row[0] for row in conn.execute("SELECT pdu FROM orphan_reports")}
    found.parts = {row[0] for row in conn.execute("SELECT pdu FROM inbound_parts")}
    found.problems += [problem for check in (_integrity, _sums) for problem in check(conn)]
    return found


def _integrity(conn: sqlite3.Connection) -> Iterator[str]:
    rows = conn.execute("PRAGMA integrity_check").fetchall()
    if rows != [("ok",)]:
        yield f"the database is damaged: {rows[:3]}"
    orphans = conn.execute("PRAGMA foreign_key_check").fetchall()
    if orphans:
        yield f"rows without parents: {orphans[:3]}"


def _sums(conn: sqlite3.Connection) -> Iterator[str]:
    """Accepted = terminal + open, and each SIM's usage = the attempts made through it."""
    counts = dict(conn.execute("SELECT state, n FROM state_counts"))
    ever, sum_of_states = counts.pop(ACCEPTED_EVER), sum(counts.values())
    if ever != sum_of_states:
        yield f"{ever} messages were ever accepted, {sum_of_states} are in some state"
    used = dict(conn.execute("SELECT sim_id, sum(segments) FROM sim_usage GROUP BY sim_id"))
    tried = dict(conn.execute("SELECT sim_id, count(*) FROM attempts GROUP BY sim_id"))
    if used != tried:
        yield f"segments counted by SIM: {used}, attempts made: {tried}"
    if conn.execute("SELECT count(*) FROM journal").fetchone() != (0,):
        yield "recovery left rows in the journal"


def _backups(data: Path, *, wanted: bool) -> Iterator[str]:
    """What an upgrade wrote before it changed anything is whole, and holds the message of the first release."""
    backups = sorted(data.glob("*.bak"))
    if wanted and not backups:
        yield "the upgrade left no backup"
    for backup in backups:
        with closing(sqlite3.connect(backup)) as connection:
            try:
                sound = connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
                whole = sound and connection.execute("SELECT id, user_version FROM messages, pragma_user_version")
                held = whole and whole.fetchall()
            except sqlite3.Error as error:
                held = error
        # An upgrade that goes on after a cut writes another one, of the schema that it has come to.
        good = [[(THEIRS[2], version)] for version in range(1, len(known_migrations()))]
        if held not in good and (wanted or held != []):  # it was made before the message came
            yield f"the backup {backup.name} is not whole: {held!r}"


def _was(happened_at: int | None, at: int) -> bool:
    return happened_at is not None and happened_at <= at


def _pin_noted(data: Path) -> bool:
    """The card's identity is the emulator's; any note of a failed try is that of the one locked SIM."""
    file = data / "failed-pins.json"
    return bool(PinRecord(file)._failed)


def _config(data: Path) -> Config:
    return Config(box=BoxConfig(id="test", data_dir=str(data)), bank=BankConfig(), limits=_NO_LIMITS)
