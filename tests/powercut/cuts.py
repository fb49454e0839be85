"""Where to cut, and the loop that cuts and judges."""

import asyncio
import itertools
import random
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from powercut.disk import Cut, Disk, lay_out
from powercut.recording import DATABASE, Kind, Operation
from powercut.verdict import Verdict
from powercut.workload import Recording

LOG = DATABASE + "-wal"


@dataclass(slots=True)
class Result:
    """What a run of cuts came to."""

    cuts: int = 0
    places: Counter[str] = field(default_factory=Counter)
    fates: Counter[str] = field(default_factory=Counter)
    violations: list[tuple[Cut, list[str]]] = field(default_factory=list)


def places(recording: Recording) -> list[str]:
    """Name, for each operation, the kind of place that a cut before it is."""
    stages = [(stage.at, stage.name) for stage in recording.witnesses.stages]
    opened: dict[int, str] = {}
    under_way, found = "", []
    for one in recording.trace.operations:
        if one.kind is Kind.OPEN:
            opened[one.handle] = one.path.rpartition("/")[2]
        name = opened.get(one.handle, "")
        found.append(_place(under_way, [stage for at, stage in stages if at <= one.at][-1]))
        under_way = _under_way(under_way, name, one)
    return found


def _under_way(before: str, name: str, one: Operation) -> str:
    """What the box is at after this operation: nothing, once it is synced."""
    if one.kind is Kind.SYNC:
        return ""
    if name == DATABASE and one.kind is Kind.WRITE:
        return "checkpoint"
    if name == LOG and one.kind is Kind.TRUNCATE:
        return "log emptied"
    if name == LOG and one.kind is Kind.WRITE:
        return "log starts over" if one.value == 0 else (before or "commit")
    return before or ("other file" if name and name not in (DATABASE, LOG) else "")


def _place(under_way: str, stage: str) -> str:
    if stage in ("first start", "upgrade", "restart"):
        return stage
    return under_way or ("stop" if stage == "stop" else "between")


def choose(recording: Recording, count: int, seed: int) -> list[int]:
    """Return operations to cut before: half of them anywhere, half by turns in every kind of place."""
    chance = random.Random(seed)
    every = range(1, len(recording.trace) + 1)
    chosen = set(chance.sample(every, min(count // 2, len(every))))
    by_place: dict[str, list[int]] = {}
    for at, place in enumerate(places(recording)):
        if at and at not in chosen:
            by_place.setdefault(place, []).append(at)
    for left in by_place.values():
        chance.shuffle(left)
    for left in itertools.cycle(list(by_place.values())):
        if len(chosen) >= min(count, len(every)):
            break
        if left:
            chosen.add(left.pop())
    return sorted(chosen)


def run(recording: Recording, ats: Iterable[int], seed: int, scratch: Path, *, lies: bool = False) -> Result:
    """Cut at each of these places and judge; what fails stays below ``scratch``."""
    return asyncio.run(_run(recording, [Cut.of(seed, at) for at in sorted(ats)], scratch, lies))


async def _run(recording: Recording, cuts: Sequence[Cut], scratch: Path, lies: bool) -> Result:
    result, verdict = Result(), Verdict(recording.witnesses)
    names = [*places(recording), "ended"]
    for cut, image in images(recording, cuts, lies=lies):
        folder = scratch / f"seed-{cut.seed}-at-{cut.at}"
        lay_out(image, folder)
        problems = await verdict.of(folder, cut)
        result.cuts += 1
        result.places[names[cut.at]] += 1
        result.fates[f"{cut.fate}, {cut.folders} folders"] += 1
        shutil.rmtree(folder)
        if problems:
            lay_out(image, folder)  # as it was before the box was opened
            result.violations.append((cut, problems))
    return result


def images(recording: Recording, cuts: Iterable[Cut], *, lies: bool = False) -> Iterator[tuple[Cut, dict]]:
    """Play the recording once and yield what each cut (in order) leaves."""
    disk = Disk(recording.trace.operations, recording.root, lies=lies)
    for cut in cuts:
        disk.advance(cut.at)
        yield cut, disk.image(cut)
