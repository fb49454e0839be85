"""Checks and the remedy of endpoints that take nothing."""

import pytest

from fakes.healths import ADMIN, Ward
from modembank.accounts import Role
from modembank.errors import Conflict
from modembank.health.checks import events_given_up, twilio_failing
from modembank.twilio import NewTwilioAccount
from modembank.webhooks import NewWebhook

DAY_MS = 86_400_000


@pytest.fixture
async def sid(ward: Ward) -> str:
    """An account that is told nowhere."""
    await ward.accounts.add_user(ADMIN, "shop", Role.SENDER)
    return (await ward.twilio.create(ADMIN, NewTwilioAccount("shop"))).sid


async def failing(ward: Ward, since: int | None) -> None:
    await ward.store.write(lambda conn: conn.execute("UPDATE twilio_accounts SET failing_since = ?", (since,)))


async def test_an_account_whose_endpoint_fails_for_a_while_is_an_issue(ward: Ward, sid: str) -> None:
    check, now = twilio_failing.CHECK, ward.clock.now_ms
    await failing(ward, now - 899_000)
    assert await ward.look(check) == []
    await failing(ward, now - 900_000)
    (found,) = await ward.look(check)
    assert (found.subject, found.evidence["user"]) == (sid, "shop")
    health = ward.health(check)
    await health.look()
    (issue,) = (await health.list(ADMIN)).items
    with pytest.raises(Conflict, match="deleted"):  # no courier runs here
        await health.remedy(ADMIN, issue.id, "retry_twilio")
    await ward.twilio.start()
    did, _ = await health.remedy(ADMIN, issue.id, "retry_twilio")
    assert sid in did
    await ward.twilio.stop()
    await ward.accounts.set_user_active(ADMIN, "shop", False)
    assert await ward.look(check) == []


async def test_what_was_given_up_is_shown_for_a_day(ward: Ward, sid: str) -> None:
    check, now = events_given_up.CHECK, ward.clock.now_ms
    hook = (await ward.webhooks.create(ADMIN, NewWebhook("https://example.com/", ("*",), user="shop"))).id
    assert await ward.look(check) == []
    for table in ("webhooks", "twilio_accounts"):
        sql = f"UPDATE {table} SET given_up = 3, given_up_at = ?"
        await ward.store.write(lambda conn, sql=sql: conn.execute(sql, (now,)))
    found = await ward.look(check)
    assert {one.subject for one in found} == {sid, hook}
    assert all("3 events" in one.summary and one.evidence["user"] == "shop" for one in found)
    ward.clock.turn(DAY_MS)
    assert await ward.look(check) == []
