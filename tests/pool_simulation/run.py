"""Run many schedules of the pool: ``make pool-simulation [SCHEDULES=n] [SEED=n]``; says which seed breaks what."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2] / "daemon")]

from pool_simulation.world import CATASTROPHES, Broken, World  # noqa: E402 - the path above leads to it


def main() -> int:
    """Run schedules until one breaks something; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1, help="of the first schedule; each next one has the next")
    args = parser.parse_args()
    began, ends = time.monotonic(), Counter[str]()
    kinds = ["", *(one.__name__ for one in CATASTROPHES)]
    submissions = 0
    for number in range(args.schedules):
        seed, often = args.seed + number, kinds[number % len(kinds)]
        world = World(seed, often=often)
        try:
            world.run()
        except Broken as broken:
            print(f"seed {seed}, often {often!r}: {broken}")
            return 1
        submissions += sum(len(times) for times in world.sent.values())
        ends.update(f"{one.dup} {one.state}" for one in world.hub.messages.values())
        if (number + 1) % 10_000 == 0:
            print(f"{number + 1} schedules, {time.monotonic() - began:.0f} s", flush=True)
    told = ", ".join(f"{count} {how}" for how, count in ends.most_common())
    last = args.seed + args.schedules - 1
    print(f"seeds {args.seed} to {last}: I1 to I5 hold; {submissions} times on air; {told}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
