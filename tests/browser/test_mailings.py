"""A mailing in five minutes, in a real browser: a list is dropped, a text written, all of it checked, sent, watched."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from fakes.chromium import DESK, PHONE

PEOPLE = "name;mobile;day\n" + "".join(f"Ann{n};+4479117{n:05d};Monday\n" for n in range(12)) + "Nobody;12;Tuesday\n"
DROP = """([content, name]) => {
    const carried = new DataTransfer();
    carried.items.add(new File([content], name, {type: "text/csv"}));
    const drop = document.querySelector(".drop");
    for (const kind of ["dragenter", "dragover", "drop"])
        drop.dispatchEvent(new DragEvent(kind, {dataTransfer: carried, bubbles: true, cancelable: true}));
}"""
READ_MS = 60_000
"""A process is started to read the file."""
REFUSED = r"(console error: Failed to load resource|console error: Response Status Error).* 422 "


@pytest.fixture(autouse=True)
def replaced(watch):
    """What shows how it will look is asked for anew while it is still being answered."""
    watch.expects(r"POST \S+/(plan|preview) net::ERR_ABORTED")


async def write_text(page: Page) -> None:
    """Write a text with fields and a curly apostrophe, see it, and have that replaced."""
    await page.fill("#template", "Dear ")
    await page.get_by_role("button", name="name", exact=True).click()
    await page.locator("#template").press_sequentially(", it’s on ")
    await page.get_by_role("button", name="day", exact=True).press("Enter")
    await expect(page.locator("#template")).to_have_value("Dear {name}, it’s on {day}")
    await expect(page.locator("#preview")).to_contain_text("Dear Ann0, it’s on Monday")
    await page.get_by_role("button", name="Replace in my text").click()
    await expect(page.locator("#template")).to_have_value("Dear {name}, it's on {day}")
    await expect(page.locator("#preview")).not_to_contain_text("Special characters")


async def test_a_file_is_dropped_and_becomes_a_mailing(page_as_sender, watch):
    page = page_as_sender
    await page.goto("/ui/mailings")
    await page.get_by_role("link", name="New mailing").first.click()
    await page.evaluate(DROP, [PEOPLE, "parents.csv"])
    await expect(page.locator("h1")).to_have_text("Columns and text", timeout=READ_MS)
    await expect(page.locator(".sheet th.numbers")).to_have_text("mobile")
    await write_text(page)
    await page.get_by_role("button", name="Check all rows").click()
    await expect(page.locator("#check h2")).to_have_text("12 of 13 rows can be sent", timeout=READ_MS)
    await expect(page.locator("#plan")).to_contain_text("Send 12 messages")
    await page.get_by_label("Name of the mailing").fill("Parents’ evening")
    async with page.expect_download() as download:
        await page.locator("#check summary").click()
        await page.get_by_role("link", name="Download these rows").click()
    assert (await download.value).suggested_filename == "refused-rows.csv"
    await page.locator("#plan").get_by_role("button", name="Send 12 messages").click()
    await page.locator("#send-dialog").get_by_role("button", name="Not yet").click()
    await expect(page.locator("#send-dialog")).to_be_hidden()
    await page.locator("#plan").get_by_role("button", name="Send 12 messages").click()
    await page.locator("#send-dialog").get_by_role("button", name="Send 12 messages").click()
    await expect(page.locator("h1")).to_have_text("Parents’ evening", timeout=READ_MS)
    await expect(page.locator("#state")).to_contain_text("finished", timeout=READ_MS)  # by the stream alone
    await expect(page.locator("#newest")).to_contain_text("Dear Ann11, it's on Monday")
    await page.get_by_role("link", name="Rows without a message").click()
    await expect(page.locator("main")).to_contain_text("1 row of the list gave no message")
    await page.get_by_role("link", name="Settings").click()
    await expect(page.locator("main")).to_contain_text("Dear {name}, it's on {day}")


@pytest.mark.parametrize("size", [DESK, PHONE])
async def test_a_file_is_chosen_with_the_keyboard_and_a_mailing_kept_cancelled(page_as_sender, watch, size):
    page = page_as_sender
    await page.goto("/ui/mailings/new")
    async with page.expect_file_chooser() as chooser:
        await page.locator("#file").press("Enter")
    file = {"name": "kept.csv", "mimeType": "text/csv", "buffer": PEOPLE.encode()}
    await (await chooser.value).set_files(file)
    await page.get_by_label("It is in a column of the file").check()
    await page.get_by_label("Messages are in").select_option(label="day")
    await expect(page.locator("#preview")).to_contain_text("Monday")
    await page.get_by_role("button", name="Check all rows").click()
    await page.get_by_label("Not yet: keep it ready, I start it myself").check()
    await page.get_by_role("button", name="Keep 12 messages ready").click()
    await expect(page.locator("#state")).to_contain_text("ready to start", timeout=READ_MS)
    await page.locator("#act-cancel").click()
    await page.keyboard.press("Escape")
    await expect(page.locator("#cancel-dialog")).to_be_hidden()
    await page.locator("#act-cancel").click()
    await page.get_by_role("button", name="Cancel the mailing").click()
    await expect(page.locator("#state")).to_contain_text("cancelled")


async def test_a_file_that_is_none_is_refused_and_another_can_be_chosen(page_as_sender, watch):
    page = page_as_sender
    watch.expects(REFUSED)
    await page.goto("/ui/mailings/new")
    await page.set_input_files("#file", {"name": "x.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4"})
    await expect(page.get_by_role("alert")).to_contain_text("is a PDF document")
    await page.set_input_files("#file", {"name": "x.csv", "mimeType": "text/csv", "buffer": PEOPLE.encode()})
    await expect(page.locator("h1")).to_have_text("Columns and text", timeout=READ_MS)
