"""What a start costs the processor before anything is done: imports against those of the web framework alone, records.

Run: ``python tests/bench/bench_start.py [--times 7]``. Imports are processes of their own, in turns;
the shortest counts.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import timeit
from collections.abc import Callable

import msgspec
from report import Report, verdict

DAEMON = "from modembankd.garbage import look_rarely; look_rarely(); import modembankd.daemon"
FRAMEWORK = "import asyncio, litestar, litestar.contrib.jinja, uvicorn"
MOST_TIMES = 4.0
"""What the daemon with all it wires may take of the framework's time."""
LEAST_TIMES = 10.0
"""How much sooner a Struct is made than a dataclass."""
FIELDS = [("a", int), ("b", str), ("c", str, ""), ("d", int, 0), ("e", int, 0), ("f", int | None, None)]
"""Of the record that is made either way, with their defaults."""


def spent_s(program: str) -> tuple[float, float]:
    """Return what a Python took to carry out ``program``: seconds of the processor, and memory in MB (10^6 octets)."""
    child = os.posix_spawn(sys.executable, [sys.executable, "-c", program], os.environ)
    _, status, usage = os.wait4(child, 0)
    if status:
        sys.exit(f"failed: {program}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6


def as_dataclass() -> type:
    """Make a class of these fields."""
    return dataclasses.make_dataclass("Record", FIELDS, frozen=True, slots=True)


def as_struct() -> type:
    """Make the same."""
    return msgspec.defstruct("Record", FIELDS, frozen=True)


def micros(do: Callable[[], object], number: int) -> float:
    """Return how long something takes, the shortest of five."""
    return min(timeit.repeat(do, number=number, repeat=5)) / number * 1e6


def main() -> int:
    """Measure and print; return how many goals were missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=7)
    times = parser.parse_args().times
    report, missed = Report("start"), 0
    turns = [(spent_s("pass"), spent_s(FRAMEWORK), spent_s(DAEMON)) for _ in range(times)]
    bare, framework, daemon = (min(found[index] for found in turns) for index in range(3))
    for name, (seconds, memory) in (("Python alone", bare), ("the web framework", framework), ("the daemon", daemon)):
        report.row(f"importing: {name}", f"{seconds:.2f} s, {memory:.0f} MB")
    ratio = (daemon[0] - bare[0]) / (framework[0] - bare[0])
    missed += ratio > MOST_TIMES
    report.row("the daemon to the framework", f"{ratio:.1f}", verdict(ratio <= MOST_TIMES, f"at most {MOST_TIMES:g}"))
    made = micros(as_dataclass, 50), micros(as_struct, 50)
    ratio = made[0] / made[1]
    missed += ratio < LEAST_TIMES
    report.row("a class: dataclass, Struct", f"{made[0]:.0f} us, {made[1]:.0f} us")
    report.row("ratio", f"{ratio:.0f}", verdict(ratio >= LEAST_TIMES, f"at least {LEAST_TIMES:g}"))
    one, other = as_dataclass(), as_struct()
    used = micros(lambda: one(1, "b"), 20000), micros(lambda: other(1, "b"), 20000)
    report.row("an instance of it", f"{used[0]:.2f} us, {used[1]:.2f} us")
    report.row("ratio", f"{used[0] / used[1]:.1f}")
    return missed


if __name__ == "__main__":
    sys.exit(main())
