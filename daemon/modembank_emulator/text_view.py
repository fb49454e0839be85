"""Stored PDUs as text mode shows them (3GPP TS 27.005 3.4.2, 3.4.3), without the CSDH fields."""

from __future__ import annotations

from modembank_emulator import pdu as tpdu
from modembank_emulator.card import StoredMessage


def header_of(message: StoredMessage) -> tuple[str, str]:
    """The fields after the status, and the text line; text with line breaks or other alphabets comes as hex."""
    octets = bytes.fromhex(message.pdu_hex)
    try:
        sender, stamp = tpdu.decode_sender(octets)
        text = tpdu.decode_user_data(octets).text()
    except tpdu.PduError:
        return ",,", message.pdu_hex
    if text is None or "\n" in text or "\r" in text or not text.isascii():
        text = tpdu.decode_user_data(octets).octets.hex().upper()
    return f'"{sender}",,"{stamp}"', text
