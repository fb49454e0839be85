"""SMS-SUBMIT, from us to the service centre (3GPP TS 23.040 clause 9.2.2.2)."""

from typing import Final, Self

import msgspec

from modembank.tpdu.address import Address
from modembank.tpdu.cursor import Cursor, octets
from modembank.tpdu.dcs import PLAIN, Alphabet, Dcs, MessageClass
from modembank.tpdu.errors import UnencodableTpdu
from modembank.tpdu.user_data import UserData
from modembank.tpdu.validity import Validity, ValidityFormat

_MTI: Final = 0x01
_REJECT_DUPLICATES: Final = 0x04
_STATUS_REPORT: Final = 0x20
_HEADER: Final = 0x40
_REPLY_PATH: Final = 0x80


class SubmitTpdu(msgspec.Struct, frozen=True):
    """One outbound segment.

    `reference` (TP-MR) stays 0: the modem assigns it. `status_report` asks for a delivery report (TP-SRR).
    """

    destination: Address
    user_data: UserData
    dcs: Dcs = PLAIN
    validity: Validity | None = None
    status_report: bool = False
    reject_duplicates: bool = False
    reply_path: bool = False
    reference: int = 0
    pid: int = 0

    @classmethod
    def for_part(
        cls,
        destination: Address,
        part: UserData,
        *,
        flash: bool = False,
        validity: Validity | None = None,
        status_report: bool = False,
        reject_duplicates: bool = False,
    ) -> Self:
        """Wrap a part made by `split_text`, with the coding that fits it."""
        dcs = Dcs.of(part.alphabet, MessageClass.FLASH if flash else None)
        return cls(destination, part, dcs, validity, status_report, reject_duplicates)

    def encode(self) -> bytes:
        """Raises UnencodableTpdu."""
        check_coding(self.dcs, self.user_data)
        first = (
            _MTI
            | (_REJECT_DUPLICATES if self.reject_duplicates else 0)
            | (self.validity.format << 3 if self.validity else 0)
            | (_STATUS_REPORT if self.status_report else 0)
            | (_HEADER if self.user_data.udh else 0)
            | (_REPLY_PATH if self.reply_path else 0)
        )
        return b"".join(
            (
                octets(first, self.reference),
                self.destination.encode(),
                octets(self.pid, self.dcs.encode()),
                self.validity.encode() if self.validity else b"",
                self.user_data.encode(),
            )
        )

    @classmethod
    def decode(cls, cursor: Cursor) -> Self:
        """Read a SUBMIT. Raises MalformedTpdu."""
        first = cursor.octet("first octet")
        reference = cursor.octet("message reference")
        destination = Address.decode(cursor, "destination")
        pid = cursor.octet("protocol identifier")
        dcs = Dcs(cursor.octet("data coding scheme"))
        validity = Validity.decode(cursor, ValidityFormat(first >> 3 & 3))
        return cls(
            destination=destination,
            user_data=read_user_data(cursor, dcs, has_header=bool(first & _HEADER)),
            dcs=dcs,
            validity=validity,
            status_report=bool(first & _STATUS_REPORT),
            reject_duplicates=bool(first & _REJECT_DUPLICATES),
            reply_path=bool(first & _REPLY_PATH),
            reference=reference,
            pid=pid,
        )


def check_coding(dcs: Dcs, user_data: UserData) -> None:
    """Raise UnencodableTpdu when TP-DCS announces another alphabet than the user data have."""
    if dcs.payload_alphabet is not user_data.alphabet:
        msg = f"user data in {user_data.alphabet}, but TP-DCS says {dcs.payload_alphabet}"
        raise UnencodableTpdu(msg)
    if user_data.alphabet is Alphabet.UCS2 and len(user_data.payload) % 2:
        msg = "UCS-2 text has an even number of octets"
        raise UnencodableTpdu(msg)


def read_user_data(cursor: Cursor, dcs: Dcs, *, has_header: bool) -> UserData:
    """Read TP-UDL and all that follows. Raises MalformedTpdu when there is no TP-UDL."""
    length = cursor.octet("user data length")
    return UserData.decode(length, cursor.rest(), dcs.payload_alphabet, has_header=has_header)
