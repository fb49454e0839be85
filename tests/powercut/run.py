"""Cut the power often and judge what is left: ``python tests/powercut/run.py --cuts 1500 --seed 1``."""

import argparse
import logging
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import structlog

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from powercut.cuts import Result, choose, run
from powercut.workload import Plan, load, record

MEMORY = Path("/dev/shm")


def main() -> int:
    """Record and cut, or repeat one cut of a recording; return 1 when something promised was gone."""
    options = _options()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    top = Path(tempfile.mkdtemp(prefix="powercut-", dir=MEMORY if MEMORY.is_dir() else None))
    broken = 0
    try:
        if options.replay is not None:
            broken = _repeat(options, top)
        else:
            for turn in range(options.recordings):
                share = options.cuts // options.recordings + (turn < options.cuts % options.recordings)
                broken += _record_and_cut(options.seed + turn, share, top / f"recording-{options.seed + turn}")
    finally:
        if broken:
            print(f"kept in {top}: the recordings, and each image that failed as the box found it")
        else:
            shutil.rmtree(top)
    return int(bool(broken))


def _record_and_cut(seed: int, count: int, folder: Path) -> int:
    folder.mkdir()
    began = time.monotonic()
    recording = record(folder, seed, Plan(first_release=seed % 2 == 0))
    recorded = time.monotonic()
    print(f"seed {seed}: {len(recording.trace)} operations of the disk recorded in {recorded - began:.0f} s")
    result = run(recording, choose(recording, count, seed), seed, folder / "images")
    _tell(result, time.monotonic() - recorded, folder)
    return len(result.violations)


def _repeat(options: argparse.Namespace, top: Path) -> int:
    recording = load(options.replay)
    if options.at is not None and not 1 <= options.at <= len(recording.trace):
        sys.exit(f"--at {options.at}: this recording has the places 1 to {len(recording.trace)}")
    ats = [options.at] if options.at is not None else choose(recording, options.cuts, options.seed)
    began = time.monotonic()
    result = run(recording, ats, options.seed, top / "images")
    _tell(result, time.monotonic() - began, options.replay)
    return len(result.violations)


def _tell(result: Result, seconds: float, folder: Path) -> None:
    print(f"  {result.cuts} cuts in {seconds:.0f} s ({result.cuts / seconds:.0f} a second)")
    for title, counts in (("place", result.places), ("kept of what was not synced", result.fates)):
        print(f"  by {title}:")
        for name, count in Counter(counts).most_common():
            print(f"    {count:6} {name}")
    for cut, problems in result.violations:
        print(f"  BROKEN: {cut} (again: --replay {folder} --seed {cut.seed} --at {cut.at})")
        for problem in problems[:10]:
            print(f"    {problem}")
    print(f"  {len(result.violations)} of {result.cuts} cuts broke a promise")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cuts", type=int, default=500, help="how many, over all recordings")
    parser.add_argument("--seed", type=int, default=1, help="of the first recording; each further one counts up")
    parser.add_argument("--recordings", type=int, default=1, help="each is another life of a box")
    parser.add_argument("--replay", type=Path, help="cut this recording again instead of making one")
    parser.add_argument("--at", type=int, help="with --replay: only the cut before this operation")
    options = parser.parse_args()
    if options.replay is None and options.at is not None:
        parser.error("--at needs --replay: another recording has other places")
    if options.replay is not None and not (options.replay / "trace").is_file():
        parser.error(f"--replay {options.replay}: there is no recording")
    return options


if __name__ == "__main__":
    sys.exit(main())
