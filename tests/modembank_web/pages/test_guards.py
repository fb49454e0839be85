"""Who may see which page and change what, from the table of routes: a new page is asked about without a line here."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio

from fakes.browsers import ORIGIN, browser
from fakes.pages import ADMIN, FOREIGN, OTHER, SENDER, Outline, at_a_page, people, token_of
from fakes.web_boxes import Box, make_box
from modembank.accounts.model import ROLE_SCOPES, Role
from modembank_web.cookies import page_token
from modembank_web.pages import PAGES
from modembank_web.pages.page import LOGIN, ROOT, SETUP, Page
from modembank_web.pages.rendering import POLICY

BEHIND = [page for page in PAGES if not page.open]
READS = [page for page in BEHIND if page.method == "GET"]
CHANGES = [page for page in BEHIND if page.method != "GET"]
OPEN = [page for page in PAGES if page.open]
OPEN_CHANGES = [page for page in OPEN if page.method != "GET"]
NUMBERS = ("/ui/conversations/",)
"""What is named here is a number, which is there for everybody; what was said with it is not (test_every_page.py)."""
FOR_ADMINS = [page for page in BEHIND if page.needs and not ROLE_SCOPES[Role.SENDER] & set(page.needs)]


def address(page: Page) -> str:
    """Fill parameters with what cannot be there: a guard comes before anybody looks."""
    return re.sub(r"\{\w+\}", "0", page.path)


def name_of(page: Page) -> str:
    return f"{page.method} {page.path}"


def each(pages: list[Page]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("page", pages, ids=name_of)


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def box(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Box]:
    """One box for all: nothing that is asked for here changes it."""
    box = await make_box(tmp_path_factory.mktemp("guards"))
    await people(box)
    yield box
    await box.store.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fresh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Box]:
    """A box that nobody has set up."""
    box = await make_box(tmp_path_factory.mktemp("fresh"))
    yield box
    await box.store.close()


async def written(box: Box) -> tuple[object, ...]:
    """Return what any change leaves a trace in."""
    return await box.store.fetch_one(
        "SELECT (SELECT count(*) FROM audit), (SELECT count(*) FROM sessions), (SELECT count(*) FROM messages)"
    )  # type: ignore[return-value]


@each(BEHIND)
async def test_whoever_is_not_logged_in_is_led_to_the_login_and_back(box: Box, page: Page) -> None:
    async with browser(box) as client:
        answer = await client.request(page.method, f"{address(page)}?x=1")
        back = f"{address(page)}?x=1" if page.method == "GET" else ROOT
        assert (answer.status_code, answer.headers["location"]) == (303, f"{LOGIN}?next={quote(back, safe='')}")
        assert answer.content == b""
        asked = {"HX-Request": "true", "HX-Current-URL": f"{ORIGIN}/ui/components?y=2"}
        answer = await client.request(page.method, address(page), headers=asked)
        assert (answer.status_code, answer.content) == (401, b"")
        assert answer.headers["hx-redirect"] == f"{LOGIN}?next=%2Fui%2Fcomponents%3Fy%3D2"


@each(CHANGES)
async def test_s07_only_a_page_of_this_session_changes_anything(box: Box, page: Page) -> None:
    another = page_token(await token_of(box, OTHER))
    async with at_a_page(box, ADMIN) as client:
        own = client.headers.pop("X-Page-Token")
        before = await written(box)
        cases: dict[str, dict[str, str | None]] = {
            "no token": {},
            "an empty token": {"X-Page-Token": ""},
            "a token of another session": {"X-Page-Token": another},
            "another origin": {"X-Page-Token": own, **FOREIGN},
            "another origin of the same site": {
                "X-Page-Token": own, "Origin": "https://other.box.test", "Sec-Fetch-Site": "same-site"
            },
            "another port": {"X-Page-Token": own, "Origin": f"{ORIGIN}:8443", "Sec-Fetch-Site": "same-site"},
            "not said from where": {"X-Page-Token": own, "Origin": None, "Sec-Fetch-Site": None},
            "an origin without a name": {"X-Page-Token": own, "Origin": "null", "Sec-Fetch-Site": "cross-site"},
            "a simple form elsewhere": {"Content-Type": "application/x-www-form-urlencoded", **FOREIGN},
            "plain text elsewhere": {"Content-Type": "text/plain", **FOREIGN},
            "a form with files elsewhere": {"Content-Type": "multipart/form-data; boundary=x", **FOREIGN},
        }  # fmt: skip
        for case, headers in cases.items():
            kept = {name: value for name, value in client.headers.items() if headers.get(name.title(), "") is not None}
            kept |= {name.lower(): value for name, value in headers.items() if value is not None}
            async with browser(box, own=False) as bare:
                answer = await bare.request(page.method, address(page), headers=kept, content=b"name=x")
            assert answer.status_code == 403, (case, answer.text)
            assert await written(box) == before, case


async def test_s10_no_page_is_open_but_these() -> None:
    assert {page.id for page in OPEN} == {"login", "logIn", "setup", "setUp", "live"}


@each(OPEN_CHANGES)
async def test_s07_what_is_open_takes_forms_of_the_box_alone(box: Box, fresh: Box, page: Page) -> None:
    for one in (box, fresh):
        leads = one is fresh and page.path != SETUP
        before = await written(one)
        cases: dict[str, dict[str, str]] = {
            "another origin": FOREIGN,
            "another origin of the same site": {"Origin": "https://other.box.test", "Sec-Fetch-Site": "same-site"},
            "another port": {"Origin": f"{ORIGIN}:8443", "Sec-Fetch-Site": "same-site"},
            "not said from where": {},
            "an origin without a name": {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
        }
        for case, headers in cases.items():
            async with browser(one, own=False) as client:
                answer = await client.post(address(page), data={"name": "mallory"}, headers=headers)
            assert answer.status_code == (303 if leads else 403), (case, answer.text)
            assert "set-cookie" not in answer.headers
            assert await written(one) == before, case


@each([page for page in PAGES if page.method == "GET" and not page.stream])
async def test_s08_a_box_that_is_not_set_up_brings_the_headers_too(fresh: Box, page: Page) -> None:
    async with browser(fresh) as client:
        answer = await client.get(address(page))
        assert (answer.status_code, answer.headers.get("location")) == (
            (200, None) if page.path == SETUP else (303, SETUP)
        )
        check_headers(answer)


@each(CHANGES)
async def test_s07_reading_changes_nothing(box: Box, page: Page) -> None:
    if any(other.method == "GET" and other.path == page.path for other in PAGES):
        return  # a page to look at is there too, and judged where all of them are
    async with at_a_page(box, ADMIN) as client:
        before = await written(box)
        for method in ("GET", "HEAD"):
            answer = await client.request(method, address(page))
            assert answer.status_code in {404, 405}, method
        assert await written(box) == before


@each(CHANGES)
async def test_a_page_older_than_the_session_says_so_where_it_is_seen(box: Box, page: Page) -> None:
    async with at_a_page(box, ADMIN) as client:
        client.headers["Cookie"] = f"__Host-mb={await token_of(box, ADMIN)}"  # logged in again, beside this page
        answer = await client.request(page.method, address(page), headers={"HX-Request": "true"})
        assert (answer.status_code, answer.headers["hx-retarget"]) == (403, "#notices")
        assert "this page is older than your session: load it again" in answer.text


@each(FOR_ADMINS)
async def test_s10_pages_for_admins_are_not_for_senders(box: Box, page: Page) -> None:
    async with at_a_page(box, SENDER) as client:
        before = await written(box)
        answer = await client.request(page.method, address(page))
        assert answer.status_code == 403
        assert "text/html" in answer.headers["content-type"]
        assert Outline(answer.text).count("h1") == 1
        assert await written(box) == before


@each([page for page in READS if "{" in page.path and page not in FOR_ADMINS and not page.path.startswith(NUMBERS)])
async def test_what_is_not_there_or_not_ones_own_is_not_found(box: Box, page: Page) -> None:
    async with at_a_page(box, SENDER) as client:
        answer = await client.get(address(page))
        assert answer.status_code in {404, 422}, answer.text
        assert "text/html" in answer.headers["content-type"]


@each([page for page in PAGES if page.method == "GET"])
async def test_s08_every_answer_brings_the_headers_that_protect_it(box: Box, page: Page) -> None:
    async with at_a_page(box, ADMIN) as admins, browser(box) as nobody:
        for client in (admins, nobody):
            async with client.stream("HEAD" if page.stream else "GET", address(page)) as answer:
                check_headers(answer)
                if answer.headers.get("content-type", "").startswith("text/html") and answer.status_code != 303:
                    assert answer.headers["content-security-policy"].encode() == POLICY


def check_headers(answer: httpx.Response) -> None:
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    if answer.headers.get("content-type", "").startswith("text/html"):
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert "set-cookie" not in answer.headers


async def test_s08_the_policy_allows_nothing_inline_and_nobody_elsewhere() -> None:
    assert POLICY == (
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        b"form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
    )
