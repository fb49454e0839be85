"""Alerts in words, for people and for programs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from modembank.clock import rfc3339
from modembank_hub.alerting import kinds_table as kinds
from modembank_hub.alerting.kinds_table import KINDS, Severity
from modembank_hub.alerting.rows import ENDED, AlertRow

MOST_NAMED = 50
"""Alerts that one letter names one by one."""
_GROUPED = 5
"""More of a kind at a site stand on one line."""
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]+")
_GONE = {
    "will": "its connection broke", "shutdown": "it was shut down", "update": "it is being updated",
    "birth": "it has not come back",
}  # fmt: skip


def title_of(row: AlertRow) -> str:
    """Return what an alert is, in a line without what it measured."""
    kind = KINDS.get(row.kind)
    who = "The hub" if row.about.is_hub else row.subject
    return f"{who} {kind.title if kind else row.kind}"


def particulars_of(row: AlertRow) -> str:
    """Return what was measured when it opened, empty where there is nothing to say."""
    told: Mapping[str, Any] = json.loads(row.detail)
    say = _PARTICULARS.get(row.kind)
    try:
        return _UNFIT.sub(" ", say(told))[:400] if say else ""
    except KeyError:  # written by another version
        return ""


_PARTICULARS: Mapping[str, Any] = {
    kinds.OFFLINE: lambda told: _GONE.get(told["why"], told["why"]),
    kinds.ISSUE: lambda told: told["issue"].replace("_", " "),
    kinds.MODEMS: lambda told: f"{told['modems']} modems, none of them ready",
    kinds.QUEUE: lambda told: f"{told['waiting']} messages wait",
    kinds.STUCK: lambda told: f"{told['waiting']} messages wait",
    kinds.CONFIG: lambda told: f"version {told['version']} was {told['state'].replace('_', ' ')}",
    kinds.GAP: lambda told: f"{told['lost']} {'events' if told['stream'] == 'ev' else 'results'} are lost",
    kinds.CLOCK: lambda told: f"off by {told['off_s']:.0f} s",
    kinds.BROKER: lambda told: f"{told['stand']} of {told['of']} connections stand: {told['why']}",
    kinds.DATABASE: lambda told: told["why"],
    kinds.QUARANTINE: lambda told: f"{told['unreadable']} messages in an hour",
    kinds.CHANNEL: lambda told: f"{told['channel']}: {told['why']}",
    kinds.BOX_CERTIFICATE: lambda told: f"it ends in {told['days']} days" if told["days"] >= 0 else "it has ended",
    kinds.CERTIFICATE: lambda told: f"the one for {told['of']}, in {told['days']} days",
}


def letter_of(letter: str, opened: Sequence[AlertRow], ended: Sequence[AlertRow]) -> dict[str, Any]:
    """Return what a channel is told at once: the worst first, what is too many counted only."""
    worst = sorted(opened, key=lambda row: (-Severity(row.severity).rank, row.opened_at, row.id))
    return {
        "id": letter,
        "opened": [told_of(row) for row in worst[:MOST_NAMED]],
        "opened_count": len(opened),
        "ended": [told_of(row) for row in ended[:MOST_NAMED]],
        "ended_count": len(ended),
        "groups": _groups(worst),
    }


def told_of(row: AlertRow) -> dict[str, Any]:
    """Return an alert as a letter tells it."""
    return {
        "id": str(row.id),
        "kind": row.kind,
        "severity": row.severity,
        "subject": row.subject,
        "topic": row.topic,
        "title": title_of(row),
        "particulars": particulars_of(row),
        "state": row.state,
        "round": row.round,
        "opened_at": rfc3339(row.opened_at),
        "ended_at": None if row.ended_at is None else rfc3339(row.ended_at),
    }


def _groups(opened: Sequence[AlertRow]) -> list[dict[str, Any]]:
    """Return how many opened of each kind at each site, in the order of the worst."""
    found: dict[tuple[str, str], list[AlertRow]] = {}
    for row in opened:
        found.setdefault((row.kind, row.site), []).append(row)
    return [
        {"kind": kind, "site": site, "severity": some[0].severity, "count": len(some)}
        for (kind, site), some in found.items()
    ]


def subject_line(body: Mapping[str, Any], hub: str) -> str:
    """Return the subject of a mail."""
    opened, ended = body["opened_count"], body["ended_count"]
    if opened == 1 and not ended:
        what = body["opened"][0]["title"]
    elif ended == 1 and not opened:
        what = f"over: {body['ended'][0]['title']}"
    else:
        what = ", ".join(f"{count} {word}" for count, word in ((opened, "opened"), (ended, "over")) if count)
        what = f"alerts: {what}"
        if len(body["groups"]) == 1 and body["groups"][0]["site"]:
            what += f" ({body['groups'][0]['site']})"
    return f"[{hub}] {what}"


def text_of(body: Mapping[str, Any], hub: str, url: str) -> str:
    """Return the text of a mail; many of one kind at one site are one line."""
    lines: list[str] = []
    if body["opened_count"]:
        lines += ["Opened:", *_listed(body["opened"], body["groups"], body["opened_count"]), ""]
    if body["ended_count"]:
        lines += ["Over:", *(f"  {_line(one)}" for one in body["ended"])]
        lines += [f"  and {left} more"] if (left := body["ended_count"] - len(body["ended"])) > 0 else []
        lines.append("")
    lines.append(f"All alerts: {url.rstrip('/')}/ui/alerts" if url else f"All alerts are on the pages of {hub}.")
    return "\n".join(lines) + "\n"


def _listed(opened: Sequence[Mapping[str, Any]], groups: Sequence[Mapping[str, Any]], count: int) -> list[str]:
    lines, named = [], 0
    for group in groups:
        mine = [one for one in opened if one["kind"] == group["kind"] and _site(one) == group["site"]]
        if group["count"] > _GROUPED and group["site"]:
            some = ", ".join(one["subject"].partition("/")[2] for one in mine[:_GROUPED])
            title = KINDS[group["kind"]].title if group["kind"] in KINDS else group["kind"]
            lines.append(f"  {group['severity'].upper()} {group['site']}: {title}: {group['count']} boxes ({some}, …)")
            named += group["count"]
        else:
            lines += [f"  {_line(one)}" for one in mine]
            named += len(mine)
    return lines + ([f"  and {count - named} more"] if count > named else [])


def _site(one: Mapping[str, Any]) -> str:
    site, slash, _ = one["subject"].partition("/")
    return site if slash else ""


def _line(one: Mapping[str, Any]) -> str:
    more = f": {one['particulars']}" if one["particulars"] else ""
    again = f" (for the {one['round']}th time)" if one["round"] > 3 else " (again)" if one["round"] > 1 else ""
    when = f"{one['opened_at']} to {one['ended_at']}" if one["state"] == ENDED else f"since {one['opened_at']}"
    return f"{one['severity'].upper()} {one['title']}{more}{again}, {when}"
