"""The parts without I/O: signatures by the public library, what answers mean, and how long to wait."""

import base64
import json
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from modembank.outgoing.circuit import (
    FIRST_WAIT_S,
    MOST_RETRY_AFTER_S,
    MOST_RETRY_S,
    MOST_WAIT_S,
    REFUSED_IN_A_ROW,
    Circuit,
    Verdict,
    judge,
    retry_after_s,
    retry_wait_s,
)
from modembank.webhooks.model import Secret
from modembank.webhooks.signing import is_secret, new_secret, signature


@given(value=st.text(max_size=200), replaced=st.booleans())
def test_the_public_library_takes_our_signatures(value, replaced):
    secret, now = new_secret(), int(datetime.now(UTC).timestamp())
    body = json.dumps({"value": value}).encode()
    signed = signature([new_secret(), secret] if replaced else [secret], "evt_1", now, body)
    headers = {"webhook-id": "evt_1", "webhook-timestamp": str(now), "webhook-signature": signed}
    assert Verifier(secret).verify(body, headers) == {"value": value}
    with pytest.raises(WebhookVerificationError):
        Verifier(secret).verify(body + b" ", headers)


def test_secrets_are_as_the_specification_wants_them():
    assert is_secret(new_secret())
    assert new_secret() != new_secret()
    for octets in (24, 32, 64):
        assert is_secret("whsec_" + base64.b64encode(bytes(octets)).decode())
    for wrong in ("", "whsec_", "whsec_!!", "whsec_" + "A" * 31, "secret", base64.b64encode(bytes(32)).decode()):
        assert not is_secret(wrong)
    for octets in (23, 65):
        assert not is_secret("whsec_" + base64.b64encode(bytes(octets)).decode())
    assert "whsec" not in repr(Secret(new_secret()))


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, Verdict.TAKEN), (204, Verdict.TAKEN), (301, Verdict.REFUSED), (400, Verdict.REFUSED),
        (404, Verdict.REFUSED),
        (408, Verdict.LATER), (410, Verdict.GONE), (429, Verdict.LATER), (500, Verdict.REFUSED), (503, Verdict.LATER),
    ],
)  # fmt: skip
def test_what_an_answer_means(status, verdict):
    assert judge(status) is verdict


def test_retry_after_in_both_forms_and_bounded():
    assert retry_after_s({"retry-after": "120"}, 0) == 120
    assert retry_after_s({"retry-after": "9" * 40}, 0) == MOST_RETRY_AFTER_S
    moment = datetime(2026, 11, 20, 14, 5, tzinfo=UTC)
    assert retry_after_s({"retry-after": format_datetime(moment, usegmt=True)}, moment.timestamp() - 60) == 60
    assert retry_after_s({"retry-after": format_datetime(moment, usegmt=True)}, moment.timestamp() + 60) == 0


@given(st.text(max_size=40))
def test_no_retry_after_breaks_anything(text):
    wait = retry_after_s({"retry-after": text}, 1_800_000_000)
    assert wait is None or 0 <= wait <= MOST_RETRY_AFTER_S


@given(st.integers(1, 10_000))
def test_waits_grow_and_end(tries):
    assert 0 < retry_wait_s(tries) <= MOST_RETRY_S * 1.2
    circuit = Circuit(open=True, failures=tries)
    assert FIRST_WAIT_S * 0.8 <= circuit.wait_s(None) <= MOST_WAIT_S * 1.2
    assert circuit.wait_s(0) == FIRST_WAIT_S
    assert circuit.wait_s(5_000) == 5_000


def test_the_circuit_opens_and_closes():
    circuit = Circuit()
    assert [circuit.refused() for _ in range(REFUSED_IN_A_ROW)] == [False] * (REFUSED_IN_A_ROW - 1) + [True]
    assert circuit.took()
    assert not circuit.took()
    circuit.failed()
    assert circuit.open
    assert circuit.failures == 1
