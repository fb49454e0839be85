"""What axe-core finds on a page. ``make test-tools`` fetches it; nothing of it is in the product."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from playwright.async_api import Page

AXE = Path(__file__).resolve().parents[2] / ".browser" / "axe-core" / "axe.min.js"
GRAVE = {"serious", "critical"}
BY_LOOKS = ("color-contrast", "target-size", "scrollable-region-focusable")
"""Rules whose answer depends on the width and the colours; the others judge what is the same in all of them."""


@cache
def _axe() -> str:
    assert AXE.exists(), "axe-core is missing: run `make test-tools`"
    return AXE.read_text("utf-8")


async def findings(page: Page, rules: tuple[str, ...] = ()) -> list[str]:
    """Return every grave finding as ``rule: where (why)``; with ``rules`` only theirs."""
    if not await page.evaluate("Boolean(window.axe)"):
        await page.evaluate(_axe())
    options = {"resultTypes": ["violations"], "elementRef": False}
    if rules:
        options["runOnly"] = {"type": "rule", "values": list(rules)}
    found = await page.evaluate("(options) => axe.run(document, options).then((result) => result.violations)", options)
    return [
        f"{violation['id']}: {' '.join(map(str, node['target']))} ({violation['help']}: {node['failureSummary']})"
        for violation in found
        for node in violation["nodes"]
        if violation["impact"] in GRAVE
    ]
