"""Requests to addresses that users named: checked, bounded, and never led astray."""

from modembank.outgoing.errors import AddressRefused, EndpointFailed, Why
from modembank.outgoing.posting import ANSWER_LIMIT, Poster, Reply, post
from modembank.outgoing.target import Target, check_url

__all__ = ["ANSWER_LIMIT", "AddressRefused", "EndpointFailed", "Poster", "Reply", "Target", "Why", "check_url", "post"]
