import pytest

from modembank.tpdu import MalformedTpdu, UnencodableTpdu
from modembank.tpdu.cursor import Cursor, octets


def test_reads_in_order() -> None:
    cursor = Cursor(b"\x01\x02\x03\x04")
    assert cursor.octet("first") == 1
    assert cursor.take(2, "second") == b"\x02\x03"
    assert (cursor.position, cursor.remaining) == (3, 1)
    assert cursor.rest() == b"\x04"
    assert cursor.rest() == b""
    assert cursor.take(0, "nothing") == b""


def test_the_end_names_the_field_and_the_octet() -> None:
    cursor = Cursor(b"\x01\x02", 1)
    with pytest.raises(MalformedTpdu) as caught:
        cursor.take(2, "time stamp")
    assert (caught.value.reason, caught.value.offset) == ("time stamp runs past the end", 1)
    assert str(caught.value) == "time stamp runs past the end (octet 1)"
    assert cursor.position == 1


def test_single_octets() -> None:
    assert octets(0, 255) == b"\x00\xff"
    assert octets() == b""
    for value in (-1, 256):
        with pytest.raises(UnencodableTpdu):
            octets(value)
