"""What pages of the hub hear of, after it is durable."""

from __future__ import annotations

from dataclasses import dataclass

from modembank.events import Event


@dataclass(frozen=True, slots=True)
class BoxesChanged(Event):
    """Boxes told something."""


@dataclass(frozen=True, slots=True)
class CommandsChanged(Event):
    """A command was given, sent, or came further."""


@dataclass(frozen=True, slots=True)
class ConfigsChanged(Event):
    """What a box is to have, or says that it has, is another; or a roll-out went on."""


@dataclass(frozen=True, slots=True)
class PoolChanged(Event):
    """A message of the pool was accepted, or came further."""


@dataclass(frozen=True, slots=True)
class Quarantined(Event):
    """Something came that could not be read."""
