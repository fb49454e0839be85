"""Messages that wait for longer than they should, with the reasons why they do (story 6)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable

from modembank.clock import rfc3339
from modembank.health.model import Finding, Severity
from modembank.health.parts import Check, Standing
from modembank.health.reasons import Reason, sort_reason
from modembank.health.surroundings import Surroundings
from modembank.ids import public_id
from modembank.messages import WaitingMessage

MOST_REASONS = 10
MOST_ASKED = 200
"""Messages that are asked why they wait, shared out over the queues: it is the event loop that answers."""


async def look(around: Surroundings, standing: Standing) -> list[Finding]:  # noqa: ARG001 - what all checks take
    """Find late messages, and ask of the oldest in each queue why they wait."""
    groups = await around.messages.late(around.now_ms - around.config.health.late_after_s * 1000)
    if not groups:
        return []
    kinds: set[Reason] = set()
    counts: Counter[str] = Counter()
    oldest: dict[str, str] = {}
    for group in groups:
        await asyncio.sleep(0)  # the loop has others to serve in between
        reasons = list(_reasons(around, group.shown[: max(1, MOST_ASKED // len(groups))]))
        for message, kind, words in reasons:
            kinds.add(kind)
            counts[words] += round(group.count / len(reasons))
            oldest.setdefault(words, public_id("msg", message.id))
    if not counts:
        return []
    since = rfc3339(min(group.since for group in groups))
    total = sum(group.count for group in groups)
    more = any(group.more for group in groups)
    evidence = {
        "count": total,
        "more": more,
        "oldest_since": since,
        "reasons": [
            {"reason": words, "count": count, "oldest": oldest[words]}
            for words, count in counts.most_common(MOST_REASONS)
        ],
    }
    return [Finding("", _severity(around, kinds), _summary(total, more, since, counts.most_common(1)[0][0]), evidence)]


def _reasons(around: Surroundings, messages: Iterable[WaitingMessage]) -> Iterable[tuple[WaitingMessage, Reason, str]]:
    for message in messages:
        why = around.sending.explain(message)
        if why is not None:
            yield message, *sort_reason(why)


def _severity(around: Surroundings, kinds: set[Reason]) -> Severity:
    """What goes on by itself is no warning; a queue that does not move is one, whatever it says."""
    if Reason.OTHER in kinds:
        return Severity.WARNING
    moves = kinds & {Reason.LIMIT, Reason.TIME} or around.sending.in_flight()
    return Severity.INFO if moves else Severity.WARNING


def _summary(total: int, more: bool, since: str, reason: str) -> str:
    who = "1 message waits" if total == 1 else f"{total}{' or more' if more else ''} messages wait"
    return f"{who} for longer than they should, the first since {since[:19]}Z; mostly: {reason}."


CHECK = Check(
    kind="stuck_messages",
    when="Messages wait to be sent for longer than `late_after_s`, counted from when they were accepted, became due or"
    " were first tried; what is held for a decision does not count",
    severity="warning; info when only limits, schedules and windows keep them",
    todo="What the reasons say; raise limits, add SIMs or wait when they are only limits",
    look=look,
    settle_s=60,
)
