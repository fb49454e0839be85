"""Messages as pages: written, listed, and what became of each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from fakes.readers import Element, reader
from fakes.web_boxes import Box
from modembank.accounts import LOCAL_ADMIN, Role
from modembank.messages import MessageFilter
from modembank.messages.search import looking

TO = "+447900900123"
HOSTILE = "<script>alert(1)</script> {{7*7}} \u202e\"'>"


async def stored(box: Box) -> list[str]:
    return [message.text for message in (await box.messages.list(LOCAL_ADMIN, MessageFilter())).items]


async def set_state(box: Box, state: int) -> None:
    await box.store.write(lambda conn: conn.execute("UPDATE messages SET state = ?", (state,)).rowcount)


def badges(page: Element) -> list[str]:
    return [badge.text for badge in page.one("tbody").all("span", class_="badge")]


async def test_a_message_is_written_and_shown(box: Box) -> None:
    async with reader(box, Role.SENDER) as sender:
        assert "No messages yet" in (await sender.opens("/ui/messages")).text
        form = await sender.opens("/ui/messages/new")
        assert not list(form.all("select", name="sim")), "an admin chooses the SIM"
        await sender.sends("/ui/messages", 204, to=TO, text=HOSTILE)
        assert sender.last is not None
        page = await sender.opens(sender.last.headers["hx-redirect"])
        assert HOSTILE.replace("\u202e", "⟨202E⟩") in page.one(id="message-now").one("bdi").text
        assert "Why it waits no modem is registered" in page.one(id="message-now").text
        assert badges(await sender.opens("/ui/messages")) == ["waiting"]


async def test_to_several_at_once(box: Box) -> None:
    async with reader(box) as admin:
        await admin.sends("/ui/messages", 204, to="+447900900001\n+447900900002, +447900900003", text="hello")
        assert admin.last is not None
        listed = await admin.opens(admin.last.headers["hx-redirect"])
        assert badges(listed) == ["waiting"] * 3


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"to": ""}, "to", "is needed"),
        ({"to": f"{TO}\n12"}, "to", "12: "),
        ({"text": " "}, "text", "is needed"),
        ({"send_at": "soon"}, "send_at", "2026-11-30 08:15"),
        ({"send_at": "2001-01-01T00:00", "zone": "0"}, "send_at", "so long ago"),
        ({"to": "\n".join(f"+44790090{at:04d}" for at in range(1001))}, "to", "make a mailing"),
        ({"text": "word " * 2000}, "text", "segments"),
    ],
)
async def test_what_is_wrong_is_said_at_its_field_and_nothing_is_lost(
    box: Box, change: dict[str, str], field: str, words: str
) -> None:
    async with reader(box) as admin:
        typed = {"to": TO, "text": "hello <b>"} | change
        shown = await admin.sends("/ui/messages", 422, **typed)
        assert words in shown.one(id=f"{field}-error").text
        other = "text" if field != "text" else "to"
        assert shown.one("textarea", name=other).text == typed[other].strip()
        assert await stored(box) == []


async def test_the_writers_own_clock_counts(box: Box) -> None:
    async with reader(box) as admin:
        day = (datetime.now(UTC) + timedelta(days=10)).date()
        await admin.sends("/ui/messages", 204, to=TO, text="later", send_at=f"{day}T08:15", zone="-60")
        [message] = (await box.messages.list(LOCAL_ADMIN, MessageFilter())).items
        assert message.send_at == f"{day}T07:15:00.000Z"


async def test_the_preview_tells_what_a_curly_quote_costs(box: Box) -> None:
    async with reader(box) as admin:
        text = "“" + "a" * 150 + "”"
        shown = await admin.sends("/ui/messages/preview", text=text)
        assert shown.one("span", class_="badge").text == "3 segments"
        button = shown.one("button")
        assert button["data-with"] == '"' + "a" * 150 + '"'
        assert "1 segment instead of 3" in shown.text
        assert "as you write" in (await admin.sends("/ui/messages/preview", text="")).text


async def test_lists_are_filtered_and_go_on(box: Box) -> None:
    async with reader(box) as admin:
        for at in range(60):
            await admin.sends("/ui/messages", 204, to=TO if at % 2 else "+447900900999", text=f"text {at}")
        rows = list((await admin.opens("/ui/messages")).one("tbody").all("tr"))
        assert len(rows) == 51
        assert len(list((await admin.asks(rows[-1].one("button")["hx-get"])).all("tr"))) == 10
        only = await admin.opens("/ui/messages?to=%2B447900900999&status=queued")
        assert len(list(only.one("tbody").all("tr"))) == 30
        assert "newest?status=queued" in only.one(id="messages-list")["hx-get"]
        assert "No such messages" in (await admin.opens("/ui/messages?reference=none")).text
        assert "2026-11-30" in (await admin.opens("/ui/messages?since=x")).one(id="since-error").text
        wrong = await admin.opens("/ui/messages?to=nobody", 422)
        assert wrong.one(id="to-error").text
        assert wrong.one("input", name="to")["value"] == "nobody"


async def test_texts_are_searched(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    async with reader(box) as admin, reader(box, Role.SENDER) as sender:
        for at in range(60):
            await admin.sends("/ui/messages", 204, to=TO, text=f"Müller, table {at}")
        await sender.sends("/ui/messages", 204, to=TO, text="table of my own")
        shown = await admin.opens("/ui/messages?q=muller+tab*")
        assert shown.one("input", name="q")["value"] == "muller tab*"
        rows = list(shown.one("tbody").all("tr"))
        assert len(list((await admin.asks(rows[-1].one("button")["hx-get"])).all("tr"))) == 10
        assert len(list((await admin.opens("/ui/messages?q=%22table+7%22")).one("tbody").all("tr"))) == 1
        assert len(list((await sender.opens("/ui/messages?q=table")).one("tbody").all("tr"))) == 1
        assert "No such messages" in (await admin.opens("/ui/messages?q=chair")).text
        assert len(rows) == len(list((await admin.opens("/ui/messages?q=+")).one("tbody").all("tr"))), "no filter"
        wrong = await admin.opens("/ui/messages?q=t*&to=" + "%2B447900900123", 422)
        assert "2 letters or more" in wrong.one(id="q-error").text
        assert wrong.one("input", name="q")["value"] == "t*"
        assert "Nothing was looked for" in wrong.one(id="messages-list").text
        assert "hx-get" not in wrong.one(id="messages-list").attributes, "it would be refused again and again"
        assert "Not everything is searched yet" not in shown.text
        monkeypatch.setattr(looking, "TAIL_LIMIT", 10)
        behind = await admin.opens("/ui/messages?q=table")
        assert "Not everything is searched yet" in behind.text
        assert "51 messages were not looked at" in behind.text


async def test_a_sender_sees_its_own_alone(box: Box) -> None:
    async with reader(box) as admin, reader(box, Role.SENDER) as sender:
        await admin.sends("/ui/messages", 204, to=TO, text="not yours")
        path = admin.last.headers["hx-redirect"]  # type: ignore[union-attr]
        await sender.opens(path, 404)
        for verb in ("cancel", "redact", "delete", "settle"):
            await sender.sends(f"{path}/{verb}", 404, **({"as": "failed"} if verb == "settle" else {}))
        assert "not yours" not in (await sender.opens("/ui/messages")).text
        assert await stored(box) == ["not yours"]


async def test_cancelling_redacting_deleting_and_settling(box: Box) -> None:
    async with reader(box) as admin:
        await admin.sends("/ui/messages", 204, to=TO, text="secret")
        path = admin.last.headers["hx-redirect"]  # type: ignore[union-attr]
        assert "cancelled" in (await admin.sends(f"{path}/cancel")).one("span", class_="badge").text
        assert "taken away" in (await admin.sends(f"{path}/redact")).text
        await admin.sends(f"{path}/settle", 409, **{"as": "delivered"})
        await admin.sends(f"{path}/delete", 204)
        await admin.opens(path, 404)


async def test_what_nobody_knows_is_asked(box: Box) -> None:
    async with reader(box) as admin:
        await admin.sends("/ui/messages", 204, to=TO, text="hm")
        path = admin.last.headers["hx-redirect"]  # type: ignore[union-attr]
        await set_state(box, 60)
        page = await admin.opens(path)
        assert "Nobody knows whether it was sent" in page.text
        assert (
            "delivered" in (await admin.sends(f"{path}/settle", **{"as": "delivered"})).one("span", class_="badge").text
        )
