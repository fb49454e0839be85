"""V.250 basics: echo, result form, reset, capabilities, error form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modembank_emulator.at_line import AtError, CmeError, Op, integers
from modembank_emulator.commands.registry import Lines, command
from modembank_emulator.settings import Settings

if TYPE_CHECKING:
    from modembank_emulator.modem import EmulatedModem


@command("E")
def echo(modem: EmulatedModem, _op: Op, args: str) -> Lines:
    """Switch the echo."""
    modem.settings.echo = _zero_or_one(args)
    return []


@command("V")
def verbose(modem: EmulatedModem, _op: Op, args: str) -> Lines:
    """Words (1) or numbers (0) as results."""
    modem.settings.verbose = _zero_or_one(args)
    return []


@command("Z", "&F")
def factory(modem: EmulatedModem, _op: Op, _args: str) -> Lines:
    """Back to factory settings, CNMI included; the echo stays as it is on most modems."""
    echo_now = modem.settings.echo
    modem.settings = Settings.factory(modem.caps)
    modem.settings.echo = echo_now
    return []


@command("Q", "X", "&C", "&D", "&K", "&W", "H", "+CHUP", "+IFC", "+ICF", "+IPR", "+CRC", "+CR", "+COLP", "+CVHU")
def accepted(_modem: EmulatedModem, op: Op, _args: str) -> Lines:
    """Settings that matter to nobody here."""
    if op in {Op.READ, Op.TEST}:
        raise AtError
    return []


@command("S0", "S3", "S4", "S5", "S7")
def register(_modem: EmulatedModem, op: Op, _args: str) -> Lines:
    """S-registers."""
    return ["000"] if op is Op.READ else []


@command("D", "A")
def dial(_modem: EmulatedModem, _op: Op, _args: str) -> Lines:
    """Calls are not offered."""
    raise AtError


@command("+CMEE")
def error_form(modem: EmulatedModem, op: Op, args: str) -> Lines:
    """0 plain ERROR, 1 numbers, 2 words (3GPP TS 27.007 9.1)."""
    if op is Op.TEST:
        return ["+CMEE: (0-2)"]
    if op is Op.READ:
        return [f"+CMEE: {modem.settings.cmee}"]
    level = (integers(args) or [0])[0]
    if level not in {0, 1, 2}:
        raise CmeError(50)
    modem.settings.cmee = level
    return []


@command("+CSCS")
def character_set(modem: EmulatedModem, op: Op, args: str) -> Lines:
    """Alphabet of text parameters."""
    if op is Op.TEST:
        return ['+CSCS: ("GSM","IRA","UCS2")']
    if op is Op.READ:
        return [f'+CSCS: "{modem.settings.cscs}"']
    name = args.strip('"').upper()
    if name not in {"GSM", "IRA", "UCS2"}:
        raise CmeError(50)
    modem.settings.cscs = name
    return []


@command("+CFUN")
def functionality(modem: EmulatedModem, op: Op, args: str) -> Lines:
    """Radio off, on, and reset (3GPP TS 27.007 8.2)."""
    if op is Op.TEST:
        return ["+CFUN: (0,1,4),(0,1)"]
    if op is Op.READ:
        return [f"+CFUN: {modem.radio.functionality}"]
    numbers = integers(args)
    if not numbers or numbers[0] not in {0, 1, 4}:
        raise CmeError(50)
    if len(numbers) > 1 and numbers[1] == 1:
        modem.reset_soon()
        return []
    if numbers[0] == 1 and modem.radio.functionality != 1 and modem.sim is not None:
        modem.sim_error = None  # the card is started afresh, which heals bad contact
    modem.radio.set_functionality(numbers[0])
    return []


@command("+CCLK")
def clock(modem: EmulatedModem, op: Op, _args: str) -> Lines:
    """The network's time (3GPP TS 27.007 8.15)."""
    if op is Op.READ:
        return [f'+CCLK: "{modem.world.schedule.wall():%y/%m/%d,%H:%M:%S}+00"']
    return []


def _zero_or_one(args: str) -> bool:
    if args not in {"", "0", "1"}:
        raise AtError
    return args == "1"
