"""Logging in and out by the pages: where it leads, what ends, who cannot bring it about."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from litestar import Litestar

from fakes.browsers import PASSWORD, browser
from fakes.guards import HandClock, make_cheap
from fakes.pages import FOREIGN, OTHER, SENDER, Outline, at_a_page, people, token_of
from fakes.web_boxes import Box
from modembank.accounts import Accounts
from modembank_web.pages.page import LOGIN, ROOT, Page, operations_of, own_path
from modembank_web.routing import AccessLog, FailureAnswers, handlers_for


@pytest.fixture(autouse=True)
async def inhabited(box: Box) -> None:
    await people(box)


async def enter(client: httpx.AsyncClient, wanted: str = ROOT, **headers: str) -> httpx.Response:
    form = {"name": SENDER, "password": PASSWORD, "next": wanted}
    return await client.post(LOGIN, data=form, headers=headers)


ELSEWHERE = (
    "https://evil.example/", "//evil.example/ui", "/\\evil.example", "\\\\evil.example", "/ui\\..\\..\\x",
    "javascript:alert(1)", "/ui/../../etc", "/ui/%2e%2e/api/v1/account", "/uievil", "/ui.evil", "/ui@evil.example",
    "ui", "", " /ui", "/ui/\tx", "/ui/x\r\nSet-Cookie: a=b", "/ui/\u202e", "/api/v1/account", LOGIN,
    f"{LOGIN}?next=/ui/login", "/ui/live",
)  # fmt: skip


async def test_s07_a_login_leads_to_no_place_but_a_page(box: Box) -> None:
    async with browser(box) as client:
        for wanted in ELSEWHERE:
            shown = await client.get(LOGIN, params={"next": wanted})
            assert kept_for_later(shown) == ROOT, wanted
            answer = await enter(client, wanted)
            assert (answer.status_code, answer.headers["location"]) == (303, ROOT), wanted
            assert answer.headers.get_list("set-cookie") == [answer.headers["set-cookie"]]


async def test_a_login_leads_back_to_exactly_what_was_asked(box: Box) -> None:
    """Decoded and encoded again, a name with ``?`` or ``%`` in it would be another."""
    page = Page("odd", "GET", "/ui/odd/{name}", lambda call: call.never())  # type: ignore[attr-defined]
    handlers = handlers_for(box, operations_of([page]), AccessLog())  # type: ignore[arg-type]
    box.web = Litestar(handlers, exception_handlers={Exception: FailureAnswers(AccessLog())}, openapi_config=None)
    for name in ("a%3Fb", "a%23b", "a%2541", "caf%C3%A9", "%2B447911123456", "a?b=%3F&c=d%20e"):
        async with browser(box) as client:
            led = await client.get(f"/ui/odd/{name}")
            wanted = parse_qs(urlsplit(led.headers["location"]).query)["next"][0]
            assert own_path(wanted) == f"/ui/odd/{name}"


def kept_for_later(login: httpx.Response) -> str | None:
    (kept,) = [given["value"] for _, given in Outline(login.text).tags if given.get("name") == "next"]
    return kept


async def test_s04_a_session_that_was_there_before_the_login_ends_with_it(box: Box) -> None:
    planted = await token_of(box, OTHER)
    async with browser(box) as client:
        answer = await client.post(
            LOGIN, data={"name": SENDER, "password": PASSWORD}, headers={"Cookie": f"__Host-mb={planted}"}
        )
        given = answer.headers["set-cookie"].partition(";")[0].partition("=")[2]
        assert given not in {planted, ""}
        answer = await client.get("/ui/components", headers={"Cookie": f"__Host-mb={planted}"})
        assert answer.headers["location"].startswith(LOGIN)


async def test_s04_a_token_of_ones_own_making_is_no_session(box: Box) -> None:
    async with browser(box) as client:
        made_up = "A" * 43
        answer = await client.post(
            LOGIN, data={"name": SENDER, "password": PASSWORD}, headers={"Cookie": f"__Host-mb={made_up}"}
        )
        assert made_up not in answer.headers["set-cookie"]
        answer = await client.get("/ui/components", headers={"Cookie": f"__Host-mb={made_up}"})
        assert answer.status_code == 303


async def test_s04_a_logout_ends_it(box: Box) -> None:
    async with at_a_page(box, SENDER) as client:
        assert (await client.get("/ui/components")).status_code == 200
        answer = await client.post("/ui/logout", headers={"HX-Request": "true"})
        assert (answer.status_code, answer.headers["hx-redirect"]) == (204, LOGIN)
        assert "Max-Age=0" in answer.headers["set-cookie"]
        assert (await client.get("/ui/components")).status_code == 303


@pytest.mark.parametrize("headers", [FOREIGN, {"Origin": "null", "Sec-Fetch-Site": "cross-site"}])
async def test_s07_nobody_is_logged_in_by_anothers_page(box: Box, headers: dict[str, str]) -> None:
    async with browser(box) as client:
        answer = await enter(client, **headers)
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers


async def test_s05_no_cookie_where_others_read_along(box: Box) -> None:
    async with browser(box, base="http://box.test") as client:
        shown = await client.get(LOGIN)
        assert "This connection can be read by others" in shown.text
        answer = await client.post(
            LOGIN, data={"name": SENDER, "password": PASSWORD}, headers={"Origin": "http://box.test"}
        )
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers
        token = await token_of(box, SENDER)
        kept = await client.get("/ui/components", headers={"Cookie": f"__Host-mb={token}"})
        assert kept.status_code == 403


async def test_s03_a_wrong_password_keeps_the_name_and_too_many_say_for_how_long(box: Box) -> None:
    async with browser(box) as client:
        for _ in range(6):
            answer = await client.post(LOGIN, data={"name": SENDER, "password": "wrong", "next": "/ui/components"})
            assert "set-cookie" not in answer.headers
            fields = {
                given.get("name"): given.get("value") for tag, given in Outline(answer.text).tags if tag == "input"
            }
            assert fields == {"next": "/ui/components", "name": SENDER, "password": None}
            if answer.status_code == 429:
                break
            assert answer.status_code == 422
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) > 0


async def test_what_a_page_asks_by_itself_keeps_no_session(box: Box) -> None:
    clock = HandClock()
    box.accounts = make_cheap(Accounts(box.store, clock))
    async with at_a_page(box, SENDER) as client:
        for used, minutes in ((True, 20), (True, 20), (False, 20), (False, 11)):
            clock.turn(minutes * 60)
            expected = 200 if minutes == 20 else 303  # half an hour after the last use
            answer = await client.get("/ui/components", headers={} if used else {"X-Live": "true"})
            assert answer.status_code == expected
