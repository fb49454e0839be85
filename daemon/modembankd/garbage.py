"""When Python's cyclic garbage collector looks: it stops all threads for as long as it walks."""

from __future__ import annotations

import gc

GARBAGE_OBJECTS = 10_000
"""New containers that are worth a look for cycles; nearly all garbage is freed without."""


def look_rarely() -> None:
    """Have it look less often; best before everything is loaded, of which nothing is garbage."""
    gc.set_threshold(GARBAGE_OBJECTS, 10, 10)


def spare_what_stays() -> None:
    """Keep it from walking through all that is there now: that would be 50 ms each time."""
    gc.collect()
    gc.freeze()
