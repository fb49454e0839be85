"""What a page costs: processor time of the server per page, in ratio to a page that shows nothing, in the same run.

Run: ``python tests/bench/bench_pages.py``. A whole web application in this process over a box with a few thousand
messages; every GET page without a parameter is asked for in turn, as an admin. The processor time includes the
session, the services, the database and the template. The goal: 95 of 100 pages take less than fifteen times a page
that shows nothing, which is about a tenth of a second on a board a tenth as quick as a desk.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from report import Report, percentile, verdict

from fakes.pages import ADMIN, at_a_page, people
from fakes.web_boxes import Box, make_box
from modembank.accounts import Role
from modembank_web import create_app, pages
from modembank_web.answer import HTML, Answer
from modembank_web.operation import Call
from modembank_web.pages.page import Page, operations_of

NOTHING = "/ui/nothing-at-all"
MESSAGES, ROUNDS, WARM = 2_000, 200, 20
GOAL = 15.0


async def nothing(_: Call) -> Answer:
    """Show nothing, to whoever is logged in."""
    return Answer(b"<!doctype html><title>Nothing</title>", 200, HTML)


async def fill(box: Box) -> None:
    """Put messages of one sender there."""
    key = await box.key(Role.SENDER, name="shop")
    async with box.client(key) as client:
        for first in range(0, MESSAGES, 100):
            to = [f"+4479009{number:05d}" for number in range(first, first + 100)]
            answer = await client.post("/api/v1/messages", json={"to": to, "text": "Your order <is> ready."})
            answer.raise_for_status()


async def cost(client: httpx.AsyncClient, path: str) -> float:
    """Return milliseconds of processor time of one page; httpx's own share is in all of them alike."""
    began = time.process_time()
    answer = await client.get(path)
    taken = (time.process_time() - began) * 1000
    assert answer.status_code < 400, f"{path}: {answer.status_code}"
    return taken


async def measure(folder: Path) -> bool:
    """Ask for all pages in turn, so that what the machine does meanwhile meets them alike."""
    box = await make_box(folder)
    await people(box)
    await fill(box)
    pages.OPERATIONS = (*pages.OPERATIONS, *operations_of([Page("nothing", "GET", NOTHING, nothing)]))
    box.web = create_app(box, box.readiness)  # type: ignore[arg-type]
    paths = [page.path for page in pages.PAGES if page.method == "GET" and not page.stream and "{" not in page.path]
    taken: dict[str, list[float]] = {path: [] for path in (NOTHING, *paths)}
    async with at_a_page(box, ADMIN) as client:
        for turn in range(WARM + ROUNDS):
            for path, found in taken.items():
                ms = await cost(client, path)
                if turn >= WARM:
                    found.append(ms)
    await box.store.close()
    report = Report(f"pages, {ROUNDS} times each: ms of processor time, median and p95")
    base = statistics.median(taken[NOTHING])
    reached = True
    for path, found in taken.items():
        high = percentile(found, 0.95)
        reached = reached and high < GOAL * base
        ratio = f"{high / base:.1f} x nothing; {verdict(high < GOAL * base, f'< {GOAL:g} x')}"
        report.row(path, f"{statistics.median(found):.2f}  {high:.2f}", ratio)
    return reached


def main() -> None:
    """Measure in a folder that goes."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder)))


if __name__ == "__main__":
    sys.exit(main())
