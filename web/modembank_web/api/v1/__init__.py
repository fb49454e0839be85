"""Version 1 of the native API: one module per noun, each with its operations."""

from modembank_web.api.v1 import (
    account,
    api_keys,
    audit,
    box,
    conversations,
    events,
    fleet,
    home_assistant,
    inbox,
    issues,
    mailings,
    messages,
    modems,
    opt_outs,
    outage,
    redacting,
    settling,
    sims,
    twilio_accounts,
    usb,
    users,
    webhooks,
)
from modembank_web.operation import Operation

OPERATIONS: tuple[Operation, ...] = (
    *messages.OPERATIONS,
    *settling.OPERATIONS,
    *redacting.OPERATIONS,
    *outage.OPERATIONS,
    *mailings.OPERATIONS,
    *inbox.OPERATIONS,
    *opt_outs.OPERATIONS,
    *conversations.OPERATIONS,
    *modems.OPERATIONS,
    *usb.OPERATIONS,
    *sims.OPERATIONS,
    *issues.OPERATIONS,
    *events.OPERATIONS,
    *fleet.OPERATIONS,
    *home_assistant.OPERATIONS,
    *webhooks.OPERATIONS,
    *account.OPERATIONS,
    *users.OPERATIONS,
    *api_keys.OPERATIONS,
    *audit.OPERATIONS,
    *box.OPERATIONS,
    *twilio_accounts.OPERATIONS,
)

__all__ = ["OPERATIONS"]
