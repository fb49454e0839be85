"""Providers beside the bank: who takes a message, what follows when one does not, and that nothing goes twice."""

import asyncio

import pytest

from fakes.carriers import CarrierBox, not_sent, refused, unknown
from fakes.lines import refused as refused_by_sim
from fakes.outboxes import HOUR
from modembank.messages.model import WHOLE, MessageState, OnUnknown
from modembank.modem.outcome import AttemptOutcome, CauseClass
from modembank.providers import Channel, Receipt, ReceiptStatus, Rule

LONG = "x" * 400  # three segments
NUMBER = "+447911000001"


@pytest.fixture
async def box(tmp_path):
    opened = await CarrierBox(tmp_path / "box.db").open()
    yield opened
    await opened.close()


async def staged(box, *stages: dict) -> int:
    import msgspec

    return await box.route(msgspec.json.encode({"stages": list(stages)}).decode())


async def test_the_bank_goes_first_while_it_can(box):
    alpha = await box.provider()
    await box.line()
    message = await box.accept(NUMBER)
    await box.until(lambda: box.air)
    await box.settled()
    assert await box.state(message) is MessageState.SENT
    assert not alpha.seen


async def test_a_provider_takes_what_the_bank_cannot(box):
    alpha = await box.provider()
    line = await box.line()
    box.down(line)
    message = await box.accept(NUMBER, LONG, segments=3)
    await box.settled()
    assert not alpha.seen, "a modem that starts again is waited for"
    await box.patience()
    await box.until(lambda: box.taken)
    await box.settled()
    assert await box.state(message) is MessageState.SENT
    (attempt,) = await box.attempts(message)
    assert (attempt.segment, attempt.sim_id, attempt.slot) == (WHOLE, box.number_of("alpha"), "alpha")
    ((_, outbound),) = box.taken
    assert (outbound.recipient, outbound.text, outbound.segments) == (NUMBER, LONG, 3)
    assert outbound.key.startswith(f"{box.providers.key}-msg_")
    await box.check_counts()


async def test_a_bank_without_any_modem_is_waited_for_only_at_the_start(box):
    await box.provider()
    await box.accept(NUMBER)
    await box.settled()
    assert not box.taken
    await box.patience()
    await box.until(lambda: box.taken)


async def test_spent_limits_of_the_bank_lead_to_a_provider(box):
    await box.provider()
    await box.line(per_hour=1)
    await box.patience()
    first = await box.accept()
    await box.until(lambda: box.air)
    second = await box.accept()
    await box.until(lambda: box.taken)
    await box.settled()
    assert [await box.state(each) for each in (first, second)] == [MessageState.SENT] * 2
    assert len(box.air) == 1


async def test_a_short_wait_for_the_banks_limits_is_no_reason_to_pay(box):
    await box.provider()
    await box.line(min_interval_s=30)
    await box.patience()
    await box.accept()
    await box.until(lambda: box.air)
    await box.accept()
    await box.settled()
    assert not box.taken
    await box.turn(30_001)
    await box.until(lambda: len(box.air) == 2)


async def test_the_cheapest_that_can_goes_first(box):
    await box.provider("dear", cost=5)
    await box.provider("cheap", cost=2)
    await box.patience()
    await box.accept()
    await box.until(lambda: box.taken)
    await box.ready("cheap", "no session")
    await box.patience()
    await box.accept()
    await box.until(lambda: len(box.taken) == 2)
    assert box.took == ["cheap", "dear"]


async def test_equal_costs_share(box):
    for name in ("one", "two"):
        await box.provider(name, window=1)
    await box.patience()
    for count in range(6):
        await box.accept()
        await box.until(lambda count=count: len(box.taken) == count + 1)
    assert set(box.took) == {"one", "two"}


async def test_one_that_is_not_automatic_is_used_when_it_is_named(box):
    await box.provider(automatic=False)
    await box.patience()
    await box.accept()
    await box.settled()
    assert not box.taken
    await box.accept(route=await staged(box, {"providers": [1]}))
    await box.until(lambda: box.taken)


async def test_named_providers_go_in_their_order(box):
    await box.provider("first")
    await box.provider("second")
    await box.line()
    await box.patience()
    route = await staged(box, {"providers": [2]}, {"providers": [1]}, {"bank": True})
    await box.accept(route=route)
    await box.until(lambda: box.taken)
    await box.ready("second", "no session")
    await box.accept(route=route)
    await box.settled()
    assert len(box.taken) == 1, "whose session comes back within the minute is waited for"
    await box.patience()
    await box.until(lambda: len(box.taken) == 2)
    await box.ready("first", "no session")
    await box.patience()
    await box.accept(route=route)
    await box.until(lambda: box.air)
    assert box.took == ["second", "first"]


async def test_what_may_have_been_taken_goes_to_nobody_else(box):
    alpha = await box.provider("alpha")
    await box.provider("beta", cost=2)
    alpha.answers = [unknown()]
    await box.patience()
    message = await box.accept(NUMBER)
    await box.until(lambda: box.taken)
    await box.line()
    await box.settled()
    await box.patience()
    await box.turn(HOUR)
    await box.settled()
    assert await box.state(message) is MessageState.UNKNOWN
    assert box.took == ["alpha"]
    assert not box.air
    assert "settles it" in await box.explain(message)


async def test_the_policy_resend_sends_it_again(box):
    alpha = await box.provider("alpha")
    alpha.answers = [unknown()]
    await box.patience()
    message = await box.accept(NUMBER, on_unknown=OnUnknown.RESEND)
    await box.until(lambda: box.taken)
    await box.settled()
    await box.turn(HOUR)
    await box.until(lambda: len(box.taken) == 2)
    await box.settled()
    assert await box.state(message) is MessageState.SENT
    assert len({outbound.key for _, outbound in box.taken}) == 1, "one that knows keys can tell that it is the same"


async def test_what_nobody_would_take_is_offered_to_nobody_else(box):
    alpha = await box.provider("alpha")
    beta = await box.provider("beta", cost=2)
    alpha.answers = [refused(CauseClass.RECIPIENT)]
    await box.patience()
    message = await box.accept()
    await box.until(lambda: alpha.seen)
    await box.settled()
    assert await box.state(message) is MessageState.FAILED
    assert not beta.seen


async def test_an_account_that_is_refused_leads_to_the_next_at_once(box):
    alpha = await box.provider("alpha")
    await box.provider("beta", cost=2)
    alpha.answers = [refused(CauseClass.SIM)]
    await box.patience()
    message = await box.accept()
    await box.until(lambda: box.taken)
    await box.settled()
    assert box.took == ["beta"]
    assert [(one.slot, one.outcome) for one in await box.attempts(message)] == [
        ("alpha", AttemptOutcome.REJECTED),
        ("beta", AttemptOutcome.ACCEPTED),
    ]


async def test_a_sim_that_is_refused_leads_to_a_provider(box):
    await box.provider()
    line = await box.line()
    await box.patience()
    line.answers = [refused_by_sim(CauseClass.SIM)]
    message = await box.accept()
    await box.until(lambda: box.taken)
    await box.settled()
    assert [one.slot for one in await box.attempts(message)] == ["alpha", "slot-1"]
    assert await box.state(message) is MessageState.SENT


async def test_passing_trouble_is_tried_again_later(box):
    alpha = await box.provider()
    alpha.answers = [refused(CauseClass.NETWORK, retry_after_s=120)]
    await box.patience()
    message = await box.accept()
    await box.until(lambda: alpha.seen)
    await box.settled()
    assert "it says no" in await box.explain(message)
    await box.turn(100_000)
    await box.settled()
    assert not box.taken, "it asked for two minutes"
    await box.turn(25_000)
    await box.until(lambda: box.taken)


async def test_a_provider_that_is_not_there_rests_and_the_message_keeps_its_place(box):
    alpha = await box.provider()
    alpha.before_gate = True
    alpha.answers = [not_sent()] * 3
    await box.patience()
    message = await box.accept()
    for _ in range(40):
        await box.settled()
        if box.taken:
            break
        await box.turn(10_000)
    assert await box.state(message) is MessageState.SENT
    assert [one.outcome for one in await box.attempts(message)] == [AttemptOutcome.ACCEPTED]


async def test_one_that_fails_again_and_again_is_not_waited_for(box):
    alpha = await box.provider("alpha")
    await box.provider("beta", cost=2)
    alpha.before_gate = True
    alpha.answers = [not_sent()] * 30
    await box.patience()
    await box.accept()
    for _ in range(40):
        await box.settled()
        if box.taken:
            break
        await box.turn(10_000)
    assert box.took == ["beta"]


async def test_an_adapter_that_breaks_leaves_nothing_to_chance(box):
    alpha = await box.provider()
    alpha.answers = [RuntimeError("a bug"), None]
    await box.patience()
    broken = await box.accept()
    await box.until(lambda: alpha.seen)
    await box.settled()
    assert await box.state(broken) is MessageState.UNKNOWN
    assert "RuntimeError" in await box.explain(broken)
    await box.turn(60_000)
    whole = await box.accept()
    await box.until(lambda: box.taken)
    await box.settled()
    assert await box.state(whole) is MessageState.SENT


async def test_as_many_at_once_as_the_window_has(box):
    alpha = await box.provider(window=3)
    alpha.release = asyncio.Event()
    await box.patience()
    for _ in range(8):
        await box.accept()
    await box.until(lambda: alpha.under_way == 3)
    await asyncio.sleep(0.05)
    alpha.release.set()
    await box.until(lambda: len(box.taken) == 8)
    assert alpha.most_under_way == 3


async def test_limits_count_segments_of_whole_messages(box):
    await box.provider(per_hour=4)
    await box.patience()
    messages = [await box.accept(text=LONG, segments=3) for _ in range(2)]
    await box.until(lambda: box.taken)
    await box.settled()
    assert len(box.taken) == 1
    assert "provider alpha: 3 of 4 this hour" in await box.explain(messages[1])
    used = await box.store.fetch_one("SELECT sum(segments) FROM sim_usage WHERE sim_id = ?", (box.number_of("alpha"),))
    assert used == (3,)
    await box.reopen()
    await box.patience()
    await box.settled()
    assert len(box.taken) == 1, "limits survive a restart"
    await box.turn(HOUR)
    await box.until(lambda: len(box.taken) == 2)


async def test_a_part_that_the_bank_sent_ties_the_rest_to_it(box):
    line = await box.line()
    await box.provider()
    await box.patience()
    line.answer = lambda tpdu: (
        refused_by_sim(CauseClass.NETWORK)
        if tpdu.user_data.udh.concat.sequence == 2 and not box.clock.now_ms % 2
        else None
    )
    box.clock.now_ms += box.clock.now_ms % 2
    message = await box.accept(text=LONG, segments=3)
    await box.until(lambda: box.air)
    await box.settled()
    box.down(line)
    await box.turn(HOUR)
    await box.settled()
    assert not box.taken
    assert "the rest must follow" in await box.explain(message)


async def test_a_crash_between_intent_and_answer_leaves_it_unknown(box):
    alpha = await box.provider()
    alpha.release = asyncio.Event()
    await box.patience()
    message = await box.accept()
    await box.until(lambda: alpha.under_way)
    await box.until(lambda: alpha.under_way == 1)
    while not await box.attempts(message):
        await asyncio.sleep(0.005)
    await box.crash()
    alpha.release.set()
    await box.line()
    await box.patience()
    await box.settled()
    assert await box.state(message) is MessageState.UNKNOWN
    assert not box.air
    assert len(alpha.seen) == 1


async def test_who_opted_out_meanwhile_gets_nothing(box):
    alpha = await box.provider(why="no session")
    await box.patience()
    message = await box.accept(NUMBER)
    await box.store.write(
        lambda conn: conn.execute(
            "INSERT INTO opt_outs (number, state, changed_at, source) VALUES (?, 1, 1, 'x')", (NUMBER,)
        )
    )
    await box.ready("alpha", None)
    await box.until(lambda: alpha.seen)
    await box.settled()
    assert await box.state(message) is MessageState.FAILED
    assert not box.taken


async def test_rules_say_who_takes_which_numbers(box):
    await box.provider("home", automatic=False)
    await box.provider("abroad", automatic=False)
    await box.line()
    await box.patience()
    await box.rules(
        Rule(("home",), prefixes=("+44",), priority_from=6),
        Rule(("abroad", "bank"), prefixes=("+1", "+49")),
    )
    await box.accept("+447911000001", rank=1)
    await box.accept("+493012345678")
    await box.until(lambda: len(box.taken) == 2)
    await box.accept("+447911000002", rank=8)
    await box.until(lambda: box.air)
    assert sorted(box.took) == ["abroad", "home"]
    assert [sent.number for sent in box.air] == ["+447911000002"]


async def test_rules_by_the_hour_hold_when_a_message_goes(box):
    await box.provider("night", automatic=False)
    await box.line()
    await box.patience()
    await box.rules(Rule(("night",), hours="00:00-00:01"))
    await box.accept()
    await box.until(lambda: box.air)
    await box.rules(Rule(("night",), hours="00:00-00:00"))
    await box.accept()
    await box.until(lambda: box.taken)
    assert len(box.air) == 1


async def test_each_channel_has_its_own_providers(box):
    mail = await box.provider("mail", channel=Channel.EMAIL)
    await box.provider("alpha")
    await box.line()
    await box.patience()
    await box.accept("someone@clinic.example", route=await box.route('{"channel":"email"}'))
    await box.until(lambda: box.taken)
    assert box.took == ["mail"]
    assert mail.seen[0].channel is Channel.EMAIL
    assert not box.air


async def test_what_waits_for_a_provider_says_so(box):
    await box.provider(why="the server refuses the password")
    message = await box.accept(route=await staged(box, {"providers": [1]}))
    await box.settled()
    assert await box.explain(message) == "provider alpha takes nothing now: the server refuses the password"
    mail = await box.accept("a@b.example", route=await box.route('{"channel":"email"}'))
    await box.settled()
    assert await box.explain(mail) == "this box has no provider of email"


class TestReceipts:
    @pytest.fixture
    async def sent(self, box):
        alpha = await box.provider()
        await box.patience()
        message = await box.accept()
        await box.until(lambda: box.taken)
        await box.settled()
        return alpha, message

    async def test_one_that_it_arrived(self, box, sent):
        alpha, message = sent
        await alpha.sink.receipt(Receipt("alpha-1", ReceiptStatus.PENDING))
        await box.settled()
        assert await box.state(message) is MessageState.SENT
        for _ in range(2):
            await alpha.sink.receipt(Receipt("alpha-1", ReceiptStatus.DELIVERED, at_ms=box.clock.now_ms))
        await box.settled()
        assert await box.state(message) is MessageState.DELIVERED
        await alpha.sink.receipt(Receipt("alpha-1", ReceiptStatus.FAILED, "too late"))
        await box.settled()
        assert await box.state(message) is MessageState.DELIVERED
        await box.check_counts()

    async def test_one_that_it_did_not_tells_why(self, box, sent):
        alpha, message = sent
        await alpha.sink.receipt(Receipt("alpha-1", ReceiptStatus.FAILED, "err:034 handset\nbusy"))
        await box.settled()
        assert await box.state(message) is MessageState.UNDELIVERED
        cause = await box.store.fetch_one("SELECT cause FROM messages WHERE id = ?", (message,))
        assert cause == ("report_63: alpha: err:034 handset busy",)
        assert box.providers.named("alpha").tally.delivery_rate == 0

    async def test_one_of_nothing_is_kept_and_harmless(self, box, sent):
        alpha, message = sent
        await alpha.sink.receipt(Receipt("somebody's", ReceiptStatus.FAILED))
        await box.settled()
        assert await box.state(message) is MessageState.SENT
        assert (await box.store.fetch_one("SELECT count(*) FROM orphan_receipts"))[0] == 1

    async def test_one_of_another_provider_counts_for_nothing(self, box, sent):
        _, message = sent
        beta = await box.provider("beta")
        await beta.sink.receipt(Receipt("alpha-1", ReceiptStatus.FAILED))
        await box.settled()
        assert await box.state(message) is MessageState.SENT

    async def test_one_that_is_quicker_than_the_answer(self, box):
        alpha = await box.provider()
        alpha.release = asyncio.Event()
        await box.patience()
        message = await box.accept()
        await box.until(lambda: alpha.under_way)
        await alpha.sink.receipt(Receipt("alpha-1", ReceiptStatus.DELIVERED))
        await box.outbox.flush()
        alpha.release.set()
        await box.settled()
        assert await box.state(message) is MessageState.DELIVERED
        assert (await box.store.fetch_one("SELECT count(*) FROM orphan_receipts"))[0] == 0

    async def test_one_after_a_restart(self, box, sent):
        alpha, message = sent
        await box.reopen()
        await alpha.sink.receipt(Receipt("alpha-1", ReceiptStatus.DELIVERED))
        await box.settled()
        assert await box.state(message) is MessageState.DELIVERED


async def test_a_removed_provider_takes_nothing_and_its_messages_name_it(box):
    await box.provider()
    await box.patience()
    message = await box.accept()
    await box.until(lambda: box.taken)
    await box.settled()
    from modembank.accounts.model import LOCAL_ADMIN

    name = box.number_of("alpha")
    await box.providers.remove(LOCAL_ADMIN, "alpha")
    await box.accept()
    await box.settled()
    assert len(box.taken) == 1
    assert box.providers.name_of(name) == "alpha"
    (attempt,) = await box.attempts(message)
    assert attempt.slot == "alpha"
    await box.until(lambda: not any("provider-" in name for name in box.dispatcher._children.names()))
