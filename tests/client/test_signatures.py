"""Posts of webhooks are trusted only when the box signed them, lately; the standard's own library signs here."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook as Standard

from modembank.client import BadSignature, ClientError, verify_webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
NOW = 1_790_000_000
BODY = json.dumps({"id": "evt_1", "type": "message.sent", "timestamp": "t", "data": {"id": "msg_1"}, "new": 1})


def signed(secret: str = SECRET, body: str = BODY, at: int = NOW) -> dict[str, str]:
    signature = Standard(secret).sign("evt_1", datetime.fromtimestamp(at, UTC), body)
    return {"webhook-id": "evt_1", "webhook-timestamp": str(at), "webhook-signature": signature}


@pytest.mark.parametrize("body", [BODY, BODY.encode()])
def test_what_the_standards_library_signs_is_accepted(body: str | bytes) -> None:
    event = verify_webhook(SECRET, signed(), body, now=NOW + 5)
    assert (event.id, event.type, event.data) == ("evt_1", "message.sent", {"id": "msg_1"})
    names = {name.title(): value for name, value in signed().items()}
    assert verify_webhook(SECRET, names, body, now=NOW) == event


def test_one_of_several_signatures_is_enough_while_a_secret_is_replaced() -> None:
    both = signed() | {
        "webhook-signature": f"v2,abc v1,%% {signed(OTHER)['webhook-signature']} {signed()['webhook-signature']}"
    }
    assert verify_webhook(SECRET, both, BODY, now=NOW)
    assert verify_webhook(OTHER, both, BODY, now=NOW)


def test_another_secret_body_id_or_time_is_refused() -> None:
    with pytest.raises(BadSignature, match="no signature fits"):
        verify_webhook(OTHER, signed(), BODY, now=NOW)
    for headers, body in [
        (signed(), BODY + " "),
        (signed() | {"webhook-id": "evt_2"}, BODY),
        (signed() | {"webhook-timestamp": str(NOW + 1)}, BODY),
        (signed() | {"webhook-signature": ""}, BODY),
        (signed() | {"webhook-signature": signed()["webhook-signature"].replace("v1,", "v1a,")}, BODY),
    ]:
        with pytest.raises(BadSignature):
            verify_webhook(SECRET, headers, body, now=NOW)


def test_an_old_post_is_refused_and_one_from_the_future_too() -> None:
    for now in (NOW - 300, NOW, NOW + 300):
        verify_webhook(SECRET, signed(), BODY, now=now)
    for now in (NOW - 301, NOW + 301):
        with pytest.raises(BadSignature, match="more than 300 seconds"):
            verify_webhook(SECRET, signed(), BODY, now=now)
    with pytest.raises(BadSignature):
        verify_webhook(SECRET, signed(), BODY)


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_header_is_named(name: str) -> None:
    headers = signed()
    del headers[name]
    with pytest.raises(BadSignature, match=f"the header {name} is missing"):
        verify_webhook(SECRET, headers, BODY, now=NOW)


def test_what_is_signed_but_no_event_is_told() -> None:
    with pytest.raises(ClientError, match="cannot be read as Event"):
        verify_webhook(SECRET, signed(body="[]"), "[]", now=NOW)


def test_a_secret_that_is_none_is_the_programs_mistake() -> None:
    with pytest.raises(ValueError, match="the secret is none"):
        verify_webhook("my secret!", signed(), BODY, now=NOW)


@given(st.dictionaries(st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]), st.text(max_size=30)))
def test_noise_is_refused_and_never_breaks(headers: dict[str, str]) -> None:
    with pytest.raises(BadSignature):
        verify_webhook(SECRET, headers, BODY, now=NOW)
