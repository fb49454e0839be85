"""A box on which there is more of everything than anybody looks at: one of each is made, and its row copied."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

from fakes.modem_hosts import RememberingSink
from fakes.pages import ADMIN, SENDER, people
from fakes.possessions import Possessions, actor_of, give
from fakes.web_boxes import Box, NoLines
from modembank.accounts import LOCAL_ADMIN, Role
from modembank.bank import Bank
from modembank.config import BankConfig, PortEntry
from modembank.messages import SubmitRequest
from modembank.providers import Draft
from modembank.sim import SimIdentity

USERS = 60
SLOTS, MESSAGES, TALKS, SAID, MAILINGS, REFUSED, OPT_OUTS, ENTRIES = 64, 160, 90, 500, 60, 2_600, 120, 120
LONGEST = "W" * 64
"""The longest name of a user, and label of a SIM."""


async def crowd(box: Box) -> Possessions:
    """Fill a box; return what the admin has of which the rows are copies. Its longest message is ``longest``."""
    await people(box)
    await _bank(box)
    own = await give(box, ADMIN)
    await give(box, SENDER)
    await box.optouts.add(LOCAL_ADMIN, "+447900800000", "n" * 200)
    for at in range(USERS):
        await box.accounts.add_user(LOCAL_ADMIN, f"{LONGEST[:-3]}{at:03d}", Role.SENDER)
    wanted = SubmitRequest(to="+447900900555", text="<&>" * 500, reference="r" * 64)
    longest = (await box.messages.submit(await actor_of(box, ADMIN), wanted)).messages[0].id
    await box.audit.note(LOCAL_ADMIN, "crowd.note", "0", {"what": "x" * 200})
    for at in range(1, ENTRIES):
        await box.audit.note(LOCAL_ADMIN, "crowd.note", str(at))
    await box.audit.note(LOCAL_ADMIN, "sim.change", "large", {f"field {at}": "<&>" * 100 for at in range(60)})
    mails = {"host": "h" * 60 + ".example", "sender": "box@clinic.example"}
    await box.providers.add(LOCAL_ADMIN, Draft("p" * 32, "smtp", mails))
    await box.store.write(_copies)
    await box.health.load()
    await box.providers.load()
    there = {"longest": longest, "name": ADMIN, "slot": "slot-09", "iccid": _iccid(9), "provider": "p" * 32}
    return replace(own, ids=own.ids | there)


def _iccid(at: int) -> str:
    return f"894411006825{at:07d}"


async def _bank(box: Box) -> None:
    ports = tuple(PortEntry(f"/dev/null/absent-{at}", f"slot-{at:02d}") for at in range(SLOTS))
    about = {"bus": box.bus, "clock": box.clock, "metrics": box.metrics}
    for at, port in enumerate(ports):
        identity = SimIdentity(iccid=_iccid(at), msisdn=f"+4479009090{at:02d}", operator="O" * 64)
        await box.sims.identify(identity, port.label)
    await box.store.write(lambda conn: conn.execute("UPDATE sims SET label = ?", (LONGEST,)).rowcount)
    await box.sims.load()
    box.bank = Bank(BankConfig(port=ports), box.sims, RememberingSink(), NoLines(), **about)


def _copies(conn: sqlite3.Connection) -> None:
    for table in ("messages", "inbox"):
        conn.execute(f"UPDATE {table} SET text = text || ' ' || id")  # so that no two entries read the same
    id_ = "one.id + 1000 + i"
    talk = "(SELECT number FROM conversations LIMIT 1)"
    mailing = "(SELECT id FROM mailings LIMIT 1)"
    _copy(conn, "messages", MESSAGES, id=id_, text="'text ' || i", reference="NULL")
    _copy(conn, "messages", MESSAGES, id="one.id + 9000 + i", batch_id=mailing, recipient="'+447900' || (700000 + i)")
    _copy(conn, "inbox", SAID, id=id_, text="'said ' || i", sender=talk)
    _copy(conn, "inbox", TALKS, id="one.id + 9000 + i", sender="'+447900' || (600000 + i)")
    last = "(SELECT min(id) FROM inbox) + 9000 + i"
    _copy(conn, "conversations", TALKS, number="'+447900' || (600000 + i)", last_inbox=last)
    _copy(conn, "mailings", MAILINGS, id=id_, name="substr('mailing of a long name ' || hex(zeroblob(60)), 1, 100)")
    for line in range(1, REFUSED + 1):
        row = (line, "1" * 64, "refused", "is no number that could be written to: " + "<&>" * 50)
        conn.execute(f"INSERT OR REPLACE INTO mailing_rows VALUES ({mailing}, ?, ?, ?, ?)", row)
    _copy(conn, "opt_outs", OPT_OUTS, number="'+447900' || (500000 + i)")
    _copy(conn, "api_keys", 200, id=id_, public_id="'copy' || i", label=f"'{LONGEST}'")
    _copy(conn, "webhooks", 99, id=id_, label=f"'{LONGEST}'")
    _copy(conn, "providers", 99, id=id_, name="'provider-' || i")
    _copy(
        conn, "sessions", 19, id=id_, public_id="'ses_' || i", token_sha256="randomblob(32)", agent=f"'{LONGEST * 3}'"
    )
    issue = (1, "sim_without_credit", _iccid(0), "warning", "w" * 300, '{"seen":"' + "<&>" * 300 + '"}', 1, 1)
    columns = "id, kind, subject, severity, summary, evidence, raised_at, changed_at"
    conn.execute(f"INSERT INTO issues ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", issue)
    _copy(conn, "issues", 59, id=id_, subject="'subject ' || i")
    _copy(conn, "issues", 59, id="one.id + 9000 + i", cleared_at="2")


def _copy(conn: sqlite3.Connection, table: str, count: int, **changed: str) -> None:
    """Copy the first row of a table, with these columns of the ``i``-th copy as they are said to be in SQL."""
    names = [name for _, name, *_ in conn.execute(f"PRAGMA table_info({table})")]
    chosen = ", ".join(changed.get(name, f"one.{name}") for name in names)
    conn.execute(
        f"INSERT INTO {table} ({', '.join(names)})"
        " WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
        f" SELECT {chosen} FROM (SELECT * FROM {table} LIMIT 1) AS one, n",
        (count,),
    )
