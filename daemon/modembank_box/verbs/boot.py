"""Answer RAUC, which asks and tells which slot is started (its custom boot loader backend).

``get-current``, ``get-primary``, ``set-primary SLOT``, ``get-state SLOT``, ``set-state SLOT good|bad``: RAUC's
documentation, *Integration*, *Custom*.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from modembank_box.boot_loader import SLOTS, boot_loader, running_slot
from modembank_box.errors import BoxError
from modembank_box.places import Places


def run(places: Places, arguments: Sequence[str]) -> int:
    """Carry out one question or command."""
    running = running_slot(places)
    loader = boot_loader(places, running)
    match [*arguments]:
        case ["get-current"]:
            answer = running
        case ["get-primary"]:
            answer = loader.primary()
        case ["get-state", slot] if slot in SLOTS:
            answer = "good" if loader.may_start(slot) else "bad"
        case ["set-primary", slot] if slot in SLOTS:
            loader.set_primary(slot)
            return 0
        case ["set-state", slot, "good"] if slot in SLOTS:
            loader.set_good(slot)
            return 0
        case ["set-state", slot, "bad"] if slot in SLOTS:
            loader.set_bad(slot)
            return 0
        case _:
            message = f"RAUC asks what is not known: {' '.join(arguments)}"
            raise BoxError(message)
    sys.stdout.write(f"{answer}\n")
    return 0
