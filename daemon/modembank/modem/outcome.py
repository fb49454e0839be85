"""What is known after a segment was handed to a modem, and the evidence for it."""

from __future__ import annotations

import enum

import msgspec


class AttemptOutcome(enum.IntEnum):
    """The four things that can be true of an attempt; UNKNOWN is never shown as a failure nor retried silently."""

    NOT_SENT = 10
    """Ctrl-Z was never written: the network cannot have it, sending again is safe."""
    ACCEPTED = 20
    """The network took it and the modem told the message reference."""
    REJECTED = 30
    """The network or the SIM refused it with a cause."""
    UNKNOWN = 40
    """Ctrl-Z was written and no final result is to be trusted."""


class CauseClass(enum.StrEnum):
    """What a refusal means for what to do next (3GPP TS 27.005 3.2.5, TS 23.040 9.2.3.22)."""

    RECIPIENT = "recipient"
    """The message or its recipient: final, another SIM would not help."""
    SIM = "sim"
    """The SIM or its account: another SIM may send it."""
    NETWORK = "network"
    """Passing trouble of the network: later, or through another SIM."""
    MODEM = "modem"
    """The modem is not ready: later, the message is not to blame."""
    SIM_ABSENT = "sim_absent"
    """No usable SIM in the modem: out of service until somebody acts."""
    STORAGE = "storage"
    """The modem's or the SIM's memory is full."""
    VALIDITY = "validity"
    """The validity period was refused: send again without one."""
    AMBIGUOUS = "ambiguous"
    """It may have been sent."""
    PORT = "port"
    """The port failed before anything was sent."""


class Cause(msgspec.Struct, frozen=True):
    """Why an attempt ended as it did: a class to act on, the modem's own words to show."""

    klass: CauseClass
    code: str
    """Stable key such as ``cms_38``, ``cme_10``, ``error``, ``no_prompt``, ``port_gone``, ``gate_closed``."""
    text: str
    """For people: ``+CMS ERROR 38: network out of order``."""


class Evidence(msgspec.Struct, frozen=True):
    """What was seen on the wire during one attempt; times are seconds after the command line was written."""

    prompt_s: float | None = None
    ctrl_z_s: float | None = None
    final_s: float | None = None
    octets_written: int = 0
    final: str | None = None
    """The final result as the modem wrote it, such as ``+CMGS: 17`` or ``+CMS ERROR: 38``."""


class SubmitResult(msgspec.Struct, frozen=True):
    """The end of one attempt at one segment."""

    outcome: AttemptOutcome
    tp_mr: int | None = None
    """The message reference the modem assigned, 0-255; only with ACCEPTED."""
    cause: Cause | None = None
    evidence: Evidence = msgspec.field(default_factory=Evidence)
