"""The configuration in force as rows to be shown: section by section as in the file, secrets left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from modembank.config import Config
from modembank.system.meanings_table import MEANINGS

SECRETS = frozenset({"pin"})
"""Keys whose values nobody is shown."""


class Setting(msgspec.Struct, frozen=True):
    """One key of the file: its value as it would be written there, and whether it is what holds without the file."""

    key: str
    value: str
    usual: bool
    meaning: str


class Section(msgspec.Struct, frozen=True):
    """One table of the file, such as ``[web]``, or one entry of a list, such as ``[[sim]]``."""

    title: str
    settings: tuple[Setting, ...]


def sections(config: Config) -> tuple[Section, ...]:
    """Return the whole configuration."""
    return tuple(
        section
        for field in msgspec.structs.fields(Config)
        for section in _sections(field.encode_name, getattr(config, field.name))
    )


def _sections(path: str, found: Any) -> Iterator[Section]:
    if isinstance(found, tuple):
        for entry in found:
            yield from _table(f"[[{path}]]", path, entry)
    else:
        yield from _table(f"[{path}]", path, found)


def _table(title: str, path: str, table: msgspec.Struct) -> Iterator[Section]:
    entries = [(field, getattr(table, field.name)) for field in msgspec.structs.fields(table)]
    below = [(field, value) for field, value in entries if _holds_tables(field)]
    plain = [(field, value) for field, value in entries if not _holds_tables(field) and value is not None]
    settings = tuple(_setting(path, field, value) for field, value in plain)
    if settings:
        yield Section(title, settings)
    for field, value in below:
        yield from _sections(f"{path}.{field.encode_name}", value)


def _holds_tables(field: msgspec.structs.FieldInfo) -> bool:
    """Return whether a key is a table or a list of tables, which may be empty."""
    return any(hasattr(part, "__struct_fields__") for part in (field.type, *getattr(field.type, "__args__", ())))


def _setting(path: str, field: msgspec.structs.FieldInfo, value: Any) -> Setting:
    key = field.encode_name
    meaning = MEANINGS[f"{'limits' if path == 'sim.limits' else path}.{key}"]
    if key in SECRETS:
        return Setting(key, "set, and not shown" if value else "none", not value, meaning)
    return Setting(key, _written(value), value == field.default, meaning)


def _written(value: Any) -> str:
    """Return a value as TOML has it."""
    if isinstance(value, float) and value == int(value):
        return str(int(value))
    return msgspec.json.encode(value).decode()
