"""The report as a page and as files: real counters, chosen days, and names that are made to be formulas."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta

import pytest

from fakes.readers import Element, Reader, reader
from fakes.web_boxes import ICCID, Box
from modembank.accounts import LOCAL_ADMIN, Role
from modembank.accounts.quotas import Spending
from modembank.messages import SubmitRequest
from modembank.sim import add_usage
from modembank.sim.model import SimChange

DAY_MS = 86_400_000
COLUMNS = ["Accepted", "Sent by SIMs", "Undelivered", "Failed", "Expired", "Not known if sent"]


async def spend(box: Box, user: str, segments: int, days_ago: int) -> None:
    users = {one.name: one.id for one in await box.accounts.users(LOCAL_ADMIN)}
    now = round(box.clock.now() * 1000) - days_ago * DAY_MS

    def write(conn):
        spending = Spending(conn)
        spending.spend(users[user], segments, now)
        spending.finish()

    await box.store.write(write)


async def send(box: Box, segments: int, days_ago: int) -> None:
    sim = box.sims.by_iccid(ICCID)
    assert sim is not None
    at = round(box.clock.now() * 1000) - days_ago * DAY_MS
    await box.store.write(lambda conn: add_usage(conn, sim.id, at, segments))


def cells(row: Element) -> dict[str, str]:
    return {cell.attributes.get("data-label") or "": cell.text for cell in row.all("td")}


def table(page: Element, caption: str) -> list[Element]:
    found = next(each for each in page.all("table") if each.one("caption").text == caption)
    return list(found.one("tbody").all("tr"))


async def rows(admin: Reader, path: str) -> list[list[str]]:
    answer = await admin.client.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.content.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))


def day(box: Box, ago: int = 0) -> date:
    return box.figures.today() - timedelta(days=ago)


async def test_a_box_that_did_nothing_says_so(box: Box) -> None:
    async with reader(box) as admin:
        page = await admin.opens("/ui/report")
        assert "Nothing was accepted in these days" in page.text
        assert "No SIM sent anything in these days" in page.text
        assert len(table(page, "By day, the last one first")) == 14
        assert page.one("nav", aria_label="Up to today").one("a", aria_current="page").text == "14 days"


async def test_segments_are_shown_by_sender_by_sim_and_by_day(box: Box) -> None:
    async with reader(box) as admin:
        await box.accounts.add_user(LOCAL_ADMIN, "anne", Role.SENDER)
        await spend(box, "anne", 30, 0)
        await spend(box, "anne", 5, 3)
        await spend(box, "admin", 10, 3)
        await spend(box, "anne", 100, 14)  # a day too early
        await send(box, 7, 0)
        await send(box, 2, 3)
        page = await admin.opens("/ui/report")
        senders = [(cells(row)[""], cells(row)["Segments"]) for row in table(page, "By sender")]
        assert senders == [("anne", "35"), ("admin", "10")]
        (sim,) = table(page, "By SIM")
        assert (cells(sim)["Segments"], cells(sim)["Share"].rstrip("%\u202f ")) == ("9", "100")
        days = table(page, "By day, the last one first")
        assert [cells(days[0])[name] for name in COLUMNS] == ["30", "7", "0", "0", "0", "0"]
        assert [cells(days[3])[name] for name in COLUMNS[:2]] == ["15", "2"]
        assert days[0].one("time")["datetime"] == day(box).isoformat()

        one = await admin.opens("/ui/report?user=anne")
        assert [cells(row)["Segments"] for row in table(one, "By day, the last one first")][:4] == ["30", "0", "0", "5"]
        assert "Segments of anne" in one.text
        of_sim = await admin.opens(f"/ui/report?sim={ICCID}")
        assert [cells(row)["Segments"] for row in table(of_sim, "By day, the last one first")][:4] == [
            "7",
            "0",
            "0",
            "2",
        ]


async def test_messages_that_ended_badly_are_counted_on_the_day_they_were_accepted(box: Box) -> None:
    async with reader(box) as admin:
        for number in range(4):
            await box.messages.submit(LOCAL_ADMIN, SubmitRequest(to=f"+4479009001{number:02d}", text="x"))
        ids = [row[0] for row in await box.store.fetch_all("SELECT id FROM messages ORDER BY id")]
        states = [70, 74, 74, 60]
        yesterday = round(box.clock.now() * 1000) - DAY_MS

        def end(conn):
            for message, state in zip(ids, states, strict=True):
                conn.execute("UPDATE messages SET state = ?, ready = NULL WHERE id = ?", (state, message))
            conn.execute("UPDATE messages SET created_at = ? WHERE id <= ?", (yesterday, ids[1]))

        await box.store.write(end)
        days = table(await admin.opens("/ui/report"), "By day, the last one first")
        assert [cells(days[0])[name] for name in COLUMNS[2:]] == ["0", "1", "0", "1"]
        assert [cells(days[1])[name] for name in COLUMNS[2:]] == ["1", "1", "0", "0"]


async def test_what_sims_sent_long_ago_is_not_known_rather_than_nothing(box: Box) -> None:
    async with reader(box) as admin:
        await send(box, 3, 20)
        first = day(box, 60)
        page = await admin.opens(f"/ui/report?from={first}&to={day(box)}")
        assert "Known since" in page.text
        days = table(page, "By day, the last one first")
        assert (cells(days[20])["Sent by SIMs"], cells(days[30])["Sent by SIMs"]) == ("3", "0")
        assert cells(days[40])["Sent by SIMs"] == "–"
        found = await rows(admin, f"/ui/report/file?from={first}&to={day(box)}")
        assert (found[0][2], found[1][2], found[-21][2]) == ("segments_sent", "", "3")


@pytest.mark.parametrize(
    ("query", "field"),
    [("from=yesterday", "from"), ("from=2026-02-30", "from"), ("from=2026-03-01&to=2026-02-01", "to"),
     ("from=2026-01-01&to=2026-04-03", "from"), ("to=9999-12-31", "to"), ("from=0001-01-01&to=0001-01-02", "to")],
)  # fmt: skip
async def test_a_span_that_is_none_is_said_at_its_field(box: Box, query: str, field: str) -> None:
    async with reader(box) as admin:
        page = await admin.opens(f"/ui/report?{query}", 422)
        assert page.one(id=f"{field}-error").text
        typed = dict(part.split("=") for part in query.split("&"))
        assert page.one("input", name=field)["value"] == typed[field]
        await admin.opens(f"/ui/report/file?{query}", 422)


async def test_a_quarter_can_be_shown_at_once(box: Box) -> None:
    async with reader(box) as admin:
        page = await admin.opens("/ui/report?from=2026-01-01&to=2026-04-02")
        assert len(table(page, "By day, the last one first")) == 92


async def test_files_hold_every_day_and_no_formula(box: Box) -> None:
    async with reader(box) as admin:
        await box.accounts.add_user(LOCAL_ADMIN, "anne", Role.SENDER)
        await spend(box, "anne", 4, 1)
        await spend(box, "anne", 6, 0)
        await send(box, 2, 0)
        sim = box.sims.by_iccid(ICCID)
        assert sim is not None
        await box.sims.change(sim.id, SimChange(label="=cmd|'/c calc'!A0"))
        today, before = day(box).isoformat(), day(box, 1).isoformat()
        assert await rows(admin, "/ui/report/file?of=senders") == [
            ["day", "user", "segments_accepted"], [before, "anne", "4"], [today, "anne", "6"],
        ]  # fmt: skip
        found = await rows(admin, "/ui/report/file?of=sims")
        assert found == [["day", "sim", "iccid", "segments_sent"], [today, "'=cmd|'/c calc'!A0", ICCID, "2"]]
        by_day = await rows(admin, "/ui/report/file?of=days")
        assert by_day[0][3:] == ["messages_undelivered", "messages_failed", "messages_expired", "messages_unknown"]
        assert (len(by_day), by_day[-1]) == (15, [today, "6", "2", "0", "0", "0", "0"])
        answer = await admin.client.get("/ui/report/file?of=sims")
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert answer.headers["content-disposition"].startswith('attachment; filename="sims-')
        await admin.opens("/ui/report/file?of=passwords", 422)


async def test_hostile_names_are_text(box: Box) -> None:
    async with reader(box) as admin:
        sim = box.sims.by_iccid(ICCID)
        assert sim is not None
        await box.sims.change(sim.id, SimChange(label="<img src=x onerror=1>"))
        await send(box, 1, 0)
        page = await admin.opens("/ui/report")
        assert page.one("bdi").name == "bdi"
        assert not [each for each in page.all("img") if each["src"] == "x"]
        assert "<img src=x onerror=1>" in page.text
        shown = await admin.opens("/ui/report?user=%3Cscript%3Ealert(1)%3C/script%3E")
        assert "Segments of <script>alert(1)</script>" in shown.text


async def test_only_admins_see_it(box: Box) -> None:
    async with reader(box, Role.SENDER) as sender:
        for path in ("/ui/report", "/ui/report/file"):
            await sender.opens(path, 403)
