"""The event log: what happened, durable and in order, for whoever follows it."""

from modembank.eventlog.log import Entry, append, read_after

__all__ = ["Entry", "append", "read_after"]
