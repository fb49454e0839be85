"""The line that `systemctl status` shows of the daemon."""

from __future__ import annotations

from collections.abc import Sequence

from modembank.bank import Bank, ModemView
from modembankd.notify import notify


class StatusLine:
    """Tells systemd in one line how the bank is, whenever that is another than before."""

    def __init__(self, bank: Bank) -> None:
        """``refresh`` looks; nothing is told before."""
        self._bank = bank
        self._told = ""

    async def refresh(self) -> None:
        """Look at the modems and tell what changed."""
        line = status_line(self._bank.modems())
        if line != self._told:
            self._told = line
            notify(f"STATUS={line}")


def status_line(modems: Sequence[ModemView]) -> str:
    """Return how many can send, and the others by what they do."""
    if not modems:
        return "No modems are configured"
    states = [view.state.value for view in modems if not view.able_to_send]
    able = len(modems) - len(states)
    others = ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))
    return f"{able} of {len(modems)} modems can send{f' ({others})' if others else ''}"
