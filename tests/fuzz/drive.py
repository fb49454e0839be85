"""The coverage-guided driver: ``make fuzz [SECONDS=600] [TARGET=name]``.

Gives every target an equal share of the time, each in a process of its own under atheris (libFuzzer for Python). What
reached new code is kept in an ignored folder and is where the next run starts. An input that breaks a promise is
written to ``tests/fuzz/crashes`` and ends that target's share.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CORPUS = ROOT / ".fuzz"
CRASHES = HERE / "crashes"
INSTRUMENTED = ["modembank", "modembankd", "modembank_web", "modembank_emulator"]
STUCK_S = 30
"""One input that takes longer is a finding too."""
MOST_MB = 1024
_DONE = re.compile(rb"^#(\d+)\s+\S+\s+cov: (\d+) ft: \d+ corp: (\d+)", re.MULTILINE)
_FOUND = re.compile(rb"Test unit written to (\S+)")


@dataclass(frozen=True)
class Outcome:
    """What one target's share came to."""

    name: str
    executions: int
    seconds: float
    edges: int
    corpus: int
    crash: Path | None

    def line(self) -> str:
        """As it is printed."""
        rate = self.executions / self.seconds if self.seconds else 0
        what = f"CRASH {self.crash}" if self.crash else "no crash"
        return (
            f"{self.name:<18}{self.executions:>10} executions {rate:>8.0f}/s {self.edges:>6} edges "
            f"{self.corpus:>5} inputs kept  {what}"
        )


def outcome_of(name: str, seconds: float, log: bytes, crashes: Path = CRASHES) -> Outcome:
    """Read libFuzzer's log; a crash is moved to its lasting name, ``<target>-<sha>.bin``."""
    lines = _DONE.findall(log)
    executions, edges, corpus = (int(value) for value in lines[-1]) if lines else (0, 0, 0)
    found = _FOUND.search(log)
    crash = None
    if found is not None:
        written = Path(found[1].decode())
        crash = written.rename(crashes / f"{name}-{written.name.rpartition('-')[2][:12]}.bin")
    return Outcome(name, executions, seconds, edges, corpus, crash)


def run_one(name: str, seconds: int) -> None:
    """Fuzz one target in this process; does not return."""
    import atheris

    with atheris.instrument_imports(include=INSTRUMENTED):
        from fuzz.targets import TARGETS
    import structlog

    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())  # thousands of lines in a second help nobody
    target = TARGETS[name]
    corpus, seeds = CORPUS / name, CORPUS / f"{name}.seeds"
    for folder in (corpus, seeds):
        folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate([*target.seeds(), *(path.read_bytes() for path in target.crashes())]):
        (seeds / f"{number:04}").write_bytes(seed)
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={target.longest}",
        f"-timeout={STUCK_S}",
        f"-rss_limit_mb={MOST_MB}",
        f"-artifact_prefix={CORPUS}/{name}-",
        "-print_final_stats=0",
    ]
    with target.open() as run:
        atheris.Setup([sys.argv[0], *options, str(corpus), str(seeds)], run, internal_libfuzzer=True)
        atheris.Fuzz()


def fuzz(name: str, seconds: int) -> Outcome:
    """Give one target a process of its own for so long."""
    CORPUS.mkdir(exist_ok=True)
    CRASHES.mkdir(exist_ok=True)
    log = CORPUS / f"{name}.log"
    with tempfile.TemporaryDirectory() as scratch, log.open("wb") as said:
        paths = [str(ROOT / "daemon"), str(ROOT / "web"), str(HERE.parent)]
        subprocess.run(
            [sys.executable, __file__, "--one", name, "--seconds", str(seconds)],
            env={**os.environ, "TMPDIR": scratch, "PYTHONPATH": os.pathsep.join(paths)},
            stdout=said,
            stderr=subprocess.STDOUT,
            check=False,
        )
    return outcome_of(name, seconds, log.read_bytes())


def main() -> int:
    """Fuzz what is asked for and print one line for each target; 1 when something broke."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=600, help="for all targets together")
    parser.add_argument("--target", default="", help="one of them; all by default")
    parser.add_argument("--one", default="", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        run_one(given.one, given.seconds)
    sys.path.insert(0, str(HERE.parent))
    from fuzz.targets import TARGETS

    if given.target and given.target not in TARGETS:
        parser.error(f"no target {given.target}; there are: {', '.join(TARGETS)}")
    names = [given.target] if given.target else list(TARGETS)
    outcomes = []
    for name in names:
        outcome = fuzz(name, max(1, given.seconds // len(names)))
        print(outcome.line(), flush=True)
        outcomes.append(outcome)
        if outcome.crash is not None or outcome.executions == 0:
            print(f"    what happened: {CORPUS / name}.log")
            print(f"    once more: .venv/bin/pytest -q tests/fuzz -k 'crash and {name}'")
    return int(any(outcome.crash is not None or outcome.executions == 0 for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
