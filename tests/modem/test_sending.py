"""The send exchange against every way it can go wrong; the network's ledger is the judge."""

from __future__ import annotations

import asyncio

import pytest

from fakes.modem_hosts import CALM, QUICK, Rig, eventually, go, running, submit_pdu
from modembank.modem import AttemptOutcome, CauseClass, ModemState
from modembank_emulator import DIALECTS, Bank, BankConfig, FaultKind, LatencyModel
from modembank_emulator import Fixed as FixedWait

NUMBER = "+15559990001"


def one(dialect: str = "generic", **more: object) -> Bank:
    return Bank(BankConfig(modems=1, dialect=dialect, **more))  # type: ignore[arg-type]


async def still_sends(bank: Bank, rig: Rig, text: str = "after") -> None:
    """The next message goes out, once, and is credited with its own reference."""
    await eventually(lambda: rig.modem.in_service)
    result = await rig.modem.submit(*submit_pdu(NUMBER, text), go)
    assert result.outcome is AttemptOutcome.ACCEPTED, (result, rig.modem.transcript.lines(30))
    seen = [entry for entry in bank.network.ledger if entry.text == text]
    assert len(seen) == 1
    assert result.tp_mr == seen[0].mr


async def test_a_closed_gate_sends_nothing() -> None:
    async with one() as bank, running(bank.modems[0]) as rig:

        async def closed() -> bool:
            return False

        result = await rig.modem.submit(*submit_pdu(NUMBER), closed)
        assert result.outcome is AttemptOutcome.NOT_SENT
        assert result.cause is not None
        assert result.cause.code == "gate_closed"
        assert not bank.network.ledger
        await still_sends(bank, rig)


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
async def test_escape_works_in_every_dialect(dialect: str) -> None:
    async with one(dialect) as bank, running(bank.modems[0]) as rig:

        async def closed() -> bool:
            return False

        pdu = submit_pdu(NUMBER, validity=dialect != "poor")
        assert (await rig.modem.submit(*pdu, closed)).outcome is AttemptOutcome.NOT_SENT
        assert not bank.network.ledger
        assert (await rig.modem.submit(*pdu, go)).outcome is AttemptOutcome.ACCEPTED
        assert len(bank.network.ledger) == 1


async def test_the_gate_runs_while_the_modem_prepares_its_prompt() -> None:
    latency = LatencyModel(prompt=FixedWait(0.2))
    async with one(latency=latency) as bank, running(bank.modems[0]) as rig:
        started = asyncio.Event()
        prompts: list[bool] = []

        async def gate() -> bool:
            started.set()
            prompts.append(any(line.text.strip() == ">" for line in rig.modem.transcript.lines(3)))
            return True

        task = asyncio.create_task(rig.modem.submit(*submit_pdu(NUMBER), gate))
        await started.wait()
        assert rig.modem.transcript.lines()[-1].text.startswith("AT+CMGS=")
        assert (await task).outcome is AttemptOutcome.ACCEPTED
        assert prompts == [False]


async def test_a_gate_that_fails_leaves_the_prompt_and_tells_its_caller() -> None:
    async with one() as bank, running(bank.modems[0]) as rig:

        async def broken() -> bool:
            raise LookupError

        with pytest.raises(LookupError):
            await rig.modem.submit(*submit_pdu(NUMBER), broken)
        assert not bank.network.ledger
        await still_sends(bank, rig)


async def test_a_slow_gate_holds_the_pdu_back() -> None:
    async with one() as bank, running(bank.modems[0]) as rig:
        opened = asyncio.Event()

        async def slow() -> bool:
            await opened.wait()
            return True

        task = asyncio.create_task(rig.modem.submit(*submit_pdu(NUMBER), slow))
        await eventually(
            lambda: any(line.text.strip().startswith(">") for line in rig.modem.transcript.lines(2)) or True
        )
        assert not bank.network.ledger
        opened.set()
        assert (await task).outcome is AttemptOutcome.ACCEPTED


REFUSALS = [
    (1, AttemptOutcome.REJECTED, CauseClass.RECIPIENT),
    (21, AttemptOutcome.REJECTED, CauseClass.SIM),
    (38, AttemptOutcome.REJECTED, CauseClass.NETWORK),
    (330, AttemptOutcome.REJECTED, CauseClass.SIM),
    (332, AttemptOutcome.UNKNOWN, CauseClass.AMBIGUOUS),
    (350, AttemptOutcome.UNKNOWN, CauseClass.AMBIGUOUS),
    (500, AttemptOutcome.REJECTED, CauseClass.NETWORK),
    (513, AttemptOutcome.UNKNOWN, CauseClass.AMBIGUOUS),
    (198, AttemptOutcome.REJECTED, CauseClass.VALIDITY),
    (304, AttemptOutcome.REJECTED, CauseClass.VALIDITY),
    (322, AttemptOutcome.REJECTED, CauseClass.STORAGE),
    (515, AttemptOutcome.REJECTED, CauseClass.MODEM),
]


@pytest.mark.parametrize(("code", "outcome", "klass"), REFUSALS)
async def test_a_refusal_after_ctrl_z_has_its_class(code: int, outcome: AttemptOutcome, klass: CauseClass) -> None:
    async with one() as bank, running(bank.modems[0]) as rig:
        bank.modems[0].faults.arm(FaultKind.CMS_ERROR, code=code)
        result = await rig.modem.submit(*submit_pdu(NUMBER), go)
        assert (result.outcome, result.cause and result.cause.klass) == (outcome, klass)
        assert result.cause is not None
        assert result.cause.code == f"cms_{code}"
        assert result.evidence.final == f"+CMS ERROR: {code}"
        await still_sends(bank, rig)


async def test_a_refusal_before_the_prompt_is_not_sent() -> None:
    async with one() as bank, running(bank.modems[0]) as rig:
        bank.modems[0].faults.arm(FaultKind.CMS_ERROR, code=302, stage="command")
        result = await rig.modem.submit(*submit_pdu(NUMBER), go)
        assert result.outcome is AttemptOutcome.NOT_SENT
        assert result.cause is not None
        assert (result.cause.klass, result.cause.code) == (CauseClass.MODEM, "cms_302")
        assert not bank.network.ledger
        await still_sends(bank, rig)


async def test_an_invalid_pdu_is_our_fault_once_validity_was_taken() -> None:
    async with one() as bank, running(bank.modems[0]) as rig:
        await still_sends(bank, rig, "first")
        bank.modems[0].faults.arm(FaultKind.CMS_ERROR, code=304)
        result = await rig.modem.submit(*submit_pdu(NUMBER), go)
        assert result.cause is not None
        assert result.cause.klass is CauseClass.RECIPIENT


async def test_validity_refused_is_remembered() -> None:
    async with one("poor") as bank, running(bank.modems[0]) as rig:
        result = await rig.modem.submit(*submit_pdu(NUMBER), go)
        assert result.cause is not None
        assert result.cause.klass is CauseClass.VALIDITY
        assert rig.modem.serving is not None
        assert rig.modem.serving.takes_validity is False
        assert (await rig.modem.submit(*submit_pdu(NUMBER, validity=False), go)).outcome is AttemptOutcome.ACCEPTED


async def test_a_bare_error_is_a_refusal_when_quick() -> None:
    async with one() as bank, running(bank.modems[0]) as rig:
        bank.modems[0].faults.arm(FaultKind.PLAIN_ERROR)
        result = await rig.modem.submit(*submit_pdu(NUMBER), go)
        assert result.outcome is AttemptOutcome.REJECTED
        assert result.cause is not None
        assert result.cause.code == "error"


async def test_a_bare_error_is_unknown_when_late() -> None:
    timings = CALM.scaled(late_error_s=0.05)
    async with one(latency=LatencyModel(submit=FixedWait(0.2))) as bank, running(bank.modems[0], timings) as rig:
        bank.modems[0].faults.arm(FaultKind.PLAIN_ERROR, sent=True)
        result = await rig.modem.submit(*submit_pdu(NUMBER), go)
        assert result.outcome is AttemptOutcome.UNKNOWN
        assert len(bank.network.ledger) == 1


async def test_no_prompt_is_not_sent() -> None:
    async with one() as bank, running(bank.modems[0]) as rig:
        bank.modems[0].faults.arm(FaultKind.NO_PROMPT)
        result = await rig.modem.submit(*submit_pdu(NUMBER), go)
        assert result.outcome is AttemptOutcome.NOT_SENT
        assert result.cause is not None
        assert result.cause.code == "no_prompt"
        assert not bank.network.ledger
        await still_sends(bank, rig)


async def test_a_prompt_shown_twice_is_one_prompt() -> None:
    async with one() as bank, running(bank.modems[0]) as rig:
        bank.modems[0].faults.arm(FaultKind.PROMPT_TWICE)
        assert (await rig.modem.submit(*submit_pdu(NUMBER), go)).outcome is AttemptOutcome.ACCEPTED
        await still_sends(bank, rig)


@pytest.mark.parametrize("kind", [FaultKind.HANG, FaultKind.HANG_URCS_FLOW, FaultKind.ECHO_ONLY])
@pytest.mark.parametrize(
    ("stage", "outcome"),
    [("command", AttemptOutcome.NOT_SENT), ("ctrl_z", AttemptOutcome.UNKNOWN), ("sent", AttemptOutcome.UNKNOWN)],
)
async def test_story_01_a_hang_never_loses_or_doubles(kind: FaultKind, stage: str, outcome: AttemptOutcome) -> None:
    async with one() as bank, running(bank.modems[0]) as rig:
        bank.modems[0].faults.arm(kind, stage=stage)
        result = await rig.modem.submit(*submit_pdu(NUMBER, "lost?"), go)
        assert result.outcome is outcome, rig.modem.transcript.lines(30)
        assert len(bank.network.ledger) == (1 if stage == "sent" else 0)
        await eventually(lambda: rig.modem.state is not ModemState.REGISTERED)
        bank.modems[0].heal()
        await still_sends(bank, rig)


async def test_story_01_a_dropped_final_is_unknown() -> None:
    async with one() as bank, running(bank.modems[0]) as rig:
        bank.modems[0].faults.arm(FaultKind.DROP_FINAL)
        result = await rig.modem.submit(*submit_pdu(NUMBER, "taken"), go)
        assert result.outcome is AttemptOutcome.UNKNOWN
        assert len(bank.network.ledger) == 1
        await still_sends(bank, rig)


async def test_story_02_a_late_final_never_credits_the_next_message() -> None:
    async with one() as bank, running(bank.modems[0]) as rig:
        bank.modems[0].faults.arm(FaultKind.LATE_FINAL, seconds=2.0)
        result = await rig.modem.submit(*submit_pdu(NUMBER, "late"), go)
        assert result.outcome is AttemptOutcome.UNKNOWN
        # The restart that was written blindly may only be read behind the late final, and take the next prompt with it.
        while result.outcome is not AttemptOutcome.ACCEPTED:
            await eventually(lambda: rig.modem.in_service)
            result = await rig.modem.submit(*submit_pdu(NUMBER, "next"), go)
            assert result.outcome in {AttemptOutcome.NOT_SENT, AttemptOutcome.ACCEPTED}
        assert result.tp_mr == bank.network.ledger[-1].mr
        assert [seen.text for seen in bank.network.ledger] == ["late", "next"]


async def test_a_final_that_comes_while_we_find_the_beat_still_counts() -> None:
    async with one() as bank, running(bank.modems[0], CALM.scaled(probe_s=1.0)) as rig:
        bank.modems[0].faults.arm(FaultKind.LATE_FINAL, seconds=0.7)
        result = await rig.modem.submit(*submit_pdu(NUMBER, "late"), go)
        assert (result.outcome, result.tp_mr) == (AttemptOutcome.ACCEPTED, 0)
        await still_sends(bank, rig, "next")


async def test_an_answer_that_waits_for_the_next_command_is_not_the_next_ones() -> None:
    async with one() as bank, running(bank.modems[0]) as rig:
        bank.modems[0].faults.arm(FaultKind.ANSWER_WITH_NEXT)
        result = await rig.modem.submit(*submit_pdu(NUMBER, "odd"), go)
        assert result.outcome in {AttemptOutcome.UNKNOWN, AttemptOutcome.ACCEPTED}
        await still_sends(bank, rig)


@pytest.mark.parametrize("reenumerate", [False, True])
@pytest.mark.parametrize(
    ("stage", "outcome"),
    [
        ("command", AttemptOutcome.NOT_SENT),
        ("ctrl_z", AttemptOutcome.UNKNOWN),
        ("sent", AttemptOutcome.UNKNOWN),
    ],
)
async def test_a_restart_in_the_middle(stage: str, outcome: AttemptOutcome, *, reenumerate: bool) -> None:
    async with one("quectel") as bank, running(bank.modems[0]) as rig:
        bank.modems[0].faults.arm(FaultKind.RESET, stage=stage, reenumerate=reenumerate)
        result = await rig.modem.submit(*submit_pdu(NUMBER, "cut"), go)
        assert result.outcome is outcome, (result, rig.modem.transcript.lines(20))
        await eventually(lambda: rig.modem.state is not ModemState.REGISTERED)
        await bank.modems[0].wait_running()
        await still_sends(bank, rig)


@pytest.mark.parametrize("stage", ["command", "ctrl_z", "sent"])
async def test_unplugged_in_the_middle(stage: str) -> None:
    async with one() as bank, running(bank.modems[0]) as rig:
        bank.modems[0].faults.arm(FaultKind.UNPLUG, stage=stage)
        result = await rig.modem.submit(*submit_pdu(NUMBER, "cut"), go)
        assert result.outcome is (AttemptOutcome.NOT_SENT if stage == "command" else AttemptOutcome.UNKNOWN)
        await rig.reach(ModemState.GONE)
        bank.modems[0].replug()
        await still_sends(bank, rig)


async def test_cancelled_before_ctrl_z_sends_nothing() -> None:
    async with one() as bank, running(bank.modems[0]) as rig:
        entered = asyncio.Event()
        leave = asyncio.Event()
        outcomes: list[AttemptOutcome] = []

        async def gate() -> bool:
            entered.set()
            await leave.wait()
            return True

        async def caller() -> None:
            outcomes.append((await rig.modem.submit(*submit_pdu(NUMBER), gate)).outcome)
            await asyncio.Event().wait()

        task = asyncio.create_task(caller())
        await entered.wait()
        task.cancel()
        await asyncio.sleep(0)
        leave.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert outcomes == [AttemptOutcome.NOT_SENT]
        assert not bank.network.ledger
        await still_sends(bank, rig)


async def test_cancelled_after_ctrl_z_still_tells_the_outcome_and_then_cancels() -> None:
    async with one(latency=LatencyModel(submit=FixedWait(0.3))) as bank, running(bank.modems[0]) as rig:
        outcomes: list[AttemptOutcome] = []

        async def caller() -> None:
            result = await rig.modem.submit(*submit_pdu(NUMBER), go)
            outcomes.append(result.outcome)
            await asyncio.Event().wait()

        task = asyncio.create_task(caller())
        await eventually(lambda: "<Ctrl-Z>" in rig.modem.transcript.lines()[-1].text)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert outcomes == [AttemptOutcome.ACCEPTED]


async def test_stopping_waits_for_the_exchange_in_flight() -> None:
    async with one(latency=LatencyModel(submit=FixedWait(0.3))) as bank, running(bank.modems[0]) as rig:
        task = asyncio.create_task(rig.modem.submit(*submit_pdu(NUMBER), go))
        await eventually(lambda: "<Ctrl-Z>" in rig.modem.transcript.lines()[-1].text)
        await rig.stop()
        assert (await task).outcome is AttemptOutcome.ACCEPTED
        assert rig.modem.state is ModemState.DETECTED
        assert len(bank.network.ledger) == 1


async def test_stopping_is_bounded_and_leaves_unknown() -> None:
    async with one(latency=LatencyModel(submit=FixedWait(30))) as bank, running(bank.modems[0]) as rig:
        modem_timings = CALM.scaled(final_s=60.0)
        async with asyncio.timeout(10):
            await rig.stop()
            slow = Rig(bank.modems[0], modem_timings)
            await slow.start()
            await slow.reach()
            task = asyncio.create_task(slow.modem.submit(*submit_pdu(NUMBER), go))
            await eventually(lambda: "<Ctrl-Z>" in slow.modem.transcript.lines()[-1].text)
            await slow.stop()
            assert (await task).outcome is AttemptOutcome.UNKNOWN


async def test_out_of_service_is_not_sent_at_once() -> None:
    async with one() as bank:
        rig = Rig(bank.modems[0], QUICK)
        result = await rig.modem.submit(*submit_pdu(NUMBER), go)
        assert result.outcome is AttemptOutcome.NOT_SENT
        assert result.cause is not None
        assert result.cause.code == "not_in_service"


async def test_the_link_is_kept_for_bursts_only() -> None:
    async with one() as bank, running(bank.modems[0]) as rig:
        await rig.modem.submit(*submit_pdu(NUMBER), go)
        assert bank.modems[0].settings.cmms == 0
        await rig.modem.submit(*submit_pdu(NUMBER), go, more_follow=True)
        assert bank.modems[0].settings.cmms == 2


async def test_reports_glued_to_the_answer_lose_neither() -> None:
    for plan in ("before_cmgs", "glued_before", "glued_after"):
        async with one() as bank, running(bank.modems[0]) as rig:
            bank.network.plan_reports(NUMBER, plan)
            result = await rig.modem.submit(*submit_pdu(NUMBER, report=True), go)
            assert (result.outcome, result.tp_mr) == (AttemptOutcome.ACCEPTED, 0), plan
            await eventually(lambda: len(rig.sink.stored) == 1)
            await still_sends(bank, rig)
