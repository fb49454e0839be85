"""A small client of the box's API, for Python: ``Client``, and ``AsyncClient`` with the same methods.

It imports nothing else of this project. Sends are safe to be tried again: each carries an idempotency key.
"""

from modembank.client.boxes import AsyncClient, Client
from modembank.client.errors import (
    BadSignature,
    BoxError,
    ClientError,
    Conflict,
    FieldError,
    Forbidden,
    InvalidRequest,
    NotFound,
    NotSettled,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    Unreachable,
)
from modembank.client.exchange import Retry
from modembank.client.mailing_shapes import Mailing, MailingCheck, MailingPreview, Moment, RefusedRow
from modembank.client.shapes import (
    Accepted,
    Conversation,
    Event,
    Issue,
    Key,
    Message,
    Modem,
    NewKey,
    OptOut,
    Preview,
    Quota,
    Receipt,
    Received,
    Sim,
    User,
    Webhook,
)
from modembank.client.signatures import verify_webhook

__all__ = [
    "Accepted",
    "AsyncClient",
    "BadSignature",
    "BoxError",
    "Client",
    "ClientError",
    "Conflict",
    "Conversation",
    "Event",
    "FieldError",
    "Forbidden",
    "InvalidRequest",
    "Issue",
    "Key",
    "Mailing",
    "MailingCheck",
    "MailingPreview",
    "Message",
    "Modem",
    "Moment",
    "NewKey",
    "NotFound",
    "NotSettled",
    "OptOut",
    "Preview",
    "Quota",
    "Receipt",
    "Received",
    "RefusedRow",
    "Retry",
    "Sim",
    "TooManyRequests",
    "Unauthorized",
    "Unavailable",
    "Unreachable",
    "User",
    "Webhook",
    "verify_webhook",
]
