"""USSD as the emulator writes it in each of the real forms, read by us; our requests read by it."""

from __future__ import annotations

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from modembank.at import pack_gsm7, parse_cusd
from modembank_emulator import UssdForm, alphabet
from modembank_emulator.capabilities import Capabilities
from modembank_emulator.commands.network import _answer_line, _request
from modembank_emulator.network import UssdAnswer
from modembank_emulator.settings import Settings

# What operators write: words, amounts, menus.
WORDS = st.text(st.sampled_from("abcdefghij ABCXYZ.,:;!?*#+-/()€£$%&'0123456789"), min_size=8, max_size=120)


class Modem:
    """As much of an emulated modem as the forms look at."""

    def __init__(self, form: UssdForm, *, packed: bool = False) -> None:
        self.caps = Capabilities(ussd_form=form, ussd_packed_request=packed)
        self.settings = Settings.factory(self.caps)


@pytest.mark.parametrize("form", list(UssdForm))
@given(text=WORDS, more=st.booleans())
@example(text="Balance 12.50 EUR", more=False)
@example(text="1. Yes 2. No", more=True)
@example(text="Guthaben: 3,50 € bis 31.12.", more=False)
@example(text="exactly eight", more=False)
def test_every_form_reads_as_the_text_that_was_meant(form: UssdForm, text: str, more: bool) -> None:
    text = text.strip()
    assume(sum(char.isalpha() for char in text) >= 6)  # digits alone may be hex, and hex may be digits
    assume(not all(char in "0123456789abcdefABCDEF" for char in text))
    line = _answer_line(Modem(form), UssdAnswer(text, more))  # type: ignore[arg-type]
    report = parse_cusd(line)
    assert report is not None
    assert (report.state, report.text) == (int(more), text)


@pytest.mark.parametrize("form", [UssdForm.UCS2_15, UssdForm.UCS2_72])
@pytest.mark.parametrize(
    "text",
    [
        "Ваш баланс 150 руб.",
        "Υπόλοιπο 12,50 ευρώ",
        "رصيدك 107.93 جنيه",
        "您的余额为150元",
        "残高は１５０円です。",
        "Số dư: 5000đ",
    ],
)
def test_texts_beyond_the_default_alphabet(form: UssdForm, text: str) -> None:
    report = parse_cusd(_answer_line(Modem(form), UssdAnswer(text)))  # type: ignore[arg-type]
    assert report is not None
    assert report.text == text


@given(request=st.text(st.sampled_from("*#0123456789"), min_size=1, max_size=30))
@example(request="*100#")
@example(request="*101*12#")
@example(request="1234567")
def test_our_packed_requests_are_what_the_network_reads(request: str) -> None:
    packed = pack_gsm7(request)
    assert packed is not None
    assert _request(Modem(UssdForm.PACKED, packed=True), packed) == request  # type: ignore[arg-type]
    septets = alphabet.to_septets(request) + (b"\r" if len(request) % 8 == 7 else b"")
    assert packed == alphabet.pack(septets).hex().upper()
