"""Checks and remedies of opt-outs and loops."""

import pytest

from fakes.healths import ADMIN, Ward
from modembank.errors import Conflict
from modembank.health.checks import opt_outs_to_review, reply_loop
from modembank.health.model import Severity
from modembank.messages import Loop
from modembank.optouts.writing import ask
from modembank.sim import SimIdentity

NUMBER, ALIKE = "+447911123456", "+447900000056"
ICCID = "8944110068256270054"


async def review(ward: Ward, inbox_id: int) -> None:
    await ward.store.write(lambda conn: ask(conn, inbox_id, NUMBER, "STOP", 0, None))


async def test_messages_that_may_mean_stop_are_counted_until_they_are_decided(ward: Ward) -> None:
    check = opt_outs_to_review.CHECK
    assert await ward.look(check) == []
    await review(ward, 1)
    (one,) = await ward.look(check)
    assert one.summary.startswith("1 message looks like an opt-out")
    await review(ward, 2)
    (two,) = await ward.look(check)
    assert (two.severity, two.evidence) == (Severity.INFO, {"count": 2})
    assert NUMBER not in str(two)
    await ward.store.write(lambda conn: conn.execute("UPDATE opt_out_reviews SET decided_at = 1"))
    assert await ward.look(check) == []


async def looping(ward: Ward, *numbers: str) -> None:
    sim = await ward.sims.identify(SimIdentity(iccid=ICCID), "slot-1")
    now = ward.clock.now_ms
    ward.sending.looping = [Loop(number, sim.id, now, now + 3_600_000) for number in numbers]


async def test_a_loop_is_shown_with_the_number_masked(ward: Ward) -> None:
    assert await ward.look(reply_loop.CHECK) == []
    await looping(ward, NUMBER)
    (found,) = await ward.look(reply_loop.CHECK)
    assert (found.subject, found.severity) == ("+447*******56", Severity.WARNING)
    assert found.evidence["sim"] == ICCID
    assert NUMBER not in str(found)


async def test_numbers_that_look_alike_are_one_issue_and_released_together(ward: Ward) -> None:
    await looping(ward, NUMBER, ALIKE, "+447911123499")
    health = ward.health(reply_loop.CHECK)
    await health.look()
    issues = {issue.subject: issue.id for issue in (await health.list(ADMIN)).items}
    assert set(issues) == {"+447*******56", "+447*******99"}
    did, issue = await health.remedy(ADMIN, issues["+447*******56"], "release_loop")
    assert did == "messages go to +447*******56 again"
    assert issue.cleared_at is not None
    assert [loop.number for loop in ward.sending.looping] == ["+447911123499"]
    ward.sending.looping = []
    with pytest.raises(Conflict):
        await health.remedy(ADMIN, issues["+447*******99"], "release_loop")
