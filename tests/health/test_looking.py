"""Looking: at its time and after its events; a check that fails or hangs stops no other and is seen."""

import asyncio

import pytest

from fakes.healths import found
from fakes.modem_hosts import eventually
from modembank.events import SimChanged
from modembank.health import Check, looking
from modembank.health.checks import issue_check_failed
from modembank.health.looking import Pace


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(looking, "PACE", Pace(rest_s=0.01, most_s=0.3))


class Scripted:
    """A check that counts its looks and does what it is told."""

    def __init__(self, kind: str, **more) -> None:
        self.looks = 0
        self.findings = []
        self.error: Exception | None = None
        self.hangs = False
        self.check = Check(kind, "told", "any", "nothing", self.look, **{"every_s": 3600, **more})

    async def look(self, around, standing):
        self.looks += 1
        self.standing = standing
        if self.hangs:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error
        return iter(self.findings)


async def started(ward, *scripted):
    health = ward.health(*(one.check for one in scripted), issue_check_failed.CHECK)
    await health.load()
    health.start()
    return health


def kinds(health):
    return sorted(f"{issue.kind}:{issue.subject}" for issue in health.open())


async def test_a_check_that_fails_is_an_issue_and_the_others_go_on(ward):
    bad, good = Scripted("bad"), Scripted("good", on=(SimChanged,))
    bad.error = KeyError("surprise")
    good.findings = [found("slot-1")]
    health = await started(ward, bad, good)
    try:
        await eventually(lambda: kinds(health) == ["good:slot-1", "issue_check_failed:bad"])
        issue = next(issue for issue in health.open() if issue.subject == "bad")
        assert "KeyError: 'surprise'" in issue.summary
        good.findings = []
        ward.bus.publish(SimChanged(ward.clock.now_ms, 1))
        await eventually(lambda: kinds(health) == ["issue_check_failed:bad"])
        bad.error = None
        await health.look("bad")
        await eventually(lambda: kinds(health) == [])
    finally:
        await health.stop()


async def test_what_a_check_found_before_it_failed_stays(ward):
    check = Scripted("flaky")
    check.findings = [found("slot-1")]
    health = await started(ward, check)
    try:
        await eventually(lambda: kinds(health) == ["flaky:slot-1"])
        check.findings, check.error = [], OSError("no such file")
        await health.look("flaky")
        await eventually(lambda: kinds(health) == ["flaky:slot-1", "issue_check_failed:flaky"])
        check.error = None
        await health.look("flaky")
        await eventually(lambda: kinds(health) == [])
    finally:
        await health.stop()


async def test_a_check_that_hangs_is_given_up_and_named(ward):
    check, other = Scripted("slow"), Scripted("other")
    check.hangs = True
    other.findings = [found("slot-2")]
    health = await started(ward, check, other)
    try:
        await eventually(lambda: kinds(health) == ["issue_check_failed:slow", "other:slot-2"])
        assert "did not end within 0.3 s" in next(i for i in health.open() if i.subject == "slow").summary
    finally:
        await health.stop()
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("health")]


async def test_it_looks_at_its_period_and_is_given_its_own_open_issues(ward):
    check = Scripted("often", every_s=0.02)
    check.findings = [found("slot-1")]
    health = await started(ward, check)
    try:
        await eventually(lambda: check.looks >= 5)
        assert list(check.standing) == ["slot-1"]
        assert check.standing["slot-1"].kind == "often"
    finally:
        await health.stop()
    looks = check.looks
    await asyncio.sleep(0.1)
    assert check.looks == looks


async def test_a_storm_of_events_is_one_look(ward, monkeypatch):
    monkeypatch.setattr(looking, "PACE", Pace(rest_s=0.3))
    check = Scripted("woken", on=(SimChanged,))
    health = await started(ward, check)
    try:
        await eventually(lambda: check.looks == 1)
        for _ in range(100):
            ward.bus.publish(SimChanged(ward.clock.now_ms, 1))
            await asyncio.sleep(0)
        await eventually(lambda: check.looks == 2)
    finally:
        await health.stop()
    assert check.looks == 2


async def test_what_is_gone_is_looked_at_again_when_it_may_be_cleared(ward):
    check = Scripted("settling", settle_s=0.2)
    check.findings = [found("slot-1")]
    health = await started(ward, check)
    try:
        await eventually(lambda: kinds(health) == ["settling:slot-1"])
        check.findings = []
        await health.look("settling")  # the ward's clock stands: it is gone since now
        assert kinds(health) == ["settling:slot-1"]
        ward.clock.turn(1000)
        await health.look("settling")
        assert kinds(health) == []
    finally:
        await health.stop()


async def test_stopping_in_the_middle_of_a_look_is_no_failure(ward):
    check = Scripted("under_way")
    check.hangs = True
    health = await started(ward, check)
    await eventually(lambda: check.looks == 1)
    await health.stop()
    assert ward.around.memory.failed_checks == {}
    await ward.store.close()
    await health.look("under_way")  # a store that is closed is no failure of the check either
