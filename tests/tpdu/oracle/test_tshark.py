"""Our TPDUs as Wireshark's gsm_sms dissector reads them.

Each TPDU travels in an RP-DATA message (3GPP TS 24.011), which tells the dissector its direction, in a capture file of
link type USER0 that is mapped to the gsm_a_rp dissector. All of them are dissected in one run.
"""

import json
import shutil
import struct
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from modembank.tpdu import Address, Alphabet, DeliverTpdu, StatusReportTpdu, SubmitTpdu, Tpdu, ValidityFormat
from tpdu.oracle import corpus

pytestmark = pytest.mark.oracle

LINK_TYPE_USER0 = 147
USER0_IS_RP = 'uat:user_dlts:"User 0 (DLT=147)","gsm_a_rp","0","","0",""'
CENTRE = bytes((0x02, 0x91, 0x21))

Fields = dict[str, list[str]]


@pytest.fixture(scope="module")
def tshark() -> str:
    path = shutil.which("tshark")
    if path is None:
        pytest.fail("tshark is missing: apt-get install tshark python3-gammu", pytrace=False)
    return path


def dissect(tshark: str, folder: Path, tpdus: Sequence[Tpdu]) -> list[Fields]:
    capture = folder / "tpdus.pcap"
    capture.write_bytes(pcap([rp_data(tpdu) for tpdu in tpdus]))
    run = subprocess.run(
        [tshark, "-n", "-o", USER0_IS_RP, "-o", "gsm_sms.reassemble:FALSE", "-r", str(capture), "-T", "json",
         "--no-duplicate-keys"],
        capture_output=True, check=False, timeout=100,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr.decode()
    packets = json.loads(run.stdout)
    assert len(packets) == len(tpdus)
    return [collect(packet["_source"]["layers"]) for packet in packets]


def rp_data(tpdu: Tpdu) -> bytes:
    octets = tpdu.encode()
    to_network = isinstance(tpdu, SubmitTpdu)
    addresses = b"\0" + CENTRE if to_network else CENTRE + b"\0"
    return bytes((0 if to_network else 1, 0)) + addresses + bytes((len(octets),)) + octets


def pcap(packets: Sequence[bytes]) -> bytes:
    header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, LINK_TYPE_USER0)
    return header + b"".join(struct.pack("<IIII", 0, 0, len(packet), len(packet)) + packet for packet in packets)


def collect(layers: dict[str, Any]) -> Fields:
    """Gather every field of the tree by its name."""
    fields: Fields = {}
    for name, value in walk(layers):
        fields.setdefault(name, []).append(value)
    return fields


def walk(node: Any) -> Iterator[tuple[str, str]]:
    if isinstance(node, list):
        for item in node:
            yield from walk(item)
        return
    for name, value in node.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict):
                yield from walk(item)
            else:
                yield name, str(item)


def number(fields: Fields, name: str) -> int:
    return int(fields[f"gsm_sms.{name}"][0], 0)


def check_common(fields: Fields, tpdu: SubmitTpdu | DeliverTpdu, party: Address, party_field: str) -> None:
    data = tpdu.user_data
    assert fields[f"gsm_sms.{party_field}"] == [party.digits]
    assert number(fields, "dis_field_addr.num_type") == party.type
    assert number(fields, "dis_field_addr.num_plan") == party.plan
    assert number(fields, "tp-dcs") == tpdu.dcs.value
    assert number(fields, "tp-pid") == tpdu.pid
    assert number(fields, "tp.user_data_length") == data.encode()[0]
    assert number(fields, "tp-udhi") == (data.udh is not None)
    if data.alphabet is not Alphabet.OCTET:
        assert fields.get("gsm_sms.sms_text", [""]) == [data.text]
    if data.concat is not None:
        place = data.concat
        seen = [number(fields, f"udh.mm.{name}") for name in ("msg_id", "msg_parts", "msg_part")]
        assert seen == [place.reference, place.total, place.sequence]
    assert "_ws.malformed" not in fields


def test_submits(tshark: str, tmp_path: Path) -> None:
    tpdus = corpus.submits()
    for tpdu, fields in zip(tpdus, dissect(tshark, tmp_path, tpdus), strict=True):
        check_common(fields, tpdu, tpdu.destination, "tp-da")
        form = tpdu.validity.format if tpdu.validity else ValidityFormat.NONE
        assert number(fields, "tp-mti") == 1
        assert number(fields, "tp-mr") == 0
        assert number(fields, "tp-vpf") == form
        assert number(fields, "tp-srr") == tpdu.status_report
        assert number(fields, "tp-rd") == tpdu.reject_duplicates


def test_delivers(tshark: str, tmp_path: Path) -> None:
    tpdus = corpus.delivers()
    for tpdu, fields in zip(tpdus, dissect(tshark, tmp_path, tpdus), strict=True):
        check_common(fields, tpdu, tpdu.originator, "tp-oa")
        assert number(fields, "tp-mti") == 0
        assert number(fields, "tp-mms") == (not tpdu.more_messages)
        check_stamp(fields, tpdu, 0)
        ports = tpdu.user_data.udh.ports if tpdu.user_data.udh else None
        if ports is not None:
            assert (number(fields, "destination_port"), number(fields, "originator_port")) == (2948, 9200)


def test_status_reports(tshark: str, tmp_path: Path) -> None:
    tpdus = corpus.reports()
    for tpdu, fields in zip(tpdus, dissect(tshark, tmp_path, tpdus), strict=True):
        assert number(fields, "tp-mti") == 2
        assert number(fields, "tp-mr") == tpdu.reference
        assert fields["gsm_sms.tp-ra"] == [tpdu.recipient.digits]
        block, reason = number(fields, "dis_field.st_error"), number(fields, "dis.field_st_reason")
        assert block << 5 | reason == tpdu.status.value
        check_stamp(fields, tpdu, 0)


def check_stamp(fields: Fields, tpdu: DeliverTpdu | StatusReportTpdu, index: int) -> None:
    moment = tpdu.timestamp.moment
    assert moment is not None
    names = ("year", "month", "day", "hour", "minutes", "seconds")
    seen = [int(fields[f"gsm_sms.scts.{name}"][index]) for name in names]
    assert seen == [moment.year % 100, moment.month, moment.day, moment.hour, moment.minute, moment.second]
