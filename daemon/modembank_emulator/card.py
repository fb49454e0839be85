"""An emulated SIM card and the message memories that live on cards and in modems."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from modembank_emulator.ledger import Inbound, ItemKind

if TYPE_CHECKING:
    from modembank_emulator.modem import EmulatedModem

PIN_TRIES = 3  # 3GPP TS 31.101 9.5.1
PUK_TRIES = 10


class PinState(StrEnum):
    """What CPIN? answers."""

    READY = "READY"
    PIN = "SIM PIN"
    PUK = "SIM PUK"


@dataclass(slots=True)
class StoredMessage:
    """One memory slot: status 0 unread, 1 read, 2 unsent, 3 sent (3GPP TS 27.005 3.1); PDU with its SMSC address."""

    status: int
    pdu_hex: str
    length: int


class MessageStore:
    """Numbered slots of one memory; a slot is free for the next message as soon as it is deleted."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.slots: dict[int, StoredMessage] = {}

    @property
    def full(self) -> bool:
        """No slot is free."""
        return len(self.slots) >= self.capacity

    def put(self, message: StoredMessage) -> int | None:
        """Store in the lowest free slot, counted from 0; None when full."""
        if self.full:
            return None
        place = next(place for place in range(self.capacity) if place not in self.slots)
        self.slots[place] = message
        return place


@dataclass(slots=True)
class SimCard:
    """A subscriber: numbers, PIN, account, memory, and the TP-MR counter kept on the card (EF_SMSS)."""

    index: int
    iccid: str
    imsi: str
    msisdn: str
    smsc: str = "+15559990000"
    store: MessageStore = field(default_factory=lambda: MessageStore(20))
    pin: str | None = None
    puk: str = "12345678"
    pin_tries: int = PIN_TRIES
    puk_tries: int = PUK_TRIES
    unlocked: bool = False
    credit: bool = True
    no_credit_code: int = 38
    last_reference: int = 255
    modem: EmulatedModem | None = None
    waiting: deque[Inbound] = field(default_factory=deque)
    waiting_reports: deque[Inbound] = field(default_factory=deque)

    def queue_of(self, kind: ItemKind) -> deque[Inbound]:
        """What waits in the network for this card: messages and reports do not hold each other up."""
        return self.waiting if kind is ItemKind.MESSAGE else self.waiting_reports

    @property
    def pin_state(self) -> PinState:
        """What stands between the user and the card."""
        if self.pin_tries == 0:
            return PinState.PUK
        return PinState.READY if self.pin is None or self.unlocked else PinState.PIN

    def enter_pin(self, pin: str) -> bool:
        """Try the PIN; a wrong one costs a try, the third blocks the card."""
        if self.pin_tries == 0:
            return False
        if pin != self.pin:
            self.pin_tries -= 1
            self.unlocked = False
            return False
        self.pin_tries = PIN_TRIES
        self.unlocked = True
        return True

    def enter_puk(self, puk: str, new_pin: str) -> bool:
        """Try the PUK; the right one sets a new PIN and unlocks."""
        if self.puk_tries == 0:
            return False
        if puk != self.puk:
            self.puk_tries -= 1
            return False
        self.pin, self.pin_tries, self.puk_tries, self.unlocked = new_pin, PIN_TRIES, PUK_TRIES, True
        return True

    def power_down(self) -> None:
        """The PIN must be given again after this."""
        self.unlocked = False

    def next_reference(self) -> int:
        """TP-MR for the next SUBMIT: 0 to 255, then 0 again (3GPP TS 23.040 9.2.3.6)."""
        self.last_reference = (self.last_reference + 1) % 256
        return self.last_reference
