"""What Home Assistant asks for: done once, within the site's limits; everything else leaves an event and no more."""

import json

import pytest

from fakes.homes import GROUP, USER, configured, home_at, link_of, until
from modembank.accounts import LOCAL_ADMIN
from modembank.config import NotifyConfig
from modembank.errors import Conflict
from modembank.home_assistant import LinkState
from modembank.messages import MessageFilter
from modembank.store import StoreError, StoreFull
from modembank_fleet.link import Incoming, LinkError
from modembank_home_assistant import commands as module
from modembank_home_assistant.commands import Commands

pytestmark = pytest.mark.broker


@pytest.fixture
async def home(mosquitto, box):
    async with home_at(mosquitto) as home:
        yield home


async def messages(box, actor=LOCAL_ADMIN):
    return (await box.messages.list(actor, MessageFilter())).items


async def refusals(box):
    rows = await box.store.fetch_all("SELECT body FROM event_log WHERE kind = 'home_assistant.refused' ORDER BY id")
    return [json.loads(row[0]) for row in rows]


async def codes(box, count):
    async def enough():
        found = await refusals(box)
        return found if len(found) >= count else None

    return [body["code"] for body in await until(enough)]


async def told(box, count):
    async def enough():
        found = await messages(box)
        return found if len(found) >= count else None

    return await until(enough)


# -- people are told


async def test_a_group_is_told_under_its_user(home, box):
    async with link_of(box):
        await until(lambda: box.home_assistant.state is LinkState.ONLINE)
        await home.notifies('The "gate" is open', id="1")
        found = await told(box, 2)
    assert sorted(message.to for message in found) == sorted(GROUP.to)
    assert {message.text for message in found} == {'The "gate" is open'}
    owners = await box.store.fetch_all("SELECT DISTINCT u.name FROM messages m JOIN users u ON u.id = m.user_id")
    assert owners == [(USER,)]
    view = box.home_assistant.view(LOCAL_ADMIN)
    assert (view.notified, view.refused) == (1, 0)
    assert await refusals(box) == []


async def test_one_notification_that_comes_several_times_is_told_once(home, box):
    async with link_of(box):
        await until(lambda: box.home_assistant.state is LinkState.ONLINE)
        for _ in range(3):
            await home.notifies("once", id="abc")
        await home.notifies("another", id="abd")
        await told(box, 4)
        await home.notifies("other words", id="abc")
        assert await codes(box, 1) == ["id_reused"]
    async with link_of(box):
        await until(lambda: box.home_assistant.state is LinkState.ONLINE)
        await home.notifies("once", id="abc")
        await home.notifies("last", id="abe")
        await told(box, 6)
    assert sorted(message.text for message in await messages(box)) == ["another"] * 2 + ["last"] * 2 + ["once"] * 2


async def test_without_an_id_the_same_words_twice_are_two_notifications(home, box):
    async with link_of(box):
        await until(lambda: box.home_assistant.state is LinkState.ONLINE)
        for _ in range(2):
            await home.notifies("again")
        await told(box, 4)


async def test_a_packet_that_is_brought_again_is_told_once(box):
    """Without an id its number and the mark of the broker tell, while the broker remembers the session."""
    commands = Commands(box, lambda: None)
    payload = b'{"message": "again"}'
    for number, again in ((7, False), (7, True), (7, True), (8, False), (9, True)):
        await commands.take(("notify", "on-call"), _incoming(payload, number=number, again=again))
    assert len(await messages(box)) == 6
    await commands.take(("notify", "on-call"), _incoming(b'{"message": "other"}', number=7, again=True))
    assert len(await messages(box)) == 8
    commands.forget_packets()
    await commands.take(("notify", "on-call"), _incoming(payload, number=8, again=True))
    assert len(await messages(box)) == 10
    for number in range(1000, 1300):
        commands._key("on-call", module.Notice("x"), _incoming(b"x", number=number))
    assert len(commands._marks) == 100


async def test_what_could_not_be_stored_is_not_acknowledged_and_comes_again(home, box, monkeypatch):
    usual, failing = box.messages.submit, [True]

    async def submit(*args, **more):
        if failing.pop() if failing else False:
            raise StoreFull(detail="full")
        return await usual(*args, **more)

    async with link_of(box):
        await until(lambda: box.home_assistant.state is LinkState.ONLINE)
        monkeypatch.setattr(box.messages, "submit", submit)
        await home.notifies("kept")
        await told(box, 2)
        await until(lambda: box.home_assistant.state is LinkState.ONLINE)
    assert len(await messages(box)) == 2


@pytest.mark.parametrize("more", [{"id": "1"}, {}])
async def test_what_was_stored_and_not_acknowledged_comes_again_and_is_told_once(home, box, monkeypatch, more):
    """The broker marks it as brought again (DUP), with the number that it had."""
    usual, taken = box.messages.submit, []

    async def submit(*args, **others):
        taken.append(await usual(*args, **others))
        if len(taken) == 1:
            raise StoreError(detail="it was stored, and nobody knows")
        return taken[-1]

    monkeypatch.setattr(box.messages, "submit", submit)
    async with link_of(box):
        await until(lambda: box.home_assistant.state is LinkState.ONLINE)
        await home.notifies("once", **more)
        await until(lambda: len(taken) == 2)
        await home.notifies("and on", id="2")
        await told(box, 4)
    assert [receipt.replayed for receipt in taken] == [False, True, False]
    assert len(await messages(box)) == 4


async def test_what_came_while_the_box_was_away_for_a_moment_is_told(home, box):
    async with link_of(box):
        await until(lambda: box.home_assistant.state is LinkState.ONLINE)
    await home.notifies("meanwhile", id="m")
    async with link_of(box):
        assert {message.text for message in await told(box, 2)} == {"meanwhile"}


async def test_a_long_text_is_cut_and_control_characters_are_left_out(home, mosquitto, box):
    configured(box, mosquitto.port, notify=(NotifyConfig("on-call", ("+447700900123",), USER, max_segments=1),))
    async with link_of(box):
        await until(lambda: box.home_assistant.state is LinkState.ONLINE)
        await home.notifies("fire\x00\x1b[31m\n" + "a" * 500)
        (found,) = await told(box, 1)
    assert found.text.startswith("fire [31m aaa")
    assert (len(found.text), found.segments) == (159, 1), "a bracket counts twice"
    assert found.text.endswith("...")


async def test_those_who_want_no_messages_get_none_and_the_others_do(home, box):
    await box.optouts.add(LOCAL_ADMIN, GROUP.to[0])
    async with link_of(box):
        await until(lambda: box.home_assistant.state is LinkState.ONLINE)
        await home.notifies("news")
        (found,) = await told(box, 1)
        assert found.to == GROUP.to[1]
        await box.optouts.add(LOCAL_ADMIN, GROUP.to[1])
        await home.notifies("more news")
        assert await codes(box, 1) == ["not_accepted"]


async def test_the_users_quota_counts(home, box):
    await box.accounts.quotas.change(LOCAL_ADMIN, USER, per_day=2)
    async with link_of(box):
        await until(lambda: box.home_assistant.state is LinkState.ONLINE)
        await home.notifies("first")
        await told(box, 2)
        await home.notifies("second")
        assert await codes(box, 1) == ["quota_exceeded"]
    assert len(await messages(box)) == 2


async def test_a_user_who_is_not_there_or_not_active_tells_nobody(home, mosquitto, box):
    async with link_of(box):
        await until(lambda: box.home_assistant.state is LinkState.ONLINE)
        await box.accounts.set_user_active(LOCAL_ADMIN, USER, active=False)
        await home.notifies("x")
        assert await codes(box, 1) == ["user_inactive"]
    configured(box, mosquitto.port, notify=(NotifyConfig("on-call", ("+447700900123",), "nobody"),))
    async with link_of(box):
        await until(lambda: box.home_assistant.state is LinkState.ONLINE)
        await home.notifies("x")
        assert await codes(box, 2) == ["user_inactive", "no_such_user"]
    assert await messages(box) == ()


# -- SIMs


async def test_a_sim_is_paused_and_resumed_and_it_is_said_at_once(home, mosquitto, box):
    configured(box, mosquitto.port, commands=True, every_s=3600)
    async with link_of(box):
        assert await until(lambda: home.state("sim", "1")) == {"sending": True}
        await home.commands("sim", "1", payload=b"OFF")
        await until(lambda: home.state("sim", "1") == {"sending": False})
        assert box.sims.get(1).paused_reason == "paused by Home Assistant"
        await home.commands("sim", "1", payload=b"OFF")
        await home.commands("sim", "1", payload=b"ON")
        await until(lambda: home.state("sim", "1") == {"sending": True})
        assert not box.sims.get(1).paused
    entries = (await box.audit.list(LOCAL_ADMIN)).items
    changes = [(entry.actor, entry.detail) for entry in entries if entry.action == "sim.change"]
    assert changes == [("home assistant", {"paused": False}), ("home assistant", {"paused": True})]


async def test_the_gate_is_closed_unless_it_was_opened(home, box):
    async with link_of(box):
        await until(lambda: box.home_assistant.state is LinkState.ONLINE)
        await home.commands("sim", "1", payload=b"OFF")
        assert await codes(box, 1) == ["gate_closed"]
        assert not box.sims.get(1).paused


async def test_what_is_the_hubs_is_not_switched_here(home, mosquitto, box):
    async def guard(sim, change):
        raise Conflict(why="sim.paused is the hub's")

    box.sims.guard(guard)
    configured(box, mosquitto.port, commands=True)
    async with link_of(box):
        await until(lambda: home.state("sim", "1"))
        await home.commands("sim", "1", payload=b"OFF")
        assert await codes(box, 1) == ["owned_by_the_hub"]


# -- everything else


BAD = {
    "too_large": (("notify", "on-call"), b'{"message": "' + b"x" * 5000 + b'"}'),
    "malformed": (("notify", "on-call"), b"The gate is open"),
    "empty": (("notify", "on-call"), b'{"message": " \\n "}'),
    "no_such_group": (("notify", "everybody"), b'{"message": "x"}'),
    "no_such_command": (("reboot",), b"now"),
    "no_such_sim": (("sim", "99"), b"OFF"),
}
MALFORMED = (
    b"", b"\xff\xfe", b"[" * 2000, b"[]", b'"x"', b"{}", b'{"message": 1}', b'{"message": "x", "to": "+447911555123"}',
    b'{"message": "x", "id": 5}', b'{"message": "x", "id": "with blank"}', b'{"message": "\\ud800"', b"null",
    b'{"message": "x", "id": "' + b"y" * 101 + b'"}',
)  # fmt: skip


@pytest.mark.parametrize("code", BAD)
async def test_what_is_no_command_has_no_effect_and_leaves_one_event(home, mosquitto, box, code):
    configured(box, mosquitto.port, commands=True)
    parts, payload = BAD[code]
    async with link_of(box):
        await until(lambda: box.home_assistant.state is LinkState.ONLINE)
        await home.commands(*parts, payload=payload)
        await home.notifies("and it goes on", id="1")
        await told(box, 2)
        assert await codes(box, 1) == [code]
        assert (await refusals(box))[0] == {"code": code, "kind": "/".join(parts), "count": 1}
        assert box.home_assistant.view(LOCAL_ADMIN).last_refusal == code
        assert box.home_assistant.state is LinkState.ONLINE


async def test_a_payload_that_is_none_has_no_effect(home, mosquitto, box):
    configured(box, mosquitto.port, commands=True)
    async with link_of(box):
        await until(lambda: box.home_assistant.state is LinkState.ONLINE)
        for payload in MALFORMED:
            await home.commands("notify", "on-call", payload=payload)
        for payload in (b"", b"on", b"ON ", b"toggle", b"\xff"):
            await home.commands("sim", "1", payload=payload)
        assert set(await codes(box, len(MALFORMED) + 5)) == {"malformed"}
    assert await messages(box) == ()
    assert not box.sims.get(1).paused


async def test_a_retained_command_is_refused_and_emptied(home, box):
    """It would come again at each connection."""
    topic = "modembank/modembank/cmd/notify/on-call"
    await home.says(topic, b'{"message": "for ever"}', retain=True)
    async with link_of(box):
        assert await codes(box, 1) == ["retained"]
        await until(lambda: b"" in home.said(topic))
    async with link_of(box):
        await until(lambda: box.home_assistant.state is LinkState.ONLINE)
        await home.notifies("now", id="n")
        await told(box, 2)
    assert [body["code"] for body in await refusals(box)] == ["retained"]


async def test_what_a_topic_says_is_told_without_what_a_terminal_would_obey(box):
    await Commands(box, lambda: None).take(("no\x1b[31m\nsuch", "ü" * 50), _incoming(b""))
    assert (await refusals(box))[0]["kind"] == "no?[31m?such/" + "?" * 27


async def test_a_flood_leaves_so_many_events_and_a_count(box, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(type(box.clock), "monotonic", lambda _: clock[0])
    commands = Commands(box, lambda: None)
    for _ in range(100):
        await commands.take(("nonsense",), _incoming(b""))
    assert len(await refusals(box)) == 60
    assert box.home_assistant.refused == 100
    clock[0] = 3600.0
    await commands.take(("nonsense",), _incoming(b""))
    assert (await refusals(box))[-1]["count"] == 41


async def test_a_store_that_refuses_the_event_too_has_it_come_again(box, monkeypatch):
    async def write(*_, **__):
        raise StoreFull(detail="full")

    monkeypatch.setattr(box.store, "write", write)
    with pytest.raises((LinkError, StoreFull)):
        await Commands(box, lambda: None).take(("nonsense",), _incoming(b""))


def _incoming(payload, *, number=1, again=False):
    return Incoming(
        topic="x", payload=payload, qos=1, retain=False, number=number, again=again, user={}, expiry_s=None,
        response_topic="", correlation=b"", _ack=lambda: None,
    )  # fmt: skip
