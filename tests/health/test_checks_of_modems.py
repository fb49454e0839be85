"""Checks of modems and their ports: each failure that needs a person is found, and patience is kept with the rest."""

import os
import pty
import subprocess
import sys

import pytest

from fakes.outboxes import START
from modembank.bank import ModemView
from modembank.health.checks import (
    CHECKS,
    modem_hung,
    modem_missing,
    modem_storage,
    no_network,
    port_refused,
    port_shared,
    port_taken,
    sim_locked,
    sim_missing,
)
from modembank.modem import AdminState, Climb, FailedReason, ModemState, Rung, Storage, Trouble

S = ModemState
CLIMBS = (Climb(START, Rung.REOPEN, Trouble.SILENT), Climb(START + 20_000, Rung.RESTART, Trouble.SILENT))


def at(ward, state, failed=None, **facts):
    """Show slot-1 so from now on; slot-2 is well."""
    reason = failed.value if failed else state.value
    ward.bank.show(state=state, failed=failed, since=ward.clock.now_ms, reason=reason, **facts)
    ward.bank.show("slot-2", state=S.REGISTERED, since=ward.clock.now_ms)


def turn(ward, seconds):
    ward.clock.turn(seconds * 1000)


def open_kinds(ward):
    return [(issue.kind, issue.subject, issue.severity.value) for issue in ward.book.open()]


HOME = {
    FailedReason.PORT_BUSY: "port_taken",
    FailedReason.PORT_PERMISSION: "port_refused",
    FailedReason.PORT_NOT_A_TTY: "port_refused",
    FailedReason.PORT_IO: "port_refused",
    FailedReason.NOT_A_MODEM: "port_refused",
    FailedReason.INIT_REFUSED: "port_refused",
    FailedReason.SIM_ABSENT: "sim_missing",
    FailedReason.SIM_REFUSED: "sim_missing",
    FailedReason.PIN_MISSING: "sim_locked",
    FailedReason.PIN_WRONG: "sim_locked",
    FailedReason.PIN_AT_RISK: "sim_locked",
    FailedReason.PUK_REQUIRED: "sim_locked",
    FailedReason.QUARANTINED: "modem_hung",
}


@pytest.mark.parametrize("failed", list(FailedReason))
async def test_story_31_no_failure_of_a_modem_is_visible_only_in_the_log(ward, failed):
    at(ward, S.LOCKED if HOME[failed] == "sim_locked" else S.FAILED, failed, detail="held by cat (4711)")
    for check in CHECKS:
        await ward.look(check)
    assert [(kind, subject) for kind, subject, _ in open_kinds(ward)] == [(HOME[failed], "slot-1")]
    [issue] = ward.book.open()
    assert "slot-1" in issue.summary
    assert issue.summary.endswith(".")
    assert issue.evidence["port"] == "/dev/null/absent-1"


async def test_a_slot_that_somebody_disabled_is_no_issue(ward):
    for failed in FailedReason:
        at(ward, S.FAILED, failed, admin=AdminState.DISABLED)
        for check in CHECKS:
            assert await ward.look(check) == []


@pytest.mark.parametrize("state", list(ModemState))
async def test_no_state_of_a_modem_is_an_issue_at_once(ward, state):
    at(ward, state)
    for check in CHECKS:
        assert await ward.look(check) == []


async def test_a_modem_that_is_recovered_for_too_long_hangs(ward):
    at(ward, S.RECOVERING)
    ward.change(S.RECOVERING)
    turn(ward, 100)
    for state in (S.OPENING, S.INITIALIZING, S.RECOVERING):  # tries do not start the time anew
        ward.change(state)
        at(ward, state, recovery=CLIMBS, last_error="no reply to AT")
    turn(ward, 79)
    assert await ward.look(modem_hung.CHECK) == []
    turn(ward, 1)
    [finding] = await ward.look(modem_hung.CHECK)
    assert finding.severity == "warning"
    assert [(rung["rung"], rung["trouble"], rung["result"]) for rung in finding.evidence["rungs"]] == [
        ("reopen", "silent", "pending"), ("restart", "silent", "pending"),
    ]  # fmt: skip
    assert finding.evidence["rungs"][1]["at"] == "2027-01-15T08:00:20.000Z"
    assert [change["state"] for change in finding.evidence["changes"]] == [
        "recovering", "opening", "initializing", "recovering",
    ]  # fmt: skip
    assert all(change["at"].endswith("Z") for change in finding.evidence["changes"])
    assert finding.evidence["last_error"] == "no reply to AT"
    at(ward, S.FAILED, FailedReason.QUARANTINED, detail="silent")
    await ward.look(modem_hung.CHECK)
    assert open_kinds(ward) == [("modem_hung", "slot-1", "critical")]


async def test_a_quarantined_modem_that_is_tried_again_is_not_well_yet(ward):
    at(ward, S.FAILED, FailedReason.QUARANTINED)
    await ward.look(modem_hung.CHECK)
    for state in (S.DETECTED, S.OPENING, S.INITIALIZING, S.RECOVERING):
        at(ward, state)
        await ward.look(modem_hung.CHECK)
        assert open_kinds(ward) == [("modem_hung", "slot-1", "critical")]
    at(ward, S.REGISTERED)
    await ward.look(modem_hung.CHECK)
    assert open_kinds(ward) == []
    assert len(ward.events) == 2


async def test_a_modem_that_restarts_again_and_again_is_in_trouble_though_it_answers(ward):
    """With too little power it says that it starts, answers, and starts: nothing hangs, and it never serves."""
    ward.change(S.OPENING)
    for _ in range(18):
        ward.change(S.INITIALIZING, old="initializing", reason="rebooted")
        at(ward, S.INITIALIZING)
        assert await ward.look(modem_hung.CHECK) == []
        turn(ward, 10)
    [finding] = await ward.look(modem_hung.CHECK)
    assert "has been in trouble since 2027-01-15T08:00:00Z" in finding.summary
    ward.change(S.SEARCHING)
    at(ward, S.SEARCHING)
    assert await ward.look(modem_hung.CHECK) == []


async def test_a_modem_that_answers_again_starts_afresh(ward):
    ward.change(S.RECOVERING)
    turn(ward, 170)
    ward.change(S.SEARCHING)
    ward.change(S.RECOVERING)
    at(ward, S.RECOVERING)
    turn(ward, 170)
    assert await ward.look(modem_hung.CHECK) == []


@pytest.mark.parametrize(("away_s", "hung"), [(30, True), (130, False)])
async def test_a_restart_is_the_same_trouble_and_a_replug_is_not(ward, away_s, hung):
    ward.change(S.RECOVERING)
    turn(ward, 160)
    ward.change(S.GONE)
    turn(ward, away_s)
    ward.change(S.GONE)
    ward.change(S.INITIALIZING)
    at(ward, S.INITIALIZING)
    assert bool(await ward.look(modem_hung.CHECK)) is hung


async def test_a_trouble_that_got_a_name_of_its_own_is_no_hang(ward):
    ward.change(S.RECOVERING)
    turn(ward, 300)
    ward.change(S.FAILED, reason="sim_absent")
    ward.change(S.INITIALIZING)
    at(ward, S.INITIALIZING)
    assert await ward.look(modem_hung.CHECK) == []
    ward.change(S.RECOVERING)
    turn(ward, 300)
    ward.change(S.FAILED, reason="quarantined")
    ward.change(S.OPENING)
    at(ward, S.OPENING)
    assert len(await ward.look(modem_hung.CHECK)) == 1


async def test_what_re_enumerates_is_not_missing(ward):
    at(ward, S.GONE)
    turn(ward, 119)
    assert await ward.look(modem_missing.CHECK) == []
    turn(ward, 1)
    [finding] = await ward.look(modem_missing.CHECK)
    assert "/dev/null/absent-1" in finding.summary
    at(ward, S.INITIALIZING)
    await ward.look(modem_missing.CHECK)
    at(ward, S.GONE)  # it flaps: the same issue, without the patience of the first time
    await ward.look(modem_missing.CHECK)
    assert open_kinds(ward) == [("modem_missing", "slot-1", "warning")]
    at(ward, S.REGISTERED)
    await ward.look(modem_missing.CHECK)
    assert len(ward.events) == 2


async def test_no_network(ward):
    at(ward, S.SEARCHING, registration="CREG searching")
    turn(ward, 299)
    assert await ward.look(no_network.CHECK) == []
    turn(ward, 1)
    [finding] = await ward.look(no_network.CHECK)
    assert "antenna" in finding.summary
    at(ward, S.SEARCHING, registration="CREG denied")
    turn(ward, 301)
    [finding] = await ward.look(no_network.CHECK)
    assert "refuses its SIM" in finding.summary
    assert finding.evidence["registration"] == "CREG denied"


@pytest.mark.parametrize(("used", "severity"), [(13, None), (14, "warning"), (19, "warning"), (20, "critical")])
async def test_story_21_a_memory_that_fills_up(ward, used, severity):
    at(ward, S.REGISTERED, storage=(Storage("ME", 1, 100), Storage("SM", used, 20)))
    found = await ward.look(modem_storage.CHECK)
    assert [finding.severity.value for finding in found] == ([severity] if severity else [])
    if found:
        assert f"SM holds {used} of 20" in found[0].summary
        assert found[0].evidence["memories"]["SM"] == {"used": used, "total": 20}


async def test_a_memory_must_be_half_empty_to_be_well_again(ward):
    for used, is_open in ((13, False), (14, True), (11, True), (14, True), (10, True), (9, False), (13, False)):
        at(ward, S.REGISTERED, storage=(Storage("SM", used, 20),))
        await ward.look(modem_storage.CHECK)
        assert bool(ward.book.open()) is is_open, used
    assert len(ward.events) == 2


async def test_the_sentences_say_what_to_do(ward):
    for check, failed, words in (
        (port_taken, FailedReason.PORT_BUSY, "is held by cat (4711). End that program"),
        (port_refused, FailedReason.PORT_PERMISSION, "dialout"),
        (port_refused, FailedReason.NOT_A_MODEM, "try its others"),
        (sim_locked, FailedReason.PIN_WRONG, "not tried again"),
        (sim_missing, FailedReason.SIM_ABSENT, "Insert one"),
    ):
        at(ward, S.FAILED, failed, detail="held by cat (4711)")
        [finding] = await ward.look(check.CHECK)
        assert words in finding.summary


_OPEN = "import os,sys; os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY); print('open', flush=True); sys.stdin.read()"


@pytest.fixture
def tty():
    ours, theirs = pty.openpty()
    yield os.ttyname(theirs)
    os.close(ours)
    os.close(theirs)


async def test_story_17_a_second_program_on_a_port_that_we_hold(ward, tty, tmp_path):
    link = tmp_path / "modem"
    link.symlink_to(tty)
    at(ward, S.REGISTERED, tty=str(link))
    assert await ward.look(port_shared.CHECK) == [], "this very process has it open"
    with subprocess.Popen(
        [sys.executable, "-c", _OPEN, tty], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        other.stdout.readline()
        [finding] = await ward.look(port_shared.CHECK)
        assert f"({other.pid})" in finding.summary
        assert [program["pid"] for program in finding.evidence["programs"]] == [other.pid]
        at(ward, S.FAILED, FailedReason.PORT_BUSY, tty=str(link))
        assert await ward.look(port_shared.CHECK) == [], "we do not hold it: that is another check's business"
        other.communicate("")
    at(ward, S.REGISTERED, tty=str(link))
    assert await ward.look(port_shared.CHECK) == []
    assert len(ward.events) == 2


def test_views_are_shown_whole():
    assert {"state", "failed", "since", "storage", "recovery", "admin"} <= set(ModemView.__slots__)
