"""Failpoints: nothing happens unless one is armed, and then the process dies exactly there, at the arrival named."""

import signal
import subprocess
import sys

import pytest

from modembank import failpoints
from modembank.failpoints import VARIABLE, Failpoint, reach

ARRIVE = (
    "from modembank.failpoints import Failpoint, reach\n"
    "for number in range(1, 5):\n"
    "    reach(Failpoint.FOLDED)\n"
    "    reach(Failpoint.CHECKPOINT)\n"
    "    print(number, flush=True)\n"
)


def arrivals(armed):
    environment = {} if armed is None else {VARIABLE: armed}
    run = subprocess.run(
        [sys.executable, "-c", ARRIVE], env=environment, capture_output=True, text=True, check=False, timeout=30
    )
    return run.stdout.split(), run.returncode


@pytest.mark.parametrize(
    ("armed", "reached"),
    [("folded", 0), ("folded:1", 0), ("folded:3", 2), ("checkpoint:4", 3)],
)
def test_the_process_dies_at_the_arrival_named(armed, reached):
    printed, status = arrivals(armed)
    assert (len(printed), status) == (reached, -signal.SIGKILL)


@pytest.mark.parametrize("armed", [None, "", "folded:5", "ctrl_z_written"])
def test_nothing_else_ends_it(armed):
    assert arrivals(armed) == (["1", "2", "3", "4"], 0)


@pytest.mark.parametrize("armed", ["nowhere", "folded:often"])
def test_a_place_that_is_none_is_refused_at_the_start(armed):
    printed, status = arrivals(armed)
    assert printed == []
    assert status == 1


def test_in_service_nothing_is_armed():
    assert failpoints._armed.point is None
    for point in Failpoint:
        reach(point)


def test_every_place_is_in_the_code():
    from pathlib import Path

    sources = Path(failpoints.__file__).parents[1].rglob("*.py")
    text = "".join(path.read_text("utf-8") for path in sources)
    assert [point.name for point in Failpoint if f"reach(Failpoint.{point.name})" not in text] == []
