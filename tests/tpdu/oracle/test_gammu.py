"""Our PDUs as gammu reads them, and gammu's as we do (through the system's Python, in one run each)."""

import json
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from modembank.tpdu import (
    Alphabet,
    Concat,
    DeliverTpdu,
    ReportClass,
    StatusReportTpdu,
    SubmitTpdu,
    Tpdu,
    decode_pdu,
    encode_pdu,
)
from tpdu.oracle import corpus

pytestmark = pytest.mark.oracle

ESCAPE = 0x1B
SYSTEM_PYTHON = Path("/usr/bin/python3")
MISSING = "python3-gammu is missing: apt-get install tshark python3-gammu"
DECODE = """
import json, sys, gammu
def plain(value):
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if hasattr(value, "isoformat") else value
for line in sys.stdin:
    try:
        seen = gammu.DecodePDU(bytes.fromhex(line), True)
        seen["UDH"] = {key: plain(value) for key, value in seen["UDH"].items()}
        seen = {key: plain(value) for key, value in seen.items()}
    except Exception as error:
        seen = {"error": repr(error)}
    print(json.dumps(seen))
"""
ENCODE = """
import datetime, json, sys, gammu
for line in sys.stdin:
    wanted = json.loads(line)
    sms = {
        "Number": wanted["number"], "Text": wanted["text"], "Coding": wanted["coding"], "Class": -1, "Type": "Submit",
        "SMSC": {"Location": 0, "Number": "", "Name": "", "Format": "Text", "Validity": wanted["validity"],
                 "DefaultNumber": ""},
        "UDH": {"Type": "NoUDH", "Text": b"", "ID8bit": 0, "ID16bit": 0, "PartNumber": -1, "AllParts": 0},
        "Folder": 2, "InboxFolder": 0, "Memory": "ME", "Location": 0, "Name": "", "State": "UnSent",
        "DateTime": None, "SMSCDateTime": None, "DeliveryStatus": 0, "ReplyViaSameSMSC": 0,
        "MessageReference": 0, "ReplaceMessage": 0, "RejectDuplicates": 0,
    }
    print(json.dumps(gammu.EncodePDU(sms, "Submit").hex()))
"""


def run_gammu(script: str, lines: list[str]) -> list[Any]:
    if not SYSTEM_PYTHON.exists() or subprocess.run([SYSTEM_PYTHON, "-c", "import gammu"], check=False).returncode:
        pytest.fail(MISSING, pytrace=False)
    run = subprocess.run(
        [SYSTEM_PYTHON, "-c", script], input="\n".join(lines), capture_output=True, text=True, check=False, timeout=100
    )
    assert run.returncode == 0, run.stderr
    answers = [json.loads(line) for line in run.stdout.splitlines()]
    assert len(answers) == len(lines)
    return answers


def ask_about(tpdus: list[Any]) -> list[tuple[Any, dict[str, Any]]]:
    return list(zip(tpdus, run_gammu(DECODE, [encode_pdu(tpdu)[0] for tpdu in tpdus]), strict=True))


def check_user_data(tpdu: SubmitTpdu | DeliverTpdu, seen: dict[str, Any]) -> None:
    data = tpdu.user_data
    if data.text is not None:
        # The binding copies one character for each septet, so behind a text with escapes it appends stray memory.
        escapes = data.payload.count(ESCAPE) if data.alphabet is Alphabet.GSM7 else 0
        assert seen["Text"][: len(data.text)] == data.text
        assert len(seen["Text"]) <= len(data.text) + escapes
    coding = {"gsm7": "Default_No_Compression", "ucs2": "Unicode_No_Compression", "octet": "8bit"}[data.alphabet]
    assert seen["Coding"] == coding
    assert seen["Class"] == (-1 if tpdu.dcs.message_class is None else tpdu.dcs.message_class)
    assert seen["UDH"]["Text"] == (data.udh.encode().hex() if data.udh else "")
    if data.concat is not None and data.udh is not None and data.udh.ports is None:
        udh, place = seen["UDH"], data.concat
        assert (udh["AllParts"], udh["PartNumber"]) == (place.total, place.sequence)
        assert udh["ID16bit" if place.wide else "ID8bit"] == place.reference


def test_submits() -> None:
    for tpdu, seen in ask_about(corpus.submits()):
        assert seen["Type"] == "Submit"
        assert seen["Number"] == tpdu.destination.number
        check_user_data(tpdu, seen)


def test_delivers() -> None:
    for tpdu, seen in ask_about(corpus.delivers()):
        assert seen["Type"] == "Deliver"
        assert seen["Number"] == tpdu.originator.number
        assert local(tpdu) == datetime.fromisoformat(seen["DateTime"])
        check_user_data(tpdu, seen)


def test_status_reports() -> None:
    for tpdu, seen in ask_about(corpus.reports()):
        assert seen["Type"] == "Status_Report"
        assert seen["Number"] == tpdu.recipient.number
        assert seen["DeliveryStatus"] == tpdu.status.value
        assert seen["MessageReference"] == tpdu.reference
        assert local(tpdu) == datetime.fromisoformat(seen["DateTime"])
        if not tpdu.status.is_reserved and tpdu.status.value & 0x10 == 0:
            words = {ReportClass.DELIVERED: "Delivered", ReportClass.PENDING: "Pending", ReportClass.FAILED: "Failed"}
            assert seen["Text"] == words[tpdu.status.report_class]


def local(tpdu: DeliverTpdu | StatusReportTpdu) -> datetime:
    """gammu gives the local time as written, without its zone."""
    moment = tpdu.timestamp.moment
    assert moment is not None
    return moment.replace(tzinfo=None)


def test_published_pdus() -> None:
    file = Path(__file__).parents[2] / "vectors" / "tpdu.tsv"
    rows = [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines() if line[:1] not in {"", "#"}]
    answers = run_gammu(DECODE, [row[3] for row in rows])
    for (direction, number, text, pdu, source), seen in zip(rows, answers, strict=True):
        tpdu: Tpdu = decode_pdu(pdu, direction="outbound" if direction == "outbound" else "inbound").tpdu
        assert seen["Number"] == number, source
        if not isinstance(tpdu, StatusReportTpdu):
            assert seen["Text"] == json.loads(text), source


@pytest.mark.parametrize("coding", ["Default_No_Compression", "Unicode_No_Compression"])
def test_what_gammu_writes(coding: str) -> None:
    texts = ["hello", "1234567", "[€] ~ {x}", "@£$¥èéùìòÇØøÅå", "x" * 160, "1234567@"]
    if coding.startswith("Unicode"):
        texts = ["привет", "您好", "naïve", "x" * 70]
    wanted = [
        {"number": number, "text": text, "coding": coding, "validity": validity}
        for text in texts
        for number in ("+47123456789", "12345", "+491711234567")
        for validity in ("Max", "60M", "24H", "7D", "5W")
    ]
    for asked, written in zip(wanted, run_gammu(ENCODE, [json.dumps(item) for item in wanted]), strict=True):
        tpdu = decode_pdu(written, direction="outbound").tpdu
        assert isinstance(tpdu, SubmitTpdu)
        assert tpdu.destination.number == asked["number"]
        assert tpdu.user_data.text == asked["text"]
        assert tpdu.validity is not None
        assert tpdu.validity.duration is not None
        assert tpdu.user_data.concat is None or isinstance(tpdu.user_data.concat, Concat)
        assert tpdu.encode() == bytes.fromhex(written)[-len(tpdu.encode()) :]
