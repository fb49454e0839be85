"""Topics: ``modembank/v1/<site>/<box>/{up|down}/<class>/…``, built and read, with every name checked."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

import msgspec

from modembank_fleet.wire.errors import WireError

ROOT = "modembank/v1"
HELLO = f"{ROOT}/_fleet/down/hello"
"""The hub's own presence, for all boxes."""
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
"""A site's or a box's name. What begins with ``_`` is reserved and never one."""
_PART = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
MOST_OCTETS = 512

Direction: TypeAlias = Literal["up", "down"]


def is_name(text: str) -> bool:
    """Whether a site or a box may be called so."""
    return NAME.fullmatch(text) is not None


class Address(msgspec.Struct, frozen=True):
    """Which box of which site."""

    site: str
    box: str

    def __post_init__(self) -> None:
        """Refuse names that could lead elsewhere: raises WireError."""
        for name in (self.site, self.box):
            if not is_name(name):
                raise WireError(
                    code="bad_name", detail=f"{name[:40]!a} is no name: 1 to 32 lower-case letters, digits and hyphens"
                )

    @classmethod
    def of_common_name(cls, text: str) -> Address:
        """Return the address in a certificate's common name, ``site/box``; raises WireError."""
        site, _, box = text.partition("/")
        return cls(site, box)

    @property
    def common_name(self) -> str:
        """What its certificate is issued to; the broker takes it for user name and client id."""
        return f"{self.site}/{self.box}"

    def up(self, *parts: str) -> str:
        """Return a topic that the box writes."""
        return _join(self, "up", parts)

    def down(self, *parts: str) -> str:
        """Return a topic that the hub writes."""
        return _join(self, "down", parts)


class Topic(msgspec.Struct, frozen=True):
    """A topic that was read."""

    address: Address
    direction: Direction
    parts: tuple[str, ...]
    """What follows the direction: the class, and what the class says."""

    def __str__(self) -> str:
        """Return it as it is on the wire."""
        return _join(self.address, self.direction, self.parts)


def parse(text: str) -> Topic:
    """Read a topic of a box; raises WireError for anything else, wildcards and the hub's hello too."""
    if len(text.encode("utf-8", "replace")) > MOST_OCTETS:
        raise WireError(code="bad_topic", detail="longer than any topic of this protocol")
    head, _, rest = text.partition("/v1/")
    pieces = rest.split("/")
    if f"{head}/v1" != ROOT or len(pieces) < 4:
        raise WireError(code="bad_topic", detail=f"{text[:80]!a} is no topic of a box")
    site, box, direction, *parts = pieces
    if direction not in ("up", "down"):
        raise WireError(code="bad_topic", detail=f"{direction[:40]!a} is no direction")
    address = Address(site, box)
    _check_parts(parts)
    return Topic(address, "up" if direction == "up" else "down", tuple(parts))


def everything_up(group: str | None = None) -> str:
    """Return the filter of what all boxes write, shared by the workers of a group where one is named."""
    topics = f"{ROOT}/+/+/up/#"
    return topics if group is None else f"$share/{group}/{topics}"


def everything_down(address: Address) -> str:
    """Return the filter of what is written to one box."""
    return f"{ROOT}/{address.common_name}/down/#"


def _join(address: Address, direction: str, parts: tuple[str, ...]) -> str:
    _check_parts(parts)
    return "/".join((ROOT, address.site, address.box, direction, *parts))


def _check_parts(parts: tuple[str, ...] | list[str]) -> None:
    if not parts or not all(_PART.fullmatch(part) for part in parts):
        raise WireError(code="bad_topic", detail=f"{'/'.join(parts)[:80]!a} is no end of a topic")
