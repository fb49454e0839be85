"""Fills the queues in memory from the store: what was announced without its content, and what comes behind it."""

from __future__ import annotations

from modembank.dispatch.desk import Desk
from modembank.dispatch.queues import QUEUE_LIMIT, RouteQueue
from modembank.events import MessagesReady
from modembank.messages.outbox import Outbox


class Loader:
    """Reads only when there is a reason to: an announcement, a queue running low, or a call for everything."""

    def __init__(self, desk: Desk, outbox: Outbox) -> None:
        """Use these."""
        self._desk = desk
        self._outbox = outbox
        self._work = desk.hungry
        self._new_routes: dict[int, None] = {}
        self._everything = True

    def announce(self, event: MessagesReady) -> None:
        """Messages may be dispatched now: those whose content was lent are taken at once, the others are read."""
        if not event.entries:
            self.reload()
        if len(event.entries) > QUEUE_LIMIT:  # more than fits: the store knows best which of them go first
            for route_id in {entry[0] for entry in event.entries} & self._desk.routes.keys():
                self._desk.routes[route_id].leave_in_store()
        for route_id, rank, message_id in event.entries:
            queue = self._desk.routes.get(route_id)
            offered = self._outbox.take_offer(message_id)
            if queue is None:
                self._new_routes[route_id] = None
            elif not queue.wants((rank, message_id)):
                continue
            elif offered is None:
                self._desk.to_read[message_id] = route_id
            else:
                self._desk.offer(offered)
        self.look()

    def look(self) -> None:
        """Wake the loader if there is anything to read."""
        if self._desk.to_read or self._new_routes or self._everything or self._hungry():
            self._work.set()

    def reload(self) -> None:
        """Look for messages in all routes."""
        self._everything = True
        self._work.set()

    async def run(self) -> None:
        """Read for ever; raises StoreError when the store cannot be read, what was announced is kept."""
        self._work.set()
        while True:
            await self._work.wait()
            self._work.clear()
            await self._find_routes()
            await self._read_announced()
            for queue in self._hungry():
                await self._refill(queue)
            self.look()

    def _hungry(self) -> list[RouteQueue]:
        return [queue for queue in self._desk.routes.values() if queue.hungry]

    async def _find_routes(self) -> None:
        if self._everything:
            for route in await self._outbox.routes():
                self._desk.add_route(route).more = True
            self._everything = False
        for route_id in list(self._new_routes):
            found = await self._outbox.route(route_id)
            if found is not None:
                self._desk.add_route(found)
            self._new_routes.pop(route_id, None)

    async def _read_announced(self) -> None:
        while self._desk.to_read:
            ids = list(self._desk.to_read)[:QUEUE_LIMIT]
            found = await self._outbox.load_some(ids)
            for message_id in ids:
                self._desk.to_read.pop(message_id, None)
            for message in found:
                self._desk.offer(message)

    async def _refill(self, queue: RouteQueue) -> None:
        queue.start_loading()
        room = queue.room
        try:
            found = await self._outbox.load(queue.route.id, limit=room, exclude=self._desk.known())
        finally:
            queue.stop_loading()
        self._desk.loaded(queue, found, exhausted=len(found) < room)
