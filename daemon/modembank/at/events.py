"""What the engine says: final results, prompts, unsolicited codes and noise, as plain values."""

import enum

import msgspec


class AtError(Exception):
    """Base of this package's errors; all of them are programming errors of the caller."""


class UnsafeArgumentError(AtError):
    """An argument that must not reach a modem: a control character, not ASCII, or too long."""


class EngineStateError(AtError):
    """A call that the engine's state does not allow."""


class EngineBusy(EngineStateError):
    """A command is in flight; only one may be."""


class EngineDesynchronised(EngineStateError):
    """A deadline passed and no probe was answered since: nothing may be sent but ``resync_probe``."""


class FinalStatus(enum.Enum):
    """How a command ended."""

    OK = "ok"
    ERROR = "error"
    CME_ERROR = "cme_error"
    CMS_ERROR = "cms_error"
    NOT_SUPPORTED = "not_supported"
    NO_CARRIER = "no_carrier"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    NO_DIALTONE = "no_dialtone"
    CONNECT = "connect"


class AtResult(msgspec.Struct, frozen=True):
    """A final result with the information lines before it.

    ``code`` is the number of a +CME/+CMS ERROR, also when the modem said it in words and the words are known; ``text``
    is the wording when there was one. ``lines`` keep their prefix; with ``AtCommand.follows`` they alternate header,
    PDU (an empty string where the PDU never came).
    """

    status: FinalStatus
    code: int | None = None
    text: str | None = None
    lines: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """True for OK alone."""
        return self.status is FinalStatus.OK


class UrcKind(enum.Enum):
    """What an unsolicited code is about."""

    CMTI = "cmti"
    CMT = "cmt"
    CDS = "cds"
    CDSI = "cdsi"
    CBM = "cbm"
    CBMI = "cbmi"
    CREG = "creg"
    CGREG = "cgreg"
    CEREG = "cereg"
    C5GREG = "c5greg"
    BOOT = "boot"
    SMS_READY = "sms_ready"
    PHONEBOOK_READY = "phonebook_ready"
    MEMORY_FULL = "memory_full"
    POWER_DOWN = "power_down"
    POWER_WARNING = "power_warning"
    RING = "ring"
    CLIP = "clip"
    CALL = "call"
    NO_CARRIER = "no_carrier"
    CUSD = "cusd"
    NITZ = "nitz"
    SIGNAL = "signal"
    CPIN = "cpin"
    SIM_STATE = "sim_state"
    NETWORK_MODE = "network_mode"
    VENDOR = "vendor"
    """Known and of no use to us: counters, session states, location reports."""
    UNKNOWN = "unknown"
    """Looks like a code and is in no table: log once per name."""


class Urc(msgspec.Struct, frozen=True):
    """An unsolicited code. ``name`` "+CMTI", ``args`` what follows the colon, ``pdu`` the line +CMT/+CDS/+CBM own."""

    name: str
    args: str
    pdu: str | None
    raw: str
    kind: UrcKind


class NoiseReason(enum.Enum):
    """Why a line counts for nothing."""

    LATE = "late"
    """Reply to a command given up; ``raw`` may still prove something (a late "+CMGS: 12")."""
    STRAY_FINAL = "stray_final"
    """A final result with no command in flight."""
    STRAY_PROMPT = "stray_prompt"
    """A prompt nobody asked for: the modem waits for text; leave it with ESC."""
    INCOMPLETE_PAIR = "incomplete_pair"
    """Header of a +CMT/+CDS/+CBM whose PDU never came or does not fit."""
    OVERSIZED = "oversized"
    """More than ``max_line`` octets without a line end; ``raw`` is the beginning."""
    UNCLAIMED = "unclaimed"
    """Belongs to nothing."""


class Final(msgspec.Struct, frozen=True):
    """The command in flight has ended."""

    result: AtResult


class Prompt(msgspec.Struct, frozen=True):
    """The modem waits for the payload."""


class UrcReceived(msgspec.Struct, frozen=True):
    """An unsolicited code came."""

    urc: Urc


class Noise(msgspec.Struct, frozen=True):
    """A line that belongs to nothing; never an error."""

    raw: str
    why: NoiseReason


AtEvent = Final | Prompt | UrcReceived | Noise
