"""Where a modem stands is written on everything it hands on."""

from __future__ import annotations

from modembank.modem import RawInbound, Via
from modembank.modem.place import Standing


def test_what_was_stored_names_its_slot_in_the_memory() -> None:
    standing = Standing(7, "slot-03", lambda: 1234)
    assert standing.stored("00AB", "ME", 0) == RawInbound(7, "slot-03", "00AB", Via.STORED, "ME", 0, 1234)


def test_what_came_directly_names_none() -> None:
    moments = iter((5, 6))
    standing = Standing(7, "slot-03", lambda: next(moments))
    first, second = standing.direct("00AB"), standing.direct("00AB")
    assert (first.via, first.memory, first.index) == (Via.DIRECT, None, None)
    assert (first.received_at, second.received_at) == (5, 6)
