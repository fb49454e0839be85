"""Conversations as pages: read, answered, and hostile texts as text."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from fakes.readers import reader
from fakes.web_boxes import Box
from modembank.accounts import LOCAL_ADMIN, Role
from modembank.messages import MessageFilter
from modembank_web.pages import conversations

THEM, OURS = "+447900900123", "+447900900001"
THREAD = f"/ui/conversations/{quote(THEM)}"
HOSTILE = "<img src=x onerror=alert(1)> \u202e evil"


async def came(box: Box, text: str, number: str = THEM, sender: Role = Role.ADMIN) -> None:
    async with box.client(await box.key(sender)) as client:
        came.count += 1  # type: ignore[attr-defined]
        sms = {"senderPhone": number, "receiverPhone": OURS, "messageText": text, "uuid": str(came.count)}  # type: ignore[attr-defined]
        answer = await client.post("/api/receive-sms", json=sms | {"timestamp": "2026-11-20T14:05:00Z"})
        assert answer.status_code == 200, answer.text


came.count = 0  # type: ignore[attr-defined]


async def test_what_came_is_listed_read_and_answered(box: Box) -> None:
    async with reader(box) as admin:
        assert "Nobody has written yet" in (await admin.opens("/ui/conversations")).text
        await came(box, HOSTILE)
        listed = await admin.opens("/ui/conversations")
        assert "1 new" in listed.one(id="conversations-list").text
        assert "<img src=x onerror=alert(1)> ⟨202E⟩ evil" in listed.one(id="conversations-list").text
        page = await admin.opens(THREAD)
        assert "<img src=x" in page.one("article").text
        assert page.one("span", hx_trigger="load")["hx-post"] == f"{THREAD}/read"
        await admin.sends(f"{THREAD}/read", 204)
        assert "new" not in (await admin.asks("/ui/conversations/now")).text

        assert "write something" in (await admin.sends(f"{THREAD}/reply", 422, text=" ")).text
        answered = await admin.sends(f"{THREAD}/reply", text="on my way")
        assert admin.last is not None
        assert admin.last.headers["hx-trigger"] == "said"
        assert answered.one("textarea").text == ""
        [sent] = (await box.messages.list(LOCAL_ADMIN, MessageFilter())).items
        assert (sent.to, sent.text) == (THEM, "on my way")
        said = [article["class"] for article in (await admin.asks(f"{THREAD}/now")).all("article")]
        assert said == ["said", "said ours"]


async def test_who_opted_out_is_marked_and_not_answered(box: Box) -> None:
    async with reader(box) as admin:
        await box.optouts.add(LOCAL_ADMIN, THEM)
        page = await admin.opens(THREAD)
        assert "opted out" in page.one("h1").text
        assert "wants no messages" in page.text
        assert not list(page.all("textarea"))
        refused = await admin.sends(f"{THREAD}/reply", 422, text="please?")
        assert refused.one("textarea").text == "please?"
        assert refused.one(id="reply-error").text


async def test_long_threads_and_lists_go_on(box: Box) -> None:
    async with reader(box) as admin:
        for at in range(45):
            await came(box, f"text {at:02d}")
        page = await admin.opens(THREAD)
        assert [article.one("bdi").text for article in page.all("article")] == [f"text {at:02d}" for at in range(5, 45)]
        earlier = await admin.asks(page.one("button", hx_target="closest div")["hx-get"])
        assert [article.one("bdi").text for article in earlier.all("article")] == [f"text {at:02d}" for at in range(5)]
        for at in range(45):
            await came(box, "hello", f"+4479009010{at:02d}")
        listed = await admin.opens("/ui/conversations")
        more = listed.one("button", hx_target="closest li")["hx-get"]
        assert len(list((await admin.asks(more)).all("a"))) == 6


async def test_a_sender_reads_its_own_conversations(box: Box) -> None:
    async with reader(box, Role.SENDER) as sender:
        await came(box, "for nobody")
        assert "for nobody" not in (await sender.opens("/ui/conversations")).text
        assert "Nothing was said" in (await sender.opens(THREAD)).text


async def test_what_came_is_found_by_its_words(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversations, "_A_PAGE", 2)
    async with reader(box) as admin:
        assert (await admin.opens("/ui/conversations")).one("form", class_="filters")[
            "action"
        ] == "/ui/conversations/found"
        assert "Nothing was looked for" in (await admin.opens("/ui/conversations/found")).text
        assert "Nothing that came in has these words" in (await admin.opens("/ui/conversations/found?q=delayed")).text
        for number in range(3):
            await came(box, f"the train {number} is delayed {HOSTILE}")
        await came(box, "thank you")
        page = await admin.opens("/ui/conversations/found?q=delayed+train")
        rows = page.one("tbody").all("td", class_="lead")
        assert [row.one("a")["href"] for row in rows] == [THREAD, THREAD]
        assert "the train 2" in page.text
        assert "\u27e8202E\u27e9 evil" in page.text
        assert "thank you" not in page.text
        assert page.one("input", name="q")["value"] == "delayed train"
        rest = await admin.asks(page.one("tr", class_="more").one("button")["hx-get"])
        assert "the train 0" in rest.text
        wrong = await admin.opens("/ui/conversations/found?q=t*", 422)
        assert wrong.one(id="q-error").text


async def test_senders_find_only_what_is_theirs(box: Box) -> None:
    async with reader(box, Role.SENDER) as sender:
        await came(box, "only for admins")
        assert "only for admins" not in (await sender.opens("/ui/conversations/found?q=admins")).text
