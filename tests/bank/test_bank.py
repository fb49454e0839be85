"""The bank: slots, lines, orders, and one modem's trouble that stays its own."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from fakes.banks import opened
from fakes.modem_hosts import QUICK, eventually, go, submit_pdu
from modembank.bank import NoSuchSlot, NotNow
from modembank.config import PortEntry, SimConfig
from modembank.modem import AdminState, AttemptOutcome, FailedReason, ModemState, Rung, Trouble
from modembank_emulator import Bank as EmulatedBank
from modembank_emulator import FaultKind

NUMBER = "+15559990001"


async def test_every_slot_comes_up_and_sends_through_its_own_sim(tmp_path: Path) -> None:
    async with opened(tmp_path, 4, dialect="mixed") as box:
        await box.all_up()
        for index, card in enumerate(box.emulated.cards):
            result = await box.line_of(index).submit(*submit_pdu(NUMBER, f"from {index}"), go)
            assert result.outcome is AttemptOutcome.ACCEPTED
            assert (box.emulated.network.ledger[-1].iccid, box.emulated.network.ledger[-1].text) == (
                card.iccid,
                f"from {index}",
            )


async def test_the_view_tells_all(tmp_path: Path) -> None:
    async with opened(tmp_path, dialect="huawei", timings=QUICK) as box:
        await box.all_up()
        await eventually(lambda: box.bank.modem("slot-01").operator == "00101")
        await box.line_of(0).submit(*submit_pdu(NUMBER), go)
        view = box.bank.modem("slot-01")
        assert (view.slot, view.state, view.admin) == ("slot-01", ModemState.REGISTERED, AdminState.ENABLED)
        assert (view.manufacturer, view.model, view.vendor) == ("huawei", "E173", "huawei")
        assert view.imei == box.emulated.modems[0].imei
        assert view.able_to_send
        assert view.sim_id == box.line_of(0).sim_id
        assert view.signal_dbm is not None
        assert "CREG home" in view.registration
        assert "direct_reports" in view.capabilities
        assert "registration_eps" in view.lacks
        assert {fill.memory for fill in view.storage} >= {"SM", "ME"}
        assert view.counters.accepted == 1
        assert view.counters.commands["ok"] > 10
        assert view.path == str(box.emulated.modems[0].path)
        assert view.since > 0


async def test_labels_name_slots(tmp_path: Path) -> None:
    def ports(emulated: EmulatedBank) -> tuple[PortEntry, ...]:
        return (
            PortEntry(path=str(emulated.modems[0].path), label="left"),
            PortEntry(path=str(emulated.modems[1].path)),
        )

    async with opened(tmp_path, 2, ports=ports) as box:
        await box.all_up()
        assert [view.slot for view in box.bank.modems()] == ["left", "slot-02"]


async def test_one_dead_port_never_touches_the_others(tmp_path: Path) -> None:
    def ports(emulated: EmulatedBank) -> tuple[PortEntry, ...]:
        plain = tmp_path / "plain"
        plain.write_text("")
        paths = ["/dev/none-such", str(plain), *(str(modem.path) for modem in emulated.modems)]
        return tuple(PortEntry(path=path) for path in paths)

    async with opened(tmp_path, 3, ports=ports) as box:
        box.emulated.modems[0].faults.hang()
        await box.all_up(2)
        await eventually(lambda: box.bank.modem("slot-03").failed is FailedReason.NOT_A_MODEM)
        assert box.bank.modem("slot-01").state is ModemState.GONE
        assert box.bank.modem("slot-02").failed is FailedReason.PORT_NOT_A_TTY
        for index in (1, 2):
            assert (await box.line_of(index).submit(*submit_pdu(NUMBER), go)).outcome is AttemptOutcome.ACCEPTED
        assert [view.able_to_send for view in box.bank.modems()] == [False, False, False, True, True]


async def test_lines_follow_the_registration(tmp_path: Path) -> None:
    async with opened(tmp_path) as box:
        await box.all_up()
        box.emulated.network.cell(up=False)
        await box.all_up(0)
        assert "searching" in box.lines.downs[-1][1]
        box.emulated.network.cell(up=True)
        await box.all_up(1)
        assert box.lines.ups == 2


async def test_a_paused_sim_has_no_line(tmp_path: Path) -> None:
    async with opened(tmp_path) as box:
        await box.all_up()
        sim_id = box.line_of(0).sim_id
        await box.sims.pause(sim_id, "no credit")
        assert box.lines.downs == [(sim_id, "the SIM is paused: no credit")]
        assert box.bank.modem("slot-01").state is ModemState.REGISTERED
        await box.sims.resume(sim_id)
        await box.all_up()


async def test_draining_stops_sending_and_goes_on_receiving(tmp_path: Path) -> None:
    async with opened(tmp_path) as box:
        await box.all_up()
        box.bank.drain("slot-01")
        await box.all_up(0)
        sent = box.emulated.network.inject(box.emulated.cards[0].msisdn, "still received")
        await eventually(lambda: box.sink.pdus() == sent)
        box.bank.enable("slot-01")
        await box.all_up()


async def test_disabled_closes_the_port_and_enabled_opens_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as box:
        await box.all_up()
        await box.bank.disable("slot-01")
        view = box.bank.modem("slot-01")
        assert (view.state, view.admin, view.able_to_send) == (ModemState.DETECTED, AdminState.DISABLED, False)
        with pytest.raises(NotNow):
            box.bank.reset("slot-01")
        with pytest.raises(NotNow):
            box.bank.drain("slot-01")
        box.bank.enable("slot-01")
        await box.all_up()
        assert (await box.line_of(0).submit(*submit_pdu(NUMBER), go)).outcome is AttemptOutcome.ACCEPTED


async def test_reset_restarts_the_modem(tmp_path: Path) -> None:
    async with opened(tmp_path) as box:
        await box.all_up()
        box.bank.reset("slot-01")
        await eventually(lambda: len(box.lines.downs) == 1)
        await box.all_up()
        (step,) = box.bank.modem("slot-01").recovery
        assert (step.rung, step.trouble) == (Rung.RESTART, Trouble.RESET_WANTED)


async def test_ussd_and_transcript(tmp_path: Path) -> None:
    async with opened(tmp_path) as box:
        await box.all_up()
        assert (await box.bank.ussd("slot-01", "*100#")).text == "Balance 12.50 EUR"
        await box.line_of(0).submit(*submit_pdu("+15551234567", "secret words"), go)
        shown = "\n".join(line.text for line in box.bank.transcript("slot-01"))
        assert "AT+CMGS=" in shown
        assert "<Ctrl-Z>" in shown
        assert "Balance" not in shown
        assert submit_pdu("+15551234567", "secret words")[0] not in shown
        assert box.emulated.cards[0].imsi not in shown
        assert box.emulated.cards[0].iccid not in shown
        assert len(box.bank.transcript("slot-01", 3)) == 3


async def test_an_unknown_slot_is_not_found(tmp_path: Path) -> None:
    async with opened(tmp_path) as box:
        for order in (box.bank.modem, box.bank.reset, box.bank.enable, box.bank.drain, box.bank.transcript):
            with pytest.raises(NoSuchSlot):
                order("slot-99")
        with pytest.raises(NoSuchSlot):
            await box.bank.ussd("slot-99", "*100#")


async def test_one_sim_in_two_slots_is_refused_in_the_second(tmp_path: Path) -> None:
    def twins(emulated: EmulatedBank) -> None:
        emulated.cards[1].iccid = emulated.cards[0].iccid
        emulated.cards[1].imsi = emulated.cards[0].imsi

    async with opened(tmp_path, 2, before=twins) as box:
        await box.all_up(1)
        await eventually(lambda: any(view.failed is FailedReason.SIM_REFUSED for view in box.bank.modems()))
        refused = next(view for view in box.bank.modems() if view.failed is FailedReason.SIM_REFUSED)
        holder = next(view for view in box.bank.modems() if view.able_to_send)
        assert f"{holder.slot} reports the same SIM" in refused.detail
        await box.bank.disable(holder.slot)
        await box.all_up(1)
        assert box.bank.modem(refused.slot).able_to_send


async def test_a_sim_keeps_its_row_when_it_moves(tmp_path: Path) -> None:
    async with opened(tmp_path, 2, timings=QUICK) as box:
        await box.all_up()
        first, second = box.emulated.modems
        card = box.emulated.cards[0]
        row = box.line_of(0).sim_id
        first.unplug()
        await box.all_up(1)
        second.replug(card)
        await eventually(lambda: row in box.lines.up and box.lines.up[row].slot == "slot-02")
        assert (await box.lines.up[row].submit(*submit_pdu(NUMBER), go)).outcome is AttemptOutcome.ACCEPTED
        assert box.emulated.network.ledger[-1].iccid == card.iccid


async def test_the_sims_own_pin_is_used_and_a_wrong_one_is_remembered_over_restarts(tmp_path: Path) -> None:
    right = SimConfig(iccid="8901010000000000017", pin="4711")
    wrong = SimConfig(iccid="8901010000000000017", pin="0000")

    def locked(emulated: EmulatedBank) -> None:
        assert emulated.cards[0].iccid == right.iccid
        emulated.modems[0].require_pin("4711")

    async with opened(tmp_path, configured=(right,), before=locked) as box:
        await box.all_up()
    async with opened(tmp_path, configured=(wrong,), before=locked) as box:
        await eventually(lambda: box.bank.modem("slot-01").failed is FailedReason.PIN_WRONG)
        assert box.emulated.cards[0].pin_tries == 2
    async with opened(tmp_path, configured=(wrong,), before=locked) as box:
        await eventually(lambda: box.bank.modem("slot-01").failed is FailedReason.PIN_WRONG)
        assert box.emulated.cards[0].pin_tries == 3  # a fresh card, the same PIN: not tried at all


async def test_a_typed_pin_opens_the_sim_and_is_kept_for_it(tmp_path: Path) -> None:
    def locked(emulated: EmulatedBank) -> None:
        emulated.modems[0].require_pin("4711")

    async with opened(tmp_path, before=locked) as box:
        await eventually(lambda: box.bank.modem("slot-01").failed is FailedReason.PIN_MISSING)
        assert box.bank.modem("slot-01").wants_pin
        box.bank.enter_pin("slot-01", "4711")
        await box.all_up()
        assert not box.bank.modem("slot-01").wants_pin
        with pytest.raises(NotNow, match="does not wait for a PIN"):
            box.bank.enter_pin("slot-01", "4711")
    (kept,) = tmp_path.rglob("sim-pins.json")
    assert kept.stat().st_mode & 0o777 == 0o600
    async with opened(tmp_path, before=locked) as box:
        await box.all_up()


async def test_typed_pins_leave_the_last_try_alone(tmp_path: Path) -> None:
    async with opened(tmp_path, before=lambda emulated: emulated.modems[0].require_pin("4711")) as box:

        async def typed(pin: str) -> tuple[int, FailedReason | None, str]:
            """Return the tries left after it, and how the modem is."""
            await eventually(lambda: box.bank.modem("slot-01").wants_pin)
            since = len(box.changes)
            box.bank.enter_pin("slot-01", pin)
            await eventually(lambda: any(event.new == "locked" for event in box.changes[since:]))
            view = box.bank.modem("slot-01")
            return box.emulated.cards[0].pin_tries, view.failed, view.detail

        wrong, risk = FailedReason.PIN_WRONG, FailedReason.PIN_AT_RISK
        refused = "the SIM refused the PIN, which is not tried again; "
        assert await typed("0000") == (2, wrong, f"{refused}2 PIN tries left")
        assert await typed("1111") == (1, wrong, f"{refused}1 PIN try left")
        assert await typed("4711") == (1, risk, "1 PIN try left; enter the PIN in a telephone, which resets the count")
        assert await typed("0000") == (1, wrong, "this PIN failed on this SIM before, and is not tried again")
    assert not list(tmp_path.rglob("sim-pins.json"))


async def test_changes_are_published(tmp_path: Path) -> None:
    async with opened(tmp_path) as box:
        await box.all_up()
        assert [(event.slot, event.new) for event in box.changes] == [
            ("slot-01", state) for state in ("opening", "initializing", "searching", "registered")
        ]


async def test_metrics_follow(tmp_path: Path) -> None:
    async with opened(tmp_path, 2) as box:
        await box.all_up()
        box.bank.observe()
        box.bank.observe()
        registry = box.metrics.registry
        assert registry.get_sample_value("modembank_modems", {"state": "registered"}) == 2
        commands = registry.get_sample_value("modembank_at_commands_total", {"slot": "slot-01", "result": "ok"})
        assert commands == box.bank.modem("slot-01").counters.commands["ok"]


async def test_story_20_one_cell_lost_takes_all_lines_and_gives_them_back(tmp_path: Path) -> None:
    async with opened(tmp_path, 6) as box:
        await box.all_up()
        box.emulated.network.cell(up=False)
        await box.all_up(0)
        box.emulated.network.cell(up=True)
        await box.all_up()
        assert not any(view.recovery for view in box.bank.modems())


async def test_stop_is_bounded_with_every_modem_hanging_in_mid_send(tmp_path: Path) -> None:
    async with opened(tmp_path, 3) as box:
        await box.all_up()
        tasks = []
        for index, modem in enumerate(box.emulated.modems):
            modem.faults.arm(FaultKind.HANG, stage="sent")
            tasks.append(asyncio.create_task(box.line_of(index).submit(*submit_pdu(NUMBER), go)))
        await eventually(lambda: len(box.emulated.network.ledger) == 3)
        async with asyncio.timeout(10):
            assert await box.bank.stop()
        assert [(await task).outcome for task in tasks] == [AttemptOutcome.UNKNOWN] * 3


async def test_nothing_leaks_over_fifty_openings(tmp_path: Path) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    async with opened(tmp_path, timings=QUICK) as box:
        await box.all_up()
        fds, tasks = 0, 0
        for turn in range(51):
            await box.bank.disable("slot-01")
            if turn == 1:
                fds, tasks = descriptors(), len(asyncio.all_tasks())
            elif turn > 1:
                assert len(asyncio.all_tasks()) <= tasks
            box.bank.enable("slot-01")
            await box.all_up()
        await box.bank.disable("slot-01")
        assert descriptors() <= fds


async def test_story_05_one_refused_number_holds_nobody_up(tmp_path: Path) -> None:
    async with opened(tmp_path) as box:
        await box.all_up()
        box.emulated.network.refuse("+15550000666", 1)
        outcomes = []
        for number in (NUMBER, "+15550000666", NUMBER):
            outcomes.append((await box.line_of(0).submit(*submit_pdu(number), go)).outcome)
        assert outcomes == [AttemptOutcome.ACCEPTED, AttemptOutcome.REJECTED, AttemptOutcome.ACCEPTED]
        assert box.bank.modem("slot-01").state is ModemState.REGISTERED


async def test_story_15_a_modem_that_was_merely_away_is_never_reset(tmp_path: Path) -> None:
    async with opened(tmp_path, timings=QUICK) as box:
        await box.all_up()
        for _ in range(3):
            box.emulated.modems[0].unplug()
            await box.all_up(0)
            box.emulated.modems[0].replug()
            await box.all_up()
        assert box.bank.modem("slot-01").recovery == ()
        assert not any("CFUN=1,1" in line.text for line in box.bank.transcript("slot-01"))


async def test_a_sweep_empties_all_memories_and_tells_what_is_left(tmp_path: Path) -> None:
    async with opened(tmp_path) as box:
        await box.all_up()
        modem, card = box.emulated.modems[0], box.emulated.cards[0]
        assert await box.bank.sweep("slot-01") == 0
        modem.faults.arm(FaultKind.CMS_ERROR, command="+CMGR", times=None, code=320)
        for number in range(3):
            box.emulated.network.inject(card.msisdn, f"{number} unread")
        await eventually(lambda: len(modem.stores["ME"].slots) == 3)
        modem.heal()
        assert await box.bank.sweep("slot-01") == 3
        assert not modem.stores["ME"].slots
        assert {fill.memory: fill.used for fill in box.bank.modem("slot-01").storage}["ME"] == 0
        assert len(box.sink.stored) == 3


async def test_a_sweep_that_cannot_be_made_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as box:
        await box.all_up()
        with pytest.raises(NoSuchSlot):
            await box.bank.sweep("slot-99")
        box.sink.broken = True
        box.emulated.network.inject(box.emulated.cards[0].msisdn, "it cannot be stored")
        monkeypatch.setattr("modembank.bank.bank.SWEEP_S", 0.3)
        with pytest.raises(NotNow, match="did not finish"):
            await box.bank.sweep("slot-01")
        box.sink.broken = False
        await eventually(lambda: len(box.sink.stored) == 1)
        await box.bank.disable("slot-01")
        with pytest.raises(NotNow, match="no modem in service"):
            await box.bank.sweep("slot-01")
