"""The outbox: the durable journal of sending, its fold, recovery, reading the queue, delivery reports."""

from modembank.messages.outbox.aggregate import (
    MAY_BE_SENT,
    MOST_RESENDS,
    AttemptRow,
    Fate,
    aggregate,
    all_sent,
    done_segments,
    fate_of,
    fates,
)
from modembank.messages.outbox.changes import ACCEPTED_EVER, Changes, add_batch_counts, add_counts, is_paused
from modembank.messages.outbox.decisions import WAKE_LIMIT
from modembank.messages.outbox.fold import INTERRUPTED
from modembank.messages.outbox.holding import hold_waiting
from modembank.messages.outbox.journal import attempts_of, may_cancel
from modembank.messages.outbox.outbox import Outbox
from modembank.messages.outbox.reports import same_number

__all__ = [
    "ACCEPTED_EVER",
    "INTERRUPTED",
    "MAY_BE_SENT",
    "MOST_RESENDS",
    "WAKE_LIMIT",
    "AttemptRow",
    "Changes",
    "Fate",
    "Outbox",
    "add_batch_counts",
    "add_counts",
    "aggregate",
    "all_sent",
    "attempts_of",
    "done_segments",
    "fate_of",
    "fates",
    "hold_waiting",
    "is_paused",
    "may_cancel",
    "same_number",
]
