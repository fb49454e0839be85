"""Lent messages through a real broker: taken once, queued when the hub has noted it, told to their end, given back."""

import sqlite3
import time

import pytest

from fakes.fleets import agent_of, fleet_box, hub_at, until
from modembank.accounts import LOCAL_ADMIN
from modembank.messages.model import BeginVerdict, Intent, MessageState, ReportFacts, Settlement
from modembank.messages.outbox import Outbox
from modembank.modem.outcome import AttemptOutcome
from modembank_fleet.agent import pool as pool_module
from modembank_fleet.agent.pool import Pool

pytestmark = pytest.mark.broker
NUMBER = "+447900900123"
TEXT = "canaryheron"


@pytest.fixture(autouse=True)
def _quick(monkeypatch, quick):
    monkeypatch.setattr(pool_module, "LOOK_S", 0.2)

    def window(self):  # this box has no modems that could be ready
        self._window = self._most
        return self._window

    monkeypatch.setattr(Pool, "window", window)


class Lender:
    """A hub that lends to one box, and looks into that box's database."""

    def __init__(self, box, agent, hub):
        self.box, self.agent, self.hub = box, agent, hub
        self.outbox = Outbox(box.store, box.bus, box.clock, box.metrics)
        box.messages.lending.deadlines = self.outbox.deadlines

    @property
    def ep(self):
        return self.agent._life.epoch

    async def credit(self):
        """Return the credit that telemetry told last, and the uptime beside it."""
        await until(lambda: self.hub.said("tele/box"))
        told = self.hub.said("tele/box")[-1]
        return told["pool"], told["up"]

    async def submit(self, *ids, fence=1, lease=600, run=None, up=None, to=NUMBER, **more):
        """Lend messages."""
        credit, told_up = await self.credit()
        messages = [{"id": one, "to": to, "body": TEXT, "fence": fence, "not_after": time.time() + 3600} for one in ids]
        args = {"run": run or credit["run"], "up": told_up if up is None else up, "lease": lease, "msgs": messages}
        return await self.hub.command("msg.submit", args, ep=self.ep, **more)

    async def recall(self, message, fence=1):
        return await self.hub.command("msg.recall", {"msgs": [{"id": message, "fence": fence}]}, ep=self.ep)

    def words(self, message):
        """Return what was told of a message: word and code."""
        found = [one for one in self.hub.results if one["id"] == message]
        return [(one["data"]["word"], one.get("code", "")) for one in found]

    async def told(self, message, *words):
        """Wait until of a message exactly this was told."""
        await until(lambda: len(self.words(message)) >= len(words))
        assert [word for word, _ in self.words(message)] == list(words)

    async def rows(self, sql, *args):
        return await self.box.store.read(lambda conn: conn.execute(sql, args).fetchall())

    async def queued(self, message):
        """Wait until a message is in the box's own queue, and return its row there."""
        while True:
            found = await self.rows(
                "SELECT message_id FROM fleet_pool WHERE id = ? AND message_id IS NOT NULL", message
            )
            if found:
                return found[0][0]
            await self.agent._pool.step()

    async def begin(self, row):
        """Ask the gate as the dispatcher does."""
        self.intent = Intent(row, 1, 1, 1, "slot-03", round(time.time() * 1000), None)
        return await self.outbox.begin(self.intent)

    async def send(self, row, outcome=AttemptOutcome.ACCEPTED, tp_mr=7):
        """Do what the dispatcher and a modem would."""
        assert await self.begin(row) is BeginVerdict.GO
        await self.outbox.settle(Settlement(self.intent, outcome, round(time.time() * 1000), tp_mr))
        await self.outbox.flush()


@pytest.fixture
async def lent(tmp_path, mosquitto):
    box = await fleet_box(tmp_path, mosquitto.port, pool=3)
    async with hub_at(mosquitto) as hub, agent_of(box) as agent:
        await until(lambda: hub.said("birth"))
        yield Lender(box, agent, hub)
    await box.store.close()


async def test_a_lent_message_is_accepted_queued_sent_and_delivered_and_each_is_told_once(lent):
    command = await lent.submit("m-000001")
    assert (await lent.hub.ended(command))["data"] == {"accepted": 1}
    row = await lent.queued("m-000001")
    (stored,) = await lent.rows("SELECT recipient, text, reference, state FROM messages WHERE id = ?", row)
    assert stored == (NUMBER, TEXT, "pool:m-000001", MessageState.QUEUED)
    await lent.send(row)
    await lent.told("m-000001", "accepted", "sent")
    now = round(time.time() * 1000)
    await lent.outbox.report(1, ReportFacts(7, NUMBER, 0, now, now, now, ""), 1)
    await lent.outbox.flush()
    await lent.told("m-000001", "accepted", "sent", "delivered")
    assert {one["data"]["fence"] for one in lent.hub.results if one["id"] == "m-000001"} == {1}


async def test_nothing_is_queued_before_the_hub_has_noted_it_and_what_is_not_noted_in_time_is_given_back(lent):
    lent.hub.acknowledges = False
    _, up = await lent.credit()
    await lent.submit("m-000001", lease=10, up=max(0.0, lent.agent._time.up_s() - 7))
    await until(lambda: lent.words("m-000001"))
    await lent.agent._pool.step()
    assert await lent.rows("SELECT count(*) FROM messages") == [(0,)]
    await until(lambda: lent.agent._time.up_s() > up + 10)
    lent.hub.acknowledges = True
    await lent.hub.acknowledge(lent.ep)
    await lent.told("m-000001", "accepted", "released")
    assert lent.words("m-000001")[1] == ("released", "lease_over")
    assert await lent.rows("SELECT count(*) FROM messages") == [(0,)]


async def test_when_the_lease_is_over_the_gate_is_shut_and_the_message_given_back(lent):
    _, up = await lent.credit()
    await lent.submit("m-000001", lease=10, up=max(0.0, lent.agent._time.up_s() - 7))
    row = await lent.queued("m-000001")
    await lent.rows("SELECT 1")
    await lent.box.store.write(lambda conn: conn.execute("UPDATE messages SET expires_at = 9e12").rowcount)
    await until(lambda: lent.agent._time.up_s() > up + 10)
    assert await lent.begin(row) in (BeginVerdict.EXPIRED, BeginVerdict.CANCELLED)
    await lent.told("m-000001", "accepted", "released")


async def test_a_message_that_may_have_been_sent_is_unknown(lent):
    await lent.submit("m-000001")
    await lent.send(await lent.queued("m-000001"), AttemptOutcome.UNKNOWN, None)
    await lent.told("m-000001", "accepted", "unknown")


async def test_the_same_command_and_the_same_assignment_again_send_nothing_again(lent):
    await lent.submit("m-000001", id="cmd-sub-0001", iat=time.time())
    row = await lent.queued("m-000001")
    await lent.send(row)
    await lent.told("m-000001", "accepted", "sent")
    await lent.hub.ended(await lent.submit("m-000001"))
    await lent.told("m-000001", "accepted", "sent", "sent")
    assert await lent.rows("SELECT count(*) FROM messages") == [(1,)]


async def test_no_more_is_taken_than_was_said_and_what_was_refused_is_not_taken_later(lent):
    await lent.hub.ended(await lent.submit("m-000001", "m-000002", "m-000003", "m-000004"))
    assert lent.words("m-000004") == [("refused", "no_credit")]
    await lent.hub.ended(await lent.recall("m-000001"))
    await lent.hub.ended(await lent.submit("m-000004"))
    assert lent.words("m-000004")[1] == ("released", "no_credit")
    await lent.hub.ended(await lent.submit("m-000004", fence=2))
    assert lent.words("m-000004")[2] == ("accepted", "")


async def test_a_recall_gives_back_what_waits_and_what_never_came(lent):
    await lent.submit("m-000001")
    row = await lent.queued("m-000001")
    await lent.recall("m-000001")
    await lent.told("m-000001", "accepted", "released")
    assert await lent.rows("SELECT state FROM messages WHERE id = ?", row) == [(MessageState.CANCELLED,)]
    assert await lent.begin(row) is BeginVerdict.CANCELLED
    await lent.hub.ended(await lent.recall("m-000002", 4))
    await lent.hub.ended(await lent.submit("m-000002", fence=3))
    assert lent.words("m-000002") == [("released", "recalled"), ("refused", "fenced")]


async def test_what_a_modem_has_is_not_given_back(lent):
    await lent.submit("m-000001")
    row = await lent.queued("m-000001")
    assert await lent.begin(row) is BeginVerdict.GO
    await lent.hub.ended(await lent.recall("m-000001"))
    assert lent.words("m-000001")[-1] == ("accepted", "started")
    await lent.outbox.settle(Settlement(lent.intent, AttemptOutcome.ACCEPTED, round(time.time() * 1000), 7))
    await lent.outbox.flush()
    await until(lambda: lent.words("m-000001")[-1][0] == "sent")


@pytest.mark.parametrize(("to", "code"), [("+44790090012345678", "invalid"), ("+447900900999", "opted_out")])
async def test_what_can_not_be_sent_is_refused_for_good(lent, to, code):
    await lent.box.optouts.add(LOCAL_ADMIN, "+447900900999")
    await lent.hub.ended(await lent.submit("m-000001", to=to))
    assert lent.words("m-000001") == [("refused", code)]


async def test_credit_of_another_run_or_epoch_is_refused(lent):
    await lent.hub.ended(await lent.submit("m-000001", run="0123456789abcdef"))
    assert lent.words("m-000001") == [("refused", "stale_credit")]
    credit, up = await lent.credit()
    args = {"run": credit["run"], "up": up, "lease": 60, "msgs": [{"id": "m-000002", "fence": 1}]}
    ended = await lent.hub.ended(await lent.hub.command("msg.recall", {"msgs": args["msgs"]}, ep="another1"))
    assert (ended["st"], ended["code"]) == ("rejected", "stale_epoch")


async def test_what_is_lent_is_kept_in_one_place_only(lent):
    await lent.submit("m-000001")
    await lent.queued("m-000001")
    kept = await lent.box.store.read(lambda conn: "\n".join(conn.iterdump()))
    holding = [line for line in kept.splitlines() if TEXT in line or NUMBER in line]
    assert [line.split('"')[1] for line in holding if "INSERT" in line] == ["messages"], holding
    entries = (await lent.box.audit.list(LOCAL_ADMIN)).items
    assert [(one.action, one.actor) for one in entries] == [("fleet.msg.submit", "hub: anna@hub")]


async def test_a_start_of_the_box_gives_back_what_waited(tmp_path, mosquitto):
    box = await fleet_box(tmp_path, mosquitto.port, pool=3)
    async with hub_at(mosquitto) as hub:
        async with agent_of(box) as agent:
            await until(lambda: hub.said("birth"))
            first = Lender(box, agent, hub)
            await first.submit("m-000001", "m-000002", "m-000003")
            waiting, gone, started = [await first.queued(f"m-00000{n}") for n in (1, 2, 3)]
            await first.send(gone)
            assert await first.begin(started) is BeginVerdict.GO
            await first.told("m-000002", "accepted", "sent")
        async with agent_of(box) as agent:
            again = Lender(box, agent, hub)
            await again.told("m-000001", "accepted", "released")
            assert again.words("m-000001")[1] == ("released", "restarted")
            assert await again.rows("SELECT state FROM messages WHERE id = ?", waiting) == [(MessageState.CANCELLED,)]
            await again.outbox.recover()  # as a process that was killed would: nobody knows what became of the third
            await again.told("m-000003", "accepted", "unknown")
            assert first.agent._pool.run_id != agent._pool.run_id
    await box.store.close()


async def test_a_restored_box_says_nothing_of_what_it_held(tmp_path, mosquitto):
    box = await fleet_box(tmp_path, mosquitto.port, pool=3)
    async with hub_at(mosquitto) as hub:
        async with agent_of(box) as agent:
            await until(lambda: hub.said("birth"))
            first = Lender(box, agent, hub)
            await first.submit("m-000001")
            row = await first.queued("m-000001")
        await box.store.write(lambda conn: conn.execute("UPDATE fleet_life SET store_epoch = store_epoch + 7").rowcount)
        async with agent_of(box) as agent:
            again = Lender(box, agent, hub)
            assert again.ep != first.ep or agent is not first.agent
            assert await again.rows("SELECT stage FROM fleet_pool") == [("void",)]
            assert await again.rows("SELECT state FROM messages WHERE id = ?", row) == [(MessageState.CANCELLED,)]
            assert [word for word, _ in again.words("m-000001")] == ["accepted"]
            hub.has["res"] = 0
            await again.hub.ended(await again.recall("m-000001"))
            assert again.words("m-000001")[-1][0] == "unknown"
    await box.store.close()


async def test_a_box_whose_site_has_not_switched_it_on_takes_nothing(tmp_path, mosquitto):
    box = await fleet_box(tmp_path, mosquitto.port)
    async with hub_at(mosquitto) as hub, agent_of(box) as agent:
        await until(lambda: hub.said("birth"))
        assert not [verb for verb in hub.said("birth")[0]["verbs"] if verb.startswith("msg.")]
        await until(lambda: hub.said("tele/box"))
        assert "pool" not in hub.said("tele/box")[0]
        lender = Lender(box, agent, hub)
        message = {"id": "m-000001", "to": NUMBER, "body": TEXT, "fence": 1, "not_after": time.time() + 60}
        args = {"run": agent._pool.run_id, "up": 0.0, "lease": 60, "msgs": [message]}
        ended = await hub.ended(await hub.command("msg.submit", args, ep=lender.ep))
        assert (ended["st"], ended["code"]) == ("rejected", "gate_closed")
        with pytest.raises(TimeoutError):
            await until(lambda: lender.words("m-000001"), 0.3)
        assert isinstance(await lender.rows("SELECT * FROM fleet_pool"), list)
        assert await lender.rows("SELECT count(*) FROM fleet_pool") == [(0,)]
    await box.store.close()


def test_old_tombstones_are_forgotten_and_open_ones_never(tmp_path):
    from modembank.fleet import pool_rows
    from modembank.store.schema import known_migrations

    conn = sqlite3.connect(tmp_path / "box.db")
    for migration in known_migrations():
        for statement in migration.statements:
            conn.execute(statement)
    for stage in ("held", "queued", "started", "gone", "delivered", "sent"):
        pool_rows.put(conn, pool_rows.Lent(stage, 1, stage, "", "e", "r", 0.0, 0.0, 0, None, "", "", "", 1000))
    assert pool_rows.forget(conn, 1000) == 0
    assert pool_rows.forget(conn, 1001) == 3
    assert {lent.id for lent in pool_rows.open_ones(conn)} == {"held", "queued", "started"}
    conn.close()
