"""How the latest update goes: for everyone to read in ``update.json``, and for the next start on the data partition."""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from modembank_box.errors import BoxError
from modembank_box.places import Places
from modembank_box.release import is_older, running_release, tell_release
from modembank_box.states import read_state, write_state, write_whole

IDLE = "idle"
CHECKING = "checking"
INSTALLING = "installing"
INSTALLED = "installed"
TRIAL = "trial"
GOOD = "good"
REFUSED = "refused"
FAILED = "failed"
ROLLED_BACK = "rolled_back"
STATES = (IDLE, CHECKING, INSTALLING, INSTALLED, TRIAL, GOOD, REFUSED, FAILED, ROLLED_BACK)


@dataclass(frozen=True)
class Record:
    """An update: where it came from and where it goes, and how far it is."""

    state: str = IDLE
    id: str = ""
    by: str = ""
    at: str = ""
    reason: str = ""
    from_version: str = ""
    from_slot: str = ""
    from_schema: int = 0
    version: str = ""
    slot: str = ""
    """The one that is written."""
    restarted: bool = False
    """Whether the box was restarted into it."""
    code: str = ""
    """Why it did not work, in one word, where there is one."""


@dataclass(frozen=True)
class Well:
    """What was found well in a slot; ``schema`` is the number of the latest migration that its database may have."""

    version: str
    schema: int


def now() -> str:
    """Return the time, as RFC 3339 writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Progress:
    """The record of the latest update, and what is told of it."""

    def __init__(self, places: Places) -> None:
        """Nothing is read or written yet."""
        self._places = places
        self._folder = places.data / "update"

    @property
    def folder(self) -> Path:
        """Root's own folder on the data partition."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self._folder

    def record(self) -> Record:
        """Return what is known of the latest update."""
        told = read_state(self._folder / "record.json")
        known: dict[str, Any] = {}
        for each in fields(Record):
            value = told.get(each.name)
            if type(value) is type(each.default):
                known[each.name] = value
        record = Record(**known)
        return record if record.state in STATES else Record()

    def note(self, record: Record, **changes: Any) -> Record:
        """Keep a step over a power cut, and tell everyone."""
        changed = replace(record, at=now(), **changes)
        content = json.dumps(asdict(changed), indent=1).encode("ascii") + b"\n"
        write_whole(self.folder / "record.json", content, 0o600)
        self.tell(changed)
        return changed

    def tell(self, record: Record, percent: int | None = None) -> None:
        """Write what everyone may read; lost with the power."""
        shown = {
            "state": record.state,
            "percent": percent,
            "from_version": record.from_version,
            "version": record.version,
            "reason": record.reason,
            "code": record.code,
            "by": record.by,
            "at": record.at or now(),
            "id": record.id,
        }
        write_state(self._places.state("update"), shown)

    def tell_at_once(self) -> bool:
        """Tell what was started, and of the latest update, if nothing is to be tried or judged; else return False.

        Raises BoxError where this is no start of the image.
        """
        release, record = running_release(self._places), self.record()
        here = record.slot == release.slot
        resting = {GOOD: here, FAILED: not here, INSTALLING: False, INSTALLED: False, TRIAL: False}
        if not resting.get(record.state, True) or self.copy.exists():
            return False
        tell_release(self._places, release)
        self.tell(record)
        return True

    @property
    def copy(self) -> Path:
        """The folder with the copy of the database, while a new version is tried on it."""
        return self._places.data / "trial"

    def floor(self) -> str:
        """Return the newest version that was ever well on this box, below which none is installed."""
        return str(read_state(self._folder / "floor.json").get("version", ""))[:80]

    def raise_floor(self, version: str) -> None:
        """Note that ``version`` is well; a newer one that was well stays what counts."""
        if is_older(self.floor(), version):
            write_whole(self.folder / "floor.json", json.dumps({"version": version}).encode() + b"\n", 0o600)

    # -- what the slots hold

    def well(self, slot: str) -> Well | None:
        """Return what a slot holds, if that was well when it last ran and nothing was written there since."""
        told = read_state(self._folder / "slots.json").get(slot)
        version, schema = (told.get("version"), told.get("schema")) if isinstance(told, dict) else (None, None)
        return Well(version, schema) if isinstance(version, str) and isinstance(schema, int) else None

    def note_well(self, slot: str, well: Well) -> None:
        """Note that what a slot holds is well."""
        if self.well(slot) != well:
            self._keep_slots(read_state(self._folder / "slots.json") | {slot: asdict(well)})

    def forget_slot(self, slot: str) -> None:
        """Forget what a slot holds: it is about to be written."""
        if self.well(slot) is not None:
            self._keep_slots({**read_state(self._folder / "slots.json"), slot: None})

    def _keep_slots(self, slots: dict[str, Any]) -> None:
        write_whole(self.folder / "slots.json", json.dumps(slots).encode("ascii") + b"\n", 0o600)

    def postponed_until(self) -> str:
        """Return until when the box does not restart by itself; empty: it may."""
        return str(read_state(self._folder / "postponed.json").get("until", ""))[:40]

    def postpone(self, until: str) -> None:
        """Do not restart by itself before ``until`` (RFC 3339; empty: at any time)."""
        write_whole(self.folder / "postponed.json", json.dumps({"until": until}).encode() + b"\n", 0o600)

    def over(self) -> None:
        """Tell that what was under way is not any more, if whoever did it has ended without saying so."""
        told = read_state(self._places.state("update")).get("state")
        if told not in {CHECKING, INSTALLING}:
            return
        record = self.record()
        if record.state == INSTALLING:
            self.note(
                record,
                state=FAILED,
                reason="it was interrupted; the version that runs is as it was",
                code="interrupted",
            )
        else:
            self.tell(record)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let one program at a time deal with updates. Raises BoxError when another does."""
        self._places.run.mkdir(parents=True, exist_ok=True)
        with (self._places.run / "update.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                message = "another update is under way"
                raise BoxError(message) from error
            yield


def percent(line: str) -> int | None:
    """Return how far RAUC says it is, of a line such as `` 40% Copying image to system.1``."""
    match = re.match(r"\s*(\d{1,3})%", line)
    return min(int(match[1]), 100) if match else None


def free_octets(folder: Path) -> int:
    """Return how much may be written to the file system of a folder."""
    room = os.statvfs(folder)
    return room.f_bavail * room.f_frsize
