"""What of a mail is sent: of mails as programs write them, and of anything that anybody might write."""

from email.message import EmailMessage
from email.policy import SMTP

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modembank_mail.cutting import own_words, tidy, unflowed
from modembank_mail.markup import text_of_html
from modembank_mail.reading import Unusable, read_mail


def crlf(text):
    return text.replace("\n", "\r\n").encode()


def read(text, subject="body", cut_quotes=True):
    octets = text if isinstance(text, bytes) else crlf(text)
    return read_mail(octets, subject, cut_quotes=cut_quotes)


def made(text="t", subtype="plain", **headers):
    mail = EmailMessage()
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(text, subtype=subtype)
    return mail


def test_a_plain_mail_is_its_text():
    found = read("Subject: s\nMessage-ID: <1@x>\n\nThe gate\nis open\n")
    assert (found.text, found.message_id) == ("The gate\nis open", "<1@x>")


@pytest.mark.parametrize(
    ("rule", "text"), [("body", "is open"), ("subject", "The gate"), ("both", "The gate\nis open")]
)
def test_the_subject_counts_as_configured(rule, text):
    assert read("Subject: The gate\n\nis open\n", rule).text == text


@pytest.mark.parametrize(
    ("mail", "rule", "why"),
    [
        ("\n\n \n", "body", "has no text"),
        ("Subject: s\n\n", "body", "has no text"),
        ("\nbody", "subject", "has no subject"),
        ("Subject:  \n\n \n", "both", "neither a subject nor a text"),
        ("Content-Type: image/png\n\nabc", "body", "has no text"),
        ("", "body", "has no text"),
    ],
)
def test_a_mail_with_nothing_to_send_is_told_why(mail, rule, why):
    with pytest.raises(Unusable) as caught:
        read(mail, rule)
    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        ("=?utf-8?b?8J+OiQ==?= party", "🎉 party"),
        ("=?iso-8859-1?q?caf=E9?=\n =?iso-8859-1?q?_noir?=", "café noir"),
        ("plain\n folded", "plain folded"),
        ("=?no-such-charset?q?abc?=", "abc"),
    ],
)
def test_a_subject_in_other_letters_is_read(header, text):
    assert read(f"Subject: {header}\n\n", "subject").text == text


@pytest.mark.parametrize("cte", ["quoted-printable", "base64", "8bit"])
@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1", "cp1252"])
def test_a_text_comes_out_whatever_it_was_carried_in(cte, charset):
    mail = EmailMessage(policy=SMTP.clone(cte_type="8bit"))
    mail.set_content("Grüße aus Köln\n", charset=charset, cte=cte)
    assert read(mail.as_bytes()).text == "Grüße aus Köln"


def test_a_charset_that_is_none_stops_nothing():
    assert read('Content-Type: text/plain; charset="klingon"\n\nhello').text == "hello"
    assert read('Content-Type: text/plain; charset="base64"\n\nhello').text == "hello"
    assert read(b"Content-Type: text/plain; charset=utf-8\r\n\r\ncaf\xe9").text == "caf�"


def test_the_plain_part_counts_and_attachments_do_not():
    mail = made("the text")
    mail.add_alternative("<p>the markup</p>", subtype="html")
    mail.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="a.pdf")
    mail.add_attachment("a note", filename="note.txt")
    assert read(mail.as_bytes(policy=SMTP)).text == "the text"
    alone = EmailMessage()
    alone.add_attachment("a note", filename="note.txt")
    with pytest.raises(Unusable):
        read(alone.as_bytes(policy=SMTP))


def test_of_a_mail_with_markup_alone_the_words_count():
    mail = made("<html><head><title>t</title><style>p{}</style></head><p>The&nbsp;gate<br>is &lt;open&gt;</p>", "html")
    assert read(mail.as_bytes(policy=SMTP)).text == "The gate\nis <open>"


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<div>a</div><div>b</div>", "a\nb"),
        ("a<br/>b", "a\nb"),
        ("a<br><br>b", "a\n\nb"),
        ("<div>a <b>b</b> <i>c</i></div> <div>d</div>", "a b c\nd"),
        ("<ul><li>one<li>two</ul>", "one\ntwo"),
        ("<script>alert(1)</script>x<template>y</template>", "x"),
        ("a <b>bold</b>\n  word", "a bold word"),
        ("<p>mine</p><blockquote><p>theirs</p></blockquote>after", "mine\nafter"),
        ("no <unknown>tag</unknown>", "no tag"),
        ("<style>open for ever", ""),
        ("</p></blockquote></style>x", "x"),
        ("<!-- hidden <p> -->x<!DOCTYPE html><?xml y?>", "x"),
        ("a < b <3 <!-- open", "a < b <3"),
        ('<a href="https://x.example/?a=1&b=2">here</a>', "here"),
        ("&#x1F389;&amp;&copy;", "🎉&©"),
    ],
)
def test_markup_becomes_lines(markup, text):
    assert tidy(text_of_html(markup, quotes=False)) == text


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("mine\n-- \nAlice\nThe Clinic", "mine"),
        ("mine\n--\nAlice", "mine"),
        ("mine -- still mine\n--- not a signature", "mine -- still mine\n--- not a signature"),
        ("mine\n> theirs\n>> older", "mine"),
        ("mine\n\nOn Fri, 28 Nov 2026 at 10:00, Bob <bob@x.example> wrote:\n> theirs\n> more", "mine"),
        ("mine\n\nAm 28.11.2026 um 10:00 schrieb Bob:\n\n> theirs", "mine"),
        ("mine\n\nOn Friday, November 28, 2026 at 10:00:00, Bob\n<bob@x.example> wrote:\n> theirs", "mine"),
        ("> question\nanswer\n> question\nanswer", "answer\nanswer"),
        ("mine\n-----Original Message-----\nFrom: Bob", "mine"),
        ("mine\n----- Ursprüngliche Nachricht -----\nVon: Bob", "mine"),
        ("mine\n________________________________\nFrom: Bob", "mine"),
        ("Shopping:\nbread\nmilk", "Shopping:\nbread\nmilk"),
        ("a > b and b < c", "a > b and b < c"),
    ],
)
def test_what_others_wrote_is_left_out(text, own):
    assert tidy(own_words(text)) == own
    assert read(f"\n{text}").text == own


def test_it_can_be_kept():
    assert read("\nmine\n> theirs\n-- \nme", cut_quotes=False).text == "mine\n> theirs\n--\nme"


@pytest.mark.parametrize(
    ("flowed", "delsp", "text"),
    [
        ("a long \nline\n\nnext", False, "a long line\n\nnext"),
        ("a lo \nng line", True, "a long line"),
        (" >not a quote\n From here", False, ">not a quote\nFrom here"),
        ("> quoted \n> on\nmine", False, "> quoted \n> on\nmine"),
        ("mine \n-- \nme", False, "mine \n-- \nme"),
    ],
)
def test_flowed_lines_are_joined(flowed, delsp, text):
    assert unflowed(flowed, delsp=delsp) == text


def test_a_mail_that_flows_is_read_so():
    mail = b"Content-Type: text/plain; format=flowed; delsp=yes\r\n\r\nIt is a lo \r\nng text.\r\n-- \r\nme"
    assert read(mail).text == "It is a long text."


@pytest.mark.parametrize(
    "headers",
    [
        "Auto-Submitted: auto-replied",
        "Auto-Submitted: Auto-Replied; owner-email=x",
        "X-Autoreply: yes",
        "X-Autorespond: out",
        'Content-Type: multipart/report; report-type=delivery-status; boundary="x"',
    ],
)
def test_machines_that_answer_are_not_answered(headers):
    with pytest.raises(Unusable, match="do not become messages"):
        read(f"{headers}\n\nI am away")


@pytest.mark.parametrize("value", ["no", "auto-generated"])
def test_alerts_of_machines_are_welcome(value):
    assert read(f"Auto-Submitted: {value}\n\nthe disk is full").text == "the disk is full"


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("<a@b>", "<a@b>"),
        (" <a@b> ", "<a@b>"),
        ("<a b@c>", ""),
        ("", ""),
        ("<" + "x" * 2000 + ">", ""),
        ("<ü@b>", ""),
    ],
)
def test_an_id_is_one_or_none(header, found):
    assert read(f"Message-ID: {header}\n\nt").message_id == found


def test_parts_within_parts_have_an_end():
    deep = "".join(f"Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n" for n in range(3000))
    with pytest.raises(Unusable):
        read(deep.encode())
    wide = "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + "--b\r\nContent-Type: image/png\r\n\r\nx\r\n" * 5000
    with pytest.raises(Unusable):
        read((wide + "--b\r\n\r\ntext\r\n--b--").encode())


@pytest.mark.parametrize(
    "mean",
    [
        "-" * 200_000 + "x",
        "a:" * 100_000,
        "> " * 100_000,
        "<a " * 80_000,
        "<!" * 80_000,
        "<!--" * 40_000,
        "&" * 160_000,
        "<script>" * 20_000,
    ],
)
def test_what_takes_long_to_read_is_cut(mean):
    for kind in ("plain", "html"):
        try:
            found = read(f"Content-Type: text/{kind}\n\nx\n{mean}\n> q\n{mean}")
        except Unusable:
            continue
        assert len(found.text) <= 64 * 1024


@given(st.binary(max_size=400), st.sampled_from(["body", "subject", "both"]))
def test_anything_is_a_text_or_is_refused(octets, rule):
    try:
        found = read_mail(octets, rule, cut_quotes=True)
    except Unusable:
        return
    assert found.text == found.text.strip() != ""
    assert "\r" not in found.text


@given(st.text(alphabet=st.sampled_from("<>/=!-&#;abp \n'\""), max_size=200))
def test_any_markup_is_read(markup):
    assert "\r" not in text_of_html(markup, quotes=False)
