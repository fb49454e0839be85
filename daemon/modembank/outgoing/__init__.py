"""Requests to addresses that users named: checked, bounded, and never led astray."""

from modembank.outgoing.dialing import dial
from modembank.outgoing.errors import AddressRefused, EndpointFailed, Why
from modembank.outgoing.getting import Coming, Getter
from modembank.outgoing.posting import ANSWER_LIMIT, Poster, Reply, post
from modembank.outgoing.requesting import Ended, Request, Requester
from modembank.outgoing.target import Target, check_url, why_refused
from modembank.outgoing.trying import Outcome, attempt

__all__ = [
    "ANSWER_LIMIT", "AddressRefused", "Coming", "Ended", "EndpointFailed", "Getter", "Outcome", "Poster", "Reply",
    "Request", "Requester", "Target", "Why", "attempt", "check_url", "dial", "post", "why_refused",
]  # fmt: skip
