"""Who the modem and its SIM are."""

from __future__ import annotations

import msgspec

from modembank.at import AtCommand, arguments, command, parse_cnum, parse_iccid, parse_imei, parse_imsi, unquote
from modembank.modem.capabilities import Feature, SimSeen
from modembank.modem.dialogue import Dialogue, said
from modembank.modem.quirks import Quirks

_ICCID_FILE = 12258
"""EF_ICCID, 2FE2 (3GPP TS 31.102 4.2.2)."""
_READ_BINARY = 176
BY_FILE = command("+CRSM", _READ_BINARY, _ICCID_FILE, 0, 0, 10, prefix=("+CRSM:",), timeout_s=10.0)
IMSI = AtCommand("AT+CIMI", prefix=("+CIMI:",), bare=True, timeout_s=10.0)
OWN_NUMBER = AtCommand("AT+CNUM", prefix=("+CNUM:",), timeout_s=10.0)
IMEI = AtCommand("AT+CGSN", prefix=("+CGSN:",), bare=True)
_NAMES = (
    AtCommand("AT+CGMI", prefix=("+CGMI:",), bare=True),
    AtCommand("AT+CGMM", prefix=("+CGMM:",), bare=True),
    AtCommand("AT+CGMR", prefix=("+CGMR:",), bare=True),
)


class ModemIdentity(msgspec.Struct, frozen=True):
    """Maker, model, firmware and serial number, cleaned; empty where the modem does not tell."""

    manufacturer: str
    model: str
    firmware: str
    imei: str


async def identify_modem(dialogue: Dialogue) -> ModemIdentity:
    """Ask maker, model, firmware and IMEI."""
    names = [await _name(dialogue, way) for way in _NAMES]
    result = await dialogue.ask(IMEI)
    imei = next((found for line in (result.lines if result and result.ok else ()) if (found := parse_imei(line))), "")
    dialogue.note(Feature.IDENTITY, has=any(names), evidence=" ".join(name for name in names if name))
    dialogue.note(Feature.IMEI, has=bool(imei), evidence="AT+CGSN: OK" if imei else said(IMEI, result))
    return ModemIdentity(names[0], names[1], names[2], imei)


async def read_iccid(dialogue: Dialogue, quirks: Quirks) -> str | None:
    """Ask the card number in the vendor's way, in others' ways, then by reading the file itself."""
    evidence = ""
    for way in (*quirks.card_number, BY_FILE):
        result = await dialogue.ask(way)
        if result is not None and result.ok:
            for line in result.lines:
                iccid = parse_iccid(line)
                if iccid is not None:
                    dialogue.note(Feature.ICCID, has=True, evidence=way.text.partition("=")[0])
                    return iccid
        evidence = said(way, result)
    dialogue.note(Feature.ICCID, has=False, evidence=evidence)
    return None


async def read_sim(dialogue: Dialogue, iccid: str | None) -> SimSeen:
    """Ask what only an unlocked SIM tells: IMSI and its own number."""
    result = await dialogue.ask_patiently(IMSI)
    imsi = next((found for line in (result.lines if result and result.ok else ()) if (found := parse_imsi(line))), None)
    dialogue.note(Feature.IMSI, has=imsi is not None, evidence="AT+CIMI: OK" if imsi else said(IMSI, result))
    result = await dialogue.ask(OWN_NUMBER)
    owned = [parse_cnum(line) for line in (result.lines if result and result.ok else ())]
    number = next((entry.number for entry in owned if entry is not None), None)
    dialogue.note(
        Feature.MSISDN, has=number is not None, evidence="AT+CNUM: OK" if number else said(OWN_NUMBER, result)
    )
    return SimSeen(iccid, imsi, number, None)


async def _name(dialogue: Dialogue, way: AtCommand) -> str:
    result = await dialogue.ask(way)
    if result is None or not result.ok:
        return ""
    text = next((unquote(arguments(line)) for line in result.lines if line.strip()), "")
    return "".join(letter for letter in text if letter.isascii() and letter.isprintable())[:64].strip()
