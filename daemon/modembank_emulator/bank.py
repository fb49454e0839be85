"""A bank of emulated modems with its network."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Self

from modembank_emulator import identities
from modembank_emulator.capabilities import Capabilities
from modembank_emulator.card import MessageStore, SimCard
from modembank_emulator.dialects import dialect_for
from modembank_emulator.latency import LatencyModel
from modembank_emulator.modem import EmulatedModem
from modembank_emulator.network import Network
from modembank_emulator.schedule import Schedule
from modembank_emulator.world import World


@dataclass(frozen=True, slots=True)
class BankConfig:
    """Shape of a bank. `dialect` is mixed, quectel, huawei, simcom, generic or poor; `caps` overrides it for all.

    `msisdn` formats the number of the SIM counted from 1; `sim_slots` is the size of SM; without `link_dir` the
    links live in a temporary folder. `chatter` False silences vendor noise.
    """

    modems: int = 8
    dialect: str = "mixed"
    seed: int = 0
    latency: LatencyModel = field(default_factory=LatencyModel)
    link_dir: Path | None = None
    msisdn: str = "+1555{:07d}"
    country_code: str = "1"
    sim_slots: int = 20
    caps: Capabilities | None = None
    chatter: bool = True


class Bank:
    """Async context manager: inside it the modems are plugged in, booted and registered."""

    def __init__(self, config: BankConfig | None = None) -> None:
        self.config = config or BankConfig()
        random = Random(self.config.seed)
        self.schedule = Schedule()
        self.network = Network(self.schedule, self.config.latency, random, self.config.country_code)
        self._world = World(self.schedule, self.network, self.config.latency, random)
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self.modems: list[EmulatedModem] = []
        self.cards: list[SimCard] = []

    async def __aenter__(self) -> Self:
        self.schedule.start()
        links = self._link_dir()
        for index in range(self.config.modems):
            card = self.new_card()
            modem = EmulatedModem(self._world, index, self._caps(index), identities.imei(index), links / name_of(index))
            self.modems.append(modem)
            self.network.modems.append(modem)
            modem.insert_sim(card)
            modem.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for modem in self.modems:
            modem.close()
        self.schedule.close()
        if self._folder is not None:
            self._folder.cleanup()

    def new_card(self) -> SimCard:
        """Another subscriber, not yet in any modem."""
        index = len(self.cards)
        card = SimCard(
            index,
            identities.iccid(index),
            identities.imsi(index),
            identities.msisdn(self.config.msisdn, index),
            store=MessageStore(self.config.sim_slots),
        )
        self.cards.append(card)
        self.network.add(card)
        return card

    def advance(self, seconds: float) -> None:
        """Let emulated time pass at once."""
        self.schedule.advance(seconds)

    def stats(self) -> dict[str, Any]:
        """Counters of the network and of each modem, as plain values."""
        network = self.network
        return {
            "submits": len(network.ledger),
            "accepted": sum(seen.accepted for seen in network.ledger),
            "outside": len(network.outside),
            "inbound": len(network.inbound),
            "reports": len(network.reports),
            "waiting": sum(len(card.waiting) + len(card.waiting_reports) for card in self.cards),
            "modems": [describe(modem) for modem in self.modems],
        }

    def _caps(self, index: int) -> Capabilities:
        caps = self.config.caps or dialect_for(self.config.dialect, index)
        return caps if self.config.chatter else caps.but(chatter_chance=0.0)

    def _link_dir(self) -> Path:
        if self.config.link_dir is not None:
            self.config.link_dir.mkdir(parents=True, exist_ok=True)
            return self.config.link_dir
        self._folder = tempfile.TemporaryDirectory(prefix="modembank-emulator-")
        return Path(self._folder.name)


def name_of(index: int) -> str:
    """File name of a modem's link."""
    return f"modem-{index:02d}"


def describe(modem: EmulatedModem) -> dict[str, Any]:
    """One modem as plain values."""
    card = modem.sim
    return {
        "index": modem.index,
        "path": str(modem.path),
        "pts": modem.pts,
        "dialect": modem.caps.name,
        "imei": modem.imei,
        "iccid": card.iccid if card else None,
        "imsi": card.imsi if card else None,
        "msisdn": card.msisdn if card else None,
        "stat": int(modem.radio.stat),
        "commands": modem.dialogue.commands,
        "cmgs_count": modem.cmgs_count,
        "cmgs_finished": modem.submission.finished,
        "cmgs_busy_s": modem.cmgs_busy_s,
    }
