"""The webhooks service: what faces call, and the couriers that it runs."""

from __future__ import annotations

import secrets
import sqlite3
from typing import Any
from urllib.parse import urlsplit

import structlog
from msgspec import UNSET

from modembank import audit
from modembank.accounts import user_named
from modembank.accounts.model import Actor, Scope
from modembank.clock import rfc3339, to_ms
from modembank.couriers import Crew, Means
from modembank.errors import Conflict, FieldProblem, InvalidRequest, NotFound
from modembank.eventlog import EVENT_ID
from modembank.ids import public_id, row_id
from modembank.webhooks import rows
from modembank.webhooks.courier import Courier
from modembank.webhooks.delivering import deliver
from modembank.webhooks.model import MOST, MOST_OF_ONE, WEBHOOK_ID, Secret, Webhook
from modembank.webhooks.requests import (
    MOST_KEEP_S,
    NewWebhook,
    WebhookPatch,
    check_address,
    check_events,
    check_label,
    check_new,
    check_private,
)
from modembank.webhooks.signing import new_secret
from modembank.webhooks.views import NewSecretView, TestView, WebhookView, new_secret_view, webhook_view

KEEP_SECRET_S = 86_400
"""How long the secret before goes on signing, unless told otherwise."""
_log = structlog.get_logger()


class Webhooks:
    """Webhooks on behalf of an actor: a sender has its own, an admin all."""

    def __init__(self, means: Means) -> None:
        """Tell nobody before ``start``."""
        self._means = means
        self._store = means.store
        self._crew = Crew()
        means.events.keep_for(rows.needed_after)

    # -- the couriers

    async def start(self) -> None:
        """Begin to tell."""
        self._crew.open()
        for webhook in await self._store.read(lambda conn: rows.listed(conn, None)):
            self._launch(webhook)

    async def stop(self) -> None:
        """Tell no more; what is being posted may be finished, and is told again after the next start if it is not."""
        await self._crew.close()

    def retry_now(self, webhook: str) -> bool:
        """Let the courier of a webhook (public id) try at once; return whether there is one."""
        return self._crew.poke(_task_of(row_id(WEBHOOK_ID, webhook) or 0))

    async def all(self) -> list[Webhook]:
        """Return every webhook, for the box itself."""
        return await self._store.read(lambda conn: rows.listed(conn, None))

    def _launch(self, webhook: Webhook) -> None:
        if webhook.active:
            self._crew.send(_task_of(webhook.id), lambda: Courier(webhook.id, self._means))

    async def _halt(self, webhook_id: int) -> None:
        await self._crew.halt(_task_of(webhook_id))

    # -- what faces see

    async def list(self, actor: Actor) -> list[WebhookView]:
        """Return the webhooks that an actor may see. Raises Forbidden."""
        actor.require(Scope.WEBHOOKS)
        whose, now = None if actor.is_admin else actor.user_id, self._now()
        return [webhook_view(one, now) for one in await self._store.read(lambda conn: rows.listed(conn, whose))]

    async def get(self, actor: Actor, webhook: str) -> WebhookView:
        """Return one by its public id (``whk_…``). Raises Forbidden, NotFound."""
        return webhook_view(await self._one(actor, webhook), self._now())

    async def create(self, actor: Actor, wanted: NewWebhook) -> NewSecretView:
        """Make a webhook that hears what happens from now on. Raises Forbidden, InvalidRequest, NotFound, Conflict."""
        check_new(actor, wanted)
        now = self._now()
        columns = {
            "url": wanted.url,
            "events": rows.events_text(wanted.events),
            "secrets": rows.secrets_text([Secret(wanted.secret or new_secret())]),
            "label": wanted.label,
            "all_users": int(wanted.all_users),
            "allow_private": int(wanted.allow_private),
        }

        def insert(conn: sqlite3.Connection) -> Webhook:
            user_id = actor.user_id if wanted.user is None else user_named(conn, wanted.user).id
            if rows.count(conn, user_id) >= MOST_OF_ONE or rows.count(conn) >= MOST:
                raise Conflict(why=f"a user has at most {MOST_OF_ONE} webhooks, and the box {MOST}")
            place = int(conn.execute("SELECT COALESCE(max(id), 0) FROM event_log").fetchone()[0])
            made = _there(rows.get(conn, rows.insert(conn, user_id, now, place, columns)))
            _check_owner(made)
            self._record(conn, actor, "webhook.create", made, now, {"user": made.user, "events": list(made.events)})
            return made

        made = await self._store.write(insert, reserve=False)
        self._launch(made)
        return new_secret_view(made, now)

    async def change(self, actor: Actor, webhook: str, patch: WebhookPatch) -> WebhookView:
        """Change a webhook; what is told next goes by it. Raises Forbidden, NotFound, InvalidRequest."""
        before = await self._one(actor, webhook)
        columns, now = _patched(actor, before, patch), self._now()

        def write(conn: sqlite3.Connection) -> Webhook:
            rows.change(conn, before.id, columns)
            after = _there(rows.get(conn, before.id))
            _check_owner(after)
            self._record(conn, actor, "webhook.change", after, now, {"changed": sorted(columns)})
            return after

        after = await self._store.write(write) if columns else before
        if after.active:
            self._launch(after)
        else:
            await self._halt(after.id)
        return webhook_view(after, now)

    async def delete(self, actor: Actor, webhook: str) -> None:
        """End a webhook; what it has not been told yet, it will not be. Raises Forbidden, NotFound."""
        found, now = await self._one(actor, webhook), self._now()
        await self._halt(found.id)

        def write(conn: sqlite3.Connection) -> None:
            rows.delete(conn, found.id)
            self._record(conn, actor, "webhook.delete", found, now, {"user": found.user})

        await self._store.write(write)

    async def rotate(self, actor: Actor, webhook: str, keep_s: int = KEEP_SECRET_S) -> NewSecretView:
        """Give a webhook a new secret; the one before signs too for ``keep_s`` seconds. Raises Forbidden, NotFound."""
        if not 0 <= keep_s <= MOST_KEEP_S:
            raise InvalidRequest(FieldProblem("/keep_old_for_s", f"must be 0 to {MOST_KEEP_S}"))
        found, now = await self._one(actor, webhook), self._now()
        fresh = Secret(new_secret())

        def write(conn: sqlite3.Connection) -> Webhook:
            known = _there(rows.get(conn, found.id)).secrets
            until = now + keep_s * 1000
            kept = [Secret(one.secret, min(until, one.until or until)) for one in known[:1] if keep_s]
            rows.change(conn, found.id, {"secrets": rows.secrets_text([fresh, *kept])})
            self._record(conn, actor, "webhook.rotate", found, now, {"keep_old_for_s": keep_s})
            return _there(rows.get(conn, found.id))

        return new_secret_view(await self._store.write(write), now)

    async def test(self, actor: Actor, webhook: str) -> TestView:
        """Post ``webhook.test`` now and return what came of it; nothing is tried again. Raises Forbidden, NotFound."""
        found = await self._one(actor, webhook)
        now = self._means.clock.now()
        event = f"{EVENT_ID}_test_{secrets.token_hex(8)}"
        told = {
            "id": event,
            "type": "webhook.test",
            "timestamp": rfc3339(to_ms(now)),
            "data": {"webhook": public_id(WEBHOOK_ID, found.id), "label": found.label},
        }
        outcome = await deliver(self._means.poster, found, told, now)
        self._means.metrics.webhook_deliveries.labels("test").inc()
        if outcome.error is None:
            self.retry_now(public_id(WEBHOOK_ID, found.id))
        return TestView(outcome.error is None, outcome.status, outcome.ms, outcome.error, event)

    async def replay(
        self, actor: Actor, webhook: str, *, since: int | None = None, after: str | None = None
    ) -> WebhookView:
        """Tell again what happened since a time (unix ms), or after an event, with the ids it had.

        Raises Forbidden, NotFound, InvalidRequest when neither or both are given, or nothing was told since.
        """
        found, now = await self._one(actor, webhook), self._now()
        place = await self._place(since, after)
        await self._halt(found.id)

        def write(conn: sqlite3.Connection) -> Webhook:
            latest = _there(rows.get(conn, found.id))
            if place > latest.place:
                told = f"it has been told up to {public_id(EVENT_ID, latest.place)} only: there is nothing to repeat"
                raise InvalidRequest(FieldProblem("/after" if since is None else "/since", told))
            rows.change(conn, found.id, {"place": place})
            self._record(conn, actor, "webhook.replay", found, now, {"after": public_id(EVENT_ID, place)})
            return _there(rows.get(conn, found.id))

        try:
            after_write = await self._store.write(write)
        finally:
            self._launch(found)
        return webhook_view(after_write, now)

    async def _place(self, since: int | None, after: str | None) -> int:
        if (since is None) == (after is None):
            raise InvalidRequest(FieldProblem("", "must have either since or after"))
        if since is not None:
            return await self._means.events.before(since)
        place = row_id(EVENT_ID, after or "")
        if place is None:
            raise InvalidRequest(FieldProblem("/after", "is no id of an event, such as evt_0000000000042"))
        return place

    async def _one(self, actor: Actor, webhook: str) -> Webhook:
        actor.require(Scope.WEBHOOKS)
        wanted = row_id(WEBHOOK_ID, webhook)
        found = None if wanted is None else await self._store.read(lambda conn: rows.get(conn, wanted))
        if found is None or not (actor.is_admin or found.user_id == actor.user_id):
            raise NotFound(what="webhook", which=f"{webhook[:40]!a}")
        return found

    def _record(
        self, conn: sqlite3.Connection, actor: Actor, action: str, webhook: Webhook, now: int, detail: dict[str, Any]
    ) -> None:
        subject = public_id(WEBHOOK_ID, webhook.id)
        host = urlsplit(webhook.url).hostname  # the rest of an address may hold a password
        audit.record(conn, actor, action, subject, now, {"host": host, **detail})
        _log.info(action.replace(".", "_"), webhook=subject, actor=actor.name)

    def _now(self) -> int:
        return self._means.now_ms


def _patched(actor: Actor, before: Webhook, patch: WebhookPatch) -> dict[str, Any]:
    """Return the columns that a patch changes; raises what is wrong with it."""
    given = {name: value for name in patch.__struct_fields__ if (value := getattr(patch, name)) is not UNSET}
    url, events = given.get("url", before.url), given.get("events", before.events)
    all_users = given.get("all_users", before.all_users)
    if given.keys() & {"url", "events", "all_users", "active"}:
        check_events(actor, events, all_users=all_users)
    private = given.get("allow_private", before.allow_private)
    if private and not before.allow_private:
        check_private(actor)
    if url != before.url and not actor.is_admin:
        private = False  # an admin allowed it for the address that was there
    if given.keys() & {"url", "allow_private"}:
        check_address(url, allow_private=private)
        given["allow_private"] = private
    check_label(given.get("label", ""))
    if "events" in given:
        given["events"] = rows.events_text(events)
    if given.get("active"):
        given |= {"stopped_why": None, "failing_since": None, "failures": 0, "next_try_at": None}
    return {name: int(value) if isinstance(value, bool) else value for name, value in given.items()}


def _check_owner(webhook: Webhook) -> None:
    if webhook.all_users and not webhook.owner_is_admin:
        raise InvalidRequest(FieldProblem("/all_users", f"{webhook.user} is no admin and hears only of its own"))


def _there(webhook: Webhook | None) -> Webhook:
    if webhook is None:  # it was deleted between the look and the write
        raise NotFound(what="webhook", which="of that id")
    return webhook


def _task_of(webhook_id: int) -> str:
    return f"webhook[{webhook_id}]"
