"""What the hub's API shows of alerts, rules, silences and channels. Times are RFC 3339 UTC."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from modembank.clock import rfc3339
from modembank_hub.alerting.kinds_table import KINDS
from modembank_hub.alerting.rows import SilenceRow, StepRow
from modembank_hub.alerting.rows_of_channels import Channel, LetterRow
from modembank_hub.alerting.rules import Rule
from modembank_hub.alerting.service import Shown
from modembank_hub.alerting.wording import particulars_of, title_of


class AlertView(msgspec.Struct, frozen=True):
    """Something that needs a person; ``subject`` is a box (site/name) or the hub, ``topic`` which one of its things."""

    id: str
    kind: str
    subject: str
    topic: str
    title: str
    particulars: str
    """What was measured when it opened, in words."""
    severity: str
    state: str
    """open, acknowledged, ended."""
    detail: Mapping[str, Any]
    round: int
    """How often it has opened."""
    first_at: str
    since_at: str
    """Since when the condition holds."""
    opened_at: str
    acknowledged_at: str | None
    acknowledged_by: str
    note: str
    ended_at: str | None
    silenced_until: str | None


class StepView(msgspec.Struct, frozen=True):
    """A step of an alert's way."""

    at: str
    what: str
    by: str
    note: str


class AlertDetail(AlertView, frozen=True):
    """An alert with its way, the oldest step first."""

    way: Sequence[StepView] = ()


class RuleView(msgspec.Struct, frozen=True):
    """How alerts of a kind open and end at a place; ``by`` is empty for the program's own rule."""

    kind: str
    when: str
    place: str
    active: bool
    severity: str
    hold_s: int
    clear_s: int
    threshold: int
    unit: str
    by: str
    at: str | None


class SilenceView(msgspec.Struct, frozen=True):
    """While it lasts, nobody is told of what opens there; an empty ``kind`` is every kind."""

    id: str
    place: str
    kind: str
    begin: str
    until: str
    reason: str
    by: str
    at: str


class ChannelView(msgspec.Struct, frozen=True):
    """Whom alerts are told to, and how that goes; ``state``: working, failing, stopped."""

    id: str
    name: str
    means: str
    url: str
    allow_private: bool
    recipients: Sequence[str]
    least: str
    place: str
    ends: bool
    active: bool
    state: str
    stopped_why: str | None
    delivered: int
    failures: int
    failing_since: str | None
    last_at: str | None
    last_error: str | None
    created_at: str


class NewChannelView(ChannelView, frozen=True):
    """A channel with the secret that its posts are signed with, which is shown only this once; e-mail has none."""

    secret: str | None = None


class LetterView(msgspec.Struct, frozen=True):
    """What a channel was told at once; ``state``: queued, delivered, given_up."""

    id: str
    made_at: str
    opened: int
    ended: int
    state: str
    tries: int
    next_try_at: str | None
    error: str | None
    settled_at: str | None


class ChannelDetail(ChannelView, frozen=True):
    """A channel with its latest letters, newest first."""

    letters: Sequence[LetterView] = ()


def alert_view(shown: Shown) -> AlertView:
    """Return an alert as lists show it."""
    return AlertView(**_alert(shown))


def alert_detail(shown: Shown, steps: Sequence[StepRow]) -> AlertDetail:
    """Return an alert with its way."""
    way = [StepView(rfc3339(one.at), one.what, one.actor, one.note) for one in steps]
    return AlertDetail(**_alert(shown), way=way)


def _alert(shown: Shown) -> dict[str, Any]:
    row = shown.row
    return {
        "id": str(row.id),
        "kind": row.kind,
        "subject": row.subject,
        "topic": row.topic,
        "title": title_of(row),
        "particulars": particulars_of(row),
        "severity": row.severity,
        "state": row.state,
        "detail": json.loads(row.detail),
        "round": row.round,
        "first_at": rfc3339(row.first_at),
        "since_at": rfc3339(row.since_at),
        "opened_at": rfc3339(row.opened_at),
        "acknowledged_at": _when(row.acked_at),
        "acknowledged_by": row.acked_by,
        "note": row.note,
        "ended_at": _when(row.ended_at),
        "silenced_until": None if shown.silence is None else rfc3339(shown.silence.until_at),
    }


def rule_view(rule: Rule) -> RuleView:
    """Return a rule."""
    kind = KINDS[rule.kind]
    return RuleView(
        *(rule.kind, kind.when, rule.place, rule.active, rule.severity, rule.hold_s, rule.clear_s, rule.threshold),
        *(kind.unit, rule.actor, _when(rule.at or None)),
    )


def silence_view(row: SilenceRow) -> SilenceView:
    """Return a silence."""
    return SilenceView(
        *(str(row.id), row.place, row.kind, rfc3339(row.from_at), rfc3339(row.until_at)),
        *(row.reason, row.actor, rfc3339(row.made_at)),
    )


def channel_view(channel: Channel) -> ChannelView:
    """Return a channel as lists show it."""
    return ChannelView(**_channel(channel))


def new_channel_view(channel: Channel) -> NewChannelView:
    """Return a channel with its newest secret."""
    secret = channel.secrets[0].secret if channel.secrets else None
    return NewChannelView(**_channel(channel), secret=secret)


def channel_detail(channel: Channel, letters: Sequence[LetterRow]) -> ChannelDetail:
    """Return a channel with its letters."""
    return ChannelDetail(**_channel(channel), letters=[_letter(row) for row in letters])


def _channel(channel: Channel) -> dict[str, Any]:
    return {
        "id": str(channel.id),
        "name": channel.name,
        "means": channel.means,
        "url": channel.url,
        "allow_private": channel.allow_private,
        "recipients": channel.recipients,
        "least": channel.least,
        "place": channel.place,
        "ends": channel.ends,
        "active": channel.active,
        "state": channel.state,
        "stopped_why": channel.stopped_why,
        "delivered": channel.delivered,
        "failures": channel.failures,
        "failing_since": _when(channel.failing_since),
        "last_at": _when(channel.last_at),
        "last_error": channel.last_error,
        "created_at": rfc3339(channel.created_at),
    }


def _letter(row: LetterRow) -> LetterView:
    return LetterView(
        *(json.loads(row.body)["id"], rfc3339(row.made_at), row.opened, row.ended, row.state, row.tries),
        *(rfc3339(row.next_at) if row.state == "queued" else None, row.error, _when(row.settled_at)),
    )


def _when(at: int | None) -> str | None:
    return None if at is None else rfc3339(at)
