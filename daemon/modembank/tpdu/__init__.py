"""SMS transfer protocol data units: a pure codec (3GPP TS 23.038, TS 23.040, the PDU mode of TS 27.005).

Octets in, values out, and back; no I/O, no clock, no logger. Decoding raises MalformedTpdu and nothing else.
"""

from modembank.tpdu.address import Address, NumberingPlan, TypeOfNumber
from modembank.tpdu.content import ContentKind, classify, is_mms_notification, replace_type
from modembank.tpdu.dcs import Alphabet, Dcs, Indication, MessageClass, WaitingKind
from modembank.tpdu.deliver import DeliverTpdu
from modembank.tpdu.elements import Concat, InformationElement, Ports, Udh
from modembank.tpdu.errors import (
    BadAddress,
    MalformedTpdu,
    NotInAlphabet,
    TextRefused,
    TextTooLong,
    UnencodableTpdu,
    UnpairedSurrogate,
)
from modembank.tpdu.gsm7 import decode_septets, foreign_characters, gsm7_septets
from modembank.tpdu.join import GAP_MARK, JoinedText, join_parts
from modembank.tpdu.packing import fill_bits_after, pack_septets, unpack_septets
from modembank.tpdu.pdu import MAX_PDU_OCTETS, DecodedPdu, Direction, Tpdu, decode_pdu, encode_pdu
from modembank.tpdu.report_status import ReportClass, ReportStatus
from modembank.tpdu.split import (
    MAX_SEGMENTS,
    Encoding,
    ReferenceBits,
    SegmentCount,
    SplitText,
    count_segments,
    split_text,
)
from modembank.tpdu.status_report import StatusReportTpdu
from modembank.tpdu.submit import SubmitTpdu
from modembank.tpdu.tables import LOCKING_TABLES, SINGLE_TABLES, Language
from modembank.tpdu.timestamp import Timestamp
from modembank.tpdu.typography import replaceable, with_replacements
from modembank.tpdu.user_data import MAX_USER_DATA_OCTETS, UserData
from modembank.tpdu.validity import Validity, ValidityFormat

__all__ = [
    "GAP_MARK",
    "LOCKING_TABLES",
    "MAX_PDU_OCTETS",
    "MAX_SEGMENTS",
    "MAX_USER_DATA_OCTETS",
    "SINGLE_TABLES",
    "Address",
    "Alphabet",
    "BadAddress",
    "Concat",
    "ContentKind",
    "Dcs",
    "DecodedPdu",
    "DeliverTpdu",
    "Direction",
    "Encoding",
    "Indication",
    "InformationElement",
    "JoinedText",
    "Language",
    "MalformedTpdu",
    "MessageClass",
    "NotInAlphabet",
    "NumberingPlan",
    "Ports",
    "ReferenceBits",
    "ReportClass",
    "ReportStatus",
    "SegmentCount",
    "SplitText",
    "StatusReportTpdu",
    "SubmitTpdu",
    "TextRefused",
    "TextTooLong",
    "Timestamp",
    "Tpdu",
    "TypeOfNumber",
    "Udh",
    "UnencodableTpdu",
    "UnpairedSurrogate",
    "UserData",
    "Validity",
    "ValidityFormat",
    "WaitingKind",
    "classify",
    "count_segments",
    "decode_pdu",
    "decode_septets",
    "encode_pdu",
    "fill_bits_after",
    "foreign_characters",
    "gsm7_septets",
    "is_mms_notification",
    "join_parts",
    "pack_septets",
    "replace_type",
    "replaceable",
    "split_text",
    "unpack_septets",
    "with_replacements",
]
