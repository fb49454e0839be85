"""How a role that runs in the foreground is told to end."""

from __future__ import annotations

import asyncio
import signal


def when_told() -> asyncio.Event:
    """Return what is set once SIGTERM or SIGINT (Ctrl-C) comes; to be called on the loop that is to end."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    return stopping
