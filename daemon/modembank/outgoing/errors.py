"""Why a request to somebody's address was not made, or came to nothing."""

from __future__ import annotations

import enum

from modembank.errors import ModembankError


class AddressRefused(ModembankError):
    """The box does not send to this address; trying again changes nothing until the address is another one."""

    key = "address_refused"
    template = "{reason}"

    def __init__(self, reason: str) -> None:
        """Keep the reason, a sentence for a person that says what is allowed."""
        self.reason = reason
        super().__init__(reason=reason)


class Why(enum.Enum):
    """What an exchange failed for."""

    NAME = "name"
    """The host's name cannot be resolved."""
    REFUSED = "refused"
    """Nothing listens there."""
    UNREACHABLE = "unreachable"
    """No way to the host."""
    TIMEOUT = "timeout"
    """The exchange did not end in time."""
    TLS = "tls"
    """No trusted encryption."""
    CLOSED = "closed"
    """The connection ended before the answer did."""
    PROTOCOL = "protocol"
    """The answer is no HTTP."""


class EndpointFailed(ModembankError):
    """The address may be used but gave no answer; ``reason`` says what a person can look at."""

    key = "endpoint_failed"
    template = "{reason}"

    def __init__(self, why: Why, reason: str) -> None:
        """Keep the kind of failure and its sentence."""
        self.why = why
        self.reason = reason
        super().__init__(reason=reason, why=why.value)
