"""Commands through a real broker: kept, then acknowledged, carried out once, answered once; bad ones do nothing."""

import asyncio
import json
import time

import pytest

from fakes.fleets import ADDRESS, SIGNER, agent_of, fleet_box, hub_at, until
from fakes.web_boxes import ICCID
from modembank.accounts import LOCAL_ADMIN
from modembank.fleet import rows
from modembank_fleet.agent.commands import Hourly
from modembank_fleet.agent.verbs import VERBS, Surroundings
from modembank_fleet.wire import BY_VERB, Signer, new_signer

pytestmark = [pytest.mark.broker, pytest.mark.usefixtures("quick")]


class Fleet:
    """A box, its agent and a hub, connected."""

    def __init__(self, box, agent, hub):
        self.box, self.agent, self.hub = box, agent, hub
        self.ep = agent._life.epoch

    async def do(self, verb, args=None, **more):
        """Send a command and return how it ended."""
        return await self.hub.ended(await self.hub.command(verb, args, **{"ep": self.ep} | more))

    async def refusals(self, count):
        """Wait for security events, and return their codes."""
        found = await until(lambda: [e for e in self.hub.events.values() if e["type"] == "auth.fail"][: count or None])
        await until(lambda: len([e for e in self.hub.events.values() if e["type"] == "auth.fail"]) >= count)
        found = [e for e in self.hub.events.values() if e["type"] == "auth.fail"]
        return [event["data"]["code"] for event in found]

    @property
    def sim(self):
        return self.box.sims.by_iccid(ICCID)

    async def journal(self):
        return await self.box.store.read(
            lambda conn: conn.execute("SELECT id, verb, state, code FROM fleet_commands ORDER BY id").fetchall()
        )


@pytest.fixture
async def fleet(tmp_path, mosquitto):
    box = await fleet_box(tmp_path, mosquitto.port)
    async with hub_at(mosquitto) as hub, agent_of(box) as agent:
        await until(lambda: hub.said("birth"))
        yield Fleet(box, agent, hub)
    await box.store.close()


# -- what works


async def test_a_ping_is_answered_through_its_states(fleet):
    command = await fleet.hub.command("ping", ep=fleet.ep, signer=None)
    ended = await fleet.hub.ended(command)
    assert ended["data"]["up"] >= 0
    assert fleet.hub.states(command) == ["accepted", "running", "done"]


async def test_a_sim_is_paused_limited_and_resumed(fleet):
    assert (await fleet.do("sim.pause", {"iccid": ICCID, "reason": "bill"}))["st"] == "done"
    assert fleet.sim.paused_reason == "bill"
    assert (await fleet.do("sim.limits", {"iccid": ICCID, "per_day": 7}))["data"]["per_day"] == 7
    assert fleet.sim.limits.per_day == 7
    assert (await fleet.do("sim.resume", {"iccid": ICCID}))["st"] == "done"
    assert not fleet.sim.paused
    kept = await fleet.box.audit.list(LOCAL_ADMIN)
    assert {entry.action for entry in kept.items} == {"fleet.sim.pause", "fleet.sim.limits", "fleet.sim.resume"}
    assert {(entry.actor, entry.source) for entry in kept.items} == {("hub: anna@hub", "hub")}


@pytest.mark.parametrize("limits", [{"per_day": 1001}, {"per_day": 0}, {"min_interval_s": 1.0}, {"per_hour": 201}])
async def test_no_limit_goes_beyond_the_sites(fleet, limits):
    ended = await fleet.do("sim.limits", {"iccid": ICCID} | limits)
    assert (ended["st"], ended["code"]) == ("failed", "beyond_local_cap")
    assert fleet.sim.limits.per_day == 1000


async def test_what_is_not_there_is_said(fleet):
    assert (await fleet.do("sim.pause", {"iccid": "8944110068256270099"}))["code"] == "sim_not_found"
    assert (await fleet.do("sim.limits", {"iccid": ICCID}))["code"] == "bad_args"
    assert (await fleet.do("modem.reset", {"slot": "slot-99"}))["st"] == "failed"


async def test_a_modem_is_restarted_three_times_an_hour(fleet):
    ends = [await fleet.do("modem.reset", {"slot": "slot-03"}) for _ in range(4)]
    assert [end["st"] for end in ends] == ["done", "done", "done", "failed"]
    assert ends[3]["code"] == "too_often"
    assert (await fleet.do("modem.reset", {"slot": "slot-04"}))["st"] == "done"


async def test_a_modem_is_reset_from_outside_where_that_can_be(fleet, monkeypatch):
    for mode in ("usb", "power"):
        ended = await fleet.do("modem.reset", {"slot": "slot-03", "mode": mode})
        assert (ended["st"], ended["code"]) == ("failed", "mode_not_available")
        assert ended["data"] == {"why": "it is not on the USB of this machine"}
    done = []

    async def reset_hard(slot, level):
        done.append((slot, level.value))

    monkeypatch.setattr(fleet.box.bank, "reset_hard", reset_hard)
    ends = [
        await fleet.do("modem.reset", {"slot": "slot-03", "mode": mode}) for mode in ("usb", "power", "soft", "usb")
    ]
    assert [end["st"] for end in ends] == ["done", "done", "done", "failed"], "what was refused did not count"
    assert done == [("slot-03", "usb"), ("slot-03", "power")]


async def test_an_image_is_restarted_unless_something_else_is_asked_of_it(fleet):
    assert (await fleet.do("box.reboot"))["code"] == "not_an_image"
    fleet.box.image.start()
    assert (await fleet.do("box.reboot"))["st"] == "done"
    asked = fleet.box.image.asked()
    assert (asked["verb"], asked["by"]) == ("restart", "hub: anna@hub")
    ended = await fleet.do("box.reboot")
    assert (ended["st"], ended["code"]) == ("failed", "conflict")
    fleet.box.image.takes()
    kept = await fleet.box.audit.list(LOCAL_ADMIN)
    assert {entry.action for entry in kept.items} == {"fleet.box.reboot", "box.restart"}


async def test_telemetry_comes_as_often_as_is_asked_for(fleet):
    assert (await fleet.do("tele.profile", {"profile": "lean"}))["st"] == "done"
    assert fleet.box.fleet.profile == "lean"
    assert (await fleet.do("tele.profile", {"profile": "live"}))["st"] == "done"
    fleet.agent._live_until = time.monotonic()
    fleet.agent._retimed.set()
    await until(lambda: fleet.box.fleet.profile == "standard")


async def test_a_birth_and_a_diagnosis_are_told_when_asked_for(fleet):
    assert (await fleet.do("rebirth"))["st"] == "done"
    await until(lambda: len(fleet.hub.said("birth")) == 2)
    told = (await fleet.do("diag.run"))["data"]
    assert told["store"]["state"] == "ok"
    assert sum(told["modems"].values()) == 2


async def test_logs_come_in_pieces_without_numbers(fleet, monkeypatch):
    from modembank.system import RecentLogs

    logs = fleet.box.system._process.logs
    assert isinstance(logs, RecentLogs)
    for number in range(120):
        logs.note(
            None, "info", {"event": "sent", "to": f"+4479009001{number:02d}", "timestamp": "2026-11-20T06:12:40Z"}
        )
    ended = await fleet.do("logs.collect", {"max_kb": 100})
    assert ended["data"] == {"lines": 120, "pieces": 3}
    chunks = await until(lambda: [s for what, s, _ in fleet.hub.heard if what.startswith("log/")])
    assert [chunk["n"] for chunk in chunks] == [0, 1, 2]
    assert [chunk.get("end", False) for chunk in chunks] == [False, False, True]
    assert "+44790" not in json.dumps(chunks)
    assert (await fleet.do("logs.collect", {"unit": "kernel"}))["code"] == "unit_not_available"
    assert (await fleet.do("logs.collect", {"since": 2e9}))["data"] == {"lines": 0, "pieces": 1}


async def test_a_code_is_dialled_where_the_site_allows_it(tmp_path, mosquitto):
    box = await fleet_box(tmp_path, mosquitto.port, commands=("ussd.run",), ussd_codes=("*100#",))
    async with hub_at(mosquitto) as hub, agent_of(box) as agent:
        await until(lambda: hub.said("birth"))
        fleet = Fleet(box, agent, hub)
        assert (await fleet.do("ussd.run", {"slot": "slot-03", "code": "*140*1#"}))["code"] == "code_not_allowed"
        ended = await fleet.do("ussd.run", {"slot": "slot-03", "code": "*100#"})
        assert ended["st"] == "failed"  # there is no modem in the slot
        assert (await fleet.do("sim.pause", {"iccid": ICCID}))["code"] == "gate_closed"
        assert set(hub.said("birth")[0]["verbs"]) == {"ping", "rebirth", "tele.profile", "ussd.run"}
        kept = await box.audit.list(LOCAL_ADMIN)
        assert "100#" not in repr([entry.detail for entry in kept.items])
    await box.store.close()


# -- once, and only once


async def test_the_same_command_again_tells_its_end_again_and_does_nothing(fleet):
    again = {"id": "cmd-again1", "iat": time.time()}
    await fleet.do("sim.pause", {"iccid": ICCID}, **again)
    await fleet.do("sim.resume", {"iccid": ICCID})
    for _ in range(3):
        await fleet.hub.command("sim.pause", {"iccid": ICCID}, ep=fleet.ep, **again)
    await until(lambda: fleet.hub.states("cmd-again1").count("done") == 4)
    assert not fleet.sim.paused
    assert len(await fleet.journal()) == 2


async def test_an_id_is_used_once(fleet):
    await fleet.do("sim.pause", {"iccid": ICCID}, id="cmd-reused")
    await fleet.hub.command("sim.resume", {"iccid": ICCID}, ep=fleet.ep, id="cmd-reused")
    await until(lambda: any(result["code"] == "id_reused" for result in fleet.hub.results if "code" in result))
    assert fleet.sim.paused
    assert await fleet.refusals(1) == ["id_reused"]


async def test_an_unsigned_command_takes_no_id_of_a_signed_one(fleet):
    """Whoever may write to the broker could else keep the hub's command from being carried out."""
    assert (await fleet.do("ping", id="cmd-000777", signer=None))["st"] == "done"
    await fleet.hub.command("sim.pause", {"iccid": ICCID}, ep=fleet.ep, id="cmd-000777")
    await until(lambda: fleet.sim.paused)


# -- what is not to be believed: no effect, no answer, one security event

FORGED = {
    "unsigned": ({"signer": None}, "unsigned"),
    "another_key": ({"signer": new_signer("h2")}, "bad_signature"),
    "unknown_key": ({"signer": Signer("h9", SIGNER.private)}, "unknown_key"),
    "altered": ({"change": lambda payload: payload.replace(b"8944", b"8945")}, "bad_signature"),
    "retained": ({"retain": True}, "retained"),
    "oversized": ({"change": lambda payload: payload + b" " * 262_000}, "bad_signature"),
}


@pytest.mark.parametrize("how", FORGED)
async def test_what_is_not_to_be_believed_does_nothing(fleet, how):
    more, code = FORGED[how]
    command = await fleet.hub.command("sim.pause", {"iccid": ICCID}, ep=fleet.ep, **more)
    assert await fleet.refusals(1) == [code]
    assert (await fleet.do("ping"))["st"] == "done"
    assert not fleet.sim.paused
    assert fleet.hub.states(command) == []
    assert [row[1] for row in await fleet.journal()] == ["ping"]
    assert fleet.box.fleet.refused == 1


async def test_what_was_signed_for_another_box_or_verb_does_nothing(fleet):
    payload = json.dumps(
        {"v": 1, "id": "cmd-other1", "iat": time.time(), "ttl": 60, "ep": fleet.ep, "by": "x", "args": {"iccid": ICCID}}
    ).encode()
    for signed_for in ("modembank/v1/kiel/b2/down/cmd/sim.pause", ADDRESS.down("cmd", "sim.resume")):
        user = {"kid": "h2", "sig": SIGNER.sign(signed_for, payload)}
        await fleet.hub.session.publish(ADDRESS.down("cmd", "sim.pause"), payload, user=user)
    assert await fleet.refusals(2) == ["bad_signature"] * 2
    assert not fleet.sim.paused


@pytest.mark.parametrize("payload", [b"", b"{", b"\xff" * 50, b"[" * 5000, b'{"v":1}', b"null"])
async def test_what_is_no_command_does_nothing(fleet, payload):
    user = {"kid": "h2", "sig": SIGNER.sign(ADDRESS.down("cmd", "sim.pause"), payload)}
    await fleet.hub.session.publish(ADDRESS.down("cmd", "sim.pause"), payload, user=user)
    assert await fleet.refusals(1) == ["malformed"]
    assert (await fleet.do("ping"))["st"] == "done"


async def test_a_topic_that_is_no_command_does_nothing(fleet):
    for parts in (("cmd", "burn.down"), ("cmd", "ping", "x"), ("msg", "ping"), ("else",)):
        await fleet.hub.session.publish(ADDRESS.down(*parts), b"{}")
    assert await fleet.refusals(4) == ["unknown_verb"] * 4


async def test_a_flood_leaves_some_events_and_a_count(fleet, monkeypatch):
    commands = fleet.agent._commands
    commands._noted = Hourly(3)
    for _ in range(10):
        await fleet.hub.session.publish(ADDRESS.down("cmd", "nothing"), b"{}")
    await until(lambda: fleet.box.fleet.refused == 10)
    assert len(await fleet.refusals(3)) == 3
    commands._noted = Hourly(3)
    await fleet.hub.session.publish(ADDRESS.down("cmd", "nothing"), b"{}")
    await fleet.refusals(4)
    assert max(e["data"]["count"] for e in fleet.hub.events.values() if e["type"] == "auth.fail") == 8


# -- what the hub said and the box does not do: answered, and a security event

REFUSED = {
    "stale_epoch": ({"ep": "k3f9old1"}, "rejected"),
    "ttl_too_long": ({"ttl": 8 * 86_400}, "rejected"),
    "too_late": ({"iat": 1000.0}, "expired"),
    "from_the_future": ({"iat": time.time() + 7200}, "rejected"),
    "precondition_failed": ({"if": {"cfg": 41}}, "rejected"),
}


@pytest.mark.parametrize("code", REFUSED)
async def test_what_the_box_does_not_do_is_answered(fleet, code, monkeypatch):
    monkeypatch.setattr(type(fleet.agent._time), "state", lambda self: "ntp")
    more, state = REFUSED[code]
    ended = await fleet.do("sim.pause", {"iccid": ICCID}, **more)
    assert (ended["st"], ended["code"]) == (state, code)
    assert await fleet.refusals(1) == [code]
    assert not fleet.sim.paused


async def test_verbs_of_other_releases_and_bad_arguments_are_answered(fleet, monkeypatch):
    monkeypatch.delitem(VERBS, "logs.collect")
    assert (await fleet.do("logs.collect"))["code"] == "not_available"
    assert (await fleet.do("sim.pause", {"iccid": "12"}))["code"] == "bad_args"
    assert (await fleet.do("ussd.run", {"slot": "slot-03", "code": "*100#"}))["code"] == "gate_closed"
    assert sorted(await fleet.refusals(3)) == ["bad_args", "gate_closed", "not_available"]


async def test_a_clock_that_nobody_set_does_not_keep_commands_out(fleet, monkeypatch):
    monkeypatch.setattr(type(fleet.agent._time), "state", lambda self: "unsync")
    ended = await fleet.do("sim.pause", {"iccid": ICCID}, iat=1000.0)
    assert ended["st"] == "done"
    assert "at" not in ended
    event = await until(lambda: fleet.hub.said("res"))
    assert (event[-1]["clk"], "ts" in event[-1]) == ("unsync", False)


async def test_the_brokers_count_of_what_is_left_counts(fleet, monkeypatch):
    """A command that waited at the broker has less time: two seconds here, one of which passes before it begins."""
    started = asyncio.Event()

    async def slow(around: Surroundings, order):
        started.set()
        await asyncio.sleep(1.5)
        return {}

    monkeypatch.setitem(VERBS, "ping", slow)
    first = await fleet.hub.command("ping", ep=fleet.ep)
    await started.wait()
    second = await fleet.hub.command("sim.pause", {"iccid": ICCID}, ep=fleet.ep, expiry_s=1)
    assert (await fleet.hub.ended(first))["st"] == "done"
    ended = await fleet.hub.ended(second)
    assert (ended["st"], ended["code"]) == ("expired", "too_late")
    assert not fleet.sim.paused


# -- crashes


async def _left(box, state, verb, ends_in_s=60.0, args="{}"):
    taken = rows.Journalled("cmd-left01", True, verb, b"x", "anna@hub", args, time.time(), time.time() + ends_in_s,
                            round(time.time() * 1000), state)  # fmt: skip
    await box.store.write(lambda conn: rows.journal(conn, taken))


@pytest.mark.parametrize(
    ("state", "verb", "ends_in_s", "end"),
    [
        ("accepted", "sim.pause", 60, "done"),
        ("running", "sim.pause", 60, "done"),
        ("accepted", "sim.pause", -1, "expired"),
        ("accepted", "modem.reset", 60, "done"),
        ("running", "modem.reset", 60, "unknown"),
        ("running", "ussd.run", 60, "unknown"),
        ("running", "box.reboot", 60, "unknown"),
    ],
)
async def test_after_a_crash_each_command_still_ends_once(tmp_path, mosquitto, state, verb, ends_in_s, end):
    box = await fleet_box(tmp_path, mosquitto.port)
    args = {"sim.pause": {"iccid": ICCID}, "modem.reset": {"slot": "slot-03"}, "box.reboot": {}}.get(
        verb, {"slot": "a", "code": "*1#"}
    )
    await _left(box, state, verb, ends_in_s, json.dumps(args))
    async with hub_at(mosquitto) as hub, agent_of(box):
        assert (await hub.ended("cmd-left01"))["st"] == end
        assert box.sims.by_iccid(ICCID).paused == (verb == "sim.pause" and end == "done")
    assert await box.store.read(rows.unfinished) == []
    await box.store.close()


async def test_a_backup_brings_no_command_back_to_life(tmp_path, mosquitto):
    """What was under way when the backup was made belongs to the life before."""
    box = await fleet_box(tmp_path, mosquitto.port)
    await box.fleet.begin()
    await _left(box, "accepted", "sim.pause", 600, json.dumps({"iccid": ICCID}))
    await box.store.write(lambda conn: conn.execute("UPDATE fleet_life SET store_epoch = 99").rowcount)
    async with hub_at(mosquitto) as hub, agent_of(box) as agent:
        await until(lambda: hub.said("birth"))
        assert (await hub.ended(await hub.command("ping", ep=agent._life.epoch)))["st"] == "done"
        assert not box.sims.by_iccid(ICCID).paused
    found = await box.store.read(lambda conn: rows.find(conn, "cmd-left01", signed=True))
    assert (found.state, found.code) == ("unknown", "stale_epoch")
    await box.store.close()


async def test_a_command_is_acknowledged_only_once_it_is_kept(fleet, monkeypatch):
    """The write fails: the broker keeps the command, and hands it over again on the next connection."""
    from modembank.store import StoreError

    commands, write = fleet.agent._commands, fleet.box.store.write
    failed = []

    async def failing(fn, *args, **more):
        if fn.__name__ == "keep" and not failed:
            failed.append(fn)
            raise StoreError(detail="no room")
        return await write(fn, *args, **more)

    monkeypatch.setattr(fleet.box.store, "write", failing)
    command = await fleet.hub.command("sim.pause", {"iccid": ICCID}, ep=fleet.ep)
    assert (await fleet.hub.ended(command))["st"] == "done"
    assert failed
    assert commands is fleet.agent._commands
    assert fleet.sim.paused


async def test_what_is_forgotten_cannot_be_replayed(fleet):
    old = time.time() - 30
    await fleet.do("sim.pause", {"iccid": ICCID}, id="cmd-old001", iat=old, ttl=600)
    await fleet.do("sim.resume", {"iccid": ICCID})
    await fleet.box.store.write(lambda conn: rows.forget(conn, round(time.time() * 1000) + 1000))
    assert await fleet.journal() == []
    await fleet.hub.command("sim.pause", {"iccid": ICCID}, ep=fleet.ep, id="cmd-old001", iat=old, ttl=600)
    await until(lambda: "rejected" in fleet.hub.states("cmd-old001"))
    assert await fleet.refusals(1) == ["replayed"]
    assert not fleet.sim.paused


def test_every_verb_that_is_carried_out_is_in_the_protocol_and_its_gate_in_the_configuration():
    from typing import get_args

    from modembank.config import MqttConfig
    from modembank.config import Verb as Gate
    from modembank_fleet.agent.verbs import ALWAYS

    assert set(VERBS) <= set(BY_VERB)
    assert set(get_args(Gate)) == set(VERBS) - ALWAYS
    assert set(MqttConfig().commands) == {verb for verb in get_args(Gate) if BY_VERB[verb].gate}


def test_so_many_in_an_hour():
    counted = Hourly(2)
    assert [counted.takes(at) for at in (0.0, 1.0, 2.0, 3600.0, 3600.5, 3601.0)] == [
        True,
        True,
        False,
        True,
        False,
        True,
    ]
