"""Wait until the time is known, but not for long."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from modembank_box.errors import BoxError
from modembank_box.places import Places
from modembank_box.states import write_state

LONGEST_S = 45.0
"""A network and a time server are found within ten seconds, or not at all."""
STEP_S = 0.5
AGREES_S = 10.0
"""A clock on the board that differs by more is not where the present time came from."""
SAID = {
    "ntp": "the time comes from the network",
    "rtc": "the time comes from the clock on the board",
    "": "the time is not known: it is the last one that was written down, and may jump",
}


def run(places: Places, arguments: Sequence[str]) -> int:
    """Wait, say how it ended, and write it down as the state ``clock``; a time that is not known is no failure."""
    if arguments:
        message = "it takes no arguments"
        raise BoxError(message)
    began = time.monotonic()
    trusted = wait(places)
    _tell(places, trusted, time.monotonic() - began)
    return 0


def tell_at_once(places: Places, now: Callable[[], float] = time.time) -> bool:
    """Do the same before anything else runs, if the clock on the board shows the time; else return False.

    It does not where an earlier start has seen a later time: systemd-timesyncd.service(8) sets that a bit later.
    """
    try:
        seen = (places.root / "var/lib/systemd/timesync/clock").stat().st_mtime
    except OSError:
        seen = 0.0
    if seen > now() + AGREES_S or not _is_clocks(places.root / "sys/class/rtc/rtc0", now()):
        return False
    _tell(places, "rtc", 0.0)
    return True


def _tell(places: Places, trusted: str, waited_s: float) -> None:
    write_state(places.state("clock"), {"trusted": trusted, "waited_s": round(waited_s, 1)})
    sys.stdout.write(f"{SAID[trusted]}\n")


def wait(
    places: Places,
    now: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """Return once the time can be trusted whence it comes: "ntp" or "rtc"; after ``LONGEST_S`` ""."""
    end = monotonic() + LONGEST_S
    while True:
        if (places.root / "run/systemd/timesync/synchronized").exists():
            return "ntp"
        if _is_clocks(places.root / "sys/class/rtc/rtc0", now()):
            return "rtc"
        if monotonic() >= end:
            return ""
        sleep(STEP_S)


def _is_clocks(clock: Path, now: float) -> bool:
    """Tell whether the present time is that of a clock on the board.

    One without a battery starts in the past: then systemd has set a later time, and the two differ.
    """
    try:
        took, since = (clock / "hctosys").read_text("ascii"), int((clock / "since_epoch").read_text("ascii"))
    except (OSError, ValueError):
        return False
    return took.strip() == "1" and abs(since - now) < AGREES_S
