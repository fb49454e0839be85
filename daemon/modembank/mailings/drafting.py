"""Drafts, for the pages on which a mailing is made step by step: upload, columns and text, check, send.

A draft is its owner's alone. The file stays until it is sent, thrown away, or a day old.
"""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from modembank.accounts.model import Actor, Scope
from modembank.clock import Clock, to_ms
from modembank.errors import FieldProblem, InvalidRequest, NotFound
from modembank.ids import random_token
from modembank.mailings import drafts, uploads
from modembank.mailings.checking import Check, Checks
from modembank.mailings.drafts import Draft
from modembank.mailings.layouts import Opened, laid_out
from modembank.mailings.model import Ask, Found, Layout, Order, Row, Table
from modembank.mailings.reading import tabulated
from modembank.mailings.recipients import Recipients
from modembank.mailings.requests import MailingRequest, Received
from modembank.mailings.results import guarded
from modembank.mailings.templates import find_column
from modembank.mailings.views import MailingPreview, MailingView, layout_view, sample_row
from modembank.messages import IdempotencyKey
from modembank.supervision import Supervisor

SAMPLE = 5
"""Rows that are shown."""
SWEEP_S = 3_600.0
_READ_BY = ("header", "delimiter", "charset", "sheet", "region")
"""Fields of a request that decide how the first rows look."""


class Desk(Protocol):
    """What makes mailings."""

    def ask(self, request: MailingRequest) -> Ask:
        """Return how a file is to be read; raises InvalidRequest."""

    def refusal(self, number: str) -> str:
        """Return why the box does not send to a number; empty when it does."""

    async def create(
        self,
        actor: Actor,
        file: Received,
        request: MailingRequest,
        key: IdempotencyKey | None = None,
        checked: tuple[Layout, Found] | None = None,
    ) -> tuple[MailingView, bool]:
        """Make a mailing."""


class Drafts:
    """Files on which somebody works, on behalf of an actor; each method raises Forbidden, and NotFound for others'."""

    def __init__(self, folder: Path, clock: Clock, checks: Checks, desk: Desk) -> None:
        """Keep them in ``folder``."""
        self._folder = folder.absolute()
        self._clock = clock
        self._checks = checks
        self._desk = desk
        self._children = Supervisor()

    async def start(self) -> set[str]:
        """Delete old ones, now and every hour; return the names of the files that are needed."""
        needed = await asyncio.to_thread(drafts.sweep, self._folder, self._now())
        self._children.start("mailings.drafts", self._sweeps)
        return set(needed)

    async def stop(self) -> None:
        """End what runs."""
        await self._children.stop_all()
        await self._checks.stop()

    async def keep(self, actor: Actor, file: Received) -> Draft:
        """Make a received file a draft; raises InvalidRequest for one that cannot be read, and then deletes it."""
        actor.require(Scope.MAILINGS)
        try:
            table = await self._table(self._folder / file.token, MailingRequest())
            draft = Draft(
                id=random_token(12),
                user_id=actor.user_id,
                file=file.name,
                octets=file.octets,
                digest=file.digest,
                created_at=self._now(),
                table=table,
            )
            await asyncio.to_thread(drafts.keep, self._folder, draft, file.token)
        finally:
            await asyncio.to_thread((self._folder / file.token).unlink, missing_ok=True)
        for old in (await self.list(actor))[drafts.MOST :]:
            await self._delete(old)
        return draft

    async def list(self, actor: Actor) -> Sequence[Draft]:
        """Return the actor's own that are not sent, the newest first."""
        actor.require(Scope.MAILINGS)
        found = await asyncio.to_thread(drafts.all_of, self._folder)
        return [one for one in found if one.user_id == actor.user_id and one.mailing is None and self._lasts(one)]

    async def get(self, actor: Actor, draft: str) -> Draft:
        """Return one, whether or not it is sent."""
        actor.require(Scope.MAILINGS)
        found = await asyncio.to_thread(drafts.read, self._folder, draft)
        if found is None or found.user_id != actor.user_id or not self._lasts(found):
            raise NotFound(what="draft", which=f"{draft[:80]!a} (any more): files are kept for a day")
        return found

    async def change(self, actor: Actor, draft: str, request: MailingRequest) -> Draft:
        """Note what is said of one; raises InvalidRequest when the file cannot be read so."""
        one = await self.get(actor, draft)
        table = one.table
        if any(getattr(one.request, name) != getattr(request, name) for name in _READ_BY):
            table = await self._table(self._folder / one.name, request)
        one = msgspec.structs.replace(one, request=request, table=table)
        await asyncio.to_thread(drafts.write, self._folder, one)
        return one

    async def delete(self, actor: Actor, draft: str) -> None:
        """Throw one away."""
        await self._delete(await self.get(actor, draft))

    def preview(self, draft: Draft, request: MailingRequest) -> MailingPreview:
        """Return what the first rows would become; raises InvalidRequest.

        Nothing is read for it: they are in the draft's table, in which very long cells are cut.
        """
        layout = self._layout(draft.table, request)
        recipients = Recipients(layout, offers=True)
        rows = [self._judged(recipients.row(line, cells)) for line, cells in draft.table.rows]
        return MailingPreview(layout_view(layout), [sample_row(row) for row in rows])

    async def check(self, draft: Draft) -> Check:
        """Return how far the check of all its rows is; it begins by being asked for. Raises InvalidRequest."""
        layout = self._layout(draft.table, draft.request)
        return await self._checks.of(draft.id, draft.user_id, self._folder / draft.name, layout)

    async def refused(self, draft: Draft) -> bytes:
        """Return the rows that would give no message as CSV that no spreadsheet computes; raises InvalidRequest."""
        out = io.StringIO()
        lines = csv.writer(out, lineterminator="\r\n")
        lines.writerow(("line", "number", "reason"))
        found = (await self.check(draft)).refused
        lines.writerows([(line, guarded(number), guarded(reason)) for line, number, reason in found])
        return out.getvalue().encode("utf-8", "replace")

    async def send(self, actor: Actor, draft: str, request: MailingRequest) -> str:
        """Make a mailing of one and return its id; asked for twice, it is the same mailing.

        Raises what Mailings.create() raises; then the draft stays.
        """
        one = await self.get(actor, draft)
        if one.mailing is not None:
            return one.mailing
        key = IdempotencyKey.of(f"draft {one.id}", one.digest)
        lent = await asyncio.to_thread(drafts.lend, self._folder, one, uploads.PREFIX + random_token(12))
        view, _ = await self._desk.create(actor, lent, _settled(one.table, request), key, self._checks.over(one.id))
        await self._checks.forget(one.id)
        sent = msgspec.structs.replace(one, request=request, mailing=view.id)
        await asyncio.to_thread(drafts.write, self._folder, sent)
        await asyncio.to_thread((self._folder / one.name).unlink, missing_ok=True)
        return view.id

    async def _delete(self, draft: Draft) -> None:
        await self._checks.forget(draft.id)
        await asyncio.to_thread(drafts.delete, self._folder, draft)

    async def _table(self, path: Path, request: MailingRequest) -> Table:
        ask = self._desk.ask(msgspec.structs.replace(request, template="", text_column=None, name=None))
        return await tabulated(Order(path=str(path), ask=ask, table=True, sample=SAMPLE))

    def _layout(self, table: Table, request: MailingRequest) -> Layout:
        if request.to_column is None and table.to_column is None:
            raise InvalidRequest(FieldProblem("/to_column", "is needed: choose the column that holds the numbers"))
        opened = Opened(
            table.kind, table.charset, table.delimiter, table.header, table.columns,
            [(line, list(cells)) for line, cells in table.rows],
        )  # fmt: skip
        return laid_out(opened, self._desk.ask(_settled(table, request)))

    def _judged(self, row: Row) -> Row:
        return row if row.reason else msgspec.structs.replace(row, reason=self._desk.refusal(row.number))

    async def _sweeps(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            await asyncio.to_thread(drafts.sweep, self._folder, self._now())

    def _lasts(self, draft: Draft) -> bool:
        return draft.expires_at() > self._now()

    def _now(self) -> int:
        return to_ms(self._clock.now())


def spoken(columns: Sequence[str], at: int) -> str:
    """Return what a request calls a column: its name, or its number from 1 when the name is not its alone."""
    return columns[at] if find_column(columns[at], columns) == at else str(at + 1)


def _settled(table: Table, request: MailingRequest) -> MailingRequest:
    """Return a request in which nothing is left to be found out that is known: the file is read as it was shown."""
    numbers = None if table.to_column is None else spoken(table.columns, table.to_column)
    return msgspec.structs.replace(
        request,
        header="yes" if table.header else "no",
        charset=table.charset or None,
        delimiter=table.delimiter or None,
        to_column=request.to_column or numbers,
    )
