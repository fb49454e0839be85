"""Every rule that protects a message, switched off: each must make an invariant break, or the rule is not needed.

Some hazards have two rules, one on either side; those are switched off together.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from msgspec.structs import replace

from modembank_fleet.pool import assigning, holding
from modembank_fleet.pool.assigning import HubNow, Message, State
from modembank_fleet.pool.leases import Credit
from modembank_fleet.pool.words import Code, Word

_recall, _resume, _judge, _offer, _pass_time = (
    holding.recall, holding.resume, holding.judge, assigning.offer, assigning.pass_time
)  # fmt: skip
_went = assigning._went


@dataclasses.dataclass(frozen=True, slots=True)
class Mutation:
    """One rule switched off."""

    what: str
    breaks: str
    """The invariants of which one must break."""
    patches: tuple[tuple[Any, str, Callable[..., Any]], ...]
    often: str = ""
    """The catastrophe that the rule is for, if without it few schedules would need the rule."""

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Have it so for a while."""
        with patch.object(*self.patches[0]):
            if len(self.patches) == 1:
                yield
                return
            with dataclasses.replace(self, patches=self.patches[1:]).applied():
                yield


def _refuse_without_tombstone(*args: Any) -> holding.Reply:
    reply = _judge(*args)
    return replace(reply, keep=None) if reply.word is Word.REFUSED else reply


def _recall_without_tombstone(message: str, fence: int, known: holding.Entry | None) -> holding.Reply:
    reply = _recall(message, fence, known)
    return replace(reply, keep=None) if known is None else reply


def _recall_what_was_started(message: str, fence: int, known: holding.Entry | None) -> holding.Reply:
    if known is not None and known.stage is holding.Stage.STARTED:
        return holding.Reply(None, Word.RELEASED, Code.RECALLED)
    return _recall(message, fence, known)


def _release_what_was_started(entry: holding.Entry, *, restored: bool) -> holding.Entry | None:
    kept = _resume(entry, restored=restored)
    started = entry.stage is holding.Stage.STARTED and not restored
    return replace(entry, stage=holding.Stage.GONE) if started else kept


def _restored_as_if_restarted(entry: holding.Entry, *, restored: bool) -> holding.Entry | None:
    return _resume(entry, restored=False)


def _offer_without_end(
    message: Message, credit: Credit, open_there: int, now: HubNow, most_s: int = 600
) -> assigning.Change | None:
    made = _offer(replace(message, not_after=now.wall + 100_000.0), credit, open_there, now, most_s)
    return None if made is None else replace(made, message=replace(made.message, not_after=message.not_after))


def _never_past(message: Message, given: assigning.Assignment | None, now: HubNow) -> assigning.Change | None:
    made = _pass_time(message, given, now)
    return None if made is not None and made.message.state is State.EXPIRED_UNKNOWN else made


def _unflagged(*args: Any) -> Message:
    return replace(_went(*args), maybe_dup=args[0].maybe_dup)


MUTATIONS = (
    Mutation(
        "a box begins before the hub is known to have noted it", "I1 I3", ((holding, "is_confirmed", lambda *_: True),)
    ),
    Mutation("a lease never ends", "I1 I4", ((holding, "is_over", lambda *_: False),)),
    Mutation(
        "a lease runs from when the command came",
        "I1 I4",
        ((holding, "until", lambda told, lease, up, left: up + lease),),
    ),
    Mutation("credit of another run is taken", "I1 I4", ((holding, "is_of_this_run", lambda *_: True),), "kill_box"),
    Mutation(
        "what was refused may be taken later",
        "I1 I3",
        ((holding, "judge", _refuse_without_tombstone),),
        "change_window",
    ),
    Mutation("a recall leaves no tombstone", "I1 I3", ((holding, "recall", _recall_without_tombstone),)),
    Mutation("lower fences are taken", "I1 I3", ((holding, "is_fenced", lambda *_: False),), "change_window"),
    Mutation(
        "the same assignment is taken twice",
        "I1 I3",
        ((holding, "is_known", lambda *_: False), (holding, "is_spent", lambda *_: False)),
    ),
    Mutation("what a modem has is given back", "I1 I3", ((holding, "recall", _recall_what_was_started),)),
    Mutation(
        "what a modem had is given back after a start", "I1 I3", ((holding, "resume", _release_what_was_started),)
    ),
    Mutation("a box takes more than it said", "I5", ((holding, "has_room", lambda *_: True),)),
    Mutation(
        "a restored box speaks for its former life",
        "I1 I3",
        (
            (holding, "resume", _restored_as_if_restarted),
            (assigning, "is_of_its_life", lambda *_: True),
            (assigning, "restored", lambda *_: None),
        ),
        "restore",
    ),
    Mutation("what may have been sent is sent again", "I1 I3", ((assigning, "may_send_again", lambda *_: True),)),
    Mutation("assignments are dead at once", "I1 I3", ((assigning, "is_dead", lambda *_: True),)),
    Mutation(
        "a hub that was started trusts its former clock",
        "I1 I3",
        ((assigning, "hub_started", lambda given, now: given),),
        "kill_hub",
    ),
    Mutation("leases go beyond a message's time", "I1 I4", ((assigning, "offer", _offer_without_end),)),
    Mutation("what a box is silent about never ends", "I2", ((assigning, "pass_time", _never_past),)),
    Mutation("duplicates are not flagged", "I3", ((assigning, "_went", _unflagged),)),
)
