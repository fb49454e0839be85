"""Show on the terminal who the box is and how it is; drawn anew when something changes or Enter is pressed."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Sequence

from modembank_box.console.facts import Gatherer
from modembank_box.console.screen import drawn
from modembank_box.places import Places

LOOK_EVERY_S = 5


def run(places: Places, arguments: Sequence[str]) -> int:
    """Draw until the terminal goes; with ``--once`` only once."""
    gatherer = Gatherer(places)
    shown = ""
    while True:
        now = drawn(gatherer.look())
        if now != shown:
            sys.stdout.write(now)
            sys.stdout.flush()
            shown = now
        if "--once" in arguments:
            return 0
        pressed, _, _ = select.select([sys.stdin], [], [], LOOK_EVERY_S)
        if pressed:
            if not os.read(sys.stdin.fileno(), 4096):
                return 0
            shown = ""
