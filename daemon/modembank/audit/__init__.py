"""The audit log: who changed what, chained by hashes so that a change to it shows."""

from modembank.audit.log import Who, record

__all__ = ["Who", "record"]
