"""The box's place in a fleet while the daemon runs: its agent, and its enrolment, which may come, change and end."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import structlog

from modembank.app import App
from modembank.supervision import Supervisor

if TYPE_CHECKING:
    from modembank_fleet.agent import Agent
    from modembank_fleet.agent.enrolling import Enrolling

_log = structlog.get_logger()


class FleetMembership:
    """Keeps an agent for as long as there is a hub; its libraries are loaded when they are needed (9 MB)."""

    def __init__(self, app: App, hub_within_s: float | None = None) -> None:
        """The first try for the hub comes within ``hub_within_s`` seconds; None: two minutes."""
        self._app = app
        self._within_s = hub_within_s
        self._supervisor = Supervisor()
        self._agent: Agent | None = None
        self._agent_of: object = None
        self._enrolling: Enrolling | None = None

    async def prepare(self) -> None:
        """Lay over the settings that are the hub's, before anything is sent."""
        if self._app.fleet.set_up:
            self._agent = self._made()
            await self._agent.prepare()

    async def start(self) -> None:
        """Begin to tell, and to do whatever an enrolment wants."""
        if self._agent is not None:
            await self._agent.start()
        self._supervisor.start("fleet.membership", self._keep)

    async def stop(self) -> None:
        """Take leave of the hub."""
        await self._supervisor.stop_all(2.0)
        await self._end_agent()

    async def _keep(self) -> None:
        enrolment = self._app.fleet.enrolment
        while True:
            enrolment.changed.clear()
            await self._right_agent()
            wait_s = None
            if enrolment.asked is not None or enrolment.membership is not None:
                wait_s = await self._enroller().step()
                if wait_s == 0.0:
                    continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await enrolment.changed.wait()

    async def _right_agent(self) -> None:
        """Have the agent of the hub that there is, or none."""
        if (self._agent is not None) == self._app.fleet.set_up and self._agent_of == self._identity():
            return
        await self._end_agent()
        if self._app.fleet.set_up:
            self._agent = agent = self._made(within_s=1.0)
            await agent.start()

    async def _end_agent(self) -> None:
        agent, self._agent, self._agent_of = self._agent, None, None
        if agent is not None:
            await agent.stop()

    def _identity(self) -> object:
        """Return what an agent cannot change while it runs."""
        mqtt = self._app.fleet.mqtt
        return (mqtt.site, mqtt.box, mqtt.hub_key) if self._app.fleet.set_up else None

    def _made(self, within_s: float | None = None) -> Agent:
        from modembank_fleet.agent import Agent
        from modembank_fleet.link import Backoff

        within = self._within_s if within_s is None else within_s
        self._agent_of = self._identity()
        return Agent(self._app, backoff=None if within is None else Backoff(within), renew=self._renew)

    def _enroller(self) -> Enrolling:
        if self._enrolling is None:
            from modembank_fleet.agent.enrolling import Enrolling
            from modembank_fleet.link import Backoff

            backoff = None if self._within_s is None else Backoff(self._within_s)
            self._enrolling = Enrolling(self._app.fleet, self._app.clock, self._try_certificate, backoff=backoff)
        return self._enrolling

    async def _renew(self, serial: str) -> dict[str, Any]:
        return await self._enroller().renew_now(serial)

    def _try_certificate(self) -> None:
        if self._agent is not None:
            self._agent.change_certificate()
