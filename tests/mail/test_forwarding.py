"""Inbound messages told by mail: in order, at least once, over restarts and servers that are away or refuse."""

import asyncio
import contextlib

import msgspec
import pytest

from fakes.smtp_servers import real_server, scripted, server_tls
from fakes.web_boxes import make_box
from modembank.accounts import LOCAL_ADMIN
from modembank.eventlog import KEEP_S, Entry, append
from modembank.mail import Mail, notes
from modembank.mail.courier import BEHIND, judged
from modembank.mail.model import MOST_ASIDE, Note
from modembank.mail_config import MailForwardConfig, MailInConfig, MailOutConfig
from modembank.messages import HandedIn, IdempotencyKey
from modembank.modem.outcome import AttemptOutcome, CauseClass
from modembank.outgoing import Why, circuit
from modembank.outgoing.circuit import Verdict
from modembank.providers.adapters.smtp_outcomes import Answer, Stage, failed, not_sent, refused, taken
from modembank.sim import SimChange, SimIdentity

OWN, OTHERS = "8944110068256270054", "8944110068256270062"
DESK, DUTY = "desk@example.com", "duty@example.com"


@pytest.fixture(autouse=True)
def _brisk(monkeypatch):
    """Rest for moments, where a server is left alone for seconds."""
    monkeypatch.setattr(circuit, "FIRST_WAIT_S", 0.02)
    monkeypatch.setattr(circuit, "MOST_WAIT_S", 0.05)
    monkeypatch.setattr(circuit, "FIRST_RETRY_S", 0.05)
    monkeypatch.setattr(circuit, "MOST_RETRY_S", 0.05)


class Site:
    """A box that is told of by mail, and what comes in."""

    def __init__(self, box):
        self.box = box
        self.came = 0
        self.mail = None

    def configure(self, port, *forwards, **more):
        forwards = forwards or (MailForwardConfig("desk", (DESK,)),)
        server = MailOutConfig("office", "127.0.0.1", "sms@example.com", port, "none", forward=forwards)
        changes = {"mail_out": (msgspec.structs.replace(server, **more),)}
        self.box.config = msgspec.structs.replace(self.box.config, **changes)

    def made(self):
        box = self.box
        return Mail(box.config, box.store, box.events, box.clock, box.metrics, sims=box.sims)

    @contextlib.asynccontextmanager
    async def forwarding(self):
        self.mail = self.made()
        await self.mail.start()
        try:
            yield self.mail
        finally:
            await self.mail.stop()

    async def come(self, *texts, sender="+447700900123", to="+447900900001"):
        for text in texts:
            self.came += 1
            handed = HandedIn(sender, to, text)
            await self.box.taking.take(LOCAL_ADMIN, handed, IdempotencyKey.of(f"k{self.came}", text.encode()))
            self.box.events.wake()

    async def note(self, name="desk:" + DESK):
        return await self.box.store.read(lambda conn: notes.read(conn, name))


@pytest.fixture
async def site(tmp_path):
    box = await make_box(tmp_path)
    made = Site(box)
    yield made
    await box.store.close()


async def until(holds):
    async with asyncio.timeout(20):
        while not (found := holds()):
            await asyncio.sleep(0.01)
    return found


def texts(server, to=None):
    """The first lines of the mails that were taken, in order."""
    return [took.text.splitlines()[0] for took in server.took if to is None or took.to == [to]]


async def test_what_comes_is_told_in_order_and_what_came_before_is_not(site):
    async with real_server() as server:
        site.configure(server.port)
        await site.come("before")
        async with site.forwarding():
            await site.come("one", "two", "three")
            await until(lambda: len(server.took) == 3)
        assert texts(server) == ["one", "two", "three"]
        assert len({took.message["Message-ID"] for took in server.took}) == 3
        async with site.forwarding():
            await site.come("four")
            await until(lambda: len(server.took) == 4)
    assert texts(server)[3:] == ["four"]
    (view,) = site.mail.all()
    assert (view.delivered, view.failing_since, view.to, view.server) == (4, None, DESK, "127.0.0.1")
    assert site.box.metrics.mails_forwarded.labels("taken")._value.get() == 4


async def test_what_comes_while_the_box_is_down_is_told_afterwards(site):
    async with real_server() as server:
        site.configure(server.port)
        async with site.forwarding():
            pass
        await site.come("meanwhile")
        async with site.forwarding():
            await until(lambda: texts(server) == ["meanwhile"])


async def test_an_answer_by_mail_has_somewhere_to_go(site):
    async with real_server() as server:
        site.configure(server.port)
        reply = MailInConfig(listen="127.0.0.1:0", domain="sms.box")
        site.box.config = msgspec.structs.replace(site.box.config, mail_in=reply)
        async with site.forwarding():
            await site.come("hello?")
            await until(lambda: server.took)
    assert server.took[0].message["Reply-To"] == "+447700900123@sms.box"


async def test_each_address_has_a_mail_and_a_place_of_its_own(site):
    async with real_server(refuses={DUTY: "550 5.1.1 no such user"}) as server:
        site.configure(server.port, MailForwardConfig("desk", (DESK, DUTY, DESK.upper())))
        async with site.forwarding() as mail:
            await site.come("one", "two")
            await until(lambda: texts(server, DESK) == ["one", "two"])
            await until(lambda: mail.all()[1].failing_since is not None)
            assert "550 5.1.1 no such user" in mail.all()[1].last_error
            assert mail.all()[0].failing_since is None
            server.refuses.clear()
            await until(lambda: texts(server, DUTY) == ["one", "two"])
            await until(lambda: mail.all()[1].failing_since is None)
    assert sorted(view.to for view in mail.all()) == [DESK, DUTY]


async def test_forwards_tell_of_their_sims_and_pools_alone(site):
    sims = site.box.sims
    other = await sims.identify(SimIdentity(iccid=OTHERS, msisdn="+447900900002"), "slot-04")
    await sims.change(other.id, SimChange(label="on-call"))
    by_sim = MailForwardConfig("by-sim", (DESK,), sims=(OWN,))
    by_pool = MailForwardConfig("by-pool", (DUTY,), pools=("on-call",))
    async with real_server() as server:
        site.configure(server.port, by_sim, by_pool)
        async with site.forwarding():
            await site.come("to the first", to="+447900900001")
            await site.come("to the second", to="+447900900002")
            await site.come("to nobody", to="+447900900003")
            await site.come("again", to="+447900900001")
            await until(lambda: len(server.took) == 3)
    assert texts(server, DESK) == ["to the first", "again"]
    assert texts(server, DUTY) == ["to the second"]
    assert "(SIM on-call)" in next(took.text for took in server.took if took.to == [DUTY])


async def test_a_server_that_is_away_misses_nothing(site):
    async with real_server() as server:
        port = server.port
    site.configure(port)
    async with site.forwarding() as mail:
        await site.come("one", "two")
        await until(lambda: mail.all()[0].failing_since is not None)
        assert "nothing listens at 127.0.0.1" in mail.all()[0].last_error
        async with real_server(port=port) as server:
            await until(lambda: texts(server) == ["one", "two"])
            await until(lambda: mail.all()[0].failing_since is None)


async def test_that_it_fails_is_known_after_a_restart(site):
    async with real_server() as server:
        port = server.port
    site.configure(port)
    async with site.forwarding() as mail:
        await site.come("one")
        await until(lambda: mail.all()[0].failing_since is not None)
        since = mail.all()[0].failing_since
    async with site.forwarding() as mail:
        await until(lambda: mail.all()[0].failing_since == since)


async def test_a_mail_that_is_refused_for_itself_holds_up_nobody(site):
    async with real_server(content={"spam": "554 5.7.1 looks like spam"}) as server:
        site.configure(server.port)
        async with site.forwarding() as mail:
            await site.come("one", "spam spam", "two")
            await until(lambda: texts(server) == ["one", "two"])
            await until(lambda: mail.all()[0].aside == 1)
            assert mail.all()[0].failing_since is None
        assert (await site.note()).aside[0].tries >= 1
        server.content.clear()
        async with site.forwarding() as mail:  # it is kept over a restart
            await until(lambda: texts(server) == ["one", "two", "spam spam"])
            await until(lambda: mail.all()[0].aside == 0)


async def test_what_is_refused_for_days_is_given_up_and_counted(site, monkeypatch):
    async with real_server(content={"spam": "554 5.7.1 looks like spam"}) as server:
        site.configure(server.port)
        async with site.forwarding() as mail:
            await site.come("spam")
            await until(lambda: mail.all()[0].aside == 1)
            monkeypatch.setattr(circuit, "RETRY_FOR_S", 0.0)
            await until(lambda: mail.all()[0].given_up == 1)
            view = mail.all()[0]
            assert (view.aside, view.delivered) == (0, 0)
            assert view.given_up_at is not None
    assert site.box.metrics.mails_forwarded.labels("given_up")._value.get() == 1


async def test_a_server_that_refuses_everything_fails_at_last(site):
    async with real_server(content={"SMS from": "554 5.7.1 no"}) as server:
        site.configure(server.port)
        async with site.forwarding() as mail:
            await site.come(*(f"m{n}" for n in range(MOST_ASIDE + 2)))
            await until(lambda: mail.all()[0].failing_since is not None)
            assert mail.all()[0].aside == MOST_ASIDE
            server.content.clear()
            await until(lambda: len(server.took) == MOST_ASIDE + 2)


async def test_what_waits_for_too_long_is_given_up_but_what_came_since_is_told(site):
    async with real_server() as server:
        port = server.port
    site.configure(port)
    clock = site.box.clock
    async with site.forwarding() as mail:
        await site.come("old", "older than a week")
        await until(lambda: mail.all()[0].failing_since is not None)
        now = clock.now
        site.box.clock.__class__ = type(
            "Turned", (type(clock),), {"__slots__": (), "now": lambda _: now() + KEEP_S + 60}
        )
        await site.come("fresh")
        await until(lambda: mail.all()[0].given_up == 2)
        async with real_server(port=port) as server:
            await until(lambda: texts(server) == ["fresh"])


async def test_when_nobody_knows_it_is_told_again_under_the_same_id(site):
    """At least once: a reader sees by the Message-ID that it is the same."""
    dropped = []

    async def cut_once(line):
        if not dropped:
            dropped.append(True)
            line.cut()
            raise ConnectionResetError
        await line.say("250 taken")

    async with scripted(end=cut_once) as server:
        site.configure(server.port)
        async with site.forwarding() as mail:
            await site.come("once or twice")
            await until(lambda: mail.all()[0].delivered == 1)
    first, second = server.bodies
    assert first == second


async def test_a_crash_after_the_mail_repeats_it_and_leaves_nothing_out(site):
    async with real_server() as server:
        site.configure(server.port)
        async with site.forwarding():
            place = (await site.note()).place
            await site.come("one", "two")
            await until(lambda: len(server.took) == 2)
        await site.box.store.write(lambda conn: notes.write(conn, "desk:" + DESK, Note(place)))
        async with site.forwarding():
            await until(lambda: len(server.took) == 4)
    ids = [took.message["Message-ID"] for took in server.took]
    assert ids[:2] == ids[2:]


async def test_a_person_can_have_it_tried_at_once(site, monkeypatch):
    monkeypatch.setattr(circuit, "FIRST_WAIT_S", 60.0)
    monkeypatch.setattr(circuit, "MOST_WAIT_S", 60.0)
    async with real_server() as server:
        port = server.port
    site.configure(port)
    async with site.forwarding() as mail:
        await site.come("one")
        await until(lambda: mail.all()[0].next_try_at is not None)
        async with real_server(port=port) as server:
            assert not mail.retry_now("desk:nobody@example.com")
            assert mail.retry_now(mail.all()[0].name)
            await until(lambda: texts(server) == ["one"])


async def test_a_login_reads_its_password_each_time(site, tmp_path):
    tls, ca = server_tls(tmp_path / "tls", "localhost")
    password = tmp_path / "password"
    async with real_server(tls, passwords={"box": "right"}) as server:
        more = {"host": "localhost", "security": "starttls", "ca": ca, "username": "box"}
        site.configure(server.port, **more)
        async with site.forwarding() as mail:
            await site.come("one")
            await until(lambda: "name a password_file" in mail.all()[0].last_error)
        site.configure(server.port, **more, password_file=str(password))
        async with site.forwarding() as mail:
            await until(lambda: "cannot be read: No such file" in mail.all()[0].last_error)
            password.write_text("wrong\n")
            await until(lambda: "535" in mail.all()[0].last_error)
            password.write_text("right\n")
            await until(lambda: texts(server) == ["one"])
    assert server.took[0].user == "box"


async def test_a_deleted_message_is_not_told(site):
    async with real_server() as server:
        port = server.port
    site.configure(port)
    async with site.forwarding() as mail:
        await site.come("private", "other")
        await until(lambda: mail.all()[0].failing_since is not None)
        (_, private) = (await site.box.inbox.list(LOCAL_ADMIN)).items
        await site.box.store.write(lambda conn: conn.execute("DELETE FROM inbox WHERE text = 'private'").rowcount)
        assert private.text == "private"
        async with real_server(port=port) as server:
            await until(lambda: texts(server) == ["other"])


async def test_forwards_that_are_gone_hold_up_nothing(site):
    async with real_server() as server:
        site.configure(server.port, MailForwardConfig("gone", (DESK,)))
        async with site.forwarding():
            pass
        assert await site.box.store.read(notes.needed_after) is not None
        site.configure(server.port, MailForwardConfig("desk", (DESK,)))
        await site.come("before")
        async with site.forwarding():
            assert await site.note("gone:" + DESK) is None
            await site.come("one")
            await until(lambda: texts(server) == ["one"])
    site.box.config = msgspec.structs.replace(site.box.config, mail_out=())
    async with site.forwarding():
        assert await site.box.store.read(notes.needed_after) is None


async def test_the_log_keeps_what_an_address_has_not_had(site):
    async with real_server(content={"spam": "554 5.7.1 spam"}) as server:
        site.configure(server.port)
        async with site.forwarding() as mail:
            place = await site.box.store.read(notes.needed_after)
            await site.come("spam", "one")
            await until(lambda: mail.all()[0].aside == 1 and server.took)
        assert await site.box.store.read(notes.needed_after) == place
        note = await site.note()
        assert note.place >= place + 2


async def test_what_is_not_for_it_is_not_written_down_each_time(site):
    async with real_server() as server:
        site.configure(server.port)
        async with site.forwarding() as mail:
            start = (await site.note()).place
            entries = [Entry(0, "message.sent", None, 1)] * (BEHIND - 10)
            await site.box.store.write(lambda conn: append(conn, entries))
            site.box.events.wake()
            courier = next(iter(mail._couriers.values()))
            await until(lambda: courier.note.place == start + BEHIND - 10)
            assert (await site.note()).place == start
        assert (await site.note()).place in {start, start + BEHIND - 10}


@pytest.mark.parametrize(
    ("result", "verdict"),
    [
        (taken(Answer(250, "ok"), "<1@x>"), Verdict.TAKEN),
        (refused(Stage.END, Answer(554, "5.7.1 spam")), Verdict.REFUSED),
        (refused(Stage.DATA, Answer(554, "no")), Verdict.REFUSED),
        (refused(Stage.END, Answer(451, "later")), Verdict.LATER),
        (refused(Stage.RECIPIENT, Answer(550, "5.1.1 nobody")), Verdict.LATER),
        (refused(Stage.SENDER, Answer(550, "5.7.1 no")), Verdict.LATER),
        (refused(Stage.LOGIN, Answer(535, "5.7.8 no")), Verdict.LATER),
        (failed(Stage.END, Why.TIMEOUT, "late"), Verdict.LATER),
        (failed(Stage.CONNECT, Why.REFUSED, "gone"), Verdict.LATER),
        (not_sent("x", "y", CauseClass.MODEM), Verdict.LATER),
    ],
)
def test_what_an_outcome_means_for_the_next(result, verdict):
    assert judged(result) is verdict
    assert (verdict is Verdict.TAKEN) is (result.outcome is AttemptOutcome.ACCEPTED)
