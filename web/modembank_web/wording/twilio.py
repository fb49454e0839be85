"""Words of the OpenAPI document for the fields of the Twilio dialect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_ADDRESS = "https or http, on port 80, 443 or from 1024 on; no user name, no fragment"
_IGNORED = {"description": "Ignored"}
_REFUSED = {"description": "Refused: the message would be another one without it"}

FIELDS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "NewTwilioAccount": {
        "user": {"description": "Whose messages it sends and hears of"},
        "sms_url": {"description": f"Where inbound messages are posted, and asked what to reply; {_ADDRESS}"},
        "status_callback": {"description": f"Where messages are told of that name no address themselves; {_ADDRESS}"},
        "allow_private": {"description": "Let its addresses lead into private networks or to the box itself"},
    },
    "TwilioAccountPatch": {
        "sms_url": {"description": "null: inbound messages are posted nowhere"},
        "status_callback": {"description": "null: only messages are told of that name an address themselves"},
        "allow_private": {"description": "Let its addresses lead into private networks or to the box itself"},
        "rotate_token": {"description": "Make a new token; the one before is worth nothing at once"},
    },
    "TwilioNewMessage": {
        "To": {"description": "One number: E.164, national, or an operator's short code"},
        "From": {"description": "The number, ICCID, slot or label of a SIM, or the label of several; without it any"},
        "Body": {"description": "The text, up to 1,600 characters"},
        "StatusCallback": {"description": f"Where to tell what becomes of it; {_ADDRESS}"},
        "ValidityPeriod": {
            "description": "Seconds after which it is not worth sending any more",
            "minimum": 1,
            "maximum": 36_000,
        },
        "SendAt": {"description": "Not before this time (ISO 8601 with a time zone), up to a year ahead"},
        "ScheduleType": {"description": "`fixed`, together with `SendAt`"},
        "SmartEncoded": {"description": "Replace typographic characters by ones that need fewer segments"},
        **dict.fromkeys(("ProvideFeedback", "MaxPrice", "Attempt", "ForceDelivery"), _IGNORED),
        **dict.fromkeys(("TrafficType", "MessageIntent", "RiskCheck"), _IGNORED),
        "ContentRetention": {"description": "Only `retain`"},
        "AddressRetention": {"description": "Only `retain`"},
        "ShortenUrls": {"description": "Only `false`"},
        "SendAsMms": {"description": "Only `false`"},
        **dict.fromkeys(("MessagingServiceSid", "FallbackFrom", "ApplicationSid", "ContentSid"), _REFUSED),
        **dict.fromkeys(("ContentVariables", "MediaUrl", "PersistentAction"), _REFUSED),
    },
    "TwilioMessageUpdate": {
        "Body": {"description": "Empty: take the text away"},
        "Status": {"description": "`canceled`: call it back"},
    },
    "TwilioMessagesQuery": {
        "To": {"description": "To this number", "example": "+447900900123"},
        "From": {"description": "From this number or label", "example": "+447900900001"},
        "DateSent": {"description": "Sent on this day, or in this second, in UTC", "example": "2026-11-20"},
        "DateSent<": {"description": "Sent at or before this day's midnight, or this time", "example": "2026-11-20"},
        "DateSent>": {"description": "Sent at or after this day's midnight, or this time", "example": "2026-11-20"},
        "PageSize": {"description": "How many messages at most", "example": 50, "minimum": 1, "maximum": 1000},
        "Page": {"description": "Which page, counted from 0, together with its `PageToken`", "example": 0},
        "PageToken": {"description": "From the address of a page", "example": "PA0000010000000001"},
    },
}
