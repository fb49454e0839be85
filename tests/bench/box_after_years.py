"""A database as a box has it after years, for ``bench_lists.py`` and others: the same rows on every machine.

Besides the messages: an attempt for each that was tried, a tenth as many inbound ones with their conversations, and of
what other lists show as much as they keep, or as a busy box may gather.
"""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
from pathlib import Path

import msgspec

from modembank.mailings.model import ImportPhase, Layout, MailingState, Wish
from modembank.messages import MessageState
from modembank.messages.batches import Terms
from modembank.modem.outcome import AttemptOutcome
from modembank.store import schema

BEGAN = 1_700_000_000_000
STEP_MS = 6_000
"""Between two messages: ten million are two years."""
FIRST = 1 << 40
COMMON_USER, USUAL_USER, RARE_USER = 1, 5, 40
AUDITED = 1_000_000
TOLD = 1_000_000
"""Events: as many as the log keeps."""
OUT = 500_000
REVIEWED, IN_REVIEW = 100_000, 1_000
MAILINGS, REFUSED_ROWS = 5_000, 10_000
WEBHOOKS, RETRIES_EACH = 100, 1_000
CLEARED = 10_000
# Of ten thousand messages, by state; the newest queue is on top of them.
SHARES = (
    (MessageState.DELIVERED, 8_700),
    (MessageState.SENT, 900),
    (MessageState.UNDELIVERED, 200),
    (MessageState.FAILED, 120),
    (MessageState.EXPIRED, 60),
    (MessageState.CANCELLED, 15),
    (MessageState.UNKNOWN, 5),
)
NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ? - 1)"
_DICE = "((i * 2654435761 + (i >> 7) * 40503) & 0x7fffffff)"  # the same on every machine
_EVIDENCE = '{"prompt_s":0.053,"ctrl_z_s":0.061,"final_s":1.94,"octets_written":148,"final":"+CMGS: 17"}'


def build(path: Path, rows: int, began: int = BEGAN) -> None:
    """Make it under another name, so that one that was not finished is not taken for one; it began at that moment."""
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(unfinished, isolation_level=None)) as conn:
        conn.create_function("began", 0, lambda: began, deterministic=True)
        conn.execute("PRAGMA journal_mode = OFF")
        conn.execute("PRAGMA synchronous = OFF")
        conn.execute("PRAGMA cache_size = -262144")
        conn.execute("BEGIN")
        for migration in schema.known_migrations():
            for statement in migration.statements:
                conn.execute(statement)
        conn.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        conn.execute(f"PRAGMA user_version = {len(schema.known_migrations())}")
        # Tables, rows, and then the indexes, which is quicker by far than all at once.
        indexes = conn.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"
        ).fetchall()
        for name, _ in indexes:
            conn.execute(f"DROP INDEX {name}")
        for fill in (
            _messages,
            _attempts,
            _inbox,
            _accounts,
            _audit,
            _events,
            _opt_outs,
            _mailings,
            _webhooks,
            _issues,
        ):
            fill(conn, rows)
        for _, sql in indexes:
            conn.execute(sql)
        conn.execute("COMMIT")
    with contextlib.closing(sqlite3.connect(unfinished, isolation_level=None)) as conn:
        conn.execute("PRAGMA journal_mode = WAL").fetchone()
    unfinished.rename(path)


def _messages(conn: sqlite3.Connection, rows: int) -> None:
    conn.execute(
        "INSERT INTO sims (id, iccid, msisdn, first_seen_at, last_seen_at)"
        " VALUES (1, '8944110000000000001', '+447900900900', 0, 0)"
    )
    conn.execute("INSERT INTO routes (id, spec) VALUES (1, '{}')")
    bounds = list(itertools.accumulate(share for _, share in SHARES))
    state = "CASE " + " ".join(
        f"WHEN {_DICE} / 3 % 10000 < {bound} THEN {int(each)}" for bound, (each, _) in zip(bounds, SHARES, strict=True)
    )
    newest = rows - max(20, rows // 500)  # what waits is what came last, and a few for next month
    state = f"CASE WHEN i >= {newest} THEN {int(MessageState.QUEUED)} WHEN i % 99991 = 0 THEN 20 ELSE {state} END END"
    # Two users have a fifth and a third of all, others less, the last a thousand among ten million.
    user = (
        f"CASE WHEN {_DICE} % 10000 = 0 THEN {RARE_USER} WHEN {_DICE} % 3 = 0 THEN {COMMON_USER}"
        f" WHEN {_DICE} % 5 = 0 THEN 2 ELSE 3 + {_DICE} / 11 % 30 END"
    )
    text = "substr('Your parcel 00000000 arrives today between 10 and 12. Reply STOP to opt out.' || i, 1 + i % 20)"
    conn.execute(
        f"{NUMBERS} INSERT INTO messages (id, batch_id, user_id, recipient, text, encoding, segments, flags, route_id,"
        " rank, state, ready, not_before, expires_at, on_unknown, reference, created_at, tries, sim_id, sent_at,"
        f" settled_at) SELECT {FIRST} + i, CASE WHEN i / 500 % 2 THEN {FIRST} + i / 1000 END, {user},"
        f" '+4479' || printf('%08d', {_DICE} % 2000003), {text}, 0, 1, 1, 1, 4, {state} AS s, NULL, NULL,"
        f" began() + i * {STEP_MS} + 172800000, 0, CASE WHEN i % 3 = 0 THEN 'order-' || (i / 6) END,"
        f" began() + i * {STEP_MS}, 1, 1, began() + i * {STEP_MS} + 4000, began() + i * {STEP_MS} + 9000 FROM n",
        (rows,),
    )
    fresh = "sim_id = NULL, tries = 0, sent_at = NULL, settled_at = NULL"
    conn.execute(f"UPDATE messages SET ready = 1, {fresh} WHERE id >= ? AND state = 30", (FIRST + newest,))
    conn.execute(f"UPDATE messages SET ready = 2, not_before = expires_at, {fresh} WHERE state = 20")
    conn.execute("DELETE FROM state_counts")
    conn.execute("INSERT INTO state_counts SELECT state, count(*) FROM messages GROUP BY state")
    conn.execute("INSERT INTO state_counts SELECT 0, sum(n) FROM state_counts")


def _attempts(conn: sqlite3.Connection, _: int) -> None:
    delivered, undelivered = MessageState.DELIVERED, MessageState.UNDELIVERED
    accepted, rejected, unknown = AttemptOutcome.ACCEPTED, AttemptOutcome.REJECTED, AttemptOutcome.UNKNOWN
    conn.execute(
        "INSERT INTO attempts (message_id, segment, n, sim_id, slot, started_at, finished_at, outcome, tp_mr, evidence,"
        " report_status, report_at) SELECT id, 1, 1, 1, 'slot-01', created_at + 2000, created_at + 4000,"
        f" CASE state WHEN 74 THEN {int(rejected)} WHEN 60 THEN {int(unknown)} ELSE {int(accepted)} END, id & 255, ?,"
        f" CASE state WHEN {int(delivered)} THEN 0 WHEN {int(undelivered)} THEN 70 END,"
        f" CASE WHEN state IN ({int(delivered)}, {int(undelivered)}) THEN created_at + 9000 END"
        " FROM messages WHERE state IN (50, 60, 70, 74, 80) ORDER BY id",
        (_EVIDENCE,),
    )


def _inbox(conn: sqlite3.Connection, rows: int) -> None:
    conn.execute(
        f"{NUMBERS} INSERT INTO inbox (id, sim_id, sender, kind, text, parts, received_at, user_id)"
        f" SELECT {FIRST} + ? + i, 1, '+4479' || printf('%08d', {_DICE} % 200003), 'text', 'Thank you', 1,"
        f" began() + i * {STEP_MS} * 10, CASE WHEN {_DICE} % 1000 = 0 THEN NULL ELSE 1 + {_DICE} / 7 % 40 END FROM n",
        (rows // 10, rows),
    )
    conn.execute(
        "INSERT OR REPLACE INTO conversations (number, user_id, last_inbox, read_up_to)"
        " SELECT sender, COALESCE(user_id, 0), max(id), 0 FROM inbox GROUP BY sender, COALESCE(user_id, 0)"
    )


def _accounts(conn: sqlite3.Connection, _: int) -> None:
    conn.execute(
        f"{NUMBERS} INSERT INTO users (id, name, role, created_at)"
        f" SELECT i + 1, 'user-' || i, CASE i WHEN 0 THEN 'admin' ELSE 'sender' END, began() FROM n",
        (RARE_USER,),
    )


def _audit(conn: sqlite3.Connection, _: int) -> None:
    action = f"CASE WHEN {_DICE} % 100000 = 0 THEN 'backup.take' WHEN i % 3 THEN 'message.cancel' ELSE 'key.create' END"
    conn.execute(
        f"{NUMBERS} INSERT INTO audit (id, at, actor, user_id, source, action, subject, detail, hash)"
        f" SELECT i + 1, began() + i * {STEP_MS}, 'user-' || ({_DICE} % 30), 1 + {_DICE} % 30, '192.0.2.17', {action},"
        " 'msg_0000008000001', '{\"note\":\"asked for by telephone\"}', zeroblob(32) FROM n",
        (AUDITED,),
    )


def _events(conn: sqlite3.Connection, rows: int) -> None:
    kind = (
        f"CASE WHEN {_DICE} % 1000 = 0 THEN 'optout.added' WHEN i % 2 THEN 'message.sent' ELSE 'message.delivered' END"
    )
    conn.execute(
        f"{NUMBERS} INSERT INTO event_log (id, at, kind, user_id, subject)"
        f" SELECT i + 1, began() + i * {STEP_MS}, {kind}, 1 + {_DICE} / 7 % 30, {FIRST} + i % ? FROM n",
        (TOLD, rows),
    )


def _opt_outs(conn: sqlite3.Connection, rows: int) -> None:
    conn.execute(
        f"{NUMBERS} INSERT OR IGNORE INTO opt_outs (number, state, changed_at, source, keyword, inbox_id)"
        f" SELECT '+4479' || printf('%08d', {_DICE} % 2000003), i % 5000 > 0, began() + i * {STEP_MS}, 'keyword',"
        f" 'STOP', {FIRST} + ? + i % ? FROM n",
        (OUT, rows, rows // 10),
    )
    conn.execute(
        "INSERT INTO opt_out_reviews (inbox_id, number, keyword, created_at, decided_at, decision)"
        " SELECT id, sender, 'stop it', received_at, received_at, 'dismiss' FROM inbox ORDER BY id LIMIT ?",
        (REVIEWED,),
    )
    conn.execute(
        "UPDATE opt_out_reviews SET decided_at = NULL, decision = NULL WHERE inbox_id IN"
        " (SELECT inbox_id FROM opt_out_reviews ORDER BY inbox_id LIMIT ?)",
        (IN_REVIEW,),  # the oldest wait
    )


def _mailings(conn: sqlite3.Connection, _: int) -> None:
    layout = Layout(kind="csv", columns=("name", "phone", "town"), to_column=1, header_rows=1, template="Dear {name}")
    terms = Terms(1, 1, "{}", 4, None, None, 0)
    conn.execute(
        f"{NUMBERS} INSERT INTO mailings (id, user_id, name, state, phase, wish, layout, terms, valid_for_s,"
        " expires_at, file, octets, digest, total, rows, accepted, segments, created_at, imported_at, started_at,"
        f" finished_at) SELECT {FIRST} + i * 2000, 1 + i % 30, 'Mailing ' || i, ?, ?, ?, ?, ?, 172800,"
        f" began() + i * 1000, 'people.csv', 100000, zeroblob(32), 1000, 1000, 1000, 1000, began() + i * 1000,"
        f" began() + i * 1000, began() + i * 1000, began() + i * 1000 FROM n",
        (
            MAILINGS,
            int(MailingState.FINISHED),
            int(ImportPhase.DONE),
            int(Wish.GO),
            msgspec.json.encode(layout).decode(),
            msgspec.json.encode(terms).decode(),
        ),
    )
    # The newest still go on, each with most of its messages waiting.
    conn.execute(
        "UPDATE mailings SET state = ?, finished_at = NULL WHERE id >= ?", (int(MailingState.SENDING), _late(50))
    )
    for state in (MessageState.SENT, MessageState.DELIVERED, MessageState.FAILED):
        conn.execute("INSERT INTO batch_counts SELECT id, ?, 300 FROM mailings", (int(state),))
    conn.execute("INSERT INTO batch_counts SELECT id, ?, 100 FROM mailings WHERE id >= ?", (30, _late(50)))
    conn.execute(
        f"{NUMBERS} INSERT INTO mailing_rows SELECT ?, i + 2, '0790', 'refused', 'is too short' FROM n",
        (REFUSED_ROWS, _late(1)),
    )


def _late(count: int) -> int:
    """Return the id from which on the last so many mailings are."""
    return FIRST + (MAILINGS - count) * 2000


def _webhooks(conn: sqlite3.Connection, _: int) -> None:
    conn.execute(
        f"{NUMBERS} INSERT INTO webhooks (id, user_id, url, events, secrets, place, created_at)"
        " SELECT i + 1, 1 + i / 20, 'https://shop.example/events', '[\"message.*\"]', '[{\"secret\":\"whsec_x\"}]', ?,"
        " began() FROM n",
        (WEBHOOKS, TOLD),
    )
    conn.execute(
        f"{NUMBERS} INSERT INTO webhook_retries SELECT 1 + i / ?, 1 + i % ?, began(), 3, began(), 'HTTP 500' FROM n",
        (WEBHOOKS * RETRIES_EACH, RETRIES_EACH, RETRIES_EACH),
    )


def _issues(conn: sqlite3.Connection, _: int) -> None:
    conn.execute(
        f"{NUMBERS} INSERT INTO issues (id, kind, subject, severity, summary, raised_at, changed_at, cleared_at)"
        " SELECT i + 1, 'modem_gone', 'slot-01', 'warning', 'the port is not there', began(), began(),"
        " began() FROM n",
        (CLEARED,),
    )
