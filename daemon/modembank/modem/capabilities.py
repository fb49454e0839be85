"""What one modem can do and what it lacks, each with the answer that showed it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType

import msgspec


class Feature(enum.StrEnum):
    """What the initialisation finds out, step by step."""

    ATTENTION = "attention"
    ECHO_OFF = "echo_off"
    VERBOSE_RESULTS = "verbose_results"
    NUMERIC_ERRORS = "numeric_errors"
    QUIET = "quiet"
    IDENTITY = "identity"
    IMEI = "imei"
    RADIO_ON = "radio_on"
    SIM_READY = "sim_ready"
    ICCID = "iccid"
    IMSI = "imsi"
    MSISDN = "msisdn"
    PDU_MODE = "pdu_mode"
    PHASE_2_PLUS = "phase_2_plus"
    """CSMS service 1: what is routed to us directly is kept by the network until we acknowledge it."""
    ACKNOWLEDGE = "acknowledge"
    SERVICE_CENTRE = "service_centre"
    MEMORY = "memory"
    ROUTING = "routing"
    STORED_MESSAGES = "stored_messages"
    DIRECT_REPORTS = "direct_reports"
    STORED_REPORTS = "stored_reports"
    KEEP_LINK = "keep_link"
    REGISTRATION_CS = "registration_cs"
    REGISTRATION_PS = "registration_ps"
    REGISTRATION_EPS = "registration_eps"
    CALLER_ID = "caller_id"
    SERVICE_NOTES_OFF = "service_notes_off"
    USSD = "ussd"
    OPERATOR_NAME = "operator_name"
    LIST_PDUS = "list_pdus"
    VALIDITY_PERIOD = "validity_period"
    EXTENDED_SIGNAL = "extended_signal"


class Has(enum.StrEnum):
    """Whether it can."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Finding(msgspec.Struct, frozen=True):
    """One answer: whether, and in the modem's own words why we think so."""

    has: Has
    evidence: str = ""


LACKS: Mapping[Feature, str] = MappingProxyType(
    {
        Feature.ECHO_OFF: "repeats every command (echo cannot be switched off); it is filtered out",
        Feature.NUMERIC_ERRORS: "gives no error numbers: causes of failures are less exact",
        Feature.ICCID: "cannot tell the SIM's card number; the SIM is known by its subscriber number (IMSI)",
        Feature.MSISDN: "does not know the SIM's own telephone number; give it in the configuration",
        Feature.PHASE_2_PLUS: "cannot acknowledge what it passes on directly; a crash may lose a delivery report",
        Feature.SERVICE_CENTRE: "has no service centre number on its SIM: nothing can be sent until one is set",
        Feature.MEMORY: "does not let its message memory be chosen",
        Feature.ROUTING: "does not announce inbound messages; they are only found by looking",
        Feature.STORED_MESSAGES: "does not store inbound messages: what comes while nobody listens is lost",
        Feature.DIRECT_REPORTS: "does not pass delivery reports on directly",
        Feature.STORED_REPORTS: "does not store delivery reports",
        Feature.KEEP_LINK: "closes the radio link after every message: long batches are slower",
        Feature.REGISTRATION_EPS: "does not report LTE registration",
        Feature.USSD: "takes no USSD codes: the balance cannot be asked",
        Feature.LIST_PDUS: "cannot list its messages; they are read one by one",
        Feature.VALIDITY_PERIOD: "refuses validity periods: the service centre decides how long it keeps a message",
        Feature.IMEI: "does not tell its serial number (IMEI)",
    }
)
"""For people: what it means that a modem lacks something. Features without a sentence are of no interest to them."""


class Routing(msgspec.Struct, frozen=True):
    """The CNMI setting in force (3GPP TS 27.005 3.4.1)."""

    mode: int
    mt: int
    bm: int
    ds: int
    bfr: int

    @property
    def arguments(self) -> tuple[int, int, int, int, int]:
        """The five numbers in the order of the command."""
        return (self.mode, self.mt, self.bm, self.ds, self.bfr)


class Capabilities(msgspec.Struct, frozen=True):
    """All that the initialisation found out; replaced as a whole when it runs again."""

    manufacturer: str = ""
    model: str = ""
    firmware: str = ""
    imei: str = ""
    routing: Routing | None = None
    service: int = 0
    """The CSMS service in force."""
    memories: tuple[str, ...] = ()
    """Memories that messages can be read from, the preferred one first."""
    preferred: str | None = None
    registrations: tuple[str, ...] = ("+CREG",)
    findings: Mapping[Feature, Finding] = msgspec.field(default_factory=dict)

    def has(self, feature: Feature) -> bool:
        """Whether it surely can."""
        finding = self.findings.get(feature)
        return finding is not None and finding.has is Has.YES

    def lacks(self, feature: Feature) -> bool:
        """Whether it surely cannot."""
        finding = self.findings.get(feature)
        return finding is not None and finding.has is Has.NO

    def sentences(self) -> dict[Feature, str]:
        """Return what it lacks, in words for people, with the evidence."""
        said = {}
        for feature, sentence in LACKS.items():
            if self.lacks(feature):
                evidence = self.findings[feature].evidence
                said[feature] = f"{sentence} ({evidence})" if evidence else sentence
        return said


class SimSeen(msgspec.Struct, frozen=True):
    """What a modem tells of the SIM in it; at least one of iccid and imsi is set when a SIM can be told at all."""

    iccid: str | None = None
    imsi: str | None = None
    msisdn: str | None = None
    operator: str | None = None
