"""Make the machine what box.toml on the boot partition says; at every start.

A part of the file that has a mistake counts as it last was right, and as if it were not there where it never was.
"""

from __future__ import annotations

import contextlib
import dataclasses
import grp
import json
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from modembank_box.first_boot.files import HOSTNAME, File, files
from modembank_box.first_boot.hub import hand_over, take_token
from modembank_box.first_boot.mistakes import Mistake
from modembank_box.first_boot.reading import Read, read
from modembank_box.first_boot.rules import PARTS, judge
from modembank_box.places import Places
from modembank_box.states import read_state, write_state, write_whole


def personalise(places: Places) -> None:
    """Apply the owner's file and tell of its mistakes; they are no failure, since the box starts all the same."""
    found = read(places.boot)
    parts, mistakes = judge(found)
    mistakes += _set_down_hub(places, found, parts)
    hand_over(places)
    kept = _remembered(places, found, parts, mistakes)
    _apply(places, kept | parts)
    state = {
        "applied": not mistakes,
        "file": found.path.name if found.path else None,
        "kept": sorted(kept),
        "mistakes": [dataclasses.asdict(mistake) for mistake in mistakes],
    }
    write_state(places.state("personal"), state)
    for mistake in mistakes:
        sys.stderr.write(f"box.toml: {mistake}. {mistake.way_out}\n")


def _set_down_hub(places: Places, found: Read, parts: dict[str, Any]) -> list[Mistake]:
    """Take the token, but not where nothing is kept: then it stays for a better day."""
    hub = parts.pop("hub", {})
    if "token" not in hub or read_state(places.state("data")).get("state") == "in_memory":
        return []
    return take_token(places, found, hub)


def _remembered(places: Places, found: Read, parts: Mapping[str, Any], mistakes: Sequence[Mistake]) -> dict[str, Any]:
    """Return the parts that count as they last were right; and note which are right now."""
    memory = places.data / "box/personal.json"
    last = read_state(memory)
    if found.content is None:
        wrong = set(PARTS) if found.path else set()
    else:
        wrong = {mistake.field.partition(".")[0] for mistake in mistakes}
    kept = {part: value for part, value in last.items() if part in wrong and part not in parts}
    now = kept | dict(parts)
    if now != last:
        # Passphrases are among it.
        write_whole(memory, json.dumps(now).encode(), 0o600)
    return kept


def _apply(places: Places, parts: Mapping[str, Any]) -> None:
    for name, file in files(parts).items():
        _put(places.root / name, file)
    zone = parts.get("timezone", "Etc/UTC")
    link = places.etc / "localtime"
    beside = link.with_name(".localtime.new")
    beside.unlink(missing_ok=True)
    beside.symlink_to(f"../usr/share/zoneinfo/{zone}")
    beside.replace(link)
    if places.root == Path("/"):
        socket.sethostname(parts.get("hostname", HOSTNAME))


def _put(path: Path, file: File | None) -> None:
    if file is None:
        path.unlink(missing_ok=True)
        return
    write_whole(path, file.text.encode(), file.mode)
    if file.daemons:
        with contextlib.suppress(KeyError, PermissionError):
            os.chown(path, 0, grp.getgrnam("modembank").gr_gid)
