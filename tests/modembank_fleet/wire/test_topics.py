"""Topics: what is built is read again, and no name leads anywhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modembank_fleet.wire import HELLO, Address, WireError, everything_down, everything_up, is_name, parse

NAMES = st.from_regex(r"[a-z0-9][a-z0-9-]{0,31}", fullmatch=True)
PARTS = st.lists(st.from_regex(r"[a-z0-9][a-z0-9._-]{0,63}", fullmatch=True), min_size=1, max_size=4)


@given(NAMES, NAMES, PARTS, st.booleans())
def test_what_is_built_is_read_again(site, box, parts, up):
    address = Address(site, box)
    text = address.up(*parts) if up else address.down(*parts)
    topic = parse(text)
    assert (topic.address, topic.direction, topic.parts) == (address, "up" if up else "down", tuple(parts))
    assert str(topic) == text
    assert Address.of_common_name(address.common_name) == address


@given(st.text(max_size=60))
def test_no_text_is_read_as_anything_but_itself(text):
    try:
        topic = parse(text)
    except WireError:
        return
    assert str(topic) == text


@given(st.text(max_size=40))
def test_no_name_holds_what_a_broker_reads_otherwise(name):
    if is_name(name):
        assert not set(name) & set("/+#$_ \0\n")
    else:
        with pytest.raises(WireError):
            Address(name, "box")
        with pytest.raises(WireError):
            Address("site", name)


@pytest.mark.parametrize(
    "text",
    [
        "", HELLO, "modembank/v1/_fleet/x/down/ack", "modembank/v2/s/b/up/ev", "modembank/v1/s/b/up",
        "modembank/v1/s/b/up/", "modembank/v1/s/b/left/ev", "modembank/v1/+/b/up/ev", "modembank/v1/s/b/up/#",
        "modembank/v1/s/b/up/ev/", "/modembank/v1/s/b/up/ev", "modembank/v1/S/b/up/ev", "modembank/v1/s/b\n/up/ev",
        "modembank/v1/s/b/up/" + "a/" * 300 + "a",
    ],
)  # fmt: skip
def test_what_is_no_topic_of_a_box(text):
    with pytest.raises(WireError):
        parse(text)


def test_filters():
    assert everything_up() == "modembank/v1/+/+/up/#"
    assert everything_up("ingest") == "$share/ingest/modembank/v1/+/+/up/#"
    assert everything_down(Address("kiel", "b1")) == "modembank/v1/kiel/b1/down/#"
