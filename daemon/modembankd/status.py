"""The line that `systemctl status` shows of the daemon."""

from __future__ import annotations

from collections.abc import Sequence

from modembank.bank import Bank, ModemView
from modembank.messages import Messages, MessageState
from modembankd.notify import notify

WAITING = [state.word for state in MessageState if state <= MessageState.SENDING]


class StatusLine:
    """Tells systemd in one line how the bank and the queue are, whenever that is another than before."""

    def __init__(self, bank: Bank, messages: Messages) -> None:
        """``refresh`` looks; nothing is told before."""
        self._bank = bank
        self._messages = messages
        self._told = ""

    async def refresh(self) -> None:
        """Look at the modems and the queue, and tell what changed."""
        counts = await self._messages.counts()
        line = status_line(self._bank.modems(), sum(counts[word] for word in WAITING))
        if line != self._told:
            self._told = line
            notify(f"STATUS={line}")


def status_line(modems: Sequence[ModemView], waiting: int = 0) -> str:
    """Return how many can send, and the others by what they do; and how many messages wait, if any."""
    queue = f"; {waiting} {'message waits' if waiting == 1 else 'messages wait'}" if waiting else ""
    if not modems:
        return f"No modems are configured{queue}"
    states = [view.state.value for view in modems if not view.able_to_send]
    able = len(modems) - len(states)
    others = ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))
    return f"{able} of {len(modems)} modems can send{f' ({others})' if others else ''}{queue}"
