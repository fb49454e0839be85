"""Data a command asks for with the prompt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class Entry:
    """`accept` takes the text at Ctrl-Z, `cancel` runs at ESC, `touch` sees the first byte and may end it."""

    accept: Callable[[str], None]
    cancel: Callable[[], None]
    touch: Callable[[], bool] | None = None
