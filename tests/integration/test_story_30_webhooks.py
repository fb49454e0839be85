"""Story 30: an endpoint and the box go away in turn; every event arrives, signed, with an id that stays."""

import sqlite3
from contextlib import closing

from fakes.boxes import emulated, running
from fakes.hooks import Hook

TO = [f"+1999000{n:04d}" for n in range(1, 19)]


async def test_story_30_webhooks_lose_nothing_and_double_nothing_under_other_ids(tmp_path, monkeypatch):
    from modembank.outgoing import circuit

    monkeypatch.setattr(circuit, "FIRST_WAIT_S", 0.1)
    monkeypatch.setattr(circuit, "FIRST_RETRY_S", 0.1)
    monkeypatch.setattr(circuit, "MOST_WAIT_S", 0.3)
    hook = await Hook().up()
    accepted = []
    async with emulated(tmp_path / "tty") as bank:
        async with running(bank, tmp_path / "data") as box:
            wanted = {"url": hook.url, "events": ["message.*"], "allow_private": True}
            made = await box.client.post("/api/v1/webhooks", json=wanted)
            assert made.status_code == 201, made.text
            hook.secrets.append(made.json()["secret"])
            accepted += [(await box.send(to))["id"] for to in TO[:6]]
            await hook.until(lambda: len(hook.got) >= 6)
            await hook.down()  # killed in the middle
            accepted += [(await box.send(to))["id"] for to in TO[6:12]]
            for identifier in accepted:
                await box.until_status(identifier, "delivered")
        # The box is away as well, and starts while the endpoint is still down.
        async with running(bank, tmp_path / "data") as box:
            accepted += [(await box.send(to))["id"] for to in TO[12:]]
            await hook.up()
            await hook.until(lambda: {event["data"]["id"] for event in hook.got} == set(accepted))
            for identifier in accepted:
                await box.until_status(identifier, "delivered")
            await hook.until(lambda: len(set(hook.ids())) >= logged(tmp_path))
    await hook.down()

    assert set(hook.ids()) == ids_of_log(tmp_path)
    by_id = {}
    for event in hook.tried:
        assert by_id.setdefault(event["id"], (event["type"], event["data"]["id"])) == (
            event["type"],
            event["data"]["id"],
        )
    for identifier in accepted:
        first = {event["id"]: event["type"] for event in reversed(hook.got) if event["data"]["id"] == identifier}
        order = [first[event_id] for event_id in sorted(first)]
        assert order in (["message.sent", "message.delivered"], ["message.delivered"]), order
        arrived = list(dict.fromkeys(event["id"] for event in hook.got if event["data"]["id"] == identifier))
        assert arrived == sorted(arrived)


def rows_of_log(folder):
    with closing(sqlite3.connect(folder / "data" / "modembank.sqlite3")) as conn:
        return conn.execute("SELECT id FROM event_log WHERE kind LIKE 'message.%' ORDER BY id").fetchall()


def ids_of_log(folder):
    from modembank.ids import public_id

    return {public_id("evt", row[0]) for row in rows_of_log(folder)}


def logged(folder):
    return len(rows_of_log(folder))
