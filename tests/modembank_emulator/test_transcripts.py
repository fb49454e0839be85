"""Whole conversations, byte for byte: what a wire tap on each dialect would show.

In a transcript ">" is the host, "<" the modem; "|" is CR, "/" is LF, "~" is Ctrl-Z, "!" is ESC,
"`" a space at a line end.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from modembank_emulator import DIALECTS, Capabilities

MakeBank = Callable[..., Awaitable[Any]]
Attach = Callable[..., Awaitable[Any]]
BYTES = str.maketrans({"|": "\r", "/": "\n", "~": "\x1a", "!": "\x1b", "`": " "})

QUECTEL = """
> ATE0|
< ATE0||/OK|/
> ATI|
< |/Quectel|/EC25|/Revision: EC25EFAR06A06M4G|/|/OK|/
> AT+CMEE=2|
< |/OK|/
> AT+QCCID|
< |/+QCCID: 8901010000000000017F|/|/OK|/
> AT+QPINC="SC"|
< |/+QPINC: "SC",3,10|/+QPINC: "P2",3,10|/|/OK|/
> AT+QINISTAT|
< |/+QINISTAT: 7|/|/OK|/
> AT+CPMS=?|
< |/+CPMS: ("SM","ME","MT","SR"),("SM","ME"),("SM","ME")|/|/OK|/
> AT+CPMS="ME","ME","ME"|
< |/+CPMS: 0,180,0,180,0,180|/|/OK|/
> AT+CSMS=1|
< |/+CSMS: 1,1,1|/|/OK|/
> AT+CNMI=3,1,0,1,0|
< |/+CMS ERROR: operation not supported|/
> AT+CNMI=2,1,0,1,0|
< |/OK|/
> AT+CNMA|
< |/+CMS ERROR: no +CNMA acknowledgement expected|/
> AT+CMGR=200|
< |/+CMS ERROR: invalid memory index|/
> AT+CMGR=0|
< |/OK|/
> AT+CMMS=2|
< |/OK|/
> AT+CMGS=18|
< |/>`
> !
< |/OK|/
> AT+CMGS=18|
< |/>`
> 0001000C91947110325476000005E8329BFD06~
< |/+CMGS: 0|/|/OK|/
> AT+CRSM=176,28589,0,0,4|
< |/+CRSM: 106,130|/|/OK|/
> AT+CESQ|
< |/+CESQ: 99,99,255,255,20,58|/|/OK|/
> AT^ICCID?|
< |/ERROR|/
"""

HUAWEI = """
> ATE0|
< ATE0||/OK|/
> AT+CMEE=1;+CREG=2|
< |/ERROR|/
> AT+CMEE=1|
< |/OK|/
> AT^ICCID?|
< |/^ICCID: 8901010000000000017F|/|/OK|/
> AT^CPIN?|
< |/^CPIN: READY,3,10,3,10,3|/|/OK|/
> AT^CURC=0|
< |/OK|/
> AT^CURC?|
< |/^CURC: 0|/|/OK|/
> AT+CSMS?|
< |/+CSMS: 1,1,1|/|/OK|/
> AT+CNMI=2,1,0,1,0|
< |/ERROR|/
> AT+CNMI=1,1,0,1,0|
< |/OK|/
> AT+CNMI?|
< |/+CNMI: 1,1,0,1,0|/|/OK|/
> AT+CREG=2|
< |/OK|/
> AT+CREG?|
< |/+CREG: 2,1,"04CA","001DE445"|/|/OK|/
> AT+CEREG?|
< |/ERROR|/
> AT+CESQ|
< |/ERROR|/
> AT+CMGS=18|
< |/>`
> 0001000C91947110325476000005E8329BFD06~
< |/+CMGS: 0|/|/OK|/
> AT+CUSD=1,"*100#",15|
< |/+CME ERROR: 50|/
"""

SIMCOM = """
> ATE0|
< ATE0|||/OK||/
> AT+CGMR|
< ||/+CGMR: A011B07A7670M7_F||/||/OK||/
> AT+CICCID|
< ||/+CICCID: 8901010000000000017||/||/OK||/
> AT+SPIC|
< ||/+SPIC: 3,10,3,10||/||/OK||/
> AT+CNMA|
< ||/ERROR||/
> AT+CNMI=2,1,0,1,0|
< ||/OK||/
> AT+CMGR=0|
< ||/+CMS ERROR: 321||/
> AT+CMGS=18|
< |/>`
> 0001000C91947110325476000005E8329BFD06~
< ||/+CMGS: 0||/||/OK||/
> ATV0|
< 0|
> AT+CSQ|
< +CSQ: 20,99||/0|
"""

GENERIC = """
> AT|
< AT||/OK|/
> ate0v1|
< ate0v1||/OK|/
> AT+CMEE=1;+CREG=1;+CREG?|
< |/+CREG: 1,1|/|/OK|/
> AT+CCID|
< |/+CCID: 8901010000000000017|/|/OK|/
> AT+CRSM=176,12258,0,0,10|
< |/+CRSM: 144,0,"981010000000000010F7"|/|/OK|/
> AT+CPINR|
< |/+CPINR: SIM PIN,3,3|/+CPINR: SIM PUK,10,10|/|/OK|/
> AT+CMGF=?|
< |/+CMGF: (0,1)|/|/OK|/
> AT+CMGF=2|
< |/+CMS ERROR: 303|/
> AT+CMGS=5|
< |/+CMS ERROR: 304|/
> AT+CMGS=18|
< |/>`
> 0001000C91947110325476000005E8329BFD|
> 06~
< |/+CMS ERROR: 304|/
> AT+CSCA="+15551110000",145|
< |/OK|/
> AT+CSCA?|
< |/+CSCA: "+15551110000",145|/|/OK|/
> AT+COPS=3,2|
< |/OK|/
> AT+COPS?|
< |/+COPS: 0,2,"00101",7|/|/OK|/
> ATD*99#|
< |/ERROR|/
> ATH|
< |/OK|/
> AT+CCLK=?|
< |/OK|/
> ATS0=0|
< |/OK|/
> AT&F|
< |/OK|/
"""

POOR = """
> ATE0|
< ATE0||/OK|/
> AT+CMEE=1|
< |/OK|/
> AT+CMMS=2|
< |/ERROR|/
> AT+CSMS=?|
< |/+CSMS: (0)|/|/OK|/
> AT+CSMS=1|
< |/+CMS ERROR: 302|/
> AT+CMGF=1|
< |/+CMS ERROR: 303|/
> AT+CNMI=2,1,0,0,0|
< |/ERROR|/
> AT+CNMI=2,2,0,1,0|
< |/OK|/
> AT+CCID|
< |/ERROR|/
> AT+CIMI|
< |/001010000000001|/|/OK|/
> AT+CMGL=4|
< |/+CMS ERROR: 321|/
> AT+COPS=?|
< |/+CME ERROR: 4|/
> AT+CMGS=19|
< |/>`
> 0011000C919471103254760000AA05E8329BFD06~
< |/+CMS ERROR: 304|/
> AT+CMGS=18|
< |/>`
> 0001000C91947110325476000005E8329BFD06~
< |/+CMGS: 0|/|/OK|/
"""

TRANSCRIPTS = {"quectel": QUECTEL, "huawei": HUAWEI, "simcom": SIMCOM, "generic": GENERIC, "poor": POOR}


async def play(port: Any, transcript: str, sizes: int | None = None) -> None:
    for line in transcript.strip("\n").split("\n"):
        side, octets = line[0], line[2:].translate(BYTES).encode("latin-1")
        if side == ">":
            for start in range(0, len(octets), sizes or len(octets)):
                port.send(octets[start : start + (sizes or len(octets))])
        else:
            answer = await port.until(b"(?s).{%d}" % len(octets))
            assert answer == octets, line
    await port.silent(b"")


def still(name: str) -> Capabilities:
    return DIALECTS[name].but(chatter_chance=0.0)


@pytest.mark.parametrize("name", sorted(TRANSCRIPTS))
async def test_each_dialect_byte_for_byte(make_bank: MakeBank, attach: Attach, name: str) -> None:
    bank = await make_bank(caps=still(name), modems=1)
    port = await attach(bank.modems[0], quiet=False)
    await play(port, TRANSCRIPTS[name])
    assert port.buffer == b""


@pytest.mark.parametrize("name", sorted(TRANSCRIPTS))
@pytest.mark.parametrize("sizes", [1, 2, 7])
async def test_the_host_may_write_in_pieces(make_bank: MakeBank, attach: Attach, name: str, sizes: int) -> None:
    bank = await make_bank(caps=still(name), modems=1)
    port = await attach(bank.modems[0])
    without_echo = "\n".join(
        line for line in TRANSCRIPTS[name].split("\n") if "ATE0" not in line and "ate0" not in line
    )
    await play(port, without_echo.replace("> AT|\n< AT||/OK|/", ""), sizes)


@pytest.mark.parametrize("name", sorted(TRANSCRIPTS))
async def test_a_paced_modem_says_the_same(make_bank: MakeBank, attach: Attach, name: str) -> None:
    bank = await make_bank(caps=still(name), modems=1)
    port = await attach(bank.modems[0], quiet=False)
    bank.modems[0].terminal.pace(3, 0.0)
    await play(port, TRANSCRIPTS[name])
