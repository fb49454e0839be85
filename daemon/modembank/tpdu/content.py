"""What a received message is, so that an inbox can show it as that (3GPP TS 23.040 clauses 9.2.3.9 and 9.2.3.24)."""

from enum import StrEnum
from typing import Final

from modembank.tpdu.dcs import Alphabet, Dcs, MessageClass
from modembank.tpdu.elements import SPECIAL_INDICATION, Udh
from modembank.tpdu.user_data import UserData


class ContentKind(StrEnum):
    """What a message is to its reader, beyond its text."""

    TEXT = "text"
    FLASH = "flash"
    BINARY = "binary"
    WAP_PUSH = "wap_push"
    MMS_NOTIFICATION = "mms_notification"
    VCARD = "vcard"
    VCALENDAR = "vcalendar"
    RINGTONE = "ringtone"
    PICTURE = "picture"
    SETTINGS = "settings"
    MWI = "mwi"
    SILENT = "silent"
    REPLACE = "replace"
    RETURN_CALL = "return_call"
    SIM_DATA = "sim_data"
    DEVICE_DATA = "device_data"


_PID_SILENT: Final = 0x40  # short message type 0: acknowledged, then discarded
_PIDS: Final = {
    _PID_SILENT: ContentKind.SILENT,
    0x5F: ContentKind.RETURN_CALL,
    0x7C: ContentKind.SIM_DATA,  # ANSI-136 R-DATA
    0x7D: ContentKind.DEVICE_DATA,  # ME data download
    0x7E: ContentKind.DEVICE_DATA,  # ME de-personalisation
    0x7F: ContentKind.SIM_DATA,  # (U)SIM data download
}
_WAP_PUSH_PORTS: Final = frozenset({2948, 2949})
_PORTS: Final = {  # WAP Forum WDP annex B and Nokia Smart Messaging 3.0
    226: ContentKind.VCARD,
    227: ContentKind.VCARD,
    228: ContentKind.VCALENDAR,
    9204: ContentKind.VCARD,
    9205: ContentKind.VCALENDAR,
    9206: ContentKind.VCARD,
    9207: ContentKind.VCALENDAR,
    5505: ContentKind.RINGTONE,
    5506: ContentKind.PICTURE,
    5507: ContentKind.PICTURE,
    5514: ContentKind.PICTURE,
    49996: ContentKind.SETTINGS,
    49999: ContentKind.SETTINGS,
}
_SIM_SECURITY_TAGS: Final = range(0x70, 0x80)
_WSP_PUSH: Final = 0x06
_MMS_TYPES: Final = (b"\xbe", b"application/vnd.wap.mms-message\0")


def classify(pid: int, dcs: Dcs, user_data: UserData) -> ContentKind:
    """Say what a message is, by its protocol identifier, header, coding and first octets."""
    by_header = _by_header(user_data.udh, user_data.payload)
    if pid in _PIDS:
        return _PIDS[pid]
    if by_header is not None:
        return by_header
    if dcs.indication is not None:
        return ContentKind.MWI
    if dcs.payload_alphabet is Alphabet.OCTET:
        return ContentKind.BINARY
    if replace_type(pid) is not None:
        return ContentKind.REPLACE
    return ContentKind.FLASH if dcs.message_class is MessageClass.FLASH else ContentKind.TEXT


def replace_type(pid: int) -> int | None:
    """The replace type 1-7 (PID 0x41-0x47), under which a newer message from the same sender replaces; else None."""
    return pid - 0x40 if 0x41 <= pid <= 0x47 else None


def is_mms_notification(push: bytes) -> bool:
    """Whether a WAP push (WSP, connectionless: transaction, PDU type, headers) announces a multimedia message."""
    if len(push) < 4 or push[1] != _WSP_PUSH:
        return False
    start = 2
    while start < len(push) - 1 and push[start] & 0x80:  # the header length is a variable-length integer
        start += 1
    return push[start + 1 :].startswith(_MMS_TYPES)


def _by_header(udh: Udh | None, payload: bytes) -> ContentKind | None:
    if udh is None:
        return None
    if any(element.tag in _SIM_SECURITY_TAGS for element in udh.elements):
        return ContentKind.SIM_DATA
    if (ports := udh.ports) is not None:
        pushed = bool({ports.destination, ports.source} & _WAP_PUSH_PORTS)
        if pushed:
            return ContentKind.MMS_NOTIFICATION if is_mms_notification(payload) else ContentKind.WAP_PUSH
        return _PORTS.get(ports.destination) or _PORTS.get(ports.source) or ContentKind.BINARY
    return ContentKind.MWI if udh.find(SPECIAL_INDICATION) else None
