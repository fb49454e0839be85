"""Story 12 and its kin on a whole box: who says stop is left alone, and two machines do not talk for ever."""

import asyncio

from fakes.boxes import box_on
from fakes.stories import CALM, sent_to
from modembank.decency import LoopsConfig, OptOutConfig, RecipientsConfig

PERSON, OTHER = "+447911123456", "+447911123457"
CONFIRMED = "You are out. Reply START to come back."
RULES = {"opt_out": OptOutConfig(confirmation=CONFIRMED, welcome_back="Welcome back.")}


def say(box, text, sender=PERSON, card=0):
    box.bank.network.inject(box.bank.cards[card].msisdn, text, sender)


async def until_out(box, number=PERSON, state="out"):
    async def looked():
        items = (await box.client.get("/api/v1/opt-outs", params={"number": number})).json()["items"]
        return bool(items) and items[0]["state"] == state

    await box.until(looked)


async def test_stop_ends_what_waits_is_confirmed_once_and_start_reverts(tmp_path):
    async with box_on(tmp_path, timings=CALM, modems=2, sending={"rules": RULES}) as box:
        for place in (0, 1):
            await box.patch_sim(place, paused=True)
        waiting = await box.send(PERSON)
        say(box, "Stop.", card=1)
        await until_out(box)
        ended = await box.until_status(waiting["id"], "failed")
        assert ended["cause"] == "opted_out: the recipient wants no messages"
        for place in (0, 1):
            await box.patch_sim(place, paused=False)
        await box.until(lambda: box.seen() == [PERSON])
        (confirmation,) = [one for one in (await box.get("messages"))["items"] if one["text"] == CONFIRMED]
        sent = await box.until_status(confirmation["id"], "sent", "delivered")
        assert sent["sim"] == box.bank.cards[1].iccid
        say(box, "STOP")
        await box.send(OTHER)
        await box.until(lambda: OTHER in box.seen())
        say(box, "START")
        await until_out(box, state="in")
        await box.until(lambda: box.seen().count(PERSON) == 2)
        again = await box.send(PERSON)
        await box.until_status(again["id"], "sent", "delivered")
        books = await box.get("conservation")
        assert books["holds"], books


async def test_story_12_two_machines_do_not_answer_each_other_for_ever(tmp_path):
    """One inbound message, hundreds out: here a machine answers each of ours, and ours answers each of its."""
    rules = {"loops": LoopsConfig(exchanges=4, within_s=600), "opt_out": OptOutConfig(enabled=False)}
    async with box_on(tmp_path, timings=CALM, modems=1, sending={"rules": rules}) as box:
        answered = 0

        async def answer_all():
            nonlocal answered
            while not box.app.dispatcher.loops():
                if len(box.seen()) > answered:
                    answered = len(box.seen())
                    say(box, f"I am away ({answered})")
                inbox = await box.inbox()
                if len(inbox) > ours[0]:
                    ours[0] = len(inbox)
                    await box.send(PERSON, f"Thank you for your message ({ours[0]})")
                await asyncio.sleep(0)

        ours = [0]
        await box.send(PERSON, "hello")
        await asyncio.wait_for(answer_all(), 60)
        before = len(box.seen())
        assert before <= 6
        held = await box.send(PERSON, "one more")
        assert (await box.waiting_for(held["id"], "held back")).startswith("held back, for messages to and from this")
        other = await box.send(OTHER, "to somebody else")
        await box.until_status(other["id"], "sent", "delivered")

        async def issue():
            items = (await box.get("issues"))["items"]
            return next((one for one in items if one["kind"] == "reply_loop"), None)

        found = await box.until(issue)
        assert PERSON not in str(found)
        assert found["subject"] == "+447*******56"
        assert sent_to(box.bank).count(PERSON) == before
        remedied = await box.client.post(f"/api/v1/issues/{found['id']}/remedies/release_loop")
        assert remedied.status_code == 200, remedied.text
        assert remedied.json()["did"] == "messages go to +447*******56 again"
        await box.until_status(held["id"], "sent", "delivered")
        assert await issue() is None
        again = await box.client.post(f"/api/v1/issues/{found['id']}/remedies/release_loop")
        assert again.status_code == 409


async def test_s27_premium_numbers_and_blocked_prefixes_are_refused(tmp_path):
    rules = {"recipients": RecipientsConfig(blocked_prefixes=("+4415",))}
    async with box_on(tmp_path, timings=CALM, modems=1, sending={"rules": rules}) as box:
        for number, words in (("+449098790000", "recipients.allow_premium"), ("+441512345678", "blocked_prefixes")):
            answer = await box.client.post("/api/v1/messages", json={"to": [OTHER, number], "text": "x"})
            assert answer.status_code == 422
            (problem,) = answer.json()["errors"]
            assert problem["pointer"] == "/to/1"
            assert words in problem["detail"]
        assert box.seen() == []
