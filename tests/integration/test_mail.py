"""A whole box between SMS and mail: a mail is on the air, what comes is a mail, and its answer is on the air again."""

import asyncio
import smtplib
import ssl

import pytest

from fakes.boxes import emulated, running
from fakes.daemons import DaemonProcess
from fakes.mail_boxes import DOMAIN, NUMBER, Program, at, mail
from fakes.smtp_servers import real_server, server_tls
from modembank.accounts import LOCAL_ADMIN, Role
from modembank.mail_config import MailForwardConfig, MailInConfig, MailOutConfig, MailSenderConfig

CALLER = "+447911555456"
DESK = "desk@clinic.example"


def rules(port):
    taking = MailInConfig(listen="127.0.0.1:0", domain=DOMAIN, sender=(MailSenderConfig("@clinic.example", "tester"),))
    forward = MailForwardConfig("desk", (DESK,))
    telling = MailOutConfig("office", "127.0.0.1", "sms@clinic.example", port, "none", forward=(forward,))
    return {"rules": {"mail_in": taking, "mail_out": (telling,)}}


async def program(box):
    _, key = await box.app.accounts.add_key(LOCAL_ADMIN, "tester")
    return Program(box.daemon._mail.address[1], key, user="tester")


async def test_from_mail_to_sms_and_back_and_forth(tmp_path):
    async with emulated(tmp_path / "tty") as bank, real_server() as server:
        async with running(bank, tmp_path / "data", **rules(server.port)) as box:
            desk = await program(box)
            await desk.send(mail("Your table is ready", Message_ID="<1@desk>"), sender=DESK, to=[at(NUMBER)])
            (accepted,) = (await box.get("messages"))["items"]
            await box.until_status(accepted["id"], "sent", "delivered")
            assert box.seen() == [NUMBER]

            bank.network.inject(bank.cards[0].msisdn, "Which one?", from_=CALLER)
            (told,) = await box.until(lambda: server.took)
            assert (told.to, told.text.splitlines()[0]) == ([DESK], "Which one?")
            reply_to = told.message["Reply-To"]
            assert reply_to == at(CALLER)

            quoted = "".join(f"> {line}\n" for line in told.text.splitlines())
            answer = mail(f"The round one\n\nOn Friday, the box wrote:\n{quoted}", Message_ID="<2@desk>")
            await desk.send(answer, sender=DESK, to=[reply_to])
            await box.until(lambda: box.seen() == [NUMBER, CALLER])
            await box.until(lambda: [seen.text for seen in bank.network.ledger if seen.destination == CALLER])
            sent = next(item for item in (await box.get("messages"))["items"] if item["to"] == CALLER)
            assert sent["text"] == "The round one"
            assert (await box.metrics("modembank_mails_taken_total"))["accepted",] == 2
            assert (await box.metrics("modembank_mails_forwarded_total"))["taken",] == 1
        assert len(server.took) == 1


async def test_after_a_restart_nothing_is_told_twice_and_nothing_sent_twice(tmp_path):
    letter = mail("once", Message_ID="<once@desk>")
    async with emulated(tmp_path / "tty") as bank, real_server() as server:
        async with running(bank, tmp_path / "data", **rules(server.port)) as box:
            await (await program(box)).send(letter, sender=DESK)
            bank.network.inject(bank.cards[0].msisdn, "first", from_=CALLER)
            await box.until(lambda: server.took)
            await box.until(lambda: box.seen() == [NUMBER])
        bank.network.inject(bank.cards[0].msisdn, "while it is down", from_=CALLER)
        async with running(bank, tmp_path / "data", **rules(server.port)) as box:
            await (await program(box)).send(letter, sender=DESK)
            await box.until(lambda: len(server.took) == 2)
            assert box.seen() == [NUMBER]
    assert [took.text.splitlines()[0] for took in server.took] == ["first", "while it is down"]


async def test_a_mail_server_that_is_away_becomes_an_issue_and_its_remedy_helps(tmp_path):
    async with real_server() as server:
        port = server.port
    async with emulated(tmp_path / "tty") as bank:
        given = rules(port)
        async with running(bank, tmp_path / "data", **given) as box:
            bank.network.inject(bank.cards[0].msisdn, "anybody there?", from_=CALLER)
            await box.until(lambda: box.app.mail.all()[0].failing_since is not None)
            box.clock.ahead_s += 1000
            await box.app.health.look()
            (issue,) = [one for one in (await box.get("issues"))["items"] if one["kind"] == "mail_failing"]
            assert "nothing listens at 127.0.0.1" in issue["summary"]
            async with real_server(port=port) as server:
                done = await box.client.post(f"/api/v1/issues/{issue['id']}/remedies/retry_mail")
                assert done.status_code == 200, done.text
                await box.until(lambda: server.took)


async def test_a_box_that_stops_takes_no_more_mail(tmp_path):
    async with emulated(tmp_path / "tty") as bank, real_server() as server:
        async with running(bank, tmp_path / "data", **rules(server.port)) as box:
            desk = await program(box)
        with pytest.raises(ConnectionRefusedError):
            await desk.send(mail(), sender=DESK)


def test_a_daemon_as_in_service_takes_mails_encrypted(tmp_path):
    """With the event loop of service, whose transports are not those of the library."""
    _, ca = server_tls(tmp_path / "tls", "localhost")
    key_file = ca.replace(".pem", ".key")
    data = tmp_path / "box" / "data"
    config = (
        f'[box]\ndata_dir = "{data}"\n[web]\nlisten = "127.0.0.1:0"\n'
        f'[mail_in]\nlisten = "127.0.0.1:0"\ndomain = "{DOMAIN}"\ntls_cert = "{ca}"\ntls_key = "{key_file}"\n'
        '[[mail_in.sender]]\naddress = "@clinic.example"\nuser = "desk"\n[log]\nlevel = "info"\nformat = "json"\n'
    )
    trust = ssl.create_default_context(cafile=ca)
    trust.check_hostname = False
    with DaemonProcess(tmp_path / "box", config) as daemon:
        daemon.up()
        daemon.until(lambda: '"mail_server_listening"' in daemon.log.read_text())
        (listening,) = [line for line in daemon.log.read_text().splitlines() if '"mail_server_listening"' in line]
        port = int(listening.partition('"port": ')[2].partition(",")[0].strip("} "))
        assert daemon.run("user", "add", "desk", "--role", Role.SENDER.value).returncode == 0
        made = daemon.run("apikey", "add", "--user", "desk")
        key = made.stdout.strip()
        desk = Program(port, key, trust=trust)
        assert asyncio.run(desk.send(mail("hidden"), sender=DESK)) == [{}]
        with pytest.raises(smtplib.SMTPAuthenticationError):
            asyncio.run(Program(port, key[:-1], trust=trust).send(mail(), sender=DESK))
        assert daemon.signal(15) == 0
        logged = daemon.log.read_text()
        assert '"mail_accepted"' in logged
        assert '"mail_server_stopped"' in logged
        for unwanted in (NUMBER, key, "hidden", "library_log", "child_failed", "mail_fault", "Traceback"):
            assert unwanted not in logged, unwanted
