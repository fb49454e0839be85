"""Who is it, and which SIM is in it: every vendor's way to say so."""

from __future__ import annotations

import pytest

from fakes.talks import answering, talking
from modembank.modem import Feature, Has
from modembank.modem.identity import identify_modem, read_iccid, read_sim
from modembank.modem.quirks import GENERIC, quirks_for

ERROR = ("ERROR",)
DEAF = {"AT+CCID": ERROR}
ICCID = "8944500001020304056"


@pytest.mark.parametrize(
    ("maker", "model", "firmware", "seen"),
    [
        (("Quectel",), ("EC25",), ("EC25EFAR06A03M4G",), ("Quectel", "EC25", "EC25EFAR06A03M4G")),
        (("+CGMI: Telit",), ("+CGMM: LE910",), ("+CGMR: 20.00.522",), ("Telit", "LE910", "20.00.522")),
        (('+CGMI: "ZTE CORPORATION"',), ('"MF190"',), ("BD_1.0",), ("ZTE CORPORATION", "MF190", "BD_1.0")),
        (("Sierra Wireless",), ("MC7455",), ("SWI9X30C",), ("Sierra Wireless", "MC7455", "SWI9X30C")),
        ((), (), (), ("", "", "")),
    ],
)  # fmt: skip
async def test_names_bare_prefixed_or_quoted(
    maker: tuple[str, ...], model: tuple[str, ...], firmware: tuple[str, ...], seen: tuple[str, ...]
) -> None:
    answers = {"AT+CGMI": (*maker, "OK"), "AT+CGMM": (*model, "OK"), "AT+CGMR": (*firmware, "OK")}
    async with talking(answering(answers)) as talk:
        who = await identify_modem(talk.dialogue)
        assert (who.manufacturer, who.model, who.firmware) == seen
        assert who.imei == "356938035643809"
        assert talk.findings[Feature.IDENTITY].has is (Has.YES if any(seen) else Has.NO)


async def test_hostile_names_are_cut_and_cleaned() -> None:
    async with talking(answering({"AT+CGMI": ("x" * 300, "OK"), "AT+CGMM": ("bad\x07\xffname", "OK")})) as talk:
        who = await identify_modem(talk.dialogue)
        assert who.manufacturer == "x" * 64
        assert who.model == "badname"


@pytest.mark.parametrize("said", [ERROR, ("no number", "OK"), ("OK",), ("+CME ERROR: 100",)])
async def test_a_modem_without_a_serial_number(said: tuple[str, ...]) -> None:
    async with talking(answering({"AT+CGSN": said})) as talk:
        assert (await identify_modem(talk.dialogue)).imei == ""
        assert talk.findings[Feature.IMEI].has is Has.NO


@pytest.mark.parametrize(
    ("maker", "command", "said"),
    [
        ("huawei", "AT^ICCID?", f"^ICCID: {ICCID}F"),
        ("Quectel", "AT+QCCID", f"+QCCID: {ICCID}F"),
        ("SIMCOM", "AT+CICCID", f"+ICCID: {ICCID}"),
        ("Telit", "AT#CCID", f"#CCID: {ICCID}"),
        ("Sierra", "AT!ICCID?", f"!ICCID: {ICCID}"),
        ("ZTE", "AT+CCID", f'+CCID: "{ICCID}"'),
        ("", "AT+CCID", ICCID),
        ("", "AT+ICCID", f"ICCID: {ICCID}"),
        ("u-blox", "AT+CCID", f"+CCID: {ICCID}"),
    ],
)
async def test_each_vendors_way_to_the_card_number(maker: str, command: str, said: str) -> None:
    async with talking(answering({"AT+CCID": ERROR, command: (said, "OK")})) as talk:
        quirks = quirks_for(maker, "")
        assert await read_iccid(talk.dialogue, quirks) == ICCID
        assert talk.findings[Feature.ICCID].evidence.startswith(command)
        if quirks is not GENERIC and quirks.card_number != GENERIC.card_number:
            assert talk.modem.heard == [command]  # its own way comes first


async def test_the_card_number_from_the_file_itself() -> None:
    """EF_ICCID holds the digits with their nibbles swapped (ETSI TS 102 221 13.2)."""
    answers = {"AT+CCID": ERROR, "AT+CRSM=176,12258,0,0,10": ('+CRSM: 144,0,"984405000010203040F5"', "OK")}
    async with talking(answering(answers)) as talk:
        assert await read_iccid(talk.dialogue, GENERIC) == "8944500000010203045"
        assert talk.findings[Feature.ICCID].has is Has.YES


@pytest.mark.parametrize("said", [("+CRSM: 106,130", "OK"), ERROR, ("OK",), ('+CRSM: 144,0,""', "OK")])
async def test_a_card_that_tells_no_number(said: tuple[str, ...]) -> None:
    async with talking(answering({"AT+CCID": ERROR, "AT+CRSM=176,12258,0,0,10": said})) as talk:
        assert await read_iccid(talk.dialogue, GENERIC) is None
        assert talk.findings[Feature.ICCID].has is Has.NO
        assert "+CRSM" in talk.findings[Feature.ICCID].evidence


@pytest.mark.parametrize(
    ("said", "number"),
    [
        (('+CNUM: "","+15551234567",145', "OK"), "+15551234567"),
        (('+CNUM: ,"+15551234567",145', "OK"), "+15551234567"),
        (("OK",), None),
        (ERROR, None),
        (("+CME ERROR: 4",), None),
    ],
)
async def test_its_own_number_if_it_knows_it(said: tuple[str, ...], number: str | None) -> None:
    async with talking(answering({"AT+CNUM": said})) as talk:
        sim = await read_sim(talk.dialogue, ICCID)
        assert (sim.iccid, sim.imsi, sim.msisdn) == (ICCID, "234150999999999", number)
        assert talk.findings[Feature.MSISDN].has is (Has.YES if number else Has.NO)


async def test_a_sim_that_loads_is_asked_for_its_imsi_again() -> None:
    async with talking(answering({"AT+CIMI": [("+CME ERROR: 14",), ("234150999999999", "OK")]})) as talk:
        assert (await read_sim(talk.dialogue, None)).imsi == "234150999999999"


async def test_a_network_code_is_no_imsi() -> None:
    async with talking(answering({"AT+CIMI": ("RING", "12", "OK")})) as talk:
        assert (await read_sim(talk.dialogue, None)).imsi is None
        assert talk.findings[Feature.IMSI].has is Has.NO
