"""Mails as they go over the wire: every reader sees the text that was given, and nobody writes a header by it."""

from email import message_from_bytes
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modembank.providers.adapters.letters import BEGINNING, Letter, beginning, message_id, octets, one_line

USUAL = {"id": "<1@example.com>", "sender": "sms@example.com", "to": "alice@example.com", "at": 1_700_000_000.0}
HEADERS = [
    "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Content-Type", "Content-Transfer-Encoding",
    "MIME-Version",
]  # fmt: skip


def letter(subject="s", text="t", **more):
    return Letter(**USUAL | {"subject": subject, "text": text} | more)


def read(made):
    return message_from_bytes(octets(made), policy=default)


def text_of(mail):
    return mail.get_content().replace("\r\n", "\n")


def test_a_mail_says_who_what_and_when():
    mail = read(letter("The gate", "is open", sender_name="The box", reply_to="desk@example.com"))
    assert mail["From"] == "The box <sms@example.com>"
    assert (mail["To"], mail["Reply-To"]) == ("alice@example.com", "desk@example.com")
    assert (mail["Subject"], mail["Message-ID"]) == ("The gate", "<1@example.com>")
    assert mail["Date"].datetime.timestamp() == USUAL["at"]
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content_type() == "text/plain"
    assert text_of(mail) == "is open\n"


@pytest.mark.parametrize(
    "text", ["Grüße\nan alle 🎉", "a" * 5000, ".\n..\n.x", "line\r\nline\rline", "\ttab", "é" * 3000]
)
def test_every_text_comes_out_as_it_went_in(text):
    whole = octets(letter(text=text))
    assert whole.isascii()
    assert whole.endswith(b"\r\n")
    assert max(map(len, whole.split(b"\r\n"))) <= 998
    assert b"\n" not in whole.replace(b"\r\n", b"")
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    assert text_of(message_from_bytes(whole, policy=default)).rstrip("\n") == plain.rstrip("\n")


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\u2028", "\x85", "\x0b", "\x0c", "\x1e", "\x00\n"])
@pytest.mark.parametrize("field", ["subject", "sender_name"])
def test_nobody_writes_a_header_through_a_field(field, end):
    given_text = f"hello{end}Bcc: eve@example.com{end}{end}<b>body</b>"
    mail = read(letter(**{field: given_text}))
    assert sorted(mail.keys()) == sorted(HEADERS)
    assert text_of(mail) == "t\n"


@given(subject=st.text(max_size=300), name=st.text(max_size=120), text=st.text(max_size=300))
def test_whatever_is_written_there_are_no_other_headers(subject, name, text):
    whole = octets(letter(subject, text, sender_name=name))
    assert whole.isascii()
    mail = message_from_bytes(whole, policy=default)
    assert sorted(mail.keys()) == sorted(HEADERS)
    assert [address.addr_spec for address in mail["From"].addresses] == [USUAL["sender"]]
    assert not {"\r", "\n", "\x00"} & set(mail["Subject"])


def test_an_address_that_would_be_a_header_is_no_letter():
    with pytest.raises(ValueError, match=r"(?i)invalid|linefeed"):
        octets(letter(to="alice@example.com\r\nBcc: eve@example.com"))


def test_a_message_id_follows_from_the_key():
    made = message_id("msg_1/x", "sms@example.com")
    assert made == message_id("msg_1/x", "other@example.com") != message_id("msg_2/x", "sms@example.com")
    assert made.startswith("<")
    assert made.endswith(".modembank@example.com>")
    assert message_id("a\r\nBcc: eve", "sms@example.com").isprintable()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Your table is ready.", "Your table is ready."),
        ("one\ntwo\n", "one two"),
        ("", ""),
        ("word " * 30, "word " * 11 + "word…"),
        ("x" * 100, "x" * 60 + "…"),
    ],
)
def test_a_subject_is_the_beginning_of_the_text(text, found):
    assert beginning(text) == found
    assert len(found) <= BEGINNING + 1


def test_a_line_is_one_line():
    assert one_line(" a\r\n\tb\u2029c\x00 \ud800 ") == "a b c ?"
