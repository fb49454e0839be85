"""Answers to inbound messages: what they ask for, and what is refused of them."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.twiml.messaging_response import Message, MessagingResponse

from modembank.twilio.twiml import MOST_REPLIES, MOST_TEXT, BadTwiml, Reply, read_answer

XML = "text/xml; charset=utf-8"
TEXT = st.text(
    st.characters(min_codepoint=32, exclude_categories=["Cs", "Cn", "Co"], exclude_characters="\ufffe\uffff\x7f"),
    min_size=1,
    max_size=60,
).filter(lambda text: text.strip() == text and not any(0x7F <= ord(char) <= 0x9F for char in text))


def bodies(document: str, media: str = XML) -> list[str]:
    return [reply.body for reply in read_answer(media, document.encode())]


def test_nothing_asks_for_nothing():
    assert read_answer("", b"") == ()
    assert read_answer("application/json", b"  ") == ()
    assert bodies("<Response/>") == []
    assert bodies('<?xml version="1.0" encoding="UTF-8"?><Response></Response>') == []


def test_a_text_alone_is_a_reply():
    assert bodies("Thank you\n", "text/plain; charset=utf-8") == ["Thank you"]


def test_messages_in_their_order_old_and_new():
    assert bodies(
        "<Response><Message>a &amp; b</Message>\n<Sms>c</Sms><Message><Body>d</Body></Message></Response>"
    ) == [
        "a & b",
        "c",
        "d",
    ]


def test_who_it_goes_to_is_told():
    document = '<Response><Message to="+4479" from="shop" statusCallback="https://example.com/s">x</Message></Response>'
    assert read_answer(XML, document.encode()) == (Reply("x", "+4479", "shop", "https://example.com/s"),)


@given(st.lists(TEXT, min_size=1, max_size=4))
def test_what_the_official_library_writes_is_read(texts):
    response = MessagingResponse()
    for text in texts:
        response.message(text)
    assert bodies(str(response)) == texts


def test_a_body_of_the_official_library():
    message = Message()
    message.body("in a body")
    response = MessagingResponse()
    response.append(message)
    assert bodies(str(response)) == ["in a body"]


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ("<Response><Redirect>https://example.com</Redirect></Response>", "Redirect"),
        ("<Response><Message><Media>https://example.com/a.png</Media></Message></Response>", "Media"),
        ("<Response><Sms><Body>x</Body></Sms></Response>", "Body"),
        ("<Response><Message><Body><b>x</b></Body></Message></Response>", "'b'"),
        ("<Response>hello</Response>", "outside"),
        ("<html><body>404</body></html>", "html"),
        ("<Response><Message>x</Response>", "no XML"),
        ("<Response><Message>x</Message>", "no XML"),
        ('<Response><Message channel="x">x</Message></Response>', "channel"),
        ("{}", "no XML"),
        ("<Response>" + "<Message>x</Message>" * (MOST_REPLIES + 1) + "</Response>", "more than"),
        ("<Response><Message>" + "x" * (MOST_TEXT + 1) + "</Message></Response>", "longer"),
    ],
)
def test_what_the_box_does_not_do_is_named(document, why):
    with pytest.raises(BadTwiml, match=why):
        read_answer(XML, document.encode())


def test_other_media_and_encodings_are_refused():
    with pytest.raises(BadTwiml, match="application/json"):
        read_answer("application/json", b"{}")
    with pytest.raises(BadTwiml, match="UTF-8"):
        read_answer(XML, "<Response/>".encode("utf-16"))
    with pytest.raises(BadTwiml, match="longer"):
        read_answer("text/plain", b"x" * (MOST_TEXT + 1))


ENTITIES = (
    '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><Response><Message>&b;</Message></Response>'
)
OUTSIDE = '<!DOCTYPE r SYSTEM "http://192.0.2.1/x.dtd"><Response/>'
FILE = '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/hostname">]><Response><Message>&x;</Message></Response>'


@pytest.mark.parametrize("document", [ENTITIES, OUTSIDE, FILE])
def test_hostile_xml_is_refused_before_it_is_read(document):
    with pytest.raises(BadTwiml, match="document type"):
        read_answer(XML, document.encode())
    with pytest.raises(BadTwiml):
        read_answer(XML, b"<Response><Message>&x;</Message></Response>")


@given(st.text(max_size=80) | st.text("<>/&; ResponMagBdy=\"'![", max_size=80))
def test_whatever_comes_is_read_or_refused(text):
    replies = ()
    with suppress(BadTwiml):
        replies = read_answer(XML, text.encode("utf-8", "replace"))
    assert len(replies) <= MOST_REPLIES
