"""Registration, operator, signal, calls that do not come, USSD."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from modembank_emulator import alphabet
from modembank_emulator.at_line import AtError, CmeError, Op, integers, split_args
from modembank_emulator.capabilities import UssdForm
from modembank_emulator.commands.registry import Lines, command
from modembank_emulator.network import UssdAnswer
from modembank_emulator.radio import DOMAINS, LTE

if TYPE_CHECKING:
    from modembank_emulator.modem import EmulatedModem

_OPERATOR = ("Emulated Mobile", "EmuMob", "00101")


def _registration(name: str) -> None:
    @command(name)
    def answer(modem: EmulatedModem, op: Op, args: str) -> Lines:
        if name == "+CEREG" and not modem.caps.eps:
            raise AtError
        mode = modem.settings.registration_reports.get(name, 0)
        if op is Op.TEST:
            return [f"{name}: (0-2)"]
        if op is Op.READ:
            return [f"{name}: {mode},{modem.radio.describe(name, mode)}"]
        wanted = (integers(args) or [0])[0]
        if wanted not in {0, 1, 2}:
            raise CmeError(50)
        modem.settings.registration_reports[name] = wanted
        return []


for _name in DOMAINS:
    _registration(_name)


@command("+COPS")
def operator(modem: EmulatedModem, op: Op, args: str) -> Lines:
    """Operator choice (3GPP TS 27.007 7.3)."""
    if op is Op.TEST:
        if not modem.caps.cops_test:
            raise CmeError(4)
        names = ",".join(f'"{name}"' for name in _OPERATOR)
        return [f"+COPS: (2,{names},{LTE}),,(0-4),(0-2)"]
    form = modem.settings.cops_format
    if op is Op.READ:
        if not modem.radio.attached:
            return [f"+COPS: {2 if modem.radio.detached else 0}"]
        return [f'+COPS: 0,{form},"{_OPERATOR[form]}",{LTE}']
    fields = integers(",".join(split_args(args)[:2]))
    if not fields or fields[0] not in range(5):
        raise CmeError(50)
    if len(fields) > 1:
        modem.settings.cops_format = min(2, fields[1])
    if fields[0] != 3:
        modem.radio.set_detached(fields[0] == 2)
    return []


@command("+CSQ")
def signal(modem: EmulatedModem, op: Op, _args: str) -> Lines:
    """Signal strength (8.5)."""
    if op is Op.TEST:
        return ["+CSQ: (0-31,99),(0-7,99)"]
    return [f"+CSQ: {modem.radio.signal if modem.radio.coverage else 99},99"]


@command("+CESQ")
def extended_signal(modem: EmulatedModem, op: Op, _args: str) -> Lines:
    """Extended signal quality (8.69)."""
    if not modem.caps.cesq:
        raise AtError
    if op is Op.TEST:
        return ["+CESQ: (0-63,99),(0-7,99),(0-96,255),(0-49,255),(0-34,255),(0-97,255)"]
    return ["+CESQ: 99,99,255,255,20,58" if modem.radio.coverage else "+CESQ: 99,99,255,255,255,255"]


@command("+CLIP")
def caller_number(modem: EmulatedModem, op: Op, args: str) -> Lines:
    """Caller's number with RING (7.6)."""
    if op is Op.READ:
        return [f"+CLIP: {modem.settings.clip},1"]
    if op is Op.SET:
        modem.settings.clip = (integers(args) or [0])[0]
    return []


@command("+CSSN")
def supplementary(modem: EmulatedModem, op: Op, args: str) -> Lines:
    """Supplementary service notices (7.17)."""
    if op is Op.READ:
        return ["+CSSN: {},{}".format(*modem.settings.cssn)]
    if op is Op.SET:
        first, second, *_ = [*integers(args), 0, 0]
        modem.settings.cssn = (first, second)
    return []


@command("+CLCC", "+CPAS", "+CGATT", "+CGMS")
def idle(_modem: EmulatedModem, op: Op, _args: str) -> Lines:
    """Nothing is going on."""
    if op is Op.TEST:
        raise AtError
    return []


@command("+CUSD")
def ussd(modem: EmulatedModem, op: Op, args: str) -> Lines:
    """USSD (7.15): the answer comes as +CUSD after OK."""
    if op is Op.TEST:
        return ["+CUSD: (0-2)"]
    if op is Op.READ:
        return [f"+CUSD: {modem.settings.cusd}"]
    fields = split_args(args)
    modem.settings.cusd = (integers(",".join(fields[:1])) or [0])[0]
    if modem.settings.cusd != 1 or len(fields) < 2:
        return []
    modem.unlocked_card()
    if not modem.radio.attached:
        raise CmeError(30)
    world = modem.world
    answer = world.network.ussd.get(_request(modem, fields[1]))
    wait = world.latency.ussd.draw(modem.random)
    world.schedule.after(wait, partial(modem.urc, _answer_line(modem, answer)))
    return []


def _request(modem: EmulatedModem, text: str) -> str:
    if not modem.caps.ussd_packed_request:
        if modem.settings.cscs != "UCS2":
            return text
        try:
            return bytes.fromhex(text).decode("utf-16-be")
        except ValueError:
            raise CmeError(50) from None
    try:
        octets = bytes.fromhex(text)
    except ValueError:
        raise CmeError(50) from None
    # USSD pads with CR where a septet would be left over (3GPP TS 23.038 6.1.2.3.1).
    return alphabet.from_septets(alphabet.unpack(octets, len(octets) * 8 // 7)).rstrip("\r@")


def _answer_line(modem: EmulatedModem, answer: UssdAnswer | None) -> str:
    if answer is None:
        return "+CUSD: 4"  # not supported
    code, text = int(answer.more), answer.text
    match modem.caps.ussd_form:
        case UssdForm.PLAIN:
            return f'+CUSD: {code},"{text}",15'
        case UssdForm.PLAIN_WITHOUT_DCS:
            return f'+CUSD: {code},"{text}"'
        case UssdForm.UCS2_15:
            return f'+CUSD: {code},"{_ucs2(text)}",15'
        case UssdForm.UCS2_72:
            return f'+CUSD: {code},"{_ucs2(text)}",72'
        case UssdForm.PACKED:
            return f'+CUSD: {code},"{_packed(text)}",15'
        case UssdForm.PACKED_BARE:
            return f"+CUSD: {code},{_packed(text)}"


def _ucs2(text: str) -> str:
    return text.encode("utf-16-be").hex().upper()


def _packed(text: str) -> str:
    septets = alphabet.to_septets(text)
    if len(septets) % 8 == 7:
        septets += b"\r"
    return alphabet.pack(septets).hex().upper()
