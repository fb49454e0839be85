"""Whatever is asked of a page, or sent to it, it answers as a page does, and what it refused changed nothing."""

from __future__ import annotations

import asyncio
import enum
import re
import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args, get_origin
from urllib.parse import quote, quote_from_bytes

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes.browsers import OWN_PAGE, browser
from fakes.forms import BOUNDARY, MULTIPART, multipart
from fakes.pages import ADMIN, SENDER, Outline, people, token_of
from fakes.web_boxes import ICCID, Box, make_box
from modembank.accounts import LOCAL_ADMIN
from modembank_web.cookies import page_token
from modembank_web.forms import FORM, FormBody
from modembank_web.pages import PAGES
from modembank_web.pages.page import Page

EXAMPLES = max(settings.default.max_examples // 20, 4) if settings.default else 5
"""Of each page; ``make soak`` tries thirty times as many."""
quick = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
READS = [page for page in PAGES if page.method == "GET" and not page.stream]
"""A stream has no end, and tests of its own."""
CHANGES = [page for page in PAGES if page.method != "GET" and page.id not in {"modemEnable", "modemDisable"}]
"""Enabling would start a worker that outlives the example."""
CHANGES.sort(key=lambda page: page.id in {"discardDraft", "messageDelete", "webhookDelete"})  # what they need, last

NUMBER, TEXT = "+447900900123", "Dear Ann, your appointment is at 10:40."
INJECTED = "<script>mb17</script><mb17>\" onfocus=mb17 '"
"""Which must not come back as an element or an attribute, wherever it was written."""
LONE_SURROGATE = b"\xed\xa0\x80"
JUNK = [
    b"", b"%", b"\x00", b"\xff\xfe", LONE_SURROGATE, b"\r\nSet-Cookie: a=b", b"../..", b"-1", b"0", b"1e309", b"NaN",
    b"9" * 40, b"99999-01-01", b"0001-01-01T00:00:00+23:59", b"9999-12-31T23:59:59-14:00", b"{name} {{7*7}} {",
    "\u202e٣".encode(), INJECTED.encode(), b"a" * 5_000, b"true", b"sent,queued", b"*", b"'; DROP TABLE users; --",
    b"https://[::1", b"10.0.0.0/99", b"Invalid/Zone",
]  # fmt: skip
GOOD = [
    NUMBER.encode(),
    TEXT.encode(),
    ICCID.encode(),
    b"1",
    b"12",
    b"2030-01-01",
    b"2030-01-01T08:00",
    b"auto",
    b"ann",
]
TAME = st.sampled_from([*GOOD, INJECTED.encode(), b"", b"0", b"-1", b"9" * 40, b"99999-01-01", b"0001-01-01"])
VALUES = st.sampled_from(JUNK) | st.sampled_from(GOOD) | st.binary(max_size=12)


class Running:
    """A box with one of everything, on a loop of its own, for examples that synchronous tests draw."""

    def __init__(self, folder: Any) -> None:
        self.runner = asyncio.Runner()
        self.box: Box = self.runner.run(make_box(folder))
        self.there = self.runner.run(self._filled())
        self.tables: tuple[str, ...] = tuple(
            name
            for (name,) in self.runner.run(
                self.box.store.fetch_all("SELECT name FROM sqlite_master WHERE type = 'table'")
            )
            if name != "login_failures"
        )
        self.renew()

    def renew(self) -> None:
        """Log the admin in anew, whatever failed before: some pages end the session."""
        self.runner.run(self.box.store.write(lambda conn: conn.execute("DELETE FROM login_failures").rowcount))
        self.token = self.runner.run(token_of(self.box, ADMIN))

    async def _filled(self) -> dict[str, str]:
        await people(self.box)
        _, key = await self.box.accounts.add_key(LOCAL_ADMIN, ADMIN)
        sent = {"to": NUMBER, "text": TEXT}
        hook = {"url": "https://hooks.example/told", "events": ["message.unknown"]}
        file = {"file": ("people.csv", f"name,phone\nAnn,{NUMBER}\nBob,12\n".encode())}
        there = {"slot": "slot-03", "iccid": ICCID, "number": NUMBER, "name": SENDER}
        async with self.box.client(key) as client:
            there["messages"] = (await client.post("/api/v1/messages", json=sent)).json()["id"]
            there["webhooks"] = (await client.post("/api/v1/webhooks", json=hook)).json()["id"]
            told = {"name": INJECTED, "template": "Dear {name}", "hold": "true"}
            there["mailings"] = (await client.post("/api/v1/mailings", files=file, data=told)).json()["id"]
        token = await token_of(self.box, ADMIN)
        async with browser(self.box) as client:
            headers = {"Cookie": f"__Host-mb={token}", "X-Page-Token": page_token(token)}
            drafted = await client.post("/ui/mailings/new", files=file, headers=headers)
            assert drafted.status_code == 303, drafted.text
            there["drafts"] = drafted.headers["location"].rpartition("/")[2]
        return there

    def ask(self, page: Page, address: str, body: bytes = b"", **headers: str) -> httpx.Response:
        sent = OWN_PAGE | {"Cookie": f"__Host-mb={self.token}", "X-Page-Token": page_token(self.token)} | headers

        async def once() -> httpx.Response:
            async with browser(self.box) as client:
                return await client.request(page.method, address, content=body, headers=sent)

        return self.runner.run(once())

    def rows(self) -> dict[str, Any]:
        """Count the rows of all tables but of the failures to log in, which are written down to be counted."""
        counts = ", ".join(f'(SELECT count(*) FROM "{name}")' for name in self.tables)
        found = self.runner.run(self.box.store.fetch_one(f"SELECT {counts}"))
        assert found is not None
        return dict(zip(self.tables, found, strict=True))

    def close(self) -> None:
        self.runner.run(self.box.store.close())
        self.runner.close()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(tmp_path_factory.mktemp("queries"))
    yield running
    running.close()


def module_of(page: Page) -> dict[str, Any]:
    return getattr(page.show, "func", page.show).__globals__


def shapes(page: Page) -> list[type[msgspec.Struct]]:
    """Return what the module of a page reads from queries (GET) or forms: not each is this page's, all are near."""
    known = list(module_of(page).values())
    if page.method == "GET":
        return [
            each for each in known if isinstance(each, type) and issubclass(each, msgspec.Struct) and is_query(each)
        ]
    return [each.shape for each in known if isinstance(each, FormBody)]


def is_query(shape: type[msgspec.Struct]) -> bool:
    """Tell whether it can be read from an address without any query."""
    return len(shape.__struct_defaults__) == len(shape.__struct_fields__) > 0


def possible(annotation: Any) -> list[bytes]:
    """Return the values that a field names: those of enums and literals."""
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return [str(each.value).encode() for each in annotation]
    if get_origin(annotation) is Literal:
        return [str(each).encode() for each in get_args(annotation)]
    inner = get_args(annotation)[:1] if get_origin(annotation) is Annotated else get_args(annotation)
    return [value for each in inner if not isinstance(each, types.EllipsisType) for value in possible(each)]


def pairs(page: Page) -> st.SearchStrategy[list[tuple[bytes, bytes]]]:
    """Names that the page knows with values near and far; names that it does not; names that come twice."""
    fields = {field.encode_name: field.type for shape in shapes(page) for field in msgspec.structs.fields(shape)}
    unknown = st.tuples(st.sampled_from([b"", b"x", b"__class__", b"a[b]", INJECTED.encode(), LONE_SURROGATE]), VALUES)
    one = [
        st.tuples(st.just(name.encode()), st.sampled_from(found) | VALUES if (found := possible(kind)) else VALUES)
        for name, kind in sorted(fields.items())
    ]
    many = st.lists(st.one_of(*one, unknown) if one else unknown, max_size=5)
    if not shapes(page):
        return many
    near = st.fixed_dictionaries({}, optional={
        name.encode(): st.sampled_from(found) if (found := possible(kind)) else TAME for name, kind in fields.items()
    }).map(lambda given_: list(given_.items())[:3])  # fmt: skip
    whole = st.sampled_from(shapes(page)).flatmap(lambda shape: st.tuples(*(
        field for field, name in zip(one, sorted(fields), strict=True) if name in shape.__struct_encode_fields__
    )))  # fmt: skip
    return near | near | many | whole.map(list) | whole.flatmap(lambda all_: st.permutations([*all_, *all_[:1]]))


def encoded(found: list[tuple[bytes, bytes]]) -> bytes:
    return b"&".join(f"{quote_from_bytes(name)}={quote_from_bytes(value)}".encode() for name, value in found)


def written(page: Page) -> st.SearchStrategy[bytes]:
    return pairs(page).map(encoded) | st.sampled_from([b"%", b"%zz=%", b"a=%C3", b"&&=&", b"a=b;c", b"x=1&" * 201])


def real(page: Page, there: dict[str, str]) -> dict[str, str]:
    """Return parameters of its path that lead to what is there."""
    kind = "drafts" if "/drafts/" in page.path else page.path.removeprefix("/ui/").partition("/")[0]
    return {name: there.get(kind if name == "id" else name, "1") for name in re.findall(r"\{(\w+)\}", page.path)}


def address(page: Page, values: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: quote(values[found[1]], safe=""), page.path)


def addresses(page: Page, there: dict[str, str]) -> st.SearchStrategy[str]:
    """The path with what is there, and with what is not."""
    part = st.sampled_from(["0", "msg_", "mlg_0000000000001", "é", "a" * 300, "\x00", INJECTED, "%2e", "+1", "1" * 40])
    values = {name: st.just(value) | st.just(value) | part for name, value in real(page, there).items()}
    return st.fixed_dictionaries(values).map(lambda drawn: address(page, drawn))


def judge(answer: httpx.Response, *statuses: int) -> None:
    """Fail unless it is a page, or a part of one, or a file; and nothing in it came alive."""
    assert answer.status_code in statuses, answer.text[:2_000]
    kind = answer.headers.get("content-type", "")
    if "content-disposition" in answer.headers:
        assert kind.startswith("text/csv")
        return
    assert kind.startswith("text/html") or not answer.content
    assert len(answer.content) < 300_000
    outline = Outline(answer.text)
    assert not [tag for tag, given_ in outline.tags if tag == "mb17" or any(name.startswith("on") for name in given_)]
    assert "<script>" not in answer.text.lower()


def each(pages: list[Page]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("page", pages, ids=lambda page: page.id)


@each(READS)
@quick
@given(drawn=st.data())
def test_whatever_is_asked_is_answered_as_a_page(running: Running, page: Page, drawn: st.DataObject) -> None:
    path = drawn.draw(addresses(page, running.there), label="path")
    query = drawn.draw(written(page), label="query").decode()
    headers = {"HX-Request": "true"} if drawn.draw(st.booleans(), label="by htmx") else {}
    before = running.rows()
    answer = running.ask(page, f"{path}?{query}", **headers)
    judge(answer, 200, 204, 303, 400, 403, 404, 422)
    if answer.status_code >= 400:
        assert running.rows() == before


@each([page for page in READS if any("cursor" in shape.__struct_encode_fields__ for shape in shapes(page))])
def test_a_list_does_not_go_on_from_nowhere(running: Running, page: Page) -> None:
    path = address(page, real(page, running.there))
    for cursor in ("x", "%00", "9" * 40, "eyJhIjoxfQ"):
        for headers in ({}, {"HX-Request": "true"}):
            judge(running.ask(page, f"{path}?cursor={cursor}", **headers), 200, 422)


BODIES = st.sampled_from([
    *[(FORM, None)] * 6, (f"{FORM}; charset=utf-16", None), ("application/json", b'{"name": 1}'), ("text/plain", None),
    (f"{MULTIPART}; boundary={BOUNDARY}", None), (MULTIPART, b"no boundary"), (FORM, b"a=\xff"), ("", b"\x00"),
])  # fmt: skip
"""A content type and a body; None: the fields."""


@each(CHANGES)
@quick
@given(drawn=st.data())
def test_what_is_refused_changes_nothing(running: Running, page: Page, drawn: st.DataObject) -> None:
    path = drawn.draw(addresses(page, running.there), label="path")
    media, body = drawn.draw(BODIES, label="media")
    found = drawn.draw(pairs(page), label="fields")
    if body is None and media.startswith(MULTIPART):
        body = multipart({name.decode(errors="replace"): value.decode(errors="replace") for name, value in found})
    if body is None:
        body = encoded(found)
    headers = {"HX-Request": "true"} if drawn.draw(st.booleans(), label="by htmx") else {}
    before = running.rows()
    answer = running.ask(page, path, body, **headers, **({"Content-Type": media} if media else {}))
    judge(answer, 200, 204, 303, 400, 401, 403, 404, 409, 413, 415, 422, 429)
    if answer.status_code >= 400:
        assert running.rows() == before
    if page.id in {"logOut", "logIn", "accountPassword"}:
        running.renew()
