"""Channels as faces see them: who is told of alerts, how that goes, and trying it."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec
import structlog
from msgspec import UNSET, UnsetType

from modembank import audit
from modembank.accounts import Actor, Scope
from modembank.errors import Conflict, FieldProblem, InvalidRequest, NotFound
from modembank.outgoing import why_refused
from modembank.webhooks.model import Secret
from modembank.webhooks.service import KEEP_SECRET_S
from modembank.webhooks.signing import new_secret
from modembank_hub.alerting import rows
from modembank_hub.alerting import rows_of_channels as channels
from modembank_hub.alerting.kinds_table import Severity
from modembank_hub.alerting.places import EVERYWHERE
from modembank_hub.alerting.rows_of_channels import MAIL, WEBHOOK, Channel, LetterRow
from modembank_hub.alerting.telling import Delivery, Tellers, hand_over, post
from modembank_hub.config import MAIL_ADDRESS
from modembank_hub.events import AlertsChanged

MOST_CHANNELS, MOST_RECIPIENTS, MOST_NAME = 50, 50, 60
_LETTERS = 20
_log = structlog.get_logger()


class NewChannel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A channel to be made: with ``url`` a webhook, with ``recipients`` e-mail."""

    name: str
    url: str = ""
    allow_private: bool = False
    recipients: tuple[str, ...] = ()
    least: Severity = Severity.WARNING
    place: str = EVERYWHERE
    ends: bool = True


class ChannelPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to change of a channel; what is left out stays."""

    name: str | UnsetType = UNSET
    url: str | UnsetType = UNSET
    allow_private: bool | UnsetType = UNSET
    recipients: tuple[str, ...] | UnsetType = UNSET
    least: Severity | UnsetType = UNSET
    place: str | UnsetType = UNSET
    ends: bool | UnsetType = UNSET
    active: bool | UnsetType = UNSET


class Channels:
    """Makes, changes and tries them; they are the admins'."""

    def __init__(self, tellers: Tellers) -> None:
        """Those that run are theirs."""
        self._tellers = tellers
        self._means = tellers.means
        self._store = tellers.means.store

    @property
    def mails(self) -> bool:
        """Whether there is a server for e-mail."""
        return self._means.mailer.possible

    async def listed(self, actor: Actor) -> list[Channel]:
        """Return all by name; raises Forbidden."""
        actor.require(Scope.ADMIN)
        return await self._store.read(channels.listed)

    async def get(self, actor: Actor, channel: int) -> tuple[Channel, Sequence[LetterRow]]:
        """Return one with its latest letters; raises NotFound, Forbidden."""
        actor.require(Scope.ADMIN)
        return await self._store.read(
            lambda conn: (_there(channels.get(conn, channel), channel), channels.letters(conn, channel, _LETTERS))
        )

    async def create(self, actor: Actor, wanted: NewChannel) -> Channel:
        """Make one that is told what is open, and then what changes. Raises InvalidRequest, Conflict, Forbidden."""
        actor.require(Scope.ADMIN)
        now = self._means.now_ms
        means = MAIL if wanted.recipients or not wanted.url else WEBHOOK
        given = msgspec.structs.asdict(wanted) | {
            "means": means,
            "secrets": channels.secrets_text([Secret(new_secret())] if means == WEBHOOK else []),
            "since_at": now,
            "created_at": now,
        }

        def put(conn: sqlite3.Connection) -> Channel:
            self._check(conn, means, given)
            if len(channels.listed(conn)) >= MOST_CHANNELS:
                raise Conflict(why=f"there are {MOST_CHANNELS} channels: delete one first")
            made = _there(channels.get(conn, _named(lambda: channels.insert(conn, _columns(given)))), 0)
            told = {"means": means, "least": made.least, "place": made.place}
            audit.record(conn, actor, "alert.channel_create", made.name, now, told)
            return made

        made = await self._store.write(put)
        self._tellers.launch(made)
        self._changed()
        return made

    async def change(self, actor: Actor, channel: int, patch: ChannelPatch) -> Channel:
        """Change one; one that is active again is told what is open. Raises NotFound, InvalidRequest, Forbidden."""
        actor.require(Scope.ADMIN)
        given = {name: value for name in patch.__struct_fields__ if (value := getattr(patch, name)) is not UNSET}
        now = self._means.now_ms

        def put(conn: sqlite3.Connection) -> Channel:
            before = _there(channels.get(conn, channel), channel)
            if given.keys() - {"active"}:  # what was right once can always be stopped
                self._check(conn, before.means, msgspec.structs.asdict(before) | given)
            if given:
                _named(lambda: channels.change(conn, channel, _columns(given)))
            if given.get("active") and not before.runs:
                channels.begin_anew(conn, channel, now)
            elif given.get("active") is False:
                channels.give_up(conn, channel, "the channel was stopped", now)
            after = _there(channels.get(conn, channel), channel)
            audit.record(conn, actor, "alert.channel_change", after.name, now, {"changed": sorted(given)})
            return after

        after = await self._store.write(put)
        if after.runs:
            self._tellers.launch(after)
        else:
            await self._tellers.halt(channel)
        self._changed()
        return after

    async def delete(self, actor: Actor, channel: int) -> None:
        """End one; what it has not been told, it will not be. Raises NotFound, Forbidden."""
        actor.require(Scope.ADMIN)
        now = self._means.now_ms
        _there(await self._store.read(lambda conn: channels.get(conn, channel)), channel)
        await self._tellers.halt(channel)

        def drop(conn: sqlite3.Connection) -> None:
            found = _there(channels.get(conn, channel), channel)
            channels.delete(conn, channel)
            audit.record(conn, actor, "alert.channel_delete", found.name, now)

        await self._store.write(drop)
        self._changed()

    async def rotate(self, actor: Actor, channel: int) -> Channel:
        """Give a webhook another secret; the one before signs too for a day. Raises NotFound, Conflict, Forbidden."""
        actor.require(Scope.ADMIN)
        now = self._means.now_ms

        def put(conn: sqlite3.Connection) -> Channel:
            found = _there(channels.get(conn, channel), channel)
            if found.means != WEBHOOK:
                raise Conflict(why="e-mail is not signed: only webhooks have secrets")
            kept = [Secret(one.secret, now + KEEP_SECRET_S * 1000) for one in found.secrets[:1]]
            text = channels.secrets_text([Secret(new_secret()), *kept])
            channels.change(conn, channel, {"secrets": text})
            audit.record(conn, actor, "alert.channel_rotate", found.name, now)
            return _there(channels.get(conn, channel), channel)

        return await self._store.write(put)

    async def test(self, actor: Actor, channel: int) -> Delivery:
        """Tell a channel that this is a test, and return what came of it. Raises NotFound, Forbidden."""
        found, _ = await self.get(actor, channel)
        letter, words = f"ltr_test_{secrets.token_hex(8)}", "This is a test: alerts of this hub will come here."
        if found.means == MAIL:
            outcome = await hand_over(self._means, found, letter, f"[{self._means.hub.id}] a test", words + "\n")
        else:
            outcome = await post(self._means, found, letter, "alerts.test", {"words": words}, self._means.now_ms)
        self._means.metrics.letters.labels(found.means, "test").inc()
        _log.info("alert_channel_tested", channel=found.name, actor=actor.name, error=outcome.error)
        return outcome

    def _check(self, conn: sqlite3.Connection, means: str, given: dict[str, Any]) -> None:
        problems = []
        name = given["name"]
        if not 1 <= len(name.strip()) <= MOST_NAME or not name.isprintable():
            problems.append(FieldProblem("/name", f"must be 1 to {MOST_NAME} characters"))
        if (problem := rows.places(conn).problem(given["place"])) is not None:
            problems.append(problem)
        problems += _webhook_problems(given) if means == WEBHOOK else self._mail_problems(given)
        if problems:
            raise InvalidRequest(problems[0], *problems[1:])

    def _mail_problems(self, given: dict[str, Any]) -> list[FieldProblem]:
        to = given["recipients"]
        if given["url"]:
            return [FieldProblem("/url", "is of a webhook, and this is e-mail: make a channel for each")]
        if not to:
            return [FieldProblem("/recipients", "must be one address at least; or give a url, for a webhook")]
        if not self.mails:
            way_out = "name a mail server as host under [mail] in the hub's configuration first"
            return [FieldProblem("/recipients", f"cannot be reached: {way_out}")]
        if len(to) > MOST_RECIPIENTS:
            return [FieldProblem("/recipients", f"are at most {MOST_RECIPIENTS}: use a list of your mail server's")]
        return [
            FieldProblem(f"/recipients/{place}", f"{one[:80]!a} is no address such as duty@example.com")
            for place, one in enumerate(to)
            if not MAIL_ADDRESS.fullmatch(one)
        ]

    def _changed(self) -> None:
        self._means.bus.publish(AlertsChanged(self._means.now_ms))


def _webhook_problems(given: dict[str, Any]) -> list[FieldProblem]:
    if given["recipients"]:
        return [FieldProblem("/recipients", "are of e-mail, and this is a webhook: make a channel for each")]
    why = why_refused(given["url"], allow_private=given["allow_private"])
    return [] if why is None else [FieldProblem("/url", why)]


def _columns(given: dict[str, Any]) -> dict[str, Any]:
    """Return fields as they are stored."""
    stored: dict[str, Any] = {name: int(value) if isinstance(value, bool) else value for name, value in given.items()}
    if "recipients" in stored:
        stored["recipients"] = json.dumps(list(stored["recipients"]))
    if "name" in stored:
        stored["name"] = stored["name"].strip()
    return stored


def _named(put: Any) -> Any:
    try:
        return put()
    except sqlite3.IntegrityError as error:
        raise InvalidRequest(FieldProblem("/name", "is that of another channel")) from error


def _there(channel: Channel | None, wanted: int) -> Channel:
    if channel is None:
        raise NotFound(what="channel", which=str(wanted))
    return channel
