"""One modem's side of receiving: routing by CNMI, acknowledgements by CNMA (3GPP TS 27.005 3.4.1, 3.4.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modembank_emulator import pdu as tpdu
from modembank_emulator.at_line import AtError, CmsError
from modembank_emulator.card import MessageStore, SimCard, StoredMessage
from modembank_emulator.faults import Mute
from modembank_emulator.ledger import Inbound, ItemKind

if TYPE_CHECKING:
    from modembank_emulator.modem import EmulatedModem
    from modembank_emulator.schedule import Timer

_BUFFER_LIMIT = 20
_AGAIN_S = 2.0  # the service centre's next try of what was refused


class Reception:
    """Takes items from the network; an item it does not take stays there."""

    def __init__(self, modem: EmulatedModem) -> None:
        self._modem = modem
        self._unacknowledged: Inbound | None = None
        self._timer: Timer | None = None
        self._buffered: list[tuple[str, ...]] = []
        self._told_full = False

    @property
    def unanswered(self) -> bool:
        """Whether the host has still to acknowledge what it was handed."""
        return self._unacknowledged is not None

    def receive(self, item: Inbound, *, now: bool = False) -> bool:
        """Store or print an item; False when it has to wait. `now` prints even in the middle of a command."""
        modem = self._modem
        card = modem.sim
        if card is None or not modem.sms_ready or modem.faults.mute is Mute.ALL:
            return False
        if item.kind is ItemKind.REPORT:
            return self._report(card, item, now=now)
        routing = modem.settings.cnmi[1]
        if routing == 2 or (routing == 3 and _class_of(item) == 3):
            return self._direct(card, item, "+CMT", now=now)
        memory = modem.settings.memories[2]
        place = self._store(modem.store(memory), item)
        if place is None:
            self._tell_full()
            return False
        modem.world.network.received(card, item, memory)
        if routing:
            self._print(f'+CMTI: "{modem.caps.cmti_memory or memory}",{place}', now=now)
        return True

    def acknowledge(self, *, positive: bool = True) -> None:
        """CNMA; CmsError 340 when nothing waits for it, AtError when the modem has no such command."""
        modem = self._modem
        if not modem.caps.cnma:
            raise AtError
        item = self._unacknowledged
        if item is None or modem.sim is None:
            raise CmsError(340)
        self._forget()
        if positive:
            modem.world.network.received(modem.sim, item, "direct")
        else:
            modem.world.network.hold(modem.sim, item, first=True)
            modem.world.schedule.after(_AGAIN_S, self.make_room)
            return
        self.make_room()

    def make_room(self) -> None:
        """A slot was freed or an acknowledgement came: ask the network for what waits."""
        self._told_full = False
        card = self._modem.sim
        if card is not None and (card.waiting or card.waiting_reports):
            self._modem.world.schedule.after(0, lambda: self._modem.world.network.flush(card))

    def unbuffer(self) -> None:
        """CNMI left mode 0: print what was buffered."""
        buffered, self._buffered = self._buffered, []
        if self._modem.settings.cnmi[4] == 0:
            for lines in buffered:
                self._modem.dialogue.urc(*lines)

    def power_off(self) -> None:
        """An item that was not acknowledged goes back to the network."""
        item = self._unacknowledged
        self._forget()
        self._buffered.clear()
        self._told_full = False
        if item is not None and self._modem.sim is not None:
            self._modem.world.network.hold(self._modem.sim, item, first=True)

    def _report(self, card: SimCard, item: Inbound, *, now: bool) -> bool:
        modem = self._modem
        routing = modem.settings.cnmi[3]
        if routing == 1:
            return self._direct(card, item, "+CDS", now=now)
        if routing == 0:
            modem.world.network.received(card, item, "discarded")
            return True
        place = self._store(modem.store("SR"), item)
        if place is None:
            return False
        modem.world.network.received(card, item, "SR")
        self._print(f'+CDSI: "{modem.caps.cdsi_memory}",{place}', now=now)
        return True

    def _direct(self, card: SimCard, item: Inbound, prefix: str, *, now: bool) -> bool:
        modem = self._modem
        awaited = modem.settings.csms >= 1 and modem.caps.cnma
        if awaited and self._unacknowledged is not None:
            return False
        alpha = "," if modem.caps.alpha_field and prefix == "+CMT" else ""
        if awaited:
            self._unacknowledged = item
            self._timer = modem.world.schedule.after(modem.caps.ack_timeout_s, self._no_acknowledgement)
        else:
            modem.world.network.received(card, item, "direct")
        self._print(f"{prefix}: {alpha}{item.length}", item.pdu_hex, now=now)
        return True

    def _no_acknowledgement(self) -> None:
        # The modem answers the network with an error and stops routing (3GPP TS 27.005 3.4.4).
        item, card = self._unacknowledged, self._modem.sim
        self._forget()
        mode, _, bm, _, bfr = self._modem.settings.cnmi
        self._modem.settings.cnmi = (mode, 0, bm, 0, bfr)
        if item is not None and card is not None:
            self._modem.world.network.take_back(card, item)

    def _store(self, store: MessageStore, item: Inbound) -> int | None:
        place = store.put(StoredMessage(0, item.pdu_hex, item.length))
        return None if place is None else place + self._modem.caps.index_base

    def _print(self, *lines: str, now: bool) -> None:
        if self._modem.settings.cnmi[0] == 0:
            self._buffered = [*self._buffered, lines][-_BUFFER_LIMIT:]
        else:
            self._modem.dialogue.urc(*lines, now=now)

    def _tell_full(self) -> None:
        urc = self._modem.caps.full_urc
        if urc is not None and not self._told_full:
            self._modem.dialogue.urc(urc)
        self._told_full = True

    def _forget(self) -> None:
        self._unacknowledged = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _class_of(item: Inbound) -> int | None:
    try:
        dcs = tpdu.decode_user_data(bytes.fromhex(item.pdu_hex)).dcs
    except ValueError:
        return None
    return dcs & 3 if dcs & 0xF0 == 0xF0 or dcs & 0xD0 == 0x10 else None
