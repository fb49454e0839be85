"""A hub of before is brought to alerts: what its boxes told of issues is known at once."""

from __future__ import annotations

import json
import sqlite3

import pytest

from fakes.alert_hubs import alert_hub
from fakes.voices import NOW
from modembank.store.schema import known_migrations, migrate
from modembank_hub import rows_of_issues
from modembank_hub.schema import DATABASE, HUB

TOLD = [
    (1, "issue.raised", {"id": "iss_1", "kind": "disk_full", "severity": "critical"}),
    (2, "issue.raised", {"id": "iss_2", "kind": "modem_lost", "severity": "warning"}),
    (3, "issue.cleared", {"id": "iss_2", "kind": "modem_lost"}),
    (4, "issue.raised", {"kind": "nameless"}),
    (5, "issue.raised", {"id": 7}),
    (6, "issue.raised", {"id": "x" * 65}),
    (7, "modem.state", {"id": "iss_3"}),
]


@pytest.fixture
def old(tmp_path):
    """A database as it was before there were alerts."""
    known = known_migrations(HUB)
    before = next(one.number for one in known if one.name.endswith("_alerts.sql")) - 1
    conn = sqlite3.connect(tmp_path / DATABASE, isolation_level=None)
    migrate(conn, tmp_path / DATABASE, known[:before], NOW, HUB)
    conn.execute("INSERT INTO boxes (id, site, box, first_at, seen_at, epoch) VALUES (1, 'leeds', 'b1', 1, 1, 'k3f9')")
    conn.execute("INSERT INTO streams VALUES (1, 1, 'k3f9', 'ev', 7)")
    for seq, what, data in TOLD:
        conn.execute(
            "INSERT INTO events VALUES (1, ?, ?, NULL, 1, ?, 'warning', '', ?)", (seq, NOW, what, json.dumps(data))
        )
    conn.close()
    return tmp_path


async def test_issues_that_were_told_before_are_known(old):
    async with alert_hub(old) as hub:
        found = await hub.store.read(rows_of_issues.open_ones)
        assert [(row.issue, row.kind, row.severity) for row in found] == [("iss_1", "disk_full", "critical")]
        assert await hub.store.fetch_one("SELECT count(*) FROM box_issues") == (2,)
        assert await hub.told() == []


async def test_issues_that_are_over_are_forgotten_and_those_of_an_earlier_life_too(old):
    async with alert_hub(old) as hub:
        await hub.store.write(lambda conn: rows_of_issues.drop_old(conn, NOW + 1, 100))
        assert await hub.store.fetch_one("SELECT issue FROM box_issues") == ("iss_1",)
        await hub.store.write(lambda conn: conn.execute("UPDATE boxes SET epoch = 'other'"))
        assert await hub.store.read(rows_of_issues.open_ones) == []
        await hub.store.write(lambda conn: rows_of_issues.drop_old(conn, NOW + 1, 100))
        assert await hub.store.fetch_one("SELECT count(*) FROM box_issues") == (0,)
