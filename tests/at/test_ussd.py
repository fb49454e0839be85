"""USSD in the forms seen on real sticks: what decides is what reads as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modembank.at import UssdReport, pack_gsm7, parse_cusd
from modembank.at.ussd import unpack_gsm7


def hexed(text: str) -> str:
    return text.encode("utf-16-be").hex().upper()


# Octets of answers published in gammu's tests/at-ussd (E160, M35, E3276, HE910 and an 8-bit one).
E160 = "49B41C74ACD3D16171D90D32FBE52072BA0C72CA5DB45CAC76C3CD6CB41B2D060389CB74F9FE4C07D55C371CA85897BF1B"
HE910 = (
    "613906310635064A062F06430020003100300037002E003900330020062F002E0644060C06270644063506440627062D064A0629002000200032003000310038"
    "002D00310031002D003000390000FFFF60B16260EEEEFFFFFFFFFFFFFFFFFFFF60B16260EEEEFFFF"
)


def test_packed_seven_bits_quoted_and_not() -> None:
    with_dcs = parse_cusd(f'+CUSD: 0,"{E160}",15')
    assert with_dcs is not None
    assert with_dcs.text is not None
    assert with_dcs.text.isprintable()
    assert " " in with_dcs.text
    without = parse_cusd(f"+CUSD: 0,{E160}")
    assert without == UssdReport(0, with_dcs.text, None)


def test_plain_text_with_and_without_dcs() -> None:
    assert parse_cusd('+CUSD: 0,"Credit 3.50 EUR",15') == UssdReport(0, "Credit 3.50 EUR", 15)
    assert parse_cusd('+CUSD: 1,"1. Balance"') == UssdReport(1, "1. Balance", None)
    assert parse_cusd("+CUSD: 2,Session ended") == UssdReport(2, "Session ended", None)


def test_plain_text_over_two_lines() -> None:
    assert parse_cusd('+CUSD: 0,"3Gb left\nuntil May",15') == UssdReport(0, "3Gb left\nuntil May", 15)
    assert parse_cusd('+CUSD: 0,"3Gb left\r\nuntil May",15') == UssdReport(0, "3Gb left\nuntil May", 15)


def test_ucs2_under_the_dcs_of_seven_bits() -> None:
    text = "Hiteligy kerete: 0Ft. Feltöltöttségé: 7777Ft"
    assert parse_cusd(f'+CUSD: 2,"{hexed(text)}",15') == UssdReport(2, text, 15)


def test_ucs2_under_its_own_dcs() -> None:
    text = "Для экстра баланса *105#."
    assert parse_cusd(f'+CUSD: 0,"{hexed(text)}",72') == UssdReport(0, text, 72)


def test_ucs2_with_language_and_padding() -> None:
    report = parse_cusd(f'+CUSD: 2,"{HE910}",17')
    assert report is not None
    assert report.text is not None
    assert report.text.startswith("رصيدك 107.93")
    assert report.text.endswith("2018-11-09")


def test_eight_bits_in_hex() -> None:
    text = "Balance 3000.\n1>Next"
    assert parse_cusd(f'+CUSD: 1,"{text.encode().hex().upper()}",0') == UssdReport(1, text, 0)


@pytest.mark.parametrize("digits", ["1234", "50", "0791234567", "12345678901234"])
def test_digits_are_what_they_look_like(digits: str) -> None:
    assert parse_cusd(f'+CUSD: 0,"{digits}",15') == UssdReport(0, digits, 15)


@pytest.mark.parametrize("state", range(6))
def test_a_state_alone(state: int) -> None:
    assert parse_cusd(f"+CUSD: {state}") == UssdReport(state, None, None)


def test_an_inner_quote_and_an_empty_text() -> None:
    assert parse_cusd('+CUSD: 0,"say "hi" now",15') == UssdReport(0, 'say "hi" now', 15)
    assert parse_cusd('+CUSD: 4,"",15') == UssdReport(4, None, 15)
    assert parse_cusd("+CUSD: ") is None
    assert parse_cusd("+CUSD: what") is None


def test_controls_are_dropped_and_the_length_is_bounded() -> None:
    report = parse_cusd('+CUSD: 0,"a\x1b[31mb\u202ec ' + "x" * 5000 + '",15')
    assert report is not None
    assert report.text is not None
    assert report.text.startswith("a[31mbc ")
    assert len(report.text) == 1024


def test_a_request_is_packed() -> None:
    assert pack_gsm7("*100#") == "AA180C3602"
    assert pack_gsm7("*1€") is None
    assert pack_gsm7("") == ""


@given(st.text("*#0123456789abcXYZ @", min_size=1, max_size=40).filter(lambda text: not text.endswith("@")))
def test_packing_and_unpacking_agree(text: str) -> None:
    packed = pack_gsm7(text)
    assert packed is not None
    assert unpack_gsm7(bytes.fromhex(packed)) == text


def test_the_extension_table() -> None:
    bits = 0x1B | 101 << 7
    assert unpack_gsm7(bits.to_bytes(2, "little")).startswith("€")
