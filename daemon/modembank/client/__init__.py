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
from modembank.client.shapes import (
    Accepted,
    Conversation,
    Event,
    Issue,
    Message,
    Modem,
    OptOut,
    Preview,
    Receipt,
    Received,
    Sim,
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
    "Message",
    "Modem",
    "NotFound",
    "NotSettled",
    "OptOut",
    "Preview",
    "Receipt",
    "Received",
    "Retry",
    "Sim",
    "TooManyRequests",
    "Unauthorized",
    "Unavailable",
    "Unreachable",
    "Webhook",
    "verify_webhook",
]
