"""Providers as pages: the list with the bank, the form of each kind, and what is done with one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from fakes.kinds import SETTINGS, Brought, Trial, draft
from fakes.readers import Element, Reader, parsed, reader
from fakes.web_boxes import Box
from modembank.accounts import LOCAL_ADMIN, Role
from modembank.modem.outcome import AttemptOutcome, Cause, CauseClass
from modembank.providers import Change, Limits, ReceiptStatus, Sharing

PATH = "/ui/providers"
FILLED = {
    "name": "alpha",
    "settings.url": "https://sms.example.net/send",
    "sharing.cost": "2",
    "sharing.automatic": "true",
}


def rows(page: Element) -> dict[str, str]:
    return {row.one("a").text: row.text for row in page.one("tbody").all("tr")}


def errors(page: Element) -> dict[str, str]:
    return {
        each["id"].removesuffix("-error"): each.text
        for each in page.all("span", class_="error")
        if "id" in each.attributes
    }


def value(page: Element, name: str) -> str:
    return next(each for each in page.all() if each.attributes.get("name") == name).attributes.get("value") or ""


async def test_an_empty_list_has_the_bank_and_says_what_a_provider_is(box: Box, brought: Brought) -> None:
    async with reader(box) as admin:
        page = await admin.opens(PATH)
        assert list(rows(page)) == ["Bank of modems"]
        assert "0 of 1 SIM can send now" in rows(page)["Bank of modems"]
        assert "an account elsewhere that takes messages" in page.text
        assert page.one("a", href=f"{PATH}/_new").text == "Add a provider"


async def test_the_list_tells_how_each_does(box: Box, brought: Brought) -> None:
    for name in ("alpha", "beta"):
        await box.providers.add(LOCAL_ADMIN, draft(name))
    alpha = box.providers.named("alpha")
    assert alpha is not None
    for _ in range(3):
        box.providers.tried(alpha, AttemptOutcome.ACCEPTED, 0.25, None)
    box.providers.tried(alpha, AttemptOutcome.NOT_SENT, 1.0, Cause(CauseClass.MODEM, "x", "nobody <listens>"))
    alpha.tally.told(ReceiptStatus.DELIVERED)
    await box.providers.change(
        LOCAL_ADMIN, "alpha", Change(sharing=Sharing(cost=0.065, automatic=False, limits=Limits(per_hour=40)))
    )
    await box.providers.disable(LOCAL_ADMIN, "beta", "too dear")
    async with reader(box) as admin:
        shown = rows(await admin.opens(PATH))
    assert list(shown) == ["Bank of modems", "alpha", "beta"]
    for words in ("ready", "sms", "0.065", "only when named", "75 % of 4 taken, in 0.25 s", "100 % of receipts"):
        assert words in shown["alpha"], words
    assert "nobody <listens>" in shown["alpha"]
    assert "This hour 0 / 40" in shown["alpha"]
    for words in ("disabled", "too dear", "no try since the start"):
        assert words in shown["beta"], words


async def test_a_provider_is_added_by_the_form_of_its_kind(box: Box, brought: Brought) -> None:
    async with reader(box) as admin:
        kinds = await admin.opens(f"{PATH}/_new")
        assert "Files in the spool folder" in kinds.text
        form = await admin.opens(f"{PATH}/_new/trial")
        assert value(form, "settings.window") == "4"
        assert "Name of the secret with the key" in form.text
        answer = await admin.posts(f"{PATH}/_new/trial", FILLED | {"settings.headers": '{"X-A": "b"}'})
        assert answer.headers["hx-redirect"] == f"{PATH}/alpha"
    view = box.providers.show(LOCAL_ADMIN, "alpha")
    assert view.settings == {"url": FILLED["settings.url"], "headers": {"X-A": "b"}, "verify": False}
    assert view.sharing == Sharing(2.0)


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"name": "Alpha"}, "name", "a-z"),
        ({"name": ""}, "name", "a-z"),
        ({"settings.url": ""}, "settings.url", "is needed"),
        ({"settings.url": "http://x"}, "settings.url", "https://"),
        ({"settings.window": "65"}, "settings.window", "64"),
        ({"settings.headers": "{"}, "settings.headers", "is not JSON"),
        ({"settings.headers": '{"a": 1}'}, "settings.headers", "str"),
        ({"settings.good": '{"a": 1}'}, "settings.good", "array"),
        ({"sharing.cost": "cheap"}, "sharing.cost", "number"),
        ({"limits.per_day": "-1"}, "limits.per_day", ">= 0"),
    ],
)
async def test_what_is_wrong_is_told_at_its_field_and_nothing_typed_is_lost(
    box: Box, brought: Brought, changes: dict[str, str], field: str, words: str
) -> None:
    typed = FILLED | {"settings.key_secret": "typed-before"} | changes
    async with reader(box) as admin:
        answer = await admin.posts(f"{PATH}/_new/trial", typed)
        assert answer.status_code == 422
        page = parsed(answer.text)
    assert list(errors(page)) == [field]
    assert words in errors(page)[field]
    assert value(page, "settings.key_secret") == "typed-before"
    assert box.providers.all() == ()


async def test_a_name_that_is_taken_is_told_at_the_name(box: Box, brought: Brought) -> None:
    await box.providers.add(LOCAL_ADMIN, draft("alpha"))
    async with reader(box) as admin:
        page = parsed((await admin.posts(f"{PATH}/_new/trial", FILLED)).text)
        assert "already" in errors(page)["name"]
        await admin.asks(f"{PATH}/_new/pigeon", 404)


async def test_one_is_shown_changed_disabled_enabled_and_removed(box: Box, brought: Brought, tmp_path: Path) -> None:
    await box.providers.add(LOCAL_ADMIN, draft("alpha", sender="<i>Shop</i>"))
    async with reader(box) as admin:
        page = await admin.opens(f"{PATH}/alpha")
        assert value(page, "settings.sender") == "<i>Shop</i>"
        state = page.one("section", id="provider-now")
        assert "Secret trial-key not there" in state.text
        assert "https://sms.example.org/hooks/providers/alpha" in state.text
        (tmp_path / "secrets").mkdir()
        (tmp_path / "secrets" / "modembank.provider.trial-key").write_text("canary")
        shown = await admin.asks(f"{PATH}/alpha/now")
        assert "canary" not in shown.text
        assert "Secret trial-key there" in shown.text
        typed = {
            "settings.url": "https://other.example/",
            "sharing.cost": "1",
            "sharing.automatic": "true",
            "settings.verify": "true",
        }
        saved = await admin.posts(f"{PATH}/alpha", typed)
        assert "Saved" in saved.text
        assert box.providers.show(LOCAL_ADMIN, "alpha").settings == {"url": "https://other.example/"}
        wrong = parsed((await admin.posts(f"{PATH}/alpha", typed | {"settings.channel": "email"})).text)
        assert "another channel" in errors(wrong)["settings.channel"]
        off = parsed((await admin.posts(f"{PATH}/alpha/disable", {"why": "too dear"})).text)
        assert "too dear" in off.text
        assert "Enable" in off.text
        assert "ready" in parsed((await admin.posts(f"{PATH}/alpha/enable", {})).text).text
        gone = await admin.posts(f"{PATH}/alpha/remove", {})
        assert gone.headers["hx-redirect"] == PATH
        await admin.asks(f"{PATH}/alpha", 404)


async def test_without_a_public_address_the_page_says_how_it_is_set(
    box: Box, brought: Brought, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(box.providers, "_config", replace(box.providers._config, public_url=""))
    await box.providers.add(LOCAL_ADMIN, draft("alpha"))
    async with reader(box) as admin:
        page = await admin.opens(f"{PATH}/alpha")
    assert "/hooks/providers/alpha on whatever address" in page.text
    assert "[providers] public_url" in page.text


async def test_a_test_is_sent_followed_and_refused_with_the_reason(box: Box, brought: Brought) -> None:
    await box.providers.add(LOCAL_ADMIN, draft("alpha"))
    async with reader(box) as admin:
        sent = parsed((await admin.posts(f"{PATH}/alpha/test", {"to": "+447900900123", "text": "Hello"})).text)
        link = sent.one("a")["href"]
        assert "Hello" in (await admin.opens(link)).text
        for typed, field in (({"to": "", "text": "x"}, "test-to"), ({"to": "nobody", "text": "x"}, "test-to"),
                             ({"to": "+447900900123", "text": ""}, "test-text")):  # fmt: skip
            answer = await admin.posts(f"{PATH}/alpha/test", typed)
            assert (answer.status_code, list(errors(parsed(answer.text)))) == (422, [field])
        Trial.broken = "no session: refused"
        refused = parsed((await admin.posts(f"{PATH}/alpha/test", {"to": "+447900900123", "text": "x"})).text)
        assert "no session: refused" in refused.one("div", class_="bad").text


async def test_one_that_cannot_be_made_any_more_is_shown_with_the_reason(box: Box, brought: Brought) -> None:
    await box.providers.add(LOCAL_ADMIN, draft("alpha"))
    alpha = box.providers.named("alpha")
    assert alpha is not None
    alpha.row = replace(alpha.row, kind="pigeon")
    async with reader(box) as admin:
        page = await admin.opens(f"{PATH}/alpha")
        assert "this release knows no kind pigeon" in page.text
        assert "Remove" in page.text


async def test_senders_have_no_such_pages(box: Box, brought: Brought) -> None:
    async with reader(box, role=Role.SENDER) as ann:
        await ann.asks(PATH, 403)
        await ann.asks("/ui/routing", 403)
        assert (await ann.posts(f"{PATH}/_new/trial", FILLED)).status_code == 403
        assert "Providers" not in (await ann.opens("/ui/messages")).text


async def write(reader: Reader, **typed: str) -> Any:
    return await reader.posts("/ui/messages", {"to": "", "text": "x"} | typed)


async def test_channels_are_offered_when_there_is_another_than_sms(box: Box, brought: Brought) -> None:
    await box.providers.add(LOCAL_ADMIN, draft("alpha"))
    async with reader(box) as admin:
        assert not list((await admin.opens("/ui/messages/new")).all("select", name="channel"))
        await box.providers.add(LOCAL_ADMIN, draft("mail", channel="email"))
        form = await admin.opens("/ui/messages/new")
        assert [each["value"] for each in form.one("select", name="channel").all("option")] == ["sms", "email"]
        sent = await write(admin, to="ann@clinic.example", channel="email", subject="<b>You</b>", text="Tomorrow.")
        shown = await admin.opens(sent.headers["hx-redirect"])
        for words in ("<b>You</b>", "Tomorrow.", "Channel email"):
            assert words in shown.text, words
        listed = await admin.opens("/ui/messages")
        assert "ann@clinic.example email" in listed.text
        wrong = parsed((await write(admin, to="ann@clinic.example", subject="You")).text)
        assert set(errors(wrong)) == {"to", "subject"}
        await box.providers.disable(LOCAL_ADMIN, "mail", "too dear")
        refused = parsed((await write(admin, to="ann@clinic.example", channel="email")).text)
        assert "too dear" in refused.one("div", class_="bad").text


async def test_a_message_shows_its_provider_and_what_it_answered(box: Box, brought: Brought) -> None:
    await box.providers.add(LOCAL_ADMIN, draft("mail", channel="email"))
    mail = box.providers.named("mail")
    assert mail is not None
    async with reader(box) as admin:
        sent = await write(admin, to="ann@clinic.example", channel="email", text="Tomorrow.")
        evidence = json.dumps({"provider": {"answer": "250 <OK>", "response_s": 0.4}, "receipt": "DELIVRD"})

        def tried(conn: Any) -> int:
            conn.execute("UPDATE messages SET state = 50, sim_id = ?, sent_at = 5", (mail.id,))
            conn.execute(
                "INSERT INTO attempts (message_id, segment, n, sim_id, slot, started_at, finished_at, outcome,"
                " evidence) SELECT id, 0, 1, ?, 'mail', 1, 2, 20, ? FROM messages",
                (mail.id, evidence),
            )
            return 1

        await box.store.write(tried)
        page = await admin.opens(sent.headers["hx-redirect"])
    table = page.one("table").text
    for words in ("all at once", "mail", "the provider took it", "Answer: 250 <OK>", "Receipt: DELIVRD"):
        assert words in table, words
    assert "Prompt" not in table
    assert page.one("a", href="/ui/providers/mail").text == "mail"


async def test_a_conversation_tells_the_channel_and_answers_on_it(box: Box, brought: Brought) -> None:
    await box.providers.add(LOCAL_ADMIN, draft("mail", channel="email"))
    mail = box.providers.named("mail")
    assert mail is not None
    await box.store.write(
        lambda conn: (
            conn.execute(
                "INSERT INTO inbox (id, sim_id, sender, kind, text, parts, missing, received_at, user_id)"
                " VALUES (1, ?, 'ann@clinic.example', 'text', 'Thanks', 1, '[]', 5, NULL)",
                (mail.id,),
            ).rowcount
        )
    )
    async with reader(box) as admin:
        page = await admin.opens("/ui/conversations/ann@clinic.example")
        assert "email ·" in page.text
        answered = await admin.posts("/ui/conversations/ann@clinic.example/reply", {"text": "Welcome"})
        assert answered.headers["hx-trigger"] == "said"
        await box.providers.disable(LOCAL_ADMIN, "mail", "too dear")
        refused = await admin.posts("/ui/conversations/ann@clinic.example/reply", {"text": "Again"})
        assert (refused.status_code, "too dear" in refused.text) == (422, True)
    (channel,) = await box.store.fetch_all("SELECT flags & 512 FROM messages")
    assert channel == (512,)
    assert SETTINGS["key_secret"] == "trial-key"
