"""``python -m modembank.mailings.reader_process``: the reading process, with no more loaded than it needs.

The packages below load all of the box when any part of them is imported, which takes longer than reading most files:
they are put in place empty. What the reader imports of them are modules without I/O.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

LEFT_EMPTY = ("messages", "modem")


def leave_empty(*names: str) -> None:
    """Put packages of the product in place without running them; their modules can be imported."""
    for name in names:
        package = ModuleType(f"modembank.{name}")
        package.__path__ = [str(Path(__file__).parents[1] / name)]
        sys.modules[package.__name__] = package


if __name__ == "__main__":  # pragma: no cover - runs in a process of its own
    leave_empty(*LEFT_EMPTY)
    from modembank.mailings.reader import main

    main()
