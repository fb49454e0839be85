"""Finds ``box.toml`` on the boot partition and reads it, as whatever editor wrote it, with the line of every key."""

from __future__ import annotations

import codecs
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modembank_box.first_boot.mistakes import Mistake

NAMES = ("box.toml", "box.toml.txt")
"""The second is what Windows makes of the first where it hides the ends of names."""
MOST = 65_536
_POSITION = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)")
_HEADER = re.compile(r"^\s*\[\s*([A-Za-z0-9_-]+)\s*\]\s*(?:#.*)?$")
_KEY = re.compile(r"""^\s*["']?([A-Za-z0-9_-]+)["']?\s*(?:\.\s*["']?([A-Za-z0-9_-]+)["']?\s*)?=""")
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_CURLY = str.maketrans({"\u201c": '"', "\u201d": '"', "\u201e": '"', "\u2018": "'", "\u2019": "'"})


@dataclass(frozen=True)
class Read:
    """What was read: no path where there is no file, no content where it is no TOML, which a mistake then says."""

    path: Path | None
    text: str = ""
    content: dict[str, Any] | None = None
    mistakes: list[Mistake] = field(default_factory=list)

    def line(self, name: str) -> int:
        """Return the line of a field such as ``network.address``, or of its table; 0 where there is none."""
        table = ""
        lines: dict[str, int] = {}
        for number, line in enumerate(self.text.splitlines(), 1):
            if header := _HEADER.match(line):
                table = f"{header[1]}."
                lines.setdefault(header[1], number)
            elif key := _KEY.match(line):
                lines.setdefault(f"{table}{key[1]}{f'.{key[2]}' if key[2] else ''}", number)
                lines.setdefault(f"{table}{key[1]}", number)
        return lines.get(name) or lines.get(name.partition(".")[0], 0)


def read(folder: Path) -> Read:
    """Read the owner's file in ``folder``; names count in any case, as they do for FAT."""
    found = find(folder)
    if found is None:
        return Read(None)
    try:
        raw = _content(found)
    except OSError as error:
        return Read(found, mistakes=[Mistake(0, "", f"{found.name} cannot be read: {error.strerror}")])
    if len(raw) > MOST:
        return Read(found, mistakes=[Mistake(0, "", f"{found.name} is larger than {MOST // 1024} KiB")])
    try:
        text = _decoded(raw)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        way_out = "Save the file with the encoding UTF-8."
        return Read(found, mistakes=[Mistake(line, "", "has a letter that is not UTF-8", way_out)])
    try:
        return Read(found, text, tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        return Read(found, text, mistakes=[_syntax(str(error), text)])


def find(folder: Path) -> Path | None:
    """Return the owner's file in ``folder``, or None."""
    try:
        there = {path.name.lower(): path for path in folder.iterdir()}
    except OSError:
        return None
    return next((there[name] for name in NAMES if name in there), None)


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MOST + 1)


def _decoded(raw: bytes) -> str:
    encoding = next((name for mark, name in _MARKS if raw.startswith(mark)), "utf-8")
    return raw.decode(encoding).replace("\r\n", "\n")


def _syntax(message: str, text: str) -> Mistake:
    at = _POSITION.search(message)
    reason = _POSITION.sub("", message)
    lines = text.splitlines()
    number = int(at[1]) if at and at[1] else len(lines)
    line = lines[number - 1] if 0 < number <= len(lines) else ""
    if line != line.translate(_CURLY):
        way_out = 'Write plain quotes ("), not curly ones, which word processors make of them.'
    elif re.match(r"^\s*[\w.-]+\s*=\s*[^\s\"'\[{]", line):
        way_out = 'Text stands in quotes: name = "value".'
    else:
        way_out = 'A line is a table such as [network], a field such as name = "value", or a comment after #.'
    column = f" (column {at[2]})" if at and at[2] else ""
    return Mistake(number, "", f"is no TOML: {reason[:1].lower()}{reason[1:]}{column}", way_out)
