"""Canaries: texts, numbers, labels and card numbers are searched for in all that a broker heard."""

import asyncio
import contextlib
import json
import re
import shutil
import time
import zlib

import pytest

from fakes.fleets import agent_of, fleet_box, hub_at, until
from fakes.web_boxes import ICCID
from modembank.accounts import LOCAL_ADMIN
from modembank.eventlog import KINDS, Entry, Told, append
from modembank.sim import SimChange
from modembank_fleet.agent.telling import LEAVES, Pseudonyms, event_of

pytestmark = [pytest.mark.broker, pytest.mark.usefixtures("quick")]

TEXT, NUMBER, SENDER, LABEL, DETAIL = "canaryaardvark", "+447911555123", "+447911555456", "canaryfinch", "canarywren"
CANARIES = (TEXT, NUMBER, SENDER, LABEL, DETAIL, NUMBER[1:], SENDER[3:], ICCID)


@contextlib.asynccontextmanager
async def recorder(mosquitto):
    """Have Debian's mosquitto_sub write down everything: topic, properties, payload in hex."""
    program = shutil.which("mosquitto_sub") or "/usr/bin/mosquitto_sub"
    process = await asyncio.create_subprocess_exec(
        program, "-V", "5", "-p", str(mosquitto.port), "-t", "#", "-F", "%t %P %x", stdout=asyncio.subprocess.PIPE
    )
    lines = []

    async def read():
        async for line in process.stdout:
            lines.append(line.decode())

    task = asyncio.create_task(read())
    await until(lambda: "mosq" in mosquitto.log or "auto-" in mosquitto.log)
    await asyncio.sleep(0.2)
    try:
        yield lines
    finally:
        await asyncio.sleep(0.3)
        process.terminate()
        await process.wait()
        await task


def everything(lines):
    """All that was heard as one text, unpacked."""
    said = []
    for line in lines:
        head, _, digits = line.rstrip("\n").rpartition(" ")
        payload = bytes.fromhex(digits)
        with contextlib.suppress(zlib.error):
            payload = zlib.decompress(payload)
        said.append(head + " " + payload.decode("utf-8", "replace"))
    return "\n".join(said)


async def live(box):
    """Let everything happen that a message, a SIM, a modem and a person can have happen."""
    receipt = await box.messages.submit(LOCAL_ADMIN, _request())
    now = round(time.time() * 1000)
    message = await box.store.read(lambda conn: conn.execute("SELECT max(id) FROM messages").fetchone()[0])
    body = json.dumps(
        {
            "slot": "slot-03", "state": "failed", "detail": f"{DETAIL} {NUMBER}", "reason": "x", "number": NUMBER,
            "label": LABEL, "summary": f"{DETAIL} {NUMBER}", "subject": NUMBER, "iccid": ICCID, "name": LABEL,
            "paused_reason": LABEL, "kind": "reply_loop", "note": DETAIL, "text": LABEL,
        }
    )  # fmt: skip

    def write(conn):
        _insert_inbox(conn, now)
        entries = [Entry(now, "message.received", None, 77)]
        entries += [
            Entry(
                now, kind.name, 1, message if kind.noun == "message" else None, None if kind.noun == "message" else body
            )
            for kind in KINDS
            if kind.name != "message.received"
        ]
        append(conn, entries)

    await box.store.write(write)
    await box.sims.change(1, SimChange(label=LABEL, pause=DETAIL))
    box.events.wake()
    return receipt


def _insert_inbox(conn, now):
    columns = {row[1]: row for row in conn.execute("PRAGMA table_info(inbox)")}
    given = {"id": 77, "sim_id": 1, "sender": SENDER, "text": TEXT, "missing": "[]", "received_at": now}
    for name, row in columns.items():
        if row[3] and row[4] is None and name not in given:
            given[name] = "text" if row[2] == "TEXT" else 0
    names = ", ".join(given)
    conn.execute(f"INSERT INTO inbox ({names}) VALUES ({', '.join('?' * len(given))})", tuple(given.values()))


def _request():
    from modembank.messages import SubmitRequest

    return SubmitRequest(to=(NUMBER,), text=TEXT)


@pytest.mark.parametrize("privacy", ["counts", "meta", "full"])
async def test_no_canary_leaves_a_box_that_was_not_told_to_let_it(tmp_path, mosquitto, privacy):
    box = await fleet_box(tmp_path, mosquitto.port, privacy=privacy, profile="lean")
    async with recorder(mosquitto) as lines, hub_at(mosquitto) as hub, agent_of(box) as agent:
        await until(lambda: hub.said("tele/modems"))
        await live(box)
        newest = await box.events.latest()
        await until(lambda: hub.has["ev"] >= newest)
        box.system._process.logs.note(None, "info", {"event": "message_sent", "to": NUMBER, "sim": ICCID})
        for verb, args in (("diag.run", {}), ("logs.collect", {}), ("sim.resume", {"iccid": ICCID})):
            await hub.ended(await hub.command(verb, args, ep=agent._life.epoch))
    await box.store.close()
    said = "\n".join(line for line in everything(lines).splitlines() if "/down/" not in line)
    assert said.count("/up/ev ") >= 1
    assert "/up/log/" in said
    found = {canary for canary in CANARIES if canary in said}
    if privacy == "full":
        assert {TEXT, NUMBER, SENDER, LABEL, DETAIL} <= found, "the test must be able to find them"
    else:
        assert not found
    assert ('"message.delivered"' in said) == (privacy != "counts")
    assert ('"sms.in"' in said) == (privacy != "counts")


def test_every_noun_has_a_list_of_what_leaves():
    assert set(LEAVES) == {kind.noun for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_field_that_nobody_listed_stays(kind):
    told = Told(1, kind.name, 1000, None, {"text": TEXT, "anything": NUMBER})
    event = event_of(told, "meta", Pseudonyms(b"secret"), dated=True)
    assert event.data == {}
    assert re.fullmatch(r"[a-z_]+\.[a-z_]+", event.type)


def test_pseudonyms_are_the_same_each_time_and_differ_by_box():
    one, other = Pseudonyms(b"a"), Pseudonyms(b"b")
    assert one.of_number(NUMBER) == one.of_number(NUMBER)
    assert one.of(NUMBER) != other.of(NUMBER)
    assert one.of_number(NUMBER)["last"] == "23"
    assert one.of(None) is None
    assert one.of_number(None) is None


def test_an_event_without_a_date_says_so():
    told = Told(1, "modem.gone", 1000, None, {})
    assert event_of(told, "meta", Pseudonyms(b"a"), dated=False).at is None
