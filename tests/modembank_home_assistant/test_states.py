"""What is told of a box: counts, issues, SIMs in their slots, and the image's version."""

import json

import pytest

from fakes.homes import configured, home_box
from modembank.accounts import LOCAL_ADMIN
from modembank.appliance.state import State
from modembank.health import Finding, Severity
from modembank.messages import SubmitRequest
from modembank.sim import SimIdentity
from modembank_home_assistant.states import States
from modembank_home_assistant.topics import Topics

TOPICS = Topics("homeassistant", "modembank", "modembank")


@pytest.fixture
async def box(tmp_path):
    made = await home_box(tmp_path, 1, commands=True)
    yield made
    await made.store.close()


async def told(box, *parts):
    states = States(box, TOPICS)
    found = await states.payloads(states.shown())
    return json.loads(found.get(TOPICS.own(*parts), b"null"))


async def test_what_waits_is_counted_and_how_long(box):
    assert (await told(box, "tele"))["oldest_waiting"] == 0
    await box.messages.submit(LOCAL_ADMIN, SubmitRequest(to=("+447700900123", "+447700900124"), text="x"))
    await box.store.write(lambda conn: conn.execute("UPDATE messages SET created_at = created_at - 90500").rowcount)
    tele = await told(box, "tele")
    assert tele["queued"] == 2
    assert 90 <= tele["oldest_waiting"] <= 120
    assert (tele["sent_today"], tele["failed_today"]) == (0, 0)


async def test_issues_are_counted_by_kind_and_say_nobodys_number(box):
    found = [
        Finding("+447700900123", Severity.WARNING, "about +447700900123"),
        Finding("8944110000000000001", Severity.CRITICAL, "a card"),
    ]
    await box.health._book.apply("reply_loop", found, 0.0)
    issues = await told(box, "issues")
    assert issues == {"open": 2, "worst": "critical", "kinds": {"reply_loop": 2}}


async def test_a_sim_is_shown_where_it_was_seen_last_and_one_that_it_replaced_is_not(box):
    assert await told(box, "sim", "1") == {"sending": True}
    other = await box.sims.identify(SimIdentity(iccid="8944110068256270112"), "slot-03")
    assert await told(box, "sim", "1") is None
    assert await told(box, "sim", str(other.id)) == {"sending": True}
    elsewhere = await box.sims.identify(SimIdentity(iccid="8944110068256270062"), "slot-77")
    assert await told(box, "sim", str(elsewhere.id)) is None
    configured(box, 1)
    assert await told(box, "sim", str(other.id)) is None


@pytest.mark.parametrize(
    ("update", "expected"),
    [
        (None, ("1.2.0", False, None)),
        ({"state": "good", "version": "1.2.0"}, ("1.2.0", False, None)),
        ({"state": "refused", "version": "1.1.0"}, ("1.2.0", False, None)),
        ({"state": "installing", "version": "1.3.0", "percent": 40}, ("1.3.0", True, 40)),
        ({"state": "installed", "version": "1.3.0", "percent": 100}, ("1.3.0", False, None)),
    ],
)
async def test_the_images_version_is_told_and_the_one_that_comes(box, update, expected):
    assert await told(box, "update") is None
    box.image.start(**({} if update is None else {"update": update}))
    shown = await told(box, "update")
    assert shown["installed_version"] == "1.2.0"
    assert (shown["latest_version"], shown["in_progress"], shown["update_percentage"]) == expected


async def test_an_image_that_says_nothing_of_itself_is_what_the_program_is(box):
    from modembank_home_assistant.states import _update

    told_of = _update(State(present=True), "0.1.0")
    assert (told_of["installed_version"], told_of["latest_version"]) == ("0.1.0", "0.1.0")
