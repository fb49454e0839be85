"""The mail server, asked by Python's own mail program and by hand: what becomes messages, and what is refused why."""

import asyncio
import base64
import smtplib
import ssl

import msgspec
import pytest
from structlog.testing import capture_logs

from fakes.mail_boxes import (
    DOMAIN,
    NUMBER,
    OTHER,
    SENDER,
    USER,
    Program,
    at,
    mail,
    mail_box,
    messages,
    raw,
    serving,
)
from fakes.smtp_servers import server_tls
from modembank.accounts import LOCAL_ADMIN, Role, Scope
from modembank.config import WebConfig
from modembank.mail_config import MailSenderConfig
from modembank.store import StoreClosed, StoreError, StoreFull
from modembank_mail import CannotTakeMail, MailServer

ANSWERS = {StoreFull: 452, StoreError: 451, StoreClosed: 451}


@pytest.fixture
async def made(tmp_path):
    """A box with a running server."""
    box, key = await mail_box(tmp_path)
    async with serving(box) as server:
        yield box, key, server
    await box.store.close()


def port(made):
    return made[2].address[1]


def program(made, **more):
    return Program(port(made), made[1], **more)


def code(caught):
    error = caught.value
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return next(iter(error.recipients.values()))
    return error.smtp_code, error.smtp_error


async def test_a_mail_becomes_a_message(made):
    assert await program(made).send(mail("the gate is open", Message_ID="<1@program>")) == [{}]
    (message,) = await messages(made[0])
    assert (message.to, message.text, message.status) == (NUMBER, "the gate is open", "queued")
    assert message.reference == "<1@program>"
    assert message.batch is None


async def test_a_mail_to_many_is_one_batch(made):
    await program(made).send(mail("to all"), to=[at(NUMBER), at(OTHER), at("00447900900123")])
    found = await messages(made[0])
    assert [message.to for message in found] == [NUMBER, OTHER]
    assert len({message.batch for message in found}) == 1
    assert found[0].batch is not None


async def test_a_repeated_mail_is_sent_once(made):
    first = mail("once", Message_ID="<once@program>")
    await program(made).send(first, first)
    await program(made).send(first)
    assert len(await messages(made[0])) == 1
    await program(made).send(first, to=[at(OTHER)])  # a server hands a mail over in parts
    await program(made).send(mail("once"), mail("once"))  # nobody knows whether these are the same
    assert len(await messages(made[0])) == 4
    with pytest.raises(smtplib.SMTPDataError) as caught:
        await program(made).send(mail("something else", Message_ID="<once@program>"))
    assert code(caught)[0] == 554
    assert b"came before with another text" in code(caught)[1]


async def test_the_answer_names_what_was_accepted(made):
    async with raw(port(made)) as by_hand:
        assert (await by_hand.hear()) == f"220 {DOMAIN} Modembank"
        assert (await by_hand.log_in(made[1])).startswith("235 ")
        assert await by_hand.say(f"MAIL FROM:<{SENDER}>") == "250 2.1.0 OK"
        assert await by_hand.say(f"RCPT TO:<{at(NUMBER)}>") == "250 2.1.5 OK"
        assert (await by_hand.say("DATA")).startswith("354 ")
        answer = await by_hand.say("Message-ID: <9@hand>\r\n\r\nby hand\r\n.")
        (message,) = await messages(made[0])
        assert answer == f"250 2.0.0 accepted as {message.id}"
        await by_hand.say(f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{at(NUMBER)}>", "DATA")
        answer = await by_hand.say("Message-ID: <9@hand>\r\n\r\nby hand\r\n.")
        assert answer == f"250 2.0.0 accepted as {message.id}, as before"
        assert (await by_hand.say("QUIT")).startswith("221 ")


# -- who may


async def test_nobody_sends_without_a_login(made):
    with pytest.raises(smtplib.SMTPSenderRefused) as caught:
        await Program(port(made), "").send(mail())
    assert code(caught)[0] == 530
    assert b"log in first" in code(caught)[1]
    async with raw(port(made)) as by_hand:
        await by_hand.hear()
        assert (await by_hand.say("EHLO raw.test", f"RCPT TO:<{at(NUMBER)}>")).startswith("503 ")
        assert (await by_hand.say("DATA")).startswith("503 ")
        assert (await by_hand.say("AUTH CRAM-MD5")).startswith("504 ")
    assert await messages(made[0]) == []


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
async def test_a_login_is_a_user_with_a_key_of_its_own(made, mechanism):
    box, key, _ = made
    _, others = await box.accounts.add_key(
        LOCAL_ADMIN, (await box.accounts.add_user(LOCAL_ADMIN, "b", Role.SENDER)).name
    )
    for name, secret in ((USER, "no key"), (USER, others), ("b", key), ("nobody", key), (USER, "")):
        assert (await log_in(made, mechanism, name, secret)).startswith("535 5.7.8"), name
    for name, secret in ((USER, key), (USER.upper(), key), ("b", others)):
        assert (await log_in(made, mechanism, name, secret)).startswith("235 "), name


def coded(text):
    return base64.b64encode(text.encode()).decode()


async def log_in(made, mechanism, name, secret):
    async with raw(port(made)) as by_hand:
        await by_hand.hear()
        await by_hand.say("EHLO raw.test")
        if mechanism == "PLAIN":
            return await by_hand.say("AUTH PLAIN", coded(f"\0{name}\0{secret}") or "=")
        return await by_hand.say("AUTH LOGIN", coded(name), coded(secret))


@pytest.mark.parametrize(
    ("lines", "answer"),
    [
        (["AUTH PLAIN !!!"], "501 5.5.2"),
        (["AUTH PLAIN", "!!!"], "501 5.5.2"),
        (["AUTH PLAIN", "*"], "501 5.7.0"),
        (["AUTH PLAIN ="], "501 5.5.2"),
        ([f"AUTH PLAIN {coded('only one')}"], "501 5.5.2"),
        (["AUTH LOGIN !!!"], "501 5.5.2"),
        (["AUTH LOGIN", "*"], "501 5.7.0"),
        ([f"AUTH LOGIN {coded(USER)}", "*"], "501 5.7.0"),
        (["AUTH"], "501 "),
    ],
)
async def test_a_login_that_is_none_is_told(made, lines, answer):
    async with raw(port(made)) as by_hand:
        await by_hand.hear()
        await by_hand.say("EHLO raw.test")
        assert (await by_hand.say(*lines)).startswith(answer)
        assert (await by_hand.say("NOOP")).startswith("250")


async def test_a_login_by_guessing_ends(made):
    async with raw(port(made)) as by_hand:
        await by_hand.hear()
        answers = [await by_hand.log_in("guess") for _ in range(6)]
        assert answers[-1].startswith("421 4.7.0")
        assert await by_hand.hear() == ""


@pytest.mark.parametrize(
    ("sender", "words"),
    [
        ("bob@elsewhere.example", b"may not send: it is none of the senders"),
        ("bob@clinic.example", b"it is a sender of another user"),
        ("alice@clinic.example.evil.example", b"none of the senders"),
    ],
)
async def test_only_senders_that_were_named_send(made, sender, words):
    with pytest.raises(smtplib.SMTPSenderRefused) as caught:
        await program(made).send(mail(), sender=sender)
    assert code(caught)[0] == 550
    assert words in code(caught)[1]


async def test_a_whole_domain_sends_for_its_user_but_for_those_named(tmp_path):
    box, key = await mail_box(tmp_path)
    admin = await box.key(Role.ADMIN)
    async with serving(box) as server:
        at_port = server.address[1]
        await Program(at_port, admin, user="admin").send(mail(), sender="Bob@CLINIC.example")
        await Program(at_port, key).send(mail(), sender="Alice@Clinic.Example")
        with pytest.raises(smtplib.SMTPSenderRefused):
            await Program(at_port, admin, user="admin").send(mail(), sender=SENDER)
    assert len(await messages(box)) == 2
    await box.store.close()


async def test_a_bounce_has_no_sender_and_becomes_nothing(made):
    with pytest.raises(smtplib.SMTPSenderRefused):
        await program(made).send(mail(), sender="")


async def test_a_key_that_may_not_send_does_not(made):
    _, key = await made[0].accounts.add_key(LOCAL_ADMIN, USER, scopes=[Scope.MESSAGES_READ])
    with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
        await Program(port(made), key).send(mail())
    assert code(caught)[0] == 550
    assert b"needs the scope messages:send" in code(caught)[1]


async def test_a_key_that_ends_meanwhile_ends_there(made):
    box, key, _ = made
    async with raw(port(made)) as by_hand:
        await by_hand.hear()
        await by_hand.log_in(key)
        await by_hand.say(f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{at(NUMBER)}>", "DATA")
        (own,) = [one for one in await box.accounts.keys(LOCAL_ADMIN) if one.user == USER]
        await box.accounts.revoke_key(LOCAL_ADMIN, own.public_id)
        assert (await by_hand.say("\r\ntext\r\n.")).startswith("535 5.7.8 the API key was revoked")
        assert (await by_hand.say(f"MAIL FROM:<{SENDER}>")).startswith("535 ")
    assert await messages(box) == []


async def test_a_key_for_other_networks_is_no_key_here(made):
    _, key = await made[0].accounts.add_key(LOCAL_ADMIN, USER, networks=["192.0.2.0/24"])
    with pytest.raises(smtplib.SMTPAuthenticationError) as caught:
        await Program(port(made), key).send(mail())
    assert b"not for use from this address" in code(caught)[1]


# -- to whom, and what


@pytest.mark.parametrize(
    ("to", "answer", "words"),
    [
        ("alice@clinic.example", 550, b"takes mail for numbers at sms.box alone"),
        ("+447900900123@sms.box.evil.example", 550, b"alone"),
        ("hello@sms.box", 553, b"has letters"),
        ("07900900123@sms.box", 553, b"is not international: write + and the country code, or set the box's region"),
        ("+4479@sms.box", 553, b"no possible number"),
        ("+449098790000@sms.box", 554, b"premium"),
    ],
)
async def test_a_recipient_that_gets_no_message_is_told_at_once(made, to, answer, words):
    with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
        await program(made).send(mail(), to=[to])
    assert code(caught)[0] == answer, code(caught)
    assert words in code(caught)[1], code(caught)


async def test_national_numbers_are_read_as_in_the_boxs_country(tmp_path):
    box, key = await mail_box(tmp_path)
    box.config = msgspec.structs.replace(box.config, box=msgspec.structs.replace(box.config.box, region="GB"))
    async with serving(box) as server:
        await Program(server.address[1], key).send(
            mail(), to=[at("07900900123"), at("00447900900124"), at("7900900125")]
        )
    assert [message.to for message in await messages(box)] == [NUMBER, OTHER, "+447900900125"]
    await box.store.close()


async def test_who_opted_out_is_refused_by_name_and_others_are_told(made):
    await made[0].optouts.add(LOCAL_ADMIN, NUMBER)
    (refused,) = await program(made).send(mail(), to=[at(NUMBER), at(OTHER)])
    assert refused[at(NUMBER)][0] == 550
    assert b"opted out" in refused[at(NUMBER)][1] or b"no more messages" in refused[at(NUMBER)][1]
    assert [message.to for message in await messages(made[0])] == [OTHER]


async def test_a_quota_is_told(made):
    await made[0].accounts.quotas.change(LOCAL_ADMIN, USER, per_day=1)
    await program(made).send(mail())
    with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
        await program(made).send(mail())
    assert code(caught)[0] == 552
    assert b"the quota of this user is 1 segments a day" in code(caught)[1]


@pytest.mark.parametrize(
    ("sent", "answer", "words"),
    [
        (mail(""), 554, b"the mail has no text, so there is nothing to send"),
        (mail("-- \nonly a signature"), 554, b"no text"),
        (mail("x" * 5000), 554, b"segments"),
        (mail("away", Auto_Submitted="auto-replied"), 554, b"automatic replies"),
        (b"Content-Type: multipart/report; boundary=x\r\n\r\n--x--\r\n", 554, b"reports of mail servers"),
    ],
)
async def test_a_mail_that_is_no_message_is_told_why(made, sent, answer, words):
    with pytest.raises(smtplib.SMTPDataError) as caught:
        await program(made).send(sent)
    assert code(caught)[0] == answer
    assert words in code(caught)[1], code(caught)
    assert await messages(made[0]) == []


async def test_a_mail_that_is_too_large_is_refused(made):
    with pytest.raises((smtplib.SMTPSenderRefused, smtplib.SMTPDataError)) as caught:
        await program(made).send(mail("words\n" * 60_000))
    assert code(caught)[0] == 552
    async with raw(port(made)) as by_hand:  # one that does not say its size
        await by_hand.hear()
        await by_hand.log_in(made[1])
        await by_hand.say(f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{at(NUMBER)}>", "DATA")
        assert (await by_hand.say("words\r\n" * 60_000 + ".")).startswith("552 ")
    assert await messages(made[0]) == []


async def test_more_recipients_than_a_mail_may_have_come_in_another(tmp_path):
    box, key = await mail_box(tmp_path, max_recipients=2)
    async with serving(box) as server:
        to = [at(f"+4479009001{n}") for n in range(20, 23)]
        (refused,) = await Program(server.address[1], key).send(mail(), to=to)
    assert list(refused) == [to[2]]
    assert refused[to[2]][0] == 452
    assert len(await messages(box)) == 2
    await box.store.close()


@pytest.mark.parametrize("kind", list(ANSWERS))
async def test_a_store_that_takes_nothing_is_a_later(made, kind):
    box = made[0]
    submit = box.messages.submit

    async def full(actor, request, key=None):
        if request.dry_run:
            return await submit(actor, request, key)
        raise kind(detail="disk")

    box.messages.submit = full
    with pytest.raises(smtplib.SMTPDataError) as caught:
        await program(made).send(mail())
    assert code(caught)[0] == ANSWERS[kind]
    box.messages.submit = submit
    await program(made).send(mail())
    assert len(await messages(box)) == 1


async def test_a_fault_of_the_box_is_a_later_and_tells_nothing(made):
    async def broken(*_):
        raise RuntimeError("the secret of the box")

    made[0].messages.submit = broken
    with capture_logs() as logs, pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
        await program(made).send(mail())
    assert code(caught) == (451, b"4.3.0 a fault of the box: try again later")
    assert [log["event"] for log in logs if log["log_level"] == "error"] == ["mail_fault"]


# -- encryption


async def encrypted(tmp_path, **changes):
    _, ca = server_tls(tmp_path / "tls", "localhost")
    files = {"tls_cert": ca, "tls_key": ca.replace(".pem", ".key")}
    box, key = await mail_box(tmp_path, **files | changes)
    trust = ssl.create_default_context(cafile=ca)
    trust.check_hostname = False
    return box, key, trust, files


async def test_with_a_certificate_it_encrypts(tmp_path):
    box, key, trust, _ = await encrypted(tmp_path)
    async with serving(box) as server:
        await Program(server.address[1], key, trust=trust).send(mail("hidden"))
        await Program(server.address[1], key).send(mail("on loopback"))
    assert [message.text for message in await messages(box)] == ["hidden", "on loopback"]
    await box.store.close()


@pytest.mark.parametrize("plain", [False, True])
async def test_on_the_lan_keys_come_encrypted_unless_that_is_waived(tmp_path, plain):
    box, key, trust, _ = await encrypted(tmp_path, listen="0.0.0.0:0", allow_plain=plain)
    async with serving(box) as server:
        async with raw(server.address[1]) as by_hand:
            await by_hand.hear()
            answer = await by_hand.log_in(key)
            assert answer.startswith("235 " if plain else "538 5.7.11")
            assert (await by_hand.say(f"MAIL FROM:<{SENDER}>")).startswith("250 " if plain else "530 ")
        await Program(server.address[1], key, trust=trust).send(mail("hidden"))
    assert len(await messages(box)) == 1
    await box.store.close()


async def test_a_login_before_the_encryption_counts_for_nothing(tmp_path):
    box, key, trust, _ = await encrypted(tmp_path)
    async with serving(box) as server, raw(server.address[1]) as by_hand:
        await by_hand.hear()
        assert (await by_hand.log_in(key)).startswith("235 ")
        by_hand.writer.write(b"STARTTLS\r\n")
        assert (await by_hand.hear()).startswith("220 ")
        await by_hand.writer.start_tls(trust, server_hostname="localhost")
        assert (await by_hand.say("EHLO raw.test", f"MAIL FROM:<{SENDER}>")).startswith("530 ")
        assert (await by_hand.log_in(key)).startswith("235 ")
    await box.store.close()


async def test_the_webs_certificate_serves_and_a_renewed_one_is_taken_up(tmp_path):
    box, key, trust, files = await encrypted(tmp_path)
    web = WebConfig(tls_cert=files["tls_cert"], tls_key=files["tls_key"])
    own = msgspec.structs.replace(box.config.mail_in, tls_cert="", tls_key="")
    box.config = msgspec.structs.replace(box.config, web=web, mail_in=own)
    async with serving(box) as server:
        await Program(server.address[1], key, trust=trust).send(mail())
        with capture_logs() as logs:
            (tmp_path / "tls" / "localhost.pem").write_text("none")
            server.take_certificate()
        assert [log["event"] for log in logs] == ["mail_certificate_not_taken"]
        await Program(server.address[1], key, trust=trust).send(mail())
        _, ca = server_tls(tmp_path / "tls", "localhost")
        server.take_certificate()
        renewed = ssl.create_default_context(cafile=ca)
        renewed.check_hostname = False
        await Program(server.address[1], key, trust=renewed).send(mail())
        with pytest.raises(ssl.SSLCertVerificationError):
            await Program(server.address[1], key, trust=trust).send(mail())
    await box.store.close()


# -- connections, and the end


async def test_connections_are_counted(tmp_path):
    box, _ = await mail_box(tmp_path, connections_of_one=2)
    async with serving(box) as server, raw(server.address[1]) as one, raw(server.address[1]) as two:
        assert (await one.hear()).startswith("220 ")
        assert (await two.hear()).startswith("220 ")
        async with raw(server.address[1]) as three:
            assert await three.hear() == "421 4.7.0 too many connections: try again later"
            assert await three.hear() == ""
        await one.say("QUIT")
        await one.hear()
        async with raw(server.address[1]) as four:
            assert (await four.hear()).startswith("220 ")
    await box.store.close()


async def test_who_breaks_off_leaves_nothing(made):
    async with raw(port(made)) as by_hand:
        await by_hand.hear()
        await by_hand.log_in(made[1])
        await by_hand.say(f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{at(NUMBER)}>", "DATA")
        by_hand.writer.write(b"\r\nhalf a mail\r\n")
        await by_hand.writer.drain()
    await program(made).send(mail("whole"))
    assert [message.text for message in await messages(made[0])] == ["whole"]


async def test_a_dot_alone_ends_a_mail_however_it_is_smuggled(made):
    """Only CRLF.CRLF does: another end would let a second mail hide in the first."""
    async with raw(port(made)) as by_hand:
        await by_hand.hear()
        await by_hand.log_in(made[1])
        await by_hand.say(f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{at(NUMBER)}>", "DATA")
        hidden = f"\n.\nMAIL FROM:<{SENDER}>\nRCPT TO:<{at(OTHER)}>\nDATA\n\nhidden\r\n.\r\n"
        by_hand.writer.write(f"\r\nfirst{hidden}".encode())
        assert (await by_hand.hear()).startswith("250 ")
    (message,) = await messages(made[0])
    assert message.to == NUMBER


async def test_at_the_end_a_mail_that_came_is_accepted_and_others_come_again(made):
    box, key, server = made
    submit, began, may_go_on = box.messages.submit, asyncio.Event(), asyncio.Event()

    async def slow(actor, request, key=None):
        if not request.dry_run:
            began.set()
            await may_go_on.wait()
        return await submit(actor, request, key)

    box.messages.submit = slow
    async with raw(port(made)) as idle, raw(port(made)) as busy:
        await idle.hear()
        await busy.hear()
        await busy.log_in(key)
        await busy.say(f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{at(NUMBER)}>", "DATA")
        busy.writer.write(b"\r\nthe last\r\n.\r\n")
        await began.wait()
        stopping = asyncio.create_task(server.stop(10.0))
        await asyncio.sleep(0.05)
        may_go_on.set()
        await stopping
        assert (await busy.hear()).startswith("250 2.0.0 accepted as msg_")
        assert await busy.hear() == await idle.hear() == "421 4.3.2 the box is stopping: try again later"
    assert [message.text for message in await messages(box)] == ["the last"]
    with pytest.raises(ConnectionRefusedError):
        await program(made).send(mail())


async def test_where_it_cannot_listen_the_box_says_so_and_tries_again(made, tmp_path):
    (tmp_path / "second").mkdir()
    box, key = await mail_box(tmp_path / "second", listen=f"127.0.0.1:{port(made)}")
    second = MailServer(box)
    await second.start(0.3)
    assert box.mail.server_trouble.startswith(f"cannot take mail on 127.0.0.1:{port(made)}: ")
    await made[2].stop(0.1)
    async with asyncio.timeout(20):
        await second._up.wait()
    assert box.mail.server_trouble == ""
    await Program(second.address[1], key).send(mail())
    await second.stop(0.1)
    await box.store.close()


async def test_a_certificate_that_cannot_be_used_is_told(tmp_path):
    box, _ = await mail_box(tmp_path, tls_cert=str(tmp_path / "none.pem"), tls_key=str(tmp_path / "none.key"))
    server = MailServer(box)
    await server.start(0.3)
    assert "none.pem cannot be used: No such file" in box.mail.server_trouble
    with pytest.raises(CannotTakeMail):
        await server._serve()
    await server.stop(0.1)
    await box.store.close()


async def test_no_number_no_text_and_no_key_is_logged(made):
    key = made[1]
    with capture_logs() as logs:
        await program(made).send(mail("a private matter", Message_ID="<9@program>"))
        with pytest.raises(smtplib.SMTPAuthenticationError):
            await Program(port(made), key + "x").send(mail())
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            await program(made).send(mail(), to=[at("+449098790000")])
    said = repr(logs)
    assert [entry["event"] for entry in logs] == [
        "mail_login", "mail_accepted", "mail_login_refused", "mail_login_refused", "mail_login", "mail_refused"
    ]  # fmt: skip  # the program tries each way to log in
    for secret in (NUMBER, "private", key, "449098790000"):
        assert secret not in said


async def test_what_is_taken_is_counted(made):
    same = mail(Message_ID="<1@program>")
    await program(made).send(same, same)
    with pytest.raises(smtplib.SMTPDataError):
        await program(made).send(mail(""))
    counter = made[0].metrics.mails_taken
    assert [counter.labels(result)._value.get() for result in ("accepted", "replayed", "refused")] == [1, 1, 1]


async def test_commands_that_are_none_lead_nowhere(made):
    async with raw(port(made)) as by_hand:
        await by_hand.hear()
        await by_hand.say("EHLO raw.test")
        assert (await by_hand.say(f"VRFY {NUMBER}")).startswith("252 2.5.2")
        assert (await by_hand.say("EXPN all")).startswith("502 ")
        assert (await by_hand.say("x" * 3000)).startswith("500 ")
        for _ in range(4):
            assert (await by_hand.say("GET / HTTP/1.1")).startswith("500 ")
        assert (await by_hand.say("GET / HTTP/1.1")).startswith("502 5.5.1")
        assert await by_hand.hear() == ""


def test_a_sender_of_a_domain_has_no_name():
    assert MailSenderConfig("@clinic.example", "x").address.startswith("@")
