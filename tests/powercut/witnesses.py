"""What the world outside the box knows, each piece with the length of the trace at the moment it was known.

Whatever the box promised before a cut must hold after it. Stamps come after what made them true: an answer that was
read, a SUBMIT that the network has, a slot that the modem was told to free.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from modembank_emulator import Bank
from modembank_emulator import pdu as tpdu
from modembank_emulator.ledger import SeenReport, SeenSubmit


@dataclass(slots=True)
class Asked:
    """A request to send; each of its recipients gets no other message of the whole recording."""

    at: int
    body: str
    to: list[str]
    text: str
    policy: str
    key: str | None = None
    answered_at: int | None = None
    receipt: dict = field(default_factory=dict)


@dataclass(slots=True)
class Shown:
    """A message's status as the API told it."""

    at: int
    message: str
    status: str


@dataclass(slots=True)
class Submitted:
    """A SUBMIT that the network saw."""

    at: int
    to: str
    segment: int
    accepted: bool


@dataclass(slots=True)
class Taken:
    """An inbound PDU that only the box has from now on: its slot was freed, or it was acknowledged."""

    at: int
    pdu: str
    report: tuple[str, int] | None = None
    """Of a delivery report: recipient and reference."""


@dataclass(slots=True)
class Sent:
    """A message sent to the box: a text that no other has, in so many parts."""

    sender: str
    text: str
    pdus: list[str]


@dataclass(slots=True)
class Stage:
    """A part of the recording that began at this length of the trace."""

    at: int
    name: str


@dataclass(slots=True)
class Witnesses:
    """All of them, in order; lengths of the trace become numbers of operations once it is read."""

    asked: list[Asked] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)
    submitted: list[Submitted] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    stages: list[Stage] = field(default_factory=list)
    pin_refused_at: int | None = None
    """When the box had shown that a SIM refused the PIN it tried."""

    first_release_at: int | None = None
    """When the first release had ended, of which the daemon found the database."""

    def place(self, place: Callable[[int], int]) -> None:
        """Count stamps in operations from now on."""
        for one in [*self.asked, *self.shown, *self.submitted, *self.taken, *self.stages]:
            one.at = place(one.at)
        for one in self.asked:
            one.answered_at = None if one.answered_at is None else place(one.answered_at)
        if self.pin_refused_at is not None:
            self.pin_refused_at = place(self.pin_refused_at)
        if self.first_release_at is not None:
            self.first_release_at = place(self.first_release_at)

    def encode(self) -> bytes:
        return msgspec.json.encode(self)

    @classmethod
    def decode(cls, octets: bytes) -> "Witnesses":
        return msgspec.json.decode(octets, type=cls)


class _Stamping(list):
    """A list that tells of what is added."""

    def __init__(self, told: Callable[[object], None]) -> None:
        super().__init__()
        self._told = told

    def append(self, item: object) -> None:
        self._told(item)
        super().append(item)


class _Slots(dict):
    """A memory's slots that tell of what is deleted."""

    def __init__(self, told: Callable[[str], None]) -> None:
        super().__init__()
        self._told = told

    def pop(self, place, *default):
        if place in self:
            self._told(self[place].pdu_hex)
        return super().pop(place, *default)

    def __delitem__(self, place) -> None:
        self._told(self[place].pdu_hex)
        super().__delitem__(place)


def watch(bank: Bank, witnesses: Witnesses, stamp: Callable[[], int]) -> None:
    """Note what the emulated network and the modems' memories see."""

    def submitted(seen: SeenSubmit) -> None:
        concat = tpdu.decode_submit(bytes.fromhex(seen.pdu_hex)).data.concat()
        segment = 1 if concat is None else concat.sequence
        witnesses.submitted.append(Submitted(stamp(), seen.destination, segment, seen.accepted))

    def reported(seen: SeenReport) -> None:
        reports[seen.pdu_hex] = seen.recipient, seen.mr
        modem = next(card.modem for card in bank.cards if card.iccid == seen.iccid)
        acknowledged = modem is not None and modem.caps.cnma and modem.settings.csms >= 1
        if seen.where == "direct" and acknowledged:
            taken(seen.pdu_hex)

    def taken(pdu: str) -> None:
        witnesses.taken.append(Taken(stamp(), pdu, reports.get(pdu)))

    reports: dict[str, tuple[str, int]] = {}
    bank.network.ledger = _Stamping(submitted)
    bank.network.reports = _Stamping(reported)
    for store in [card.store for card in bank.cards] + [
        store for modem in bank.modems for store in modem.stores.values()
    ]:
        store.slots = _Slots(taken)
