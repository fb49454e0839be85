"""Opt-outs by hand and by file: who may, what is remembered, all or nothing."""

import contextlib
import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.outboxes import TurnableClock
from fakes.senders import ADMIN, ANNE, BERT, NUMBER, READER
from modembank import optouts
from modembank.bus import Bus
from modembank.errors import Conflict, Forbidden, InvalidRequest, NotFound
from modembank.events import OptOutsChanged
from modembank.messages.numbers import normalise_recipient
from modembank.optouts import Change, ImportRow, OptOuts, Source, reading
from modembank.optouts.files import COLUMNS, read_csv, write_csv
from modembank.optouts.views import OptOutView
from modembank.optouts.writing import ask, change
from modembank.store import Store

OTHER = "+447911123457"


class British:
    """Numbers as a box in Britain reads them."""

    def recipient(self, written):
        return normalise_recipient(written, "GB")


class Desk:
    """The service over a real database."""

    def __init__(self, store):
        self.store, self.bus, self.clock = store, Bus(), TurnableClock()
        self.told = []
        self.bus.subscribe(OptOutsChanged, self.told.append)
        self.service = OptOuts(store, self.bus, self.clock, British())

    async def came(self, inbox_id, number, owner):
        await self.store.write(
            lambda conn: conn.execute(
                "INSERT INTO inbox (id, sim_id, sender, kind, text, parts, received_at, user_id)"
                " VALUES (?, 1, ?, 'text', 'stoop it', 1, 5, ?)",
                (inbox_id, number, owner),
            )
        )

    async def audit(self):
        return await self.store.fetch_all("SELECT actor, action, subject, detail FROM audit ORDER BY id")

    async def events(self):
        return await self.store.fetch_all("SELECT kind, body FROM event_log ORDER BY id")

    async def is_out(self, number=NUMBER):
        return await self.store.read(lambda conn: optouts.is_out(conn, number))

    async def review(self, inbox_id=7, number=NUMBER, owner=ANNE.user_id):
        await self.came(inbox_id, number, owner)
        await self.store.write(lambda conn: ask(conn, inbox_id, number, "STOP", self.clock.now_ms, None))
        return f"inb_{inbox_id:013d}"


@pytest.fixture
async def desk(tmp_path):
    store = await Store.open(tmp_path / "box.db")
    yield Desk(store)
    await store.close()


async def whole(desk, actor, form="machine"):
    return b"".join([part async for part in await desk.service.export(actor, form)])


async def test_a_number_is_put_out_once_and_everything_tells_of_it(desk):
    view = await desk.service.add(ANNE, "07911 123456", "asked by telephone")
    assert (view.number, view.state, view.source, view.note, view.by) == (
        NUMBER, "out", "api", "asked by telephone", "anne",
    )  # fmt: skip
    assert await desk.is_out()
    assert await desk.service.add(ADMIN, NUMBER) == view, "out is out"
    assert await desk.audit() == [("anne", "optout.add", NUMBER, '{"note":"asked by telephone"}')]
    ((kind, body),) = await desk.events()
    assert (kind, json.loads(body)) == ("optout.added", {"number": NUMBER, "source": "api", "keyword": None})
    assert [(event.numbers, event.out) for event in desk.told] == [((NUMBER,), True)]


async def test_only_an_admin_with_a_reason_lets_a_number_have_messages_again(desk):
    await desk.service.add(ANNE, NUMBER)
    with pytest.raises(Forbidden):
        await desk.service.remove(ANNE, NUMBER, "they asked")
    with pytest.raises(InvalidRequest, match="/reason"):
        await desk.service.remove(ADMIN, NUMBER, "  ")
    assert await desk.is_out()
    view = await desk.service.remove(ADMIN, NUMBER, "they asked")
    assert (view.state, view.note, view.by) == ("in", "they asked", "ada")
    assert not await desk.is_out()
    with pytest.raises(NotFound):
        await desk.service.remove(ADMIN, NUMBER, "again")
    assert (await desk.audit())[-1] == ("ada", "optout.remove", NUMBER, '{"reason":"they asked"}')
    assert [kind for kind, _ in await desk.events()] == ["optout.added", "optout.removed"]
    assert desk.told[-1].out is False


async def test_a_clock_that_was_put_back_does_not_make_the_later_change_the_earlier(desk):
    first = await desk.service.add(ANNE, NUMBER)
    desk.clock.turn(-3_600_000)
    second = await desk.service.remove(ADMIN, NUMBER, "they asked")
    assert second.changed_at > first.changed_at


async def test_whoever_lacks_the_scope_sees_nothing(desk):
    calls = [
        desk.service.list(READER), desk.service.get(READER, NUMBER), desk.service.add(READER, NUMBER),
        desk.service.export(READER), desk.service.take_in(READER, []), desk.service.take_in_csv(READER, b""),
        desk.service.reviews(READER), desk.service.decide(READER, "inb_0000000000007", "dismiss"),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(Forbidden):
            await call


async def test_the_list_is_in_pages_the_latest_change_first(desk):
    numbers = [f"+4479111234{n:02d}" for n in range(7)]
    for number in numbers:
        await desk.service.add(ANNE, number)
        desk.clock.turn(1 if number[-1] in "25" else 0)
    seen, cursor = [], None
    while True:
        page = await desk.service.list(ANNE, cursor=cursor, limit=3)
        seen += [item.number for item in page.items]
        if (cursor := page.cursor) is None:
            break
    assert sorted(seen) == numbers
    assert seen[:1] == [numbers[6]]
    await desk.service.remove(ADMIN, numbers[3], "they asked")
    assert [item.number for item in (await desk.service.list(ADMIN, state="in")).items] == [numbers[3]]
    assert len((await desk.service.list(ANNE, state="out")).items) == 6
    assert [item.state for item in (await desk.service.list(ANNE, number="07911 123403")).items] == ["in"]
    assert (await desk.service.list(ANNE, number=numbers[3], state="out")).items == []
    first = await desk.service.list(ANNE, limit=3)
    for wrong in ("x", first.cursor[:-4], "AAAA", "é"):
        with pytest.raises(InvalidRequest, match="/cursor"):
            await desk.service.list(ANNE, cursor=wrong)
    with pytest.raises(InvalidRequest, match="/cursor"):
        await desk.service.list(ANNE, state="out", cursor=first.cursor)
    for wrong in ({"limit": 0}, {"state": "maybe"}, {"number": "nobody"}):
        with pytest.raises(InvalidRequest):
            await desk.service.list(ANNE, **wrong)


async def test_an_import_adds_all(desk):
    await desk.service.add(ANNE, OTHER, "before")
    done = await desk.service.take_in(
        ADMIN, [ImportRow(NUMBER, "by letter"), ImportRow("07911 123457"), ImportRow(NUMBER)]
    )
    assert (done.added, done.already_out, done.skipped) == (1, 2, 0)
    assert (await desk.service.get(ANNE, NUMBER)).source == "import"
    assert (await desk.service.get(ANNE, OTHER)).note == "before"
    assert (await desk.audit())[-1] == ("ada", "optout.import", "", '{"added":1,"rows":3}')
    assert json.loads((await desk.events())[-1][1]) == {"count": 1, "source": "import"}
    assert desk.told[-1].numbers == (NUMBER,)


async def test_an_import_names_every_wrong_row_and_adds_nothing(desk):
    body = f"number,note\r\n{NUMBER},\r\n\r\nnobody,x\r\n{OTHER},{'n' * 201}\r\n".encode()
    with pytest.raises(InvalidRequest) as caught:
        await desk.service.take_in_csv(ADMIN, body)
    assert [problem.pointer for problem in caught.value.problems] == ["/lines/4", "/lines/5"]
    with pytest.raises(InvalidRequest) as caught:
        await desk.service.take_in(ADMIN, [ImportRow(NUMBER), *[ImportRow("x")] * 60])
    assert caught.value.problems[0].pointer == "/items/1/number"
    assert caught.value.problems[-1].detail.startswith("10 more rows are wrong")
    assert not await desk.is_out()
    assert not desk.told


async def test_one_transaction_takes_a_hundred_thousand_and_no_more(desk):
    lines = "".join(f"+4479{n:08d}\n" for n in range(100_000))
    done = await desk.service.take_in_csv(ADMIN, lines.encode())
    assert done.added == 100_000
    with pytest.raises(InvalidRequest, match="more than 100000 rows"):
        await desk.service.take_in_csv(ADMIN, (lines + "+447911123456\n").encode())
    with pytest.raises(InvalidRequest, match="/items"):
        await desk.service.take_in(ADMIN, [ImportRow(NUMBER)] * 100_001)


@pytest.mark.parametrize("form", ["machine", "spreadsheet"])
async def test_an_export_can_be_imported(desk, form, tmp_path):
    await desk.service.add(ANNE, NUMBER, "=cmd|'/c calc'!A1")
    await desk.service.add(ANNE, OTHER)
    await desk.service.remove(ADMIN, OTHER, "they asked")
    body = await whole(desk, ADMIN, form)
    other = await Store.open(tmp_path / "other.db")
    service = OptOuts(other, Bus(), desk.clock, British())
    done = await service.take_in_csv(ADMIN, body)
    assert (done.added, done.already_out, done.skipped) == (1, 0, 1)
    assert (await service.get(ADMIN, NUMBER)).note == "=cmd|'/c calc'!A1"
    await other.close()


async def test_an_export_is_read_part_by_part_and_what_changes_meanwhile_comes_again(desk, monkeypatch):
    monkeypatch.setattr(reading, "AT_ONCE", 2)
    numbers = [f"+44791112345{n}" for n in range(6)]
    for number in numbers[:5]:
        await desk.service.add(ANNE, number)
        desk.clock.turn(1)
    parts = await desk.service.export(ADMIN)
    begun = b"".join([await anext(parts), await anext(parts)]).decode()
    await desk.service.remove(ADMIN, numbers[0], "they asked")
    await desk.service.add(ANNE, numbers[5])
    rest = [part.decode() async for part in parts]
    assert max(part.count("\r\n") for part in rest) == 2
    told = [line.split(",")[:2] for line in (begun + "".join(rest)).splitlines()[1:]]
    assert told[:5] == [[number, "out"] for number in numbers[:5]]
    assert sorted(told[5:]) == [[numbers[0], "in"], [numbers[5], "out"]]


async def test_a_page_of_what_is_ones_own_looks_at_a_bounded_number_of_others(desk, monkeypatch):
    monkeypatch.setattr(reading, "WALK_LIMIT", 3)
    await desk.service.add(ANNE, "+447911999999")
    for n in range(7):
        desk.clock.turn(1)
        await desk.service.add(BERT, f"+44791112345{n}")
    found, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        page = await desk.service.list(ANNE, cursor=cursor, limit=2)
        found += [item.number for item in page.items]
        cursor, pages = page.cursor, pages + 1
    assert (found, pages) == (["+447911999999"], 3)
    of_bert = (await desk.service.list(BERT, limit=2)).items
    assert [item.number for item in of_bert] == ["+447911123456", "+447911123455"]
    assert b"999999" in await whole(desk, ANNE)


async def test_s16_an_export_is_recorded(desk):
    await desk.service.export(ANNE, "spreadsheet")
    assert await desk.audit() == [("anne", "optout.export", "", '{"form":"spreadsheet"}')]


cell = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\r\n\0"), max_size=20).map(str.strip)


@given(st.lists(st.tuples(st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True), cell), min_size=1, max_size=8))
def test_s12_a_spreadsheet_finds_no_formula_and_nothing_is_lost(rows):
    views = [OptOutView(number, "out", "t", "api", None, None, note, None) for number, note in rows]
    body = write_csv(views, "spreadsheet")
    for cells in csv.reader(io.StringIO(body.decode("utf-8-sig"), newline="")):
        assert not any(text.startswith(("=", "+", "-", "@", "\t", "\r", "\0")) for text in cells)
    for form in ("machine", "spreadsheet"):
        read = [(number, note) for _, number, note, _ in read_csv(write_csv(views, form))]
        assert [number for number, _ in read] == [number for number, _ in rows]
        for (_, note), (_, expected) in zip(read, rows, strict=True):
            assert note == expected or f"'{note}" == expected, "an apostrophe of one's own before a sign is taken too"


@given(st.binary(max_size=200))
def test_any_file_is_read_or_refused(body):
    with contextlib.suppress(InvalidRequest):
        for line, number, note, says_in in read_csv(body):
            assert line >= 1
            assert isinstance(number, str)
            assert isinstance(note, str)
            assert says_in in (True, False)


def test_files_of_several_kinds():
    assert list(read_csv(b"\xef\xbb\xbfnote;number\r\nx;'+447911123456\r\n")) == [(2, "+447911123456", "x", False)]
    assert list(read_csv(b"+447911123456\n")) == [(1, "+447911123456", "", False)]
    assert list(read_csv(b"number\tstate\n+447911123456\tIN\n")) == [(2, "+447911123456", "", True)]
    assert list(read_csv(b"")) == []
    assert set(COLUMNS) <= set(OptOutView.__struct_fields__)
    with pytest.raises(InvalidRequest, match="/lines/2"):
        list(read_csv(b"number\n\xff\n"))
    with pytest.raises(InvalidRequest, match="/lines/1"):
        list(read_csv(b'"number\n'))


async def test_a_review_is_decided_once(desk):
    review = await desk.review()
    page = await desk.service.reviews(ANNE)
    assert [(item.id, item.from_, item.text, item.keyword) for item in page.items] == [
        (review, NUMBER, "stoop it", "STOP")
    ]
    decided = await desk.service.decide(ANNE, review, "opt_out")
    assert (decided.decision, decided.by) == ("opt_out", "anne")
    assert await desk.is_out()
    assert await desk.service.decide(ADMIN, review, "opt_out") == decided
    with pytest.raises(Conflict, match="decided already"):
        await desk.service.decide(ADMIN, review, "dismiss")
    assert (await desk.service.reviews(ANNE)).items == []
    assert len((await desk.service.reviews(ANNE, still_open=False)).items) == 1
    assert (await desk.service.get(ANNE, NUMBER)).source == "review"
    assert [row[1] for row in await desk.audit()] == ["optout.review"]
    assert [kind for kind, _ in await desk.events()] == ["optout.review", "optout.added"]


async def test_a_review_is_dismissed_and_nothing_follows(desk):
    review = await desk.review()
    await desk.service.decide(ANNE, review, "dismiss")
    assert not await desk.is_out()
    assert not desk.told


async def test_reviews_that_cannot_be_decided(desk):
    with pytest.raises(NotFound):
        await desk.service.decide(ANNE, "inb_0000000000009", "dismiss")
    with pytest.raises(NotFound):
        await desk.service.decide(ANNE, "msg_0000000000009", "dismiss")
    with pytest.raises(InvalidRequest):
        await desk.service.decide(ANNE, "inb_0000000000009", "perhaps")
    review = await desk.review(number="07911123456")
    with pytest.raises(Conflict, match="country code"):
        await desk.service.decide(ANNE, review, "opt_out")
    assert (await desk.service.decide(ANNE, review, "dismiss")).decision == "dismiss"


async def test_reviews_are_in_pages(desk):
    for inbox_id in range(1, 6):
        await desk.review(inbox_id)
    first = await desk.service.reviews(ANNE, limit=3)
    second = await desk.service.reviews(ANNE, limit=3, cursor=first.cursor)
    assert [len(first.items), len(second.items), second.cursor] == [3, 2, None]
    with pytest.raises(InvalidRequest, match="/cursor"):
        await desk.service.reviews(ANNE, cursor=first.cursor, still_open=False)


async def test_a_sender_decides_and_reads_only_reviews_of_its_own_conversations(desk):
    berts = await desk.review(8, OTHER, BERT.user_id)
    nobodys = await desk.review(9, "+447911123458", None)
    for review in (berts, nobodys):
        with pytest.raises(NotFound):
            await desk.service.decide(ANNE, review, "opt_out")
    assert not await desk.is_out(OTHER)
    assert (await desk.service.reviews(ANNE)).items == []
    assert [item.id for item in (await desk.service.reviews(BERT)).items] == [berts]
    assert [item.id for item in (await desk.service.reviews(ADMIN)).items] == [nobodys, berts]


async def test_a_review_shows_no_text_of_another_message_with_its_id(desk):
    """A box that was set up anew gave the same ids again, and a restore brought both together."""
    await desk.came(7, OTHER, ANNE.user_id)
    await desk.store.write(lambda conn: ask(conn, 7, NUMBER, "STOP", 5, None))
    assert [item.text for item in (await desk.service.reviews(ADMIN)).items] == [None]
    assert (await desk.service.reviews(ANNE)).items == []


async def test_a_sender_lists_what_is_its_own_and_of_the_rest_only_whether_a_number_is_out(desk):
    await desk.service.add(BERT, NUMBER, "told me about her divorce")
    await desk.came(7, OTHER, ANNE.user_id)
    heard = Change(OTHER, True, desk.clock.now_ms, Source.KEYWORD, keyword="STOP", inbox_id=7)
    await desk.store.write(lambda conn: change(conn, heard))
    assert [item.number for item in (await desk.service.list(ANNE)).items] == [OTHER]
    assert [item.number for item in (await desk.service.list(BERT)).items] == [NUMBER]
    assert len((await desk.service.list(ADMIN)).items) == 2
    assert NUMBER not in (await whole(desk, ANNE)).decode()
    assert OTHER in (await whole(desk, ANNE)).decode()
    for seen in (
        await desk.service.get(ANNE, NUMBER),
        await desk.service.add(ANNE, NUMBER, "mine too"),
        *(await desk.service.list(ANNE, number=NUMBER)).items,
    ):
        assert (seen.state, seen.note, seen.by, seen.message) == ("out", "", None, None)
    assert (await desk.service.get(BERT, NUMBER)).note == "told me about her divorce"


async def test_among_tells_those_that_are_out(desk):
    assert not await desk.store.read(lambda conn: optouts.among(conn, [NUMBER]))
    await desk.service.add(ANNE, NUMBER)
    assert set(await desk.store.read(lambda conn: optouts.among(conn, [OTHER, NUMBER]))) == {NUMBER}
