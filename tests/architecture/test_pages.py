"""What templates, styles and scripts of the pages must not hold, and that nothing of them is left over."""

from __future__ import annotations

import gzip
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from fakes.browsers import browser
from fakes.pages import people
from fakes.web_boxes import make_box
from modembank_web.hub.pages import TOPICS as HUB_TOPICS
from modembank_web.pages import PAGES
from modembank_web.pages.assets import ASSETS
from modembank_web.pages.live import TOPICS
from modembank_web.pages.navigation import GROUPS
from modembank_web.pages.rendering import environment
from modembank_web.pages.showcase import COMPONENTS

WEB = Path(__file__).resolve().parents[2] / "web" / "modembank_web"
TEMPLATES = sorted((WEB / "templates").rglob("*.html"))
STYLES = sorted((WEB / "static" / "ui" / "css").rglob("*.css"))
SCRIPTS = sorted([*(WEB / "static" / "ui" / "js").rglob("*.js"), WEB / "static" / "ui" / "theme.js"])
SOURCES = sorted([*(WEB / "pages").rglob("*.py"), *(WEB / "hub").rglob("*.py")])
FIRST_LOAD = 100_000
"""Octets as they are sent, of the first page that anybody sees with all that it loads."""
NOT_YET: set[str] = set()
"""What the menu names and nobody has built; empty it as they come."""

FORBIDDEN = {
    "a style in an attribute": r"[\s\"']style\s*=",
    "a style in the page": r"<style",
    "a script in the page": r"<script(?![^>]*\ssrc=)",
    "a handler in an attribute": r"\son[a-z]+\s*=\s*[\"'{]",
    "a handler of htmx": r"hx-on",
    "code in values": r"js:|javascript:",
    "a filter of a trigger": r"hx-trigger=\"[^\"]*\[",
    "unescaped text": r"\|\s*safe\b|autoescape false|Markup\(",
    "polling": r"hx-trigger=\"[^\"]*every ",
    "another host": r"(?:src|href|action|hx-\w+)=[\"'](?:https?:)?//",
    "a push of history with another's words": r"hx-history=\"true\"",
}


def relative(path: Path) -> str:
    return str(path.relative_to(WEB))


@pytest.mark.parametrize("what", FORBIDDEN)
def test_s08_no_template_holds(what: str) -> None:
    rule = re.compile(FORBIDDEN[what], re.IGNORECASE)
    found = [
        f"{relative(path)}:{number}: {line.strip()[:120]}"
        for path in TEMPLATES
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if rule.search(line)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("path", TEMPLATES, ids=relative)
def test_every_template_compiles(path: Path) -> None:
    environment().get_template(str(path.relative_to(WEB / "templates")))


def test_every_template_is_used() -> None:
    sources = "\n".join(path.read_text("utf-8") for path in (*SOURCES, *TEMPLATES))
    unused = [name for path in TEMPLATES if f'"{(name := str(path.relative_to(WEB / "templates")))}"' not in sources]
    assert not unused


def test_s09_everything_is_escaped() -> None:
    made = environment()
    assert made.autoescape is True
    assert str(made.from_string("{{ x }}").render(x="<b>'\"&")) == "&lt;b&gt;&#39;&#34;&amp;"


def test_s08_pages_make_no_markup_of_text() -> None:
    """``Markup`` around anything but a literal would let text through as it is."""
    rule = re.compile(r"Markup\((?!\"|'|\))")
    assert not [relative(path) for path in SOURCES if rule.search(path.read_text("utf-8"))]


def test_s08_styles_and_scripts_load_nothing_and_make_no_code() -> None:
    for path in STYLES:
        assert not re.search(r"url\(|@import|expression\(", path.read_text("utf-8")), path.name
    for path in SCRIPTS:
        text = path.read_text("utf-8")
        assert not re.search(r"\beval\(|new Function|innerHTML|outerHTML|insertAdjacent|document\.write", text), (
            path.name
        )
        assert not re.search(r"https?:|setTimeout\(\s*[\"'`]|\.style\.|cssText", text), path.name


def test_s08_htmx_is_told_to_run_nothing() -> None:
    document = (WEB / "templates" / "layout" / "document.html").read_text("utf-8")
    config = json.loads(re.search(r"name=\"htmx-config\" content='([^']+)'", document)[1])  # type: ignore[index]
    assert {name: config[name] for name in ("allowEval", "allowScriptTags", "includeIndicatorStyles")} == dict.fromkeys(
        ("allowEval", "allowScriptTags", "includeIndicatorStyles"), False
    )
    assert config["selfRequestsOnly"] is True
    assert config["historyCacheSize"] == 0


def test_every_component_is_on_the_page_that_shows_them() -> None:
    shown = (WEB / "templates" / "components" / "showcase.html").read_text("utf-8")
    files = {path.stem for path in (WEB / "templates" / "components").glob("*.html")} - {"showcase"}
    styles = {path.stem for path in (WEB / "static" / "ui" / "css" / "components").glob("*.css")}
    assert files | styles == set(COMPONENTS)
    for name in COMPONENTS:
        assert f'id="{name}"' in shown, name
    for path in (WEB / "templates" / "components").glob("*.html"):
        for macro in re.findall(r"{% macro ([a-z]\w*)\(", path.read_text("utf-8")):
            assert re.search(rf"\b{macro}\(", shown), f"{path.stem}.{macro} is not shown"


class Loaded(HTMLParser):
    """Which assets a page names."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.paths: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        for path in (given.get("src"), given.get("href") if tag == "link" else None):
            if path:
                self.paths.append(path)


async def test_the_first_page_loads_little_and_all_assets_are_used(tmp_path: Path) -> None:
    box = await make_box(tmp_path)
    await people(box)
    async with browser(box) as client:
        login = (await client.get("/ui/login")).text
    await box.store.close()
    named = {path.removeprefix("/ui/assets/") for path in Loaded(login).paths}
    assert named == {asset.name for asset in ASSETS._served.values()}
    assert ASSETS.packed_octets + len(gzip.compress(login.encode())) < FIRST_LOAD


def test_every_style_and_script_is_served() -> None:
    served = b"".join(asset.content for asset in ASSETS._served.values())
    for path in (*STYLES, *SCRIPTS):
        assert path.read_bytes() in served, relative(path)
    assert {path.name for path in (WEB / "static" / "ui").iterdir() if path.is_file()} == {
        "htmx-2.0.11.min.js", "htmx.LICENSE.txt", "icon.svg", "theme.js"
    }  # fmt: skip


def test_the_menu_leads_to_pages_that_exist() -> None:
    paths = {page.path for page in PAGES if page.method == "GET"}
    missing = {entry.path for group in GROUPS for entry in group.entries} - paths
    assert missing <= NOT_YET
    assert not NOT_YET & paths, "these are there now"


def test_what_is_live_hears_of_something_and_asks_for_itself() -> None:
    of_box, of_hub = ({name for names in topics.values() for name in names} for topics in (TOPICS, HUB_TOPICS))
    for path in TEMPLATES:
        known = of_hub if relative(path).startswith("templates/hub/") else of_box
        for tag in re.findall(r"<[^>]*\sdata-live-on=[^>]*>", path.read_text("utf-8")):
            topics = re.search(r'data-live-on="([^"{]+)"', tag)
            assert topics is not None, f"{relative(path)}: {tag}"
            assert set(topics[1].split(" ")) <= known, f"{relative(path)}: {tag}"
            assert re.search(r'hx-trigger="live[",]', tag), f"{relative(path)}: {tag}"
            assert "hx-get=" in tag, f"{relative(path)}: {tag}"


def test_every_page_has_a_name_and_a_place_of_its_own() -> None:
    assert len({page.id for page in PAGES}) == len(PAGES)
    assert len({(page.method, page.path) for page in PAGES}) == len(PAGES)
    assert all(page.path.startswith("/ui") for page in PAGES)
