"""Stories 6, 11, 13, 17, 21 and 31: whatever needs a person is an issue with evidence and remedy until it is over."""

import asyncio
import sqlite3
import sys

import pytest

from fakes.boxes import TurnedClock, box_on, emulated, running
from fakes.stories import BRISK, CALM, until_modem
from modembank.config import HealthConfig, LimitsConfig
from modembank.health import looking
from modembank.health.checks import port_shared, store_failed
from modembank.health.looking import Pace
from modembank.modem import ModemState
from modembank_emulator import DIALECTS, FaultKind, Mute
from modembankd.daemon import Daemon

TO = "+19990000001"
HASTY = HealthConfig(disk_free_mib=0, disk_free_percent=0, modem_missing_after_s=0, modem_hung_after_s=1)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(looking, "PACE", Pace(rest_s=0.02, settle_share=0.0))


async def issues(box, state="open"):
    return (await box.get(f"issues?state={state}"))["items"]


async def until_issue(box, kind, subject=None):
    """Return the open issue of a kind, looking as often as something happens."""

    async def looked():
        await box.app.health.look(kind)
        found = [one for one in await issues(box) if one["kind"] == kind and subject in (None, one["subject"])]
        return found[0] if found else None

    return await box.until(looked)


async def until_cleared(box, issue):
    async def looked():
        await box.app.health.look(issue["kind"])
        found = await box.get(f"issues/{issue['id']}")
        return found if found["cleared_at"] else None

    return await box.until(looked)


async def remedy(box, issue, name, status=200):
    answer = await box.client.post(f"/api/v1/issues/{issue['id']}/remedies/{name}")
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_a_well_box_has_no_issue(tmp_path):
    async with box_on(tmp_path, timings=CALM) as box:
        sent = await box.send(TO)
        await box.until_status(sent["id"], "delivered")
        await box.app.health.look()
        assert await issues(box, "all") == []
        assert await box.metrics("modembank_conservation_breach") == {(): 0.0}


async def test_story_13_a_hung_modem_is_quarantined_and_an_issue_until_it_serves(tmp_path):
    async with box_on(tmp_path, timings=BRISK.scaled(restart_s=0.3), health=HASTY) as box:
        hung = box.bank.modems[0]
        hung.faults.mute = Mute.ALL
        await until_modem(box, "slot-01", lambda modem: modem["failed"] == "quarantined")
        issue = await until_issue(box, "modem_hung", "slot-01")
        issue = await box.until(lambda: graver(box, issue))
        assert "nothing brought it back" in issue["summary"]
        assert len(issue["evidence"]["rungs"]) >= 2
        assert "recovering" in [change["state"] for change in issue["evidence"]["changes"]]
        assert await box.metrics("modembank_issues") == {("modem_hung", "critical"): 1.0}
        hung.heal()
        done = await remedy(box, issue, "reset_modem")
        assert done["did"] == "asked for a restart of the modem in slot-01"
        cleared = await until_cleared(box, issue)
        assert [run["by"] for run in cleared["remedied"]] == ["tester"]
        await until_modem(box, "slot-01", lambda modem: modem["able_to_send"])
        assert await issues(box) == []


async def graver(box, issue):
    found = await box.get(f"issues/{issue['id']}")
    return found if found["severity"] == "critical" else None


async def test_story_31_a_modem_that_is_pulled_is_an_issue_at_once_by_itself(tmp_path):
    async with box_on(tmp_path, timings=CALM, health=HASTY) as box:
        box.bank.modems[1].unplug()

        async def seen():  # nobody asks the check to look: the bus does
            return [(issue["kind"], issue["subject"]) for issue in await issues(box)] == [("modem_missing", "slot-02")]

        await box.until(seen)
        [issue] = await issues(box)
        assert str(box.bank.modems[1].path) in issue["summary"]
        box.bank.modems[1].replug()
        await box.until_registered()
        await until_cleared(box, issue)
        refused = await remedy(box, issue, "retry_modem", 409)
        assert "was cleared" in refused["detail"]


async def test_story_31_no_network_for_long_and_then_again(tmp_path):
    async with box_on(tmp_path, timings=CALM, modems=1) as box:
        box.bank.network.cell(up=False)
        await until_modem(box, "slot-01", lambda modem: modem["state"] == "searching")
        await box.app.health.look()
        assert await issues(box) == []
        await box.turn(301)
        issue = await until_issue(box, "no_network")
        assert issue["evidence"]["state"] == "searching"
        box.bank.network.cell(up=True)
        await box.until_registered()
        await until_cleared(box, issue)


async def test_story_11_a_sim_without_credit_is_an_issue_and_is_resumed_by_its_remedy(tmp_path):
    async with box_on(tmp_path, timings=CALM, modems=1) as box:
        card = box.bank.cards[0]
        card.credit, card.no_credit_code = False, 21
        batch = await box.send([f"+1999000010{place}" for place in range(4)])

        async def paused():  # by itself, as soon as the SIM is paused
            return [issue for issue in await issues(box) if issue["kind"] == "sim_without_credit"]

        [issue] = await box.until(paused)
        assert issue["subject"] == card.iccid
        assert "last with +CMS ERROR 21" in issue["evidence"]["reason"]
        assert len(issue["evidence"]["numbers"]) == 3
        assert not any(message["to"] in str(issue) for message in batch["messages"])
        card.credit = True
        done = await remedy(box, issue, "resume_sim")
        assert done["issue"]["cleared_at"] is not None
        assert (await box.sim(0))["paused"] is False
        await box.turn(100)
        for message in batch["messages"]:
            await box.until_status(message["id"], "delivered")


async def test_a_sim_that_a_person_paused_is_no_issue(tmp_path):
    async with box_on(tmp_path, timings=CALM, modems=1) as box:
        await box.patch_sim(0, paused=True)
        await box.app.health.look()
        assert await issues(box, "all") == []


async def test_story_21_a_memory_that_fills_up_is_an_issue_and_is_swept_by_its_remedy(tmp_path):
    caps = DIALECTS["generic"].but(
        memory_lists=(("SM",), ("SM",), ("SM",)), memories_at_start=("SM", "SM", "SM"), me_size=0
    )
    timings = CALM.scaled(beat_s=0.1, verify_s=0.1)
    async with box_on(tmp_path, timings=timings, modems=1, caps=caps, sim_slots=10) as box:
        modem = box.bank.modems[0]
        deaf = modem.faults.arm(FaultKind.CMS_ERROR, command="+CMGR", times=None, code=320)
        assert deaf is not None
        for number in range(8):
            box.bank.network.inject(box.bank.cards[0].msisdn, f"{number} that cannot be read")
        issue = await until_issue(box, "modem_storage", "slot-01")
        assert "SM holds" in issue["summary"]
        modem.heal()
        done = await remedy(box, issue, "sweep_storage")
        assert done["did"].startswith("took ")
        assert done["did"].endswith("now SM holds 0 of 10")
        assert done["issue"]["cleared_at"] is not None
        assert len(await box.inbox()) == 8
        assert not box.bank.cards[0].store.slots


async def test_story_06_messages_stuck_for_long_are_an_issue_with_their_reasons(tmp_path):
    async with box_on(tmp_path, timings=CALM) as box:
        for place in (0, 1):
            await box.patch_sim(place, paused=True, paused_reason="out of credit")
        sent = [await box.send(TO, sim="slot-01"), await box.send(TO, sim="slot-01"), await box.send(TO)]
        await box.turn(600)
        await box.app.health.look()
        assert await issues(box) == []
        await box.turn(400)
        issue = await until_issue(box, "stuck_messages")
        assert (issue["severity"], issue["evidence"]["count"]) == ("warning", 3)
        reasons = {reason["reason"]: reason for reason in issue["evidence"]["reasons"]}
        assert set(reasons) == {
            "SIM slot-01 is paused: out of credit",
            "SIM slot-01 is paused: out of credit (and 1 other SIM waits too)",
        }
        assert reasons["SIM slot-01 is paused: out of credit"]["count"] == 2
        assert reasons["SIM slot-01 is paused: out of credit"]["oldest"] == sent[0]["id"]
        for place in (0, 1):
            await box.patch_sim(place, paused=False)
        for message in sent:
            await box.until_status(message["id"], "delivered")
        await until_cleared(box, issue)


async def test_story_06_a_queue_that_only_waits_for_its_limits_is_information(tmp_path):
    limits = LimitsConfig(min_interval_s=0, per_minute=0, per_hour=1, per_day=0)
    async with box_on(tmp_path, timings=CALM, modems=1, limits=limits) as box:
        batch = await box.send([f"+1999000020{place}" for place in range(3)])
        await box.waiting_for(batch["messages"][2]["id"], "SIM slot-01: 1 of 1 this hour")

        async def one_is_stored_as_sent():  # until then it counts as waiting, too
            return await box.app.store.fetch_one("SELECT 1 FROM messages WHERE state >= 50")

        await box.until(one_is_stored_as_sent)
        await box.turn(1000)
        issue = await until_issue(box, "stuck_messages")
        assert issue["severity"] == "info"
        [reason] = issue["evidence"]["reasons"]
        assert reason["reason"].startswith("SIM slot-01: all of 1 this hour")
        assert reason["count"] == 2
        spent = await until_issue(box, "limits_nearly_spent", box.bank.cards[0].iccid)
        assert spent["evidence"]["windows"] == {"per_hour": {"used": 1, "limit": 1}}


_OPEN = "import os,sys; os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY); print('open', flush=True); sys.stdin.read()"


async def test_story_17_a_second_program_that_opens_the_port_is_named_until_it_leaves(tmp_path):
    async with emulated(tmp_path / "tty") as bank:
        program = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _OPEN, bank.modems[0].path, stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert await program.stdout.readline() == b"open\n"
        async with running(bank, tmp_path / "data", timings=CALM) as box:
            issue = await until_issue(box, port_shared.CHECK.kind, "slot-01")
            assert [one["pid"] for one in issue["evidence"]["programs"]] == [program.pid]
            program.stdin.close()
            await program.wait()
            await until_cleared(box, issue)


async def test_a_full_store_is_an_issue_although_it_cannot_be_written_down(tmp_path, monkeypatch):
    async with box_on(tmp_path, timings=CALM, modems=1) as box:
        writer = box.app.store._writer
        real = writer._transact

        def full(group):
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode, error.sqlite_errorname = sqlite3.SQLITE_FULL, "SQLITE_FULL"
            raise error

        monkeypatch.setattr(writer, "_transact", full)
        refused = await box.client.post("/api/v1/messages", json={"to": TO, "text": "x"})
        assert (refused.status_code, refused.json()["error_code"]) == (507, "STORAGE_FULL")
        issue = await until_issue(box, store_failed.CHECK.kind)
        assert issue["severity"] == "critical"
        assert "has no room" in issue["summary"]
        assert await box.app.store.fetch_all("SELECT * FROM issues") == []
        monkeypatch.setattr(writer, "_transact", real)
        sent = await box.send(TO)
        await box.until_status(sent["id"], "delivered")
        await until_cleared(box, issue)


async def test_books_that_do_not_add_up_are_an_issue_until_they_do(tmp_path):
    async with box_on(tmp_path, timings=CALM, modems=1) as box:
        sent = await box.send(TO)
        await box.until_status(sent["id"], "delivered")
        store = box.app.store
        await store.write(lambda conn: conn.execute("UPDATE state_counts SET n = n + 1 WHERE state = 0").rowcount)
        issue = await until_issue(box, "conservation")
        assert issue["severity"] == "critical"
        assert "2 messages were ever accepted, but the counters by state add up to 1" in issue["summary"]
        assert await box.metrics("modembank_conservation_breach") == {(): 1.0}
        broken = await remedy(box, issue, "recount")
        assert "2 messages were ever accepted, but the table has 1" in broken["did"]
        assert broken["issue"]["cleared_at"] is None
        await store.write(lambda conn: conn.execute("UPDATE state_counts SET n = n - 1 WHERE state = 0").rowcount)
        done = await remedy(box, issue, "recount")
        assert done["did"].endswith(": the books add up")
        assert done["issue"]["cleared_at"] is not None
        assert len(done["issue"]["remedied"]) == 2
        assert (await box.get("conservation"))["holds"]


async def test_issues_survive_a_restart_and_are_over_only_when_they_are(tmp_path):
    clock = TurnedClock()
    async with emulated(tmp_path / "tty") as bank:
        bank.modems[0].unplug()
        settings = {"timings": CALM, "wait": False, "clock": clock, "health": HASTY}
        async with running(bank, tmp_path / "data", **settings) as box:
            issue = await until_issue(box, "modem_missing", "slot-01")
        async with running(bank, tmp_path / "data", **settings) as box:
            [first] = await issues(box)
            assert (first["id"], first["raised_at"]) == (issue["id"], issue["raised_at"])
            await until_modem(box, "slot-01", lambda modem: modem["state"] == ModemState.GONE)
            await box.app.health.look()
            assert (await until_issue(box, "modem_missing", "slot-01"))["id"] == issue["id"]
        bank.modems[0].replug()
        async with running(bank, tmp_path / "data", **{**settings, "wait": True}) as box:
            cleared = await until_cleared(box, issue)
            assert cleared["raised_at"] == issue["raised_at"]
            assert [one["id"] for one in await issues(box, "all")] == [issue["id"]]


async def test_open_issues_are_known_before_anybody_can_ask_for_them(tmp_path, monkeypatch):
    """Else a start would show none for a moment, and a remedy run then would write over old issues."""
    seen, serve = [], Daemon._serve

    async def serving(daemon):
        seen.append([issue.kind for issue in daemon.box.app.health.open()])
        await serve(daemon)

    monkeypatch.setattr(Daemon, "_serve", serving)
    async with emulated(tmp_path / "tty", modems=1) as bank:
        for _ in range(2):
            async with running(bank, tmp_path / "data", wait=False, health=HASTY) as box:
                bank.modems[0].unplug()
                await until_issue(box, "modem_missing")
    assert seen == [[], ["modem_missing"]]


async def test_stopping_the_box_raises_nothing(tmp_path):
    async with emulated(tmp_path / "tty") as bank:
        for _ in range(2):
            async with running(bank, tmp_path / "data", timings=CALM, health=HASTY) as box:
                await box.app.health.look()
                found = await issues(box, "all")
                assert found == []
