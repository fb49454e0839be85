"""One post of an event to somebody's endpoint, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Mapping

import msgspec

from modembank.outgoing.circuit import Verdict, judge, retry_after_s
from modembank.outgoing.errors import AddressRefused, EndpointFailed
from modembank.outgoing.posting import Poster, Reply


class Outcome(msgspec.Struct, frozen=True):
    """How a post ended."""

    answer: Reply | None
    """None: no answer came."""
    error: str | None
    """None: it was taken."""
    ms: int

    @property
    def status(self) -> int | None:
        """The answer's."""
        return None if self.answer is None else self.answer.status

    @property
    def verdict(self) -> Verdict:
        """What it means for the event and for the endpoint."""
        return Verdict.LATER if self.answer is None else judge(self.answer.status)

    def asked_s(self, now: float) -> float | None:
        """Return for how long the endpoint asks to be left alone; ``now`` is unix seconds."""
        return None if self.answer is None else retry_after_s(self.answer.headers, now)


async def attempt(
    poster: Poster, url: str, body: bytes, headers: Mapping[str, str], *, allow_private: bool, timeout_s: float
) -> Outcome:
    """Post once. Never raises for what the endpoint does, nor for an address that may not be used any more."""
    started = time.monotonic()
    try:
        answer = await poster.post(url, body, headers, allow_private=allow_private, timeout_s=timeout_s)
    except (AddressRefused, EndpointFailed) as error:
        return Outcome(None, error.reason, round((time.monotonic() - started) * 1000))
    if 200 <= answer.status < 300:
        return Outcome(answer, None, answer.ms)
    what = "a redirect, which is not followed" if 300 <= answer.status < 400 else "no success"
    return Outcome(answer, f"it answered {answer.status}: {what}", answer.ms)
