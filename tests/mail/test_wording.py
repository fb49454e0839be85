"""What stands in a mail about an inbound message."""

from datetime import UTC, timedelta, timezone
from email import message_from_bytes
from email.policy import default

import pytest

from modembank.mail.model import Post, is_for, shown
from modembank.mail.wording import letter_of
from modembank.mail_config import MailForwardConfig, MailOutConfig
from modembank.providers.adapters.letters import octets
from modembank_mail.cutting import own_words

TOLD = {
    "id": "inb_0000000000007",
    "from": "+447700900123",
    "to": "+447900900001",
    "kind": "text",
    "text": "who left it open?",
    "missing": (),
    "sim": "8944110068256270054",
    "sent_at": None,
    "received_at": "2026-11-28T10:00:00.000Z",
}


def post(to="desk@example.com", **forward):
    entry = MailForwardConfig("desk", (to,), **forward)
    return Post(MailOutConfig("office", "mail.example.com", "sms@example.com", forward=(entry,)), entry, to)


def letter(label="front", domain="sms.box", zone=UTC, **told):
    return letter_of(post(), TOLD | told, label, box="box-1", domain=domain, zone=zone)


def test_a_mail_says_who_wrote_what_and_when():
    made = letter()
    assert made.text == (
        "who left it open?\n\n-- \n"
        "From +447700900123 to +447900900001 (SIM front), 2026-11-28 10:00:00+00:00, inb_0000000000007\n"
        "An answer to this mail goes to the number as SMS.\n"
    )
    assert (made.subject, made.reply_to) == ("SMS from +447700900123", "+447700900123@sms.box")
    assert (made.sender, made.to, made.sender_name) == ("sms@example.com", "desk@example.com", "box-1")
    mail = message_from_bytes(octets(made), policy=default)
    assert mail["Date"].datetime.timestamp() == 1_795_860_000
    assert mail["Reply-To"] == "+447700900123@sms.box"


def test_it_is_the_same_each_time_and_another_for_another_message_or_box():
    assert octets(letter()) == octets(letter())
    others = [
        letter(id="inb_0000000000008"),
        letter_of(post(), TOLD, "", box="box-2", domain=""),
    ]
    assert len({made.id for made in (letter(), *others)}) == 3
    elsewhere = letter_of(post("other@example.com"), TOLD, "", box="box-1", domain="")
    assert elsewhere.id == letter().id  # one message, told to two


def test_what_the_box_adds_is_cut_from_an_answer():
    quoted = "\n".join(f"> {line}" for line in letter().text.split("\n"))
    assert own_words(f"I did.\n\nOn Friday, the box wrote:\n{quoted}").strip() == "I did."
    assert own_words(letter().text).strip() == TOLD["text"]


@pytest.mark.parametrize(
    ("sender", "domain", "reply_to"),
    [
        ("+447700900123", "", ""),
        ("BANK", "sms.box", ""),
        ("85000", "sms.box", "85000@sms.box"),
        ("A@B\r\nBcc: x", "sms.box", ""),
    ],
)
def test_an_answer_goes_where_it_can(sender, domain, reply_to):
    made = letter(domain=domain, **{"from": sender})
    assert made.reply_to == reply_to
    assert ("An answer to this mail" in made.text) is bool(reply_to)
    assert "Bcc" not in message_from_bytes(octets(made), policy=default)


def test_what_is_no_text_and_what_never_came_is_said():
    assert "(This is no text but vcard: the box's inbox has it.)" in letter(kind="vcard", text="").text
    assert "who left it open?\n(Of a long message part 2, 3 never came.)" in letter(missing=(2, 3)).text


def test_the_time_is_the_boxs():
    assert "2026-11-28 11:00:00+01:00" in letter(zone=timezone(timedelta(hours=1))).text


def test_a_sim_may_be_nameless_and_numberless():
    assert "From +447700900123, 2026" in letter(label="", to=None).text


@pytest.mark.parametrize(
    ("forward", "iccid", "label", "told"),
    [
        ({}, None, "", True),
        ({}, "8944110068256270054", "x", True),
        ({"sims": ("8944110068256270054",)}, "8944110068256270054", "", True),
        ({"sims": ("8944110068256270054",)}, "8944110068256270055", "", False),
        ({"sims": ("8944110068256270054",)}, None, "", False),
        ({"pools": ("on-call",)}, "8944110068256270055", "on-call", True),
        ({"pools": ("on-call",)}, "8944110068256270055", "", False),
        ({"pools": ("on-call",), "sims": ("8944110068256270054",)}, "8944110068256270054", "x", True),
    ],
)
def test_a_forward_tells_of_its_sims(forward, iccid, label, told):
    assert is_for(post(**forward), iccid, label) is told


def test_a_message_that_was_deleted_is_not_told():
    assert shown(TOLD)
    assert not shown({"id": "inb_0000000000007"})
