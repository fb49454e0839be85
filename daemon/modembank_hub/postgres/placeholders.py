"""Parameters of the hub's SQL, written as SQLite has them (``?``, ``?2``, ``:name``), as PostgreSQL has them."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

Params: TypeAlias = Sequence[Any] | Mapping[str, Any]
_MARK = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|--[^\n]*|::|\?(?P<number>\d*)|:(?P<name>[a-z_][a-z0-9_]*)", re.ASCII)
_KEPT = 1024


@functools.lru_cache(_KEPT)
def translated(sql: str) -> tuple[str, tuple[str, ...]]:
    """Return a statement with ``$1``, ``$2`` ..., and the names of its parameters in that order (none: by place).

    As in SQLite a bare ``?`` is one after the greatest so far. What is quoted, and comments, stay as they are.
    """
    names: list[str] = []
    greatest = 0

    def mark(found: re.Match[str]) -> str:
        nonlocal greatest
        if (name := found["name"]) is not None:
            if name not in names:
                names.append(name)
            return f"${names.index(name) + 1}"
        if (number := found["number"]) is None:
            return found[0]
        place = int(number) if number else greatest + 1
        greatest = max(greatest, place)
        return f"${place}"

    return _MARK.sub(mark, sql), tuple(names)


def in_order(names: Sequence[str], params: Params) -> Sequence[Any]:
    """Return parameters in the order of their marks."""
    if isinstance(params, Mapping):
        return [params[name] for name in names]
    return params
