"""Saying what there is and how it is, each thing only when it has changed, and taking back what is gone for good."""

from __future__ import annotations

from typing import Any

import msgspec

from modembank.app import App
from modembank_fleet.link import Session
from modembank_home_assistant.discovery import Component, components_of, document, of_a_modem, without
from modembank_home_assistant.states import States

GONE_S = 600.0
"""A modem or SIM that is not there for so long is taken away; after a start, modems on the USB come one by one."""
_MOST_LEFT = 1000


class Announcing:
    """What was said over this connection, and what the broker had of the box before."""

    def __init__(self, app: App, states: States) -> None:
        """Use these; nothing is said yet."""
        self._app = app
        self._states = states
        self._topics = states.topics
        self._said: dict[str, bytes] = {}
        self._known: dict[str, Component] = {}
        self._missing: dict[str, float] = {}
        self._left: set[str] = set()
        self._forgotten: list[str] = []

    def begin(self) -> None:
        """Say everything again."""
        self._said.clear()

    def found_document(self, payload: bytes) -> None:
        """Take note of a document that was there: what is in it and is no more will be taken away."""
        for key, component in components_of(payload).items():
            self._known.setdefault(key, component)

    def found_retained(self, topic: str) -> None:
        """Take note of something retained below the box's name."""
        if topic.startswith(self._topics.own("")) and len(self._left) < _MOST_LEFT:
            self._left.add(topic)

    def forget_modem(self, slot: str) -> None:
        """A slot is none any more: its components go at once."""
        self._forgotten.append(of_a_modem(slot))

    async def say(self, session: Session) -> None:
        """Say what has changed; raises LinkError, LinkRefused."""
        shown = self._states.shown()
        current: dict[str, Component] = document(self._topics, shown)["components"]
        gone, kept = self._judge(current)
        wanted = document(self._topics, shown, kept)
        if gone:
            await self._retain(session, self._topics.document, without(wanted, gone))
        if await self._retain(session, self._topics.document, wanted):
            self._app.home_assistant.announced(len(wanted["components"]))
        self._known = wanted["components"]
        payloads = await self._states.payloads(shown)
        for topic, payload in payloads.items():
            await self._retain(session, topic, payload)
        await self._clear(session, payloads.keys() | _topics_of(kept))

    def _judge(self, current: dict[str, Component]) -> tuple[dict[str, Component], dict[str, Component]]:
        """Return which known components go now, and which are only away for a while."""
        now = self._app.clock.monotonic()
        away = {key: component for key, component in self._known.items() if key not in current}
        self._missing = {key: self._missing.get(key, now) for key in away}
        forgotten, self._forgotten = tuple(self._forgotten), []
        lasting = ("modem_", "sim_") if self._app.config.home_assistant.commands else ("modem_",)
        gone = {
            key: component
            for key, component in away.items()
            if key.startswith(forgotten) or not key.startswith(lasting) or now - self._missing[key] >= GONE_S
        }
        return gone, {key: component for key, component in away.items() if key not in gone}

    async def _retain(self, session: Session, topic: str, content: bytes | dict[str, Any]) -> bool:
        """Say something unless it was said; return whether it was new."""
        payload = content if isinstance(content, bytes) else msgspec.json.encode(content)
        if self._said.get(topic) == payload:
            return False
        await session.publish(topic, payload, retain=True)
        self._said[topic] = payload
        return True

    async def _clear(self, session: Session, wanted: set[str]) -> None:
        """Empty what is retained below the box's name and not wanted."""
        wanted |= {self._topics.document, self._topics.available}
        for topic in sorted((self._left | self._said.keys()) - wanted):
            await session.publish(topic, b"", retain=True)
            self._said.pop(topic, None)
        self._left.clear()


def _topics_of(components: dict[str, Component]) -> set[str]:
    return {str(component.get("state_topic", "")) for component in components.values()}
