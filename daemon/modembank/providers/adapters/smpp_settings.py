"""What an SMPP provider is told, and what is wrong with it."""

from __future__ import annotations

import enum
import ipaddress
import re
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta

from modembank.errors import FieldProblem, InvalidRequest
from modembank.modem.outcome import CauseClass
from modembank.providers.adapters.smpp_receipts import ReceiptId
from modembank.providers.adapters.smpp_text import DefaultAlphabet, address

PASSWORD_LIMIT: Final = 64
"""SMPP 3.4 has 8 characters (5.2.2); many SMSCs give longer ones."""
_LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST: Final = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}\.?")
_STATUS: Final = re.compile(r"0x[0-9a-f]{1,8}")


class BindAs(enum.StrEnum):
    """What sessions there are."""

    TRANSCEIVER = "transceiver"
    PAIR = "pair"
    """Two: a transmitter and a receiver."""
    TRANSMITTER = "transmitter"
    RECEIVER = "receiver"


class Long(enum.StrEnum):
    """How a text that needs more than one segment is sent."""

    PAYLOAD = "payload"
    UDH = "udh"


class Meaning(enum.StrEnum):
    """What a status is taken for."""

    RECIPIENT = "recipient"
    ACCOUNT = "account"
    PASSING = "passing"
    REST = "rest"

    @property
    def klass(self) -> CauseClass:
        """As causes have it."""
        return _CLASSES[self]


_CLASSES: Final = {
    Meaning.RECIPIENT: CauseClass.RECIPIENT,
    Meaning.ACCOUNT: CauseClass.SIM,
    Meaning.PASSING: CauseClass.NETWORK,
    Meaning.REST: CauseClass.MODEM,
}
Octet: TypeAlias = Annotated[int, Meta(ge=0, le=255)]


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An account at an SMSC."""

    host: Annotated[str, Meta(min_length=1, max_length=253, description="Name or IP address of the SMSC.")]
    port: Annotated[int, Meta(ge=1, le=65535, description="Its TCP port; 2775 is the usual one, 3550 with TLS.")] = 2775
    tls: Annotated[bool, Meta(description="Encrypt, and believe only a certificate that the box trusts.")] = False
    tls_ca_secret: Annotated[
        str,
        Meta(max_length=100, description="Name of a secret with PEM certificates to trust instead of the system's."),
    ] = ""
    tls_name: Annotated[
        str, Meta(max_length=253, description="The name that the certificate has, when it is not the host.")
    ] = ""
    system_id: Annotated[str, Meta(min_length=1, max_length=15, description="The account's name (system_id).")]
    password_secret: Annotated[
        str, Meta(min_length=1, max_length=100, description="Name of the secret that holds the account's password.")
    ]
    system_type: Annotated[str, Meta(max_length=12, description="system_type, for SMSCs that want one.")] = ""
    bind: Annotated[
        BindAs,
        Meta(
            description="Sessions: one transceiver; a pair of transmitter and receiver for older SMSCs; only a "
            "transmitter (then no receipts come) or only a receiver (then nothing is sent)."
        ),
    ] = BindAs.TRANSCEIVER
    address_range: Annotated[str, Meta(max_length=40, description="address_range of the bind.")] = ""
    address_ton: Annotated[Octet, Meta(description="addr_ton of the bind.")] = 0
    address_npi: Annotated[Octet, Meta(description="addr_npi of the bind.")] = 0
    window: Annotated[int, Meta(ge=1, le=200, description="Messages that may wait for an answer at once.")] = 10
    rate_per_s: Annotated[
        Annotated[float, Meta(gt=0, le=1000)] | None,
        Meta(description="Most requests in a second; null: as fast as answers come."),
    ] = None
    connect_timeout_s: Annotated[
        float, Meta(ge=0.1, le=120, description="Seconds for name, connection, encryption and bind, each.")
    ] = 15.0
    response_timeout_s: Annotated[
        float, Meta(ge=0.1, le=300, description="Seconds until an answer that does not come is given up.")
    ] = 30.0
    enquire_link_s: Annotated[
        float, Meta(ge=0.1, le=3600, description="Seconds between two enquiries whether the SMSC is there.")
    ] = 30.0
    source: Annotated[
        str,
        Meta(
            max_length=21,
            description="Sender: an international number with +, a short code, or a name; empty: the SMSC's choice.",
        ),
    ] = ""
    source_ton: Annotated[Octet | None, Meta(description="Its type of number; null: by its look.")] = None
    source_npi: Annotated[Octet | None, Meta(description="Its numbering plan; null: by its look.")] = None
    dest_ton: Annotated[Octet | None, Meta(description="Type of number of recipients; null: by their look.")] = None
    dest_npi: Annotated[Octet | None, Meta(description="Numbering plan of recipients; null: by their look.")] = None
    plain_is_international: Annotated[
        bool, Meta(description="Senders of 8 digits and more without a type of number are international numbers.")
    ] = False
    service_type: Annotated[str, Meta(max_length=5, description="service_type of every message.")] = ""
    alphabet: Annotated[
        DefaultAlphabet,
        Meta(
            description="Texts that need no UCS-2: gsm7 (data_coding 0 is the GSM alphabet), latin1 (data_coding 3) or "
            "latin1_as_default (data_coding 0 is Latin-1)."
        ),
    ] = DefaultAlphabet.GSM7
    long: Annotated[
        Long,
        Meta(description="Texts of more than one segment: whole in message_payload, or as segments with a header."),
    ] = Long.PAYLOAD
    validity: Annotated[bool, Meta(description="Send the validity_period, relative.")] = True
    receipt_id: Annotated[
        ReceiptId,
        Meta(
            description="How receipts name a message: same as the answer to it; hex where the answer was decimal; "
            "decimal where the answer was hexadecimal."
        ),
    ] = ReceiptId.SAME
    utc_offset_minutes: Annotated[
        Annotated[int, Meta(ge=-840, le=840)] | None,
        Meta(description="Of the SMSC's clock, to read times in receipts; null: not read."),
    ] = None
    statuses: Annotated[
        dict[str, Meaning],
        Meta(
            max_length=100,
            description="What the SMSC's own statuses mean, as {'0x0400': 'account'}: recipient (nobody will take it), "
            "account (this provider will not), passing (later) or rest (too much at once).",
        ),
    ] = {}

    @property
    def authority(self) -> str:
        """Host and port, for people."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def meaning(self, status: int) -> CauseClass | None:
        """Return what the settings say of a status."""
        for written, meaning in self.statuses.items():
            if int(written, 16) == status:
                return meaning.klass
        return None


def check(settings: Settings) -> None:
    """Raise InvalidRequest for all that types cannot say."""
    problems = [
        *_names(settings),
        *_tls(settings),
        *(
            FieldProblem(f"/statuses/{text}", "must be a status in hexadecimal other than 0, as 0x0400")
            for text in settings.statuses
            if not _STATUS.fullmatch(text.lower()) or int(text, 16) == 0
        ),
    ]
    if problems:
        raise InvalidRequest(*problems)


def _names(settings: Settings) -> list[FieldProblem]:
    problems = []
    if not _is_host(settings.host):
        problems.append(FieldProblem("/host", "must be a host name or an IP address, without a port or brackets"))
    problems += [
        FieldProblem(f"/{name}", "must have printable ASCII only")
        for name in ("system_id", "system_type", "address_range", "service_type")
        if not _is_printable(getattr(settings, name))
    ]
    if address(settings.source, settings.source_ton, settings.source_npi) is None:
        problems.append(
            FieldProblem("/source", "must be a number of at most 20 digits, or a name of at most 20 printable ASCII")
        )
    return problems


def _tls(settings: Settings) -> list[FieldProblem]:
    problems = [
        FieldProblem(f"/{name}", "is of no use without tls; set tls to true")
        for name in ("tls_ca_secret", "tls_name")
        if getattr(settings, name) and not settings.tls
    ]
    if settings.tls_name and not _is_host(settings.tls_name):
        problems.append(FieldProblem("/tls_name", "must be a host name or an IP address"))
    return problems


def _is_host(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return bool(_HOST.fullmatch(text)) and not text.replace(".", "").isdigit()
    return True


def _is_printable(text: str) -> bool:
    return text.isascii() and (not text or text.isprintable())
