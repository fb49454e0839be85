"""The pictures of docs/install.md, taken anew: ``python tests/browser/pictures.py``; what they show is really done.

A box on four emulated modems is set up by its own pages as a newcomer would, sends a message, has an answer, and sends
a mailing. What is shown differs a little each time, so no test compares it.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from playwright.async_api import Page, expect

from fakes.chromium import chromium
from modembank.accounts.first_start import read_code
from modembank.bank import BankOptions
from modembank.config import BankConfig, BoxConfig, Config, LimitsConfig, LogConfig, PortEntry, WebConfig
from modembank.system import Process
from modembank_emulator import Bank, LatencyModel
from modembank_emulator import BankConfig as EmulatedBankConfig
from modembankd.daemon import Daemon
from modembankd.logs import configure_logs

FOLDER = Path(__file__).resolve().parents[2] / "docs/pictures"
SIZE = {"width": 1120, "height": 720}
LABELS = ("front left", "front right", "back left", "back right")
PASSWORD = "a long sentence is fine"
NAMES = ("Ann Keller", "Ben Moser", "Carla Frei", "David Roth", "Eva Lang", "Finn Graf")
PATIENTS = "name,phone,when\n" + "".join(
    f"{NAMES[n % len(NAMES)]},+447700900{n:03d},{'Monday' if n % 2 else 'Tuesday'} at {9 + n % 8}:00\n"
    for n in range(60)
)
READ_MS = 60_000


async def main() -> None:
    """Start a box, and be its newcomer."""
    FOLDER.mkdir(exist_ok=True)
    configure_logs(LogConfig(level="error"), Process().logs)
    with tempfile.TemporaryDirectory(prefix="modembank-pictures-") as name:
        folder = Path(name)
        options = EmulatedBankConfig(
            modems=len(LABELS), link_dir=folder / "tty", latency=LatencyModel.parse("fixed:0.3")
        )
        async with Bank(options) as bank:
            daemon = Daemon(_config(folder), BankOptions(stagger_s=0.02))
            await daemon.start()
            try:
                async with chromium() as browser:
                    context = await browser.new_context(base_url=daemon.url, viewport=SIZE, locale="en-GB")
                    await visit(await context.new_page(), daemon, bank)
            finally:
                await daemon.stop()


async def visit(page: Page, daemon: Daemon, bank: Bank) -> None:
    """Go the way that docs/install.md describes."""
    code = read_code(Path(daemon.box.app.config.box.data_dir))
    await page.goto("/")
    await page.get_by_label("Set-up code").fill(code.text if code else "")
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_label("Password again").fill(PASSWORD)
    await take(page, "set-up")
    await page.get_by_role("button", name="Set up this box").click()
    await page.wait_for_url("**/ui/**")
    await page.goto("/ui/bank")
    await expect(page.locator("main")).to_contain_text("4 of 4")
    await take(page, "bank")
    await page.goto("/ui/messages/new")
    await page.get_by_label("To", exact=True).fill(bank.cards[1].msisdn)
    await page.get_by_label("Text", exact=True).fill("Dear Ann, your appointment is on Monday at 10:40.")
    await expect(page.locator("#preview")).to_contain_text("1 segment")
    await take(page, "compose")
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator("#message-now")).to_contain_text("delivered", timeout=READ_MS)
    await take(page, "message")
    await send_list(page)
    bank.network.inject(bank.cards[0].msisdn, "Thank you, I will be there. May I bring my daughter?", "+447700900003")
    await page.goto("/ui/conversations")
    await page.locator(".talk-list a", has_text="May I bring my daughter").click()
    await expect(page.locator("main")).to_contain_text("May I bring my daughter")
    await take(page, "conversation")


async def send_list(page: Page) -> None:
    """Send a mailing."""
    await page.goto("/ui/mailings/new")
    await page.set_input_files("#file", {"name": "patients.csv", "mimeType": "text/csv", "buffer": PATIENTS.encode()})
    await expect(page.locator("h1")).to_have_text("Columns and text", timeout=READ_MS)
    await page.fill("#template", "Dear {name}, we see you on {when}.")
    await expect(page.locator("#preview")).to_contain_text("Dear Ann Keller, we see you on")
    await take(page, "columns")
    await page.get_by_role("button", name="Check all rows").click()
    await expect(page.locator("#check h2")).to_have_text("All 60 rows are fine", timeout=READ_MS)
    await page.get_by_label("Name of the mailing").fill("Appointments of this week")
    await page.locator("#plan").get_by_role("button", name="Send 60 messages").click()
    await page.locator("#send-dialog").get_by_role("button", name="Send 60 messages").click()
    await expect(page.locator("h1")).to_have_text("Appointments of this week", timeout=READ_MS)
    await page.wait_for_timeout(8_000)
    await take(page, "mailing")


async def take(page: Page, name: str) -> None:
    """Write a picture of what is in the window, once its pictures have come to rest."""
    await page.wait_for_timeout(500)
    await page.screenshot(path=FOLDER / f"{name}.png", animations="disabled", caret="hide")


def _config(folder: Path) -> Config:
    ports = tuple(
        PortEntry(path=str(folder / "tty" / f"modem-{number:02d}"), label=label) for number, label in enumerate(LABELS)
    )
    return Config(
        box=BoxConfig(id="clinic", data_dir=str(folder / "data"), region="GB"),
        web=WebConfig(listen="127.0.0.1:0"),
        bank=BankConfig(port=ports),
        limits=LimitsConfig(min_interval_s=1.0, per_minute=15, per_hour=200, per_day=1000),
    )


if __name__ == "__main__":
    asyncio.run(main())
