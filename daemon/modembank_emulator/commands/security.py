"""PIN, PUK, retry counters, facility lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modembank_emulator.at_line import AtError, CmeError, Op, split_args
from modembank_emulator.card import SimCard
from modembank_emulator.commands.registry import Lines, command

if TYPE_CHECKING:
    from modembank_emulator.modem import EmulatedModem

_WRONG = 16
_PUK_NEEDED = 12


@command("+CPIN")
def pin(modem: EmulatedModem, op: Op, args: str) -> Lines:
    """PIN state and entry (3GPP TS 27.007 8.3)."""
    if op is Op.TEST:
        return []
    card = modem.card()
    if op is Op.READ:
        return [f"+CPIN: {card.pin_state}"]
    codes = split_args(args)
    if op is not Op.SET or not codes:
        raise CmeError(50)
    _enter(card, codes)
    modem.radio.update()
    return []


@command("+CLCK")
def lock(modem: EmulatedModem, op: Op, args: str) -> Lines:
    """PIN request on or off: facility SC only (7.4)."""
    if op is Op.TEST:
        return ['+CLCK: ("SC")']
    fields = split_args(args)
    card = modem.card()
    if len(fields) < 2 or fields[0] != "SC":
        raise CmeError(4)
    if fields[1] == "2":
        return [f"+CLCK: {int(card.pin is not None)}"]
    if fields[1] not in {"0", "1"} or len(fields) < 3 or not fields[2]:
        raise CmeError(50)
    code = fields[2]
    if card.pin is None and fields[1] == "1":
        card.pin, card.unlocked = code, True
    elif card.pin is not None:
        _enter(card, [code])
        if fields[1] == "0":
            card.pin = None
    return []


def _counter(name: str) -> None:
    @command(name)
    def answer(modem: EmulatedModem, op: Op, _args: str) -> Lines:
        if modem.caps.pin_counter != name:
            raise AtError
        if op is Op.TEST:
            return []
        card = modem.card()
        return _COUNTER_FORMS[name](card)


def _cpinr(card: SimCard) -> Lines:
    return [f"+CPINR: SIM PIN,{card.pin_tries},3", f"+CPINR: SIM PUK,{card.puk_tries},10"]


def _qpinc(card: SimCard) -> Lines:
    return [f'+QPINC: "SC",{card.pin_tries},{card.puk_tries}', '+QPINC: "P2",3,10']


def _huawei(card: SimCard) -> Lines:
    left = card.pin_tries or card.puk_tries
    return [f"^CPIN: {card.pin_state},{left},{card.puk_tries},{card.pin_tries},10,3"]


def _spic(card: SimCard) -> Lines:
    return [f"+SPIC: {card.pin_tries},{card.puk_tries},3,10"]


_COUNTER_FORMS = {"+CPINR": _cpinr, "+QPINC": _qpinc, "^CPIN": _huawei, "+SPIC": _spic}
for _name in _COUNTER_FORMS:
    _counter(_name)


def _enter(card: SimCard, codes: list[str]) -> None:
    if card.pin_tries == 0:
        if len(codes) < 2:
            raise CmeError(_PUK_NEEDED)
        if not card.enter_puk(codes[0], codes[1]):
            raise CmeError(_WRONG)
    elif card.pin is None or card.unlocked:
        if codes[0] != card.pin:
            raise CmeError(3)
    elif not card.enter_pin(codes[0]):
        raise CmeError(_PUK_NEEDED if card.pin_tries == 0 else _WRONG)
