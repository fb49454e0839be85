"""The appliance in a browser: an update from the file to the restart, without anybody loading the page again."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from browser.accessible import findings
from fakes.chromium import PHONE
from fakes.images import BUNDLE

SLOW = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 4_000_000}


@pytest.fixture
def said(image):
    """The image, which says and has asked of it as before once the test is over."""
    before = (image.run / "update.json").read_bytes()
    yield image
    image.says("update", before)
    (image.asked_in / "request.json").unlink(missing_ok=True)


@pytest.mark.parametrize("size", [PHONE])
async def test_an_update_is_followed_to_its_restart(page_as_admin, said, tmp_path):
    page = page_as_admin
    await page.goto("/ui/box")
    network = await page.context.new_cdp_session(page)
    await network.send("Network.enable")
    await network.send("Network.emulateNetworkConditions", SLOW)
    bundle = tmp_path / "modembank.raucb"
    bundle.write_bytes(BUNDLE * 4_000)
    await page.set_input_files("#file", str(bundle))
    await expect(page.locator("[data-upload-state]")).to_have_text(re.compile(r"^[1-9]\d? % is on the box"))
    said.says("data", {"state": "grown"})  # what changes meanwhile does not take the upload away
    await expect(page.locator("#update")).to_contain_text("ada asked for an update", timeout=20_000)
    assert not await findings(page)
    assert said.takes()["verb"] == "update"
    said.says("update", {"state": "installing", "percent": 40, "version": "1.3.0"})
    await expect(page.locator("#update progress")).to_have_attribute("value", "40")
    assert not await findings(page)
    said.says("update", {"state": "installed", "percent": 100, "version": "1.3.0"})
    await page.click("text=Restart now")
    await page.click("dialog[open] >> text=Restart it")
    await expect(page.locator("#update")).to_contain_text("ada asked for a restart")
    assert said.takes()["verb"] == "restart"


async def test_a_reset_is_asked_for_with_the_name_alone(page_as_admin, said, watch):
    watch.expects(r"422|Response Status Error Code 422")
    page = page_as_admin
    await page.goto("/ui/box")
    await page.click("text=Factory reset")
    await page.fill("#reset-form [name=box]", "other")
    await page.click("text=Delete everything and restart")
    await expect(page.locator("#reset-form .error")).to_contain_text("must be the name of this box")
    assert not await findings(page)
    await page.keyboard.press("Escape")
    await expect(page.locator("#reset-box")).not_to_be_visible()
    assert said.asked() is None
