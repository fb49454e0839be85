"""Every channel in one literal table: which type it carries, how it is published, how long it counts."""

from __future__ import annotations

import msgspec

from modembank_fleet.wire import shapes
from modembank_fleet.wire.commands import VERBS, Command
from modembank_fleet.wire.topics import Direction


class Channel(msgspec.Struct, frozen=True):
    """One kind of topic; ``parts`` follow the direction, with parameters in braces."""

    parts: str
    direction: Direction
    shape: type[msgspec.Struct]
    qos: int = 1
    retain: bool = False
    expiry: str = ""
    """For people: how long the broker keeps it for somebody who is away."""
    all_boxes: bool = False
    """Whether it is the fleet's and not a box's."""

    @property
    def address(self) -> str:
        """The whole topic, with parameters."""
        middle = "_fleet" if self.all_boxes else "{site}/{box}"
        return f"modembank/v1/{middle}/{self.direction}/{self.parts}"


CHANNELS: tuple[Channel, ...] = (
    Channel("avail", "up", shapes.Avail, retain=True),
    Channel("birth", "up", shapes.Birth, retain=True),
    Channel("tele/box", "up", shapes.TeleBox, qos=0, expiry="two periods"),
    Channel("tele/modems", "up", shapes.TeleModems, qos=0, expiry="two periods"),
    Channel("ev", "up", shapes.EvBatch),
    Channel("res", "up", shapes.ResBatch),
    Channel("cfg/reported", "up", shapes.CfgReported, retain=True),
    Channel("ota", "up", shapes.Ota, retain=True),
    Channel("log/{id}/{n}", "up", shapes.LogChunk, expiry="an hour"),
    *(Channel("/".join(verb.parts), "down", Command, expiry="its ttl") for verb in VERBS),
    Channel("ack", "down", shapes.Ack, retain=True, expiry="seven days"),
    Channel("cfg/desired", "down", shapes.CfgDesired, retain=True),
    Channel("hello", "down", shapes.Hello, retain=True, all_boxes=True),
)
