"""The life of a modem as one table: states, what can happen, and where it leads."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping

import msgspec
from msgspec.structs import replace


class ModemState(enum.StrEnum):
    """Where a modem is in its life. Busy is a lease, not a state."""

    DETECTED = "detected"
    """Known by its configured place; the port is closed."""
    OPENING = "opening"
    INITIALIZING = "initializing"
    """The port is open; who the modem is and what it can do is being found out."""
    LOCKED = "locked"
    """The SIM wants a PIN or PUK that we do not have or must not try."""
    SEARCHING = "searching"
    """Ready, without a network."""
    REGISTERED = "registered"
    """Able to send and receive."""
    RECOVERING = "recovering"
    FAILED = "failed"
    """Out of service for a FailedReason; tried again slowly."""
    GONE = "gone"
    """There is no port: unplugged, or between two enumerations."""


class AdminState(enum.StrEnum):
    """What the operator wants; orthogonal to ModemState."""

    ENABLED = "enabled"
    DRAINING = "draining"
    """Receives, but is given no new message to send."""
    DISABLED = "disabled"
    """The port is closed and left alone."""


class FailedReason(enum.StrEnum):
    """Why a modem is LOCKED or FAILED."""

    PORT_BUSY = "port_busy"
    PORT_PERMISSION = "port_permission"
    PORT_NOT_A_TTY = "port_not_a_tty"
    PORT_IO = "port_io"
    NOT_A_MODEM = "not_a_modem"
    INIT_REFUSED = "init_refused"
    """A mandatory step of the initialisation was refused."""
    SIM_ABSENT = "sim_absent"
    SIM_REFUSED = "sim_refused"
    """The bank does not take this SIM, such as one that another slot already reports."""
    PIN_MISSING = "pin_missing"
    PIN_WRONG = "pin_wrong"
    PIN_AT_RISK = "pin_at_risk"
    """A PIN is configured, but trying it could bring the SIM near its PUK."""
    PUK_REQUIRED = "puk_required"
    QUARANTINED = "quarantined"
    """Every rung of the recovery ladder was tried in vain."""


class StateChangeReason(enum.StrEnum):
    """Why a modem went from one state to another."""

    STARTED = "started"
    OPENED = "opened"
    PORT_MISSING = "port_missing"
    PORT_REFUSED = "port_refused"
    PORT_LOST = "port_lost"
    INITIALIZED = "initialized"
    INIT_FAILED = "init_failed"
    LOCKED = "locked"
    REGISTERED = "registered"
    REGISTRATION_LOST = "registration_lost"
    REBOOTED = "rebooted"
    SIM_CHANGED = "sim_changed"
    TROUBLE = "trouble"
    RECOVERED = "recovered"
    EXHAUSTED = "exhausted"
    USER_REQUEST = "user_request"
    CLOSED = "closed"


class ModemEvent(enum.StrEnum):
    """What can happen to a modem."""

    OPEN = "open"
    """An attempt to open the port begins."""
    OPENED = "opened"
    PORT_MISSING = "port_missing"
    PORT_REFUSED = "port_refused"
    LOST = "lost"
    """The open port went away."""
    INITIALIZED = "initialized"
    INIT_FAILED = "init_failed"
    """Out of service for a reason that no rung of the recovery ladder cures."""
    LOCKED = "locked"
    REGISTERED = "registered"
    REGISTRATION_LOST = "registration_lost"
    REBOOTED = "rebooted"
    SIM_CHANGED = "sim_changed"
    TROUBLE = "trouble"
    """It hangs or talks nonsense."""
    RECOVERED = "recovered"
    """A rung was climbed and the port still stands: initialise again."""
    EXHAUSTED = "exhausted"
    RESET = "reset"
    """Somebody asked for a restart of the modem."""
    CLOSED = "closed"
    """We closed the port: disabled, or the daemon stops."""


S, E = ModemState, ModemEvent  # the table below is easier to read with short names
_OPEN_ENDS: Mapping[ModemEvent, ModemState] = {E.LOST: S.GONE, E.CLOSED: S.DETECTED}
_TRIES: Mapping[ModemEvent, ModemState] = {
    # Out of service, the port is tried again and again without a word until something changes.
    E.OPENED: S.INITIALIZING,
    E.PORT_MISSING: S.GONE,
    E.PORT_REFUSED: S.FAILED,
}
_IN_SERVICE: Mapping[ModemEvent, ModemState] = {
    E.REBOOTED: S.INITIALIZING,
    E.SIM_CHANGED: S.INITIALIZING,
    E.TROUBLE: S.RECOVERING,
    E.RESET: S.RECOVERING,
    E.LOCKED: S.LOCKED,
    E.INIT_FAILED: S.FAILED,
}

TRANSITIONS: Mapping[ModemState, Mapping[ModemEvent, ModemState]] = {
    S.DETECTED: {E.OPEN: S.OPENING, E.CLOSED: S.DETECTED},
    S.OPENING: {
        E.OPENED: S.INITIALIZING,
        E.PORT_MISSING: S.GONE,
        E.PORT_REFUSED: S.FAILED,
        **_OPEN_ENDS,
    },
    S.INITIALIZING: {**_IN_SERVICE, **_OPEN_ENDS, E.INITIALIZED: S.SEARCHING},
    S.LOCKED: {**_IN_SERVICE, **_OPEN_ENDS, E.INITIALIZED: S.SEARCHING},
    S.SEARCHING: {**_IN_SERVICE, **_OPEN_ENDS, E.REGISTERED: S.REGISTERED, E.REGISTRATION_LOST: S.SEARCHING},
    S.REGISTERED: {**_IN_SERVICE, **_OPEN_ENDS, E.REGISTERED: S.REGISTERED, E.REGISTRATION_LOST: S.SEARCHING},
    S.RECOVERING: {
        **_OPEN_ENDS,
        E.OPEN: S.OPENING,
        E.RECOVERED: S.INITIALIZING,
        E.EXHAUSTED: S.FAILED,
        E.RESET: S.RECOVERING,
        E.TROUBLE: S.RECOVERING,
    },
    S.FAILED: {
        **_IN_SERVICE,
        **_OPEN_ENDS,
        **_TRIES,
        E.INITIALIZED: S.SEARCHING,
    },
    S.GONE: {**_TRIES, E.CLOSED: S.DETECTED},
}
"""state -> event -> next state; an event that a state does not list leaves it as it is."""

REASONS: Mapping[ModemEvent, StateChangeReason] = {
    E.OPEN: StateChangeReason.STARTED,
    E.OPENED: StateChangeReason.OPENED,
    E.PORT_MISSING: StateChangeReason.PORT_MISSING,
    E.PORT_REFUSED: StateChangeReason.PORT_REFUSED,
    E.LOST: StateChangeReason.PORT_LOST,
    E.INITIALIZED: StateChangeReason.INITIALIZED,
    E.INIT_FAILED: StateChangeReason.INIT_FAILED,
    E.LOCKED: StateChangeReason.LOCKED,
    E.REGISTERED: StateChangeReason.REGISTERED,
    E.REGISTRATION_LOST: StateChangeReason.REGISTRATION_LOST,
    E.REBOOTED: StateChangeReason.REBOOTED,
    E.SIM_CHANGED: StateChangeReason.SIM_CHANGED,
    E.TROUBLE: StateChangeReason.TROUBLE,
    E.RECOVERED: StateChangeReason.RECOVERED,
    E.EXHAUSTED: StateChangeReason.EXHAUSTED,
    E.RESET: StateChangeReason.USER_REQUEST,
    E.CLOSED: StateChangeReason.CLOSED,
}


class StateChange(msgspec.Struct, frozen=True):
    """One step of a modem's life; ``failed`` is set in LOCKED and FAILED only, ``detail`` is for people."""

    old: ModemState
    new: ModemState
    reason: StateChangeReason
    failed: FailedReason | None = None
    detail: str = ""


class StateMachine:
    """Holds the state and tells of its changes; knows nothing of what they mean."""

    def __init__(self, changed: Callable[[StateChange], None]) -> None:
        """Start in DETECTED; ``changed`` hears of every real change, synchronously."""
        self._changed = changed
        self.state = ModemState.DETECTED
        self.last = StateChange(self.state, self.state, StateChangeReason.STARTED)

    def fire(self, event: ModemEvent, detail: str = "", failed: FailedReason | None = None) -> bool:
        """Follow the table; return whether the state lists the event.

        The same state with another failure or detail of it is told too; without a failure a new detail is only kept.
        """
        new = TRANSITIONS[self.state].get(event)
        if new is None:
            return False
        kept = failed if new in {ModemState.LOCKED, ModemState.FAILED} else None
        change = StateChange(self.state, new, REASONS[event], kept, detail)
        if new is self.state and (kept, detail) == (self.last.failed, self.last.detail):
            return True
        if new is self.state and kept is None:
            self.last = replace(self.last, detail=detail or self.last.detail)
            return True
        self.state = new
        self.last = change
        self._changed(change)
        return True


def mermaid() -> str:
    """Return the table as a mermaid state diagram, for the documentation."""
    lines = ["stateDiagram-v2", f"    [*] --> {ModemState.DETECTED}"]
    for state, row in TRANSITIONS.items():
        by_target: dict[ModemState, list[str]] = {}
        for event, target in row.items():
            if target is not state:
                by_target.setdefault(target, []).append(event.value)
        lines += [f"    {state} --> {target}: {', '.join(events)}" for target, events in by_target.items()]
    return "\n".join(lines) + "\n"
