"""Drafts: files between their upload and their sending, their owner's alone, gone after a day."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from fakes.web_boxes import Box, make_box
from fakes.workbooks import write_workbook
from modembank.accounts import LOCAL_ADMIN
from modembank.accounts.model import ROLE_SCOPES, Actor, Role
from modembank.errors import Forbidden, InvalidRequest, NotFound
from modembank.events import MailingChanged
from modembank.mailings import drafts as kept
from modembank.mailings.drafts import Draft
from modembank.mailings.importing import Importing
from modembank.mailings.reading import Pass
from modembank.mailings.requests import MailingRequest
from modembank.mailings.rows import Mailing
from modembank.messages import UnknownProvider

PEOPLE = (
    "name;mobile;day\nB\xf6b;+447900900001;Mon\nAnn;+447900900002;Tue\nCid;12;Wed\nAnn;+44 7900 900002;Fri\n".encode(
        "cp1252"
    )
)
HELLO = MailingRequest(template="Dear {name}", name="Hello")


class TurnedClock:
    """A clock to turn."""

    def __init__(self) -> None:
        self.ms = 1_800_000_000_000

    def now(self) -> float:
        return self.ms / 1000

    def monotonic(self) -> float:
        return self.ms / 1000


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Box]:
    box = await make_box(tmp_path)
    box.mailings.drafts._clock = TurnedClock()
    await box.mailings.start()
    yield box
    await box.mailings.stop()
    await box.store.close()


async def sender(box: Box, name: str) -> Actor:
    user = await box.accounts.add_user(LOCAL_ADMIN, name, Role.SENDER)
    return Actor(user.id, name, Role.SENDER, ROLE_SCOPES[Role.SENDER])


async def uploaded(box: Box, actor: Actor, content: bytes = PEOPLE, name: str = "people.csv") -> Draft:
    upload = box.mailings.upload(actor, name)
    await upload.write(content)
    draft: Draft = await box.mailings.drafts.keep(actor, await upload.received())
    return draft


def files(box: Box) -> list[str]:
    return sorted(path.name for path in box.mailings._folder.iterdir())


async def heard(box: Box, condition: Callable[[], bool]) -> None:
    """Wait until a change that is told makes a condition true."""
    told = asyncio.Event()
    unsubscribe = box.bus.subscribe(MailingChanged, lambda _: told.set())
    try:
        async with asyncio.timeout(30):
            while not condition():
                told.clear()
                await told.wait()
    finally:
        unsubscribe()


async def test_a_draft_shows_the_first_rows_and_what_they_seem_to_hold(box: Box) -> None:
    anne = await sender(box, "anne")
    draft = await uploaded(box, anne)
    table = draft.table
    assert (table.kind, table.charset, table.delimiter, table.header) == ("csv", "cp1252", ";", True)
    assert (table.columns, table.to_column, table.text_column) == (("name", "mobile", "day"), 1, None)
    assert table.rows[0] == (2, ("B\xf6b", "+447900900001", "Mon"))
    assert [one.id for one in await box.mailings.drafts.list(anne)] == [draft.id]
    read_as = MailingRequest(header="no", delimiter=",", charset="cp850")
    changed = await box.mailings.drafts.change(anne, draft.id, read_as)
    assert (changed.table.columns, changed.table.header, changed.table.to_column) == (("1",), False, None)
    with pytest.raises(InvalidRequest, match="/to_column"):
        box.mailings.drafts.preview(changed, MailingRequest(template="x"))
    with pytest.raises(InvalidRequest, match="character set"):
        await box.mailings.drafts.change(anne, draft.id, MailingRequest(charset="latin-99"))
    assert (await box.mailings.drafts.get(anne, draft.id)).table == changed.table


async def test_a_workbook_names_its_sheets(box: Box, tmp_path: Path) -> None:
    book = write_workbook(tmp_path / "x.xlsx", [["phone", "text"], ["+447900900001", "Hi"]])
    draft = await uploaded(box, LOCAL_ADMIN, book.read_bytes(), "x.xlsx")
    assert (draft.table.sheets, draft.table.text_column) == (("People",), 1)


async def test_a_preview_shows_what_rows_become_without_reading_the_file(box: Box) -> None:
    draft = await uploaded(box, LOCAL_ADMIN)
    (box.mailings._folder / draft.name).unlink()
    shown = box.mailings.drafts.preview(draft, MailingRequest(template="Dear {name} – {day}"))
    assert [(row.to, row.text, row.encoding) for row in shown.sample[:2]] == [
        ("+447900900001", "Dear B\xf6b – Mon", "ucs2"), ("+447900900002", "Dear Ann – Tue", "ucs2")
    ]  # fmt: skip
    assert shown.sample[0].forced_by == ("–",)
    assert [bool(row.reason) for row in shown.sample] == [False, False, True, True]
    here = box.mailings.drafts.preview(draft, MailingRequest(text_column="day", to_column="name", region="GB"))
    assert "B\xf6b" in here.sample[0].number
    with pytest.raises(InvalidRequest, match="known are: name, mobile, day"):
        box.mailings.drafts.preview(draft, MailingRequest(template="{nobody}"))


async def test_national_numbers_are_of_the_country_that_is_said(box: Box) -> None:
    draft = await uploaded(box, LOCAL_ADMIN, b"to\n07900900001\n07900900002\n")
    request = MailingRequest(template="x", to_column="to")
    assert "international" in box.mailings.drafts.preview(draft, request).sample[0].reason
    shown = box.mailings.drafts.preview(draft, MailingRequest(template="x", to_column="to", region="GB"))
    assert shown.sample[0].to == "+447900900001"


async def test_a_check_looks_at_every_row_and_says_why_some_are_refused(box: Box) -> None:
    anne = await sender(box, "anne")
    await box.optouts.add(LOCAL_ADMIN, "+447900900001", "asked")
    draft = await uploaded(box, anne)
    draft = await box.mailings.drafts.change(anne, draft.id, HELLO)
    check = await box.mailings.drafts.check(draft)
    assert not check.over
    await heard(box, lambda: check.over)
    found = check.found
    assert (found.rows, found.accepted, found.refused, found.duplicates, found.opted_out) == (4, 1, 2, 1, 1)
    assert (check.rows, check.of) == (4, 4)
    assert [line for line, _, _ in check.refused] == [2, 4, 5]
    assert await box.mailings.drafts.check(draft) is check
    table = (await box.mailings.drafts.refused(draft)).decode().splitlines()
    assert table[0] == "line,number,reason"
    assert table[1].startswith("2,'+447900900001,has opted out")  # no formula
    other = await box.mailings.drafts.change(anne, draft.id, MailingRequest(template="Hi {name}"))
    assert await box.mailings.drafts.check(other) is not check


async def test_a_file_that_cannot_be_read_to_its_end_says_so(box: Box) -> None:
    content = b"to,x\n" + b"+447900900001,a\n" * 3_000 + b"\xff\xfe\n"
    draft = await uploaded(box, LOCAL_ADMIN, content)
    draft = await box.mailings.drafts.change(
        LOCAL_ADMIN, draft.id, MailingRequest(template="x", charset="utf-8", allow_duplicates=True)
    )
    check = await box.mailings.drafts.check(draft)
    await heard(box, lambda: check.over)
    assert check.found is None
    assert "not text in the character set utf-8" in (check.problem or "")


async def test_sending_makes_one_mailing_however_often_it_is_asked(box: Box) -> None:
    anne = await sender(box, "anne")
    draft = await uploaded(box, anne)
    with pytest.raises(UnknownProvider):
        await box.mailings.drafts.send(anne, draft.id, MailingRequest(template="Dear {name}", sim="nobody"))
    assert draft.name in files(box)
    first, second = await asyncio.gather(*(box.mailings.drafts.send(anne, draft.id, HELLO) for _ in range(2)))
    assert first == second == await box.mailings.drafts.send(anne, draft.id, HELLO)
    assert (await box.mailings.get(anne, first)).name == "Hello"
    assert [one.id for one in (await box.mailings.list(anne)).items] == [first]
    assert draft.name not in files(box)
    assert not [name for name in files(box) if name.startswith("upload-")]
    assert await box.mailings.drafts.list(anne) == []
    assert (await box.mailings.drafts.get(anne, draft.id)).mailing == first


@pytest.mark.parametrize(("text", "again"), [("Dear {name}", 0), ("Hello {name}", 1)])
async def test_rows_that_were_checked_are_checked_once_more_only_if_the_text_is_another(
    box: Box, monkeypatch: pytest.MonkeyPatch, text: str, again: int
) -> None:
    checked: list[str] = []
    check_all = Importing._has_good_rows

    async def noted(self: Importing, mailing: Mailing, next_pass: Pass) -> bool:
        checked.append(mailing.public_id)
        return await check_all(self, mailing, next_pass)

    monkeypatch.setattr(Importing, "_has_good_rows", noted)
    anne = await sender(box, "anne")
    draft = await uploaded(box, anne)
    draft = await box.mailings.drafts.change(anne, draft.id, MailingRequest(template="Dear {name}"))
    check = await box.mailings.drafts.check(draft)
    await heard(box, lambda: check.over)
    request = MailingRequest(template=text, canary_count=1)
    made = await box.mailings.drafts.send(anne, draft.id, request)
    while (view := await box.mailings.get(anne, made)).progress.phase != "done":
        await asyncio.sleep(0.01)
    done = view.progress
    assert (done.rows, done.read, done.accepted, done.refused, done.duplicates) == (4, 4, 2, 1, 1)
    assert view.canary is not None
    assert view.canary.size == 1
    assert view.started_at is not None
    assert checked == [made] * again


async def test_a_draft_is_its_owners_alone(box: Box) -> None:
    anne, bert = await sender(box, "anne"), await sender(box, "bert")
    draft = await uploaded(box, anne)
    drafts = box.mailings.drafts
    reader = Actor(anne.user_id, "anne", Role.SENDER, frozenset())
    for other, refusal in ((bert, NotFound), (LOCAL_ADMIN, NotFound), (reader, Forbidden)):
        deeds: list[Any] = [
            drafts.get(other, draft.id), drafts.change(other, draft.id, HELLO), drafts.delete(other, draft.id),
            drafts.send(other, draft.id, HELLO),
        ]  # fmt: skip
        for deed in deeds:
            with pytest.raises(refusal):
                await deed
    for none in ("../box", "", "x" * 16, "a/b"):
        with pytest.raises(NotFound):
            await drafts.get(anne, none)
    await drafts.delete(anne, draft.id)
    assert files(box) == []


async def test_what_cannot_be_read_is_not_kept(box: Box) -> None:
    for content, why in ((b"", "is empty"), (b"%PDF-1.4", "PDF"), (b"name,phone\n", "no row behind it")):
        with pytest.raises(InvalidRequest, match=why):
            await uploaded(box, LOCAL_ADMIN, content)
    assert files(box) == []


async def test_drafts_last_a_day_and_a_start_and_the_oldest_gives_way(box: Box) -> None:
    clock, drafts = box.mailings.drafts._clock, box.mailings.drafts
    made = []
    for _ in range(kept.MOST + 1):
        made.append(await uploaded(box, LOCAL_ADMIN))
        clock.ms += 1000
    assert [one.id for one in await drafts.list(LOCAL_ADMIN)] == [one.id for one in reversed(made[1:])]
    await box.mailings.stop()
    (box.mailings._folder / "upload-left").write_bytes(b"x")
    (box.mailings._folder / "draft-broken0000.json").write_bytes(b"{")
    clock.ms = made[2].created_at + kept.KEPT_MS
    await box.mailings.start()
    assert [one.id for one in await drafts.list(LOCAL_ADMIN)] == [one.id for one in reversed(made[3:])]
    assert len(files(box)) == 2 * len(made[3:])
    with pytest.raises(NotFound):
        await drafts.get(LOCAL_ADMIN, made[2].id)


async def test_a_draft_may_be_noted_by_many_at_once(box: Box) -> None:
    draft, folder = await uploaded(box, await sender(box, "anne")), box.mailings._folder
    before = files(box)
    with ThreadPoolExecutor(8) as threads:
        for done in [threads.submit(kept.write, folder, draft) for _ in range(200)]:
            done.result()
    assert kept.read(folder, draft.id) == draft
    assert files(box) == before
