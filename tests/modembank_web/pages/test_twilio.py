"""Accounts of the Twilio dialect as a page: made with a token shown once, how their endpoints do, and ended."""

from __future__ import annotations

import pytest

from fakes.readers import reader
from fakes.web_boxes import Box
from modembank.accounts import LOCAL_ADMIN, Role

URL = "https://clinic.example/told"


@pytest.fixture
async def ann(box: Box) -> Box:
    await box.accounts.add_user(LOCAL_ADMIN, "ann", Role.SENDER)
    return box


async def test_an_account_is_made_with_a_token_shown_once_and_deleted(ann: Box) -> None:
    async with reader(ann) as admin:
        assert "No accounts yet" in (await admin.opens("/ui/twilio")).text
        made = await admin.sends("/ui/twilio", user="ann", sms_url=f" {URL} ")
        (account,) = await ann.twilio.list(LOCAL_ADMIN)
        token = (await ann.twilio.get(LOCAL_ADMIN, account.sid)).auth_token
        assert (account.user, account.sms_url, account.status_callback) == ("ann", URL, None)
        assert account.sid in made.text
        assert token in made.text
        page = await admin.opens("/ui/twilio")
        assert account.sid in page.text
        assert URL in page.text
        assert admin.last is not None
        assert token not in admin.last.text
        assert "ann" not in [option["value"] for option in page.one("select").all("option")]  # one each
        assert (await admin.asks("/ui/twilio/now")).one(id="accounts")["hx-trigger"] == "live"
        left = await admin.sends(f"/ui/twilio/{account.sid}/delete")
        assert "No accounts yet" in left.text
        await admin.sends(f"/ui/twilio/{account.sid}/delete", 404)
    assert not await ann.twilio.list(LOCAL_ADMIN)


async def test_another_token_ends_the_one_before(ann: Box) -> None:
    async with reader(ann) as admin:
        await admin.sends("/ui/twilio", user="ann")
        (account,) = await ann.twilio.list(LOCAL_ADMIN)
        before = (await ann.twilio.get(LOCAL_ADMIN, account.sid)).auth_token
        shown = await admin.sends(f"/ui/twilio/{account.sid}/rotate")
        after = (await ann.twilio.get(LOCAL_ADMIN, account.sid)).auth_token
        assert after != before
        assert after in shown.text


async def test_what_waits_and_fails_is_shown(ann: Box) -> None:
    async with reader(ann) as admin:
        await admin.sends("/ui/twilio", user="ann", status_callback=URL)
        assert "working" in (await admin.opens("/ui/twilio")).text
        sql = "UPDATE twilio_accounts SET failing_since = 1000, given_up = 3, last_at = 1000, last_error = ?"
        await ann.store.write(lambda conn: conn.execute(sql, ("<img src=x>\u202e",)).rowcount)
        row = (await admin.opens("/ui/twilio")).one("tbody").one("tr")
        assert "failing" in row.text
        assert "answered not at all" in row.text
        assert "<img src=x>\u27e8202E\u27e9" in row.text
        assert row.one("td", data_label="Given up").text == "3"


@pytest.mark.parametrize(
    ("typed", "field"),
    [({"user": ""}, "user"), ({"user": "nobody"}, "user"), ({"user": "taken"}, "user"),
     ({"user": "ann", "sms_url": "ftp://x.example"}, "sms_url"),
     ({"user": "ann", "status_callback": "http://127.0.0.1/"}, "status_callback")],
)  # fmt: skip
async def test_what_is_wrong_is_said_at_its_field(ann: Box, typed: dict[str, str], field: str) -> None:
    async with reader(ann) as admin:
        await ann.accounts.add_user(LOCAL_ADMIN, "taken", Role.SENDER)
        await admin.sends("/ui/twilio", user="taken")
        shown = await admin.sends("/ui/twilio", 422, **typed)
        assert shown.one(id=f"{field}-error").text
        assert len(await ann.twilio.list(LOCAL_ADMIN)) == 1


async def test_only_admins_see_accounts(ann: Box) -> None:
    async with reader(ann, Role.SENDER) as sender:
        for path in ("/ui/twilio", "/ui/twilio/now"):
            await sender.opens(path, 403)
        assert "Twilio accounts" not in (await sender.opens("/ui/keys")).text
