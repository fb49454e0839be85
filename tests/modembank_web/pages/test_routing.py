"""Routing as a page: rules in order, and trying them."""

from __future__ import annotations

import pytest

from fakes.kinds import Brought, draft
from fakes.readers import Element, parsed, reader
from fakes.web_boxes import ICCID, Box
from modembank.accounts import LOCAL_ADMIN, Role
from modembank.providers import Channel, Rule

PATH = "/ui/routing"
FIRST = Rule(providers=("alpha", "bank"), prefixes=("+44",), priority_from=7)
SECOND = Rule(providers=("mail",), channel=Channel.EMAIL, domains=("clinic.example",), hours="08:00-20:00")


@pytest.fixture(autouse=True)
async def known(box: Box, brought: Brought) -> None:
    await box.providers.add(LOCAL_ADMIN, draft("alpha"))
    await box.providers.add(LOCAL_ADMIN, draft("mail", channel="email"))
    for name in ("shop", "ann"):
        await box.accounts.add_user(LOCAL_ADMIN, name, Role.SENDER)


async def put(box: Box, *rules: Rule) -> None:
    await box.providers.route(LOCAL_ADMIN, rules, lambda name: True)


def mark(page: Element) -> dict[str, str]:
    return {"mark": page.one("input", name="mark")["value"]}


def errors(page: Element) -> dict[str, str]:
    return {each["id"].removesuffix("-error"): each.text for each in page.all("span", class_="error")}


async def test_rules_are_shown_in_words_and_in_order(box: Box) -> None:
    async with reader(box) as admin:
        assert "No rules" in (await admin.opens(PATH)).text
        await put(box, FIRST, SECOND)
        page = await admin.opens(PATH)
        first, second = (row.text for row in page.one("tbody").all("tr"))
    assert "sms to +44 with priority 7 to 9" in first
    assert "alpha, then bank" in first
    assert "email to addresses at clinic.example between 08:00-20:00" in second


async def test_rules_are_added_changed_moved_and_removed(box: Box) -> None:
    async with reader(box) as admin:
        page = await admin.opens(PATH)
        typed = {"providers": "alpha, bank", "prefixes": "+44", "priority_from": "7"}
        assert (await admin.posts(PATH, typed | mark(page))).headers["hx-redirect"] == PATH
        page = await admin.opens(PATH)
        typed = {"providers": "mail", "channel": "email", "domains": "@Clinic.Example", "hours": "08:00 – 20:00"}
        await admin.posts(PATH, typed | mark(page))
        assert box.providers.rules == (FIRST, SECOND)
        form = await admin.opens(f"{PATH}/1")
        assert form.one("input", name="domains")["value"] == "clinic.example"
        await admin.posts(f"{PATH}/1", typed | {"users": "shop, ann"} | mark(form))
        assert box.providers.rules[1].users == ("shop", "ann")
        page = await admin.opens(PATH)
        moved = parsed((await admin.posts(f"{PATH}/1/up", mark(page))).text)
        assert "shop, ann" in next(moved.one("tbody").all("tr")).text
        assert [rule.channel for rule in box.providers.rules] == [Channel.EMAIL, Channel.SMS]
        page = await admin.opens(PATH)
        await admin.posts(f"{PATH}/0/down", mark(page))
        page = await admin.opens(PATH)
        await admin.posts(f"{PATH}/0/up", mark(page))
        await admin.posts(f"{PATH}/1/down", mark(page))
        assert box.providers.rules[0] == FIRST
        await admin.posts(f"{PATH}/1/remove", mark(page))
        assert box.providers.rules == (FIRST,)
        await admin.asks(f"{PATH}/1", 404)
        await admin.asks(f"{PATH}/x", 404)


async def test_who_saw_other_rules_changes_none(box: Box) -> None:
    async with reader(box) as admin:
        page = await admin.opens(PATH)
        await put(box, FIRST, SECOND)
        for path, typed in ((PATH, {"providers": "bank"}), (f"{PATH}/0/remove", {}), (f"{PATH}/1/up", {})):
            answer = await admin.posts(path, typed | mark(page))
            assert answer.status_code == 409
            assert "meanwhile" in answer.text
    assert box.providers.rules == (FIRST, SECOND)


@pytest.mark.parametrize(
    ("typed", "field", "words"),
    [
        ({"providers": ""}, "providers", "nobody"),
        ({"providers": "bank, gone"}, "providers", "gone"),
        ({"providers": "bank", "prefixes": "44"}, "prefixes", "+44"),
        ({"providers": "bank", "hours": "8-20"}, "hours", "08:00-20:00"),
        ({"providers": "bank", "users": "shop, gone"}, "users", "gone"),
        ({"providers": "bank", "priority_from": "5", "priority_to": "4"}, "priority_to", "less"),
    ],
)
async def test_what_is_wrong_is_told_at_its_field_and_kept(
    box: Box, typed: dict[str, str], field: str, words: str
) -> None:
    await put(box, FIRST)
    async with reader(box) as admin:
        page = await admin.opens(PATH)
        answer = await admin.posts(PATH, {"users": "shop"} | typed | mark(page))
        assert answer.status_code == 422
        shown = parsed(answer.text)
    assert list(errors(shown)) == [field]
    assert words in errors(shown)[field]
    assert shown.one("input", name="users")["value"] == typed.get("users", "shop")
    assert box.providers.rules == (FIRST,)


async def test_what_is_wrong_with_another_rule_is_said_on_top(box: Box) -> None:
    await put(box, Rule(providers=("was-here",)))
    async with reader(box) as admin:
        page = await admin.opens(PATH)
        shown = parsed((await admin.posts(PATH, {"providers": "bank"} | mark(page))).text)
    assert "rule 1: there is no provider" in shown.one("div", class_="bad").text


async def test_rules_are_tried_without_sending_anything(box: Box) -> None:
    await put(box, FIRST, SECOND, Rule(providers=(ICCID,), users=("shop",), hours="22:00-06:00"))
    async with reader(box) as admin:

        async def told(**typed: str) -> str:
            answer = await admin.posts(f"{PATH}/_try", {"to": "+447900900123"} | typed)
            assert answer.status_code == 200, answer.text
            return parsed(answer.text).one("div", role="status").text

        assert (await told(priority="8")).startswith("Rule 1 fits. alpha ready bank not ready no SIM can send now")
        assert (await told()).startswith("No rule fits: the cheapest go first. bank")
        assert (await told(user="shop", at="23:10")).startswith("Rule 3 fits.")
        assert (await told(user="shop", at="12:00")).startswith("No rule fits")
        assert (await told(channel="whatsapp")).endswith("Nobody carries this channel: such a message is refused.")
        mails = {"to": "ann@clinic.example", "channel": "email", "at": "09:00"}
        assert (await told(**mails)).startswith("Rule 2 fits. mail ready")
        for typed, field in (({"to": "nobody"}, "try-to"), ({"to": "+447900900123", "at": "soon"}, "at")):
            answer = await admin.posts(f"{PATH}/_try", typed)
            assert (answer.status_code, list(errors(parsed(answer.text)))) == (422, [field])
    assert await box.messages.counts() == dict.fromkeys(await box.messages.counts(), 0)
