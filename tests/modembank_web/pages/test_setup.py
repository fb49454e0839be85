"""The first start as pages: everything leads there until there is an admin (S1)."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.browsers import OWN_PAGE, PASSWORD, browser
from fakes.readers import parsed, reader
from fakes.web_boxes import Box
from modembank.accounts import LOCAL_ADMIN
from modembank.accounts.first_start import read_code
from modembank_web.pages import PAGES

SETUP = "/ui/setup"


@pytest.mark.parametrize("page", [page for page in PAGES if page.path != SETUP], ids=lambda page: page.id)
async def test_s01_every_page_leads_to_the_set_up(box: Box, page) -> None:
    async with browser(box) as client:
        answer = await client.request(page.method, page.path.replace("{", "").replace("}", ""))
        assert (answer.status_code, answer.headers["location"]) == (303, SETUP)


async def test_s01_the_code_makes_the_first_admin_and_logs_in(box: Box, tmp_path: Path) -> None:
    async with browser(box) as client:
        page = parsed((await client.get(SETUP)).text)
        assert page.one("input", name="name")["value"] == "admin"
        code = read_code(tmp_path)
        assert code is not None
        form = {"code": code.text, "name": "olga", "password": PASSWORD, "again": PASSWORD}
        for change, field in (({"again": "other"}, "again"), ({"code": "WRONG"}, "code"), ({"name": "o o"}, "name")):
            answer = await client.post(SETUP, data=form | change)
            assert answer.status_code == 422
            shown = parsed(answer.text)
            assert shown.one(id=f"{field}-error").text
            assert PASSWORD not in answer.text
            assert shown.one("input", name="code")["value"] == (form | change)["code"]
        answer = await client.post(SETUP, data=form)
        assert (answer.status_code, answer.headers["location"]) == (303, "/ui")
        assert answer.headers["set-cookie"].startswith("__Host-mb=")
        assert [user.name for user in await box.accounts.users(LOCAL_ADMIN)] == ["olga"]
        after = await client.get(SETUP, headers={"Cookie": ""})
        assert after.headers["location"] == "/ui/login"
        assert (await client.post(SETUP, data=form | {"name": "mallory"})).status_code == 409
        assert len(await box.accounts.users(LOCAL_ADMIN)) == 1


async def test_s01_ten_wrong_codes_are_enough(box: Box) -> None:
    form = {"code": "WRONG", "name": "olga", "password": PASSWORD, "again": PASSWORD}
    async with browser(box) as client:
        await client.get(SETUP)
        seen = [(await client.post(SETUP, data=form)).status_code for _ in range(10)]
        assert seen.count(422) == 5
        assert seen[-1] == 429
        assert "too many codes" in (await client.post(SETUP, data=form)).text


async def test_s01_no_other_site_sets_a_box_up(box: Box) -> None:
    async with browser(box, own=False) as client:
        assert (await client.post(SETUP, data={})).status_code == 403
        foreign = OWN_PAGE | {"Origin": "https://evil.test", "Sec-Fetch-Site": "cross-site"}
        assert (await client.post(SETUP, data={}, headers=foreign)).status_code == 403
    async with browser(box, base="http://box.test") as client:
        assert (await client.post(SETUP, data={}, headers={"Origin": "http://box.test"})).status_code == 403


async def test_ones_password_is_changed_and_ends_the_sessions(box: Box) -> None:
    async with reader(box, name="olga") as olga:
        page = await olga.opens("/ui/account")
        assert "this one" in page.one(id="sessions").text
        wrong = await olga.sends(
            "/ui/account/password", 422, current_password="no", password=PASSWORD + "2", again=PASSWORD + "2"
        )
        assert "not your present password" in wrong.one(id="current_password-error").text
        unlike = await olga.sends("/ui/account/password", 422, current_password=PASSWORD, password="a", again="b")
        assert "not the same" in unlike.one(id="again-error").text
        fresh = PASSWORD + "-2"
        await olga.sends("/ui/account/password", 204, current_password=PASSWORD, password=fresh, again=fresh)
        assert olga.last is not None
        assert olga.last.headers["hx-redirect"] == "/ui/login"
        await olga.opens("/ui/account", 303)


async def test_one_ends_ones_own_sessions(box: Box) -> None:
    async with reader(box, name="olga") as here, reader(box, name="olga") as there, reader(box, name="eve") as eve:
        buttons = list((await here.opens("/ui/account")).one(id="sessions").all("button"))
        assert len(buttons) == 2
        current = (await box.accounts.sessions.authenticate(there.token)).session
        path = f"/ui/account/sessions/{current}/end"
        assert path in {button["hx-post"] for button in buttons}
        left = await here.sends(path)
        assert len(list(left.all("button"))) == 1
        await there.opens("/ui/account", 303)
        mine = (await box.accounts.sessions.authenticate(here.token)).session
        await here.sends(f"/ui/account/sessions/{mine}/end", 204)
        assert "this one" in (await eve.opens("/ui/account")).text
