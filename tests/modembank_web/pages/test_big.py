"""Pages of a box on which there is more of everything than fits: all answer, none grows without bound, lists go on.

And what is live on them: each part answers, where it says that it does, with itself.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from importlib import resources

import pytest
import pytest_asyncio

from fakes.browsers import browser
from fakes.crowds import SLOTS, crowd
from fakes.pages import ADMIN, token_of
from fakes.possessions import Possessions
from fakes.readers import Element, Reader
from fakes.web_boxes import Box, make_box
from modembank_web.pages import PAGES
from modembank_web.pages.page import Page

MOST_OCTETS = 400_000
"""No page is larger with what ``crowd`` makes: it is read on telephones, and made on a Pi."""
FRAME_OCTETS, ROW_OCTETS = 16_000, 1_200
"""What a page may have around its rows, and for each of them where all are there."""
PARAMETERS = {"/conversations/": "number", "/drafts/": "draft", "/mailings/": "mailing", "/webhooks/": "webhook"}
PARAMETERS |= {
    "/messages/": "longest",
    "/slots/": "slot",
    "/sims/": "iccid",
    "/users/": "name",
    "/providers/": "provider",
}
READS = [page for page in PAGES if page.method == "GET" and not page.stream and page.path not in {"/ui", "/ui/setup"}]
PASSING = ("/check", "/check/progress")
"""What is live there is so until the check is over: test_mailings.py waits for that."""
FILES = ("/export", "/file", "/results", "/refused-rows")
pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True)
class Crowd:
    """The box, what is there, and an admin who reads."""

    box: Box
    things: Possessions
    admin: Reader

    def address(self, page: Page) -> str:
        """Return where a page is of what is there."""
        kind = next((kind for place, kind in PARAMETERS.items() if f"{place}{{" in page.path), "")
        return re.sub(r"\{\w+\}", self.things.ids.get(kind, "").replace("+", "%2B"), page.path)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def all_(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Crowd]:
    box = await make_box(tmp_path_factory.mktemp("crowd"))
    things = await crowd(box)
    token = await token_of(box, ADMIN)
    async with browser(box) as client:
        client.headers["Cookie"] = f"__Host-mb={token}"
        yield Crowd(box, things, Reader(client, token))
    await box.store.close()


@pytest.mark.parametrize("page", READS, ids=lambda page: page.path)
async def test_every_page_answers_within_bounds(all_: Crowd, page: Page) -> None:
    await all_.admin.opens(all_.address(page))
    assert all_.admin.last is not None
    if not page.path.endswith(FILES):
        assert len(all_.admin.last.content) < MOST_OCTETS


@pytest.mark.parametrize("path", ["/ui/keys", "/ui/users", "/ui/webhooks", "/ui/sims", "/ui/bank"])
async def test_no_row_is_heavy(all_: Crowd, path: str) -> None:
    shown = await all_.admin.opens(path)
    rows = len(list(shown.all("tr"))) + len(list(shown.all("article")))
    assert rows > 50
    assert all_.admin.last is not None
    assert len(all_.admin.last.content) < FRAME_OCTETS + rows * ROW_OCTETS


async def test_all_slots_are_on_one_page(all_: Crowd) -> None:
    assert len(list((await all_.admin.opens("/ui/bank")).all("article"))) == SLOTS


def links(prefix: str) -> Callable[[Element], list[str]]:
    return lambda page: [a["href"] for a in page.all("a") if a.attributes.get("href", "").startswith(prefix)]


def cells(label: str) -> Callable[[Element], list[str]]:
    return lambda page: [cell.text for cell in page.all("td") if cell.attributes.get("data-label") == label]


def leads(page: Element) -> list[str]:
    return [cell.text for cell in page.all("td", class_="lead")]


def said(page: Element) -> list[str]:
    return [article.one("bdi").text for article in page.all("article")][::-1]


def cards(page: Element) -> list[str]:
    return [article["id"] for article in page.all("article")]


LISTS: dict[str, tuple[Callable[[Element], list[str]], str]] = {
    "/ui/messages": (links("/ui/messages/msg_"), "SELECT id FROM messages"),
    "/ui/conversations": (links("/ui/conversations/"), "SELECT DISTINCT number FROM conversations"),
    "/ui/conversations/{number}": (
        said,
        "SELECT id FROM inbox WHERE sender = '{number}' UNION ALL SELECT id FROM messages WHERE recipient = '{number}'",
    ),
    "/ui/keys": (leads, "SELECT id FROM api_keys"),
    "/ui/keys?user=ada": (leads, "SELECT k.id FROM api_keys k JOIN users u ON u.id = k.user_id WHERE u.name = 'ada'"),
    "/ui/users": (leads, "SELECT id FROM users"),
    "/ui/audit?action=crowd.note": (cells("Of"), "SELECT * FROM audit WHERE action = 'crowd.note'"),
    "/ui/mailings": (links("/ui/mailings/mlg_"), "SELECT id FROM mailings"),
    "/ui/mailings/{mailing}": (leads, "SELECT id FROM messages WHERE batch_id IS NOT NULL"),
    "/ui/mailings/{mailing}/rows": (cells("Line"), "SELECT line FROM mailing_rows"),
    "/ui/opt-outs": (leads, "SELECT number FROM opt_outs"),
    "/ui/issues": (cards, "SELECT id FROM issues WHERE cleared_at IS NULL"),
    "/ui/issues?state=cleared": (cards, "SELECT id FROM issues WHERE cleared_at IS NOT NULL"),
}


@pytest.mark.parametrize("path", LISTS)
async def test_show_more_leads_to_the_end_and_shows_each_entry_once(all_: Crowd, path: str) -> None:
    entries, sql = LISTS[path]
    ids = all_.things.ids
    address = path.replace("{number}", ids["number"].replace("+", "%2B")).replace("{mailing}", ids["mailing"])
    shown = await all_.admin.opens(address)
    seen = entries(shown)
    parts = 1
    while button := more_of(shown):
        shown = await all_.admin.asks(button["hx-get"])
        assert entries(shown)
        seen += entries(shown)
        parts += 1
    assert parts > 1
    assert len(seen) == len(set(seen)) == len(await all_.box.store.fetch_all(sql.replace("{number}", ids["number"])))


def more_of(page: Element) -> Element | None:
    """Return the button that goes on; beside a conversation stands the list of all, which goes on too."""
    buttons = {button.text: button for button in page.all("button")}
    return buttons.get("Show earlier") or buttons.get("Show more")


def live_parts(page: Element) -> Iterator[Element]:
    return (part for part in page.all() if "data-live-on" in part.attributes)


async def test_what_is_live_answers_with_itself(all_: Crowd) -> None:
    found: set[str] = set()
    for page in (page for page in READS if not page.path.endswith((*FILES, *PASSING))):
        address = all_.address(page)
        for part in live_parts(await all_.admin.opens(address)):
            answer = await all_.admin.asks(part["hx-get"])
            again = next(child for child in answer.children if isinstance(child, Element))
            for name in ("id", "data-live-on", "hx-get", "hx-trigger"):
                assert again[name] == part[name], (address, part["hx-get"])
            found.add(part["id"])
    assert found == set(templates_of_live_parts()) - {"check"}


def templates_of_live_parts() -> Iterator[str]:
    """Every id in a template of the box whose element is live."""
    folder = resources.files("modembank_web") / "templates"
    for noun in (each for each in folder.iterdir() if each.is_dir() and each.name != "hub"):
        for file in noun.iterdir():
            for tag in re.findall(r"<\w+ [^\n]*?data-live-on[^\n]*", file.read_text()):
                yield re.search(r'id="([\w-]+)"', tag)[1]  # type: ignore[index]
