"""Every page, for whoever may see it, on a phone and a desk, light and dark."""

from __future__ import annotations

import httpx
import pytest

from browser.accessible import BY_LOOKS, findings
from browser.places import GET_PAGES, OWNED, place, unnamed
from fakes.chromium import DESK, PHONE
from fakes.lived_in import OTHER, REPLY, TEMPLATE, TEXT
from modembank.accounts.model import ROLE_SCOPES, Role

SENDERS = ROLE_SCOPES[Role.SENDER]
STILL = "document.getAnimations().forEach((one) => { try { one.finish() } catch { one.cancel() } })"
"""Nothing is judged while its colour is between two others."""
IDS = [page.path for page in GET_PAGES]


def test_every_parameter_of_a_page_has_something_to_name():
    assert not unnamed()


@pytest.mark.parametrize("asked", GET_PAGES, ids=IDS)
async def test_it_is_right_in_every_width_and_colour(page_as_admin, things, asked):
    await look_at(page_as_admin, place(asked, things))


@pytest.mark.parametrize(
    "asked",
    [page for page in GET_PAGES if not page.open and (not page.needs or SENDERS & set(page.needs))],
    ids=lambda page: page.path,
)
async def test_it_is_right_for_a_sender_too(page_as_sender, things, asked):
    await look_at(page_as_sender, place(asked, things), thorough=False)


async def test_it_is_right_for_who_is_not_logged_in(page_as_stranger):
    await look_at(page_as_stranger, "/ui/login")


@pytest.mark.parametrize(
    "asked", [page for page in GET_PAGES if "{" in page.path and not page.open], ids=lambda page: page.path
)
async def test_s10_what_is_anothers_is_shown_to_nobody_else(box, things, asked):
    """Every page of a thing of Ann's, asked for by Olga."""
    async with httpx.AsyncClient(base_url=box.daemon.url, trust_env=False) as client:
        client.headers["Cookie"] = f"__Host-mb={await OTHER.token(box)}"
        answer = await client.get(place(asked, things))
    assert answer.status_code in {200, 403, 404}
    assert answer.status_code == 404 or asked.path.split("{")[0] not in OWNED
    for words in (TEXT, REPLY, TEMPLATE, things.mailing, things.message):
        assert words not in answer.text.replace(place(asked, things), "")


async def look_at(page, path, *, thorough=True):
    """Load it once and judge it; a part of a page, or a file, has no title and is none of ours here."""
    response = await page.context.request.get(path)
    if not is_whole(await response.body(), response.headers.get("content-type", "")):
        assert response.status < 400, f"{path}: {response.status}"
        return
    answer = await page.goto(path)
    assert answer.status == 200, f"{path}: {answer.status}"
    assert await page.title()
    assert await page.locator("h1").count() == 1
    found = [await findings(page)]
    for width, height in (DESK, PHONE) if thorough else (PHONE,):
        await page.set_viewport_size({"width": width, "height": height})
        for colours in ("light", "dark"):
            await page.emulate_media(color_scheme=colours)
            await page.evaluate(STILL)
            over = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert over <= 0, f"{path} scrolls sideways at {width} px, by {over} px"
            if thorough:
                found.append(await findings(page, BY_LOOKS))
    grave = [each for some in found for each in some]
    assert not grave, "\n".join(grave)


def is_whole(body, media):
    """Whether an answer is a page with its frame."""
    return media.startswith("text/html") and body.lstrip()[:9].lower() == b"<!doctype"
