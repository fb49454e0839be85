"""``make bench``: run all benchmarks, or those named: ``make bench ARGS="peer latency"``."""

import contextlib
import subprocess
import sys
from pathlib import Path

from processes import end

HERE = Path(__file__).resolve().parent
ORDER = ("latency", "peer", "accepts", "bank", "faults", "lists", "pages")


def main() -> int:
    """Run each in a process of its own, so that none inherits another's warm caches; return how many failed."""
    wanted = sys.argv[1:] or ORDER
    unknown = [name for name in wanted if not (HERE / f"bench_{name}.py").exists()]
    if unknown:
        print(f"no such benchmark: {', '.join(unknown)}; there are: {', '.join(ORDER)}")
        return 2
    return sum(run(name) != 0 for name in wanted)


def run(name: str) -> int:
    """Run one to its end; when we are ended first, it ends the processes that it started."""
    process = subprocess.Popen([sys.executable, HERE / f"bench_{name}.py"], text=True)
    try:
        return process.wait()
    finally:
        end(process, within_s=60)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(130)
