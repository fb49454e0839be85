"""What is wrong in the owner's file: where, why, and what would be right."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mistake:
    """One mistake; ``line`` is 0 where it is in none in particular, ``field`` empty where it is the file's."""

    line: int
    field: str
    reason: str
    way_out: str = ""

    def __str__(self) -> str:
        """Return it as one line for a console."""
        where = f"line {self.line}: " if self.line else ""
        return f"{where}{f'{self.field} ' if self.field else ''}{self.reason}"


class Wrong(Exception):
    """Raised by the check of a value: why it cannot be, and what to write instead."""

    def __init__(self, reason: str, way_out: str = "") -> None:
        """``reason`` goes on after the field's name, ``way_out`` is a sentence."""
        super().__init__(reason)
        self.reason = reason
        self.way_out = way_out
