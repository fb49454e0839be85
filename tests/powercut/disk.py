"""The disk under the recording: what of it is there after the power was cut, and what may be.

Of a file, everything written before its last sync began is there. Each later write (and change of size) is there, or is
not, or was torn at sectors of 512 octets, independently of all others. Of a folder's entries see Namespace.
"""

import enum
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from powercut.recording import CREATED, DIRECTORY, Kind, Operation, Trace

SECTOR = 512


class Fate(enum.StrEnum):
    """What becomes of what was not synced."""

    CHANCE = "chance"
    """Each write is kept, dropped or torn."""
    NOTHING = "nothing"
    EVERYTHING = "everything"
    ONLY_THE_LAST = "only the last"
    ALL_BUT_THE_FIRST = "all but the first"


class Folders(enum.StrEnum):
    """What a sync does for names."""

    STRICT = "strict"
    """POSIX: only a sync of the folder keeps its entries; without it each change of a name is kept or not."""
    ORDERED = "ordered"
    """ext4: names change in order, and the sync of a file whose name is not kept yet keeps all changes before it."""


@dataclass(frozen=True, slots=True)
class Cut:
    """One power cut: before operation ``at``; everything else follows from it and the seed."""

    seed: int
    at: int
    fate: Fate
    folders: Folders

    @classmethod
    def of(cls, seed: int, at: int) -> "Cut":
        chance = random.Random(f"{seed}:{at}")
        fate = chance.choice([Fate.CHANCE] * 4 + [fate for fate in Fate if fate is not Fate.CHANCE])
        return cls(seed, at, fate, chance.choice(list(Folders)))

    def chance(self) -> random.Random:
        return random.Random(f"{self.seed}:{self.at}:{self.fate}:{self.folders}")

    def __str__(self) -> str:
        return f"seed {self.seed}, cut at {self.at}, keeping {self.fate}, {self.folders} folders"


@dataclass(slots=True)
class Node:
    """A file or folder: its content as it is surely on the disk, and the operations that are not."""

    folder: bool = False
    content: bytearray = field(default_factory=bytearray)
    pending: list[Operation] = field(default_factory=list)

    def settle(self, before: int) -> None:
        """A sync that began at operation ``before`` has ended."""
        late = next((place for place, one in enumerate(self.pending) if one.at >= before), len(self.pending))
        for one in self.pending[:late]:
            apply(self.content, one)
        del self.pending[:late]


@dataclass(frozen=True, slots=True)
class Renaming:
    """A change of entries that is made as a whole: these paths now lead there (None: nowhere)."""

    at: int
    entries: tuple[tuple[str, Node | None], ...]

    @property
    def paths(self) -> set[str]:
        return {path for path, _ in self.entries}


class Namespace:
    """The entries of all folders, of which some are not surely on the disk."""

    def __init__(self, folders: Folders, root: str) -> None:
        self._folders = folders
        self._kept: dict[str, Node] = {root: Node(folder=True)}
        self._pending: list[Renaming] = []

    def change(self, change: Renaming) -> None:
        self._pending.append(change)

    def synced(self, path: str, node: Node, before: int) -> None:
        """A file or folder, opened under this path, was synced; the sync began at operation ``before``."""
        if self._folders is Folders.STRICT:
            settled = [
                one
                for one in self._pending
                if node.folder and one.at < before and any(str(PurePath(each).parent) == path for each in one.paths)
            ]
        else:
            reach = before if node.folder else self._first_name_of(node, before)
            settled = [one for one in self._pending if one.at < reach]
        for one in settled:
            enter(self._kept, one)
            self._pending.remove(one)

    def entries(self, fate: Fate, chance: random.Random) -> dict[str, Node]:
        """Return what the folders may hold after a cut."""
        kept = dict(self._kept)
        lost: set[str] = set()
        ordered = self._folders is Folders.ORDERED
        most = chance.randrange(len(self._pending) + 1)
        for place, one in enumerate(self._pending):
            if fate is Fate.NOTHING:
                keeps = False
            elif fate is Fate.EVERYTHING:
                keeps = True
            else:
                keeps = place < most if ordered else chance.random() < 0.5
            if keeps and not lost & one.paths:
                enter(kept, one)
            else:
                lost |= one.paths
        return {path: node for path, node in kept.items() if _is_reachable(path, kept)}

    def _first_name_of(self, node: Node, before: int) -> int:
        names = [one.at for one in self._pending if one.at < before and any(node is to for _, to in one.entries)]
        return max(names) + 1 if names else 0


class Disk:
    """Plays the operations one by one; ``image`` is what a cut at the place reached may leave."""

    def __init__(self, operations: Sequence[Operation], root: str, *, lies: bool = False) -> None:
        """``lies``: the disk confirms a sync and does nothing."""
        self._operations = operations
        self._root = root
        self._lies = lies
        self._at = 0
        self._live: dict[str, Node] = {root: Node(folder=True)}
        self._open: dict[int, tuple[str, Node]] = {}
        self._names = {folders: Namespace(folders, root) for folders in Folders}

    def advance(self, at: int) -> None:
        """Play all operations before ``at``; there is no way back."""
        assert at >= self._at
        for one in self._operations[self._at : at]:
            self._play(one)
        self._at = at

    def image(self, cut: Cut) -> dict[str, bytes | None]:
        """Return files with their content, and folders (None), by their path below the root."""
        assert cut.at == self._at
        chance = cut.chance()
        entries = self._names[cut.folders].entries(cut.fate, chance)
        pending = sorted({one.at for node in entries.values() for one in node.pending})
        likely = chance.choice((0.1, 0.5, 0.9))
        found: dict[str, bytes | None] = {}
        for path in sorted(entries):
            node = entries[path]
            name = str(PurePath(path).relative_to(self._root))
            found[name] = None if node.folder else _content(node, cut.fate, pending, likely, chance)
        return found

    def whole(self) -> dict[str, bytes | None]:
        """Return what is there when nothing is lost."""
        found: dict[str, bytes | None] = {}
        for path, node in self._live.items():
            content = bytearray(node.content)
            for one in node.pending:
                apply(content, one)
            found[str(PurePath(path).relative_to(self._root))] = None if node.folder else bytes(content)
        return found

    def _play(self, one: Operation) -> None:
        match one.kind:
            case Kind.OPEN:
                self._opened(one)
            case Kind.WRITE | Kind.TRUNCATE:
                self._open[one.handle][1].pending.append(one)
            case Kind.SYNC if not self._lies:
                path, node = self._open[one.handle]
                node.settle(one.value)
                for names in self._names.values():
                    names.synced(path, node, one.value)
            case Kind.CLOSE:
                del self._open[one.handle]
            case Kind.MKDIR:
                self._change(one, (one.path, Node(folder=True)))
            case Kind.RENAME:
                self._change(one, (one.path, None), (one.data.decode(), self._live[one.path]))
            case Kind.LINK:
                self._change(one, (one.data.decode(), self._live[one.path]))
            case Kind.UNLINK | Kind.RMDIR if one.path in self._live:  # a socket is made by bind, which is not recorded
                self._change(one, (one.path, None))

    def _opened(self, one: Operation) -> None:
        if one.path not in self._live:
            assert one.value & CREATED, f"{one.path} was there before the recording"
            self._change(one, (one.path, Node(folder=bool(one.value & DIRECTORY))))
        self._open[one.handle] = one.path, self._live[one.path]

    def _change(self, one: Operation, *entries: tuple[str, Node | None]) -> None:
        change = Renaming(one.at, entries)
        enter(self._live, change)
        for names in self._names.values():
            names.change(change)


def check_complete(root: Path, trace: Trace) -> None:
    """Raise when the operations together do not make the very files that are there: then one was not recorded."""
    disk = Disk(trace.operations, str(root))
    disk.advance(len(trace))
    played = disk.whole()
    there = {
        str(path.relative_to(root)): path
        for path in root.rglob("*")
        if path.is_file() and not path.name.endswith("-shm")
    }
    differ = [name for name, path in there.items() if played.get(name) != path.read_bytes()]
    gone = [name for name, content in played.items() if content is not None and name not in there]
    if differ or gone or not there:
        problem = f"the recording is not complete: {differ} differ, {gone} are not there"
        raise AssertionError(problem)


def lay_out(image: dict[str, bytes | None], folder: Path) -> None:
    """Write an image as files."""
    folder.mkdir(parents=True)
    for name, content in sorted(image.items()):
        if content is None:
            (folder / name).mkdir(exist_ok=True)
        else:
            (folder / name).write_bytes(content)


def enter(entries: dict[str, Node], change: Renaming) -> None:
    """Make a change of names."""
    for path, node in change.entries:
        if node is None:
            entries.pop(path, None)
        else:
            entries[path] = node


def apply(content: bytearray, one: Operation) -> None:
    """Do a write or a change of size."""
    if one.kind is Kind.WRITE:
        put(content, one.value, one.data)
    else:
        _resize(content, one.value)


def put(content: bytearray, offset: int, octets: bytes) -> None:
    """Write; what lies between is zeros."""
    if offset > len(content):
        _resize(content, offset)
    content[offset : offset + len(octets)] = octets


def sectors(offset: int, octets: bytes) -> Iterable[tuple[int, bytes]]:
    """Cut a write at the disk's sectors."""
    start = 0
    while start < len(octets):
        size = SECTOR - (offset + start) % SECTOR
        yield offset + start, octets[start : start + size]
        start += size


def _resize(content: bytearray, size: int) -> None:
    if size < len(content):
        del content[size:]
    else:
        content.extend(bytes(size - len(content)))


def _content(node: Node, fate: Fate, pending: Sequence[int], likely: float, chance: random.Random) -> bytes:
    content = bytearray(node.content)
    for one in node.pending:
        if fate is Fate.CHANCE:
            _by_chance(content, one, likely, chance)
        elif (
            fate is Fate.EVERYTHING
            or (fate is Fate.ONLY_THE_LAST and one.at == pending[-1])
            or (fate is Fate.ALL_BUT_THE_FIRST and one.at != pending[0])
        ):
            apply(content, one)
    return bytes(content)


def _by_chance(content: bytearray, one: Operation, likely: float, chance: random.Random) -> None:
    kept, torn = chance.random() < likely, chance.random() < 0.2
    if torn and one.kind is Kind.WRITE:
        for offset, octets in sectors(one.value, one.data):
            if chance.random() < 0.5:
                put(content, offset, octets)
    elif kept:
        apply(content, one)
    if one.kind is Kind.WRITE and chance.random() < 0.5:  # the size may be on the disk although the octets are not
        end = one.value + len(one.data)
        _resize(content, max(len(content), end))


def _is_reachable(path: str, entries: dict[str, Node]) -> bool:
    parents = [str(parent) for parent in PurePath(path).parents]
    top = min(entries, key=len)
    return all(parent in entries for parent in parents if len(parent) >= len(top))
