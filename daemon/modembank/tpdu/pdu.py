"""Whole PDUs as a modem speaks them: service centre address and TPDU, in hex (3GPP TS 27.005 clause 4.1)."""

import binascii
from typing import Final, Literal

import msgspec

from modembank.tpdu.address import Address
from modembank.tpdu.cursor import Cursor
from modembank.tpdu.deliver import DeliverTpdu
from modembank.tpdu.errors import MalformedTpdu
from modembank.tpdu.status_report import StatusReportTpdu
from modembank.tpdu.submit import SubmitTpdu

Direction = Literal["inbound", "outbound"]
Tpdu = SubmitTpdu | DeliverTpdu | StatusReportTpdu

# The longest real PDU is a SUBMIT of 164 octets (TS 23.040) behind 12 octets of address; beyond this it is noise.
MAX_PDU_OCTETS: Final = 400


class DecodedPdu(msgspec.Struct, frozen=True):
    """A PDU read: the service centre that it names, or None, and the TPDU."""

    smsc: Address | None
    tpdu: Tpdu


def decode_pdu(
    pdu: str | bytes, *, direction: Direction = "inbound", tpdu_length: int | None = None, has_smsc: bool = True
) -> DecodedPdu:
    """Decode hex digits (str) or octets (bytes).

    `tpdu_length` is the length that the modem gave with it, if any: when it equals the whole PDU, no service centre
    address stands before the TPDU. `has_smsc=False` says so for modems that never put one there.
    Raises MalformedTpdu, and nothing else, for any input.
    """
    octets = _from_hex(pdu) if isinstance(pdu, str) else pdu
    if len(octets) > MAX_PDU_OCTETS:
        msg = "longer than any PDU"
        raise MalformedTpdu(msg, MAX_PDU_OCTETS)
    cursor = Cursor(octets)
    smsc = Address.decode_service_centre(cursor) if has_smsc and len(octets) != tpdu_length else None
    return DecodedPdu(smsc, _decode_tpdu(cursor, octets, direction))


def encode_pdu(tpdu: Tpdu, smsc: Address | None = None) -> tuple[str, int]:
    """Return the PDU in upper-case hex and the TPDU's length in octets, for `AT+CMGS=<length>`.

    Without `smsc` the modem's own service centre is used. Raises UnencodableTpdu.
    """
    body = tpdu.encode()
    prefix = smsc.encode_service_centre() if smsc is not None else b"\0"
    return (prefix + body).hex().upper(), len(body)


def _from_hex(text: str) -> bytes:
    digits = text.strip()
    if len(digits) % 2:
        msg = "odd number of hex digits"
        raise MalformedTpdu(msg, len(digits) // 2)
    if len(digits) > 2 * MAX_PDU_OCTETS:
        msg = "longer than any PDU"
        raise MalformedTpdu(msg, MAX_PDU_OCTETS)
    try:
        return binascii.unhexlify(digits)
    except ValueError:
        wrong = next(index for index, char in enumerate(digits) if char not in "0123456789abcdefABCDEF")
        msg = "not a hex digit"
        raise MalformedTpdu(msg, wrong // 2) from None


def _decode_tpdu(cursor: Cursor, octets: bytes, direction: Direction) -> Tpdu:
    start = cursor.position
    if not cursor.remaining:
        msg = "no TPDU"
        raise MalformedTpdu(msg, start)
    kind = octets[start] & 0x03
    if direction == "outbound":
        if kind != 1:
            msg = "outbound TPDU that is no SUBMIT"
            raise MalformedTpdu(msg, start)
        return SubmitTpdu.decode(cursor)
    if kind == 1:
        msg = "inbound TPDU that is no DELIVER or STATUS-REPORT"
        raise MalformedTpdu(msg, start)
    # 3 is reserved and to be taken as a DELIVER (TS 23.040 clause 9.2.3.1).
    return StatusReportTpdu.decode(cursor) if kind == 2 else DeliverTpdu.decode(cursor)
