"""Payloads: read as they were written, unknown fields passed over, limits kept, nothing but WireError for the rest."""

import contextlib
import json
import zlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modembank_fleet.wire import (
    CHANNELS,
    MOST_OCTETS,
    Ack,
    Avail,
    EvBatch,
    Event,
    WireError,
    decode,
    encode,
    pack,
    unpack,
)

COUNTS = st.integers(0, 2**63 - 1)
EVENTS = st.builds(
    Event,
    seq=COUNTS,
    type=st.sampled_from(["modem.failed", "sms.in", "gap"]),
    sev=st.sampled_from(["info", "security"]),
    at=st.none() | st.floats(0, 1e11),
    subj=st.text(max_size=20),
    data=st.dictionaries(st.text(max_size=5), st.integers(-9, 9) | st.text(max_size=9), max_size=3),
)
BATCHES = st.builds(
    EvBatch,
    v=st.just(1),
    ep=st.just("k3f9"),
    bs=COUNTS,
    ts=st.none() | st.floats(0, 1e11),
    up=st.floats(0, 1e9),
    clk=st.sampled_from(["ntp", "rtc", "unsync"]),
    base=COUNTS,
    first=COUNTS,
    last=COUNTS,
    ev=st.lists(EVENTS, max_size=5),
)
SHAPES = sorted({channel.shape for channel in CHANNELS}, key=lambda shape: shape.__name__)


@given(BATCHES)
def test_what_is_written_is_read_again(batch):
    payload = encode(batch)
    assert decode(EvBatch, payload) == batch
    packed, how = pack(payload)
    assert decode(EvBatch, packed, how) == batch


@given(BATCHES)
def test_what_a_later_version_adds_is_passed_over(batch):
    later = json.loads(encode(batch)) | {"new": {"deep": [1]}}
    later["ev"] = [event | {"also": 1} for event in later["ev"]]
    assert decode(EvBatch, json.dumps(later).encode()) == batch


@given(st.binary(max_size=300), st.sampled_from(SHAPES), st.sampled_from(["", "deflate", "gzip"]))
def test_no_payload_raises_anything_else(payload, shape, how):
    with contextlib.suppress(WireError):
        assert isinstance(decode(shape, payload, how), shape)


@pytest.mark.parametrize(
    "payload", [b"", b"null", b"[]", b"{", b"\xff\xfe", b"[" * 100_000, b'{"v":1,"ep":"k3f9","ev":-1}', b'{"v":"1"}']
)
def test_what_is_no_acknowledgement(payload):
    with pytest.raises(WireError):
        decode(Ack, payload)


@pytest.mark.parametrize("epoch", ["", "abc", "K3F9", "k3f9\n", "k" * 33])
def test_what_is_no_epoch(epoch):
    with pytest.raises(WireError):
        decode(Ack, json.dumps({"v": 1, "ep": epoch}).encode())


def test_what_is_too_large_neither_goes_out_nor_comes_in():
    big = Avail(v=1, s="online", ep="k3f9", bs=1, conn=1, why="birth")
    assert len(encode(big)) < 100
    with pytest.raises(WireError, match="too_large"):
        encode(EvBatch(v=1, ep="k3f9", bs=1, up=1, clk="ntp", base=1, first=1, last=1,
                       ev=[Event(seq=1, type="a.b", data={"x": "y" * MOST_OCTETS})]))  # fmt: skip
    with pytest.raises(WireError, match="too_large"):
        decode(Avail, b" " * (MOST_OCTETS + 1))


def test_a_bomb_does_not_unfold():
    bomb = zlib.compress(b"0" * (MOST_OCTETS * 200))
    assert len(bomb) < MOST_OCTETS
    with pytest.raises(WireError, match="too_large"):
        unpack(bomb, "deflate")


def test_what_is_cut_or_followed_by_more_is_not_unpacked():
    packed = zlib.compress(b"{}" * 400)
    for payload in (packed[:-1], packed + b"x"):
        with pytest.raises(WireError, match="malformed"):
            unpack(payload, "deflate")


def test_small_payloads_are_not_packed():
    assert pack(b"{}") == (b"{}", "")


@pytest.mark.parametrize("shape", SHAPES)
def test_every_type_has_a_schema_and_short_names(shape):
    assert msgspec.json.schema(shape)
    assert all(len(name) <= 14 for name in shape.__struct_encode_fields__)
