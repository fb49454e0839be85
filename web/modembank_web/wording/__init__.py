"""Words of the OpenAPI document that belong to no single operation; the fields in one module per slice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from modembank_web.wording import (
    accounts,
    alerts,
    audit,
    box,
    conversations,
    dialects,
    dispatch,
    events,
    hardware,
    health,
    mailings,
    messages,
    optouts,
    problems,
    providers,
    twilio,
    webhooks,
)
from modembank_web.wording.introduction import DESCRIPTION, TAGS

FIELDS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    **accounts.FIELDS,
    **alerts.FIELDS,
    **audit.FIELDS,
    **box.FIELDS,
    **conversations.FIELDS,
    **dialects.FIELDS,
    **dispatch.FIELDS,
    **events.FIELDS,
    **hardware.FIELDS,
    **health.FIELDS,
    **mailings.FIELDS,
    **messages.FIELDS,
    **optouts.FIELDS,
    **problems.FIELDS,
    **providers.FIELDS,
    **twilio.FIELDS,
    **webhooks.FIELDS,
}
"""By schema and field: what is added to the schema that the types give; a query parameter also has its example here."""


class About(msgspec.Struct, frozen=True):
    """What a document of the API says beyond its operations."""

    title: str
    summary: str
    description: str
    tags: Mapping[str, str]
    fields: Mapping[str, Mapping[str, Mapping[str, Any]]]


BOX = About("Modembank", "Send and receive SMS through the modems of this box", DESCRIPTION, TAGS, FIELDS)

__all__ = ["BOX", "DESCRIPTION", "FIELDS", "TAGS", "About"]
