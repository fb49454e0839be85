"""Thousands of boxes' agents in a few processes, at a broker that is set up as docs/hub.md says.

The agents are the real ones, with their link, certificates, births and streams, each over a fleet section of its own;
those of one process share one box without modems, and so its database.
"""

from __future__ import annotations

import asyncio
import getpass
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from fakes.brokers import Mosquitto, free_port
from fakes.web_boxes import Box, make_box
from modembank.config import MqttConfig
from modembank.fleet import Fleet, LinkState, Pair
from modembank_fleet import credentials
from modembank_fleet.agent import Agent
from modembank_fleet.authority import Authority, new_authority, new_server_key, pem_of, read_request, write_private
from modembank_fleet.credentials import new_key
from modembank_fleet.link import Backoff, Broker

SITE = "storm"
BOXES_ACL = """\
pattern write modembank/v1/%u/up/#
pattern read modembank/v1/%u/down/#
pattern read modembank/v1/_fleet/down/#
"""
_CONF = """\
per_listener_settings true
max_queued_messages 10000
persistence false
user {user}
listener {tls} 127.0.0.1
cafile {folder}/ca.crt
crlfile {folder}/crl.pem
certfile {folder}/broker.crt
keyfile {folder}/broker.key
require_certificate true
use_identity_as_username true
use_username_as_clientid true
acl_file {folder}/boxes.acl
listener {plain} 127.0.0.1
allow_anonymous true
"""


class FleetBroker(Mosquitto):
    """Debian's Mosquitto with a listener for boxes, which show certificates, and one for the hub (``port``)."""

    def __init__(self, folder: Path) -> None:
        """Make an authority and all files in ``folder``."""
        super().__init__(folder)
        self.tls = free_port()
        self.authority, _ = new_authority("Storm authority")
        self._write_files(self.authority)
        given = {"user": getpass.getuser(), "tls": self.tls, "plain": self.port, "folder": folder}
        (folder / "mosquitto.conf").write_text(_CONF.format(**given))

    def _write_files(self, authority: Authority) -> None:
        key = new_server_key()
        write_private(self.folder / "broker.key", key)
        (self.folder / "broker.crt").write_bytes(authority.certify_server(key, ["127.0.0.1"], 1))
        (self.folder / "ca.crt").write_bytes(authority.pem)
        (self.folder / "crl.pem").write_bytes(authority.crl([], 1, time.time()))
        (self.folder / "boxes.acl").write_text(BOXES_ACL)
        (self.folder / "boxes.acl").chmod(0o600)

    def certify(self, box: str) -> None:
        """Make the key and the certificate of a box, in the broker's folder."""
        key = new_key()
        request = read_request(credentials.request(key, f"{SITE}/{box}"))
        write_private(self.folder / f"{box}.key", key)
        (self.folder / f"{box}.crt").write_text(pem_of(self.authority.certify_box(request, f"{SITE}/{box}", 1)))

    def section(self, box: str) -> MqttConfig:
        """Return the section of a box that has its certificate from here."""
        return section(self.folder, self.tls, box)


def section(folder: Path, tls: int, box: str) -> MqttConfig:
    """Return the section of a box whose files are in a broker's folder."""
    return MqttConfig(
        url=f"mqtts://127.0.0.1:{tls}",
        site=SITE,
        box=box,
        ca=str(folder / "ca.crt"),
        certificate=str(folder / f"{box}.crt"),
        key=str(folder / f"{box}.key"),
    )


class Manner(msgspec.Struct, frozen=True):
    """How boxes come back: as the product does, or with these pauses and without chance."""

    pauses: tuple[float, ...] = ()
    """Seconds before the first, second, … try; the last one again and again. Empty: the product's way."""
    connect_s: float = 0.0
    """After so long a try is given up; 0: the product's time."""


class SteadyBackoff(Backoff):
    """Waits as a manner says, or as the product does."""

    manner = Manner()

    def next_s(self) -> float:
        """Return the seconds until the next try."""
        drawn = super().next_s()
        pauses = self.manner.pauses
        return pauses[min(self._failed, len(pauses)) - 1] if pauses else drawn

    def held(self, seconds: float) -> None:
        """A connection ended after so many seconds: where chance plays no part, one that stood at all begins anew."""
        super().held(seconds)
        if self.manner.pauses and seconds > self.manner.connect_s:
            self._failed = 0


class CountedAgent(Agent):
    """The agent, and how its tries ended."""

    def __init__(self, box: Box, backoff: SteadyBackoff) -> None:
        """Be the agent of ``box``."""
        super().__init__(box, backoff=backoff)  # type: ignore[arg-type]  # the parts that it uses
        self.patience = backoff
        self.tally: Counter[str] = Counter()

    async def _connected(self) -> None:
        self.tally["tried"] += 1
        await super()._connected()

    def _failed(self, state: LinkState, why: str) -> None:
        self.tally[ending(why)] += 1
        super()._failed(state, why)

    def _broker(self, pair: Pair | None) -> Broker:
        given = super()._broker(pair)
        patience = self.patience.manner.connect_s
        return msgspec.structs.replace(given, connect_s=patience) if patience else given


def ending(why: str) -> str:
    """Return in a word how a try ended."""
    for part, word in (
        ("connection lost", "lost"),
        ("efused", "refused"),
        ("timed out", "timed out"),
        ("does not acknowledge", "timed out"),
    ):
        if part in why:
            return word
    return "broken off"


@dataclass
class Crowd:
    """Agents of one process."""

    agents: list[CountedAgent]

    def behave(self, manner: Manner) -> None:
        """From now on come back so."""
        for agent in self.agents:
            agent.patience.manner = manner

    def tally(self) -> dict[str, int]:
        """Return how all tries ended until now, and how many are online."""
        total = sum((agent.tally for agent in self.agents), Counter[str]())
        online = sum(agent._app.fleet.state is LinkState.ONLINE for agent in self.agents)
        return {**total, "online": online}


@asynccontextmanager
async def crowd(folder: Path, sections: Sequence[MqttConfig], window_s: float) -> AsyncIterator[Crowd]:
    """Run an agent for each section inside the block; their first tries are spread over ``window_s``."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(len(sections) + 8))
    folder.mkdir(parents=True, exist_ok=True)
    shared = await make_box(folder)
    agents: list[CountedAgent] = []
    try:
        for mqtt in sections:
            config = msgspec.structs.replace(shared.config, mqtt=mqtt)
            box = replace(shared, config=config, fleet=Fleet(config, shared.store, shared.clock, shared.events))
            agents.append(CountedAgent(box, SteadyBackoff(window_s)))
            await agents[-1].start()
        yield Crowd(agents)
    finally:
        await asyncio.gather(*(agent.stop() for agent in agents))
        await shared.store.close()
