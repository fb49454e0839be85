"""How a mailing is told: its state in a word, its messages as shares of a bar, its history as a chart."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

import msgspec

from modembank.mailings.views import MailingView, MomentView
from modembank.sim import Sim
from modembank_web.pages.words import OPEN, sim_words

_OPERATIONS = re.compile(r" \((?:POST|GET) [^)]*\)")
COLUMNS = 60
"""Of a chart, at most."""


class State(NamedTuple):
    """How a state is shown."""

    word: str
    tone: str
    busy: bool
    sentence: str


STATES: Mapping[str, State] = {
    "importing": State("reading the list", "info", True, "The rows of the file become messages."),
    "ready": State("ready to start", "", False, "Nothing is sent before you start it."),
    "scheduled": State("planned", "info", False, "It begins by itself."),
    "sending": State("sending", "info", True, "Messages go out as fast as the SIMs may send."),
    "canary": State("first part", "info", True, "A small part goes first, the rest waits."),
    "paused": State("paused", "warn", False, "Nothing more is sent until you let it go on."),
    "finished": State("finished", "ok", False, "Nothing is left to be sent. Delivery reports may still come."),
    "cancelled": State("cancelled", "", False, "What was not sent by then is never sent."),
    "failed": State("not sent", "bad", False, "The file could not be used. Nothing was sent."),
}
_PARTS = (
    ("ok", "delivered", ("delivered",)),
    ("busy", "sent, no report yet", ("sent",)),
    ("warn", "not known", ("unknown",)),
    ("bad", "failed", ("failed", "undelivered", "expired")),
    ("soft", "cancelled", ("cancelled",)),
)
STATES_OF: Mapping[str, str] = {word: ",".join(states) for _, word, states in _PARTS} | {
    "waiting": "accepted,scheduled,queued,sending"
}
"""By the words of the key of a bar: the states it counts, as the list of a mailing's messages is asked for them."""


def left(mailing: MailingView) -> int:
    """Return how many messages were sent, whatever became of them then."""
    return sum(mailing.messages[state] for state in ("sent", "delivered", "undelivered", "unknown"))


def failed(mailing: MailingView) -> int:
    """Return how many did not arrive, for sure."""
    return sum(mailing.messages[state] for state in ("failed", "undelivered", "expired"))


def whole(mailing: MailingView) -> int:
    """Return how many messages there are, and will be as far as that is known."""
    progress = mailing.progress
    coming = max(progress.rows - progress.read, 0) if progress.phase in ("checking", "loading") else 0
    return sum(mailing.messages.values()) + coming


def share_done(mailing: MailingView) -> float:
    """Return which part of it needs nothing more to be done, from 0 to 1."""
    of = whole(mailing)
    return 0.0 if not of else 1 - (sum(mailing.messages[state] for state in OPEN) / of)


def bar_of(messages: Mapping[str, int]) -> list[tuple[str, int, str]]:
    """Return the shares of a bar and its key; what waits is what is left empty, and stands in the key alone."""
    return [(tone, sum(messages[state] for state in states), word) for tone, word, states in _PARTS]


class Chart(NamedTuple):
    """How many messages left, and failed, in each part of the time since the first."""

    sent: list[int]
    failed: list[int]
    first: str
    last: str
    """RFC 3339."""


def chart_of(moments: Sequence[MomentView]) -> Chart | None:
    """Return the growth between moments, spread over columns of the same length; None when there is too little."""
    if len(moments) < 3:
        return None
    at = [datetime.fromisoformat(moment.at).timestamp() for moment in moments]
    if at[-1] - at[0] < 1:
        return None
    done = [_done(moment.messages) for moment in moments]
    columns = max(min((done[-1] - done[0]) // 2, COLUMNS), 1)  # of a few messages each, or they would flicker
    sent = _growth(at, done, columns)
    bad = _growth(at, [_failed(moment.messages) for moment in moments], columns)
    return Chart(sent, bad, moments[0].at, moments[-1].at)


def route_words(route: str, sims: Sequence[Sim]) -> str:
    """Return through what a mailing goes, from its canonical route."""
    spec = msgspec.json.decode(route)
    if spec.get("pool"):
        return f"SIMs called “{spec['pool']}”"
    chosen = [sim for sim in sims if sim.id in spec.get("sims", ())]
    return ", ".join(sim_words(sim) for sim in chosen) or "any SIM"


def plain(why: str) -> str | None:
    """Return why a message waits in words for people alone; None when it is only others' turn."""
    if why.endswith(" before it") or why.startswith("being sent "):
        return None
    return _OPERATIONS.sub("", why)


def _done(messages: Mapping[str, int]) -> int:
    return sum(messages.get(state, 0) for state in ("sent", "delivered", "undelivered", "unknown", "failed"))


def _failed(messages: Mapping[str, int]) -> int:
    return sum(messages.get(state, 0) for state in ("failed", "undelivered"))


def _growth(at: Sequence[float], values: Sequence[int], columns: int) -> list[int]:
    """Return how much a counter grew in each column; between two moments it is taken to grow evenly."""
    step = (at[-1] - at[0]) / columns
    edges = [_at_time(at, values, at[0] + step * edge) for edge in range(columns + 1)]
    return [max(round(after) - round(before), 0) for before, after in pairwise(edges)]


def _at_time(at: Sequence[float], values: Sequence[int], when: float) -> float:
    following = min(bisect_left(at, when), len(at) - 1)
    if following == 0:
        return values[0]
    begin, end = at[following - 1], at[following]
    share = 1.0 if end <= begin else min((when - begin) / (end - begin), 1.0)
    return values[following - 1] + (values[following] - values[following - 1]) * share
