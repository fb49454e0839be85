"""The kind ``smtp`` with real servers: what is sent, encrypted and trusted; and what its settings refuse."""

import asyncio

import msgspec
import pytest
import uvloop

from fakes.smtp_servers import close, cut, real_server, scripted, server_tls
from modembank.clock import SystemClock
from modembank.errors import InvalidRequest
from modembank.modem.outcome import AttemptOutcome, CauseClass
from modembank.providers.adapters import smtp
from modembank.providers.adapters.letters import message_id
from modembank.providers.adapters.smtp_mailer import MOST_OF_ONE, Mailer, Patience
from modembank.providers.adapters.smtp_talk import Server
from modembank.providers.model import BadCall, Call, Channel, Kind, Means, Outbound, SecretMissing

PASSWORD = "correct horse battery"
TEXT = "Your table is ready.\n.\nGrüße"


class NoSink:
    async def receipt(self, receipt):
        raise AssertionError(receipt)

    async def arrival(self, arrival):
        raise AssertionError(arrival)


def secret(name):
    if name != "mail":
        raise SecretMissing(why=f"there is no secret {name}")
    return PASSWORD


def means(*, allow_private=True):
    return Means(SystemClock(), NoSink(), secret, allow_private)


def adapter(port, *, allow_private=True, **given):
    settings = {"host": "localhost", "port": port, "sender": "sms@example.com"} | given
    checked = msgspec.convert(settings, smtp.Settings)
    smtp.check(checked)
    return smtp.make(checked, means(allow_private=allow_private))


def message(key="msg_1", to="alice@example.com", **more):
    return Outbound(key, Channel.EMAIL, to, **{"text": TEXT} | more)


async def gate():
    return True


async def send(made, *messages):
    """Hand messages over while the adapter runs, as it is used."""
    running = asyncio.create_task(made.run())
    try:
        return [await made.send(one, gate) for one in messages or (message(),)]
    finally:
        running.cancel()
        await asyncio.wait([running])


def test_it_is_a_kind():
    kind: Kind = smtp
    assert kind.NAME == "smtp"
    assert kind.channel(msgspec.convert({"host": "h", "sender": "a@b.c"}, smtp.Settings)) is Channel.EMAIL
    fields = msgspec.json.schema(smtp.Settings)["$defs"]["Settings"]
    assert fields["additionalProperties"] is False
    assert all("description" in field for field in fields["properties"].values())
    assert "password" not in fields["properties"]


async def test_by_starttls_with_a_login_a_mail_arrives_whole(tmp_path):
    tls, ca = server_tls(tmp_path / "tls")
    async with real_server(tls, passwords={"box": PASSWORD}) as server:
        made = adapter(
            server.port, ca=ca, username="box", password_secret="mail", sender_name="Café", reply_to="desk@example.com"
        )
        assert made.not_ready() is None
        (result,) = await send(made, message(subject="The table"))
    (took,) = server.took
    assert (took.sender, took.to, took.user, took.encrypted) == ("sms@example.com", ["alice@example.com"], "box", True)
    mail = took.message
    assert mail["From"] == "Café <sms@example.com>"
    assert (mail["Subject"], mail["Reply-To"]) == ("The table", "desk@example.com")
    assert took.text.replace("\r\n", "\n") == TEXT + "\n"
    assert (result.outcome, result.reference) == (AttemptOutcome.ACCEPTED, mail["Message-ID"])
    assert result.evidence["queue_id"] == "4F1A2B"
    assert TEXT not in repr(result)
    assert PASSWORD not in repr(result)


async def test_by_tls_from_the_start(tmp_path):
    tls, ca = server_tls(tmp_path / "tls")
    async with real_server(tls, at_once=True) as server:
        (result,) = await send(adapter(server.port, ca=ca, security="tls"))
    assert result.outcome is AttemptOutcome.ACCEPTED
    assert server.took[0].encrypted


async def test_in_the_clear_only_where_an_admin_allowed_the_lan():
    async with real_server() as server:
        (result,) = await send(adapter(server.port, security="none"))
        assert result.outcome is AttemptOutcome.ACCEPTED
        never = adapter(server.port, security="none", allow_private=False)
        assert "an admin allows" in never.not_ready()
        (result,) = await send(never)
        assert (result.outcome, result.cause.code) == (AttemptOutcome.NOT_SENT, "not_ready")
    assert len(server.took) == 1


async def test_without_starttls_nothing_is_sent_in_the_clear():
    async with real_server(passwords={"box": PASSWORD}) as server:
        (result,) = await send(adapter(server.port, username="box", password_secret="mail"))
    assert (result.outcome, result.cause.code) == (AttemptOutcome.NOT_SENT, "smtp_no_starttls")
    assert result.cause.klass is CauseClass.MODEM
    assert server.took == []


@pytest.mark.parametrize("at_once", [False, True])
async def test_a_certificate_that_nobody_vouches_for_is_no_certificate(tmp_path, at_once):
    tls, _ = server_tls(tmp_path / "tls")
    security = "tls" if at_once else "starttls"
    async with real_server(tls, at_once=at_once) as server:
        (result,) = await send(adapter(server.port, security=security))
    assert (result.outcome, result.cause.code) == (AttemptOutcome.NOT_SENT, "smtp_tls")
    assert "is not trusted: self-signed certificate" in result.cause.text
    assert result.evidence["stage"] == "encryption"
    assert server.took == []


async def test_a_certificate_of_another_name_is_none(tmp_path):
    tls, ca = server_tls(tmp_path / "tls", "elsewhere.example.com")
    async with real_server(tls) as server:
        (result,) = await send(adapter(server.port, ca=ca))
    assert (result.outcome, result.cause.code) == (AttemptOutcome.NOT_SENT, "smtp_tls")
    assert "not valid for 'localhost'" in result.cause.text


async def test_a_missing_file_of_authorities_is_named(tmp_path):
    async with real_server() as server:
        (result,) = await send(adapter(server.port, ca=str(tmp_path / "none.pem")))
    assert (result.outcome, result.cause.code) == (AttemptOutcome.NOT_SENT, "smtp_tls")
    assert "none.pem cannot be read: No such file" in result.cause.text


async def test_a_server_that_breaks_off_the_handshake_has_nothing():
    async def junk(line):
        await line.say("220 go ahead")
        await line.say("this is no TLS" * 20)
        await close(line)

    offers = "250-mail.test\r\n250 STARTTLS"
    async with scripted(EHLO=offers, STARTTLS=junk) as server:
        (result,) = await send(adapter(server.port))
    assert (result.outcome, result.cause.klass) == (AttemptOutcome.NOT_SENT, CauseClass.MODEM)
    assert result.evidence["stage"] == "encryption"
    assert not [line for line in server.heard if line.startswith(("MAIL", "AUTH"))]


async def test_what_is_said_before_the_encryption_counts_for_nothing(tmp_path):
    """RFC 3207 6: an answer slipped in behind STARTTLS is not the encrypted server's."""

    async def slips_in(line):
        await line.say("220 go ahead\r\n250-evil\r\n250 AUTH PLAIN")

    async with scripted(EHLO="250-mail.test\r\n250 STARTTLS", STARTTLS=slips_in) as server:
        made = adapter(server.port, username="box", password_secret="mail")
        made._mailer._patience = Patience(1.0, 1.0)
        (result,) = await send(made)
    assert result.outcome is AttemptOutcome.NOT_SENT
    assert not [line for line in server.heard if line.startswith("AUTH")]


async def test_a_wrong_password_is_the_account(tmp_path):
    tls, ca = server_tls(tmp_path / "tls")
    async with real_server(tls, passwords={"box": "another"}) as server:
        (result,) = await send(adapter(server.port, ca=ca, username="box", password_secret="mail"))
    assert (result.outcome, result.cause.klass) == (AttemptOutcome.NOT_SENT, CauseClass.SIM)
    assert result.cause.code == "smtp_535"


async def test_the_gate_stands_before_the_mail():
    async def closed():
        assert server.took == []
        return False

    async with real_server() as server:
        made = adapter(server.port, security="none")
        result = await made.send(message(), closed)
        assert (result.outcome, result.cause.code) == (AttemptOutcome.NOT_SENT, "gate_closed")
        assert server.took == []
        assert (await send(made))[0].outcome is AttemptOutcome.ACCEPTED
        assert server.connections == 1


async def test_a_burst_shares_a_connection_and_a_refusal_stops_nobody():
    async with real_server(refuses={"bob@example.com": "550 5.1.1 no such user"}) as server:
        made = adapter(server.port, security="none")
        to = ["alice@example.com", "bob@example.com", "carol@example.com"]
        results = await send(made, *(message(f"m{n}", one) for n, one in enumerate(to)))
    assert [result.outcome for result in results] == [
        AttemptOutcome.ACCEPTED,
        AttemptOutcome.REJECTED,
        AttemptOutcome.ACCEPTED,
    ]
    assert results[1].cause.klass is CauseClass.RECIPIENT
    assert [took.to for took in server.took] == [["alice@example.com"], ["carol@example.com"]]
    assert {took.connection for took in server.took} == {1}


async def test_mails_at_once_have_a_connection_each():
    async with real_server() as server:
        made = adapter(server.port, security="none", connections=3)
        assert made.window == 3
        running = asyncio.create_task(made.run())
        results = await asyncio.gather(*(made.send(message(f"m{n}"), gate) for n in range(3)))
        running.cancel()
        await asyncio.wait([running])
    assert {result.outcome for result in results} == {AttemptOutcome.ACCEPTED}
    assert server.connections == 3
    assert len({took.message["Message-ID"] for took in server.took}) == 3


async def test_an_idle_connection_is_closed_and_one_that_was_closed_is_not_missed():
    async with real_server() as server:
        mailer = Mailer(Server("127.0.0.1", server.port, "none", allow_private=True), lambda: "", idle_s=0.05)
        made = adapter(server.port, security="none")
        made._mailer = mailer
        assert (await made.send(message("1"), gate)).outcome is AttemptOutcome.ACCEPTED
        while server.open:
            await asyncio.sleep(0.01)
        assert mailer._idle == []
        mailer._idle_s = 30
        assert (await made.send(message("2"), gate)).outcome is AttemptOutcome.ACCEPTED
        for transport in list(server.open):
            transport.abort()
        assert (await made.send(message("3"), gate)).outcome is AttemptOutcome.ACCEPTED
        server.away = True
        result = await made.send(message("4"), gate)
        assert (result.outcome, result.cause.code) == (AttemptOutcome.REJECTED, "smtp_421")
        await mailer.close()
    assert server.connections == 4
    assert len(server.took) == 3


async def test_a_connection_carries_so_many_mails():
    async with real_server() as server:
        made = adapter(server.port, security="none")
        await send(made, *(message(f"m{n}") for n in range(MOST_OF_ONE + 1)))
    assert server.connections == 2


async def test_a_repeated_message_is_recognised():
    async with real_server() as server:
        await send(adapter(server.port, security="none"), message("k"), message("k"), message("other"))
    first, again, other = (took.message["Message-ID"] for took in server.took)
    assert first == again == message_id("k", "sms@example.com") != other


@pytest.mark.parametrize(
    ("subject", "of_settings", "found"),
    [
        ("The message's own", "Of the settings", "The message's own"),
        (None, "Of the settings", "Of the settings"),
        ("", "", "Your table is ready. . Grüße"),
        ("Hi\r\nBcc: eve@example.com", "", "Hi Bcc: eve@example.com"),
    ],
)
async def test_a_mail_has_a_subject(subject, of_settings, found):
    async with real_server() as server:
        await send(adapter(server.port, security="none", subject=of_settings), message(subject=subject))
    (took,) = server.took
    assert took.message["Subject"] == found
    assert took.message["Bcc"] is None
    assert took.to == ["alice@example.com"]


async def test_an_address_that_is_none_is_not_tried():
    async with real_server() as server:
        (result,) = await send(adapter(server.port, security="none"), message(to="alice"))
    assert (result.outcome, result.cause.klass) == (AttemptOutcome.NOT_SENT, CauseClass.RECIPIENT)
    assert (result.cause.code, server.connections) == ("bad_address", 0)


async def test_a_missing_secret_is_told_before_anything_is_handed_over():
    made = adapter(1, username="box", password_secret="lost")
    assert made.not_ready() == "there is no secret lost"
    (result,) = await send(made)
    assert (result.outcome, result.cause.code) == (AttemptOutcome.NOT_SENT, "not_ready")


async def test_nobody_calls():
    with pytest.raises(BadCall, match="makes no calls"):
        await adapter(1).called(Call("POST", {}, {}, b"", "127.0.0.1"))


@pytest.mark.parametrize(
    ("given", "pointer", "words"),
    [
        ({"host": "mail.example.com:587"}, "/host", "and no port"),
        ({"host": "smtp://mail.example.com"}, "/host", "must be a name"),
        ({"host": "a b"}, "/host", "must be a name"),
        ({"sender": "the box"}, "/sender", "has no @"),
        ({"sender": "a@b.c\r\nBcc: x"}, "/sender", "no label"),
        ({"reply_to": "a@localhost"}, "/reply_to", "no domain"),
        ({"sender_name": "a\nb"}, "/sender_name", "one line"),
        ({"subject": "a\r\nBcc: x"}, "/subject", "one line"),
        ({"username": "u"}, "/password_secret", "needed with a username"),
        ({"password_secret": "mail"}, "/username", "needed with a password_secret"),
        ({"username": "a\nb", "password_secret": "mail"}, "/username", "printable"),
        ({"security": "none", "username": "u", "password_secret": "mail"}, "/security", "read the password"),
        ({"security": "none", "ca": "x.pem"}, "/ca", "checked with"),
    ],
)
def test_settings_that_cannot_work_are_refused_with_their_field(given, pointer, words):
    settings = msgspec.convert({"host": "mail.example.com", "sender": "a@b.c"} | given, smtp.Settings)
    with pytest.raises(InvalidRequest) as caught:
        smtp.check(settings)
    assert caught.value.problems[0].pointer == pointer
    assert words in caught.value.problems[0].detail


@pytest.mark.parametrize("host", ["mail.example.com", "10.0.0.1", "fd00::1", "mailhost", "localhost", "2001:db8::1"])
def test_hosts_that_are_some(host):
    smtp.check(msgspec.convert({"host": host, "sender": "a@b.c"}, smtp.Settings))


def test_the_port_follows_from_the_security():
    for security, port in (("starttls", 587), ("tls", 465), ("none", 25)):
        settings = msgspec.convert({"host": "h", "sender": "a@b.c", "security": security}, smtp.Settings)
        assert smtp.make(settings, means())._mailer._server.port == port


@pytest.mark.parametrize("security", ["starttls", "tls", "none"])
def test_in_the_event_loop_of_service_it_is_the_same(tmp_path, security):
    """Its transports are not those of the library."""

    async def talk():
        tls, ca = (None, "") if security == "none" else server_tls(tmp_path / "tls")
        async with real_server(tls, at_once=security == "tls") as server:
            made = adapter(server.port, ca=ca, security=security)
            results = await send(made, message("1"), message("2"))
        assert [result.outcome for result in results] == [AttemptOutcome.ACCEPTED] * 2, results
        assert server.connections == 1
        assert [took.text.replace("\r\n", "\n") for took in server.took] == [TEXT + "\n"] * 2
        (result,) = await send(made)
        assert (result.outcome, result.cause.code) == (AttemptOutcome.NOT_SENT, "smtp_refused")
        async with scripted(end=cut) as script:
            (result,) = await send(adapter(script.port, security="none"))
        assert result.outcome is AttemptOutcome.UNKNOWN
        async with scripted(RCPT=cut) as script:
            (result,) = await send(adapter(script.port, security="none"))
        assert (result.outcome, result.cause.code) == (AttemptOutcome.NOT_SENT, "smtp_closed")

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(talk())
