"""Opt-outs: numbers that want no messages of this box."""

from modembank.optouts.rows import among, is_out

__all__ = ["among", "is_out"]
