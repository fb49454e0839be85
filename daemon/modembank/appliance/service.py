"""The appliance service: how the image is, and updates, a restart and a factory reset on behalf of an admin."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import structlog

from modembank.accounts import Actor, Scope
from modembank.appliance.bundle import BUNDLE, PARTIAL, BundleUpload, NoRoom
from modembank.appliance.fetching import BundleFetch
from modembank.appliance.orders import Order, waiting_order, write_order
from modembank.appliance.rules import UPDATES, UpdateRules, read_rules
from modembank.appliance.state import INSTALLED, RUN, State, read_state, signature
from modembank.appliance.views import BoxOrder, BoxUpload, BoxView, box_view
from modembank.audit import Audit
from modembank.bus import Bus
from modembank.clock import Clock, rfc3339, to_ms
from modembank.config import BoxConfig
from modembank.errors import Conflict, FieldProblem, InvalidRequest
from modembank.events import BoxChanged
from modembank.ids import random_token
from modembank.outgoing import Getter
from modembank.store import Store

FOLDER = "box"
"""In the data folder: what root's side takes."""
STALE_MS = 2 * 3_600_000
WORDS = {
    "update": "an update",
    "restart": "a restart",
    "reset": "a factory reset",
    "postpone": "a later restart",
    "rollback": "the way back to the version before",
}
MOST_DAYS = 30
_log = structlog.get_logger()


class Appliance:
    """The image, if the box was started from one."""

    def __init__(
        self, box: BoxConfig, store: Store, bus: Bus, clock: Clock, run: Path = RUN, updates: Path = UPDATES
    ) -> None:
        """``run`` is where root's side tells of the box, ``updates`` what the owner says of updates.

        Nothing is read until asked.
        """
        self._name = box.id
        self._folder = Path(box.data_dir) / FOLDER
        self._store = store
        self._audit = Audit(store, clock)
        self._bus = bus
        self._clock = clock
        self._run = run
        self._updates = updates
        self.fetched = BundleFetch(self._folder, store.health.reserve_octets, Getter())
        """The bundle that is fetched for somebody who named it."""
        self._upload: tuple[BundleUpload, BoxUpload] | None = None
        self._seen: object = None

    @property
    def present(self) -> bool:
        """Whether the box was started from an image."""
        return self._run.is_dir()

    async def state(self) -> State:
        """Return what root's side says now."""
        return await asyncio.to_thread(read_state, self._run)

    async def rules(self) -> UpdateRules:
        """Return what the owner lets others do with updates."""
        return await asyncio.to_thread(read_rules, self._updates)

    async def waits(self, order: str) -> bool:
        """Whether an order of this id was not taken yet."""
        waiting = await asyncio.to_thread(waiting_order, self._folder)
        return waiting is not None and waiting.id == order

    async def view(self, actor: Actor) -> BoxView:
        """Return how the image is and what is asked of it. Raises Forbidden for all but admins."""
        actor.require(Scope.ADMIN)
        return await asyncio.to_thread(offline_view, self._name, self._run, self._folder.parent, self._uploading())

    # -- orders

    async def upload(self, actor: Actor, size: int | None) -> BundleUpload:
        """Begin to take an update bundle of so many octets (None: not said); end it with its discard().

        Raises Forbidden, Conflict when there is no image or something is under way, BundleTooLarge and NoRoom.
        """
        await self._check(actor)
        upload = BundleUpload(self._folder, self._store.health.reserve_octets, self._uploaded)
        await upload.expect(size or 0)
        if self._upload is not None:  # somebody began while it was looked
            raise _conflict(self._upload[1])
        self._upload = upload, BoxUpload(actor.name, rfc3339(self._now_ms()), 0, size)
        self._tell()
        return upload

    async def install(self, actor: Actor, upload: BundleUpload) -> None:
        """Ask for the installation of a bundle that was received whole. Raises Conflict, and StoreError."""
        state, order = await asyncio.to_thread(lambda: (read_state(self._run), waiting_order(self._folder)))
        _refuse(state, order, self._now_ms())
        detail = {"octets": upload.octets, "sha256": upload.sha256}
        await self._audit.note(actor, "box.update", self._name, detail)
        await self._order(actor, "update", upload)

    async def install_fetched(self, actor: Actor, order: str, version: str) -> None:
        """Ask for the installation of the bundle that was fetched, under an id; of this version and no other.

        Raises Forbidden, Conflict, NoRoom, and StoreError.
        """
        await self._check(actor)
        await self._audit.note(actor, "box.update", self._name, {"order": order, "version": version})
        await self._order(actor, "update", self.fetched, order=order, version=version)

    async def roll_back(self, actor: Actor, order: str) -> None:
        """Ask, under an id, for a start of the other slot if that is in order. Raises as restart()."""
        await self._check(actor)
        await self._audit.note(actor, "box.rollback", self._name, {"order": order})
        await self._order(actor, "rollback", order=order)

    async def check(self, actor: Actor) -> None:
        """Raise Forbidden, or Conflict where nothing can be asked for now."""
        await self._check(actor)

    async def restart(self, actor: Actor) -> None:
        """Ask for a restart of the whole box. Raises Forbidden, Conflict, and StoreError."""
        await self._check(actor)
        await self._audit.note(actor, "box.restart", self._name)
        await self._order(actor, "restart")

    async def postpone(self, actor: Actor, days: int) -> None:
        """Have the box not restart by itself into an update for so many days; 0: it may at any time.

        Raises Forbidden, InvalidRequest, Conflict, and StoreError.
        """
        actor.require(Scope.ADMIN)
        if not 0 <= days <= MOST_DAYS:
            raise InvalidRequest(FieldProblem("/days", f"must be 0 to {MOST_DAYS}"))
        await self._check(actor)
        update = (await self.state()).update
        if update is None or update.state != INSTALLED:
            raise Conflict(why="no update waits for a restart")
        await self._audit.note(actor, "box.postpone", self._name, {"days": days})
        await self._order(actor, "postpone", days=days)

    async def reset(self, actor: Actor, typed: str) -> None:
        """Ask for a factory reset; ``typed`` must be the box's name.

        Raises Forbidden, InvalidRequest, Conflict, and StoreError.
        """
        actor.require(Scope.ADMIN)
        if typed.strip() != self._name:
            raise InvalidRequest(FieldProblem("/box", f"must be the name of this box, {self._name}"))
        await self._check(actor)
        await self._audit.note(actor, "box.reset", self._name)
        await self._order(actor, "reset")

    # -- what the process has done

    async def clean(self) -> None:
        """Delete bundles that an earlier run left: parts, and a whole one that nobody is about to install."""
        with suppress(OSError):
            await asyncio.to_thread(self._clean)

    async def look(self) -> None:
        """Tell when root's side has written something anew."""
        seen = await asyncio.to_thread(lambda: (signature(self._run), waiting_order(self._folder)))
        if seen != self._seen:
            self._seen = seen
            self._tell()

    # -- inside

    async def _check(self, actor: Actor) -> None:
        actor.require(Scope.ADMIN)
        state, order = await asyncio.to_thread(lambda: (read_state(self._run), waiting_order(self._folder)))
        _refuse(state, order, self._now_ms())
        if self._upload is not None:
            raise _conflict(self._upload[1])

    async def _order(
        self,
        actor: Actor,
        verb: str,
        bundle: BundleUpload | BundleFetch | None = None,
        days: int = 0,
        order: str = "",
        version: str = "",
    ) -> None:
        made = Order(verb, order or random_token(9), actor.name, rfc3339(self._now_ms()), days, version)

        def write() -> None:
            if bundle is not None:
                bundle.keep()
            write_order(self._folder, made)

        try:
            await asyncio.to_thread(write)
        except OSError as error:
            raise NoRoom(reason=error.strerror or str(error)) from error
        _log.info("box_order", verb=verb, id=made.id, by=actor.name)
        self._tell()

    def _clean(self) -> None:
        for path in self._folder.glob(f"{PARTIAL}*"):
            path.unlink(missing_ok=True)
        update = read_state(self._run).update
        if waiting_order(self._folder) is None and (update is None or not update.is_under_way):
            (self._folder / BUNDLE).unlink(missing_ok=True)

    def _uploading(self) -> BoxUpload | None:
        if self._upload is None:
            return None
        upload, began = self._upload
        return BoxUpload(began.by, began.since, upload.octets, began.size)

    def _uploaded(self) -> None:
        self._upload = None
        self._tell()

    def _tell(self) -> None:
        self._bus.publish(BoxChanged(self._now_ms()))

    def _now_ms(self) -> int:
        return to_ms(self._clock.now())


def offline_view(name: str, run: Path, data_dir: Path, upload: BoxUpload | None = None) -> BoxView:
    """Return how the image is, from its files alone: no daemon needs to run."""
    order = waiting_order(data_dir / FOLDER)
    shown = None if order is None else BoxOrder(order.verb, order.by, order.at)
    return box_view(name, _up_s(), read_state(run), upload, shown)


def _is_stale(at: int | None, now_ms: int) -> bool:
    """Whether an update has been said to be under way for longer than any takes: what wrote that is no more."""
    return at is not None and abs(now_ms - at) > STALE_MS


def _refuse(state: State, order: Order | None, now_ms: int) -> None:
    """Raise Conflict where nothing can be asked for now."""
    if not state.present:
        raise Conflict(why="this box was not started from the appliance image: its system is kept by other means")
    if order is not None:
        raise Conflict(why=f"{order.by} has asked for {WORDS.get(order.verb, 'something else')} at {order.at}")
    update = state.update
    if update is not None and update.is_under_way and not _is_stale(update.at, now_ms):
        by = f", asked for by {update.by}" if update.by else ""
        since = f", since {rfc3339(update.at)}" if update.at is not None else ""
        raise Conflict(why=f"an update is under way ({update.state}{by}{since})")


def _conflict(began: BoxUpload) -> Conflict:
    return Conflict(why=f"{began.by} has been uploading a bundle since {began.since}")


def _up_s() -> float:
    """Return for how long the machine has been running."""
    with suppress(OSError, ValueError, IndexError):
        return float(Path("/proc/uptime").read_text("ascii").split()[0])
    return 0.0
