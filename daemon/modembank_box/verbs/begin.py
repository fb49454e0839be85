"""What each start begins with: make the machine what box.toml says, and tell what is known without a wait.

One program does it all, since on a small computer it takes seconds to start one. What it cannot tell at once (a time
that has to come from the network, a certificate that has to be made, a new version that has to be tried) is left to the
units for that, which start only where its file is missing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial

from modembank_box.errors import BoxError
from modembank_box.first_boot.personalising import personalise
from modembank_box.places import Places
from modembank_box.progress import Progress
from modembank_box.served import Served
from modembank_box.verbs import clock


def run(places: Places, arguments: Sequence[str]) -> int:
    """Do it; what goes wrong with what is told stops no other part of it."""
    if arguments:
        message = "it takes no arguments"
        raise BoxError(message)
    personalise(places)
    at_once: tuple[Callable[[], bool], ...] = (
        partial(clock.tell_at_once, places),
        Served(places).put_again,
        Progress(places).tell_at_once,
    )
    for tell in at_once:
        try:
            tell()
        except (BoxError, OSError) as error:
            sys.stderr.write(f"modembank-box begin: {error}\n")
    return 0
