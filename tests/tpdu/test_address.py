import pytest
from hypothesis import given
from hypothesis import strategies as st

from modembank.tpdu import Address, BadAddress, MalformedTpdu, NumberingPlan, TypeOfNumber, pack_septets
from modembank.tpdu.cursor import Cursor
from tpdu.strategies import addresses, numbers


def decode(octets: str) -> Address:
    return Address.decode(Cursor(bytes.fromhex(octets)))


@pytest.mark.parametrize(
    ("number", "octets"),
    [
        ("+47123456789", "0B917421436587F9"),
        ("+358478400241", "0C91534887042014"),
        ("12345", "058121 43F5"),
        ("*100#", "0581 1A00 FB"),
        ("1abc", "0481 C1ED"),
        ("INFO", "07D0 49A7F109"),
        ("sipgate", "0DD0F334FC1CA69701"),
        ("12345678901234567890", "1481 21436587092143658709"),
    ],
)
def test_numbers_and_names(number: str, octets: str) -> None:
    address = Address.from_number(number)
    assert address.encode() == bytes.fromhex(octets)
    assert decode(octets) == address
    assert address.number == number


def test_types_of_what_is_typed() -> None:
    assert Address.from_number("+44").type is TypeOfNumber.INTERNATIONAL
    assert Address.from_number("44").type is TypeOfNumber.UNKNOWN
    assert Address.from_number("44").plan is NumberingPlan.ISDN
    assert Address.from_number("INFO").is_name
    assert not Address.from_number("44").is_name


@pytest.mark.parametrize("number", ["", "+", "+44 20", "1" * 21, "TWELVECHARS!", "Grüße€€€€", "тест", "A\nB", "A\r"])
def test_what_no_address_can_carry(number: str) -> None:
    with pytest.raises(BadAddress):
        Address.from_number(number)


def test_bad_digits_are_refused_when_encoding() -> None:
    with pytest.raises(BadAddress):
        Address("12 34", TypeOfNumber.NATIONAL).encode()


def test_name_length_in_semi_octets_may_be_padded() -> None:
    # Seven characters: 13 semi-octets; some senders write 14, which would hold an eighth character "@".
    assert decode("0DD0F334FC1CA69701").digits == "sipgate"
    assert decode("0ED0F334FC1CA69701").digits == "sipgate"


@pytest.mark.parametrize(("octets", "name"), [("09D0C6A7333904", "FONIC"), ("12D0F7FBDD454FB75D693A", "www.tim.it")])
def test_names_from_the_air(octets: str, name: str) -> None:
    assert decode(octets).number == name


def test_control_characters_never_leave_a_name() -> None:
    # "AT", CR, LF, "+": a name that would become a command of its own in a careless driver.
    name = Address.decode(Cursor(bytes((9, 0xD0)) + pack_septets(b"AT\r\n+")))
    assert name.digits == "AT+"


@pytest.mark.parametrize(
    ("octets", "digits"),
    [
        ("0391 21F3", "123"),  # odd count, filler
        ("0391 2143", "123"),  # odd count, a digit where the filler belongs
        ("0491 21F3", "123"),  # the filler counted
        ("0891 214FFFFF", "12"),  # the end mark comes early
        ("0091", ""),
        ("0A81 A0BACADAEA", "0**#*a*b*c"),
    ],
)
def test_digits_as_they_come(octets: str, digits: str) -> None:
    assert decode(octets).digits == digits


def test_reserved_types_and_plans_are_kept() -> None:
    address = decode("02FF21")
    assert (address.type, address.plan) == (TypeOfNumber.RESERVED, NumberingPlan.RESERVED_15)
    assert address.encode() == bytes.fromhex("02FF21")
    assert decode("022121").type is TypeOfNumber.NATIONAL  # bit 7 missing


@pytest.mark.parametrize("octets", ["", "0B", "0B91", "0B9121436587"])
def test_truncated(octets: str) -> None:
    with pytest.raises(MalformedTpdu) as caught:
        decode(octets)
    assert caught.value.offset <= 2
    assert "address" in caught.value.reason


def test_service_centre_counts_octets() -> None:
    address = Address.from_number("+31624000000")
    assert address.encode_service_centre() == bytes.fromhex("07911326040000F0")
    assert Address.decode_service_centre(Cursor(bytes.fromhex("07911326040000F0"))) == address
    assert Address.decode_service_centre(Cursor(b"\0")) is None
    with pytest.raises(BadAddress):
        Address.from_number("SMSC").encode_service_centre()


def test_service_centre_without_digits() -> None:
    centre = Address.decode_service_centre(Cursor(bytes.fromhex("0191")))
    assert centre is not None
    assert centre.number == ""


@given(addresses)
def test_round_trip(address: Address) -> None:
    encoded = address.encode()
    cursor = Cursor(encoded)
    assert Address.decode(cursor) == address
    assert cursor.remaining == 0


@given(numbers.filter(lambda address: bool(address.digits)))
def test_round_trip_of_service_centres(address: Address) -> None:
    assert Address.decode_service_centre(Cursor(address.encode_service_centre())) == address


@given(st.binary(max_size=30))
def test_any_octets(octets: bytes) -> None:
    needed = 2 + (octets[0] + 1) // 2 if octets else 1
    if len(octets) < needed:
        with pytest.raises(MalformedTpdu):
            Address.decode(Cursor(octets))
    else:
        address = Address.decode(Cursor(octets))
        assert not any(ord(char) < 0x20 for char in address.number)
