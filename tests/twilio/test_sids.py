"""Sids are made and read back, and name nothing of another account."""

import re

from hypothesis import given
from hypothesis import strategies as st

from modembank.twilio.sids import Kind, is_account_sid, message_sid, new_account_sid, new_token, read_message_sid

ROWS = st.integers(0, (1 << 63) - 1)


def test_accounts_and_tokens_have_the_form_that_clients_expect():
    sid, token = new_account_sid(), new_token()
    assert re.fullmatch(r"AC[0-9a-f]{32}", sid)
    assert re.fullmatch(r"[0-9a-f]{32}", token)
    assert is_account_sid(sid)
    assert not is_account_sid(sid.upper())
    assert new_account_sid() != sid


@given(ROWS, st.sampled_from(Kind))
def test_a_message_is_found_by_its_sid(row, kind):
    account = new_account_sid()
    sid = message_sid(account, kind, row)
    assert re.fullmatch(r"SM[0-9a-f]{32}", sid)
    assert read_message_sid(account, sid) == (kind, row)


@given(ROWS, st.sampled_from(Kind))
def test_another_account_does_not_know_the_sid(row, kind):
    assert read_message_sid(new_account_sid(), message_sid(new_account_sid(), kind, row)) is None


@given(st.text(max_size=40) | st.from_regex(r"SM[0-9a-f]{32}", fullmatch=True))
def test_whatever_else_is_asked_for_names_nothing_or_what_it_says(text):
    account = "AC" + "0" * 32
    found = read_message_sid(account, text)
    assert found is None or message_sid(account, *found) == text
