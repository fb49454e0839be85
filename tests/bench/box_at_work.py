"""A box with years behind it that is at work on a mailing of a million rows, for ``bench_busy_pages.py``.

On top of ``box_after_years``, with its newest message accepted just now: the mailing, a tenth of it sent by now and the
rest waiting before all else; a conversation of ten thousand messages; what users and SIMs did day by day; and all texts
indexed for the search.
"""

from __future__ import annotations

import contextlib
import random
import sqlite3
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from box_after_years import FIRST, NUMBERS, RARE_USER, STEP_MS, build

from modembank.ids import public_id
from modembank.mailings import history
from modembank.mailings.model import ImportPhase, Layout, MailingState, Wish
from modembank.mailings.rows import MAILING_ID
from modembank.messages import MessageState
from modembank.messages.batches import Terms
from modembank.messages.model import MessageFlags
from modembank.messages.search import INBOX, MESSAGES
from modembank.messages.search.index import Sizes, add_batch, tidy_step
from modembank.messages.views import MESSAGE_ID
from modembank.modem.outcome import AttemptOutcome
from modembank.sim.limits import DAY_MS, HOUR_MS, MINUTE_MS, MONTH_MS
from modembank.sim.usage import MINUTES_KEPT_MS

ADMIN, SENDER, NEWCOMER = "user-0", "user-1", "newcomer"
"""The mailing and the conversation are those of the second, user 2, who has a fifth of all; the last has nothing."""
_SENDER_ID = 2
TALKER = "+447700900123"
SAID = 10_000
SIMS = 33
COMMON_WORD, RARE_WORD = "parcel", "zanzibar"
_RANK = 2
_BEGUN_MS = 6 * HOUR_MS
_VALID_MS = 30 * DAY_MS
_SENT = ((MessageState.DELIVERED, 70), (MessageState.SENT, 22), (MessageState.FAILED, 5), (MessageState.UNDELIVERED, 3))
"""Of a hundred messages of the mailing that have left."""
_COUNTED = int(MessageFlags.COUNTED | MessageFlags.DELIVERY_REPORT)


def build_at_work(path: Path, rows: int) -> None:
    """Make the database under another name, so that one that was not finished is not taken for one."""
    now = int(time.time() * 1000)
    unfinished = path.with_name("at-work.unfinished")
    build(unfinished, rows, now - rows * STEP_MS)
    with contextlib.closing(sqlite3.connect(unfinished, isolation_level=None)) as conn:
        for setting in ("synchronous = OFF", "cache_size = -262144", "secure_delete = ON"):
            conn.execute(f"PRAGMA {setting}").fetchone()
        conn.execute("BEGIN")
        _mailing(conn, rows, now)
        _conversation(conn, rows, now)
        _figures(conn, now)
        conn.execute("INSERT INTO users (name, role, created_at) VALUES (?, 'sender', ?)", (NEWCOMER, now))
        conn.execute("UPDATE webhooks SET active = 0")  # no endpoint is there to tell anything to
        conn.execute("COMMIT")
        for step in (lambda: add_batch(conn, MESSAGES, Sizes()), lambda: add_batch(conn, INBOX, Sizes())):
            _all_of(conn, step)
        _all_of(conn, lambda: tidy_step(conn))
    unfinished.rename(path)


def mailing_of(rows: int) -> str:
    """Return the public id of the mailing that is on its way."""
    return public_id(MAILING_ID, _mailing_id(rows))


def message_of(rows: int) -> str:
    """Return the public id of its first message, which has left."""
    return public_id(MESSAGE_ID, _mailing_id(rows) + 1)


def _mailing_id(rows: int) -> int:
    return FIRST + 20_000_000 + rows  # above all mailings, messages and inbound ones of the years


def _mailing(conn: sqlite3.Connection, rows: int, now: int) -> None:
    mailing, count, left = _mailing_id(rows), rows // 10, rows // 100
    began = now - _BEGUN_MS
    state = "CASE " + " ".join(
        f"WHEN i % 100 < {sum(share for _, share in _SENT[: place + 1])} THEN {int(each)}"
        for place, (each, _) in enumerate(_SENT)
    )
    state = f"CASE WHEN i < {left} THEN {state} END ELSE {int(MessageState.QUEUED)} END"
    conn.execute(
        f"{NUMBERS} INSERT INTO messages (id, batch_id, user_id, recipient, text, encoding, segments, flags, route_id,"
        " rank, state, ready, expires_at, on_unknown, created_at, tries, sim_id, sent_at, settled_at)"
        f" SELECT ? + 1 + i, ?, {_SENDER_ID}, '+4478' || printf('%08d', i), 'Dear Person ' || i ||"
        f" CASE i WHEN 4711 THEN ', greetings from {RARE_WORD}' ELSE ', we are open again.' END, 0, 1, {_COUNTED},"
        f" 1, {_RANK}, {state} AS s, iif(i < {left}, NULL, 1), ? + {_VALID_MS}, 0, ?, i < {left}, iif(i < {left}, 2 + i"
        f" % {SIMS - 1}, NULL), iif(i < {left}, ? + i * {_BEGUN_MS} / {left}, NULL), iif(i < {left}, ? + 5000 + i *"
        f" {_BEGUN_MS} / {left}, NULL) FROM n",
        (count, mailing, mailing, now, began, began, began),
    )
    conn.execute(
        "INSERT INTO attempts (message_id, segment, n, sim_id, slot, started_at, finished_at, outcome, tp_mr)"
        " SELECT id, 1, 1, sim_id, 'slot-01', sent_at - 2000, sent_at, iif(state = ?, ?, ?), id & 255 FROM messages"
        " WHERE batch_id = ? AND sim_id IS NOT NULL",
        (int(MessageState.FAILED), int(AttemptOutcome.REJECTED), int(AttemptOutcome.ACCEPTED), mailing),
    )
    of_it = conn.execute(
        "SELECT state, count(*) FROM messages WHERE batch_id = ? GROUP BY state", (mailing,)
    ).fetchall()
    for each, n in (*of_it, (0, count)):
        conn.execute(
            "INSERT INTO state_counts VALUES (?, ?) ON CONFLICT (state) DO UPDATE SET n = n + excluded.n", (each, n)
        )
    conn.executemany("INSERT INTO batch_counts VALUES (?, ?, ?)", [(mailing, each, n) for each, n in of_it])
    layout = Layout(kind="csv", columns=("name", "phone"), to_column=1, header_rows=1, template="Dear {name}")
    terms = Terms(_SENDER_ID, _COUNTED, "{}", _RANK, None, None, 0)
    conn.execute(
        "INSERT INTO mailings (id, user_id, name, state, phase, wish, layout, terms, valid_for_s, expires_at, file,"
        " octets, digest, total, rows, accepted, refused, segments, created_at, imported_at, started_at)"
        " VALUES (?, ?, 'A million', ?, ?, ?, ?, ?, ?, ?, 'a-million.csv', 30000000, zeroblob(32), ?, ?, ?, 10000, ?,"
        " ?, ?, ?)",
        (
            *(mailing, _SENDER_ID, int(MailingState.SENDING), int(ImportPhase.DONE), int(Wish.GO)),
            *(msgspec.json.encode(layout).decode(), msgspec.json.encode(terms).decode(), _VALID_MS // 1000),
            *(now + _VALID_MS, count + 10_000, count + 10_000, count, count, began - 60_000, began, began),
        ),
    )
    conn.execute(
        f"{NUMBERS} INSERT INTO mailing_rows SELECT ?, i * 100 + 2, '0790', 'refused', 'is too short' FROM n",
        (10_000, mailing),
    )
    moment = began
    while moment < now:
        gone = left * (moment - began) // _BEGUN_MS
        counts = {each: gone * share // 100 for each, share in _SENT} | {MessageState.QUEUED: count - gone}
        history.note(conn, mailing, counts, moment)
        moment += max(history.LEAST_MS, (moment - began) // history.PARTS)


def _conversation(conn: sqlite3.Connection, rows: int, now: int) -> None:
    """Let half of it be messages of the sender's that went to one number, the other half what came from it."""
    conn.execute(
        "UPDATE messages SET recipient = ? WHERE id IN"
        " (SELECT id FROM messages INDEXED BY messages_user WHERE user_id = ? AND id < ? ORDER BY id DESC LIMIT ?)",
        (TALKER, _SENDER_ID, FIRST + rows - rows // 500, SAID // 2),
    )
    first = _mailing_id(rows) + rows // 10 + 1
    conn.execute(
        f"{NUMBERS} INSERT INTO inbox (id, sim_id, sender, kind, text, parts, received_at, user_id)"
        f" SELECT ? + i, 1, ?, 'text', 'And what about number ' || i || '?', 1, ? + i, {_SENDER_ID} FROM n",
        (SAID // 2, first, TALKER, now - SAID),
    )
    conn.execute(
        "INSERT INTO conversations VALUES (?, ?, ?, 0, ?)", (TALKER, _SENDER_ID, first + SAID // 2 - 1, SAID // 2)
    )


def _figures(conn: sqlite3.Connection, now: int) -> None:
    """Fill in what each user had accepted, and each SIM sent, as long as that is kept."""
    dice = random.Random(4711)
    today = datetime.fromtimestamp(now / 1000, UTC).date()
    conn.executemany(
        "INSERT INTO user_usage VALUES (?, ?, ?)",
        (
            (user, int(f"{today - timedelta(days=back):%Y%m%d}"), dice.randint(1, 2_000))
            for user in range(1, RARE_USER + 1)
            for back in range(400)
        ),
    )
    minute, minutes = now // MINUTE_MS, MINUTES_KEPT_MS // MINUTE_MS
    hour = minute // 60 * 60 - minutes
    buckets = [
        *(minute - back for back in range(minutes)),
        *(hour - back for back in range(60, MONTH_MS // MINUTE_MS, 60)),
    ]
    conn.executemany(
        "INSERT OR IGNORE INTO sim_usage VALUES (?, ?, ?, ?)",
        ((bucket, sim, dice.randint(1, 9), bucket * MINUTE_MS) for bucket in buckets for sim in range(1, SIMS + 1)),
    )


def _all_of(conn: sqlite3.Connection, step) -> None:
    """Take a step of the index as long as there is one, each in a commit of its own."""
    goes_on = True
    while goes_on:
        conn.execute("BEGIN IMMEDIATE")
        goes_on = step()
        conn.execute("COMMIT")
