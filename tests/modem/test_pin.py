"""The PIN rule, step by step: once, never near the PUK, never what failed before (story 18)."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.talks import SHORT, answering, talking
from modembank.modem import FailedReason, Feature, Has, Hung, OutOfService, PinRecord, Trouble
from modembank.modem.pin import tries_left, unlock
from modembank.modem.quirks import GENERIC, VENDORS, Quirks, quirks_for

CARD = "8944500001020304056"
READY, LOCKED = ("+CPIN: READY", "OK"), ("+CPIN: SIM PIN", "OK")
Answers = dict[str, object]


async def refused(
    answers: Answers, pin: str = "4711", quirks: Quirks = GENERIC, record: PinRecord | None = None
) -> tuple[FailedReason, list[str]]:
    """Unlock what will not be unlocked; return why, and the PINs that were entered."""
    async with talking(answering(answers), timings=SHORT) as talk:
        with pytest.raises(OutOfService) as caught:
            await unlock(talk.dialogue, quirks, pin, CARD, record or PinRecord())
        return caught.value.reason, talk.heard("AT+CPIN=")


async def test_an_open_sim_needs_nothing() -> None:
    async with talking() as talk:
        await unlock(talk.dialogue, GENERIC, "", CARD, PinRecord())
        assert talk.findings[Feature.SIM_READY].has is Has.YES
        assert talk.heard("AT+CPIN=") == []


async def test_the_right_pin_opens_and_is_not_remembered_as_failed() -> None:
    answers = {"AT+CPIN?": [LOCKED, READY], 'AT+CPIN="4711"': ("OK",)}
    record = PinRecord()
    async with talking(answering(answers)) as talk:
        await unlock(talk.dialogue, GENERIC, "4711", CARD, record)
        assert talk.heard("AT+CPIN=") == ['AT+CPIN="4711"']
    assert not record.failed(CARD, "4711")


@pytest.mark.parametrize("said", ["ERROR", "+CME ERROR: 16", "+CME ERROR: 12", "+CME ERROR: incorrect password"])
async def test_a_wrong_one_is_remembered_and_never_given_again(said: str) -> None:
    record = PinRecord()
    answers: Answers = {"AT+CPIN?": LOCKED, 'AT+CPIN="4711"': (said,)}
    assert await refused(answers, record=record) == (FailedReason.PIN_WRONG, ['AT+CPIN="4711"'])
    assert await refused(answers, record=record) == (FailedReason.PIN_WRONG, [])


async def test_silence_to_a_pin_counts_as_a_failure() -> None:
    record = PinRecord()
    answers: Answers = {"AT+CPIN?": LOCKED, 'AT+CPIN="4711"': ()}
    reason, _ = await refused(answers, record=record)
    assert reason is FailedReason.PIN_WRONG
    assert record.failed(CARD, "4711")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("+CPIN: SIM PUK", FailedReason.PUK_REQUIRED),
        ("+CPIN: SIM PUK2", FailedReason.PUK_REQUIRED),
        ("+CPIN: PH-NET PIN", FailedReason.SIM_REFUSED),
        ("+CPIN: NOT INSERTED", FailedReason.SIM_ABSENT),
    ],
)
async def test_locks_that_no_pin_opens(said: str, reason: FailedReason) -> None:
    assert await refused({"AT+CPIN?": (said, "OK")}) == (reason, [])


async def test_no_sim_at_all() -> None:
    assert await refused({"AT+CPIN?": ("+CME ERROR: 10",)}) == (FailedReason.SIM_ABSENT, [])


@pytest.mark.parametrize("code", [13, 15])
async def test_a_sim_that_fails_is_a_trouble_and_not_a_lock(code: int) -> None:
    async with talking(answering({"AT+CPIN?": (f"+CME ERROR: {code}",)})) as talk:
        with pytest.raises(Hung) as caught:
            await unlock(talk.dialogue, GENERIC, "4711", CARD, PinRecord())
        assert caught.value.trouble is Trouble.SIM_DROPPED


async def test_a_sim_that_never_gets_ready_is_a_trouble_after_a_bounded_wait() -> None:
    async with talking(answering({"AT+CPIN?": ("+CPIN: NOT READY", "OK")})) as talk:
        with pytest.raises(Hung) as caught:
            await unlock(talk.dialogue, GENERIC, "4711", CARD, PinRecord())
        assert caught.value.trouble is Trouble.NOT_READY
        assert len(talk.heard("AT+CPIN?")) == SHORT.not_ready_tries


async def test_a_sim_that_loads_is_waited_for() -> None:
    answers = {"AT+CPIN?": [("+CME ERROR: 14",), ("+CPIN: NOT READY", "OK"), READY]}
    async with talking(answering(answers)) as talk:
        await unlock(talk.dialogue, GENERIC, "", CARD, PinRecord())
        assert len(talk.heard("AT+CPIN?")) == 3


async def test_without_a_pin_none_is_guessed() -> None:
    assert await refused({"AT+CPIN?": LOCKED}, pin="") == (FailedReason.PIN_MISSING, [])


COUNTERS = {
    "": ('AT+CPINR="SIM PIN"', "+CPINR: SIM PIN,{},3"),
    "huawei": ("AT^CPIN?", "^CPIN: SIM PIN,{0},10,{0},10,3"),
    "Quectel": ('AT+QPINC="SC"', '+QPINC: "SC",{},10'),
    "SIMCOM": ("AT+SPIC", "+SPIC: {},3,10,10"),
    "Telit": ("AT#PCT", "#PCT: {}"),
    "ZTE": ("AT+ZPINPUK=?", "+ZPINPUK: {},10"),
    "Cinterion": ('AT^SPIC="SC"', "^SPIC: {}"),
    "Sierra": ('AT+CPINR="SIM PIN"', "+CPINR: SIM PIN,{},3"),
}


@pytest.mark.parametrize("maker", COUNTERS)
@pytest.mark.parametrize("left", [3, 2, 1])
async def test_the_tries_left_are_read_in_each_vendors_way_and_two_are_kept(maker: str, left: int) -> None:
    command, form = COUNTERS[maker]
    answers: Answers = {"AT+CPIN?": LOCKED, command: (form.format(left), "OK"), 'AT+CPIN="4711"': ("ERROR",)}
    reason, entered = await refused(answers, quirks=quirks_for(maker, ""))
    assert reason is (FailedReason.PIN_WRONG if left == 3 else FailedReason.PIN_AT_RISK)
    assert len(entered) == (left == 3)


@pytest.mark.parametrize("quirks", [GENERIC, *VENDORS], ids=lambda quirks: quirks.name)
async def test_a_counter_that_is_not_there_is_not_known(quirks: Quirks) -> None:
    async with talking() as talk:
        assert await tries_left(talk.dialogue, quirks) is None


async def test_a_try_that_cannot_be_recorded_is_not_made(tmp_path: Path) -> None:
    record = PinRecord(tmp_path / "no such folder" / "pins.json")
    reason, entered = await refused({"AT+CPIN?": LOCKED}, record=record)
    assert (reason, entered) == (FailedReason.PIN_AT_RISK, [])
