"""What is refused, with the codes that clients of that API switch on."""

from __future__ import annotations

import enum

from modembank.errors import Conflict, FieldProblem, InvalidRequest


class Code(enum.IntEnum):
    """Codes of errors, of requests (2xxxx) and of messages (3xxxx)."""

    INVALID_PARAMETER = 20001
    AUTHENTICATE = 20003
    NOT_ALLOWED_METHOD = 20004
    CANNOT_DELETE = 20009
    NOT_FOUND = 20404
    TOO_MANY_REQUESTS = 20429
    INTERNAL = 20500
    UNAVAILABLE = 20503
    INVALID_TO = 21211
    INVALID_FROM = 21212
    PREMIUM_TO = 21268
    """A number at a premium rate."""
    BARRED_TO = 21408
    """A destination to which sending is not enabled."""
    NOT_OUR_FROM = 21606
    EMPTY_BODY = 21602
    OPTED_OUT = 21610
    BODY_TOO_LONG = 21617
    UNREACHABLE_HANDSET = 30003
    UNKNOWN_HANDSET = 30005
    UNKNOWN_ERROR = 30008
    VALIDITY_EXPIRED = 30036
    CANNOT_CANCEL = 30409


class Refused(InvalidRequest):
    """A field of a request is refused under a code of its own."""

    def __init__(self, code: Code, name: str, detail: str) -> None:
        """Name the field as the form does."""
        super().__init__(FieldProblem(f"/{name}", detail))
        self.fields["code"] = int(code)


class CannotCancel(Conflict):
    """A message cannot be called back."""

    def __init__(self, why: str) -> None:
        """Keep the reason."""
        super().__init__(why=why)
        self.fields["code"] = int(Code.CANNOT_CANCEL)


class CannotTakeAway(Conflict):
    """A message can be neither redacted nor deleted yet."""

    def __init__(self, why: str) -> None:
        """Keep the reason."""
        super().__init__(why=why)
        self.fields["code"] = int(Code.CANNOT_DELETE)
