"""Vendors' own commands; a model has those in `caps.extras`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modembank_emulator.at_line import AtError, Op, split_args
from modembank_emulator.commands.registry import Lines, command

if TYPE_CHECKING:
    from modembank_emulator.modem import EmulatedModem

_FIXED: dict[str, Lines] = {
    "+QINISTAT": ["+QINISTAT: 7"],
    "+QNWINFO": ['+QNWINFO: "FDD LTE","00101","LTE BAND 3",1300'],
    "+QIND": [],
    "+CNSMOD": ["+CNSMOD: 0,8"],
    "+CPSI": ["+CPSI: LTE,Online,001-01,0x04CA,31318597,1,EUTRAN-BAND3,1300,4,4,-94,-905,-618,14"],
    "^SYSINFO": ["^SYSINFO:2,3,0,5,1,,4"],
    "^PORTSEL": [],
    "^HCSQ": ['^HCSQ:"WCDMA",40,36,50'],
    "^GETPORTMODE": ["^GETPORTMODE: TYPE: WCDMA: HUAWEI,MDM:0,PCUI:1,DIAG:2"],
}


def _fixed(name: str, lines: Lines) -> None:
    @command(name)
    def answer(modem: EmulatedModem, op: Op, _args: str) -> Lines:
        _must_have(modem, name)
        return [] if op in {Op.TEST, Op.SET} else lines


for _name, _lines in _FIXED.items():
    _fixed(_name, _lines)


@command("^CURC")
def unsolicited(modem: EmulatedModem, op: Op, args: str) -> Lines:
    """Huawei: ^ noise off (0) or on (1)."""
    _must_have(modem, "^CURC")
    if op is Op.READ:
        return [f"^CURC: {int(modem.settings.chatter)}"]
    if op is Op.SET:
        modem.settings.chatter = args.strip() != "0"
    return []


@command("+QCFG", "+QURCCFG")
def quectel_setting(modem: EmulatedModem, op: Op, args: str) -> Lines:
    """Quectel settings: read answers, writing is taken."""
    _must_have(modem, "+QCFG")
    key = (split_args(args) or [""])[0]
    if op is Op.SET and key == "ims" and len(split_args(args)) == 1:
        return ['+QCFG: "ims",0,0']
    if op is Op.SET and key == "urcport" and len(split_args(args)) == 1:
        return ['+QURCCFG: "urcport","usbat"']
    return []


def _reset(name: str) -> None:
    @command(name)
    def answer(modem: EmulatedModem, op: Op, _args: str) -> Lines:
        _must_have(modem, name)
        if op is not Op.TEST:
            modem.reset_soon()
        return []


for _name in ("^RESET", "+CRESET", "+QPOWD"):
    _reset(_name)


def _must_have(modem: EmulatedModem, name: str) -> None:
    if name not in modem.caps.extras:
        raise AtError
