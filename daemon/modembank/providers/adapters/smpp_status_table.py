"""What the command_status of an SMSC means for a message (SMPP 3.4, 5.1.3; the later ones from 5.0, 4.7.6).

Any status but ESME_ROK says that the message was not taken: the SMSC gives no message_id for it, and nothing goes on
under its name. That holds for ESME_RSYSERR as well: unlike an HTTP server's 500, which may come from something in front
of the application, it is the SMSC's own answer to this one request. So a status is a refusal, and its class says
who is to blame.
"""

from __future__ import annotations

from typing import Final

import msgspec

from modembank.modem.outcome import Cause, CauseClass


class Status(msgspec.Struct, frozen=True):
    """One row."""

    name: str
    text: str
    klass: CauseClass


_RECIPIENT, _SIM, _NETWORK, _MODEM = CauseClass.RECIPIENT, CauseClass.SIM, CauseClass.NETWORK, CauseClass.MODEM

ROK: Final = 0x00
RINVCMDID: Final = 0x03
RINVBNDSTS: Final = 0x04
RALYBND: Final = 0x05
RX_T_APPN: Final = 0x64
RX_P_APPN: Final = 0x65
RESTING: Final = frozenset({0x14, 0x58})
"""The account is to send less, or later: the provider rests for a while."""
CREDENTIALS: Final = frozenset({0x0D, 0x0E, 0x0F, 0x53})
"""Answers to a bind that the same name and password will get again."""

STATUSES: Final = {
    0x01: Status("ESME_RINVMSGLEN", "invalid message length", _SIM),
    0x02: Status("ESME_RINVCMDLEN", "invalid command length", _SIM),
    0x03: Status("ESME_RINVCMDID", "invalid command", _SIM),
    0x04: Status("ESME_RINVBNDSTS", "the session is not bound for this", _MODEM),
    0x05: Status("ESME_RALYBND", "already bound", _MODEM),
    0x06: Status("ESME_RINVPRTFLG", "invalid priority flag", _SIM),
    0x07: Status("ESME_RINVREGDLVFLG", "invalid registered delivery flag", _SIM),
    0x08: Status("ESME_RSYSERR", "system error", _NETWORK),
    0x0A: Status("ESME_RINVSRCADR", "invalid source address", _SIM),
    0x0B: Status("ESME_RINVDSTADR", "invalid destination address", _RECIPIENT),
    0x0C: Status("ESME_RINVMSGID", "invalid message id", _NETWORK),
    0x0D: Status("ESME_RBINDFAIL", "bind failed", _SIM),
    0x0E: Status("ESME_RINVPASWD", "invalid password", _SIM),
    0x0F: Status("ESME_RINVSYSID", "invalid system id", _SIM),
    0x11: Status("ESME_RCANCELFAIL", "cancelling failed", _NETWORK),
    0x13: Status("ESME_RREPLACEFAIL", "replacing failed", _NETWORK),
    0x14: Status("ESME_RMSGQFUL", "message queue full", _MODEM),
    0x15: Status("ESME_RINVSERTYP", "invalid service type", _SIM),
    0x33: Status("ESME_RINVNUMDESTS", "invalid number of destinations", _SIM),
    0x34: Status("ESME_RINVDLNAME", "invalid distribution list", _SIM),
    0x40: Status("ESME_RINVDESTFLAG", "invalid destination flag", _SIM),
    0x42: Status("ESME_RINVSUBREP", "invalid submit with replace", _SIM),
    0x43: Status("ESME_RINVESMCLASS", "invalid esm_class", _SIM),
    0x44: Status("ESME_RCNTSUBDL", "cannot submit to a distribution list", _SIM),
    0x45: Status("ESME_RSUBMITFAIL", "submitting failed", _NETWORK),
    0x48: Status("ESME_RINVSRCTON", "invalid type of the source number", _SIM),
    0x49: Status("ESME_RINVSRCNPI", "invalid numbering plan of the source", _SIM),
    0x50: Status("ESME_RINVDSTTON", "invalid type of the destination number", _SIM),
    0x51: Status("ESME_RINVDSTNPI", "invalid numbering plan of the destination", _SIM),
    0x53: Status("ESME_RINVSYSTYP", "invalid system type", _SIM),
    0x54: Status("ESME_RINVREPFLAG", "invalid replace flag", _SIM),
    0x55: Status("ESME_RINVNUMMSGS", "invalid number of messages", _SIM),
    0x58: Status("ESME_RTHROTTLED", "throttled: more than is allowed", _MODEM),
    0x61: Status("ESME_RINVSCHED", "invalid scheduled time", _SIM),
    0x62: Status("ESME_RINVEXPIRY", "invalid validity period", _SIM),
    0x63: Status("ESME_RINVDFTMSGID", "invalid predefined message", _SIM),
    0x64: Status("ESME_RX_T_APPN", "temporary application error", _NETWORK),
    0x65: Status("ESME_RX_P_APPN", "permanent application error", _SIM),
    0x66: Status("ESME_RX_R_APPN", "rejected by the application", _SIM),
    0x67: Status("ESME_RQUERYFAIL", "the query failed", _NETWORK),
    0xC0: Status("ESME_RINVOPTPARSTREAM", "error in the optional parameters", _SIM),
    0xC1: Status("ESME_ROPTPARNOTALLWD", "an optional parameter is not allowed", _SIM),
    0xC2: Status("ESME_RINVPARLEN", "invalid parameter length", _SIM),
    0xC3: Status("ESME_RMISSINGOPTPARAM", "an optional parameter is missing", _SIM),
    0xC4: Status("ESME_RINVOPTPARAMVAL", "invalid value of an optional parameter", _SIM),
    0xFE: Status("ESME_RDELIVERYFAILURE", "delivery failed", _NETWORK),
    0xFF: Status("ESME_RUNKNOWNERR", "unknown error", _NETWORK),
    0x100: Status("ESME_RSERTYPUNAUTH", "not authorised for this service type", _SIM),
    0x101: Status("ESME_RPROHIBITED", "prohibited for this account", _SIM),
    0x102: Status("ESME_RSERTYPUNAVAIL", "the service type is unavailable", _SIM),
    0x103: Status("ESME_RSERTYPDENIED", "the service type is denied", _SIM),
    0x104: Status("ESME_RINVDCS", "invalid data coding", _SIM),
}


def cause_of(status: int, overruled: CauseClass | None = None) -> Cause:
    """Return what a status other than ESME_ROK means; ``overruled`` is what the settings say of it.

    A status of no list (0x400-0x4FF are the vendors') is passing trouble: later, or through another provider.
    """
    row = STATUSES.get(status)
    code = f"smpp_0x{status:02x}"
    if row is None:
        return Cause(overruled or CauseClass.NETWORK, code, f"{code}: a status of the SMSC's own")
    return Cause(overruled or row.klass, code, f"{code}: {row.text} ({row.name})")
