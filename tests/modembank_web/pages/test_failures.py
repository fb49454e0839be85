"""What is shown where there is no page, where one breaks, and where telling that breaks too."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import structlog
from structlog.typing import EventDict

from fakes.browsers import browser
from fakes.pages import ADMIN, Outline, at_a_page, people
from fakes.web_boxes import Box
from modembank_web import create_app, pages
from modembank_web.answer import Answer
from modembank_web.operation import Call
from modembank_web.pages import page as pages_page
from modembank_web.pages.page import Page, operations_of
from modembank_web.pages.rendering import POLICY

SECRET = "the words of an error are for the log"


async def breaks(call: Call) -> Answer:
    raise RuntimeError(SECRET)


@pytest.fixture(autouse=True)
async def logged(box: Box, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[EventDict]]:
    """What the log has; the box gets a page that breaks."""
    await people(box)
    more = operations_of([Page("breaks", "GET", "/ui/breaks", breaks), Page("broken", "POST", "/ui/breaks", breaks)])
    monkeypatch.setattr("modembank_web.pages.OPERATIONS", (*pages.OPERATIONS, *more))
    box.web = create_app(box, box.readiness)  # type: ignore[arg-type]
    with structlog.testing.capture_logs() as logged:
        yield logged


@pytest.mark.parametrize("path", ["/ui/nothing", "/ui/components/more", "/ui/%FF", "/ui/a/b/c/d?x=1"])
async def test_an_address_without_a_page_is_answered_as_a_page(box: Box, path: str) -> None:
    async with browser(box) as client:
        answer = await client.get(path)
        assert answer.status_code == 404
        page = Outline(answer.text)
        assert page.count("h1") == 1
        assert "there is nothing at this address" in page.text
        assert answer.headers["content-security-policy"].encode() == POLICY
        part = await client.get(path, headers={"HX-Request": "true"})
        assert (part.status_code, part.headers["hx-retarget"]) == (404, "#notices")


async def test_a_wrong_method_is_told_as_a_page_and_elsewhere_as_a_problem(box: Box) -> None:
    async with browser(box) as client:
        answer = await client.post("/ui/components")
        assert (answer.status_code, answer.headers["content-type"]) == (405, "text/html; charset=utf-8")
        assert "GET" in answer.headers["allow"]
        for path in ("/uiother", "/api/v1/nothing", "/nothing"):
            answer = await client.get(path)
            assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_head_is_answered_as_get_is(box: Box) -> None:
    async with at_a_page(box, ADMIN) as client:
        shown = await client.get("/ui/components")
        stylesheet = next(given["href"] for _, given in Outline(shown.text).tags if given.get("rel") == "stylesheet")
        for path in ("/", "/ui", "/ui/login", "/ui/components", stylesheet):
            got, headed = await client.get(path), await client.head(path)
            assert (headed.status_code, headed.headers) == (got.status_code, got.headers), path
        assert (await client.head("/api/v1/account")).status_code == 405


async def test_a_page_that_breaks_tells_nothing_but_where_the_log_has_it(box: Box, logged: list[EventDict]) -> None:
    async with at_a_page(box, ADMIN) as client:
        answer = await client.get("/ui/breaks")
        assert answer.status_code == 500
        page = Outline(answer.text)
        assert (page.count("h1"), page.count("nav")) == (1, 1)
        assert SECRET not in answer.text
        assert "Traceback" not in answer.text
        answer = await client.post("/ui/breaks", headers={"HX-Request": "true"})
        assert (answer.status_code, answer.headers["hx-retarget"]) == (500, "#notices")
        faults = [entry for entry in logged if entry["event"] == "request_failed"]
        assert [str(fault["exc_info"]) for fault in faults] == [SECRET, SECRET]
        assert faults[0]["tracking_id"] in page.text
        assert faults[1]["tracking_id"] in answer.text


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
async def test_an_error_in_telling_an_error_leaves_plain_words(
    box: Box, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    def worse(*_: object, **__: object) -> Answer:
        raise KeyError(SECRET)

    monkeypatch.setattr(pages_page, "refusal", worse)
    monkeypatch.setattr(pages_page, "notice", worse)
    async with at_a_page(box, ADMIN) as client:
        for path, status in (("/ui/breaks", 500), ("/ui/nothing", 404)):
            answer = await client.get(path, headers=headers)
            assert (answer.status_code, answer.headers["content-type"]) == (status, "text/plain; charset=utf-8")
            assert "trk_" in answer.text
            assert SECRET not in answer.text
