"""Plugged in, pulled out, swapped: udev's own events reach the bank, in a process whose USB is mocked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.udev
def test_on_a_mocked_usb() -> None:
    command = ["umockdev-wrapper", sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider"]
    run = subprocess.run(
        [*command, str(HERE / "under_umockdev.py")], cwd=HERE.parents[1], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "4 passed" in run.stdout
