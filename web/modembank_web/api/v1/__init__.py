"""Version 1 of the native API: one module per noun, each with its operations."""

from modembank_web.api.v1 import events, inbox, issues, messages, modems, outage, redacting, settling, sims, webhooks
from modembank_web.operation import Operation

OPERATIONS: tuple[Operation, ...] = (
    *messages.OPERATIONS,
    *settling.OPERATIONS,
    *redacting.OPERATIONS,
    *outage.OPERATIONS,
    *inbox.OPERATIONS,
    *modems.OPERATIONS,
    *sims.OPERATIONS,
    *issues.OPERATIONS,
    *events.OPERATIONS,
    *webhooks.OPERATIONS,
)

__all__ = ["OPERATIONS"]
