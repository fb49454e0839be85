"""Version 1 of the native API: one module per noun, each with its operations."""

from modembank_web.api.v1 import inbox, messages, modems, sims
from modembank_web.operation import Operation

OPERATIONS: tuple[Operation, ...] = (
    *messages.OPERATIONS,
    *inbox.OPERATIONS,
    *modems.OPERATIONS,
    *sims.OPERATIONS,
)

__all__ = ["OPERATIONS"]
