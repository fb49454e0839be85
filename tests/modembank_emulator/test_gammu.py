"""Debian's gammu against the emulated bank, and its codec against ours: neither knows the other."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from modembank_emulator import EmulatedModem, alphabet
from modembank_emulator import pdu as tpdu

MakeBank = Callable[..., Awaitable[Any]]
HINT = "gammu is missing: apt-get install gammu python3-gammu smstools"
pytestmark = pytest.mark.peer
LONG = "A long text with € and {braces}, " * 8


def needed(program: str) -> str:
    found = shutil.which(program, path="/usr/bin:/usr/sbin:/bin:/sbin")
    assert found is not None, HINT
    return found


async def run(*arguments: str, stdin: bytes | None = None) -> str:
    process = await asyncio.create_subprocess_exec(
        *arguments,
        stdin=asyncio.subprocess.PIPE if stdin is not None else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
    )
    output, _ = await process.communicate(stdin)
    assert process.returncode == 0, output.decode()
    return output.decode()


async def gammu(modem: EmulatedModem, folder: Path, *arguments: str) -> str:
    program = needed("gammu")
    config = folder / f"gammu-{modem.index}"
    config.write_text(f"[gammu]\ndevice = {modem.path}\nconnection = at115200\n")
    return await run(program, "-c", str(config), *arguments)


async def test_gammu_identifies_sends_and_reads(make_bank: MakeBank, tmp_path: Path) -> None:
    """Four dialects at once: gammu mostly waits."""
    bank = await make_bank(dialect="mixed", modems=4)
    recipient = bank.new_card()
    bank.network.plan_reports(recipient.msisdn, "never")
    await asyncio.gather(*(converse(bank, modem, recipient.msisdn, tmp_path) for modem in bank.modems))
    assert len(bank.network.ledger) == 4 * 3
    assert len(recipient.waiting) == 4 * 3


async def converse(bank: Any, modem: EmulatedModem, recipient: str, folder: Path) -> None:
    assert modem.sim is not None
    shown = await gammu(modem, folder, "identify")
    for fact in (modem.imei, modem.sim.imsi, modem.caps.firmware):
        assert fact in shown, modem.caps.name

    await gammu(modem, folder, "sendsms", "TEXT", recipient, "-text", "One € {part}")
    await gammu(modem, folder, "sendsms", "TEXT", recipient, "-autolen", "400", "-text", LONG)
    sent = [seen for seen in bank.network.ledger if seen.imsi == modem.sim.imsi]
    assert sent[0].text == "One € {part}", modem.caps.name
    assert [seen.concat.sequence for seen in sent[1:]] == [1, 2]
    assert "".join(seen.text or "" for seen in sent[1:]) == LONG, modem.caps.name

    bank.network.inject(modem.sim.msisdn, "short one", "+15551112222")
    bank.network.inject(modem.sim.msisdn, "Grüße " * 40, "+15553334444", order=[2, 1])
    bank.network.inject(modem.sim.msisdn, "ж" * 90, "Shop")
    shown = await gammu(modem, folder, "getallsms")
    assert shown.count("SMS message") == 5, modem.caps.name
    shown = await gammu(modem, folder, "geteachsms")
    for fact in ("short one", "Grüße " * 40, "ж" * 90, '"Shop"'):
        assert fact in shown, modem.caps.name


async def test_gammu_reads_one_slot_and_deletes_it(make_bank: MakeBank, tmp_path: Path) -> None:
    bank = await make_bank()
    modem = bank.modems[0]
    bank.network.inject(modem.sim.msisdn, "only this", "+15551112222")
    assert "only this" in await gammu(modem, tmp_path, "getsms", "1", "1")
    await gammu(modem, tmp_path, "deletesms", "1", "1")
    assert modem.sim.store.slots == {}


async def test_a_message_sent_by_gammu_is_read_by_gammu_at_the_other_end(make_bank: MakeBank, tmp_path: Path) -> None:
    bank = await make_bank(dialect="generic")
    sender, recipient = bank.modems
    text = "Привет, мир! " * 12
    await gammu(sender, tmp_path, "sendsms", "TEXT", recipient.sim.msisdn, "-unicode", "-autolen", "400", "-text", text)
    shown = await gammu(recipient, tmp_path, "geteachsms")
    assert text.strip() in shown
    assert sender.sim.msisdn in shown


DECODER = """
import json, sys, gammu
for line in sys.stdin:
    case = json.loads(line)
    m = gammu.DecodePDU(bytes.fromhex(case["pdu"]))
    dt = m.get("DateTime")
    print(json.dumps({
        "number": m["Number"], "text": m["Text"] if isinstance(m["Text"], str) else None, "smsc": m["SMSC"]["Number"],
        "coding": m["Coding"], "reference": m.get("MessageReference"), "type": m["Type"],
        "status": m.get("DeliveryStatus"), "at": dt.isoformat() if dt else None,
        "parts": [m["UDH"]["ID8bit"], m["UDH"]["ID16bit"], m["UDH"]["AllParts"], m["UDH"]["PartNumber"]],
    }))
"""

NO_HEADER = [0, 0, 0, -1]  # what python3-gammu shows without a header
TEXTS = [
    "a",
    "1234567",
    "12345678",
    "@" * 8,
    "x" * 160,
    "€" * 80,
    "[]{}\\^~|",
    "Größe ÆØÅ æøå Ñ ñ ¿¡",
    "ΔΦΓΛΩΠΨΣΘΞ",
    "line\nbreak",
    "Привет",
    "日本語" * 20,
    "x" * 161,
    "y" * 459,
    "ж" * 134,
]


async def decoded(pdus: list[str]) -> list[dict[str, Any]]:
    needed("gammu")
    lines = "".join(json.dumps({"pdu": pdu}) + "\n" for pdu in pdus)
    shown = await run("/usr/bin/python3", "-c", DECODER, stdin=lines.encode())
    return [json.loads(line) for line in shown.splitlines()]


async def test_python3_gammu_reads_our_delivers(make_bank: MakeBank) -> None:
    bank = await make_bank(sim_slots=200)
    expected = []
    pdus: list[str] = []
    for wide in (False, True):
        for text in TEXTS:
            parts = tpdu.split_text(text, wide=wide)
            sent = bank.network.inject(bank.cards[0].msisdn, text, "+491701234567", wide=wide, reference=77)
            assert len(sent) == len(parts)
            pdus += sent
            for number, part in enumerate(parts, 1):
                several = len(parts) > 1
                reference = [-1 if wide else 77, 77 if wide else -1]
                expected.append((part, [*reference, len(parts), number] if several else NO_HEADER))
    read = await decoded(pdus)
    # python3-gammu counts an escape pair twice and adds as many characters of chance after the text.
    for message, (text, _) in zip(read, expected, strict=True):
        extra = len(alphabet.to_septets(text)) - len(text) if alphabet.fits(text) else 0
        assert message["text"][: len(text)] == text
        assert len(message["text"]) <= len(text) + extra
    assert [message["parts"] for message in read] == [parts for _, parts in expected]
    assert {message["number"] for message in read} == {"+491701234567"}
    assert {message["smsc"] for message in read} == {"+15559990000"}
    assert {message["type"] for message in read} == {"Deliver"}


async def test_python3_gammu_reads_our_names_and_reports(make_bank: MakeBank) -> None:
    at = datetime(2026, 2, 28, 23, 59, 58, tzinfo=UTC)
    names = ["A", "Shop", "Sender1", "TwelveChars"]
    delivers = [tpdu.encode_deliver("", name, tpdu.encode_user_data("x"), at).hex() for name in names]
    read = await decoded(delivers)
    assert [message["number"] for message in read] == names
    assert {message["at"] for message in read} == {"2026-02-28T23:59:58"}
    reports = [
        tpdu.encode_report("+15559990000", 200 + n, "+491701234567", at, at + timedelta(seconds=5), status=status).hex()
        for n, status in enumerate((0x00, 0x30, 0x46))
    ]
    read = await decoded(reports)
    assert {message["type"] for message in read} == {"Status_Report"}
    assert [message["status"] for message in read] == [0x00, 0x30, 0x46]
    assert [message["reference"] for message in read] == [200, 201, 202]
    assert {message["number"] for message in read} == {"+491701234567"}


ENCODER = """
import json, sys, gammu
for line in sys.stdin:
    case = json.loads(line)
    entry = {"ID": "ConcatenatedTextLong", "Buffer": case["text"]}
    info = {"Class": -1, "Unicode": case["unicode"], "Entries": [entry]}
    parts = gammu.EncodeSMS(info)
    out = []
    for part in parts:
        part["Number"] = case["to"]
        part["SMSC"] = {"Number": "+15559990000"}
        part["Type"] = "Status_Report" if case["report"] else "Submit"
        out.append(gammu.EncodePDU(part, "Submit").hex())
    print(json.dumps(out))
"""


async def test_we_read_submits_of_python3_gammu() -> None:
    needed("gammu")
    cases = [
        {"text": text, "to": to, "unicode": any(ord(char) > 0x3FF for char in text), "report": report}
        for text in TEXTS
        for to, report in (("+491701234567", False), ("12345", True))
        if "\n" not in text
    ]
    lines = "".join(json.dumps(case) + "\n" for case in cases)
    shown = await run("/usr/bin/python3", "-c", ENCODER, stdin=lines.encode())
    for case, line in zip(cases, shown.splitlines(), strict=True):
        parts = [tpdu.decode_submit(bytes.fromhex(pdu)) for pdu in json.loads(line)]
        assert "".join(part.data.text() or "" for part in parts) == case["text"]
        assert {part.destination for part in parts} == {case["to"]}
        assert [part.wants_report for part in parts] == [case["report"]] * len(parts)
        if len(parts) > 1:
            concats = [part.data.concat() for part in parts]
            assert [concat.sequence for concat in concats if concat] == list(range(1, len(parts) + 1))
