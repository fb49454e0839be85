"""The table of AT commands: name to handler."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from modembank_emulator.at_line import Op

if TYPE_CHECKING:
    from modembank_emulator.modem import EmulatedModem

# Returns the lines of the information response; None when the command completes later. Raises AtError.
Lines = list[str]
Handler = Callable[["EmulatedModem", Op, str], Lines | None]

COMMANDS: dict[str, Handler] = {}


def command(*names: str) -> Callable[[Handler], Handler]:
    """Enter a handler under these names."""

    def enter(handler: Handler) -> Handler:
        COMMANDS.update(dict.fromkeys(names, handler))
        return handler

    return enter
