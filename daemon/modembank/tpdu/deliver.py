"""SMS-DELIVER, from the service centre to us (3GPP TS 23.040 clause 9.2.2.1)."""

from typing import Final, Self

import msgspec

from modembank.tpdu.address import Address
from modembank.tpdu.content import ContentKind, classify, replace_type
from modembank.tpdu.cursor import Cursor, octets
from modembank.tpdu.dcs import PLAIN, Dcs
from modembank.tpdu.submit import check_coding, read_user_data
from modembank.tpdu.timestamp import Timestamp
from modembank.tpdu.user_data import UserData

_NO_MORE_MESSAGES: Final = 0x04
_LOOP_PREVENTION: Final = 0x08
_REPORT_INDICATION: Final = 0x20
_HEADER: Final = 0x40
_REPLY_PATH: Final = 0x80


class DeliverTpdu(msgspec.Struct, frozen=True):
    """One inbound part. A time stamp that is no time leaves `timestamp.moment` None and costs nothing else."""

    originator: Address
    timestamp: Timestamp
    user_data: UserData
    dcs: Dcs = PLAIN
    pid: int = 0
    more_messages: bool = False
    loop_prevention: bool = False
    report_indication: bool = False
    reply_path: bool = False

    @property
    def kind(self) -> ContentKind:
        """What this is. A binary message in several parts is best classified again once joined: see `classify`."""
        return classify(self.pid, self.dcs, self.user_data)

    @property
    def replace_type(self) -> int | None:
        return replace_type(self.pid)

    def encode(self) -> bytes:
        """Raises UnencodableTpdu."""
        check_coding(self.dcs, self.user_data)
        first = (
            (0 if self.more_messages else _NO_MORE_MESSAGES)
            | (_LOOP_PREVENTION if self.loop_prevention else 0)
            | (_REPORT_INDICATION if self.report_indication else 0)
            | (_HEADER if self.user_data.udh else 0)
            | (_REPLY_PATH if self.reply_path else 0)
        )
        return b"".join(
            (
                octets(first),
                self.originator.encode(),
                octets(self.pid, self.dcs.encode()),
                self.timestamp.encode(),
                self.user_data.encode(),
            )
        )

    @classmethod
    def decode(cls, cursor: Cursor) -> Self:
        """Read a DELIVER; the reserved bit 4 is ignored. Raises MalformedTpdu."""
        first = cursor.octet("first octet")
        originator = Address.decode(cursor, "originator")
        pid = cursor.octet("protocol identifier")
        dcs = Dcs(cursor.octet("data coding scheme"))
        timestamp = Timestamp.decode(cursor, "service centre time stamp")
        return cls(
            originator=originator,
            timestamp=timestamp,
            user_data=read_user_data(cursor, dcs, has_header=bool(first & _HEADER)),
            dcs=dcs,
            pid=pid,
            more_messages=not first & _NO_MORE_MESSAGES,
            loop_prevention=bool(first & _LOOP_PREVENTION),
            report_indication=bool(first & _REPORT_INDICATION),
            reply_path=bool(first & _REPLY_PATH),
        )
