"""A bank in a process of its own, driven over its socket."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from modembank_emulator import Bank, BankConfig, ControlClient, ControlError, ControlServer, RunningBank, spawn_bank
from modembank_emulator.control import STANDING, VERBS


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[RunningBank]:
    async with spawn_bank(tmp_path, "--modems", "4", "--seed", "3", "--dialect", "generic") as bank:
        yield bank


def talk(path: Path, *chunks: bytes) -> bytes:
    """Blocking conversation, as a simple program would have it."""
    fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
    try:
        answer = b""
        for chunk in chunks:
            os.write(fd, chunk)
            while re.search(rb"(OK|ERROR[^\r]*)\r\n|> $", answer) is None:
                answer += os.read(fd, 4096)
            if chunk is not chunks[-1]:
                answer = b""
        return answer
    finally:
        os.close(fd)


PDU = b"0021000C919471103254760000" + b"05E8329BFD06"


async def test_ready_line_names_every_modem(running: RunningBank) -> None:
    modems = running.ready["modems"]
    assert [modem["index"] for modem in modems] == [0, 1, 2, 3]
    assert [modem["msisdn"] for modem in modems] == [f"+1555000000{number}" for number in (1, 2, 3, 4)]
    assert [str(path.resolve()) for path in running.paths] == [modem["pts"] for modem in modems]
    assert modems[0]["path"].endswith("modem-00")


async def test_send_and_read_the_ledgers(running: RunningBank) -> None:
    control = running.control
    await control.plan_reports("+491701234567", "failed")
    path = running.paths[0]
    await asyncio.to_thread(talk, path, b"ATE0\r", b"AT+CNMI=2,1,0,1,0\r")
    answer = await asyncio.to_thread(talk, path, b"AT+CMGS=18\r", PDU + b"\x1a")
    assert b"+CMGS: 0" in answer
    (seen,) = await control.ledger()
    assert (seen["mr"], seen["text"], seen["outcome"], seen["concat"]) == (0, "hello", "accepted", None)
    assert await control.ledger("outside") == [seen]
    assert await control.ledger(since=1) == []
    (report,) = await control.ledger("reports")
    assert (report["mr"], report["status"], report["where"]) == (0, 0x42, "direct")
    stats = await control.stats()
    assert (stats["submits"], stats["accepted"], stats["reports"]) == (1, 1, 1)
    assert stats["modems"][0]["cmgs_count"] == 1
    await control.clear()
    assert await control.ledger() == []


async def test_inject_and_read(running: RunningBank) -> None:
    (pdu,) = await running.control.inject("+15550000002", "hello", from_="Shop")
    answer = await asyncio.to_thread(talk, running.paths[1], b"ATE0\r", b"AT+CMGL=4\r")
    assert pdu.encode() in answer
    (seen,) = await running.control.ledger("inbound")
    assert (seen["sender"], seen["text"], seen["where"]) == ("Shop", "hello", "SM")
    parts = await running.control.inject("+15550000002", "x" * 200, order=[2, 1])
    assert len(parts) == 2


async def test_faults_cells_and_plugs(running: RunningBank) -> None:
    control = running.control
    await asyncio.to_thread(talk, running.paths[0], b"ATE0\r")
    await control.fault(0, "cms_error", code=500)
    answer = await asyncio.to_thread(talk, running.paths[0], b"AT+CMGS=18\r", PDU + b"\x1a")
    assert b"+CMS ERROR: 500" in answer
    await control.refuse("+491701234567", 30)
    answer = await asyncio.to_thread(talk, running.paths[0], b"AT+CMGS=18\r", PDU + b"\x1a")
    assert b"+CMS ERROR: 30" in answer
    await control.cell(False, [0, 1])
    stats = await control.stats()
    assert [modem["stat"] for modem in stats["modems"]] == [2, 2, 1, 1]
    await control.cell(True)
    before = (await control.stats())["modems"][3]
    await control.unplug(3)
    assert (await control.stats())["modems"][3]["pts"] is None
    after = await control.replug(3, sim="new")
    assert after["pts"] != before["pts"]
    assert after["iccid"] != before["iccid"]
    moved = await control.replug(2, sim=0)
    assert moved["msisdn"] == "+15550000001"
    await control.advance(60)


@pytest.mark.parametrize(
    ("kind", "details"),
    [
        ("mute", {"urcs": True}),
        ("mute", {"ends_with": "power", "lasts_s": 20}),
        ("jam", {}),
        ("noise", {"chance": 0.1, "what": "urc"}),
        ("noise", {"chance": 0.1, "what": "nuls"}),
        ("noise", {"chance": 0.1, "what": "flood"}),
        ("noise", {"chance": 0.1, "what": "c0ffee"}),
        ("pace", {"size": 1, "interval": 0.001}),
        ("stop_reading", {}),
        ("resume_reading", {}),
        ("reset", {"reenumerate": True}),
        ("registration", {"stat": 3}),
        ("remove_sim", {"code": 13}),
        ("pin", {"pin": "1234"}),
        ("credit", {"credit": False}),
        ("smsc", {"smsc": ""}),
        ("clear", {}),
    ],
)
async def test_every_standing_fault_can_be_set(running: RunningBank, kind: str, details: dict[str, object]) -> None:
    assert kind in STANDING
    await running.control.fault(1, kind, **details)
    assert len((await running.control.stats())["modems"]) == 4


@pytest.mark.parametrize(
    ("op", "details"),
    [
        ("nonsense", {}),
        ("fault", {"modem": 99, "kind": "hang"}),
        ("fault", {"modem": 0, "kind": "explode"}),
        ("fault", {"modem": 0, "kind": "hang", "colour": "red"}),
        ("inject", {"to": "+999"}),
        ("ledger", {"which": "cards"}),
        ("plan", {"number": "+1", "plan": "perhaps"}),
        ("cell", {}),
    ],
)
async def test_bad_requests_are_refused_and_the_bank_lives(
    running: RunningBank, op: str, details: dict[str, object]
) -> None:
    with pytest.raises(ControlError):
        await running.control.request(op, **details)
    assert (await running.control.stats())["submits"] == 0


async def test_lines_that_are_no_json_are_refused(tmp_path: Path) -> None:
    async with Bank(BankConfig(modems=1)) as bank, ControlServer(bank, tmp_path / "s"):
        reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
        writer.write(b'hello\n[1]\n{"op": "stats"}\n')
        answers = [json.loads(await reader.readline()) for _ in range(3)]
        assert [answer["ok"] for answer in answers] == [False, False, True]
        writer.close()
        await writer.wait_closed()
    assert not (tmp_path / "s").exists()


async def test_a_client_must_be_entered(tmp_path: Path) -> None:
    with pytest.raises(ConnectionError):
        await ControlClient(tmp_path / "s").stats()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    links = tmp_path / "links"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "modembank_emulator", "--modems", "2", "--link-dir", str(links)),
        *("--control", str(tmp_path / "s"), "--latency", "lte", "--dialect", "mixed"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert len(json.loads(await process.stdout.readline())["modems"]) == 2
    process.send_signal(number)
    _, errors = await process.communicate()
    assert (process.returncode, errors) == (0, b"")
    assert list(links.iterdir()) == []
    assert not (tmp_path / "s").exists()


async def test_wrong_arguments_end_with_a_message(tmp_path: Path) -> None:
    with pytest.raises(ControlError):
        async with spawn_bank(tmp_path, "--latency", "fast"):
            pass


def test_every_verb_has_a_way_in() -> None:
    assert set(VERBS) >= {"ledger", "inject", "fault", "unplug", "replug", "cell", "stats"}
