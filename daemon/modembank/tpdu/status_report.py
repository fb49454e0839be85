"""SMS-STATUS-REPORT, the service centre's word on what we sent (3GPP TS 23.040 clause 9.2.2.3)."""

from typing import Final, Self

import msgspec

from modembank.tpdu.address import Address
from modembank.tpdu.cursor import Cursor, octets
from modembank.tpdu.dcs import PLAIN, Dcs
from modembank.tpdu.errors import MalformedTpdu
from modembank.tpdu.report_status import ReportStatus
from modembank.tpdu.submit import check_coding, read_user_data
from modembank.tpdu.timestamp import Timestamp
from modembank.tpdu.user_data import UserData

_MTI: Final = 0x02
_NO_MORE_MESSAGES: Final = 0x04
_LOOP_PREVENTION: Final = 0x08
_FOR_COMMAND: Final = 0x20
_HEADER: Final = 0x40
# TP-PI, clause 9.2.3.27.
_HAS_PID: Final = 0x01
_HAS_DCS: Final = 0x02
_HAS_USER_DATA: Final = 0x04
_EXTENSION: Final = 0x80


class StatusReportTpdu(msgspec.Struct, frozen=True):
    """One delivery report.

    `reference` is the TP-MR of the segment it is about; `for_command` (TP-SRQ) says that it answers an SMS-COMMAND, not
    a SUBMIT. The optional fields are None when absent; `optional_error` says why they were dropped.
    """

    reference: int
    recipient: Address
    timestamp: Timestamp
    discharge: Timestamp
    status: ReportStatus
    more_messages: bool = False
    loop_prevention: bool = False
    for_command: bool = False
    pid: int | None = None
    dcs: Dcs | None = None
    user_data: UserData | None = None
    optional_error: str = ""

    def encode(self) -> bytes:
        """Raises UnencodableTpdu."""
        has_header = self.user_data is not None and self.user_data.udh is not None
        first = (
            _MTI
            | (0 if self.more_messages else _NO_MORE_MESSAGES)
            | (_LOOP_PREVENTION if self.loop_prevention else 0)
            | (_FOR_COMMAND if self.for_command else 0)
            | (_HEADER if has_header else 0)
        )
        return b"".join(
            (
                octets(first, self.reference),
                self.recipient.encode(),
                self.timestamp.encode(),
                self.discharge.encode(),
                octets(self.status.value),
                self._encode_optional(),
            )
        )

    @classmethod
    def decode(cls, cursor: Cursor) -> Self:
        """Read a report. A broken optional part costs only that part. Raises MalformedTpdu."""
        first = cursor.octet("first octet")
        reference = cursor.octet("message reference")
        recipient = Address.decode(cursor, "recipient")
        timestamp = Timestamp.decode(cursor, "service centre time stamp")
        discharge = Timestamp.decode(cursor, "discharge time")
        status = ReportStatus(cursor.octet("status"))
        pid, dcs, user_data, error = _read_optional(cursor, has_header=bool(first & _HEADER))
        return cls(
            reference=reference,
            recipient=recipient,
            timestamp=timestamp,
            discharge=discharge,
            status=status,
            more_messages=not first & _NO_MORE_MESSAGES,
            loop_prevention=bool(first & _LOOP_PREVENTION),
            for_command=bool(first & _FOR_COMMAND),
            pid=pid,
            dcs=dcs,
            user_data=user_data,
            optional_error=error,
        )

    def _encode_optional(self) -> bytes:
        present = 0
        body = b""
        if self.pid is not None:
            present |= _HAS_PID
            body += octets(self.pid)
        if self.dcs is not None:
            present |= _HAS_DCS
            body += octets(self.dcs.encode())
        if self.user_data is not None:
            present |= _HAS_USER_DATA
            check_coding(self.dcs or PLAIN, self.user_data)
            body += self.user_data.encode()
        return octets(present) + body if present else b""


def _read_optional(cursor: Cursor, *, has_header: bool) -> tuple[int | None, Dcs | None, UserData | None, str]:
    pid, dcs, user_data = None, None, None
    if not cursor.remaining:
        return pid, dcs, user_data, ""
    try:
        present = extension = cursor.octet("parameter indicator")
        while extension & _EXTENSION:
            extension = cursor.octet("parameter indicator extension")
        if present & _HAS_PID:
            pid = cursor.octet("protocol identifier")
        if present & _HAS_DCS:
            dcs = Dcs(cursor.octet("data coding scheme"))
        if present & _HAS_USER_DATA:
            user_data = read_user_data(cursor, dcs or PLAIN, has_header=has_header)
    except MalformedTpdu as error:
        return pid, dcs, user_data, error.reason
    return pid, dcs, user_data, ""
