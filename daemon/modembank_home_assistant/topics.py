"""The names under which the box speaks at the site's broker."""

from __future__ import annotations

import re
import zlib

import msgspec

_PLAIN = re.compile(r"[A-Za-z0-9_-]+")
_UNFIT = re.compile(r"[^A-Za-z0-9_-]")


class Topics(msgspec.Struct, frozen=True):
    """All topics of one box."""

    discovery_prefix: str
    topic_prefix: str
    node: str

    @property
    def document(self) -> str:
        """Where the device document is, retained."""
        return f"{self.discovery_prefix}/device/{self.node}/config"

    @property
    def birth(self) -> str:
        """Where Home Assistant says that it is there, or goes."""
        return f"{self.discovery_prefix}/status"

    @property
    def available(self) -> str:
        """Where the box says whether it is there, retained; the will is one."""
        return self.own("avail")

    @property
    def event(self) -> str:
        """Where messages that came are told, not retained."""
        return self.own("event")

    @property
    def everything(self) -> str:
        """A filter for all below the box's own name."""
        return self.own("#")

    def own(self, *parts: str) -> str:
        """Return a topic of the box."""
        return "/".join((self.topic_prefix, self.node, *parts))

    def command(self, *parts: str) -> str:
        """Return the topic of a command."""
        return self.own("cmd", *parts)

    def commanded(self, topic: str) -> tuple[str, ...] | None:
        """Return what stands behind ``cmd/``; None where a topic is no command's."""
        start = self.command("")
        return tuple(topic[len(start) :].split("/")) if topic.startswith(start) else None


def key_of(slot: str) -> str:
    """Return a slot's name as it may stand in topics and identifiers; the same for the same slot for ever."""
    if _PLAIN.fullmatch(slot):
        return slot
    return f"{_UNFIT.sub('_', slot)}_{zlib.crc32(slot.encode()):08x}"
