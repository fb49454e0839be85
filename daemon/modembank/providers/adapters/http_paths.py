"""Where in a document something is: ``messages.0.id``, names and places in lists with dots between them."""

from __future__ import annotations

from typing import Any

import msgspec

from modembank.errors import ModembankError

ROOT = "."
"""The document itself."""
LIMIT = 200
"""Characters of a path."""


class PathWrong(ModembankError):
    """A path that leads nowhere in any document; ``why`` names the character."""

    key = "path_wrong"
    template = "{why}"


def parse(path: str) -> tuple[str, ...]:
    """Return the steps of a path, none for the document itself. Raises PathWrong.

    A dot within a name is written ``\\.``.
    """
    if path == ROOT:
        return ()
    steps, step, place = [], "", 0
    while place < len(path):
        one = path[place]
        if one == "\\":
            place += 1
            if path[place : place + 1] not in {".", "\\"}:
                raise PathWrong(why=f"character {place}: behind \\ comes a dot or another \\")
            step += path[place]
        elif one == ".":
            steps.append(_named(step, place))
            step = ""
        else:
            step += one
        place += 1
    return (*steps, _named(step, place))


def find(document: Any, path: str) -> Any:
    """Return what is at a path, or None when nothing is; a step of digits is a place in a list, from 0, or a name."""
    found = document
    for step in parse(path):
        if isinstance(found, dict):
            found = found.get(step)
        elif isinstance(found, list) and step.isascii() and step.isdigit() and int(step[:9]) < len(found):
            found = found[int(step[:9])]
        else:
            return None
    return found


def word(document: Any, path: str) -> str | None:
    """Return what is at a path as a word: a string, a number, true or false; None when nothing of these is there."""
    if not path:
        return None
    if isinstance(document, dict) and isinstance(document.get(path), str):
        return str(document[path])  # a form's field, whose name may have dots
    found = find(document, path)
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, float) and found.is_integer():
        return str(int(found))
    return str(found) if isinstance(found, str | int | float) else None


def decoded(body: bytes) -> Any:
    """Return a JSON document, or None for what is none (which JSON's null is as well, for nothing is in it)."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _named(step: str, end: int) -> str:
    if not step:
        raise PathWrong(why=f"character {end + 1}: a name or a number is missing beside the dot")
    return step
