"""One emulated modem: power, SIM slot, memories; its parts speak AT, send, receive and register."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

from modembank_emulator import pdu as tpdu
from modembank_emulator.at_line import CmeError, CmsError
from modembank_emulator.capabilities import Capabilities
from modembank_emulator.card import MessageStore, PinState, SimCard
from modembank_emulator.dialogue import Dialogue
from modembank_emulator.faults import Ending, Faults, Mute
from modembank_emulator.radio import Radio
from modembank_emulator.reception import Reception
from modembank_emulator.schedule import Timer
from modembank_emulator.settings import Settings
from modembank_emulator.submission import Submission
from modembank_emulator.terminal import Terminal
from modembank_emulator.world import World

NO_SIM = 10  # CME codes (3GPP TS 27.007 9.2.1)
_RESET_DELAY_S = 0.1
_CMS_FOR_CME = {10: 310, 11: 311, 12: 316, 13: 313, 14: 314}


class EmulatedModem:
    """A modem at the stable path `path`; everything a test turns is here or in `caps`, `faults`, `radio`, `sim`."""

    def __init__(self, world: World, index: int, caps: Capabilities, imei: str, link: Path) -> None:
        self.world = world
        self.index = index
        self.caps = caps
        self.imei = imei
        self.random = Random(world.random.random())
        self.sim: SimCard | None = None
        self.sim_error: int | None = NO_SIM
        self.plugged = False
        self.running = False
        self.sms_ready = False
        self.settings = Settings.factory(caps)
        self.faults = Faults(self.random)
        self.terminal = Terminal(link, self._bytes_from_host)
        self.dialogue = Dialogue(self, self.terminal)
        self.submission = Submission(self)
        self.reception = Reception(self)
        self.radio = Radio(self)
        self.stores: dict[str, MessageStore] = {"ME": MessageStore(caps.me_size), "SR": MessageStore(caps.sr_size)}
        self._boot_timer: Timer | None = None
        self._up = asyncio.Event()

    @property
    def path(self) -> Path:
        """The link that leads to the current pty."""
        return self.terminal.link

    @property
    def pts(self) -> str | None:
        """Name of the current pty, None while unplugged."""
        return self.terminal.name if self.terminal.is_open else None

    @property
    def cmgs_busy_s(self) -> float:
        """Seconds spent between CMGS lines and their final results."""
        return self.submission.busy_s

    @property
    def cmgs_count(self) -> int:
        """CMGS commands seen."""
        return self.submission.count

    def start(self) -> None:
        """Be there as if booted long ago: open, registered, nothing printed."""
        self.plugged = self.running = self.sms_ready = True
        self.terminal.open()
        self._up.set()
        self.radio.start()

    def close(self) -> None:
        """End for good."""
        self.power_off()
        self.terminal.close()

    def unplug(self) -> None:
        """Pull the device out: the pty hangs up, its link goes."""
        self.power_off()
        self.plugged = False
        self.terminal.close()

    def replug(self, sim: SimCard | None = None) -> None:
        """Plug in again, under another pty name, perhaps with another SIM; boots."""
        if self.plugged:
            self.unplug()
        self.plugged = True
        self.faults.unmute()
        if sim is not None:
            self.insert_sim(sim)
        self._boot_later()

    def hang(self, mute: Mute = Mute.ALL, *, ends_with: Ending = Ending.BOOT, lasts_s: float | None = None) -> None:
        """Answer nothing any more, until something ends it or `lasts_s` have passed."""
        self.faults.mute, self.faults.ends_with = mute, ends_with
        if lasts_s is not None:
            self.world.schedule.after(lasts_s, self.faults.unmute)

    def reset(self, *, reenumerate: bool | None = None) -> None:
        """Boot again: settings and hangs are gone; with `reenumerate` the pty goes too (default: as the model does).

        A modem that is not plugged in stays as it is.
        """
        if not self.plugged:
            return
        self.power_off()
        if self.caps.reset_reenumerates if reenumerate is None else reenumerate:
            self.terminal.close()
        self._boot_later()

    def reset_soon(self) -> None:
        """Reset once the answer to the command that asks for it has had time to arrive."""
        if self._boot_timer is not None:
            self._boot_timer.cancel()  # a boot not yet complete, which must not complete after the reset
        self._boot_timer = self.world.schedule.after(_RESET_DELAY_S, self.reset)

    async def wait_running(self) -> None:
        """Return once the modem has booted."""
        await self._up.wait()

    def insert_sim(self, card: SimCard) -> None:
        """Put a card in; it leaves the modem it was in, and the one that was here is taken out."""
        if card.modem is not None:
            card.modem.remove_sim()
        if self.sim is not None:
            self.remove_sim()
        self.sim, self.sim_error = card, None
        card.modem = self
        if self.running:
            self.radio.update()

    def remove_sim(self, code: int = NO_SIM) -> None:
        """Take the card out (10), or let its contacts fail (13), which CFUN=0/1 heals."""
        self.reception.power_off()
        self.sim_error = code
        if self.sim is not None and code == NO_SIM:
            self.sim.power_down()
            self.sim.modem = None
            self.sim = None
        self.radio.update()

    def require_pin(self, pin: str) -> None:
        """Lock the card with this PIN, as after a cold start."""
        card = self.card()
        card.pin, card.unlocked = pin, False
        self.radio.update()

    def heal(self) -> None:
        """End every fault of the command interface and of the line; what came meanwhile is delivered."""
        self.faults.clear()
        self.terminal.pace(0, 0)
        self.terminal.resume_reading()
        self.reception.make_room()

    def card(self) -> SimCard:
        """The card, locked or not; CmeError when there is none or it fails."""
        if self.sim is None or self.sim_error is not None:
            raise CmeError(self.sim_error or NO_SIM)
        return self.sim

    def unlocked_card(self) -> SimCard:
        """The card, if its PIN was given; CmeError 11 or 12 otherwise."""
        card = self.card()
        if card.pin_state is not PinState.READY:
            raise CmeError(11 if card.pin_state is PinState.PIN else 12)
        return card

    def check_sim_for_messages(self) -> SimCard:
        """The card when short messages work; CmsError otherwise."""
        try:
            card = self.unlocked_card()
        except CmeError as error:
            raise CmsError(_CMS_FOR_CME.get(error.code, 300)) from None
        if not self.sms_ready:
            raise CmsError(self.caps.not_ready_code)
        return card

    def check_can_send(self, submit: tpdu.Submit) -> SimCard:
        """The card a SUBMIT may leave through; CmsError for what the modem itself refuses."""
        card = self.check_sim_for_messages()
        if submit.validity and not self.caps.validity:
            raise CmsError(304)
        if not submit.smsc and not card.smsc:
            raise CmsError(330)
        if not self.radio.attached:
            raise CmsError(331)
        return card

    def store(self, memory: str) -> MessageStore:
        """The memory of this name ("MT" counts as "ME"); CmsError while the card is missing, locked or loading."""
        card = self.check_sim_for_messages()
        if memory == "SM":
            return card.store
        return self.stores["ME" if memory == "MT" else memory]

    def urc(self, *lines: str, now: bool = False) -> None:
        """Print an unsolicited code of one or more lines."""
        self.dialogue.urc(*lines, now=now)

    def power_off(self) -> None:
        """Lose everything volatile."""
        self.running = self.sms_ready = False
        self._up.clear()
        if self._boot_timer is not None:
            self._boot_timer.cancel()
        self.submission.abort()
        self.dialogue.restart()
        self.reception.power_off()
        self.radio.power_off()
        if self.sim is not None:
            self.sim.power_down()

    def _boot_later(self) -> None:
        wait = self.world.latency.boot.draw(self.random)
        self._boot_timer = self.world.schedule.after(wait, self._boot)

    def _boot(self) -> None:
        if not self.terminal.is_open:
            self.terminal.open()
        if self.faults.ends_with is not Ending.POWER:
            self.faults.unmute()
        if self.sim is not None:
            self.sim_error = None
        self.settings = Settings.factory(self.caps)
        self.running = True
        self._up.set()
        for line in self.caps.boot_urcs:
            if line != "+CPIN: READY" or (self.sim is not None and self.sim.pin_state is PinState.READY):
                self.urc(line)
        wait = self.world.latency.sms_ready.draw(self.random)
        self._boot_timer = self.world.schedule.after(wait, self._messages_ready)
        self.radio.start()

    def _messages_ready(self) -> None:
        self.sms_ready = True
        for line in self.caps.ready_urcs:
            self.urc(line)
        self.reception.make_room()

    def _bytes_from_host(self, octets: bytes) -> None:
        self.dialogue.feed(octets)
