"""A box with the cards lan0 and modem0, each with a network namespace at its other end."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

FAR = {"lan0": "lan", "modem0": "modem"}


def run(*command: str | Path, inside: str = "") -> str:
    there = ["ip", "netns", "exec", inside] if inside else []
    done = subprocess.run([*there, *command], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise SystemExit(f"{command}: {done.stdout}{done.stderr}")
    return done.stdout


def lay_out(files: Path) -> None:
    """Make the cards in this process's own namespaces; the machine's /run and /sys are not to be seen."""
    run("mount", "-t", "tmpfs", "tmpfs", "/run")
    run("mount", "-t", "sysfs", "sysfs", "/sys")
    Path("/run/netns").mkdir()
    harden(files)
    run("ip", "link", "set", "lo", "up")
    for card, far in FAR.items():
        run("ip", "netns", "add", far)
        run("ip", "link", "add", card, "type", "veth", "peer", "name", "eth0", "netns", far)
        run("ip", "-n", far, "link", "set", "lo", "up")
        run("ip", "-n", far, "link", "set", "eth0", "up")


def harden(files: Path) -> None:
    """Set of the image's kernel settings those of this network: all others are of the whole machine, and stay."""
    for line in (files / "usr/lib/sysctl.d/60-modembank.conf").read_text().splitlines():
        if found := re.fullmatch(r"(net\.ipv[46]\.\S+) = (\d+)", line):
            Path("/proc/sys", found[1].replace(".", "/")).write_text(found[2])
