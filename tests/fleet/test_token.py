"""A hub's token as text: whole or nothing."""

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modembank.errors import InvalidRequest
from modembank.fleet.token import PREFIX, HubToken, is_hub_address, read_token
from modembank_box.first_boot.values import token as box_toml_takes

ADDRESS = "https://hub.example.org:8443"
TOKEN = HubToken(ADDRESS, secrets.token_bytes(32), secrets.token_bytes(16))


def problem_of(text):
    with pytest.raises(InvalidRequest) as caught:
        read_token(text)
    (problem,) = caught.value.problems
    assert problem.pointer == "/token"
    return problem.detail


def test_it_is_read_as_it_was_written():
    assert read_token(TOKEN.written) == TOKEN
    assert len(TOKEN.written) < 130


@pytest.mark.parametrize("pasted", ["  {} ", "{}\n", "\t{}\r\n\r\n"])
def test_it_may_be_pasted_with_space_around(pasted):
    assert read_token(pasted.format(TOKEN.written)) == TOKEN


def test_it_may_be_broken_into_lines():
    text = TOKEN.written
    assert read_token("\n".join(text[at : at + 40] for at in range(0, len(text), 40))) == TOKEN


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=32, max_size=32))
def test_any_secret_is_taken_by_the_file_of_the_first_start_too(secret, fingerprint):
    made = HubToken(ADDRESS, fingerprint, secret)
    assert read_token(box_toml_takes(made.written)) == made


@pytest.mark.parametrize("text", ["", "hello", "mb_1234_abcd", "https://hub.example.org"])
def test_what_is_no_token_is_told_what_one_looks_like(text):
    assert PREFIX in problem_of(text)


def test_every_piece_of_it_is_none():
    text = TOKEN.written
    for length in range(len(PREFIX), len(text)):
        assert "is not whole" in problem_of(text[:length])


def test_no_letter_of_it_can_be_another():
    text = TOKEN.written
    for at in range(len(PREFIX), len(text) - 1):  # of the last one some bits count for nothing
        other = "A" if text[at] != "A" else "B"
        assert "is not whole" in problem_of(text[:at] + other + text[at + 1 :])


@given(st.text(max_size=200))
def test_no_text_is_more_than_refused(text):
    problem_of(PREFIX + text)


@pytest.mark.parametrize("address", ["http://hub", "https://hub/path", "https://hub:1:2", "https://u@hub", "https://"])
def test_an_address_is_a_scheme_a_host_and_a_port(address):
    assert not is_hub_address(address)
    assert "is not whole" in problem_of(HubToken(address, bytes(32), bytes(16)).written)


@pytest.mark.parametrize(
    "address", [ADDRESS, "https://10.0.0.7", "https://[fd00::1]:8443", "https://hub", "https://Hub-1.example.org"]
)
def test_hosts_and_addresses_are(address):
    assert is_hub_address(address)
    assert read_token(HubToken(address, bytes(32), bytes(16)).written).address == address


def test_an_address_has_its_bounds():
    assert not is_hub_address("https://" + "a" * 300)
