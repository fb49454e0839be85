"""Every way in which an exchange over SMTP can end: what became of the mail, by servers that end it so."""

import asyncio

import pytest

from fakes.smtp_servers import close, cut, nothing, scripted
from modembank.modem.outcome import AttemptOutcome, CauseClass
from modembank.outgoing import Why
from modembank.outgoing.errors import EndpointFailed
from modembank.providers.adapters.letters import Letter
from modembank.providers.adapters.smtp_mailer import Mailer, Patience
from modembank.providers.adapters.smtp_outcomes import Answer, Stage, failed, refused, taken
from modembank.providers.adapters.smtp_talk import Server
from modembank.providers.model import SecretMissing

NOT_SENT, ACCEPTED, REJECTED, UNKNOWN = (
    AttemptOutcome.NOT_SENT,
    AttemptOutcome.ACCEPTED,
    AttemptOutcome.REJECTED,
    AttemptOutcome.UNKNOWN,
)
RECIPIENT, SIM, NETWORK, MODEM, AMBIGUOUS = (
    CauseClass.RECIPIENT,
    CauseClass.SIM,
    CauseClass.NETWORK,
    CauseClass.MODEM,
    CauseClass.AMBIGUOUS,
)
SECRET = "correct horse battery"
LETTER = Letter("<1@example.com>", "sms@example.com", "alice@example.com", "s", "the text of it", 0.0)
QUICK = Patience(0.5, 0.5)


class Gate:
    def __init__(self, opens=True):
        self.asked = 0
        self.opens = opens

    async def __call__(self):
        self.asked += 1
        return self.opens


async def sent(script, patience=QUICK, gate=None, **server):
    known = {"host": "127.0.0.1", "port": script.port, "security": "none", "allow_private": True}
    mailer = Mailer(Server(**known | server), lambda: SECRET, patience)
    try:
        return await mailer.send(LETTER, gate or Gate())
    finally:
        await mailer.close()


async def half_an_answer(line):
    await line.say("250-first line")
    line.writer.write(b"250 no end of")
    await line.writer.drain()
    await close(line)


async def no_smtp(line):
    await line.say("HTTP/1.1 400 Bad Request")


async def a_flood(line):
    line.writer.write(b"250-" + b"x" * 200_000)
    await line.writer.drain()
    await nothing(line)


async def reads_and_cuts(line):
    await line.reader.readexactly(10)
    await cut(line)


ROWS = [
    # step, what the server does there; outcome, class, code, stage
    ("connect", cut, NOT_SENT, MODEM, "smtp_closed", "greeting"),
    ("connect", close, NOT_SENT, MODEM, "smtp_closed", "greeting"),
    ("connect", nothing, NOT_SENT, MODEM, "smtp_timeout", "greeting"),
    ("connect", "554 5.3.2 no service here", NOT_SENT, MODEM, "smtp_554", "greeting"),
    ("connect", "421 4.3.2 too many", NOT_SENT, MODEM, "smtp_421", "greeting"),
    ("connect", no_smtp, NOT_SENT, MODEM, "smtp_protocol", "greeting"),
    ("connect", "SSH-2.0-OpenSSH_9.2", NOT_SENT, MODEM, "smtp_protocol", "greeting"),
    ("EHLO", "550 5.7.1 no", NOT_SENT, MODEM, "smtp_550", "greeting"),
    ("EHLO", "450 4.7.1 later", NOT_SENT, MODEM, "smtp_450", "greeting"),
    ("EHLO", cut, NOT_SENT, MODEM, "smtp_closed", "greeting"),
    ("EHLO", nothing, NOT_SENT, MODEM, "smtp_timeout", "greeting"),
    ("EHLO", a_flood, NOT_SENT, MODEM, "smtp_protocol", "greeting"),
    ("MAIL", "550 5.7.1 sender not owned by user", REJECTED, SIM, "smtp_550", "sender"),
    ("MAIL", "553 no such sender", REJECTED, SIM, "smtp_553", "sender"),
    ("MAIL", "530 5.7.0 Authentication required", REJECTED, SIM, "smtp_530", "sender"),
    ("MAIL", "552 5.3.4 too large", REJECTED, RECIPIENT, "smtp_552", "sender"),
    ("MAIL", "552 too large", REJECTED, RECIPIENT, "smtp_552", "sender"),
    ("MAIL", "452 4.3.1 no room", REJECTED, NETWORK, "smtp_452", "sender"),
    ("MAIL", "421 4.3.2 closing", REJECTED, MODEM, "smtp_421", "sender"),
    ("MAIL", "299 odd but well", ACCEPTED, None, None, "end"),
    ("MAIL", "354 what", NOT_SENT, MODEM, "smtp_protocol", "sender"),
    ("MAIL", "what?", NOT_SENT, MODEM, "smtp_protocol", "sender"),
    ("MAIL", cut, NOT_SENT, MODEM, "smtp_closed", "sender"),
    ("MAIL", nothing, NOT_SENT, MODEM, "smtp_timeout", "sender"),
    ("RCPT", "550 5.1.1 no such user", REJECTED, RECIPIENT, "smtp_550", "recipient"),
    ("RCPT", "550 no such user", REJECTED, RECIPIENT, "smtp_550", "recipient"),
    ("RCPT", "552 5.2.2 mailbox full", REJECTED, RECIPIENT, "smtp_552", "recipient"),
    ("RCPT", "550 5.4.1 no way to that domain", REJECTED, RECIPIENT, "smtp_550", "recipient"),
    ("RCPT", "550 5.1.8 your address is bad", REJECTED, SIM, "smtp_550", "recipient"),
    ("RCPT", "554 5.7.1 relay access denied", REJECTED, SIM, "smtp_554", "recipient"),
    ("RCPT", "530 log in first", REJECTED, SIM, "smtp_530", "recipient"),
    ("RCPT", "450 4.2.0 greylisted", REJECTED, NETWORK, "smtp_450", "recipient"),
    ("RCPT", "451 4.7.1 5.1.1 later", REJECTED, NETWORK, "smtp_451", "recipient"),
    ("RCPT", "421 4.7.0 enough", REJECTED, MODEM, "smtp_421", "recipient"),
    ("RCPT", cut, NOT_SENT, MODEM, "smtp_closed", "recipient"),
    ("RCPT", nothing, NOT_SENT, MODEM, "smtp_timeout", "recipient"),
    ("RCPT", half_an_answer, NOT_SENT, MODEM, "smtp_closed", "recipient"),
    ("DATA", "554 5.5.1 no valid recipients", REJECTED, SIM, "smtp_554", "data"),
    ("DATA", "554 no", REJECTED, RECIPIENT, "smtp_554", "data"),
    ("DATA", "451 4.3.0 later", REJECTED, NETWORK, "smtp_451", "data"),
    ("DATA", "421 4.3.2 closing", REJECTED, MODEM, "smtp_421", "data"),
    ("DATA", "250 OK", NOT_SENT, MODEM, "smtp_protocol", "data"),
    ("DATA", "go on!", NOT_SENT, MODEM, "smtp_protocol", "data"),
    ("DATA", cut, NOT_SENT, MODEM, "smtp_closed", "data"),
    ("DATA", nothing, NOT_SENT, MODEM, "smtp_timeout", "data"),
    ("end", "250 2.0.0 Ok: queued as 99", ACCEPTED, None, None, "end"),
    ("end", "250", ACCEPTED, None, None, "end"),
    ("end", "251 fine", ACCEPTED, None, None, "end"),
    ("end", "554 5.7.1 spam", REJECTED, SIM, "smtp_554", "end"),
    ("end", "554 5.6.0 cannot be read", REJECTED, RECIPIENT, "smtp_554", "end"),
    ("end", "552 5.3.4 too large", REJECTED, RECIPIENT, "smtp_552", "end"),
    ("end", "550 no", REJECTED, RECIPIENT, "smtp_550", "end"),
    ("end", "451 4.3.0 later", REJECTED, NETWORK, "smtp_451", "end"),
    ("end", "452 no room", REJECTED, NETWORK, "smtp_452", "end"),
    ("end", "421 4.3.2 closing", REJECTED, MODEM, "smtp_421", "end"),
    ("end", cut, UNKNOWN, AMBIGUOUS, "smtp_closed", "end"),
    ("end", close, UNKNOWN, AMBIGUOUS, "smtp_closed", "end"),
    ("end", nothing, UNKNOWN, AMBIGUOUS, "smtp_timeout", "end"),
    ("end", half_an_answer, UNKNOWN, AMBIGUOUS, "smtp_closed", "end"),
    ("end", "OK, mate", UNKNOWN, AMBIGUOUS, "smtp_protocol", "end"),
    ("end", "354 more?", UNKNOWN, AMBIGUOUS, "smtp_protocol", "end"),
    ("end", "999 nonsense", UNKNOWN, AMBIGUOUS, "smtp_protocol", "end"),
    ("end", a_flood, UNKNOWN, AMBIGUOUS, "smtp_protocol", "end"),
]


def name_of(value):
    return getattr(value, "__name__", str(value))


@pytest.mark.parametrize(("step", "does", "outcome", "klass", "code", "stage"), ROWS, ids=name_of)
async def test_each_end_of_an_exchange_has_its_outcome(step, does, outcome, klass, code, stage):
    gate = Gate()
    async with scripted(**{step: does}) as script:
        result = await sent(script, gate=gate)
    assert result.outcome is outcome, result
    assert (result.cause and result.cause.klass) is klass, result
    assert (result.cause and result.cause.code) == code, result
    assert result.evidence["stage"] == stage
    assert gate.asked == (1 if stage in {"data", "end"} else 0)
    assert len(script.bodies) == (1 if stage == "end" else 0)
    assert (result.reference == LETTER.id) is (outcome is ACCEPTED)
    told = repr(result)
    assert LETTER.text not in told
    assert all(isinstance(value, str | int | float | bool) for value in result.evidence.values())
    assert all(len(value) <= 500 for value in result.evidence.values() if isinstance(value, str))


async def test_a_mail_that_breaks_off_before_its_dot_was_not_sent():
    """What is not read has to be large: the rest is in the kernels' buffers already."""
    big = Letter(LETTER.id, LETTER.sender, LETTER.to, "s", "x" * 40 + "\n" + "words and words\n" * 600_000, 0.0)
    for does in (reads_and_cuts, nothing):
        async with scripted(body=does) as script:
            server = Server("127.0.0.1", script.port, "none", allow_private=True)
            mailer = Mailer(server, lambda: SECRET, Patience(2.0, 2.0))
            result = await mailer.send(big, Gate())
            await mailer.close()
        assert (result.outcome, result.evidence["stage"]) == (NOT_SENT, "body"), result
        assert result.cause.klass is MODEM


@pytest.mark.parametrize(
    ("answer", "klass", "code"),
    [
        ("535 5.7.8 bad credentials", SIM, "smtp_535"),
        ("534 5.7.9 use another mechanism", SIM, "smtp_534"),
        ("454 4.7.0 later", NETWORK, "smtp_454"),
        ("421 4.7.0 too many", MODEM, "smtp_closed"),  # the library hangs up, and tries the next way to log in
        (cut, MODEM, "smtp_closed"),
        (nothing, MODEM, "smtp_timeout"),
        ("hm", MODEM, "smtp_protocol"),
    ],
    ids=name_of,
)
async def test_a_login_that_fails_sends_nothing(answer, klass, code):
    async with scripted(AUTH=answer) as script:
        result = await sent(script, username="box")
    assert (result.outcome, result.cause.klass, result.cause.code) == (NOT_SENT, klass, code), result
    assert result.evidence["stage"] == "login"


async def test_a_server_without_a_login_is_told_apart():
    async with scripted(EHLO="250 mail.test") as script:
        result = await sent(script, username="box")
    assert (result.outcome, result.cause.klass, result.cause.code) == (NOT_SENT, SIM, "smtp_no_login")
    assert "leave the username out" in result.cause.text


async def test_a_password_is_in_no_evidence():
    import base64

    both = base64.b64encode(b"\0box\0" + SECRET.encode()).decode()
    for echo in (SECRET, both, base64.b64encode(SECRET.encode()).decode()):
        async with scripted(AUTH=f"535 5.7.8 wrong: {echo}") as script:
            result = await sent(script, username="box")
        assert echo not in repr(result)
        assert "wrong" in result.cause.text


async def test_without_its_secret_nothing_is_sent():
    def missing():
        raise SecretMissing(why="there is no secret mail: put it into the folder")

    async with scripted() as script:
        mailer = Mailer(Server("127.0.0.1", script.port, "none", "box", allow_private=True), missing, QUICK)
        result = await mailer.send(LETTER, Gate())
    assert (result.outcome, result.cause.code) == (NOT_SENT, "secret_missing")
    assert "put it into the folder" in result.cause.text


async def test_what_cannot_be_reached_is_not_sent():
    async with scripted() as script:
        port = script.port
    server = Server("127.0.0.1", port, "none", allow_private=True)
    result = await Mailer(server, lambda: "", QUICK).send(LETTER, Gate())
    assert (result.outcome, result.cause.klass, result.cause.code) == (NOT_SENT, MODEM, "smtp_refused")

    async def nowhere(host, port):
        raise EndpointFailed(Why.NAME, f"there is no host named {host}")

    named = Server("mail.invalid", 25, "none", allow_private=True)
    result = await Mailer(named, lambda: "", QUICK, resolve=nowhere).send(LETTER, Gate())
    assert (result.outcome, result.cause.klass, result.cause.code) == (NOT_SENT, MODEM, "smtp_name")


async def test_the_lan_is_for_servers_that_an_admin_allowed():
    async with scripted() as script:
        result = await sent(script, allow_private=False)
        assert script.begun == 0
    assert (result.outcome, result.cause.klass, result.cause.code) == (NOT_SENT, MODEM, "address_refused")
    assert "which only an admin can allow" in result.cause.text


async def test_a_closed_gate_sends_nothing_and_keeps_the_connection():
    async with scripted() as script:
        server = Server("127.0.0.1", script.port, "none", allow_private=True)
        mailer = Mailer(server, lambda: "", QUICK)
        result = await mailer.send(LETTER, Gate(False))
        assert (result.outcome, result.cause.code) == (NOT_SENT, "gate_closed")
        assert script.bodies == []
        assert (await mailer.send(LETTER, Gate())).outcome is ACCEPTED
        await mailer.close()
        assert script.begun == 1
    assert script.heard.count("RSET") == 1


@pytest.mark.parametrize("step", ["RCPT", "DATA", "end"])
async def test_cancelled_at_any_step_it_hangs_up(step):
    async with scripted(**{step: nothing}) as script:
        server = Server("127.0.0.1", script.port, "none", allow_private=True)
        mailer = Mailer(server, lambda: "", Patience(30, 30))
        sending = asyncio.create_task(mailer.send(LETTER, Gate()))
        while not (script.bodies if step == "end" else any(line.startswith(step) for line in script.heard)):
            await asyncio.sleep(0.01)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert mailer._idle == []


@pytest.mark.parametrize("stage", list(Stage))
def test_only_what_comes_after_the_dot_is_unknown(stage):
    result = failed(stage, Why.CLOSED, "gone")
    assert (result.outcome is UNKNOWN) is (stage is Stage.END)
    for code in (300, 354, 199, 600, -1):
        assert refused(stage, Answer(code, "")).outcome is result.outcome
    for code in (400, 421, 450, 500, 550, 599):
        expected = REJECTED if stage >= Stage.SENDER else NOT_SENT
        assert refused(stage, Answer(code, "no")).outcome is expected


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2.0.0 Ok: queued as 4F1A2B", "4F1A2B"),
        ("OK id=1rABcd-000123-Ab", "1rABcd-000123-Ab"),
        ("2.6.0 message received", None),
    ],
)
def test_the_id_in_a_queue_is_kept(text, found):
    result = taken(Answer(250, text), "<1@x>")
    assert result.evidence.get("queue_id") == found
    assert (result.outcome, result.reference) == (ACCEPTED, "<1@x>")


def test_answers_are_bounded_and_printable():
    result = refused(Stage.RECIPIENT, Answer(550, "a\x1b[31m\r\n\udcff\u2028\ue000" + "b" * 5000))
    assert len(result.evidence["answer"]) <= 300
    assert not set("\x1b\r\n\udcff\u2028") & set(result.evidence["answer"])
