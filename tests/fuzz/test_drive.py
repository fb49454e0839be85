"""The coverage-guided driver, as far as it needs no fuzzer: reading a log, keeping a crash, and what it prints."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fuzz import drive, targets
from fuzz.drive import Outcome, main, outcome_of

LOG = b"""INFO: Seed: 1
#2\tINITED cov: 90 ft: 90 corp: 1/1b exec/s: 0 rss: 40Mb
#3377\tNEW    cov: 388 ft: 1200 corp: 109/21Kb lim: 728 exec/s: 892 rss: 85Mb L: 82/678 MS: 1 EraseBytes-
#70185\tDONE   cov: 396 ft: 1404 corp: 115/21Kb lim: 746 exec/s: 886 rss: 85Mb
Done 70185 runs in 20 second(s)
"""


def test_the_last_count_of_a_log_is_told(tmp_path: Path) -> None:
    outcome = outcome_of("tpdu", 20, LOG, tmp_path)
    assert outcome == Outcome("tpdu", 70185, 20, 396, 115, None)
    assert outcome.line().split() == [
        "tpdu", "70185", "executions", "3509/s", "396", "edges", "115", "inputs", "kept", "no", "crash",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["crash", "timeout", "oom", "slow-unit"])
def test_what_breaks_is_kept_under_a_lasting_name(tmp_path: Path, kind: str) -> None:
    crashes = tmp_path / "crashes"
    crashes.mkdir()
    written = tmp_path / f"tpdu-{kind}-f58b5df6b1c9cd3c3b0ac2b14f7d84e9e52148f1"
    written.write_bytes(b"\x00\x01")
    log = LOG + f"artifact_prefix='{tmp_path}/tpdu-'; Test unit written to {written}\n".encode()
    outcome = outcome_of("tpdu", 20, log, crashes)
    assert outcome.crash == crashes / "tpdu-f58b5df6b1c9.bin"
    assert outcome.crash.read_bytes() == b"\x00\x01"
    assert not written.exists()
    assert "CRASH" in outcome.line()


def test_a_fuzzer_that_did_not_start_is_no_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without atheris the child ends at once: that must not look like a run without findings."""
    monkeypatch.setattr(drive, "CORPUS", tmp_path / "corpus")
    monkeypatch.setattr(sys, "argv", ["drive.py", "--target", "tpdu", "--seconds", "1"])
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert main() == 1
    said = capsys.readouterr().out
    assert "0 executions" in said
    assert str(tmp_path / "corpus" / "tpdu.log") in said


def test_an_unknown_target_is_refused_with_the_names_there_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["drive.py", "--target", "tpud"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "no target tpud; there are: at_engine, " in capsys.readouterr().err


def test_crashes_belong_to_their_target_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "CRASHES", tmp_path)
    for name in ("text-1.bin", "text-0.bin", "tpdu-0.bin", "text-0.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in targets.TARGETS["text"].crashes()] == ["text-0.bin", "text-1.bin"]


def test_every_crash_that_is_kept_has_a_target() -> None:
    kept = sorted(drive.CRASHES.glob("*.bin"))
    assert kept == sorted(path for target in targets.TARGETS.values() for path in target.crashes())
