"""A mailing made and watched on its pages: list, columns and text, check, send, and what follows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from fakes.readers import Element, Reader, parsed, reader
from fakes.web_boxes import Box
from modembank.accounts import LOCAL_ADMIN, Role
from modembank.events import Event
from modembank.messages.model import Fail
from modembank.messages.outbox import decisions
from modembank_web.cookies import page_token

NEW = "/ui/mailings/new"
PEOPLE = b"name;mobile;day\nAnn;+447900910001;Mon\nB<b>ob;+447900910002;Tue\nCid;12a;Wed\nAnn;+447900910001;Fri\n"
FORM = {"header": "yes", "delimiter": ";", "charset": "utf-8", "to_column": "2", "source": "template"}
TEXT = FORM | {"template": "Dear {name}, see you on {day}."}


@pytest.fixture
async def box(box: Box, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Box]:
    """A box that imports."""
    monkeypatch.setattr("modembank.mailings.running.LOOK_S", 0.0)
    await box.mailings.start()
    yield box
    await box.mailings.stop()


async def uploads(who: Reader, content: bytes = PEOPLE, name: str = "people.csv", status: int = 204) -> str:
    """Upload a file as the page does; return where that leads."""
    headers = {"HX-Request": "true", "X-Page-Token": page_token(who.token)}
    who.last = await who.client.post(NEW, files={"file": (name, content)}, headers=headers)
    assert who.last.status_code == status, who.last.text
    return who.last.headers.get("hx-redirect", "")


def led_to(who: Reader) -> str:
    assert who.last is not None
    return who.last.headers["hx-redirect"]


async def until(box: Box, who: Reader, path: str, condition: Callable[[Element], bool]) -> Element:
    """Ask for a part again after every event, until it is as wanted."""
    told = asyncio.Event()
    unsubscribe = box.bus.subscribe(Event, lambda _: told.set())
    try:
        async with asyncio.timeout(30):
            while not condition(shown := await who.asks(path)):
                box.mailings._running.wake()
                told.clear()
                if not condition(shown := await who.asks(path)):
                    await told.wait()
        return shown
    finally:
        unsubscribe()


async def sent(box: Box, who: Reader, **options: str) -> str:
    """Go all the way; return where the mailing's page is."""
    draft = await uploads(who)
    await who.sends(draft, 204, **TEXT)
    await until(box, who, f"{draft}/check/progress", lambda part: "can be sent" in part.text)
    await who.sends(f"{draft}/send", 204, **({"name": "Evening", "when": "now"} | options))
    return led_to(who)


async def test_a_mailing_from_a_file_to_its_page(box: Box) -> None:
    async with reader(box, Role.SENDER, "anne") as anne:
        assert "No mailings yet" in (await anne.opens("/ui/mailings")).text
        assert (await anne.opens(NEW)).one("form", id="upload")["hx-encoding"] == "multipart/form-data"
        draft = await uploads(anne)
        page = await anne.opens(draft)
        assert "B<b>ob" in page.text
        assert page.one("th", class_="numbers").text == "mobile"
        assert [chip["data-inserts"] for chip in page.all("button", class_="chip")] == ["{name}", "{mobile}", "{day}"]
        preview = await anne.sends(f"{draft}/preview", **TEXT)
        assert "Dear B<b>ob, see you on Tue." in preview.text
        assert "12a" in preview.text
        assert "same number as in line 2" in preview.text
        await anne.sends(draft, 204, **TEXT)
        assert led_to(anne) == f"{draft}/check"
        check = await anne.opens(f"{draft}/check")
        assert check.one("input", id="name")["value"] == "people"
        over = await until(box, anne, f"{draft}/check/progress", lambda part: "can be sent" in part.text)
        assert anne.last is not None
        assert anne.last.headers["hx-trigger"] == "checked"
        assert "2 of 4 rows can be sent" in over.text
        assert "data-live-on" not in over.one(id="check").attributes
        plan = await anne.sends(f"{draft}/plan", name="Evening", when="now")
        assert "Send 2 messages" in plan.one(id="send-dialog").text
        refused = await anne.client.get(f"{draft}/refused-rows")
        assert refused.text.splitlines()[1].startswith("4,12a,")
        assert "5,'+447900910001,is the same number" in refused.text
        await anne.sends(f"{draft}/send", 204, name="Evening", when="now")
        mailing = led_to(anne)
        await anne.sends(f"{draft}/send", 204, name="Other", when="hold")
        assert led_to(anne) == mailing
        for step in (draft, f"{draft}/check"):
            await anne.opens(step, 303)
            assert anne.last.headers["location"] == mailing
        status = await until(box, anne, f"{mailing}/status", lambda part: "waiting 2" in part.text)
        assert "no modem is registered" in status.text
        assert "Evening" in (await anne.opens("/ui/mailings")).one(id="mailings").text


async def test_a_file_that_is_none_is_refused_where_it_was_chosen(box: Box) -> None:
    async with reader(box, Role.SENDER, "anne") as anne:
        for content, why in ((b"", "is empty"), (b"\x89PNG", "a picture"), (b"name,phone\n", "no row behind it")):
            await uploads(anne, content, status=422)
            assert anne.last is not None
            shown = parsed(anne.last.text)
            assert why in shown.one(class_="notice").text
            assert shown.one("form", id="upload")
        assert "Not sent yet" not in (await anne.opens(NEW)).text


async def test_a_file_is_read_in_another_way_and_keeps_what_was_written(box: Box) -> None:
    async with reader(box) as admin:
        draft = await uploads(admin, "Größe,to\nB\xf6b,+447900910001\n".encode("cp1252"))
        again = await admin.sends(f"{draft}/look", **(TEXT | {"delimiter": ",", "charset": "cp1251", "template": "Hi"}))
        assert "Bцb" in again.text
        assert again.one("textarea").text == "Hi"
        wrong = await admin.sends(f"{draft}/look", 422, **(TEXT | {"delimiter": ",", "charset": "utf-8"}))
        assert "not text in the character set utf-8" in wrong.one(class_="notice").text
        headless = await admin.sends(
            f"{draft}/look", **(TEXT | {"delimiter": ",", "header": "no", "charset": "cp1252"})
        )
        assert [option.text for option in headless.one("select", id="to_column").all("option")] == [
            "Choose a column", "Column 1", "Column 2"
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "field", "why"),
    [
        ({"template": " "}, "template", "is empty"),
        ({"template": "Dear {nam}"}, "template", "known are: name, mobile, day"),
        ({"template": "{name"}, "template", "not closed"),
        ({"source": "column"}, "text_column", "choose the column"),
    ],
)
async def test_what_is_missing_is_said_at_its_field(box: Box, changes: dict[str, str], field: str, why: str) -> None:
    async with reader(box) as admin:
        draft = await uploads(admin)
        shown = await admin.sends(draft, 422, **(TEXT | changes))
        assert why in shown.one(id=f"{field}-error").text
        assert shown.one("textarea").text == (TEXT | changes)["template"].strip()
        await admin.opens(f"{draft}/check", 303)


async def test_special_characters_are_named_and_replaced_in_the_text(box: Box) -> None:
    async with reader(box) as admin:
        draft = await uploads(admin)
        form = FORM | {"template": "It’s on {day} – {name}"}
        preview = await admin.sends(f"{draft}/preview", **form)
        assert "70 characters" in preview.one(class_="notice").text
        changed = await admin.sends(f"{draft}/simplify", **form)
        assert changed.one("textarea").text == "It's on {day} - {name}"
        assert changed.one(id="template-field")["hx-swap-oob"] == "true"
        assert "70 characters" not in changed.text
        await admin.sends(draft, 204, **(form | {"template": "It’s on {day}, " + "long " * 20}))
        over = await until(box, admin, f"{draft}/check/progress", lambda part: "can be sent" in part.text)
        assert "it takes 2 SMS less" in over.text
        await admin.sends(f"{draft}/shorten", 204)
        plain = await until(box, admin, f"{draft}/check/progress", lambda part: "can be sent" in part.text)
        assert "special characters" not in plain.text
        assert "checked" in (await admin.opens(draft)).one("input", name="replace").attributes


async def test_options_that_are_wrong_keep_the_file_and_what_was_typed(box: Box) -> None:
    async with reader(box) as admin:
        draft = await uploads(admin)
        await admin.sends(draft, 204, **TEXT)
        await until(box, admin, f"{draft}/check/progress", lambda part: "can be sent" in part.text)
        later = {"name": "Evening", "when": "later", "send_at": ""}
        shown = await admin.sends(f"{draft}/send", 422, **later)
        assert "choose the day" in shown.one(id="send_at-error").text
        assert shown.one("input", id="name")["value"] == "Evening"
        assert shown.one(id="plan")["hx-swap-oob"] == "true"
        past = await admin.sends(f"{draft}/plan", **(later | {"send_at": "2001-01-01T10:00", "zone": "Europe/Berlin"}))
        assert "Day and time" in past.one(class_="notice").text
        empty = {"name": "E", "when": "now", "windowed": "true", "window_from": "08:00", "window_to": "08:00"}
        assert "is empty" in (await admin.sends(f"{draft}/plan", **empty)).text
        gone = await admin.sends(f"{draft}/plan", name="E", through="sim:nobody")
        assert "not there any more" in gone.text
        await admin.sends(f"{draft}/send", 422, name="E", through="sim:nobody")
        assert (await admin.opens(NEW)).one("a", href=draft).text == "people.csv"


async def test_a_time_is_that_of_the_readers_zone(box: Box) -> None:
    async with reader(box) as admin:
        later = {"when": "later", "send_at": "2027-07-01T10:00", "zone": "Europe/Berlin"}
        mailing = await sent(box, admin, **later)
        found = (await box.mailings.list(LOCAL_ADMIN)).items[0]
        assert (found.send_at, found.status in {"importing", "scheduled"}) == ("2027-07-01T08:00:00.000Z", True)
        status = await until(box, admin, f"{mailing}/status", lambda part: "planned" in part.text)
        assert status.one("time")["datetime"] == "2027-07-01T08:00:00.000Z"


async def test_a_mailing_is_started_paused_taken_up_and_cancelled(box: Box) -> None:
    async with reader(box) as admin:
        mailing = await sent(box, admin, when="hold")
        status = f"{mailing}/status"
        await until(box, admin, status, lambda part: "ready to start" in part.text)
        assert (await admin.sends(f"{mailing}/start")).one(id="state").one(id="act-pause")
        assert "paused" in (await admin.sends(f"{mailing}/pause")).text
        assert (await admin.sends(f"{mailing}/resume")).one(id="act-pause")
        await admin.sends(f"{mailing}/retry-failed", 409)
        assert "cancelled" in (await admin.sends(f"{mailing}/cancel")).text
        done = await until(box, admin, status, lambda part: "cancelled 2" in part.text)
        assert not list(done.all("button"))
    actions = [entry.action for entry in (await box.audit.list(LOCAL_ADMIN)).items]
    assert actions[:5] == ["mailing.cancel", "mailing.resume", "mailing.pause", "mailing.start", "mailing.create"]


async def test_a_small_part_goes_first_and_then_the_rest(box: Box) -> None:
    async with reader(box) as admin:
        mailing = await sent(box, admin, canary="true", canary_share="1.0")
        first = await until(box, admin, f"{mailing}/status", lambda part: part.one(class_="badge").text == "first part")
        assert "The first part: 1" in first.text
        assert "The rest waits until you send it" in first.text
        assert "sending" in (await admin.sends(f"{mailing}/continue")).one(class_="badge").text


async def test_what_failed_is_sent_again(box: Box) -> None:
    async with reader(box) as admin:
        mailing = await sent(box, admin)
        status = f"{mailing}/status"
        await until(box, admin, status, lambda part: "waiting 2" in part.text and "sending" in part.text)
        for (message,) in await box.store.fetch_all("SELECT id FROM messages"):
            await box.store.write(lambda conn, m=message: decisions.decide(conn, m, Fail("no credit <x>"), 1))
        await until(box, admin, status, lambda part: "finished" in part.text)
        shown = await admin.asks(f"{mailing}?status=failed")
        assert shown.text.count("no credit <x>") == 2
        assert "None is in this state" in (await admin.asks(f"{mailing}?status=delivered")).text
        key = {a.text: a["href"] for a in (await admin.asks(status)).one("ul", class_="key").all("a")}
        assert list(key) == ["failed"]
        path, _, fragment = key["failed"].partition("#")
        all_failed = (await admin.opens(path)).one(id=fragment)
        assert [option.text for option in all_failed.all("option") if "selected" in option.attributes] == ["all failed"]
        leads = [cell.one("a")["href"] for cell in all_failed.all("td", class_="lead")]
        assert len(leads) == 2
        for lead in leads:
            assert "no credit <x>" in (await admin.opens(lead)).text
        assert "No messages" not in (await admin.asks(f"{mailing}?status=failed%2Cnone")).text
        assert "waiting 2" in (await admin.sends(f"{mailing}/retry-failed")).text
        results = await admin.client.get(f"{mailing}/results")
        assert "'+447900910001,failed" in results.text
        assert "attachment" in results.headers["content-disposition"]


async def test_tabs_show_rows_without_a_message_and_settings(box: Box) -> None:
    async with reader(box) as admin:
        mailing = await sent(box, admin)
        await until(box, admin, f"{mailing}/status", lambda part: "waiting 2" in part.text)
        rows = await admin.opens(f"{mailing}/rows")
        assert "2 rows of the list gave no message" in rows.text
        assert "12a" in rows.text
        assert "4,12a,refused" in (await admin.client.get(f"{mailing}/refused-rows")).text
        settings = await admin.opens(f"{mailing}/settings")
        assert "Dear {name}, see you on {day}." in settings.text
        assert "any SIM" in settings.text


async def test_lists_go_on_behind_a_page(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modembank_web.pages.mailings.PER_PAGE", 1)
    async with reader(box) as admin:
        first = await sent(box, admin, name="First")
        await sent(box, admin, name="Second")
        page = await admin.opens("/ui/mailings")
        assert "First" not in page.text
        older = await admin.asks(page.one(id="older").one("button")["hx-get"])
        assert older.one("a", href=first).text == "First"
        assert not list(older.all(id="older"))
        await until(box, admin, f"{first}/status", lambda part: "waiting 2" in part.text)
        messages = await admin.opens(first)
        assert len(list(messages.one(id="newest").all("td", class_="lead"))) == 1
        more = await admin.asks(messages.one(id="older").one("button")["hx-get"])
        assert more.one("td", class_="lead").text == "+447900910001"
        assert "+447900910002" in (await admin.asks(f"{first}?status=&part=newest")).text


async def test_a_live_list_reaches_down_to_the_older_ones(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modembank_web.pages.mailings.PER_PAGE", 1)
    monkeypatch.setattr("modembank_web.pages.mailings.MOST_LIVE", 3)
    async with reader(box) as admin:
        made = [await sent(box, admin, name=str(at)) for at in range(2)]
        page = await admin.opens("/ui/mailings")
        older = await admin.asks(page.one(id="older").one("button")["hx-get"])
        assert [cell.one("a")["href"] for cell in older.all("td", class_="lead")] == made[:1]
        live = page.one(id="mailings")["hx-get"]
        for at in range(2, 4):
            made.append(await sent(box, admin, name=str(at)))
            now = (await admin.asks(live)).one(id="mailings")
            assert [cell.one("a")["href"] for cell in now.all("td", class_="lead")] == made[:0:-1]
            live = now["hx-get"]
        await sent(box, admin, name="4")
        await admin.asks(live, 204)
        assert led_to(admin) == "/ui/mailings"


async def test_senders_see_their_own_alone(box: Box) -> None:
    async with reader(box, Role.SENDER, "anne") as anne:
        draft, mailing = await uploads(anne), await sent(box, anne)
    async with reader(box, Role.SENDER, "bert") as bert:
        assert "No mailings yet" in (await bert.opens("/ui/mailings")).text
        for path in ("", "/status", "/rows", "/settings", "/results", "/refused-rows"):
            await bert.opens(mailing + path, 404)
        mine, none = (await bert.opens(mailing, 404)).text, "mlg_" + "z" * 13
        absent = (await bert.opens(f"/ui/mailings/{none}", 404)).text
        assert mine.split("Tracking")[0] == absent.split("Tracking")[0].replace(none, mailing.rpartition("/")[2])
        for deed in ("start", "pause", "resume", "continue", "cancel", "retry-failed"):
            await bert.sends(f"{mailing}/{deed}", 404)
        for path in ("", "/check", "/check/progress", "/refused-rows"):
            await bert.opens(draft + path, 404)
        for path, fields in (("", TEXT), ("/look", TEXT), ("/preview", TEXT), ("/simplify", TEXT)):
            await bert.sends(draft + path, 404, **fields)
        for path in ("/plan", "/send"):
            await bert.sends(draft + path, 404, name="x")
        await bert.sends(draft, 404, method="DELETE")
    async with reader(box) as admin:
        assert "anne" in (await admin.opens("/ui/mailings")).one(id="mailings").text
        await admin.opens(mailing)
        await admin.opens(draft, 404)
    async with reader(box, Role.SENDER, "anne") as anne:
        await anne.sends(draft, 204, method="DELETE")
        await anne.opens(draft, 404)


async def test_landlines_are_counted_and_sent_all_the_same(box: Box) -> None:
    form = FORM | {"delimiter": ",", "to_column": "1", "template": "Hi"}
    async with reader(box, Role.SENDER, "anne") as anne:
        draft = await uploads(anne, b"phone\n+447900900123\n+442079460001\n")
        await anne.sends(draft, 204, **form)
        over = await until(box, anne, f"{draft}/check/progress", lambda part: "are fine" in part.text)
    assert "All 2 rows are fine" in over.text
    assert "1 number is a landline" in over.text
