"""Who the modem and its card are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modembank_emulator import pdu as tpdu
from modembank_emulator.at_line import AtError, CmeError, Op, integers, split_args
from modembank_emulator.commands.registry import Lines, command

if TYPE_CHECKING:
    from modembank_emulator.modem import EmulatedModem

_READ_BINARY = 176
_ICCID_FILE = 0x2FE2  # EF_ICCID (3GPP TS 31.102 4.2.2 and ETSI TS 102 221 13.2)


@command("I")
def everything(modem: EmulatedModem, _op: Op, _args: str) -> Lines:
    """Maker, model, revision in one."""
    caps = modem.caps
    if caps.name == "quectel":
        return [caps.manufacturer, caps.model, f"Revision: {caps.firmware}"]
    labelled = [f"Manufacturer: {caps.manufacturer}", f"Model: {caps.model}", f"Revision: {caps.firmware}"]
    return [*labelled, f"IMEI: {modem.imei}", "+GCAP: +CGSM,+DS,+ES"]


@command("+CGMI", "+GMI")
def manufacturer(modem: EmulatedModem, op: Op, _args: str) -> Lines:
    """Maker (3GPP TS 27.007 5.1)."""
    return [] if op is Op.TEST else [modem.caps.manufacturer]


@command("+CGMM", "+GMM")
def model(modem: EmulatedModem, op: Op, _args: str) -> Lines:
    """Model (5.2)."""
    return [] if op is Op.TEST else [modem.caps.model]


@command("+CGMR", "+GMR")
def revision(modem: EmulatedModem, op: Op, _args: str) -> Lines:
    """Firmware (5.3); SIMCom puts a prefix before it."""
    if op is Op.TEST:
        return []
    return [f"+CGMR: {modem.caps.firmware}" if modem.caps.name == "simcom" else modem.caps.firmware]


@command("+CGSN", "+GSN")
def serial(modem: EmulatedModem, op: Op, _args: str) -> Lines:
    """IMEI (5.4)."""
    return [] if op is Op.TEST else [modem.imei]


@command("+GCAP")
def capabilities(_modem: EmulatedModem, _op: Op, _args: str) -> Lines:
    """Command sets (ITU-T V.250 6.1.9)."""
    return ["+GCAP: +CGSM,+DS,+ES"]


@command("+CIMI")
def imsi(modem: EmulatedModem, op: Op, _args: str) -> Lines:
    """IMSI (3GPP TS 27.007 5.6)."""
    return [] if op is Op.TEST else [modem.unlocked_card().imsi]


@command("+CNUM")
def own_number(modem: EmulatedModem, op: Op, _args: str) -> Lines:
    """The SIM's number (7.1)."""
    return [] if op is Op.TEST else [f'+CNUM: "","{modem.unlocked_card().msisdn}",145']


def _iccid(name: str, form: Op) -> None:
    @command(name)
    def answer(modem: EmulatedModem, op: Op, _args: str) -> Lines:
        if name not in modem.caps.iccid_commands or op not in {form, Op.TEST, Op.READ}:
            raise AtError
        if op is Op.TEST:
            return []
        number = modem.card().iccid
        if name != "+CCID" and len(number) == 19 and modem.caps.name != "simcom":
            number += "F"
        return [f"{name}: " + (f'"{number}"' if modem.caps.iccid_quoted else number)]


for _name, _form in (
    ("+CCID", Op.RUN),
    ("+ICCID", Op.RUN),
    ("+CICCID", Op.RUN),
    ("+QCCID", Op.RUN),
    ("^ICCID", Op.READ),
):
    _iccid(_name, _form)


@command("+CRSM")
def restricted_access(modem: EmulatedModem, op: Op, args: str) -> Lines:
    """Read a file of the card: the ICCID is there, nothing else (8.18)."""
    if not modem.caps.crsm:
        raise AtError
    if op is Op.TEST:
        return []
    if op is not Op.SET or not split_args(args):
        raise CmeError(50)
    numbers = integers(",".join(split_args(args)[:2]))
    card = modem.card()
    if numbers == [_READ_BINARY, _ICCID_FILE]:
        return [f'+CRSM: 144,0,"{tpdu.swap_nibbles(card.iccid)}"']
    return ["+CRSM: 106,130"]  # file not found (ETSI TS 102 221 10.2.1.5)
