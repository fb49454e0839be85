"""Rules of decency in dispatch: a message that may not go to its recipient now is put off, with the reason."""

from __future__ import annotations

from modembank.decency import QuietHoursConfig
from modembank.dispatch.quiet import QuietHours
from modembank.messages.loops import Loops
from modembank.messages.model import QueuedMessage, RetryAt

QUIET_CAUSE = "quiet_hours"
LOOP_CAUSE = "loop"
"""Causes of messages that are put off, before a colon."""


class Decency:
    """Quiet hours and loops together."""

    def __init__(self, quiet: QuietHours | None = None, loops: Loops | None = None) -> None:
        """Without them nothing is put off."""
        self._quiet = quiet or QuietHours(QuietHoursConfig())
        self.loops = loops

    def put_off(self, message: QueuedMessage, now: int) -> RetryAt | None:
        """Return until when a message is put off, or None; what has begun is finished."""
        held = None if self.loops is None or message.done else self.loops.held_until(message.recipient, now)
        if held is not None:
            return RetryAt(held, f"{LOOP_CAUSE}: messages to and from this number chase each other")
        quiet = self._quiet.hold(message, now)
        if quiet is None:
            return None
        return RetryAt(quiet.until, f"{QUIET_CAUSE}: {quiet.zone or 'where the box is'}")

    def sent(self, sim_id: int, number: str, text: str, now: int) -> None:
        """Count a message that has left."""
        if self.loops is not None:
            self.loops.went(sim_id, number, now, text)
