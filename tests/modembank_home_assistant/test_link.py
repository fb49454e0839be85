"""The link over a real store and Debian's mosquitto: what is said and when, what is taken back, a broker away."""

import asyncio
import json
import time

import msgspec
import pytest

from fakes.brokers import Certificates, Mosquitto, free_port
from fakes.homes import DOCUMENT, GROUP, STATUS, configured, home_at, home_box, home_config, link_of, until
from fakes.web_boxes import ICCID
from modembank.accounts import LOCAL_ADMIN
from modembank.config import PortEntry
from modembank.events import IssueRaised, MessageReceived, ModemForgotten
from modembank.home_assistant import HomeAssistant, LinkState
from modembank.sim import SimChange
from modembank.store import StoreError
from modembank_home_assistant import HomeAssistantLink, announcing
from modembank_home_assistant.discovery import ORIGIN

pytestmark = pytest.mark.broker
OWN = "modembank/modembank/"


async def test_the_box_appears_and_says_when_it_goes(mosquitto, box):
    async with home_at(mosquitto) as home:
        async with link_of(box):
            await until(lambda: home.state("modem", "slot-04"))
            assert home.state("avail") == {"state": "online"}
            assert home.state("tele") == {"queued": 0, "sent_today": 0, "failed_today": 0, "oldest_waiting": 0}
            assert home.state("issues") == {"open": 0, "worst": None, "kinds": {}}
            told = home.state("modem", "slot-03")
            assert told == {"state": "detected", "connected": False, "signal": None, "operator": None}
            topics = [topic for topic, _ in home.heard]
            assert topics.index(f"{OWN}avail") < topics.index(DOCUMENT), "else entities are unavailable for ever"
            view = await until(lambda: (view := box.home_assistant.view(LOCAL_ADMIN)).state == "online" and view)
            assert (view.entities, view.groups, view.why) == (len(home.components()), ("on-call",), "")
        await until(lambda: home.state("avail") == {"state": "offline"})
    assert set(home.retained) == {
        DOCUMENT, f"{OWN}avail", f"{OWN}tele", f"{OWN}issues", f"{OWN}modem/slot-03", f"{OWN}modem/slot-04",
    }  # fmt: skip


async def test_nothing_is_said_twice_and_what_changes_is_said(mosquitto, box):
    async with (
        home_at(mosquitto) as home,
        link_of(
            box,
        ),
    ):
        await until(lambda: home.state("tele"))
        await box.messages.submit(LOCAL_ADMIN, _request())
        await until(lambda: (home.state("tele") or {}).get("queued") == 1)
        for _ in range(3):
            box.bus.publish(IssueRaised(0, 1, "x", "y", "info", "z"))
            await asyncio.sleep(0.1)
        await until(lambda: box.home_assistant.state is LinkState.ONLINE)
    assert len(home.said(DOCUMENT)) == 1
    assert len(home.said(f"{OWN}modem/slot-03")) == 1
    assert len(home.said(f"{OWN}issues")) == 1


async def test_changes_are_told_no_more_often_than_they_may_be(mosquitto, box):
    configured(box, mosquitto.port, every_s=3600)
    async with home_at(mosquitto) as home, link_of(box):
        await until(lambda: home.state("tele"))
        await until(lambda: box.home_assistant.state is LinkState.ONLINE)
        for _ in range(5):
            await box.messages.submit(LOCAL_ADMIN, _request())
            await asyncio.sleep(0.05)
        await home.says("elsewhere/x", b"{}")
        await asyncio.sleep(0.3)
        assert len(home.said(f"{OWN}tele")) == 1


async def test_home_assistant_that_starts_is_told_again_at_a_moment_of_the_boxs_own(mosquitto, box):
    asked = []
    async with home_at(mosquitto) as home:
        link = HomeAssistantLink(box, draw=lambda low, high: asked.append((low, high)) or 0.05)
        await link.start()
        await until(lambda: home.state("modem", "slot-04"))
        await home.says(STATUS, b"offline")
        await home.says(STATUS, b"online")
        await until(lambda: len(home.said(DOCUMENT)) == 2)
        await until(lambda: len(home.said(f"{OWN}modem/slot-04")) == 2)
        assert len(home.said(f"{OWN}avail")) == 2
        assert asked == [(0.0, 10.0)]
        await link.stop()


# -- what goes


async def test_a_modem_that_is_forgotten_is_taken_away_at_once(mosquitto, box):
    box.bank.add(PortEntry("usb:1-1.4"))
    async with home_at(mosquitto) as home, link_of(box):
        key = "modem_usb-1-1_4_"
        added = await until(lambda: [name for name in home.components() if name.startswith("modem_usb")])
        assert len(added) == 4
        topic = home.components()[added[0]]["state_topic"]
        await until(lambda: topic in home.retained)
        before = len(home.said(DOCUMENT))
        del box.bank._workers["usb-1-1.4"]
        box.bus.publish(ModemForgotten(0, "usb-1-1.4"))
        await until(lambda: home.components() and not any(name.startswith(key) for name in home.components()))
        await until(lambda: topic not in home.retained)
        documents = [json.loads(payload)["components"] for payload in home.said(DOCUMENT)[before:]]
        marks = [{name: document[name] for name in added if name in document} for document in documents]
        assert {name: {"platform": mark["platform"]} for name, mark in marks[0].items()} == marks[0]
        assert set(marks[0]) == set(added)
        assert list(documents[0])[:4] == added, "what goes comes first"
        assert marks[1:] == [{}]


async def test_a_modem_that_is_away_stays_until_it_is_away_for_good(mosquitto, box, monkeypatch):
    """After a start, modems on the USB come one by one: what was known of them is kept as it was for a while."""
    box.bank.add(PortEntry("usb:1-1.4"))
    async with home_at(mosquitto) as home:
        async with link_of(box):
            await until(lambda: any(name.startswith("modem_usb") for name in home.components()))
            await until(lambda: any("usb" in topic for topic in home.retained))
        was = home.components()
        del box.bank._workers["usb-1-1.4"]
        async with link_of(box):
            await until(lambda: len(home.said(f"{OWN}avail")) == 3)
            await until(lambda: box.home_assistant.state is LinkState.ONLINE)
            assert home.components() == was
            assert any("usb" in topic for topic in home.retained)
        monkeypatch.setattr(announcing, "GONE_S", 0.0)
        async with link_of(box):
            await until(lambda: not any(name.startswith("modem_usb") for name in home.components()))
            await until(lambda: not any("usb" in topic for topic in home.retained))


async def test_what_the_configuration_has_no_more_is_taken_away_after_a_restart(mosquitto, box):
    configured(box, mosquitto.port, commands=True)
    async with home_at(mosquitto) as home:
        async with link_of(box):
            await until(lambda: home.state("sim", "1"))
        assert {"notify_on-call", "sim_1_sending", "sms_received"} <= home.components().keys()
        configured(box, mosquitto.port, notify=(), privacy="counts")
        async with link_of(box):
            await until(lambda: not {"notify_on-call", "sim_1_sending", "sms_received"} & home.components().keys())
            await until(lambda: home.state("sim", "1") is None)
        said = [json.loads(payload)["components"] for payload in home.said(DOCUMENT)]
        assert {"notify_on-call": {"platform": "notify"}}.items() <= said[-2].items()


async def test_a_document_of_somebody_else_is_no_reason_to_take_anything_away(mosquitto, box):
    foreign = {"origin": {"name": "other"}, "components": {"x": {"platform": "sensor", "unique_id": "x"}}}
    junk = [b"no json", b"[1]", b'{"origin":{"name":"Modembank"},"components":[1]}', b"\xff", b"[" * 5000]
    for payload in (json.dumps(foreign).encode(), *junk):
        async with home_at(mosquitto) as home:
            await home.says(DOCUMENT, payload, retain=True)
            await home.says(f"{OWN}tele", b"junk", retain=True)
            async with link_of(box):
                await until(lambda: home.document().get("origin", {}).get("name") == ORIGIN)
                await until(lambda: home.state("tele"))
                assert "x" not in home.components()


async def test_switched_off_it_takes_everything_back_and_is_quiet(mosquitto, box, monkeypatch):
    monkeypatch.setattr("modembank_home_assistant.link.QUIET_S", 0.3)
    async with home_at(mosquitto) as home:
        async with link_of(box):
            await until(lambda: home.state("modem", "slot-04"))
        await until(lambda: home.state("avail") == {"state": "offline"})
        assert home.retained
        configured(box, mosquitto.port, enabled=False)
        async with link_of(box):
            await until(lambda: box.home_assistant.state is LinkState.TAKEN_BACK)
            await until(lambda: not home.retained)
        before = len(home.heard)
        emptied = [topic for topic, payload in home.heard if not payload]
        assert emptied[0] == DOCUMENT
        async with link_of(box):
            await until(lambda: box.home_assistant.state is LinkState.TAKEN_BACK)
        assert len(home.heard) == before


# -- messages that came


@pytest.mark.parametrize("privacy", ["counts", "meta", "full"])
async def test_a_message_that_came_is_told_as_far_as_privacy_goes(mosquitto, box, privacy):
    configured(box, mosquitto.port, privacy=privacy)
    async with home_at(mosquitto) as home:
        async with link_of(box):
            await until(lambda: box.home_assistant.state is LinkState.ONLINE)
            await box.store.write(_came)
            box.bus.publish(MessageReceived(0, 77, 1, "+447911555456"))
            if privacy != "counts":
                await until(lambda: home.said(f"{OWN}event"))
        await until(lambda: home.state("avail") == {"state": "offline"})
    told = [json.loads(payload) for payload in home.said(f"{OWN}event")]
    expected = {
        "counts": [],
        "meta": [{"event_type": "received", "from": "+447*******56", "slot": "slot-03"}],
        "full": [{"event_type": "received", "from": "+447911555456", "slot": "slot-03", "text": "private words"}],
    }
    assert told == expected[privacy]
    assert f"{OWN}event" not in home.retained
    if privacy != "full":
        everything = b"".join(payload for _, payload in home.heard)
        assert b"447911555456" not in everything
        assert b"private" not in everything


async def test_nothing_of_what_is_told_names_a_card_or_a_recipient(mosquitto, box):
    configured(box, mosquitto.port, commands=True)
    await box.sims.change(1, SimChange(label=""))
    async with home_at(mosquitto) as home, link_of(box):
        await box.messages.submit(LOCAL_ADMIN, _request())
        await until(lambda: (home.state("tele") or {}).get("queued") == 1)
    everything = b"".join(topic.encode() + payload for topic, payload in home.heard)
    for private in (ICCID, GROUP.to[0], "447700900777", "secret words"):
        assert private.encode() not in everything


# -- the connection


async def test_without_a_broker_the_box_works_and_says_so(tmp_path):
    box = await home_box(tmp_path, free_port())
    async with link_of(box):
        await until(lambda: "cannot connect" in box.home_assistant.why)
        view = box.home_assistant.view(LOCAL_ADMIN)
        assert view.state in (LinkState.WAITING, LinkState.CONNECTING)
        assert view.broker.startswith("mqtt://127.0.0.1")
        await box.messages.submit(LOCAL_ADMIN, _request())
        await until(lambda: box.home_assistant.next_try_at)
    await box.store.close()


async def test_without_a_configuration_nothing_is_done(tmp_path, box):
    box.config = msgspec.structs.replace(box.config, home_assistant=home_config(1, url=""))
    box.home_assistant = HomeAssistant(box.config, box.clock)
    async with link_of(box) as link:
        assert link._supervisor.names() == ()
        assert box.home_assistant.view(LOCAL_ADMIN).state is LinkState.NOT_SET_UP


async def test_a_broker_that_is_killed_again_and_again_has_everything_again(mosquitto, box):
    async with link_of(box):
        for _ in range(3):
            async with home_at(mosquitto) as home:
                await until(lambda: home.state("modem", "slot-04"))
                assert home.state("avail") == {"state": "online"}
                mosquitto.kill()
            await until(lambda: box.home_assistant.state is not LinkState.ONLINE)
            mosquitto.start()
        await until(lambda: box.home_assistant.state is LinkState.ONLINE)


async def test_the_will_says_that_the_box_is_gone(mosquitto, box, monkeypatch):
    monkeypatch.setattr("modembank_home_assistant.link.WILL_S", 1)
    async with home_at(mosquitto) as home, link_of(box) as link:
        await until(lambda: home.state("avail") == {"state": "online"})
        link._session._paho._sock_close()
        link._supervisor._tasks["home_assistant.link"].cancel()
        await until(lambda: home.state("avail") == {"state": "offline"})


async def test_a_name_and_password_are_given_and_a_refusal_is_told(tmp_path):
    (folder := tmp_path / "broker").mkdir()
    (folder / "acl").write_text("user box\ntopic readwrite modembank/#\n")
    passwords = folder / "passwords"
    passwords.write_text(_hashed("box", "open sesame"))
    passwords.chmod(0o600)
    lines = (f"password_file {passwords}", f"acl_file {folder / 'acl'}")
    (file := tmp_path / "password").write_text("wrong\n")
    with Mosquitto(folder, *lines) as mosquitto:
        conf = folder / "mosquitto.conf"
        conf.write_text(conf.read_text().replace("allow_anonymous true", "allow_anonymous false"))
        mosquitto.kill()
        mosquitto.start()
        box = await home_box(tmp_path, mosquitto.port, username="box", password_file=str(file))
        async with link_of(box):
            home = box.home_assistant
            await until(lambda: home.state is LinkState.REFUSED)
            assert "refused the connection" in home.why
            assert "wrong" not in home.why
            file.write_text("open sesame\n")
            await until(lambda: DOCUMENT in home.why)
            assert home.state is LinkState.REFUSED, "it may not say what there is"
            file.unlink()
            await until(lambda: "password file" in home.why and "cannot be read" in home.why)
        await box.store.close()


async def test_certificates_of_both_sides(tmp_path):
    made = Certificates(tmp_path)
    certificate, key = made.issue("box")
    (folder := tmp_path / "broker").mkdir()
    with Mosquitto(folder, tls=made) as mosquitto:
        files = {"ca": str(made.ca), "certificate": str(certificate), "key": str(key)}
        box = await home_box(tmp_path, mosquitto.port, url=f"mqtts://127.0.0.1:{mosquitto.port}", **files)
        async with link_of(box):
            await until(lambda: box.home_assistant.state is LinkState.ONLINE)
        await box.store.close()


async def test_a_store_that_fails_is_told_and_tried_again(mosquitto, box, monkeypatch):
    usual, failing = box.messages.counts, [True]

    async def counts():
        if failing[0]:
            raise StoreError(detail="disk gone")
        return await usual()

    monkeypatch.setattr(box.messages, "counts", counts)
    async with home_at(mosquitto) as home, link_of(box):
        await until(lambda: "disk gone" in box.home_assistant.why)
        failing[0] = False
        await until(lambda: home.state("tele"))
        await until(lambda: box.home_assistant.state is LinkState.ONLINE)


async def test_stopping_does_not_wait_for_a_broker_that_does_not_answer(tmp_path):
    server = await asyncio.start_server(lambda reader, writer: asyncio.sleep(60), "127.0.0.1", 0)
    box = await home_box(tmp_path, server.sockets[0].getsockname()[1])
    link = HomeAssistantLink(box)
    await link.start()
    await until(lambda: box.home_assistant.state is LinkState.CONNECTING)
    began = time.monotonic()
    await link.stop()
    assert time.monotonic() - began < 5
    server.close()
    await box.store.close()


def _request():
    from modembank.messages import SubmitRequest

    return SubmitRequest(to="+447700900777", text="secret words")


def _came(conn):
    columns = {row[1]: row for row in conn.execute("PRAGMA table_info(inbox)")}
    given = {"id": 77, "sim_id": 1, "sender": "+447911555456", "text": "private words", "missing": "[]"}
    for name, row in columns.items():
        if row[3] and row[4] is None and name not in given:
            given[name] = "text" if row[2] == "TEXT" else 0
    names = ", ".join(given)
    conn.execute(f"INSERT INTO inbox ({names}) VALUES ({', '.join('?' * len(given))})", tuple(given.values()))


def _hashed(name, password):
    """Return a line of Mosquitto's password file: PBKDF2 with SHA-512, as mosquitto_passwd makes it."""
    import base64
    import hashlib

    salt, rounds = b"salted water", 101
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, rounds)
    written = "$".join(("", "7", str(rounds), base64.b64encode(salt).decode(), base64.b64encode(digest).decode()))
    return f"{name}:{written}\n"
