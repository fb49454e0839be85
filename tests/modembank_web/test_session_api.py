"""Logging in over HTTP: the cookie, what it is good for, and from where."""

from __future__ import annotations

import re

import pytest

from fakes.browsers import ORIGIN, OWN_PAGE, PASSWORD, browser, log_in
from fakes.guards import make_cheap
from fakes.web_boxes import Box
from modembank.accounts import LOCAL_ADMIN, Role
from modembank_web.api import v1
from modembank_web.operation import Access, Operation

LOGIN = {"name": "ann", "password": PASSWORD}
MESSAGES = "/api/v1/messages"


@pytest.fixture(autouse=True)
async def ann(box: Box) -> None:
    make_cheap(box.accounts)
    await box.accounts.add_user(LOCAL_ADMIN, "ann", Role.SENDER, PASSWORD)
    await box.accounts.add_user(LOCAL_ADMIN, "ada", Role.ADMIN, PASSWORD)


async def test_s04_the_cookie_is_for_this_box_alone_and_out_of_scripts_reach(box: Box) -> None:
    async with browser(box) as client:
        answer = await client.post("/api/v1/session", json=LOGIN)
        assert (answer.status_code, answer.json()["user"], answer.json()["role"]) == (200, "ann", "sender")
        cookie = answer.headers["set-cookie"]
        token, *attributes = cookie.split("; ")
        assert re.fullmatch(r"__Host-mb=[\w-]{43}", token)
        assert set(attributes) == {"Path=/", "Secure", "HttpOnly", "SameSite=Strict"}
        assert token.partition("=")[2] not in answer.text
        assert answer.headers["cache-control"] == "no-store"


async def test_s04_a_session_does_what_a_key_does_until_it_is_ended(box: Box) -> None:
    async with browser(box) as client:
        await log_in(client, "ann")
        me = (await client.get("/api/v1/account")).json()
        assert (me["user"], me["networks"], me["expires_at"]) == ("ann", [], None)
        assert me["session"].startswith("ses_")
        assert me["quota"]["per_day"] == 0
        sent = await client.post(MESSAGES, json={"to": "+447900900123", "text": "x"})
        assert sent.status_code == 202
        assert (await client.get(f"{MESSAGES}/{sent.json()['id']}")).status_code == 200
        assert (await client.get("/api/v1/users")).status_code == 403
        listed = (await client.get("/api/v1/sessions")).json()["items"]
        assert [(one["user"], one["current"], one["source"]) for one in listed] == [("ann", True, "192.0.2.7")]
        ended = await client.delete("/api/v1/session")
        assert ended.status_code == 200
        assert "Max-Age=0" in ended.headers["set-cookie"]
        replayed = await client.get("/api/v1/account")
        assert (replayed.status_code, replayed.json()["error_code"]) == (401, "UNAUTHORIZED")
        challenges = replayed.headers.get_list("www-authenticate")
        assert challenges == ['Cookie realm="modembank", cookie-name="__Host-mb"']  # no dialog of the browser's own


async def test_s04_logging_in_again_leaves_nothing_of_the_session_before(box: Box) -> None:
    async with browser(box) as client:
        first = await log_in(client, "ann")
        second = await log_in(client, "ann")
        assert first != second
        client.headers["Cookie"] = f"__Host-mb={first}"
        assert (await client.get("/api/v1/account")).status_code == 401
        client.headers["Cookie"] = f"__Host-mb={second}"
        assert (await client.get("/api/v1/account")).status_code == 200


async def test_s04_an_admin_ends_anybodys_and_a_sender_its_own(box: Box) -> None:
    async with browser(box) as hers, browser(box) as admins:
        await log_in(hers, "ann")
        await log_in(admins, "ada")
        listed = {one["user"]: one["id"] for one in (await admins.get("/api/v1/sessions")).json()["items"]}
        assert (await hers.delete(f"/api/v1/sessions/{listed['ada']}")).status_code == 404
        assert (await admins.delete(f"/api/v1/sessions/{listed['ann']}")).status_code == 200
        assert (await hers.get("/api/v1/account")).status_code == 401
        gone = await admins.delete(f"/api/v1/sessions/{listed['ada']}")
        assert "Max-Age=0" in gone.headers["set-cookie"]
        assert (await admins.get("/api/v1/account")).status_code == 401


@pytest.mark.parametrize(
    ("base", "source", "headers", "allowed"),
    [
        ("https://box.test", "192.0.2.7", {}, True),
        ("http://box.test", "192.0.2.7", {}, False),
        ("http://box.test", "127.0.0.1", {}, True),
        ("http://box.test", "::1", {}, True),
        ("http://box.test", "::ffff:127.0.0.1", {}, True),
        ("http://box.test", "127.0.0.1", {"X-Forwarded-For": "192.0.2.7"}, False),
        ("http://box.test", "192.0.2.7", {"X-Forwarded-Proto": "https"}, False),
    ],
)
async def test_s04_only_where_nobody_reads_along(
    box: Box, base: str, source: str, headers: dict[str, str], allowed: bool
) -> None:
    async with browser(box, base=base, source=source, own=False) as client:
        answer = await client.post("/api/v1/session", json=LOGIN, headers=headers)
        assert (answer.status_code == 200) == allowed
        if not allowed:
            assert (answer.status_code, answer.json()["error_code"]) == (403, "FORBIDDEN")
            assert "https" in answer.json()["detail"]
    async with browser(box) as client:
        token = await log_in(client, "ann")
    async with browser(box, base=base, source=source, own=False) as client:
        answer = await client.get("/api/v1/account", headers={**headers, "Cookie": f"__Host-mb={token}"})
        assert (answer.status_code == 200) == allowed


async def test_s03_wrong_and_unknown_are_answered_alike_and_too_many_with_a_time_to_wait(box: Box) -> None:
    async with browser(box) as client:
        answers = [
            await client.post("/api/v1/session", json={"name": name, "password": "wrong"}) for name in ("ann", "nobody")
        ]
        assert {answer.status_code for answer in answers} == {401}
        assert len({answer.json()["detail"] for answer in answers}) == 1
        for _ in range(5):
            last = await client.post("/api/v1/session", json={"name": "ann", "password": "wrong"})
        assert (last.status_code, last.json()["error_code"]) == (429, "TOO_MANY_REQUESTS")
        assert 1 <= int(last.headers["retry-after"]) <= 180
        assert "set-cookie" not in last.headers


async def test_s10_a_key_in_a_header_wins_over_the_cookie(box: Box) -> None:
    key = await box.key(Role.ADMIN)
    async with browser(box, own=False) as client:
        await log_in(client, "ann")
        for headers in ({"Authorization": f"Bearer {key}"}, {"API-Key": key}):
            answer = await client.post("/api/v1/audit/verify", headers=headers)  # no page needed: it is no cookie
            assert answer.status_code == 200
        answer = await client.get("/api/v1/account", headers={"API-Key": "mb_wrong"})
        assert answer.status_code == 401
        answer = await client.delete("/api/v1/session", headers={"API-Key": key})
        assert answer.status_code == 409


@pytest.mark.parametrize(
    "cookie",
    ["", "x", "__Host-mb", "__Host-mb=", "__Host-mb=x", "mb={t}", "__host-mb={t}", "__Host-mb={t}; __Host-mb={t}",
     "__Host-mb={t}x", "__Host-mb=\xe9"],
)  # fmt: skip
async def test_s04_any_other_cookie_is_none(box: Box, cookie: str) -> None:
    async with browser(box) as client:
        token = await log_in(client, "ann")
        client.headers["Cookie"] = f"a=b; __Host-mb={token} ;c"
        assert (await client.get("/api/v1/account")).status_code == 200
        answer = await client.get("/api/v1/account", headers={"Cookie": cookie.format(t=token).encode("latin-1")})
        assert answer.status_code == 401


FOREIGN = [
    {},
    {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.test"},
    {"Sec-Fetch-Site": "same-site", "Origin": "https://other.box.test"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.test"},
    {"Sec-Fetch-Site": "cross-site", "Origin": ORIGIN},
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": "nonsense", "Origin": ORIGIN},
    {"Origin": "null"},
    {"Origin": "https://evil.test"},
    {"Origin": "http://box.test"},
    {"Origin": "https://box.test.evil.test"},
    {"Origin": ""},
]
OWN = [OWN_PAGE, {"Sec-Fetch-Site": "same-origin"}, {"Origin": ORIGIN}, {"Sec-Fetch-Site": "none", "Origin": ORIGIN}]
CHANGING = [one for one in v1.OPERATIONS if one.method != "GET" and one.access is Access.KEY and not one.authenticate]


@pytest.mark.parametrize("operation", CHANGING, ids=lambda operation: operation.id)
async def test_s07_nothing_is_changed_for_a_page_of_another_site(box: Box, operation: Operation) -> None:
    """Every route that changes something, with every form that a foreign page can give a request."""
    address = operation.path.format_map(_Any())
    async with browser(box, own=False) as client:
        await log_in(client, "ada")
        for headers in FOREIGN:
            for media in ("application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
                answer = await client.request(
                    operation.method, address, headers={**headers, "Content-Type": media}, content=b"x" * 1000
                )
                assert answer.status_code == 403, (headers, answer.text)
                assert "page of this box" in answer.json()["detail"]


class _Any(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return "x"


@pytest.mark.parametrize("headers", OWN)
async def test_s07_the_boxes_own_pages_change_what_they_may(box: Box, headers: dict[str, str]) -> None:
    async with browser(box, own=False) as client:
        await log_in(client, "ann")
        answer = await client.post(MESSAGES, json={"to": "+447900900123", "text": "x"}, headers=headers)
        assert answer.status_code == 202
        # Reading asks for nothing: a link on another site may lead here.
        assert (await client.get(MESSAGES)).status_code == 200


@pytest.mark.parametrize("headers", FOREIGN[1:])
async def test_s07_nobody_is_logged_in_by_another_site(box: Box, headers: dict[str, str]) -> None:
    async with browser(box, own=False) as client:
        answer = await client.post("/api/v1/session", json=LOGIN, headers=headers)
        assert answer.status_code == 403
