"""``make bench``: run all benchmarks, or those named: ``make bench ARGS="peer latency"``."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ORDER = ("latency", "peer", "accepts", "bank")


def main() -> int:
    """Run each in a process of its own, so that none inherits another's warm caches; return how many failed."""
    wanted = sys.argv[1:] or ORDER
    unknown = [name for name in wanted if not (HERE / f"bench_{name}.py").exists()]
    if unknown:
        print(f"no such benchmark: {', '.join(unknown)}; there are: {', '.join(ORDER)}")
        return 2
    return sum(
        subprocess.run([sys.executable, HERE / f"bench_{name}.py"], check=False).returncode != 0 for name in wanted
    )


if __name__ == "__main__":
    sys.exit(main())
