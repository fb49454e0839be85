"""The whole way of a message: HTTP, queue, limits, AT+CMGS over a pty, network, another SIM's inbox, report."""

import pytest

from fakes.boxes import box_on, emulated, running

DIALECTS = ("generic", "quectel", "huawei", "simcom", "poor")


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_message_goes_from_one_sim_to_another_and_is_reported(tmp_path, dialect):
    async with box_on(tmp_path, dialect=dialect) as box:
        to = box.bank.cards[1].msisdn
        sent = await box.send(to, "Grüße – 1 €", sim="slot-01")
        message = await box.until_status(sent["id"], "delivered")
        assert message["report"]["status"] == "delivered"
        outcomes = [attempt["outcome"] for attempt in message["attempts"]]
        assert outcomes == (["rejected", "accepted"] if dialect == "poor" else ["accepted"])  # poor: refuses a validity
        (received,) = await box.until(box.inbox)
        assert (received["text"], received["from"]) == ("Grüße – 1 €", box.bank.cards[0].msisdn)
        (seen,) = box.bank.network.ledger
        assert seen.destination == to


async def test_long_texts_arrive_whole_in_every_alphabet(tmp_path):
    texts = ["x" * 161, "[€]" * 80, "日本語テキスト" * 30, "👩‍👩‍👧‍👦 family " * 12]
    async with box_on(tmp_path) as box:
        for text in texts:
            await box.send(box.bank.cards[1].msisdn, text, sim="slot-01", max_segments=20)
        await box.until(lambda: _count(box, len(texts)))
        assert sorted(item["text"] for item in await box.inbox()) == sorted(texts)


async def _count(box, wanted):
    return len(await box.inbox()) == wanted


async def test_many_messages_share_the_bank_and_all_arrive_once(tmp_path):
    async with box_on(tmp_path, modems=8, dialect="mixed") as box:
        to = [f"+1999{number:07d}" for number in range(400)]
        batch = await box.send(to, "one of many")
        await box.until(lambda: len(box.bank.network.ledger) >= 400)
        assert sorted(seen.destination for seen in box.bank.network.ledger) == sorted(to)
        for accepted in batch["messages"]:
            await box.until_status(accepted["id"], "delivered")
        shares = [modem.cmgs_count for modem in box.bank.modems]
        assert min(shares) > 0


async def test_a_restarted_box_knows_everything_and_sends_nothing_again(tmp_path):
    async with emulated(tmp_path / "tty") as bank:
        async with running(bank, tmp_path / "data") as box:
            sent = await box.send("+19990000001")
            before = await box.until_status(sent["id"], "delivered")
        async with running(bank, tmp_path / "data") as box:
            after = await box.message(sent["id"])
            await box.send("+19990000002")
            await box.until(lambda: len(bank.network.ledger) == 2)
    assert after == before
    assert [seen.destination for seen in bank.network.ledger] == ["+19990000001", "+19990000002"]
