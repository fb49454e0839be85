"""What +CMS ERROR and +CME ERROR numbers mean, and what to do about each.

Names after 3GPP TS 27.005 3.2.5, TS 24.011 annex E, TS 23.040 9.2.3.22 and TS 27.007 9.2; the classes are
our judgement.
"""

import enum
import re

import msgspec


class CmsClass(enum.Enum):
    """What a refusal asks for."""

    RECIPIENT_FINAL = "recipient_final"
    """The number or the message itself: fail it, no other SIM will do better."""
    COUNTS_AS_SENT = "counts_as_sent"
    """The centre has this message already."""
    SIM_ACCOUNT = "sim_account"
    """The subscription: credit, barring, SMSC. Another SIM may do."""
    NETWORK_TRANSIENT = "network_transient"
    """The network, for now: back off."""
    AMBIGUOUS = "ambiguous"
    """Nobody knows whether it was sent: the outcome is unknown."""
    MODEM_NOT_READY = "modem_not_ready"
    """The modem or its SIM starts, is busy, or did not understand: wait, initialise again."""
    SIM_ABSENT = "sim_absent"
    """No SIM, or a locked one: a person must act."""
    STORAGE = "storage"
    """Message memory full or an empty place in it."""
    VALIDITY = "validity"
    """The validity period's form is refused: send again without one."""


class Cause(msgspec.Struct, frozen=True):
    """A known or unknown error number."""

    code: int | None
    name: str
    kind: CmsClass


QUICK_S = 20.0
"""Seconds within which "500 unknown error" is a refusal; later the message may be out (seen after network timeouts)."""

_R, _A, _N = CmsClass.RECIPIENT_FINAL, CmsClass.SIM_ACCOUNT, CmsClass.NETWORK_TRANSIENT
_U, _M, _S = CmsClass.AMBIGUOUS, CmsClass.MODEM_NOT_READY, CmsClass.SIM_ABSENT

CMS: dict[int, tuple[str, CmsClass]] = {
    1: ("Unassigned (unallocated) number", _R),
    8: ("Operator determined barring", _A),
    10: ("Call barred", _A),
    21: ("Short message transfer rejected", _A),
    27: ("Destination out of service", _R),
    28: ("Unidentified subscriber", _A),
    29: ("Facility rejected", _A),
    30: ("Unknown subscriber", _R),
    38: ("Network out of order", _N),
    41: ("Temporary failure", _N),
    42: ("Congestion", _N),
    47: ("Resources unavailable, unspecified", _N),
    50: ("Requested facility not subscribed", _A),
    69: ("Requested facility not implemented", _A),
    81: ("Invalid short message transfer reference value", _N),
    95: ("Invalid message, unspecified", _R),
    96: ("Invalid mandatory information", _R),
    97: ("Message type non-existent or not implemented", _R),
    98: ("Message not compatible with short message protocol state", _R),
    99: ("Information element non-existent or not implemented", _R),
    111: ("Protocol error, unspecified", _R),
    127: ("Interworking, unspecified", _N),
    128: ("Telematic interworking not supported", _R),
    129: ("Short message type 0 not supported", _R),
    130: ("Cannot replace short message", _R),
    143: ("Unspecified TP-PID error", _R),
    144: ("Data coding scheme (alphabet) not supported", _R),
    145: ("Message class not supported", _R),
    159: ("Unspecified TP-DCS error", _R),
    160: ("Command cannot be actioned", _R),
    161: ("Command unsupported", _R),
    175: ("Unspecified TP-Command error", _R),
    176: ("TPDU not supported", _R),
    192: ("SC busy", _N),
    193: ("No SC subscription", _A),
    194: ("SC system failure", _N),
    195: ("Invalid SME address", _R),
    196: ("Destination SME barred", _R),
    197: ("SM rejected, duplicate SM", CmsClass.COUNTS_AS_SENT),
    198: ("TP-VPF not supported", CmsClass.VALIDITY),
    199: ("TP-VP not supported", CmsClass.VALIDITY),
    208: ("SIM SMS storage full", CmsClass.STORAGE),
    209: ("No SMS storage capability in SIM", CmsClass.STORAGE),
    210: ("Error in MS", _M),
    211: ("Memory capacity exceeded", CmsClass.STORAGE),
    212: ("SIM application toolkit busy", _M),
    213: ("SIM data download error", _M),
    255: ("Unspecified error cause", _N),
    300: ("ME failure", _M),
    301: ("SMS service of ME reserved", _M),
    302: ("Operation not allowed", _M),
    303: ("Operation not supported", _M),
    304: ("Invalid PDU mode parameter", _R),
    305: ("Invalid text mode parameter", _R),
    310: ("SIM not inserted", _S),
    311: ("SIM PIN required", _S),
    312: ("PH-SIM PIN required", _S),
    313: ("SIM failure", _M),
    314: ("SIM busy", _M),
    315: ("SIM wrong", _M),
    316: ("SIM PUK required", _S),
    317: ("SIM PIN2 required", _S),
    318: ("SIM PUK2 required", _S),
    320: ("Memory failure", _M),
    321: ("Invalid memory index", CmsClass.STORAGE),
    322: ("Memory full", CmsClass.STORAGE),
    330: ("SMSC address unknown", _A),
    331: ("No network service", _N),
    332: ("Network timeout", _U),
    340: ("No +CNMA acknowledgement expected", _M),
    350: ("No final answer of the network (vendor)", _U),
    500: ("Unknown error", _U),
    512: ("MM establishment failure or user abort (vendor)", _U),
    513: ("Lower layer failure (vendor)", _U),
    514: ("Congestion (vendor)", _N),
    515: ("Initialisation in progress (vendor)", _M),
}

CME: dict[int, tuple[str, CmsClass]] = {
    0: ("Phone failure", _M),
    1: ("No connection to phone", _M),
    2: ("Phone-adaptor link reserved", _M),
    3: ("Operation not allowed", _M),
    4: ("Operation not supported", _M),
    5: ("PH-SIM PIN required", _S),
    6: ("PH-FSIM PIN required", _S),
    7: ("PH-FSIM PUK required", _S),
    10: ("SIM not inserted", _S),
    11: ("SIM PIN required", _S),
    12: ("SIM PUK required", _S),
    13: ("SIM failure", _M),
    14: ("SIM busy", _M),
    15: ("SIM wrong", _S),
    16: ("Incorrect password", _S),
    17: ("SIM PIN2 required", _S),
    18: ("SIM PUK2 required", _S),
    20: ("Memory full", CmsClass.STORAGE),
    21: ("Invalid index", CmsClass.STORAGE),
    22: ("Not found", CmsClass.STORAGE),
    23: ("Memory failure", _M),
    24: ("Text string too long", _R),
    25: ("Invalid characters in text string", _R),
    26: ("Dial string too long", _R),
    27: ("Invalid characters in dial string", _R),
    30: ("No network service", _N),
    31: ("Network timeout", _U),
    32: ("Network not allowed, emergency calls only", _N),
    40: ("Network personalisation PIN required", _S),
    41: ("Network personalisation PUK required", _S),
    42: ("Network subset personalisation PIN required", _S),
    43: ("Network subset personalisation PUK required", _S),
    44: ("Service provider personalisation PIN required", _S),
    45: ("Service provider personalisation PUK required", _S),
    46: ("Corporate personalisation PIN required", _S),
    47: ("Corporate personalisation PUK required", _S),
    100: ("Unknown", _U),
    103: ("Illegal MS", _A),
    106: ("Illegal ME", _A),
    107: ("GPRS services not allowed", _A),
    111: ("PLMN not allowed", _A),
    112: ("Location area not allowed", _A),
    113: ("Roaming not allowed in this location area", _A),
    132: ("Service option not supported", _A),
    133: ("Requested service option not subscribed", _A),
    134: ("Service option temporarily out of order", _N),
    148: ("Unspecified GPRS error", _N),
    149: ("PDP authentication failure", _A),
    150: ("Invalid mobile class", _M),
}


def cms_cause(code: int | None, elapsed_s: float | None = None) -> Cause:
    """The cause of a +CMS ERROR. ``elapsed_s`` since Ctrl-Z settles 500: within ``QUICK_S`` it is a refusal.

    An unknown code is classed by its range: below 128 the network's (TS 24.011), 128-191 the message's and 192-255 the
    centre's (TS 23.040 9.2.3.22), 256-511 the modem's (TS 27.005), else and for None AMBIGUOUS.
    """
    name, kind = CMS.get(-1 if code is None else code, ("", None))
    if kind is None:
        return Cause(code, "Unknown cause" if code is None else f"Unknown cause {code}", _unknown_class(code))
    if code == 500 and elapsed_s is not None and elapsed_s <= QUICK_S:
        kind = CmsClass.NETWORK_TRANSIENT
    return Cause(code, name, kind)


def cme_cause(code: int | None) -> Cause:
    """The cause of a +CME ERROR, in the same classes; an unknown code is AMBIGUOUS."""
    name, kind = CME.get(-1 if code is None else code, ("", CmsClass.AMBIGUOUS))
    return Cause(code, name or ("Unknown cause" if code is None else f"Unknown cause {code}"), kind)


def cms_code(words: str) -> int | None:
    """The number of a verbose +CMS ERROR (AT+CMEE=2), or None."""
    return _CMS_WORDS.get(_essence(words))


def cme_code(words: str) -> int | None:
    """The number of a verbose +CME ERROR (AT+CMEE=2), or None."""
    return _CME_WORDS.get(_essence(words))


def _unknown_class(code: int | None) -> CmsClass:
    if code is None or code < 0 or code >= 512:
        return CmsClass.AMBIGUOUS
    if code < 128 or 192 <= code <= 255:
        return CmsClass.NETWORK_TRANSIENT
    return CmsClass.RECIPIENT_FINAL if code < 192 else CmsClass.MODEM_NOT_READY


def _essence(words: str) -> str:
    text = re.sub(r"\([^()]*\)", "", words.lower())
    text = text.replace("usim", "sim").replace("adapter", "adaptor")
    return "".join(letter for letter in text if letter.isalnum())


# Wordings seen that differ from the names above.
_CMS_ALSO = {
    "unassigned number": 1,
    "ms error": 210,
    "phone failure": 300,
    "sms service reserved": 301,
    "operation not allowed temporarily": 302,
    "not allowed": 302,
    "not supported": 303,
    "invalid pdu mode": 304,
    "invalid text mode": 305,
    "sim not present": 310,
    "invalid index": 321,
    "smsc address not known": 330,
    "service center address unknown": 330,
    "sca unknown": 330,
    "no network": 331,
    "no cnma ack expected": 340,
    "no cnma acknowledgement expected": 340,
    "unknown": 500,
    "user abort": 512,
    "unable to store": 320,
    "mm establishment failure": 512,
    "lower layer failure": 513,
    "lower layer error": 513,
}
_CME_ALSO = {
    "not allowed": 3,
    "not supported": 4,
    "operation not allowed temporarily": 3,
    "sim not present": 10,
    "wrong password": 16,
    "invalid memory index": 21,
    "network not allowed - emergency calls only": 32,
    "emergency calls only": 32,
    "no network": 30,
    "unknown error": 100,
    "phone-adaptor link reserved": 2,
}
# Where two codes share a wording, the standard's (the lower) wins over a vendor's.
_CMS_WORDS = {_essence(name): code for code, (name, _) in reversed(CMS.items())} | {
    _essence(words): code for words, code in _CMS_ALSO.items()
}
_CME_WORDS = {_essence(name): code for code, (name, _) in reversed(CME.items())} | {
    _essence(words): code for words, code in _CME_ALSO.items()
}
