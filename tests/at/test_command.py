"""Commands are built from typed arguments; nothing that could start a second command gets through."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modembank.at import AtCommand, AtEngine, Str, UnsafeArgumentError, capability, command, query, quote


def test_arguments_are_written_by_type() -> None:
    assert command("+CPMS", Str("ME"), None, 1).text == 'AT+CPMS="ME",,1'
    assert command("+CNMI", 2, 1, 0, 1, 0).text == "AT+CNMI=2,1,0,1,0"
    assert command("E0").text == "ATE0"
    assert command("").text == "AT"
    assert command("^CURC", 0).text == "AT^CURC=0"
    assert command("+CFUN", True).text == "AT+CFUN=1"


def test_queries_declare_their_own_prefix() -> None:
    assert query("+CREG") == AtCommand("AT+CREG?", prefix=("+CREG:",))
    assert capability("+CPMS").text == "AT+CPMS=?"
    assert query("+CICCID", prefix=("+ICCID:",)).prefix == ("+ICCID:",)


def test_options_reach_the_command() -> None:
    built = command("+CMGR", 3, prefix=("+CMGR:",), follows=True, timeout_s=9.0)
    assert built == AtCommand("AT+CMGR=3", prefix=("+CMGR:",), follows=True, timeout_s=9.0)


def test_a_quote_and_a_backslash_are_escaped_as_v250_says() -> None:
    assert quote('a"b\\c') == '"a\\22b\\5Cc"'


@pytest.mark.parametrize("text", ["a\rb", "a\nAT+CMGD=1,4", "\x1a", "\x1b", "\x00", "\x7f", "é", "\u2028", "a\r"])
def test_a_control_or_foreign_character_is_refused(text: str) -> None:
    with pytest.raises(UnsafeArgumentError):
        quote(text)
    with pytest.raises(UnsafeArgumentError):
        command("+CUSD", 1, Str(text))
    with pytest.raises(UnsafeArgumentError):
        AtCommand("AT" + text)


@pytest.mark.parametrize("name", ["+cpms", "+CPMS=1;+CMGD", "+A B", "CMGF\r", "+", "++A", "é"])
def test_a_command_name_is_a_name(name: str) -> None:
    with pytest.raises(UnsafeArgumentError):
        command(name)


@pytest.mark.parametrize("payload", ["", "0", "00 1", "0G", "00\x1a", "00" * 600])
def test_a_payload_is_pairs_of_hex(payload: str) -> None:
    with pytest.raises(UnsafeArgumentError):
        AtCommand("AT+CMGS=1", payload=payload)


def test_a_command_starts_with_at_and_is_bounded() -> None:
    with pytest.raises(UnsafeArgumentError):
        AtCommand("+CMGF=0")
    with pytest.raises(UnsafeArgumentError):
        AtCommand("AT" + "A" * 600)


@given(st.text(max_size=40))
def test_whatever_the_argument_one_line_or_an_error_comes_out(text: str) -> None:
    try:
        built = command("+CPIN", Str(text))
    except UnsafeArgumentError:
        return
    written = AtEngine().send(built)
    assert written.count(b"\r") == 1
    assert written.endswith(b"\r")
    assert not set(written[:-1]) & set(range(0x20))
    assert written.count(b'"') == 2
