"""A modem's life: opening, locked SIMs, plugging, hanging, recovering, and the end of it."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path

import pytest

from fakes.modem_hosts import CALM, QUICK, Rig, eventually, go, running, submit_pdu
from modembank.modem import AttemptOutcome, FailedReason, ModemState, OutOfService, Rung, StateChangeReason, Trouble
from modembank_emulator import DIALECTS, URC_NOISE, Bank, BankConfig, FaultKind, LatencyModel, Mute, Stat
from modembank_emulator import Fixed as FixedWait

NUMBER = "+15559990001"


def one(dialect: str = "generic", **more: object) -> Bank:
    return Bank(BankConfig(modems=1, dialect=dialect, **more))  # type: ignore[arg-type]


async def sends(rig: Rig) -> None:
    await eventually(lambda: rig.modem.in_service)
    assert (await rig.modem.submit(*submit_pdu(NUMBER), go)).outcome is AttemptOutcome.ACCEPTED


# -- ports


async def test_a_missing_port_is_gone_and_tried_until_it_comes() -> None:
    async with one() as bank:
        modem = bank.modems[0]
        modem.unplug()
        rig = Rig(modem)
        await rig.start()
        try:
            await rig.reach(ModemState.GONE)
            assert rig.host.states() == [ModemState.OPENING, ModemState.GONE]
            await asyncio.sleep(0.3)
            assert rig.host.states() == [ModemState.OPENING, ModemState.GONE]  # tried without a word
            modem.replug()
            await sends(rig)
        finally:
            await rig.stop()


async def test_what_is_no_tty_fails_with_its_reason(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("")
    async with one() as bank:
        rig = Rig(bank.modems[0], path=plain)
        await rig.start()
        try:
            await rig.reach(ModemState.FAILED)
            assert rig.modem.machine.last.failed is FailedReason.PORT_NOT_A_TTY
        finally:
            await rig.stop()


async def test_story_17_a_port_in_other_hands_names_them() -> None:
    async with one() as bank, running(bank.modems[0]) as first:
        second = Rig(bank.modems[0])
        await second.start()
        try:
            await second.reach(ModemState.FAILED)
            assert second.modem.machine.last.failed is FailedReason.PORT_BUSY
            assert "held by" in second.modem.machine.last.detail
            await sends(first)
            await first.stop()
            await sends(second)
        finally:
            await second.stop()


async def test_a_port_that_never_answers_is_not_a_modem_and_is_left_in_peace() -> None:
    async with one() as bank:
        modem = bank.modems[0]
        modem.faults.hang()
        rig = Rig(modem)
        await rig.start()
        try:
            await rig.reach(ModemState.FAILED)
            assert rig.modem.machine.last.failed is FailedReason.NOT_A_MODEM
            assert not any("CFUN" in line.text for line in rig.modem.transcript.lines())
            modem.heal()
            await sends(rig)
        finally:
            await rig.stop()


# -- SIM and PIN


async def test_the_right_pin_is_given_once() -> None:
    async with one() as bank:
        bank.modems[0].require_pin("4711")
        async with running(bank.modems[0], pin="4711") as rig:
            await sends(rig)
            entries = [line for line in rig.modem.transcript.lines() if "CPIN=" in line.text]
            assert [line.text for line in entries] == ["AT+CPIN=<PIN>"]


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
async def test_story_18_a_wrong_pin_is_tried_once_and_never_again(dialect: str) -> None:
    async with one(dialect) as bank:
        card = bank.cards[0]
        bank.modems[0].require_pin("4711")
        async with running(bank.modems[0], pin="0000", state=ModemState.LOCKED) as rig:
            assert card.pin_tries == 2
            await asyncio.sleep(0.4)  # three more looks at the locked SIM
            assert card.pin_tries == 2
            assert rig.modem.machine.last.failed is FailedReason.PIN_WRONG
            rig.modem.reset()
            await asyncio.sleep(0.2)
            assert card.pin_tries == 2


async def test_story_18_no_try_that_would_leave_fewer_than_two() -> None:
    async with one() as bank:
        card = bank.cards[0]
        bank.modems[0].require_pin("4711")
        card.pin_tries = 2
        async with running(bank.modems[0], pin="4711", state=ModemState.LOCKED) as rig:
            assert rig.modem.machine.last.failed is FailedReason.PIN_AT_RISK
            assert card.pin_tries == 2


async def test_no_pin_configured_and_puk() -> None:
    async with one() as bank:
        bank.modems[0].require_pin("4711")
        async with running(bank.modems[0], state=ModemState.LOCKED) as rig:
            assert rig.modem.machine.last.failed is FailedReason.PIN_MISSING
            bank.cards[0].pin_tries = 0
            await eventually(lambda: rig.modem.machine.last.failed is FailedReason.PUK_REQUIRED)
            bank.cards[0].enter_puk("12345678", "4711")
            bank.modems[0].radio.update()
            await sends(rig)


async def test_without_a_sim_it_waits_for_one() -> None:
    async with one() as bank:
        modem, card = bank.modems[0], bank.cards[0]
        modem.remove_sim()
        async with running(modem, state=ModemState.FAILED) as rig:
            assert rig.modem.machine.last.failed is FailedReason.SIM_ABSENT
            modem.insert_sim(card)
            await sends(rig)


async def test_a_swapped_sim_is_a_new_one() -> None:
    async with one() as bank, running(bank.modems[0], QUICK) as rig:
        modem, other = bank.modems[0], bank.new_card()
        modem.remove_sim()
        await eventually(lambda: rig.modem.state is not ModemState.REGISTERED)
        modem.insert_sim(other)
        await eventually(lambda: rig.modem.in_service)
        assert [sim.iccid for sim in rig.host.sims] == [bank.cards[0].iccid, other.iccid]


async def test_story_19_a_sim_that_drops_off_comes_back_by_the_radio_switch() -> None:
    async with one() as bank, running(bank.modems[0], QUICK) as rig:
        bank.modems[0].remove_sim(13)
        await eventually(lambda: any(climb.rung is Rung.RADIO_CYCLE for climb in rig.modem.recovery.climbs))
        assert rig.modem.recovery.climbs[0].trouble is Trouble.SIM_DROPPED
        await sends(rig)


async def test_a_sim_the_bank_refuses() -> None:
    async with one() as bank:
        rig = Rig(bank.modems[0])
        rig.host.refuse = OutOfService(FailedReason.SIM_REFUSED, "slot-09 reports the same SIM")
        await rig.start()
        try:
            await rig.reach(ModemState.FAILED)
            assert rig.modem.machine.last.failed is FailedReason.SIM_REFUSED
            rig.host.refuse = None
            await sends(rig)
        finally:
            await rig.stop()


@pytest.mark.parametrize("dialect", ["quectel", "simcom", "generic"])
async def test_a_sim_that_still_loads_is_waited_for(dialect: str) -> None:
    latency = LatencyModel(boot=FixedWait(0.1), sms_ready=FixedWait(0.6))
    async with one(dialect, latency=latency) as bank:
        bank.modems[0].reset()
        async with running(bank.modems[0]) as rig:
            await sends(rig)


async def test_a_missing_service_centre_is_said() -> None:
    async with one() as bank:
        bank.cards[0].smsc = ""
        async with running(bank.modems[0]) as rig:
            assert rig.modem.known is not None
            said = rig.modem.known.capabilities.sentences()
            assert any("service centre" in text for text in said.values())


# -- registration


async def test_registration_comes_and_goes() -> None:
    async with one() as bank, running(bank.modems[0]) as rig:
        bank.network.cell(up=False)
        await rig.reach(ModemState.SEARCHING)
        bank.network.cell(up=True)
        await rig.reach(ModemState.REGISTERED)
        assert rig.host.changes[-1].reason is StateChangeReason.REGISTERED


async def test_denied_is_searching_and_says_so() -> None:
    async with one() as bank, running(bank.modems[0]) as rig:
        bank.modems[0].radio.set_verdict(Stat.DENIED)
        await rig.reach(ModemState.SEARCHING)
        assert rig.modem.serving is not None
        assert rig.modem.serving.watch.radio.denied
        assert "denied" in rig.modem.serving.watch.radio.describe()


async def test_signal_and_operator_are_known() -> None:
    async with one() as bank, running(bank.modems[0], QUICK) as rig:
        await eventually(lambda: rig.modem.serving is not None and rig.modem.serving.watch.radio.operator == "00101")
        assert rig.modem.serving is not None
        assert rig.modem.serving.watch.radio.signal_dbm is not None
        assert bank.modems[0].settings.cops_format == 2


# -- restarts, hangs, unplugging


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
async def test_story_14_replugged_under_another_name(dialect: str) -> None:
    async with one(dialect) as bank, running(bank.modems[0]) as rig:
        before = bank.modems[0].pts
        bank.modems[0].unplug()
        await rig.reach(ModemState.GONE)
        bank.modems[0].replug()
        await eventually(lambda: rig.modem.in_service)
        assert bank.modems[0].pts != before
        pdu = submit_pdu(NUMBER, validity=dialect != "poor")
        assert (await rig.modem.submit(*pdu, go)).outcome is AttemptOutcome.ACCEPTED
        assert not rig.modem.recovery.climbs  # absence is no reason to reset anything


async def test_a_restart_that_says_so_is_followed_by_initialisation() -> None:
    async with one("quectel") as bank, running(bank.modems[0]) as rig:
        bank.modems[0].reset(reenumerate=False)
        await eventually(lambda: StateChangeReason.REBOOTED in [change.reason for change in rig.host.changes])
        await sends(rig)
        assert bank.modems[0].settings.cnmi[1] == 1


async def test_a_restart_without_a_word_is_noticed_by_its_reset_routing() -> None:
    async with one() as bank, running(bank.modems[0], QUICK) as rig:
        bank.modems[0].reset(reenumerate=False)
        await eventually(lambda: len(rig.host.sims) == 2)
        await sends(rig)
        assert bank.modems[0].settings.cnmi[1] == 1


@pytest.mark.parametrize("mute", [Mute.ALL, Mute.COMMANDS, Mute.ECHO])
async def test_story_13_a_hanging_modem_is_restarted(mute: Mute) -> None:
    async with one() as bank, running(bank.modems[0], QUICK) as rig:
        modem = bank.modems[0]
        modem.faults.mute = mute
        await eventually(lambda: any(climb.rung is Rung.RESTART for climb in rig.modem.recovery.climbs))
        rungs = [climb.rung for climb in rig.modem.recovery.climbs]
        assert rungs[:2] == [Rung.REOPEN, Rung.RESTART]
        modem.heal()
        await sends(rig)


async def test_urcs_alive_but_commands_dead_is_told_apart() -> None:
    async with one() as bank, running(bank.modems[0], QUICK) as rig:
        modem = bank.modems[0]
        modem.faults.hang(urcs=True)

        async def chatter() -> None:
            while True:
                modem.urc("^RSSI: 17")
                await asyncio.sleep(0.02)

        task = asyncio.create_task(chatter())
        try:
            await eventually(lambda: bool(rig.modem.recovery.climbs))
        finally:
            task.cancel()
        assert rig.modem.recovery.climbs[0].trouble is Trouble.DEAF


async def test_a_peer_that_takes_no_data_is_told_apart() -> None:
    async with one() as bank, running(bank.modems[0], QUICK) as rig:
        modem = bank.modems[0]
        modem.terminal.pause_reading()
        await eventually(lambda: bool(rig.modem.recovery.climbs))
        modem.heal()
        await sends(rig)


async def test_quarantine_after_the_last_rung_and_slow_tries_after_that() -> None:
    async with one() as bank, running(bank.modems[0], QUICK.scaled(restart_s=0.1, quarantine_s=0.3)) as rig:
        modem = bank.modems[0]
        modem.faults.hang()
        await eventually(lambda: rig.modem.machine.last.failed is FailedReason.QUARANTINED, 40)
        modem.heal()
        await sends(rig)


async def test_a_reset_asked_for_waits_for_the_exchange() -> None:
    async with one("huawei", latency=LatencyModel(submit=FixedWait(0.3))) as bank, running(bank.modems[0]) as rig:
        task = asyncio.create_task(rig.modem.submit(*submit_pdu(NUMBER), go))
        await eventually(lambda: "<Ctrl-Z>" in rig.modem.transcript.lines()[-1].text)
        rig.modem.reset()
        assert (await task).outcome is AttemptOutcome.ACCEPTED
        await eventually(lambda: any(climb.rung is Rung.RESTART for climb in rig.modem.recovery.climbs))
        await sends(rig)


async def test_story_11_every_command_is_bounded() -> None:
    async with one() as bank:
        for command in ("+CSMS", "+CPMS", "+CNMI", "+CREG", "+CIMI", "+COPS", "+CMGL"):
            bank.modems[0].faults.arm(FaultKind.DROP_FINAL, command=command)
        async with asyncio.timeout(40), running(bank.modems[0]) as rig:
            await sends(rig)


@pytest.mark.parametrize("seed", range(3))
async def test_story_16_noise_between_any_two_bytes(seed: int) -> None:
    async with one(seed=seed) as bank, running(bank.modems[0]) as rig:
        bank.modems[0].faults.noise(0.02, *URC_NOISE)
        results = []
        for number in range(10):
            await eventually(lambda: rig.modem.in_service)
            results.append(await rig.modem.submit(*submit_pdu(NUMBER, f"noisy {number}"), go))
        bank.modems[0].heal()
        sent = {entry.text for entry in bank.network.ledger}
        for number, result in enumerate(results):
            # Whatever the noise did, we never claim the wrong thing.
            if result.outcome is AttemptOutcome.ACCEPTED:
                assert f"noisy {number}" in sent
            if result.outcome is AttemptOutcome.NOT_SENT:
                assert f"noisy {number}" not in sent
        await sends(rig)


async def test_nothing_leaks_over_fifty_lives() -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    async with one() as bank:
        timings = CALM.scaled(quiet_scale=0.01)
        before_fds, before_tasks = 0, 0
        for life in range(50):
            rig = Rig(bank.modems[0], timings)
            await rig.start()
            await rig.reach(ModemState.REGISTERED)
            await rig.stop()
            if life == 1:
                gc.collect()
                before_fds, before_tasks = descriptors(), len(asyncio.all_tasks())
        gc.collect()
        assert descriptors() <= before_fds
        assert len(asyncio.all_tasks()) <= before_tasks


class SlowSwitch:
    """A power switch that takes its time to note where a modem hangs, or fails to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked = asyncio.Event()

    async def seen(self, slot: str) -> None:
        self.asked.set()
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        await asyncio.Event().wait()

    async def cycle(self, slot: str) -> bool:
        return False


@pytest.mark.parametrize("error", [None, OSError("a loop of links")])
async def test_a_port_is_closed_also_when_its_place_is_not_found_out(error: Exception | None) -> None:
    async with one() as bank:
        switch = SlowSwitch(error)
        rig = Rig(bank.modems[0], power=switch)
        await rig.start()
        await switch.asked.wait()
        await rig.stop()
        assert rig.modem.state is ModemState.DETECTED
        async with running(bank.modems[0]) as again:  # a port that was left open would be busy
            await sends(again)
