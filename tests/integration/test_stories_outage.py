"""Story 3 on whole boxes: after an outage nothing floods out; it is held, and an admin decides."""

import sqlite3
from contextlib import closing

import httpx
import pytest

from fakes.boxes import NO_LIMITS, TurnedClock, emulated, running
from fakes.daemons import DaemonProcess
from fakes.stories import CALM
from modembank.config import LimitsConfig, OutageConfig
from modembank_emulator.client import spawn_bank

TO = "+19990000001"
HOUR = 3600
SLOW = LimitsConfig(min_interval_s=0, per_minute=0, per_hour=0, per_day=1)
"""Lets one message out, and keeps the others waiting without any outage."""
SHORT = {"older_than_s": HOUR}


def numbers(count):
    return [f"+1999000{place:04d}" for place in range(count)]


async def outage(box):
    return await box.get("outage")


async def decide(box, decision, **which):
    answer = await box.client.post("/api/v1/outage/decide", json={"decision": decision, **which})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def held(box, count):
    """Return the overview once so many are held."""

    async def looked():
        found = await outage(box)
        return found if found["held"] == count else None

    return await box.until(looked)


async def test_story_03_two_hours_down_hold_what_grew_old_until_an_admin_decides(tmp_path):
    clock = TurnedClock()
    async with emulated(tmp_path / "tty", modems=1) as bank:
        async with running(bank, tmp_path / "data", timings=CALM, clock=clock, limits=SLOW) as box:
            sent = await box.send(numbers(21), priority=3)
            await box.until(box.seen)
        clock.ahead_s += 2 * HOUR
        bank.advance(2 * HOUR)
        rule = OutageConfig(**SHORT)
        async with running(bank, tmp_path / "data", timings=CALM, clock=clock, outage=rule) as box:
            found = await held(box, 20)
            assert len(box.seen()) == 1, "nothing old went out on its own"
            assert {age["from_s"]: age["held"] for age in found["ages"] if age["held"]} == {3600: 20}
            assert found["routes"] == [{"route": "any SIM", "held": 20}]
            [one] = found["outages"]
            assert (one["kind"], one["cause"], one["held"]) == ("down", "the box was not running", 20)
            waits = await box.waiting_for(sent["messages"][-1]["id"], "held")
            assert waits.startswith(
                "held until an admin decides (POST /api/v1/outage/decide); outage: nothing could be"
            )
            assert await box.metrics("modembank_messages_held") == {(): 20}
            fresh = await box.send(TO)
            await box.until_status(fresh["id"], "delivered")
            cancelled = await box.client.post(f"/api/v1/messages/{sent['messages'][5]['id']}/cancel")
            assert cancelled.json()["status"] == "cancelled"
            seen = len(box.seen())
        async with running(bank, tmp_path / "data", timings=CALM, clock=clock, outage=rule) as box:
            await box.until_registered()
            assert (await outage(box))["held"] == 19, "a restart neither sends nor judges anew"
            assert len(box.seen()) == seen
            assert (await decide(box, "expire", newer_than_s=HOUR)) == {"sent": 0, "expired": 0, "held": 19}
            assert (await decide(box, "send")) == {"sent": 19, "expired": 0, "held": 0}
            await box.until(lambda: len(box.seen()) == seen + 19)
            assert box.seen()[seen:] == sorted(box.seen()[seen:]), "by rank and age"
            assert (await decide(box, "send"))["sent"] == 0


async def test_story_03_a_route_that_loses_its_cell_is_judged_while_another_sends_on(tmp_path):
    async with (
        emulated(tmp_path / "tty", modems=2) as bank,
        running(bank, tmp_path / "data", timings=CALM, outage=OutageConfig(**SHORT)) as box,
    ):
        bank.network.cell(up=False, modems=[0])
        await box.until(lambda: not box.app.bank.modem("slot-01").able_to_send)
        old = await box.send(numbers(10), sim="slot-01")
        for _ in range(4):
            await box.turn(HOUR / 2)
            other = await box.send(TO, sim="slot-02")
            await box.until_status(other["id"], "delivered")
        going_on = (await outage(box))["outages"]
        assert [(one["kind"], one["until"]) for one in going_on] == [("no_sim", None)]
        young = await box.send(TO, sim="slot-01")
        bank.network.cell(up=True)
        await box.until_status(young["id"], "delivered")
        found = await held(box, 10)
        assert [(one["kind"], one["held"]) for one in found["outages"]] == [("no_sim", 10)]
        assert found["outages"][0]["route"] == f"SIM {bank.cards[0].iccid}"
        assert box.seen() == [TO] * 5
        assert await decide(box, "expire") == {"sent": 0, "expired": 10, "held": 0}
        message = await box.message(old["messages"][0]["id"])
        assert message["status"] == "expired"
        assert message["cause"].endswith("UTC: no SIM for it was in service; given up by tester")
        assert await box.metrics("modembank_outages_total") == {("no_sim",): 1}


async def test_story_03_a_slow_queue_of_ten_hours_is_no_outage(tmp_path):
    limits = LimitsConfig(min_interval_s=0, per_minute=0, per_hour=1, per_day=0)
    async with (
        emulated(tmp_path / "tty", modems=1) as bank,
        running(bank, tmp_path / "data", timings=CALM, limits=limits, outage=OutageConfig(**SHORT)) as box,
    ):
        sent = await box.send(numbers(11))
        for _ in range(10):
            seen = len(box.seen())
            await box.until(lambda seen=seen: len(box.seen()) == max(seen, 1))
            for _ in range(4):
                await box.turn(15 * 60 + 20)
                await box.app.dispatcher.note_alive()
            await box.until(lambda seen=seen: len(box.seen()) == max(seen, 1) + 1)
        for message in sent["messages"]:
            await box.until_status(message["id"], "sent", "delivered")
        assert (await outage(box))["outages"] == []


@pytest.mark.parametrize("rule", ["send", "expire"])
async def test_story_03_the_other_rules_ask_nobody(tmp_path, rule):
    clock = TurnedClock()
    async with emulated(tmp_path / "tty", modems=1) as bank:
        async with running(bank, tmp_path / "data", timings=CALM, clock=clock, limits=SLOW) as box:
            sent = await box.send(numbers(4))
            await box.until(box.seen)
        clock.ahead_s += 2 * HOUR
        settings = OutageConfig(rule=rule, **SHORT)
        async with running(
            bank, tmp_path / "data", timings=CALM, clock=clock, limits=NO_LIMITS, outage=settings
        ) as box:
            ended = [await box.until_status(one["id"], "delivered", "expired") for one in sent["messages"][1:]]
            assert {one["status"] for one in ended} == {"delivered" if rule == "send" else "expired"}
            assert len(box.seen()) == (4 if rule == "send" else 1)
            if rule == "expire":
                assert ended[0]["cause"].startswith("outage: nothing could be sent from ")
            found = await outage(box)
            assert (found["held"], found["outages"][0]["expired"]) == (0, 3 if rule == "expire" else 0)


def noted(data):
    """When the box last noted that it lives, or None."""
    with closing(sqlite3.connect(f"file:{data}/modembank.sqlite3?mode=ro", uri=True)) as conn:
        row = conn.execute("SELECT json_extract(value, '$.at') FROM box WHERE name = 'alive'").fetchone()
    return row and row[0]


def older(data, seconds):
    """Turn back what a killed box has written, as if so much time had gone by since."""
    alive = f'{{"at":{noted(data) - seconds * 1000},"unserved":{{}}}}'
    with closing(sqlite3.connect(data / "modembank.sqlite3", isolation_level=None)) as conn:
        conn.execute("UPDATE messages SET created_at = created_at - ?", (seconds * 1000,))
        conn.execute("UPDATE box SET value = ? WHERE name = 'alive'", (alive,))


class Killed(DaemonProcess):
    """A daemon that is asked over its local socket, and may be started again after it was killed."""

    def ask(self, method, path, body=None):
        transport = httpx.HTTPTransport(uds=str(self.data / "control.sock"))
        with httpx.Client(transport=transport, base_url="http://box/api/v1/", timeout=20) as client:
            answer = client.request(method, path, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def answers(self, life):
        """Wait until its n-th life has started; the log goes on, and so does the name of the socket."""
        return self.until(lambda: self.log.read_text().count('"daemon_started"') == life)

    def ended_so_often(self, count):
        return self.until(lambda: self.log.read_text().count('"segment_ended"') == count)


def config_of(folder, bank, more):
    return (
        f'[box]\ndata_dir = "{folder}/data"\n[web]\nlisten = "127.0.0.1:0"\n{more}\n'
        f'[[bank.port]]\npath = "{bank.paths[0]}"\n'
    )


async def test_story_03_a_killed_daemon_that_was_away_for_hours_asks(tmp_path):
    async with spawn_bank(tmp_path / "tty", "--modems", "1", "--dialect", "generic") as bank:
        limits = "[limits]\nmin_interval_s = 0\nper_day = "
        with Killed(tmp_path / "box", config_of(tmp_path / "box", bank, f"{limits}1")) as daemon:
            daemon.answers(1)
            daemon.ask("POST", "messages", {"to": numbers(4), "text": "hello"})
            daemon.ended_so_often(1)
            daemon.until(lambda: noted(daemon.data))
        older(daemon.data, 6 * HOUR)
        with Killed(tmp_path / "box", config_of(tmp_path / "box", bank, f"{limits}0")) as daemon:
            daemon.until(lambda: '"outage_judged"' in daemon.log.read_text())
            found = daemon.ask("GET", "outage")
            assert (found["held"], found["outages"][0]["kind"]) == (3, "down")
            assert len(await bank.control.ledger()) == 1
            assert daemon.ask("POST", "outage/decide", {"decision": "send"}) == {"sent": 3, "expired": 0, "held": 0}
            daemon.ended_so_often(4)
        assert len(await bank.control.ledger()) == 4


@pytest.mark.parametrize("policy", ["hold", "resend"])
async def test_story_02_killed_in_the_second_of_three_segments(tmp_path, policy):
    """The box's own default decides; under resend only that segment goes again, with the same reference."""
    folder = tmp_path / "box"
    async with spawn_bank(tmp_path / "tty", "--modems", "1", "--dialect", "generic") as bank:
        await bank.control.plan_reports(TO, "never")
        more = f'[sending]\non_unknown = "{policy}"\n[limits]\nmin_interval_s = 0'
        config = config_of(folder, bank, more)
        with Killed(folder, config, {"MODEMBANK_FAILPOINT": "ctrl_z_written:2"}) as daemon:
            daemon.answers(1)
            sent = daemon.ask("POST", "messages", {"to": TO, "text": "in three segments " * 24})["id"]
            assert daemon.ended() == -9
        with Killed(folder, config) as daemon:
            daemon.answers(2)
            final = "unknown" if policy == "hold" else "sent"
            daemon.until(lambda: daemon.ask("GET", f"messages/{sent}")["status"] == final)
            found = daemon.ask("GET", f"messages/{sent}")
            assert found["on_unknown"] == policy
            if policy == "hold":
                settled = daemon.ask("POST", f"messages/{sent}/settle", {"as": "delivered", "note": "asked"})
                assert (settled["status"], settled["cause"]) == ("delivered", "settled: by local: asked")
        tried = [(one["segment"], one["outcome"]) for one in found["attempts"]]
        again = [(2, "accepted")] if policy == "resend" else []
        assert tried == [(1, "accepted"), (2, "unknown"), *again, (3, "accepted")]
        interrupted = found["attempts"][1]
        assert interrupted["verdict"].endswith("it may have been sent")
        assert interrupted["evidence"]["ctrl_z_written"] is None
        assert len({one["evidence"]["concat"] for one in found["attempts"]}) == 1
        seen = [one["concat"] for one in await bank.control.ledger()]
        assert len({reference for reference, _, _ in seen}) == 1
        segments = [segment for _, _, segment in seen]
        assert segments.count(1) == segments.count(3) == 1
        assert segments.count(2) in ((1, 2) if policy == "resend" else (0, 1))
