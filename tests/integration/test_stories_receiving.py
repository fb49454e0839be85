"""Stories 21 to 26: whatever comes in is stored once, whole, under its own name, and harms nobody."""

import asyncio
import itertools
import json
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from fakes.boxes import box_on, emulated, running
from fakes.delivers import binary, deliver, named, part, text, wide
from fakes.stories import CALM, modems, until_inbox, until_modem
from modembank_emulator import DIALECTS, spawn_bank

MODEMBANK = Path(sys.executable).with_name("modembank")
LONG = "".join(f"<{number:03d}>" for number in range(90))  # 450 letters, three parts
SIM_ONLY = {"memory_lists": (("SM",), ("SM",), ("SM",)), "memories_at_start": ("SM", "SM", "SM"), "me_size": 0}


def receive(box, *pdus):
    for pdu in pdus:
        box.bank.network.inject(box.bank.cards[0].msisdn, pdu=pdu)


# -- 21: full memories


@pytest.mark.parametrize("dialect", ["generic", "huawei", "simcom"])
async def test_story_21_a_full_memory_is_drained_and_reception_goes_on(tmp_path, dialect):
    caps = DIALECTS[dialect].but(**SIM_ONLY)
    async with box_on(tmp_path, timings=CALM, modems=1, caps=caps, sim_slots=10) as box:
        await box.client.post("/api/v1/modems/slot-01/disable")
        for number in range(25):
            box.bank.network.inject(box.bank.cards[0].msisdn, f"{number} while nobody listened")
        card = box.bank.cards[0]
        assert (len(card.store.slots), len(card.waiting)) == (10, 15)
        await box.client.post("/api/v1/modems/slot-01/enable")
        texts = await until_inbox(box, 25)
        assert sorted(texts) == sorted(f"{number} while nobody listened" for number in range(25))
        await box.until(lambda: not card.store.slots)


async def test_story_21_a_filling_memory_is_seen(tmp_path):
    caps = DIALECTS["generic"].but(**SIM_ONLY)
    async with box_on(tmp_path, timings=CALM.scaled(beat_s=0.1, verify_s=0.1), modems=1, caps=caps) as box:
        seen = await until_modem(box, "slot-01", lambda modem: modem["storage"])
        assert seen["storage"] == [{"memory": "SM", "used": 0, "total": 20}]


# -- 22: the wrong memory


async def test_story_22_the_announced_memory_is_not_the_one_it_lies_in(tmp_path):
    caps = DIALECTS["generic"].but(cmti_memory="SM")
    async with box_on(tmp_path, timings=CALM, modems=1, caps=caps) as box:
        assert box.bank.modems[0].settings.memories[2] == "ME"
        for number in range(3):
            box.bank.network.inject(box.bank.cards[0].msisdn, f"{number} elsewhere")
        assert sorted(await until_inbox(box, 3)) == [f"{number} elsewhere" for number in range(3)]
        await box.until(lambda: not box.bank.modems[0].stores["ME"].slots)


async def test_story_22_what_lies_in_any_memory_at_start_is_found(tmp_path):
    async with emulated(tmp_path / "tty", modems=1) as bank:
        modem, to = bank.modems[0], bank.cards[0].msisdn
        for memory in ("SM", "ME"):
            modem.settings.memories[2] = memory
            bank.network.inject(to, f"in {memory}")
        assert len(bank.cards[0].store.slots) == len(modem.stores["ME"].slots) == 1
        async with running(bank, tmp_path / "data", timings=CALM) as box:
            assert sorted(await until_inbox(box, 2)) == ["in ME", "in SM"]


# -- 23 and 24: again and again


@asynccontextmanager
async def daemon(folder, paths):
    """A real daemon in a process of its own, and a client on its local socket."""
    config, log = folder / "modembank.toml", folder / "log"
    ports = "".join(f'[[bank.port]]\npath = "{path}"\n' for path in paths)
    config.write_text(f'[box]\ndata_dir = "{folder / "data"}"\n[web]\nlisten = "127.0.0.1:0"\n{ports}')
    with log.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(MODEMBANK, "run", "--config", config, stderr=errors)
    transport = httpx.AsyncHTTPTransport(uds=str(folder / "data" / "control.sock"))
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", trust_env=False) as client:
            yield process, client
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()


async def inbox_of(client, count):
    """The inbox of the process once it holds so many, oldest first."""
    async with asyncio.timeout(30):
        while True:
            try:
                items = (await client.get("/api/v1/inbox")).json()["items"]
            except httpx.TransportError:  # it still starts
                items = []
            if len(items) >= count:
                return list(reversed(items))
            await asyncio.sleep(0.05)


async def test_story_23_killed_between_storing_and_deleting_it_is_imported_once(tmp_path):
    async with spawn_bank(tmp_path / "tty", "--modems", "1", "--dialect", "generic") as bank:
        to, pdu = bank.ready["modems"][0]["msisdn"], text("once only")
        await bank.control.fault(0, "hang", command="+CMGD")
        async with daemon(tmp_path, bank.paths) as (process, client):
            await bank.control.inject(to, pdu=pdu)
            await inbox_of(client, 1)
            process.kill()
            await process.wait()
        await bank.control.fault(0, "clear")
        async with daemon(tmp_path, bank.paths) as (process, client):
            await bank.control.inject(to, "the next one")
            items = await inbox_of(client, 2)
            assert [item["text"] for item in items] == ["once only", "the next one"]
            # The very same PDU, now that its slot is free: that is a second message.
            await bank.control.inject(to, pdu=pdu)
            items = await inbox_of(client, 3)
            assert [item["text"] for item in items] == ["once only", "the next one", "once only"]
        log = (tmp_path / "log").read_text()
        assert "once only" not in log
        assert all(json.loads(line)["event"] for line in log.splitlines())


async def test_story_24_genuine_repeats_are_all_kept(tmp_path):
    async with box_on(tmp_path, timings=CALM, modems=1) as box:
        receive(box, *[text("ALARM")] * 4)
        await until_inbox(box, 4)
        box.bank.network.inject(box.bank.cards[0].msisdn, "marker")
        assert await until_inbox(box, 5) == ["ALARM"] * 4 + ["marker"]


# -- 25: long messages


async def test_story_25_parts_in_every_order_and_in_both_widths_make_one_message(tmp_path):
    async with box_on(tmp_path, timings=CALM, modems=1) as box:
        orders = list(itertools.permutations((1, 2, 3)))
        for number, order in enumerate(orders):
            box.bank.network.inject(
                box.bank.cards[0].msisdn,
                f"{number}{LONG}",
                order=order,
                wide=bool(number % 2),
                from_=f"+1999000{number}",
            )
        assert sorted(await until_inbox(box, 6)) == [f"{number}{LONG}" for number in range(6)]
        assert {(item["parts"], len(item["missing"])) for item in await box.inbox()} == {(3, 0)}


async def test_story_25_doubled_parts_and_two_interleaved_messages(tmp_path):
    async with box_on(tmp_path, timings=CALM, modems=1) as box:
        first = [part(words, 0, 3, number) for number, words in enumerate(("one ", "two ", "three"), 1)]
        other = [part(words, 255, 2, number) for number, words in enumerate(("un ", "deux"), 1)]
        receive(box, first[2], other[1], first[2], first[0], first[0], other[0], first[1])
        assert sorted(await until_inbox(box, 2)) == ["one two three", "un deux"]


async def test_story_25_a_missing_part_outlives_a_restart_and_is_shown_as_missing(tmp_path):
    async with emulated(tmp_path / "tty", modems=1) as bank:
        async with running(bank, tmp_path / "data", timings=CALM) as box:
            receive(box, part("begins ", 9, 3, 1), part(" ends", 9, 3, 3), text("marker"))
            assert await until_inbox(box, 1) == ["marker"]
            await box.until(lambda: not bank.modems[0].stores["ME"].slots)
        async with running(bank, tmp_path / "data", timings=CALM) as box:
            assert await until_inbox(box, 1) == ["marker"]
            box.clock.ahead_s += 31 * 60
            await box.daemon.box.receiving.sweep()
            await until_inbox(box, 2)
            shown = (await box.inbox())[0]
            assert (shown["parts"], shown["missing"]) == (3, [2])
            assert shown["text"].startswith("begins ")
            assert shown["text"].endswith(" ends")


async def test_story_25_the_last_part_comes_after_a_restart(tmp_path):
    async with emulated(tmp_path / "tty", modems=1) as bank:
        async with running(bank, tmp_path / "data", timings=CALM) as box:
            receive(box, part("half ", 7, 2, 1), text("marker"))
            await until_inbox(box, 1)
        async with running(bank, tmp_path / "data", timings=CALM) as box:
            receive(box, part("whole", 7, 2, 2))
            assert await until_inbox(box, 2) == ["marker", "half whole"]


@pytest.mark.parametrize(("total", "number"), [(0, 0), (0, 1), (3, 0), (2, 3), (1, 1)])
async def test_story_25_impossible_counts_lose_no_text(tmp_path, total, number):
    async with box_on(tmp_path, timings=CALM, modems=1) as box:
        receive(box, part("alone", 1, total, number))
        assert await until_inbox(box, 1) == ["alone"]


async def test_story_25_two_hundred_and_fifty_five_parts(tmp_path):
    async with box_on(tmp_path, timings=CALM, modems=1) as box:
        receive(box, *(part(f"[{number}]", 3, 255, number) for number in range(255, 0, -1)))
        assert await until_inbox(box, 1) == ["".join(f"[{number}]" for number in range(1, 256))]


# -- 26: what is no ordinary text

STRANGE = {
    "empty": text(""),
    "one letter": text("x"),
    "flash": text("now", dcs=0x10),
    "class of no meaning": text("odd", dcs=0xB5),
    "binary": binary(bytes(range(64))),
    "port": binary(b"\x01\x02", header=b"\x05\x04\x15\x81\x00\x00"),
    "WAP push": binary(b"\x01\x06\x03\xae\x81\xea", header=b"\x05\x04\x0b\x84\x23\xf0"),
    "MMS notification": binary(b"\x8c\x82\x98abc\x00\x8d\x90", header=b"\x05\x04\x0b\x84\x23\xf0"),
    "message waiting": text("voice mail", dcs=0xC8),
    "silent": text("", pid=0x40),
    "SIM download": binary(b"\x02\x70\x00", pid=0x7F, dcs=0xF6),
    "compressed": binary(b"\x12\x34", dcs=0x20),
    "bad moment": text("timeless", moment="FFFFFFFFFFFFFF"),
    "header longer than data": deliver("FF0102", 3, dcs=4, header=True),
    "length beyond the data": deliver("C8", 120),
    "half a surrogate": wide("\ud83d"),
    "odd UCS-2": deliver("00410042FF", 5, dcs=8),
}


async def test_story_26_strange_messages_are_kept_and_poison_nothing(tmp_path):
    async with box_on(tmp_path, timings=CALM, modems=1, sim_slots=50) as box:
        for pdu in STRANGE.values():
            receive(box, pdu, text("and on"))
        await box.until(lambda: _marked(box, len(STRANGE)))
        items = (await box.client.get("/api/v1/inbox?limit=200")).json()["items"]
        rows = await box.app.store.fetch_one("SELECT count(*) FROM inbound_pdus")
        assert rows == (2 * len(STRANGE),)
        kinds = {item["kind"] for item in items}
        assert {"text", "flash", "binary"} <= kinds, kinds
        await box.until(lambda: not box.bank.modems[0].stores["ME"].slots)
        assert (await modems(box))["slot-01"]["recovery"] == []


async def _marked(box, count):
    items = (await box.client.get("/api/v1/inbox?limit=200")).json()["items"]
    return sum(item["text"] == "and on" for item in items) == count


HOSTILE_NAMES = ["A\rAT+CFUN=0", "B\nOK\r", '"};DROP', "<b>&amp;", "C\x1bD", "\r\n\r\n", "%s{0}$x"]
HOSTILE_TEXTS = [
    "\u0000nul",
    "\u202egnp.exe",
    "line\r\nbreak",
    '{"event":"forged"}\n{"event":"x"}',
    "\x1b[2J",
    "\u2028",
]


async def test_story_26_hostile_senders_and_texts_reach_json_and_logs_safely(tmp_path, capfd):
    async with box_on(tmp_path, timings=CALM, modems=1) as box:
        receive(box, *(text("from a name", sender=named(name)) for name in HOSTILE_NAMES))
        receive(box, *(wide(words) for words in HOSTILE_TEXTS))
        count = len(HOSTILE_NAMES) + len(HOSTILE_TEXTS)
        await until_inbox(box, count)
        raw = (await box.client.get("/api/v1/inbox")).text
        items = json.loads(raw)["items"]
        for item in items:
            assert item["from"].isprintable(), item
            assert not set(item["text"]) & set("\x00\x1b"), item
        assert [item["text"] for item in reversed(items)][-3] == HOSTILE_TEXTS[-3]
        sent = await box.send("+19990000001")
        await box.until_status(sent["id"], "delivered")
        assert box.bank.modems[0].radio.functionality == 1
    logged = "".join(capfd.readouterr())
    for secret in ("from a name", "gnp.exe", "forged", "AT+CFUN", "DROP"):
        assert secret not in logged


async def test_story_26_raw_garbage_instead_of_a_pdu_is_put_aside(tmp_path):
    async with box_on(tmp_path, timings=CALM, modems=1) as box:
        receive(box, text("cut short")[:-6], "07915155990900F0" + "FF" * 30, text("and on"))
        assert await until_inbox(box, 2) == ["cut s", "and on"]  # what there is of a text is shown
        (quarantined,) = await box.app.store.fetch_one("SELECT count(*) FROM quarantine")
        assert quarantined == 1
