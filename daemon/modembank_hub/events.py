"""What pages of the hub hear of, after it is durable."""

from __future__ import annotations

from modembank.events import Event


class BoxesChanged(Event, frozen=True):
    """Boxes told something."""


class CommandsChanged(Event, frozen=True):
    """A command was given, sent, or came further."""


class ConfigsChanged(Event, frozen=True):
    """What a box is to have, or says that it has, is another; or a roll-out went on."""


class EnrolmentChanged(Event, frozen=True):
    """A token was made or used, a certificate given or revoked."""


class AlertsChanged(Event, frozen=True):
    """An alert opened, ended or was acknowledged; or a rule, a silence or a channel is another."""


class PoolChanged(Event, frozen=True):
    """A message of the pool was accepted, or came further."""


class Quarantined(Event, frozen=True):
    """Something came that could not be read."""


SHARED = frozenset(
    {BoxesChanged, CommandsChanged, ConfigsChanged, EnrolmentChanged, AlertsChanged, PoolChanged, Quarantined}
)
"""What other processes of the hub hear of, too."""
