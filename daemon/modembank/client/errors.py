"""What goes wrong when one talks to a box: refusals with all that the box said, and boxes that do not answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec


class FieldError(msgspec.Struct, frozen=True):
    """One field that is wrong: where (a JSON pointer, empty for the whole request), and what would be right."""

    pointer: str = ""
    detail: str = ""


class ClientError(Exception):
    """Base of all errors of this package."""


class BoxError(ClientError):
    """The box refused a request, or failed at it.

    ``error_code`` is what programs switch on; ``errors`` names each wrong field; ``tracking_id`` finds the request in
    the box's log; ``retry_after`` is in seconds, None when the box did not say when to come back.
    """

    def __init__(
        self,
        status: int,
        error_code: str = "",
        detail: str = "",
        *,
        title: str = "",
        errors: tuple[FieldError, ...] = (),
        details: Mapping[str, Any] | None = None,
        tracking_id: str = "",
        retry_after: float | None = None,
    ) -> None:
        """Hold what the box said."""
        self.status = status
        self.error_code = error_code
        self.detail = detail
        self.title = title
        self.errors = errors
        self.details = dict(details or {})
        self.tracking_id = tracking_id
        self.retry_after = retry_after
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        fields = "; ".join(f"{error.pointer or 'the request'} {error.detail}" for error in self.errors)
        words = fields or self.detail or self.title or "the box gave no reason"
        return f"{self.status} {self.error_code or 'error'}: {words}"


class Unauthorized(BoxError):
    """401: the key is missing, wrong, expired or revoked."""


class Forbidden(BoxError):
    """403: the key may not do this."""


class NotFound(BoxError):
    """404: there is no such thing, or none that this key may see."""


class Conflict(BoxError):
    """409: the thing is in a state in which this cannot be done."""


class InvalidRequest(BoxError):
    """422: something in the request is wrong; ``errors`` says what."""


class TooManyRequests(BoxError):
    """429: a quota is spent; ``retry_after`` says for how long."""


class Unavailable(BoxError):
    """502, 503, 504 or 507: not now. Nothing was accepted, as far as the box itself answered."""


class Unreachable(ClientError):
    """No answer came, however often it was tried.

    ``maybe_done`` tells whether a request may have reached the box all the same. For a send, repeating it with the
    same ``idempotency_key`` is safe either way: what was accepted is answered again and not sent twice.
    """

    def __init__(self, reason: str, *, maybe_done: bool, idempotency_key: str | None = None) -> None:
        """Hold the reason of the last try."""
        self.reason = reason
        self.maybe_done = maybe_done
        self.idempotency_key = idempotency_key
        known = "it may have been received" if maybe_done else "it was not received"
        super().__init__(f"the box does not answer: {reason} ({known})")


class NotSettled(ClientError):
    """A message did not end in the time given; ``message`` is how it was last."""

    def __init__(self, message: Any, waited_s: float) -> None:
        """Hold the message."""
        self.message = message
        why = f": {message.waiting_for}" if message.waiting_for else ""
        super().__init__(f"{message.id} is still {message.status} after {waited_s:g} seconds{why}")


class BadSignature(ClientError):
    """A webhook's post is not to be trusted: not signed with this secret, or too old."""


class _Problem(msgspec.Struct):
    title: str = ""
    detail: str = ""
    error_code: str = ""
    details: dict[str, Any] = {}
    tracking_id: str = ""
    errors: tuple[FieldError, ...] = ()


_KINDS: Mapping[int, type[BoxError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    422: InvalidRequest,
    429: TooManyRequests,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
    507: Unavailable,
}


def error_of(status: int, body: bytes, retry_after: float | None) -> BoxError:
    """Return the error for an answer; also for one that is no problem document, as a proxy writes it."""
    try:
        problem = msgspec.json.decode(body, type=_Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        problem = _Problem(detail=body[:200].decode("utf-8", "replace").strip())
    return _KINDS.get(status, BoxError)(
        status,
        problem.error_code,
        problem.detail,
        title=problem.title,
        errors=problem.errors,
        details=problem.details,
        tracking_id=problem.tracking_id,
        retry_after=retry_after,
    )
