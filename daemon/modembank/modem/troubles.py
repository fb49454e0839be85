"""What can be wrong with a modem while its port is in use, told apart by evidence."""

from __future__ import annotations

import enum

from modembank.port import PortError


class Trouble(enum.StrEnum):
    """Kinds of trouble; the recovery ladder is chosen by them."""

    SILENT = "silent"
    """Nothing at all comes."""
    DEAF = "deaf"
    """Unsolicited codes come, commands are not answered (Huawei sticks after long polling)."""
    ECHO_ONLY = "echo_only"
    WRITE_STUCK = "write_stuck"
    """The port takes no more data."""
    CONFUSED = "confused"
    """Answers come, but not to what was asked."""
    SIM_DROPPED = "sim_dropped"
    """A SIM that worked is reported missing or failing at run time."""
    NOT_READY = "not_ready"
    """The short message service does not become ready."""
    INIT_REFUSED = "init_refused"
    """A mandatory step is refused."""
    VANISHED = "vanished"
    """It went down for a rung, and its port did not come back."""
    RESET_WANTED = "reset_wanted"
    """Somebody asked for a restart."""


class ChannelError(Exception):
    """A dialogue with a modem could not be finished."""


class PortLost(ChannelError):
    """The port ended: with its cause, or None when we closed it."""

    def __init__(self, cause: PortError | None) -> None:
        """Keep the cause."""
        super().__init__(str(cause) if cause else "closed")
        self.cause = cause


class NoReply(ChannelError):
    """A command's deadline passed. ``trouble`` is None when the modem answered a marker afterwards: it lives."""

    def __init__(self, command: str, trouble: Trouble | None) -> None:
        """Keep the command's name and what the resynchronisation found."""
        super().__init__(f"no reply to {command}" + (f": {trouble.value}" if trouble else ""))
        self.command = command
        self.trouble = trouble


class Hung(Exception):
    """The modem is in trouble: initialisation or service cannot go on."""

    def __init__(self, trouble: Trouble, detail: str = "") -> None:
        """Keep what is wrong and the evidence for people."""
        super().__init__(f"{trouble.value}: {detail}" if detail else trouble.value)
        self.trouble = trouble
        self.detail = detail
