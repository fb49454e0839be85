"""The mailings service: what every face calls to import, look at, pause, resume and cancel mailings."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path

import msgspec
import structlog

from modembank import audit
from modembank.accounts.model import Actor, Scope
from modembank.accounts.quotas import Spending, usage
from modembank.bus import Bus
from modembank.clock import Clock, to_ms
from modembank.config import SendingConfig
from modembank.dispatch import Finishing
from modembank.errors import FieldProblem, InvalidRequest, ModembankError, NotFound
from modembank.ids import public_id, row_id
from modembank.mailings import canaries, changing, history, rows, uploads
from modembank.mailings.checking import Checks
from modembank.mailings.details import MailingDetails, Plan, details_of
from modembank.mailings.drafting import Drafts
from modembank.mailings.importing import Importing, note_found
from modembank.mailings.model import Ask, Found, ImportPhase, Layout, Looked, Order, Wish
from modembank.mailings.reading import UnreadableFile, look
from modembank.mailings.requests import MailingRequest, Received, as_ask, as_canary, as_message
from modembank.mailings.results import Format, refusals, results
from modembank.mailings.retrying import Retried, retry_step
from modembank.mailings.rows import MAILING_ID, Mailing
from modembank.mailings.running import Running
from modembank.mailings.uploads import Upload
from modembank.mailings.views import (
    Counted,
    MailingPreview,
    MailingView,
    MomentView,
    Preflight,
    RefusedRow,
    mailing_view,
    moment_view,
    preflight,
    preview_view,
)
from modembank.mailings.walking import wish
from modembank.messages import Admission, IdempotencyKey, IdempotencyMismatch, Page
from modembank.messages.admission import MAX_AHEAD_MS
from modembank.messages.batches import Terms, counts
from modembank.messages.cursors import cursor_after, position_of
from modembank.metrics import Metrics
from modembank.store import Store

FOLDER = "mailings"
"""Of the data folder: files until they are imported."""
SAMPLE = 5
READERS = 2
"""Files that are looked at for clients at once, each by a process of its own; others wait."""
_LIST = b"mailings"
_log = structlog.get_logger()


class Mailings:
    """Files of recipients, on behalf of an actor."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        clock: Clock,
        metrics: Metrics,
        *,
        admission: Admission,
        finishing: Finishing,
        sending: SendingConfig,
        region: str,
        data_dir: Path,
    ) -> None:
        """Use these; nothing is imported before start()."""
        self._store = store
        self._clock = clock
        self._admission = admission
        self._sending = sending
        self._region = region
        self._folder = data_dir / FOLDER
        self._reading = asyncio.Semaphore(READERS)
        self._importing = Importing(store, bus, clock, metrics, admission, self._folder)
        self._finishing = finishing
        self._running = Running(store, bus, clock, finishing, self._importing)
        self.drafts = Drafts(self._folder, clock, Checks(bus, clock, self._importing), self)

    async def start(self) -> None:
        """Go on with what the last run left, and delete files that belong to nothing."""
        left = await self._store.read(rows.open_ones)
        needed = {one.public_id for one in left if one.importing} | await self.drafts.start()
        await asyncio.to_thread(uploads.clean, self._folder, needed)
        self._running.start()

    async def stop(self) -> None:
        """End what runs; the next start goes on with it."""
        await self.drafts.stop()
        await self._running.stop()

    def upload(self, actor: Actor, name: str) -> Upload:
        """Return where a client's file is to be written; raises Forbidden."""
        actor.require(Scope.MAILINGS)
        return Upload(self._folder, name[:200], self._store.health.reserve_octets)

    async def preview(self, actor: Actor, file: Received, request: MailingRequest) -> MailingPreview:
        """Return what the first rows would become; raises Forbidden, InvalidRequest. The file is deleted."""
        actor.require(Scope.MAILINGS)
        try:
            return preview_view(await self._look(file, request))
        finally:
            await self.discard(file)

    async def dry_run(self, actor: Actor, file: Received, request: MailingRequest) -> Preflight:
        """Return what all rows would become; raises Forbidden, InvalidRequest, UnknownProvider. The file is deleted."""
        actor.require(Scope.MAILINGS)
        try:
            now = self._now()
            terms = self._admission.terms(as_message(request), now)
            as_canary(request)
            looked = await self._look(file, request)
            try:
                async with self._reading:
                    found = await self._importing.check(self._folder / file.token, looked.layout)
            except UnreadableFile as error:
                raise InvalidRequest(FieldProblem("/file", str(error).removeprefix("the file "))) from error
            begins_at = max(now, terms.not_before or now)
            needed_s = self._finishing.needed_s(
                found.segments, terms.route, rank=terms.rank, window=terms.window, begins_at=begins_at, now=now
            )
            return preflight(looked, found, await self._quota_left(actor), begins_at=begins_at, needed_s=needed_s)
        finally:
            await self.discard(file)

    async def create(
        self,
        actor: Actor,
        file: Received,
        request: MailingRequest,
        key: IdempotencyKey | None = None,
        checked: tuple[Layout, Found] | None = None,
    ) -> tuple[MailingView, bool]:
        """Make a mailing of a file, durably; return it, and whether it is an earlier one with the same key.

        The import goes on in the background; rows that were ``checked`` in the same layout are not once more. Raises
        Forbidden, InvalidRequest, UnknownProvider, IdempotencyMismatch, QuotaExceeded when nothing is left of it,
        StoreFull, StoreError; then nothing is left of the file.
        """
        actor.require(Scope.MAILINGS)
        digest = _digest(file, request)
        try:
            earlier = await self._earlier(actor, key, digest)
            if earlier is not None:
                return await self._view(earlier), True
            if await self._quota_left(actor) == 0:
                await self._store.read(lambda conn: Spending(conn).spend(actor.user_id, 1, self._now()))
            mailing = await self._new(actor, file, request)
            await asyncio.to_thread(uploads.keep, self._folder, file.token, mailing.public_id)
            found = None if checked is None or checked[0] != mailing.layout else checked[1]
            stored = await self._stored(actor, mailing, key, digest, found)
        finally:
            await self.discard(file)
        self._running.wake()
        return await self._view(stored), stored != mailing.id

    async def get(self, actor: Actor, mailing: str) -> MailingView:
        """Return one; raises Forbidden, and NotFound when there is none the actor may see."""
        actor.require(Scope.MAILINGS)
        return await self._view((await self._one(actor, mailing)).id)

    async def list(self, actor: Actor, *, cursor: str | None = None, limit: int = 50) -> Page[MailingView]:
        """Return a page of mailings, newest first: a sender's own, an admin's all."""
        actor.require(Scope.MAILINGS)
        user_id = None if actor.is_admin else actor.user_id
        before = None if cursor is None else position_of(cursor, _LIST)

        found = await self._store.read(
            lambda conn: [_counted(conn, one) for one in rows.page(conn, user_id, before, limit + 1)]
        )
        shown = found[:limit]
        now = self._now()
        views = tuple(self._shown(one, now) for one in shown)
        return Page(views, cursor_after(shown[-1].mailing.id, _LIST) if len(found) > limit else None)

    async def refused(
        self, actor: Actor, mailing: str, *, cursor: str | None = None, limit: int = 50
    ) -> Page[RefusedRow]:
        """Return a page of the rows that gave no message, in the order of the file."""
        actor.require(Scope.MAILINGS)
        one = await self._one(actor, mailing)
        about = b"rows of " + one.public_id.encode()
        after = 0 if cursor is None else position_of(cursor, about)
        found = await self._store.read(lambda conn: rows.refused_rows(conn, one.id, after, limit + 1))
        shown = tuple(RefusedRow(line, number, kind, why) for line, number, kind, why in found[:limit])  # type: ignore[arg-type]
        return Page(shown, cursor_after(shown[-1].line, about) if len(found) > limit else None)

    async def refusals(self, actor: Actor, mailing: str, style: Format = "spreadsheet") -> AsyncGenerator[bytes, None]:
        """Return the same as lines of CSV, to be read to the end; raises Forbidden, NotFound."""
        actor.require(Scope.MAILINGS)
        return refusals(self._store, (await self._one(actor, mailing)).id, style)

    async def results(self, actor: Actor, mailing: str, style: Format = "spreadsheet") -> AsyncGenerator[bytes, None]:
        """Return what became of each message, as lines of CSV to be read to the end; raises Forbidden, NotFound."""
        actor.require(Scope.MAILINGS)
        found = await self._one(actor, mailing)
        await audit.note_reading(self._store, self._clock, actor, "mailing.export", mailing, {"form": style})
        return results(self._store, found.id, style)

    async def start_sending(self, actor: Actor, mailing: str) -> MailingView:
        """Let a mailing go that was held; its validity counts from now. Raises Forbidden, NotFound, Conflict."""
        return await self._change(actor, mailing, "start", changing.start)

    async def pause(self, actor: Actor, mailing: str) -> MailingView:
        """Have what was not attempted wait. Raises Forbidden, NotFound, Conflict."""
        return await self._change(actor, mailing, "pause", changing.pause)

    async def resume(self, actor: Actor, mailing: str) -> MailingView:
        """Let it go on. Raises Forbidden, NotFound, Conflict."""
        return await self._change(actor, mailing, "resume", changing.resume)

    async def proceed(self, actor: Actor, mailing: str) -> MailingView:
        """Let the rest go behind its canary; its validity counts from now. Raises Forbidden, NotFound, Conflict."""
        return await self._change(actor, mailing, "continue", changing.proceed)

    async def cancel(self, actor: Actor, mailing: str) -> MailingView:
        """Cancel all that was not attempted, and what of the file is not imported.

        Raises Forbidden, NotFound, Conflict.
        """
        return await self._change(actor, mailing, "cancel", changing.cancel(actor.name))

    async def sending(self) -> bool:
        """Whether messages of a mailing are being sent."""
        return await self._store.read(rows.any_sending)

    async def history(self, actor: Actor, mailing: str) -> tuple[MomentView, ...]:
        """Return how many of its messages were in which state at some moments, the oldest first, now the last.

        Raises Forbidden, NotFound.
        """
        actor.require(Scope.MAILINGS)
        one = await self._one(actor, mailing)

        def read(conn: sqlite3.Connection) -> list[tuple[int, history.Counts]]:
            return [*history.moments(conn, one.id), (self._now(), counts(conn, one.id))]

        return tuple(moment_view(at, by_state) for at, by_state in await self._store.read(read))

    async def retry_failed(self, actor: Actor, mailing: str) -> MailingView:
        """Send again what failed, expired or did not arrive, each once, as new messages of a finished mailing.

        Raises Forbidden, NotFound, Conflict.
        """
        actor.require(Scope.MAILINGS)
        one = await self._one(actor, mailing)
        now = self._now()

        def write(conn: sqlite3.Connection, after: int) -> Retried:
            if not after:
                audit.record(conn, actor, "mailing.retry", one.public_id, now)
            return retry_step(conn, self._store, one.id, after, now)

        after: int | None = 0
        while after is not None:
            step = await self._store.write(lambda conn, place=after: write(conn, place), reserve=False)  # type: ignore[misc]
            if step.added is not None:
                self._importing.announce(one.user_id, step.added)
            after = step.after
        self._running.wake()
        return await self._view(one.id)

    async def _change(self, actor: Actor, mailing: str, verb: str, change: changing.Change) -> MailingView:
        actor.require(Scope.MAILINGS)
        found = await self._one(actor, mailing)
        mailing_id = found.id
        now = self._now()

        def write(conn: sqlite3.Connection) -> None:
            one = rows.read(conn, mailing_id)
            if one is None:
                raise NotFound(what="mailing", which=mailing)
            before = one.wish
            change(conn, one, now)
            if one.wish is not before:
                rows.save(conn, one, now)
                audit.record(conn, actor, f"mailing.{verb}", one.public_id, now)

        await self._store.write(write)
        if verb == "cancel":  # nothing more is read of it
            await self._delete(mailing)
        self._running.wake()
        self._running.tell(found.user_id)
        _log.info("mailing_changed", mailing=mailing, verb=verb, by=actor.name)
        return await self._view(mailing_id)

    def ask(self, request: MailingRequest) -> Ask:
        """Return how a file is to be read; raises InvalidRequest."""
        allowed = self._sending.max_segments if request.max_segments is None else request.max_segments
        return as_ask(request, allowed, self._region)

    def refusal(self, number: str) -> str:
        """Return why the box does not send to a number; empty when it does."""
        return self._importing.refusal(number)

    async def plan(self, actor: Actor, request: MailingRequest, segments: int) -> Plan:
        """Return what would become of so many segments; raises Forbidden, InvalidRequest, UnknownProvider."""
        actor.require(Scope.MAILINGS)
        now = self._now()
        terms = self._admission.terms(as_message(request), now)
        begins = max(terms.not_before or now, now)
        needed = self._finishing.needed_s(
            segments, terms.route, rank=terms.rank, window=terms.window, begins_at=begins, now=now
        )
        ends = None if needed is None else begins + needed * 1000
        return Plan(begins, ends, terms.expires_at, await self._quota_left(actor))

    async def details(self, actor: Actor, mailing: str) -> MailingDetails:
        """Return with what settings one was made, and by whom; raises Forbidden, NotFound."""
        actor.require(Scope.MAILINGS)
        one = await self._one(actor, mailing)
        owners = await self._store.read(lambda conn: rows.owners(conn, [one.id]))
        return details_of(one, owners.get(one.id, ""))

    async def owners(self, actor: Actor, mailings: Sequence[MailingView]) -> Mapping[str, str]:
        """Return who made which of these, by the mailing's id, for an admin; raises Forbidden."""
        actor.require(Scope.ADMIN)
        ids = [found for one in mailings if (found := row_id(MAILING_ID, one.id)) is not None]
        names = await self._store.read(lambda conn: rows.owners(conn, ids))
        return {public_id(MAILING_ID, one): name for one, name in names.items()}

    async def _look(self, file: Received, request: MailingRequest) -> Looked:
        path, ask = (self._folder / file.token).absolute(), self.ask(request)
        async with self._reading:
            return await look(Order(path=str(path), ask=ask, sample=SAMPLE))

    async def _new(self, actor: Actor, file: Received, request: MailingRequest) -> Mailing:
        now = self._now()
        admitted = self._admission.terms(as_message(request), now)
        canary = as_canary(request)
        looked = await self._look(file, request)
        terms = Terms(
            user_id=actor.user_id,
            flags=int(admitted.flags),
            route=admitted.route,
            rank=admitted.rank,
            not_before=admitted.not_before,
            window=admitted.window,
            on_unknown=int(admitted.on_unknown),
        )
        return Mailing(
            id=self._store.ids.take(),
            user_id=actor.user_id,
            name=request.name or file.name,
            phase=ImportPhase.CHECKING,
            wish=Wish.HOLD if request.hold else Wish.GO if canary is None else Wish.CANARY,
            walk=None,
            cause=None,
            layout=looked.layout,
            terms=terms,
            valid_for_s=self._sending.valid_for_s if request.valid_for_s is None else request.valid_for_s,
            expires_at=now + MAX_AHEAD_MS if request.hold else admitted.expires_at,
            file=file.name,
            octets=file.octets,
            created_at=now,
            canary=canary,
        )

    async def _quota_left(self, actor: Actor) -> int | None:
        """Return how many segments the user may still have accepted; None when there is no quota."""
        now = self._now()
        used = await self._store.read(lambda conn: usage(conn, actor.user_id, now))
        of_each = ((used.quota_per_day, used.today), (used.quota_per_month, used.this_month))
        return min((max(quota - taken, 0) for quota, taken in of_each if quota), default=None)

    async def _stored(
        self, actor: Actor, mailing: Mailing, key: IdempotencyKey | None, digest: bytes, found: Found | None
    ) -> int:
        """Store a new mailing, unless its key was taken meanwhile; return the id of the one that holds it."""
        now = mailing.created_at

        def write(conn: sqlite3.Connection) -> int:
            known = None if key is None else rows.by_key(conn, actor.user_id, key.key, now)
            if known is not None and key is not None:
                return _same(known, key, digest)
            rows.insert(conn, mailing, None if key is None else key.key, digest, now)
            if mailing.wish is not Wish.GO:
                wish(conn, mailing, mailing.wish)
            if found is not None and found.accepted:
                note_found(conn, mailing, found, now)
                rows.save(conn, mailing, now)
            detail = {"file": mailing.file, "octets": mailing.octets, "name": mailing.name}
            audit.record(conn, actor, "mailing.create", mailing.public_id, now, detail)
            return mailing.id

        stored = 0
        try:
            stored = await self._store.write(write, reserve=False)
        except ModembankError:  # and not a cancellation: then it may be stored all the same, and needs its file
            await self._delete(mailing.public_id)
            raise
        if stored != mailing.id:
            await self._delete(mailing.public_id)
        return stored

    async def _earlier(self, actor: Actor, key: IdempotencyKey | None, digest: bytes) -> int | None:
        if key is None:
            return None
        now, text = self._now(), key.key
        known = await self._store.read(lambda conn: rows.by_key(conn, actor.user_id, text, now))
        return None if known is None else _same(known, key, digest)

    async def discard(self, file: Received) -> None:
        """Delete a file that was received and is not to be used."""
        await self._delete(file.token)

    async def _delete(self, name: str) -> None:
        await asyncio.to_thread((self._folder / name).unlink, missing_ok=True)

    async def _one(self, actor: Actor, mailing: str) -> Mailing:
        wanted = row_id(MAILING_ID, mailing)
        found = None if wanted is None else await self._store.read(lambda conn: rows.read(conn, wanted))
        if found is None or not (actor.is_admin or found.user_id == actor.user_id):
            raise NotFound(what="mailing", which=f"{mailing[:80]!a}")
        return found

    async def _view(self, mailing_id: int) -> MailingView:
        def read(conn: sqlite3.Connection) -> Counted | None:
            one = rows.read(conn, mailing_id)
            return None if one is None else _counted(conn, one)

        found = await self._store.read(read)
        if found is None:
            raise NotFound(what="mailing", which=str(mailing_id))
        return self._shown(found, self._now())

    def _shown(self, one: Counted, now: int) -> MailingView:
        forecast = self._running.forecast(one.mailing, one.by_state, now)
        return mailing_view(one, forecast, now, self._running.ahead(one.mailing))

    def _now(self) -> int:
        return to_ms(self._clock.now())


def _counted(conn: sqlite3.Connection, one: Mailing) -> Counted:
    pending = one.canary is not None and one.onward is Wish.CANARY and one.finished_at is None
    of_canary = canaries.counts(conn, one.id, one.canary) if pending and one.canary is not None else {}
    return Counted(one, counts(conn, one.id), of_canary)


def _digest(file: Received, request: MailingRequest) -> bytes:
    fields = msgspec.json.encode(request, order="deterministic")
    return hashlib.sha256(file.digest + fields).digest()


def _same(known: tuple[int, bytes], key: IdempotencyKey, digest: bytes) -> int:
    if known[1] != digest:
        raise IdempotencyMismatch(idempotency_key=key.key)
    return known[0]
