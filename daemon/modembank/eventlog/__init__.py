"""The event log: what happened, durable and in order, for whoever follows it."""

from modembank.eventlog.errors import TooManyFollowers, TooManyOfYours
from modembank.eventlog.followers import Follower, Followers
from modembank.eventlog.following import EVENT_ID, KEEP_S, EventLog, Page, Told
from modembank.eventlog.kinds import BY_NAME, KINDS, Kind, chosen, pattern_problems
from modembank.eventlog.log import Entry, Logged, append, read_after
from modembank.eventlog.viewing import Viewer, viewer_of

__all__ = [
    "BY_NAME", "EVENT_ID", "KEEP_S", "KINDS", "Entry", "EventLog", "Follower", "Followers", "Kind", "Logged", "Page",
    "Told",
    "TooManyFollowers", "TooManyOfYours", "Viewer", "append", "chosen", "pattern_problems", "read_after",
    "viewer_of",
]  # fmt: skip
