"""Story 29: texts arrive as they were written, in every alphabet and at every awkward length."""

import pytest

from fakes.boxes import box_on
from fakes.delivers import deliver, named, packed, part, text, wide
from fakes.stories import CALM, until_inbox

ROUND_TRIPS = {
    "seven septets": "1234567",
    "eight septets": "12345678",
    "a last at": "mail me@",
    "seven with a last at": "123456@",
    "sixteen with a last at": "123456789012345@",
    "accents": "àéùìòÇØøÅåÆæßÉÄÖÑÜ§äöñü",
    "extension table": "^{}\\[~]|€" * 3,
    "an escape pair at the seam": "x" * 159 + "€" + "y" * 20,
    "152 and a pair": "x" * 152 + "€" * 2 + "z",
    "160": "x" * 160,
    "161": "x" * 161,
    "70 wide": "日" * 70,
    "71 wide": "日" * 71,
    "an emoji at the seam": "日" * 66 + "👍" + "本" * 10,
    "families": "👨‍👩‍👧‍👦" * 12,
    "flags": "🇨🇭🇩🇰" * 10,
    "typographic": "“Quotes” – dashes … and ‘more’",
    "line ends": "one\ntwo\rthree",
    "a backtick": "`",
    "greek": "ΔΦΓΛΩΠΨΣΘΞ",
}


async def test_story_29_every_text_comes_back_as_it_was_written(tmp_path):
    async with box_on(tmp_path, timings=CALM, modems=2) as box:
        for words in ROUND_TRIPS.values():
            await box.send(box.bank.cards[1].msisdn, words, sim="slot-01")
        assert sorted(await until_inbox(box, len(ROUND_TRIPS))) == sorted(ROUND_TRIPS.values())


@pytest.mark.parametrize(
    ("words", "segments"), [("x" * 160, 1), ("x" * 161, 2), ("…" + "x" * 69, 1), ("…" + "x" * 70, 2)]
)
async def test_story_29_segments_are_told_before_sending_and_kept_to(tmp_path, words, segments):
    async with box_on(tmp_path, timings=CALM, modems=1) as box:
        answer = await box.client.post("/api/v1/messages/preview", json={"text": words})
        assert answer.json()["segments"] == segments
        sent = await box.send("+19990000001", words)
        await box.until_status(sent["id"], "delivered")
        assert len(box.bank.network.ledger) == segments == sent["segments"]


async def test_story_29_other_senders_cuts_are_healed(tmp_path):
    async with box_on(tmp_path, timings=CALM, modems=1) as box:
        thumb = "👍".encode("utf-16-be").decode("utf-16-be", "surrogatepass")
        high, low = (chr(int.from_bytes(thumb.encode("utf-16-be")[place : place + 2])) for place in (0, 2))
        pdus = [
            part("cut " + high, 1, 2, 1),
            part(low + " healed", 1, 2, 2),
            text("@ at both ends @".replace("@", "\0")),
            deliver(packed("1234567"), 7),
            deliver(packed("12345678"), 8),
            wide("ünïcødé"),
        ]
        for pdu in pdus:
            box.bank.network.inject(box.bank.cards[0].msisdn, pdu=pdu)
        assert await until_inbox(box, 5) == ["cut 👍 healed", "@ at both ends @", "1234567", "12345678", "ünïcødé"]


async def test_story_29_sender_names_of_every_length(tmp_path):
    names = ["A", "Bank", "Seven77", "Eight888", "TenLetters", "Eleven00000"]
    async with box_on(tmp_path, timings=CALM, modems=1) as box:
        for name in names:
            box.bank.network.inject(box.bank.cards[0].msisdn, pdu=text(name, sender=named(name)))
        await until_inbox(box, len(names))
        assert [(item["from"], item["text"]) for item in reversed(await box.inbox())] == [(n, n) for n in names]
