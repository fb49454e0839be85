"""What one write does with lent messages: each change and the result that tells of it, or neither."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping

import msgspec
from msgspec.structs import replace

from modembank.events import MessageStateChanged
from modembank.fleet import pool_rows, rows
from modembank.fleet.pool_rows import Lent
from modembank.messages import MessageState
from modembank.messages.lent import Lending
from modembank_fleet.pool import holding
from modembank_fleet.pool.holding import WAITING, BoxNow, Entry, Offer, Reply, Stage
from modembank_fleet.pool.words import Code, Word
from modembank_fleet.wire import PoolMessage, PoolWord, Recall, Submit
from modembank_fleet.wire.shapes import ResultState

VERB = "msg.submit"
"""Of results that are of messages."""
_STATES: Mapping[Word, ResultState] = {
    Word.ACCEPTED: "accepted",
    Word.REFUSED: "rejected",
    Word.RELEASED: "cancelled",
    Word.SENT: "done",
    Word.FAILED: "failed",
    Word.UNKNOWN: "unknown",
    Word.DELIVERED: "done",
    Word.UNDELIVERED: "failed",
}
_ENDED: Mapping[MessageState, Stage] = {
    MessageState.SENT: Stage.SENT,
    MessageState.UNKNOWN: Stage.UNKNOWN,
    MessageState.DELIVERED: Stage.DELIVERED,
    MessageState.UNDELIVERED: Stage.UNDELIVERED,
    MessageState.FAILED: Stage.FAILED,
}
_GIVEN_UP = frozenset({MessageState.CANCELLED, MessageState.EXPIRED})


class Book(msgspec.Struct):
    """The lent messages inside one write."""

    conn: sqlite3.Connection
    lending: Lending
    now_ms: int
    epoch: str
    present: Callable[[int], BoxNow]
    """The box now, while so many are held."""
    events: list[MessageStateChanged] = msgspec.field(default_factory=list)
    """For after the commit."""
    ended: list[int] = msgspec.field(default_factory=list)
    """Rows of the box's queue of which nothing more is to come."""
    told: bool = False
    """Whether there is a result for the hub."""

    # -- what the hub says

    def submitted(self, args: Submit, left_s: float, wrong: Mapping[str, Code], issuer: str) -> dict[str, int]:
        """Take assignments, or not; return how many were told what. ``wrong`` can not be sent from here."""
        counts: dict[str, int] = {}
        for message in args.msgs:
            known = self._current(message.id)
            if known is not None and self._lapsed(known):
                known = self._current(message.id)
            offer = Offer(message.id, message.fence, args.run, args.up, float(args.lease), message.not_after)
            now = self.present(pool_rows.held(self.conn))
            reply = holding.judge(offer, None if known is None else entry_of(known), now, left_s)
            if reply.keep is not None and reply.keep.stage is Stage.HELD and message.id in wrong:
                code = wrong[message.id]
                reply = Reply(Entry(message.id, message.fence, Stage.GONE, code), Word.REFUSED, code)
            seq = self._say(message.id, message.fence, reply.word, reply.code)
            if reply.keep is not None and reply.keep.stage is Stage.HELD:
                self._take(reply.keep, message, seq, issuer)
            elif reply.keep is not None:
                self._keep(known, reply.keep)
            counts[reply.word] = counts.get(reply.word, 0) + 1
        return counts

    def recalled(self, args: Recall) -> dict[str, int]:
        """Give back what the hub wants; return how many were told what."""
        counts: dict[str, int] = {}
        for wanted in args.msgs:
            known = self._current(wanted.id)
            entry = None if known is None else entry_of(known)
            reply = holding.recall(wanted.id, wanted.fence, entry)
            if entry is not None and entry.stage in WAITING and reply.word is Word.RELEASED:
                assert known is not None
                if not self._taken_back(known, "the hub recalled it"):
                    entry = replace(entry, stage=Stage.STARTED)
                    reply = holding.recall(wanted.id, wanted.fence, entry)
            self._say(wanted.id, wanted.fence, reply.word, reply.code)
            if reply.keep is not None:
                self._keep(known, reply.keep)
            counts[reply.word] = counts.get(reply.word, 0) + 1
        return counts

    # -- what happens here

    def settle(self) -> None:
        """Tell how everything stands that stands otherwise than was told, and give back what may not begin any more."""
        for lent in pool_rows.open_ones(self.conn):
            current = self._refreshed(lent)
            if current is not lent:
                pool_rows.put(self.conn, current)
                if Stage(current.stage) not in holding.OPEN:
                    self._tell(current)
            self._lapsed(current)

    def resume(self) -> None:
        """Give back what waited when the daemon ended; in a restored database nothing is known of it."""
        for lent in pool_rows.open_ones(self.conn):
            current = self._refreshed(lent)
            restored = lent.epoch != self.epoch
            kept = holding.resume(entry_of(current), restored=restored)
            if kept is None:
                continue
            back = self._taken_back(current, "the daemon was started anew: the hub gives it anew")
            if restored:
                self._keep(current, kept)
            elif back:
                self._keep(current, kept)
                self._tell(self._got(lent.id))

    def release(self, message: str, fence: int, code: Code) -> None:
        """Give back a held message that the box's own service would not take."""
        lent = pool_rows.get(self.conn, message)
        if lent is not None and lent.stage == Stage.HELD and lent.fence == fence:
            self._keep(lent, replace(entry_of(lent), stage=Stage.GONE, code=code))
            self._tell(self._got(message))

    # -- parts

    def _current(self, message: str) -> Lent | None:
        lent = pool_rows.get(self.conn, message)
        return None if lent is None else self._refreshed(lent)

    def _got(self, message: str) -> Lent:
        lent = pool_rows.get(self.conn, message)
        assert lent is not None
        return lent

    def _refreshed(self, lent: Lent) -> Lent:
        """Return one as the box's own queue knows it; the same object when that is nothing new."""
        if lent.message_id is None or lent.stage in (Stage.GONE, Stage.VOID):
            return lent
        found = self.lending.standing(self.conn, lent.message_id)
        if found is None:
            return lent
        code = Code(lent.code)
        if found.state in _GIVEN_UP:
            stage, code = (Stage.UNKNOWN, code) if found.out else (Stage.GONE, Code.LEASE_OVER)
        else:
            stage = _ENDED.get(found.state, Stage.STARTED if found.tried else Stage.QUEUED)
        return lent if stage == lent.stage else replace(lent, stage=stage.value, code=code.value, at=self.now_ms)

    def _lapsed(self, lent: Lent) -> bool:
        """Give back one that may not begin any more; return whether it was."""
        gone = holding.lapse(entry_of(lent), self.present(0))
        if gone is None or not self._taken_back(lent, "its lease is over"):
            return False
        self._keep(lent, gone)
        self._tell(self._got(lent.id))
        return True

    def _taken_back(self, lent: Lent, cause: str) -> bool:
        """Take one out of the box's own queue; False when a modem had it."""
        if lent.message_id is None:
            return True
        if lent.stage not in WAITING:
            return False
        events = self.lending.take_back(self.conn, lent.message_id, f"pool: {cause}", self.now_ms)
        if events is None:
            return False
        self.events += events
        return True

    def _take(self, entry: Entry, message: PoolMessage, seq: int, issuer: str) -> None:
        taken = Lent(
            entry.id, entry.fence, entry.stage, entry.code, self.epoch, entry.run, entry.until, entry.not_after,
            seq, None, message.to, message.body, issuer, self.now_ms,
        )  # fmt: skip
        pool_rows.put(self.conn, taken)

    def _keep(self, known: Lent | None, entry: Entry) -> None:
        """Keep an entry that is not held: without its content."""
        if known is None:
            known = Lent(entry.id, 0, "", "", self.epoch, "", 0.0, 0.0, 0, None, "", "", "", 0)
        kept = replace(
            known, fence=entry.fence, stage=entry.stage.value, code=entry.code.value, recipient="", text="",
            at=self.now_ms,
        )  # fmt: skip
        pool_rows.put(self.conn, kept)
        if known.message_id is not None and entry.stage not in holding.OPEN:
            self.ended.append(known.message_id)

    def _tell(self, lent: Lent) -> None:
        self._say(lent.id, lent.fence, holding.WORDS[Stage(lent.stage)], Code(lent.code))
        if lent.message_id is not None and lent.stage not in (Stage.SENT, Stage.UNKNOWN):
            self.ended.append(lent.message_id)

    def _say(self, message: str, fence: int, word: Word, code: Code) -> int:
        self.told = True
        data = msgspec.json.encode(PoolWord(fence=fence, word=word.value)).decode()
        return rows.tell_of(self.conn, rows.Result(0, self.now_ms, message, VERB, _STATES[word], code.value, data))


def entry_of(lent: Lent) -> Entry:
    """Return what is decided by."""
    return Entry(
        lent.id, lent.fence, Stage(lent.stage), Code(lent.code), lent.run, lent.until, lent.not_after, lent.accepted
    )
