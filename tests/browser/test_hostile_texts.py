"""S9: texts and senders from the air, as real PDUs through the emulated bank, on every page that there is.

What they say is text: nothing of it is run, fetched or taken for markup, and no page is torn apart by it.
"""

from __future__ import annotations

from urllib.parse import quote

import pytest
import pytest_asyncio
from playwright.async_api import expect

from browser.places import GET_PAGES, PERSONAL, nouns, place
from fakes.chromium import PHONE
from fakes.delivers import deliver, named, packed, text, wide

XSS = "<script>document.title='owned'</script><img src=x onerror=document.title='owned'>"
TEXTS = {
    "script": XSS,
    "closing": "</title></textarea></bdi></td>\"'><svg onload=document.title='owned'>",
    "htmx": "<div hx-get=/api/v1/account hx-trigger=load data-hx-get=/api/v1/account>hx</div>",
    "htmx on": "<b hx-on::load=document.title='owned' hx-vals='js:{a:document.title=1}'>on</b>",
    "link": "<a href=javascript:document.title='owned'>x</a><meta http-equiv=refresh content=0;url=/ui/login>",
    "style": "<style>*{display:none}</style><link rel=stylesheet href=//evil.example/x.css>",
    "template": "{{7*7}} {% include 'login/page.html' %} ${7*7} #{7*7}",
    "event": "x\n\nevent: ended\ndata: ended\n\n",
    "crlf": "a\r\nSet-Cookie: b=c\r\n\r\n<b>d</b>",
    "entities": "&lt;b&gt; &#60;i&#62; &quot;",
    "formula": '=HYPERLINK("//evil.example","x")',
    "override": "a\u202ecod.exe\u2066b\u200fc",
    "separators": "a\u2028b\u2029c",
    "nul": "a\x00b\x1b[2Jc\x7fd\x85e",
    "surrogate": "lone \ud800 and \udfff.",
    "rtl": "\u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd (1)",
    "long": "W" * 60,
    "zalgo": "Z" + "\u0300\u0489" * 24,
}
SENDERS = ("<b>x", "{{7*7}}", "=1+1", "'\"><i>", "a\nb")
CORPUS = [
    *(wide(words, sender=f"0B9144977009{n // 10}{n % 10}F0") for n, words in enumerate(TEXTS.values())),
    *(text("from a name", sender=named(name)) for name in SENDERS),
    deliver(packed("unknown kind"), 12, sender=named("x<y>z", kind="F7")),
]
LONGEST = "<i>1600</i> " * 133
NOUNS = nouns([page for page in GET_PAGES if not page.path.startswith(PERSONAL)])
SECRET_PATHS = {"GET /api/v1/account"}


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def heard(box, things):
    """All of it is in the inbox."""
    to, network = box.bank.cards[0].msisdn, box.bank.network
    before = len(await everything(box))
    for pdu in CORPUS:
        network.inject(to, pdu=pdu)
    network.inject(to, LONGEST, "+447911000001")

    async def all_there():
        found = await everything(box)
        return found if len(found) >= before + len(CORPUS) + 1 else None

    return await box.until(all_there)


async def everything(box):
    return (await box.get("inbox?limit=100"))["items"]


async def test_they_came_as_they_were_written(heard):
    texts = {message["text"] for message in heard}
    assert {TEXTS["script"], TEXTS["htmx"], TEXTS["template"], TEXTS["crlf"], TEXTS["override"]} <= texts
    assert LONGEST in texts
    assert "<b>x" in {message["from"] for message in heard}


@pytest.mark.parametrize("size", [PHONE])
@pytest.mark.parametrize("noun", NOUNS)
async def test_s09_no_page_takes_them_for_more_than_text(page_as_admin, watch, things, heard, noun, size):
    for page in NOUNS[noun]:
        await harmless(page_as_admin, watch, place(page, things))


async def harmless(page, watch, path, *, whole=False):
    response = None if whole else await page.context.request.get(path)
    if response is not None and not (await response.body()).lstrip().lower().startswith(b"<!doctype"):
        return
    await page.goto(path)
    await page.locator("main").wait_for()
    assert "owned" not in await page.title()
    strange = await page.evaluate(
        "[...document.querySelectorAll('bdi *, .foreign *, main script, main style, main link, main meta, main iframe,"
        ' [onerror], [onload], [hx-on], [data-hx-get], [href^="javascript:"]\')].map((each) => each.outerHTML)'
    )
    assert not strange
    assert not SECRET_PATHS & set(watch.requests)
    over = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert over <= 0, f"{path} scrolls sideways, by {over} px"


async def test_s09_each_conversation_shows_what_was_written(page_as_admin, watch, heard):
    """Every sender's own page, once there is such a page."""
    pages = [page for page in GET_PAGES if page.path.startswith("/ui/conversations/{") and page.path.endswith("}")]
    for message in heard if pages else ():
        await harmless(page_as_admin, watch, f"/ui/conversations/{quote(message['from'], safe='')}", whole=True)


async def test_s09_what_is_refused_with_anothers_words_in_it_is_text(page_as_admin, watch):
    page = page_as_admin
    watch.expects(r"console error: Failed to load resource: the server responded with a status of 40")
    for path in ("/ui/%3Cimg%20src=x%20onerror=document.title='owned'%3E", "/ui/assets/%3Cscript%3E1%3C%2Fscript%3E"):
        await page.goto(path)
        assert "owned" not in await page.title()
        await expect(page.locator("main img[src=x], main script")).to_have_count(0)
