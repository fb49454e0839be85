import pytest
from hypothesis import given
from hypothesis import strategies as st

from modembank.tpdu import Alphabet, Concat, Language, Udh, UnencodableTpdu, UnpairedSurrogate, UserData, pack_septets
from tpdu.strategies import user_data

CONCAT_8 = Udh.build(concat=Concat(1, 2, 1))
CONCAT_16 = Udh.build(concat=Concat(1, 2, 1, wide=True))


def decode(hexed: str, alphabet: Alphabet = Alphabet.GSM7, *, has_header: bool = False) -> UserData:
    octets = bytes.fromhex(hexed)
    return UserData.decode(octets[0], octets[1:], alphabet, has_header=has_header)


def test_text_chooses_its_alphabet() -> None:
    assert UserData.of_text("hello").alphabet is Alphabet.GSM7
    assert UserData.of_text("привет").alphabet is Alphabet.UCS2
    assert UserData.of_text("ş", Udh.build(single=Language.TURKISH)).payload == b"\x1bs"
    with pytest.raises(UnpairedSurrogate) as caught:
        UserData.of_text("ab\ud800")
    assert caught.value.position == 2


def test_octets_have_no_text() -> None:
    data = UserData.of_octets(b"\x01\x02")
    assert data.text is None
    assert data.encode() == bytes.fromhex("020102")


@pytest.mark.parametrize("text", ["1234567", "123456@", "@@@@@@@", "1234567@", "", "@"])
def test_an_at_sign_at_the_end_is_neither_lost_nor_made(text: str) -> None:
    encoded = UserData.of_text(text).encode()
    assert encoded[0] == len(text)
    assert UserData.decode(encoded[0], encoded[1:], Alphabet.GSM7, has_header=False).text == text


@pytest.mark.parametrize(
    ("udh", "septets", "udl", "first"),
    [
        (CONCAT_8, 153, 160, 0x41 << 1),  # one fill bit in front
        (CONCAT_16, 152, 160, 0x41 | (0x41 << 7 & 0xFF)),  # none
        (Udh.build(single=Language.SPANISH), 155, 160, (0x41 << 3) & 0xFF),  # three
    ],
)
def test_fill_bits_after_a_header(udh: Udh, septets: int, udl: int, first: int) -> None:
    data = UserData(Alphabet.GSM7, b"A" * septets, udh)
    encoded = data.encode()
    assert encoded[0] == udl
    assert len(encoded) == 141
    assert encoded[1 + udh.size] == first
    assert UserData.decode(encoded[0], encoded[1:], Alphabet.GSM7, has_header=True) == data
    with pytest.raises(UnencodableTpdu):
        UserData(Alphabet.GSM7, b"A" * (septets + 1), udh).encode()


def test_limits_without_a_header() -> None:
    assert UserData.of_text("x" * 160).encode()[0] == 160
    with pytest.raises(UnencodableTpdu):
        UserData.of_text("x" * 161).encode()
    assert UserData.of_text("ж" * 70).encode()[0] == 140
    with pytest.raises(UnencodableTpdu):
        UserData.of_text("ж" * 71).encode()


def test_octets_behind_the_length_are_ignored() -> None:
    assert decode("05 E8329BFD06 FFFFFF").text == "hello"
    assert decode("02 0441 0442", Alphabet.UCS2).text == "с"


def test_fewer_octets_than_promised_are_kept() -> None:
    data = decode("A0 E8329BFD06")
    assert data.truncated
    assert data.text is not None
    assert data.text.startswith("hello")
    data = decode("08 0441 0442", Alphabet.UCS2)
    assert (data.text, data.truncated) == ("ст", True)
    assert not decode("05 E8329BFD06").truncated


def test_nothing_at_all() -> None:
    assert decode("00").text == ""
    assert decode("00", Alphabet.UCS2).text == ""
    assert decode("00", Alphabet.OCTET).payload == b""


def test_ucs2_of_odd_length_keeps_what_is_whole() -> None:
    assert decode("05 0441044204", Alphabet.UCS2).text == "ст\ufffd"


def test_half_a_surrogate_pair_shows_as_such() -> None:
    assert decode("04 D83D0041", Alphabet.UCS2).text == "\ufffdA"
    assert decode("04 0041DE00", Alphabet.UCS2).text == "A\ufffd"


def test_header_longer_than_the_data_keeps_text_and_octets() -> None:
    data = decode("05 E8329BFD06", has_header=True)
    assert data.udh is None
    assert data.udh_error == "header longer than the user data"
    assert data.text == "hello"


def test_header_announced_but_absent() -> None:
    data = decode("00", has_header=True)
    assert (data.udh, data.text) == (None, "")
    assert data.udh_error


def test_broken_element_keeps_the_text_behind_the_header() -> None:
    # UDHL 5, but its element claims nine octets.
    data = decode("09 05 0009010201 686921", Alphabet.OCTET, has_header=True)
    assert data.payload == b"hi!"
    assert data.udh_error == "an information element runs past the header"
    assert data.udh is not None
    assert data.udh.remainder == bytes.fromhex("0009010201")


def test_length_that_ends_inside_the_header() -> None:
    data = decode("03 05 00030102", has_header=True)
    assert data.udh is None
    assert data.udh_error


def test_header_alone() -> None:
    data = decode("07 050003010201", has_header=True)
    assert data.concat == Concat(1, 2, 1)
    assert data.text == ""


def test_national_tables_named_in_the_header() -> None:
    udh = bytes.fromhex("03240101")
    body = udh + pack_septets(b"\x1bs\x1bi", 3)
    data = UserData.decode((8 * 4 + 3) // 7 + 4, body, Alphabet.GSM7, has_header=True)
    assert data.text == "şı"


@given(st.sampled_from(Alphabet).flatmap(user_data))
def test_round_trip(data: UserData) -> None:
    encoded = data.encode()
    assert len(encoded) <= 141
    again = UserData.decode(encoded[0], encoded[1:], data.alphabet, has_header=data.udh is not None)
    assert (again.alphabet, again.payload, again.truncated) == (data.alphabet, data.payload, False)
    assert (again.udh.encode() if again.udh else None) == (data.udh.encode() if data.udh else None)


@given(st.integers(0, 255), st.binary(max_size=200), st.sampled_from(Alphabet), st.booleans())
def test_any_octets(length: int, octets: bytes, alphabet: Alphabet, has_header: bool) -> None:
    data = UserData.decode(length, octets, alphabet, has_header=has_header)
    assert (data.text is None) == (alphabet is Alphabet.OCTET)
    assert len(data.payload) <= 255
