"""The one repetition that is safe: under the same key, at a provider that knows such keys."""

import asyncio

import msgspec
import pytest

from fakes.http_provider import Gate, hangs_up, means_with, provider, says, silent, takes_by_key
from modembank.clock import SystemClock
from modembank.modem.outcome import AttemptOutcome, CauseClass
from modembank.providers.adapters.http import HttpProvider
from providers.test_http_sending import MESSAGE, SECRETS, described, send

HEADER = {"idempotency_header": "Idempotency-Key"}


def key_of(got):
    return got.headers["idempotency-key"]


@pytest.mark.parametrize("lost", [hangs_up(), silent(), says(None, "502 Bad Gateway"), says(b"<html>")])
async def test_what_is_ambiguous_is_repeated_under_the_same_key_and_taken_once(lost):
    gate = Gate()
    async with provider(takes_by_key(key_of, lost), takes_by_key(key_of)) as there:
        result = await send(there.url(), gate, timeout_s=0.3, **HEADER)
    assert (result.outcome, result.reference, result.evidence["tries"]) == (AttemptOutcome.ACCEPTED, "m-1", 2)
    assert [key_of(got) for got in there.requests] == ["key-1", "key-1"]
    assert there.messages == {"key-1": {"id": "m-1", "times": 2}}
    assert gate.asked == 1


async def test_a_key_within_the_request_does_as_well():
    def in_body(got):
        return got.json()["client_ref"]

    body = '{"to": "{to}", "text": "{text}", "client_ref": "{key}"}'
    async with provider(takes_by_key(in_body, hangs_up()), takes_by_key(in_body)) as there:
        result = await send(there.url(), body=body, idempotent=True)
    assert (result.outcome, result.reference) == (AttemptOutcome.ACCEPTED, "m-1")
    assert there.messages["key-1"]["times"] == 2


async def test_a_key_that_the_provider_is_not_said_to_know_repeats_nothing():
    body = '{"to": "{to}", "text": "{text}", "client_ref": "{key}"}'
    async with provider(hangs_up(), says({"id": "twice"})) as there:
        result = await send(there.url(), body=body)
    assert result.outcome is AttemptOutcome.UNKNOWN
    assert len(there.requests) == 1
    assert "tries" not in result.evidence


async def test_a_refusal_at_first_is_not_repeated():
    async with provider(says(None, "429 Too Many Requests"), says({"id": "x"})) as there:
        result = await send(there.url(), **HEADER)
    assert (result.outcome, len(there.requests)) == (AttemptOutcome.REJECTED, 1)


@pytest.mark.parametrize(
    ("after", "tries"),
    [
        (says({"error": {"code": "no_credit"}}, "402 Payment Required"), 2),
        (says({"error": {"code": "duplicate"}}, "400 Bad Request"), 2),
        (says(None, "409 Conflict"), 8),
        (says(None, "429 Too Many Requests"), 8),
        (hangs_up(), 8),
    ],
)
async def test_after_an_ambiguous_try_a_refusal_settles_nothing(after, tries):
    """The message may itself have used up the credit, or be what is there already."""
    async with provider(hangs_up(), after) as there:
        result = await send(there.url(), **HEADER)
    assert (result.outcome, result.cause.klass) == (AttemptOutcome.UNKNOWN, CauseClass.AMBIGUOUS)
    assert (result.cause.code, result.evidence["tries"], len(there.requests)) == ("closed", tries, tries)
    assert result.evidence["last"]


async def test_a_provider_that_went_away_meanwhile_settles_nothing_either():
    async with provider(hangs_up()) as there:
        await_it = asyncio.create_task(send(there.url(), repeat_for_s=5, **HEADER))
        async with asyncio.timeout(5):
            while not there.requests:
                await asyncio.sleep(0)
    result = await await_it
    assert (result.outcome, result.cause.code) == (AttemptOutcome.UNKNOWN, "closed")
    assert "NOT_SENT: nothing listens" in result.evidence["last"]


class Hurried(SystemClock):
    """Forty seconds pass whenever somebody looks."""

    def __init__(self):
        self.at = 0.0

    def monotonic(self):
        self.at += 40.0
        return self.at


async def test_repetitions_end_with_the_time_for_them():
    async with provider(hangs_up()) as there:
        means = means_with(Hurried(), **SECRETS)
        adapter = HttpProvider(described(there.url(), repeat_for_s=90, **HEADER), means, pause_s=0.01)
        result = await adapter.send(MESSAGE, Gate())
    assert (result.outcome, result.evidence["tries"], len(there.requests)) == (AttemptOutcome.UNKNOWN, 3, 3)


async def test_a_provider_that_asks_for_more_time_than_there_is_is_not_asked_again():
    async with provider(hangs_up(), says(None, "429 Too Many Requests", b"Retry-After: 3600")) as there:
        result = await send(there.url(), **HEADER)
    assert (result.outcome, len(there.requests)) == (AttemptOutcome.UNKNOWN, 2)
    assert "REJECTED: 429" in result.evidence["last"]


async def test_a_server_that_failed_is_given_the_time_that_it_asks_for():
    busy = says(None, "503 Service Unavailable", b"Retry-After: 3600")
    async with provider(busy, says({"id": "too soon"})) as there:
        result = await send(there.url(), **HEADER)
    assert (result.outcome, result.retry_after_s, len(there.requests)) == (AttemptOutcome.UNKNOWN, None, 1)


async def test_what_is_worth_nothing_any_more_is_not_repeated():
    message = msgspec.structs.replace(MESSAGE, valid_for_s=0)
    async with provider(hangs_up()) as there:
        result = await send(there.url(), message=message, **HEADER)
    assert (result.outcome, len(there.requests)) == (AttemptOutcome.UNKNOWN, 1)


async def test_nothing_is_repeated_of_what_never_left():
    gate = Gate(opens=False)
    async with provider(says({"id": "x"})) as there:
        result = await send(there.url(), gate, **HEADER)
    assert (result.outcome, gate.asked, there.requests) == (AttemptOutcome.NOT_SENT, 1, [])
