"""What the codes of WhatsApp's Cloud API mean for a message, and its words for what became of one.

Codes, statuses and their meaning: https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes/
"""

from __future__ import annotations

from modembank.modem.outcome import CauseClass
from modembank.providers.model import ReceiptStatus

WINDOW_CLOSED = 131047
"""More than 24 hours since the recipient wrote last: only templates are taken."""
WRONG_OBJECT = 33
"""The subcode of error 100 for a phone number id that does not exist or is not this token's."""
_RECIPIENT, _ACCOUNT = CauseClass.RECIPIENT, CauseClass.SIM
_LATER, _BUSY, _PERHAPS = CauseClass.NETWORK, CauseClass.MODEM, CauseClass.AMBIGUOUS
ERRORS: dict[int, tuple[CauseClass, str]] = {
    0: (_ACCOUNT, "the access token is not valid: make a new one"),
    1: (_PERHAPS, "an unknown error, of the request or of its servers"),
    2: (_PERHAPS, "its servers are down or overloaded, and the message may have been taken"),
    3: (_ACCOUNT, "the access token lacks a capability or permission"),
    4: (_BUSY, "the app made too many calls"),
    10: (_ACCOUNT, "the access token lacks the permission"),
    33: (_ACCOUNT, "the phone number was deleted"),
    100: (_RECIPIENT, "a parameter is not valid"),
    190: (_ACCOUNT, "the access token has expired: make a new one"),
    368: (_ACCOUNT, "the account is blocked for a violation of a policy"),
    80007: (_BUSY, "the account made too many calls"),
    130429: (_BUSY, "too many messages at once"),
    130472: (_RECIPIENT, "the recipient is part of an experiment and gets no marketing"),
    130497: (_ACCOUNT, "the account may not write to this country"),
    131000: (_PERHAPS, "something went wrong, and the message may have been taken"),
    131005: (_ACCOUNT, "the access token lacks the permission"),
    131008: (_ACCOUNT, "a parameter is missing: look at the template"),
    131009: (_RECIPIENT, "the value of a parameter is not valid"),
    131016: (_PERHAPS, "a service of its is down, and the message may have been taken"),
    131021: (_RECIPIENT, "the recipient is the sender"),
    131026: (_RECIPIENT, "the recipient cannot get it: no user of WhatsApp, or of too old a version"),
    131030: (_ACCOUNT, "the recipient is not among the numbers that this test account may write to"),
    131031: (_ACCOUNT, "the account is locked"),
    131037: (_ACCOUNT, "the display name of the phone number is not approved"),
    131042: (_ACCOUNT, "the account cannot be charged"),
    131045: (_ACCOUNT, "the phone number's certificate is not right: register it again"),
    WINDOW_CLOSED: (_RECIPIENT, "the recipient has not written within 24 hours: name a template in the settings"),
    131048: (_BUSY, "the phone number sends too much that is blocked or marked as spam"),
    131049: (_RECIPIENT, "WhatsApp chose not to deliver it, so that the recipient does not get too much marketing"),
    131050: (_RECIPIENT, "the recipient wants no marketing from this account"),
    131051: (_RECIPIENT, "this type of message is not supported"),
    131056: (_LATER, "too many messages to this recipient in a short time"),
    131057: (_BUSY, "the account is in maintenance"),
    132000: (_ACCOUNT, "the template has not exactly one parameter"),
    132001: (_ACCOUNT, "there is no such template in this language, or it is not approved"),
    132005: (_RECIPIENT, "the text is too long for the template"),
    132007: (_ACCOUNT, "the template violates a policy"),
    132012: (_ACCOUNT, "the template's parameter is of another kind"),
    132015: (_ACCOUNT, "the template is paused for low quality"),
    132016: (_ACCOUNT, "the template is disabled for low quality"),
    133006: (_ACCOUNT, "the phone number has to be verified again"),
    133010: (_ACCOUNT, "the phone number is not registered"),
}
"""By code, whatever the HTTP status. AMBIGUOUS: the documentation does not say that nothing was done."""
PERMISSIONS = range(200, 300)
"""All of these are missing permissions."""
EXPIRED = 131043
"""In a webhook: it was not delivered within its time."""
STATUSES = {
    "sent": ReceiptStatus.PENDING,
    "delivered": ReceiptStatus.DELIVERED,
    "read": ReceiptStatus.DELIVERED,
    "played": ReceiptStatus.DELIVERED,
    "failed": ReceiptStatus.FAILED,
}
CAPTIONED = frozenset({"image", "video", "document"})
"""Types of inbound messages that may have words beside what they show."""
