"""One look at one page, in every width and colour: what is wrong with it."""

from __future__ import annotations

from playwright.async_api import Page

from browser.accessible import BY_LOOKS, findings
from fakes.chromium import DESK, PHONE

STILL = "document.getAnimations().forEach((one) => { try { one.finish() } catch { one.cancel() } })"
"""Nothing is judged while its colour is between two others."""

CUT = """[...document.querySelectorAll("main .table-box")].filter((one) => one.scrollWidth > one.clientWidth)
    .map((one) => `${one.querySelector("caption")?.textContent}, by ${one.scrollWidth - one.clientWidth} px`)"""
"""Tables are cards on a phone: nobody has to move one sideways to read it."""


async def look_at(page: Page, path: str, *, thorough: bool = True) -> str:
    """Load it once and judge it; return what is wrong. What is no whole page has no title: a part, a file."""
    response = await page.context.request.get(path)
    if not is_whole(await response.body(), response.headers.get("content-type", "")):
        return "" if response.status < 400 else f"{path}: {response.status}"
    if response.status != 200:
        return f"{path}: {response.status}"
    await page.set_viewport_size({"width": DESK[0], "height": DESK[1]})
    await page.emulate_media(color_scheme="light")
    await page.goto(path)
    found = [] if await page.title() else ["no title"]
    if (headings := await page.locator("h1").count()) != 1:
        found.append(f"{headings} headings of the first rank")
    found += await findings(page)
    for width, height in (DESK, PHONE) if thorough else (PHONE,):
        await page.set_viewport_size({"width": width, "height": height})
        over = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if over > 0:
            found.append(f"scrolls sideways at {width} px, by {over} px")
        if (width, height) == PHONE:
            found += [f"is cut off at {width} px: {what}" for what in await page.evaluate(CUT)]
        for colours in ("light", "dark") if thorough else ():
            await page.emulate_media(color_scheme=colours)
            await page.evaluate(STILL)
            found += await findings(page, BY_LOOKS)
    return "\n".join(f"{path}: {each}" for each in found)


def is_whole(body: bytes, media: str) -> bool:
    """Whether an answer is a page with its frame."""
    return media.startswith("text/html") and body.lstrip()[:9].lower() == b"<!doctype"
