"""What all modems of a bank share."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from modembank_emulator.latency import LatencyModel
from modembank_emulator.network import Network
from modembank_emulator.schedule import Schedule


@dataclass(frozen=True, slots=True)
class World:
    """Time, network, latencies and chance."""

    schedule: Schedule
    network: Network
    latency: LatencyModel
    random: Random
