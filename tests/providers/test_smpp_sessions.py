"""Sessions: how they begin, what keeps them, how they end, and when they are tried again."""

import asyncio
import ssl

import pytest
import structlog
import uvloop

from fakes.brokers import free_port
from fakes.endpoints import certificate
from fakes.esmes import esme, until
from fakes.smsc import BIND_RECEIVER, BIND_TRANSCEIVER, BIND_TRANSMITTER, ENQUIRE_LINK, SUBMIT_SM, UNBIND, pdu, smsc
from modembank.modem.outcome import AttemptOutcome
from modembank.providers.adapters import smpp_keeper
from modembank.providers.adapters.smpp_keeper import Obstacle, Pause
from modembank.providers.model import BadCall, Call


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    for obstacle in Obstacle:
        monkeypatch.setitem(smpp_keeper.PAUSES, obstacle, Pause(0.01, 0.05))


@pytest.fixture
def _no_second_try(monkeypatch):
    for obstacle in Obstacle:
        monkeypatch.setitem(smpp_keeper.PAUSES, obstacle, Pause(600, 600))


@pytest.fixture
def tls(tmp_path):
    """A certificate for 127.0.0.1, as a server's context and as PEM."""
    cert, key = certificate(tmp_path, "smsc.test")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context, cert.read_text()


class TestBinding:
    """The first PDU and its answer."""

    async def test_it_says_who_it_is(self):
        more = {"system_type": "VMA", "address_range": "^49", "address_ton": 1, "address_npi": 1}
        async with smsc() as centre, esme(centre.port, **more):
            assert centre.binds == [
                {
                    "system_id": b"box",
                    "password": b"secret",
                    "system_type": b"VMA",
                    "version": 0x34,
                    "ton": 1,
                    "npi": 1,
                    "range": b"^49",
                    "command": BIND_TRANSCEIVER,
                }
            ]

    @pytest.mark.parametrize("status", [0x0D, 0x0E, 0x0F, 0x53])
    async def test_refused_credentials_are_told_and_not_hammered(self, status, monkeypatch):
        monkeypatch.setitem(smpp_keeper.PAUSES, Obstacle.CREDENTIALS, Pause(600, 600))
        async with smsc(bind_statuses=[status]) as centre, esme(centre.port, ready=False) as box:
            await until(lambda: "refuses the bind" in box.provider.not_ready())
            assert f"smpp_0x{status:02x}" in box.provider.not_ready()
            assert "next try within" in box.provider.not_ready()
            assert "secret" not in box.provider.not_ready()
            assert (await box.send()).outcome is AttemptOutcome.NOT_SENT
            assert len(centre.binds) == 1

    async def test_the_pauses_of_refused_credentials_are_the_longest(self):
        longest = max(_REAL.values(), key=lambda pause: (pause.first_s, pause.most_s))
        assert _REAL[Obstacle.CREDENTIALS] == longest
        assert longest.first_s >= 60

    async def test_a_new_password_is_tried_before_the_pause_is_over(self, monkeypatch):
        monkeypatch.setitem(smpp_keeper.PAUSES, Obstacle.CREDENTIALS, Pause(600, 600))
        monkeypatch.setattr(smpp_keeper, "SECRET_LOOK_S", 0.01)
        async with smsc() as centre, esme(centre.port, password="wrong", ready=False) as box:
            await until(lambda: "invalid password" in box.provider.not_ready())
            box.secrets["smsc"] = "secret"
            await box.ready()
            assert [bind["password"] for bind in centre.binds] == [b"wrong", b"secret"]

    async def test_a_secret_that_is_missing_is_told_and_found_when_it_comes(self, monkeypatch):
        monkeypatch.setitem(smpp_keeper.PAUSES, Obstacle.SECRET, Pause(600, 600))
        monkeypatch.setattr(smpp_keeper, "SECRET_LOOK_S", 0.01)
        async with smsc() as centre, esme(centre.port, password=None, ready=False) as box:
            await until(lambda: "there is no secret smsc" in box.provider.not_ready())
            assert centre.binds == []
            box.secrets["smsc"] = "secret"
            await box.ready()

    @pytest.mark.parametrize("password", ["x" * 65, "pässword", "new\nline"])
    @pytest.mark.usefixtures("_no_second_try")
    async def test_a_secret_that_is_no_password_is_told(self, password):
        async with smsc() as centre, esme(centre.port, password=password, ready=False) as box:
            await until(lambda: "is no password" in box.provider.not_ready())
            assert password not in box.provider.not_ready()
            assert centre.binds == []

    async def test_another_refusal_is_tried_again(self):
        async with smsc(bind_statuses=[0x08, 0x05, 0x58, 0x0411]) as centre, esme(centre.port):
            assert len(centre.binds) == 5

    @pytest.mark.usefixtures("_no_second_try")
    async def test_an_smsc_that_does_not_answer_the_bind(self):
        async with (
            smsc(mute={BIND_TRANSCEIVER}) as centre,
            esme(centre.port, connect_timeout_s=0.2, ready=False) as box,
        ):
            await until(lambda: "no answer to the bind within 0.2 s" in box.provider.not_ready())
            assert len(centre.binds) == 1

    @pytest.mark.usefixtures("_no_second_try")
    async def test_a_server_that_is_no_smsc(self):
        async def serve(reader, writer):
            writer.write(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")
            await reader.read()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server, esme(server.sockets[0].getsockname()[1], ready=False) as box:
            await until(lambda: "no SMPP" in box.provider.not_ready())

    @pytest.mark.usefixtures("_no_second_try")
    async def test_a_server_that_hangs_up(self):
        async def serve(reader, writer):
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server, esme(server.sockets[0].getsockname()[1], ready=False) as box:
            await until(lambda: "no answer to the bind" in box.provider.not_ready())

    async def test_what_comes_right_behind_the_answer_is_read(self):
        asked = []
        async with (
            smsc(after_bind=lambda session: asked.append(session.ask(ENQUIRE_LINK))) as centre,
            esme(centre.port),
        ):
            async with asyncio.timeout(5):
                assert await asked[0] == 0

    async def test_a_pair_has_a_transmitter_and_a_receiver(self):
        async with smsc() as centre, esme(centre.port, bind="pair") as box:
            await until(lambda: len(centre.binds) == 2)
            assert {bind["command"] for bind in centre.binds} == {BIND_TRANSMITTER, BIND_RECEIVER}
            await box.send()
            modes = {session.mode: session for session in centre.sessions}
            assert len(centre.submits) == 1
            modes[BIND_RECEIVER].cut()
            await until(lambda: len(centre.binds) == 3)
            assert box.provider.not_ready() is None, "the transmitter is still there"
            assert centre.binds[2]["command"] == BIND_RECEIVER

    async def test_a_transmitter_alone(self):
        async with smsc() as centre, esme(centre.port, bind="transmitter") as box:
            assert [bind["command"] for bind in centre.binds] == [BIND_TRANSMITTER]
            assert (await box.send()).outcome is AttemptOutcome.ACCEPTED

    async def test_a_receiver_sends_nothing(self):
        async with smsc() as centre, esme(centre.port, bind="receiver", ready=False) as box:
            await until(lambda: centre.binds)
            assert "receiver only" in box.provider.not_ready()
            assert (await box.send()).outcome is AttemptOutcome.NOT_SENT


class TestConnecting:
    """Names, addresses, encryption."""

    @pytest.mark.usefixtures("_no_second_try")
    async def test_nothing_listens(self):
        port = free_port()
        async with esme(port, ready=False) as box:
            await until(lambda: f"nothing listens at 127.0.0.1:{port}" in box.provider.not_ready())

    @pytest.mark.usefixtures("_no_second_try")
    async def test_a_name_that_nobody_has(self):
        async with esme(2775, host="smsc.invalid", ready=False) as box:
            await until(lambda: "smsc.invalid" in box.provider.not_ready() and "yet" not in box.provider.not_ready())
            assert "looked up" in box.provider.not_ready() or "no host named" in box.provider.not_ready()

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
    @pytest.mark.usefixtures("_no_second_try")
    async def test_the_box_itself_is_only_for_whom_an_admin_allowed_it(self, host):
        async with smsc() as centre, esme(centre.port, host=host, allow_private=False, ready=False) as box:
            await until(lambda: "only an admin can allow" in box.provider.not_ready())
            assert centre.sessions == []

    async def test_a_name_is_looked_up(self):
        async with smsc() as centre, esme(centre.port, host="localhost") as box:
            assert (await box.send()).outcome is AttemptOutcome.ACCEPTED

    async def test_an_smsc_that_comes_later_is_found(self):
        port = free_port()
        async with esme(port, ready=False) as box:
            await until(lambda: "nothing listens" in box.provider.not_ready())
            seen = []

            async def serve(reader, writer):
                seen.append(await reader.readexactly(16))
                writer.write(pdu(0x80000009, 0, 1, b"late\0"))
                await reader.read()
                writer.close()

            server = await asyncio.start_server(serve, "127.0.0.1", port)
            async with server:
                await box.ready()
                await box.stop()

    async def test_encrypted_with_a_certificate_of_ours(self, tls):
        context, pem = tls
        more = {"tls": True, "tls_ca_secret": "ca", "tls_name": "smsc.test", "secrets": {"ca": pem}}
        async with smsc(context) as centre, esme(centre.port, **more) as box:
            assert (await box.send()).outcome is AttemptOutcome.ACCEPTED
            centre.mute.add(SUBMIT_SM)
            sending = asyncio.create_task(box.send())
            await until(lambda: len(centre.submits) == 2)
            centre.session.cut()
            assert (await sending).outcome is AttemptOutcome.UNKNOWN

    @pytest.mark.parametrize("encrypted", [False, True])
    def test_on_the_event_loop_of_the_service(self, tls, encrypted):
        context, pem = tls
        more = (
            {"tls": True, "tls_ca_secret": "ca", "tls_name": "smsc.test", "secrets": {"ca": pem}} if encrypted else {}
        )

        async def story():
            async with smsc(context if encrypted else None) as centre, esme(centre.port, **more) as box:
                results = await asyncio.gather(*(box.send("x" * 5000) for _ in range(50)))
                assert {result.outcome for result in results} == {AttemptOutcome.ACCEPTED}
                await centre.session.enquire()
                await box.stop()
                assert centre.sessions[0].unbound

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(story())

    @pytest.mark.usefixtures("_no_second_try")
    async def test_a_certificate_that_nobody_trusts(self, tls):
        context, _ = tls
        async with smsc(context) as centre, esme(centre.port, tls=True, tls_name="smsc.test", ready=False) as box:
            await until(lambda: "is not trusted" in box.provider.not_ready())
            assert centre.binds == []

    @pytest.mark.usefixtures("_no_second_try")
    async def test_a_certificate_of_another_name(self, tls):
        context, pem = tls
        more = {"tls": True, "tls_ca_secret": "ca", "tls_name": "other.test", "secrets": {"ca": pem}}
        async with smsc(context) as centre, esme(centre.port, ready=False, **more) as box:
            await until(lambda: "is not trusted" in box.provider.not_ready())
            assert centre.binds == []

    @pytest.mark.parametrize(("pem", "why"), [(None, "there is no secret ca"), ("nonsense", "no PEM certificates")])
    @pytest.mark.usefixtures("_no_second_try")
    async def test_a_secret_without_certificates(self, pem, why):
        secrets = {} if pem is None else {"ca": pem}
        async with (
            smsc() as centre,
            esme(centre.port, tls=True, tls_ca_secret="ca", secrets=secrets, ready=False) as box,
        ):
            await until(lambda: why in box.provider.not_ready())
            assert centre.sessions == []

    @pytest.mark.usefixtures("_no_second_try")
    async def test_an_smsc_without_encryption_gets_no_password(self):
        async with smsc() as centre, esme(centre.port, tls=True, connect_timeout_s=0.5, ready=False) as box:
            await until(lambda: "yet" not in box.provider.not_ready())
            assert centre.binds == []


class TestKeeping:
    """Between the bind and the end."""

    async def test_a_silent_smsc_is_enquired_of(self):
        async with smsc() as centre, esme(centre.port, enquire_link_s=0.1):
            await until(lambda: centre.session.enquiries >= 3)

    async def test_one_that_no_longer_answers_is_left(self):
        async with (
            smsc(mute={ENQUIRE_LINK}) as centre,
            esme(centre.port, enquire_link_s=0.1, response_timeout_s=0.1) as box,
        ):
            await until(lambda: len(centre.binds) >= 2)
            centre.mute.clear()
            await box.ready()

    async def test_an_unknown_request_is_refused_and_nothing_else(self):
        async with smsc() as centre, esme(centre.port) as box:
            session = centre.session
            session.send(pdu(0x0000_0777, 0, 5, b"whatever"))
            session.send(pdu(0x0000_0003, 0, 6))
            session.send(pdu(0x0000_0102, 0, 7, b"\1\1123\0\1\1456\0"))  # alert_notification has no answer
            session.send(pdu(0x0000_000B, 0, 8, b"smsc\0secret\0"))  # nor has outbind
            await session.enquire()
            assert session.nacks == [3, 3]
            assert (await box.send()).outcome is AttemptOutcome.ACCEPTED

    async def test_answers_to_nothing_disturb_nothing(self):
        async with smsc() as centre, esme(centre.port) as box:
            session = centre.session
            for command in (0x80000000, 0x80000004, 0x80000005, 0x80000009, 0x80000015, 0x80000777):
                for sequence in (0, 1, 4711, 0xFFFFFFFF):
                    session.send(pdu(command, 0x45, sequence, b"\xff" * 7))
            await session.enquire()
            assert (await box.send()).outcome is AttemptOutcome.ACCEPTED

    async def test_a_session_of_many_requests_in_one_octet_pieces(self):
        async with smsc() as centre, esme(centre.port) as box:
            session = centre.session
            asked = [asyncio.get_running_loop().create_future() for _ in range(3)]
            for number, waiting in enumerate(asked, 900):
                session.answers[number] = waiting
                for octet in pdu(ENQUIRE_LINK, 0, number):
                    session.send(bytes((octet,)))
                    await session.writer.drain()
            async with asyncio.timeout(5):
                assert await asyncio.gather(*asked) == [0, 0, 0]
            assert box.provider.not_ready() is None

    async def test_an_smsc_that_only_writes_is_left(self, monkeypatch):
        from modembank.providers.adapters import smpp_link

        monkeypatch.setattr(smpp_link, "MOST_UNREAD", 10_000)
        async with smsc(narrow=True) as centre, esme(centre.port) as box:
            session = centre.session
            centre.deaf = True
            await session.enquire()
            link = box.narrowed()
            flood = pdu(ENQUIRE_LINK, 0, 5) * 4096
            while link.ended is None:
                session.send(flood)
                await asyncio.sleep(0.01)
            assert "reads nothing" in link.ended
            centre.deaf = False


class TestEnding:
    """Leave, and losses."""

    async def test_it_takes_leave(self):
        async with smsc() as centre, esme(centre.port) as box:
            session = centre.session
            await box.stop()
            assert session.unbound

    async def test_an_answer_that_is_due_still_counts_while_it_leaves(self):
        waiting = []
        async with (
            smsc(on_submit=lambda session, one: waiting.append((session, one)), mute={UNBIND}) as centre,
            esme(centre.port) as box,
        ):
            sending = asyncio.create_task(box.send())
            await until(lambda: waiting)
            stopping = asyncio.create_task(box.stop())
            await until(lambda: box.provider._link() is None)
            session, one = waiting[0]
            session.answer(one, 0, b"77")
            assert (await sending).reference == "77"
            await stopping

    async def test_an_smsc_that_does_not_let_go_is_left(self):
        async with smsc(mute={UNBIND, SUBMIT_SM}) as centre, esme(centre.port) as box:
            sending = asyncio.create_task(box.send())
            await until(lambda: centre.submits)
            async with asyncio.timeout(8):
                await box.stop()
            assert (await sending).outcome is AttemptOutcome.UNKNOWN
            assert (await box.send()).outcome is AttemptOutcome.NOT_SENT

    async def test_a_lost_session_comes_back(self):
        async with smsc() as centre, esme(centre.port) as box:
            for number in (2, 3):
                centre.session.cut()
                await until(lambda: len(centre.binds) == number)  # noqa: B023
                await box.ready()
            assert (await box.send()).outcome is AttemptOutcome.ACCEPTED

    async def test_an_unbind_is_answered_and_comes_back_later(self, monkeypatch):
        monkeypatch.setitem(smpp_keeper.PAUSES, Obstacle.LOST, Pause(600, 600))
        async with smsc() as centre, esme(centre.port) as box:
            session = centre.session
            async with asyncio.timeout(5):
                assert await session.ask(UNBIND) == 0
            await until(lambda: len(centre.binds) == 2)
            await box.ready()

    async def test_stopped_while_it_waits(self):
        async with esme(free_port(), ready=False) as box:
            await until(lambda: "nothing listens" in box.provider.not_ready())
            async with asyncio.timeout(2):
                await box.stop()

    async def test_stopped_while_it_binds(self):
        async with smsc(mute={BIND_TRANSCEIVER}) as centre, esme(centre.port, ready=False) as box:
            await until(lambda: centre.binds)
            async with asyncio.timeout(5):
                await box.stop()

    async def test_nothing_is_left_behind(self):
        before = asyncio.all_tasks()
        async with smsc() as centre, esme(centre.port) as box:
            await box.send()
            centre.session.cut()
            await until(lambda: len(centre.binds) == 2)
            await box.ready()
        assert asyncio.all_tasks() == before


class TestPauses:
    """When a session is tried again."""

    def test_they_double_with_jitter_up_to_a_limit(self):
        for obstacle, pause in _REAL.items():
            waits = [pause.first_s * 2**n for n in range(30)]
            for failures, plain in enumerate(waits):
                wait = _pause_with(pause, obstacle, failures)
                assert 0.75 * min(plain, pause.most_s) <= wait <= 1.25 * min(plain, pause.most_s)

    def test_not_all_boxes_come_at_once(self):
        pause = _REAL[Obstacle.LOST]
        assert len({_pause_with(pause, Obstacle.LOST, 3) for _ in range(50)}) > 40

    def test_an_endless_row_of_failures_overflows_nothing(self):
        assert _pause_with(Pause(60, 900), Obstacle.LOST, 10**9) <= 900 * 1.25

    async def test_only_the_first_failure_is_a_warning(self):
        with structlog.testing.capture_logs() as logs:
            async with esme(free_port(), ready=False) as box:
                await until(lambda: sum(log["event"] == "smpp_session_ended" for log in logs) >= 3)
                del box
        levels = [log["log_level"] for log in logs if log["event"] == "smpp_session_ended"]
        assert levels[0] == "warning"
        assert set(levels[1:]) == {"debug"}

    async def test_logs_have_neither_text_nor_secret_nor_number(self):
        with structlog.testing.capture_logs() as logs:
            async with smsc(mute={SUBMIT_SM}) as centre, esme(centre.port, response_timeout_s=0.1) as box:
                await box.send("meet me at noon")
                centre.session.send(pdu(5, 0, 9, b"nonsense about 491701234567"))
                await centre.session.enquire()
        shown = repr(logs)
        assert "smpp_bound" in shown
        for hidden in ("meet", "'secret'", "491701234567"):
            assert hidden not in shown


async def test_it_is_not_called_over_http():
    async with smsc() as centre, esme(centre.port) as box:
        with pytest.raises(BadCall, match="come over the session"):
            await box.provider.called(Call("POST", {}, {}, b"", "192.0.2.1"))


def _pause_with(pause, obstacle, failures):
    smpp_keeper.PAUSES[obstacle] = pause  # the fixture puts back what was there
    return smpp_keeper._pause(obstacle, failures)


_REAL = dict(smpp_keeper.PAUSES)
