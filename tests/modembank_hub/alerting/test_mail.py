"""Mails handed to a real conversation: encryption, logins, refusals, and servers that do not answer."""

from __future__ import annotations

import ssl

import pytest

from fakes.endpoints import certificate
from fakes.mail_servers import mail_server
from modembank_hub.alerting import mail
from modembank_hub.alerting.mail import Letter, Mailer
from modembank_hub.config import MailConfig

LETTER = Letter("ltr_1", ("duty@example.com", "good@example.com"), "Ünë", "Zürich läuft.\n.\nEnd\n", 1_800_000_000.0)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return certificate(tmp_path_factory.mktemp("mail"), "localhost")


@pytest.fixture
def tls(files):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    return context


def to(server, **more):
    return Mailer(MailConfig(host="localhost", port=server.port, sender="hub@example.com", **more))


async def test_a_mail_is_handed_over_encrypted_and_logged_in(files, tls, tmp_path):
    (secret := tmp_path / "password").write_text("open sesame\n")
    secret.chmod(0o600)
    async with mail_server(tls) as server:
        given = to(server, tls_ca=str(files[0]), user="hub", password_file=str(secret))
        assert await given.send(LETTER) is None
    (sent,) = server.mails
    assert (sent["From"], sent["To"]) == ("hub@example.com", "duty@example.com, good@example.com")
    assert (sent["Message-ID"], sent["Auto-Submitted"]) == ("<ltr_1@example.com>", "auto-generated")
    assert sent.get_payload(decode=True).decode().replace("\r\n", "\n").strip() == LETTER.text.strip()
    assert server.encrypted == [True]
    assert server.recipients == [["duty@example.com", "good@example.com"]]
    assert len(server.logins) == 1


async def test_tls_from_the_first_octet(files, tls):
    async with mail_server(tls, at_once=True) as server:
        assert await to(server, security="tls", tls_ca=str(files[0])).send(LETTER) is None
    assert server.encrypted == [True]


async def test_a_server_that_is_not_trusted_gets_nothing(tls):
    async with mail_server(tls) as server:
        why = await to(server).send(LETTER)
    assert "certificate verify failed" in why
    assert server.mails == []


async def test_a_server_without_encryption_gets_nothing_unless_that_is_wanted():
    async with mail_server() as server:
        assert "STARTTLS" in await to(server).send(LETTER)
        assert await to(server, security="none").send(LETTER) is None
    assert len(server.mails) == 1


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"MAIL": "451 try later"}, "451 try later"),
        ({"DATA": "554 no"}, "554 no"),
        ({"EHLO": "421 away", "HELO": "421 away"}, "421 away"),
    ],
)
async def test_what_a_server_says_is_told(answers, words):
    async with mail_server(answers=answers) as server:
        assert words in await to(server, security="none").send(LETTER)


async def test_a_recipient_who_is_refused_does_not_keep_it_from_the_others():
    async with mail_server(answers={"RCPT": "550 nobody here"}) as server:
        assert await to(server, security="none").send(LETTER) is None
        assert server.recipients == [["good@example.com"]]
        alone = Letter("ltr_2", ("duty@example.com",), "s", "t", 1.0)
        assert "550 nobody here" in await to(server, security="none").send(alone)


async def test_a_server_that_does_not_answer_is_left(monkeypatch):
    monkeypatch.setattr(mail, "WITHIN_S", 0.3)
    async with mail_server(hangs_at="MAIL") as server:
        assert "did not take it within 0.3 seconds" in await to(server, security="none").send(LETTER)


async def test_what_is_wrong_here_is_said(tmp_path):
    assert "no mail server" in await Mailer(MailConfig()).send(LETTER)
    (secret := tmp_path / "password").write_text("x")
    secret.chmod(0o644)
    nowhere = MailConfig(host="localhost", port=1, sender="a@b.c", user="u", password_file=str(secret))
    assert "chmod 600" in await Mailer(nowhere).send(LETTER)
    gone = MailConfig(host="localhost", port=1, sender="a@b.c", security="none")
    assert "refused" in await Mailer(gone).send(LETTER)
