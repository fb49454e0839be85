"""The in-process event bus: facts that are already durable, told to whoever cares."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import structlog

from modembank.events import Event

E = TypeVar("E", bound=Event)
_log = structlog.get_logger()


class Bus:
    """Delivers each event to the subscribers of its type, in order, on the event loop."""

    def __init__(self) -> None:
        """Start with no subscribers."""
        self._subscribers: dict[type[Event], list[Callable[[Event], None]]] = {}

    def subscribe(self, kind: type[E], receive: Callable[[E], None]) -> Callable[[], None]:
        """Call ``receive`` for every event of ``kind`` (``Event`` for all of them); return what ends it.

        ``receive`` must not block: it enqueues or sets a flag.
        """
        entry: Callable[[Event], None] = receive  # type: ignore[assignment]  # only events of `kind` reach it
        self._subscribers.setdefault(kind, []).append(entry)

        def unsubscribe() -> None:
            self._subscribers[kind].remove(entry)

        return unsubscribe

    def publish(self, event: Event) -> None:
        """Tell the subscribers; one that raises is logged and never hurts the others or the publisher."""
        for kind in (type(event), Event):
            for receive in tuple(self._subscribers.get(kind, ())):
                try:
                    receive(event)
                except Exception:  # noqa: BLE001 - a named boundary: one subscriber must not silence the rest
                    _log.exception("event_subscriber_failed", event_type=type(event).__name__)
