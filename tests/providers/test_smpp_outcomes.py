"""What becomes of a message: each row of the adapter's table, against an SMSC that behaves so."""

import asyncio

import pytest

from fakes.brokers import free_port
from fakes.esmes import esme, until
from fakes.smsc import ENQUIRE_LINK, NACK, RESP, SUBMIT_SM, pdu, smsc
from modembank.modem.outcome import AttemptOutcome, CauseClass
from modembank.providers.adapters import smpp, smpp_status_table

NOT_SENT, ACCEPTED = AttemptOutcome.NOT_SENT, AttemptOutcome.ACCEPTED
REJECTED, UNKNOWN = AttemptOutcome.REJECTED, AttemptOutcome.UNKNOWN


@pytest.fixture(autouse=True)
def _short_rests(monkeypatch):
    monkeypatch.setattr(smpp, "FIRST_REST_S", 0.02)


def said(result):
    return result.outcome, result.cause.klass if result.cause else None, result.cause.code if result.cause else None


async def test_taken_under_the_smscs_name():
    async with smsc() as centre, esme(centre.port) as box:
        result = await box.send("hello")
        assert said(result) == (ACCEPTED, None, None)
        assert result.reference == "1"
        assert box.gates == 1
        [submitted] = centre.submits
        assert submitted.fields == {
            "service_type": b"", "source_ton": b"\x01", "source_npi": b"\x01", "source": b"4930123",
            "dest_ton": b"\x01", "dest_npi": b"\x01", "dest": b"491701234567", "esm_class": b"\0", "protocol": b"\0",
            "priority": b"\0", "scheduled": b"", "validity": b"000001000000000R", "registered": b"\x01",
            "replace": b"\0", "coding": b"\0", "default": b"\0", "length": b"\x05", "text": b"hello",
        }  # fmt: skip
        assert submitted.tlvs == {}


async def test_taken_without_a_name_has_no_reference():
    def on_submit(session, submitted):
        session.send(pdu(SUBMIT_SM | RESP, 0, submitted.sequence))

    async with smsc(on_submit=on_submit) as centre, esme(centre.port) as box:
        result = await box.send()
        assert (result.outcome, result.reference) == (ACCEPTED, None)


async def test_an_answer_with_a_name_that_never_ends_is_still_taken():
    def on_submit(session, submitted):
        session.send(pdu(SUBMIT_SM | RESP, 0, submitted.sequence, b"id-without-end"))

    async with smsc(on_submit=on_submit) as centre, esme(centre.port) as box:
        assert (await box.send()).reference == "id-without-end"


async def test_an_endless_name_is_cut():
    def on_submit(session, submitted):
        session.answer(submitted, 0, b"x" * 5000)

    async with smsc(on_submit=on_submit) as centre, esme(centre.port) as box:
        assert (await box.send()).reference == "x" * 200


@pytest.mark.parametrize("status", smpp_status_table.STATUSES)
async def test_every_status_of_the_lists_is_a_refusal_by_its_class(status):
    row = smpp_status_table.STATUSES[status]
    async with smsc(on_submit=lambda session, one: session.answer(one, status)) as centre, esme(centre.port) as box:
        result = await box.send()
        assert said(result) == (REJECTED, row.klass, f"smpp_0x{status:02x}")
        assert result.cause.text == f"smpp_0x{status:02x}: {row.text} ({row.name})"
        assert result.evidence["command_status"] == f"0x{status:08x}"
        assert (result.retry_after_s is not None) == (status in {0x14, 0x58})
        assert result.reference is None


async def test_the_cause_of_an_invalid_recipient_reads_as_documented():
    assert smpp_status_table.cause_of(0x0B).text.startswith("smpp_0x0b: invalid destination address")


async def test_a_status_of_no_list_passes_and_is_shown():
    async with smsc(on_submit=lambda session, one: session.answer(one, 0x0411)) as centre, esme(centre.port) as box:
        result = await box.send()
        assert said(result) == (REJECTED, CauseClass.NETWORK, "smpp_0x411")
        assert "the SMSC's own" in result.cause.text


@pytest.mark.parametrize(
    ("meaning", "klass"),
    [
        ("recipient", CauseClass.RECIPIENT),
        ("account", CauseClass.SIM),
        ("passing", CauseClass.NETWORK),
        ("rest", CauseClass.MODEM),
    ],
)
async def test_the_settings_say_what_a_status_means(meaning, klass):
    async with (
        smsc(on_submit=lambda session, one: session.answer(one, 0x0400)) as centre,
        esme(centre.port, statuses={"0x0400": meaning}) as box,
    ):
        result = await box.send()
        assert said(result) == (REJECTED, klass, "smpp_0x400")
        assert (result.retry_after_s is not None) == (meaning == "rest")


async def test_a_throttled_account_rests_longer_each_time_and_then_sends_again(monkeypatch):
    monkeypatch.setattr(smpp, "FIRST_REST_S", 0.3)
    throttles = iter([0x58, 0x14, 0])
    async with (
        smsc(on_submit=lambda session, one: session.answer(one, next(throttles), b"7")) as centre,
        esme(centre.port) as box,
    ):
        first = await box.send()
        assert first.cause.klass is CauseClass.MODEM
        assert 0 < first.retry_after_s <= 0.36
        assert "resting" in box.provider.not_ready()
        refused = await box.send()
        assert said(refused) == (NOT_SENT, CauseClass.MODEM, "smpp_not_ready")
        assert refused.retry_after_s is not None
        assert len(centre.submits) == 1, "nothing is sent to one who asked for less"
        await box.ready()
        second = await box.send()
        assert second.retry_after_s > 0.36
        await box.ready()
        assert (await box.send()).outcome is ACCEPTED
        assert box.provider.not_ready() is None


async def test_a_nack_with_a_cause_is_a_refusal():
    async with (
        smsc(on_submit=lambda session, one: session.send(pdu(NACK, 0x03, one.sequence))) as centre,
        esme(centre.port) as box,
    ):
        assert said(await box.send()) == (REJECTED, CauseClass.SIM, "smpp_0x03")


async def test_a_nack_without_a_cause_is_nonsense():
    async with (
        smsc(on_submit=lambda session, one: session.send(pdu(NACK, 0, one.sequence))) as centre,
        esme(centre.port) as box,
    ):
        result = await box.send()
        assert said(result) == (UNKNOWN, CauseClass.AMBIGUOUS, "smpp_nonsense")
        assert "0x80000000" in result.cause.text


async def test_an_answer_to_another_command_is_nonsense_and_kept_as_evidence():
    async with (
        smsc(on_submit=lambda session, one: session.send(pdu(0x80000103, 0, one.sequence, b"1\0"))) as centre,
        esme(centre.port) as box,
    ):
        result = await box.send()
        assert said(result) == (UNKNOWN, CauseClass.AMBIGUOUS, "smpp_nonsense")
        assert "0x80000103" in result.cause.text


async def test_no_answer_in_time():
    async with smsc(mute={SUBMIT_SM}) as centre, esme(centre.port, response_timeout_s=0.2) as box:
        result = await box.send()
        assert said(result) == (UNKNOWN, CauseClass.AMBIGUOUS, "smpp_no_answer")
        assert len(centre.submits) == 1
        assert result.evidence["waited_s"] >= 0.2


async def test_an_answer_that_comes_too_late_disturbs_nothing():
    late = []
    async with (
        smsc(on_submit=lambda session, one: late.append((session, one))) as centre,
        esme(centre.port, response_timeout_s=0.2) as box,
    ):
        assert (await box.send()).outcome is UNKNOWN
        session, submitted = late[0]
        session.answer(submitted, 0, b"late")
        session.answer(submitted, 0, b"later still")
        session.answer(type(submitted)(4711, {}, {}), 0, b"of nothing")
        centre.on_submit = None
        assert (await box.send()).reference == "2"


@pytest.mark.parametrize("how", ["hang_up", "cut"])
async def test_the_session_lost_after_writing(how):
    async with (
        smsc(on_submit=lambda session, one: getattr(session, how)()) as centre,
        esme(centre.port) as box,
    ):
        assert said(await box.send()) == (UNKNOWN, CauseClass.AMBIGUOUS, "smpp_session_lost")


async def test_an_answer_that_is_cut_in_its_middle():
    def on_submit(session, submitted):
        session.send(pdu(SUBMIT_SM | RESP, 0, submitted.sequence, b"0123456789\0")[:20])
        session.hang_up()

    async with smsc(on_submit=on_submit) as centre, esme(centre.port) as box:
        assert said(await box.send()) == (UNKNOWN, CauseClass.AMBIGUOUS, "smpp_session_lost")


@pytest.mark.parametrize(
    "octets",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0" * 64, b"\xff" * 64, b"\0\0\0\x0f" + b"\0" * 12],
    ids=["http", "zeros", "ones", "short"],
)
async def test_an_answer_that_is_no_smpp(octets):
    async with smsc(on_submit=lambda session, _: session.send(octets)) as centre, esme(centre.port) as box:
        result = await box.send()
        assert said(result) == (UNKNOWN, CauseClass.AMBIGUOUS, "smpp_session_lost")
        assert "no SMPP" in result.cause.text


async def test_an_unbind_instead_of_an_answer():
    async with (
        smsc(on_submit=lambda session, _: session.send(pdu(6, 0, 99))) as centre,
        esme(centre.port) as box,
    ):
        result = await box.send()
        assert said(result) == (UNKNOWN, CauseClass.AMBIGUOUS, "smpp_session_lost")
        assert "unbind" in result.cause.text


async def test_all_that_waits_is_unknown_when_the_session_is_lost():
    async with smsc(mute={SUBMIT_SM}) as centre, esme(centre.port) as box:
        sending = [asyncio.create_task(box.send(str(number))) for number in range(5)]
        await until(lambda: len(centre.submits) == 5)
        centre.session.cut()
        results = await asyncio.gather(*sending)
        assert {said(result) for result in results} == {(UNKNOWN, CauseClass.AMBIGUOUS, "smpp_session_lost")}


async def test_without_a_session_nothing_is_sent_nor_the_gate_asked():
    async with esme(free_port(), ready=False) as box:
        await until(lambda: "nothing listens" in (box.provider.not_ready() or ""))
        result = await box.send()
        assert said(result) == (NOT_SENT, CauseClass.MODEM, "smpp_not_ready")
        assert "nothing listens" in result.cause.text
        assert box.gates == 0


async def test_a_closed_gate_sends_nothing():
    async def closed():
        return False

    async with smsc() as centre, esme(centre.port) as box:
        box.gate = closed
        assert said(await box.send()) == (NOT_SENT, CauseClass.MODEM, "gate_closed")
        await centre.session.enquire()
        assert centre.submits == []


async def test_a_session_that_ends_while_the_gate_is_asked_sends_nothing():
    async with smsc() as centre, esme(centre.port) as box:
        link = box.provider._link()

        async def slow():
            centre.session.cut()
            await until(lambda: link.ended)
            return True

        box.gate = slow
        result = await box.send()
        assert said(result) == (NOT_SENT, CauseClass.MODEM, "smpp_session_lost")
        assert centre.submits == []


async def test_an_smsc_that_reads_nothing_has_nothing_of_what_could_not_be_written():
    async with (
        smsc(narrow=True) as centre,
        esme(centre.port, response_timeout_s=0.3, long="payload", window=200) as box,
    ):
        box.narrowed()
        centre.deaf = True
        await centre.session.enquire()
        sending = [asyncio.create_task(box.send("x" * 30_000)) for _ in range(20)]
        results = await asyncio.gather(*sending)
        kinds = {said(result)[0] for result in results}
        assert kinds == {UNKNOWN, NOT_SENT}
        assert results[0].outcome is UNKNOWN
        assert results[-1].outcome is NOT_SENT


@pytest.mark.parametrize("recipient", ["", "+", "+49 170", "bank@example.com", "+" + "1" * 21, "+49\0", "Bank"])
async def test_an_address_that_cannot_be_carried(recipient):
    async with smsc() as centre, esme(centre.port) as box:
        assert said(await box.send(recipient=recipient)) == (NOT_SENT, CauseClass.RECIPIENT, "address_refused")
        assert box.gates == 0


async def test_a_text_that_cannot_be_carried():
    async with smsc() as centre, esme(centre.port) as box:
        assert said(await box.send("half \ud83d")) == (NOT_SENT, CauseClass.RECIPIENT, "text_refused")
        assert said(await box.send("x" * 153 * 256)) == (NOT_SENT, CauseClass.RECIPIENT, "text_refused")
        assert box.gates == 0


async def test_evidence_has_neither_text_nor_secret_nor_number():
    async with smsc(mute={SUBMIT_SM}) as centre, esme(centre.port, response_timeout_s=0.1) as box:
        result = await box.send("meet me at noon")
        shown = repr(result)
        for hidden in ("meet", "secret", "491701234567"):
            assert hidden not in shown


class TestSegments:
    """A message of several requests."""

    text = "0123456789" * 40  # three segments

    async def test_only_the_last_asks_for_a_receipt_and_gives_the_reference(self):
        async with smsc() as centre, esme(centre.port, long="udh") as box:
            result = await box.send(self.text)
            assert (result.outcome, result.reference) == (ACCEPTED, "3")
            assert [one.number("registered") for one in centre.submits] == [0, 0, 1]
            assert {one.number("esm_class") for one in centre.submits} == {0x40}
            heads = [one.content[:6] for one in centre.submits]
            assert [head[:3] + head[4:] for head in heads] == [b"\x05\x00\x03\x03" + bytes((n,)) for n in (1, 2, 3)]
            assert len({head[3] for head in heads}) == 1, "one reference"
            assert b"".join(one.content[6:] for one in centre.submits).decode() == self.text
            assert box.gates == 1

    async def test_two_messages_have_two_references(self):
        async with smsc() as centre, esme(centre.port, long="udh") as box:
            await box.send(self.text)
            await box.send(self.text)
            assert centre.submits[0].content[3] != centre.submits[3].content[3]

    async def test_the_first_refused_is_a_refusal(self):
        async with (
            smsc(on_submit=lambda session, one: session.answer(one, 0x0B)) as centre,
            esme(centre.port, long="udh") as box,
        ):
            assert said(await box.send(self.text)) == (REJECTED, CauseClass.RECIPIENT, "smpp_0x0b")
            assert len(centre.submits) == 1

    @pytest.mark.parametrize("bad", [2, 3])
    async def test_a_later_one_refused_is_unknown(self, bad):
        def on_submit(session, one):
            session.answer(one, 0x45 if len(session.smsc.submits) == bad else 0, b"1")

        async with smsc(on_submit=on_submit) as centre, esme(centre.port, long="udh") as box:
            result = await box.send(self.text)
            assert said(result) == (UNKNOWN, CauseClass.AMBIGUOUS, "smpp_half_taken")
            assert f"segment {bad} of 3: smpp_0x45" in result.cause.text
            assert result.evidence["request"] == bad
            assert len(centre.submits) == bad, "what is lost is not completed"

    async def test_a_session_lost_between_two_is_unknown(self):
        def on_submit(session, one):
            session.answer(one, 0, b"1")
            session.hang_up()

        async with smsc(on_submit=on_submit) as centre, esme(centre.port, long="udh") as box:
            result = await box.send(self.text)
            assert result.outcome is UNKNOWN
            assert result.cause.code in {"smpp_half_taken", "smpp_session_lost"}

    async def test_a_later_one_that_is_throttled_is_sent_again(self):
        statuses = iter([0, 0x58, 0x14, 0, 0])

        async with (
            smsc(on_submit=lambda session, one: session.answer(one, next(statuses), b"5")) as centre,
            esme(centre.port, long="udh") as box,
        ):
            assert (await box.send(self.text)).outcome is ACCEPTED
            places = [one.content[5] for one in centre.submits]
            assert places == [1, 2, 2, 2, 3]

    async def test_but_not_for_ever(self):
        def on_submit(session, one):
            session.answer(one, 0 if len(session.smsc.submits) == 1 else 0x58, b"5")

        async with smsc(on_submit=on_submit) as centre, esme(centre.port, long="udh") as box:
            result = await box.send(self.text)
            assert said(result) == (UNKNOWN, CauseClass.AMBIGUOUS, "smpp_half_taken")
            assert len(centre.submits) == 1 + smpp.PART_TRIES


class TestWindow:
    """How much is under way at once."""

    async def test_no_more_than_the_window_waits_for_answers(self):
        waiting = []
        async with (
            smsc(on_submit=lambda session, one: waiting.append((session, one))) as centre,
            esme(centre.port, window=3) as box,
        ):
            assert box.provider.window == 3
            sending = [asyncio.create_task(box.send(str(number))) for number in range(7)]
            await until(lambda: len(waiting) == 3)
            await centre.session.enquire()
            assert len(waiting) == 3
            assert box.gates == 3, "nothing is booked that is not about to be written"
            answered = 0
            while answered < 7:
                await until(lambda: len(waiting) > answered)  # noqa: B023
                session, one = waiting[answered]
                session.answer(one, 0, b"9")
                answered += 1
                assert len(waiting) <= answered + 3
            assert {result.outcome for result in await asyncio.gather(*sending)} == {ACCEPTED}

    async def test_who_waits_too_long_for_a_place_was_not_sent(self):
        async with smsc(mute={SUBMIT_SM}) as centre, esme(centre.port, window=1, response_timeout_s=0.3) as box:
            first, second = await asyncio.gather(box.send("a"), box.send("b"))
            assert first.outcome is UNKNOWN
            assert second.outcome in {NOT_SENT, UNKNOWN}
            assert len(centre.submits) == (2 if second.outcome is UNKNOWN else 1)

    async def test_a_cancelled_one_frees_its_place(self):
        async with smsc(mute={SUBMIT_SM}) as centre, esme(centre.port, window=1) as box:
            sending = asyncio.create_task(box.send("a"))
            await until(lambda: centre.submits)
            sending.cancel()
            await asyncio.wait({sending})
            centre.mute.clear()
            assert (await box.send("b")).outcome is ACCEPTED

    async def test_answers_in_another_order_find_their_requests(self):
        waiting = []
        async with (
            smsc(on_submit=lambda session, one: waiting.append((session, one))) as centre,
            esme(centre.port) as box,
        ):
            sending = {text: asyncio.create_task(box.send(text)) for text in ("a", "b", "c")}
            await until(lambda: len(waiting) == 3)
            for session, one in reversed(waiting):
                session.answer(one, 0, b"id-" + one.content)
            for text, task in sending.items():
                assert (await task).reference == f"id-{text}"

    async def test_no_faster_than_the_rate(self):
        times = []
        loop = asyncio.get_running_loop()

        def on_submit(session, one):
            times.append(loop.time())
            session.answer(one, 0, b"1")

        async with smsc(on_submit=on_submit) as centre, esme(centre.port, rate_per_s=20) as box:
            await asyncio.gather(*(box.send(str(number)) for number in range(6)))
            assert times[-1] - times[0] >= 0.2, "five gaps of 50 ms, with room for one late start"

    async def test_segments_keep_to_the_rate_too(self):
        times = []
        loop = asyncio.get_running_loop()

        def on_submit(session, one):
            times.append(loop.time())
            session.answer(one, 0, b"1")

        async with smsc(on_submit=on_submit) as centre, esme(centre.port, rate_per_s=20, long="udh") as box:
            assert (await box.send("x" * 153 * 6)).outcome is ACCEPTED
            assert len(times) == 6
            assert times[-1] - times[0] >= 0.2


async def test_an_enquiry_of_the_smsc_is_answered_while_a_message_waits():
    async with smsc(mute={SUBMIT_SM}) as centre, esme(centre.port) as box:
        sending = asyncio.create_task(box.send())
        await until(lambda: centre.submits)
        await centre.session.enquire()
        sending.cancel()
        await asyncio.wait({sending})


async def test_an_smsc_that_says_not_bound_is_bound_to_anew(monkeypatch):
    from modembank.providers.adapters import smpp_keeper

    monkeypatch.setitem(smpp_keeper.PAUSES, smpp_keeper.Obstacle.LOST, smpp_keeper.Pause(0.01, 0.01))
    statuses = iter([0x04, 0])
    async with (
        smsc(on_submit=lambda session, one: session.answer(one, next(statuses), b"1")) as centre,
        esme(centre.port) as box,
    ):
        assert said(await box.send()) == (REJECTED, CauseClass.MODEM, "smpp_0x04")
        await until(lambda: len(centre.binds) == 2)
        await box.ready()
        assert (await box.send()).outcome is ACCEPTED
        assert ENQUIRE_LINK not in centre.mute
