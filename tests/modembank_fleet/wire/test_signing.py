"""Signatures: good for one payload on one topic by one key, and for nothing else."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modembank_fleet.wire import HubKey, Signer, WireError, new_signer, verify

SIGNER = Signer("h2", bytes(range(32)))
TOPIC = "modembank/v1/kiel/b1/down/cmd/sim.pause"


@given(st.binary(max_size=100), st.integers(0, 99), st.integers(1, 255))
def test_every_octet_counts(payload, place, change):
    signature = SIGNER.sign(TOPIC, payload)
    verify([SIGNER.public], "h2", signature, TOPIC, payload, None)
    if payload:
        place %= len(payload)
        other = payload[:place] + bytes([payload[place] ^ change]) + payload[place + 1 :]
        with pytest.raises(WireError, match="bad_signature"):
            verify([SIGNER.public], "h2", signature, TOPIC, other, None)


@given(st.text(max_size=100))
def test_no_text_is_a_signature(text):
    with pytest.raises(WireError, match="bad_signature"):
        verify([SIGNER.public], "h2", text, TOPIC, b"{}", None)


def test_another_topic_needs_another_signature():
    signature = SIGNER.sign(TOPIC, b"{}")
    for topic in (TOPIC.replace("b1", "b2"), TOPIC.replace("pause", "resume"), TOPIC + "\0"):
        with pytest.raises(WireError, match="bad_signature"):
            verify([SIGNER.public], "h2", signature, topic, b"{}", None)


def test_the_border_between_topic_and_payload_counts():
    signature = SIGNER.sign("ab", b"c")
    with pytest.raises(WireError):
        verify([SIGNER.public], "h2", signature, "a", b"bc", None)


def test_keys_that_are_not_trusted():
    stranger = new_signer("h2")
    with pytest.raises(WireError, match="bad_signature"):
        verify([SIGNER.public], "h2", stranger.sign(TOPIC, b"{}"), TOPIC, b"{}", None)
    with pytest.raises(WireError, match="unknown_key"):
        verify([SIGNER.public], "h3", SIGNER.sign(TOPIC, b"{}"), TOPIC, b"{}", None)
    with pytest.raises(WireError, match="unsigned"):
        verify([SIGNER.public], "", "", TOPIC, b"{}", None)
    assert new_signer("h9").private != new_signer("h9").private


def test_a_key_ends_where_the_time_is_known():
    key = HubKey("h2", SIGNER.public.public, not_after=100.0)
    signature = SIGNER.sign(TOPIC, b"{}")
    verify([key], "h2", signature, TOPIC, b"{}", 100.0)
    verify([key], "h2", signature, TOPIC, b"{}", None)
    with pytest.raises(WireError, match="key_expired"):
        verify([key], "h2", signature, TOPIC, b"{}", 101.0)


def test_what_is_no_key():
    with pytest.raises(WireError, match="bad_key"):
        HubKey("h2", b"short")


def test_a_known_answer():
    """RFC 8032, 7.1, test 2: our signature is plain Ed25519 over what its docstring says."""
    secret = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    assert Signer("x", secret).public.public.hex() == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    assert len(base64.b64decode(SIGNER.sign("", b""))) == 64
