"""The service: who sees issues, pages of them, and remedies that are run, refused and remembered."""

import pytest

from fakes.healths import ADMIN, checking, found
from fakes.modem_hosts import eventually
from fakes.senders import ANNE
from modembank.accounts.model import Actor, Role, Scope
from modembank.errors import Conflict, Forbidden, InvalidRequest, NotFound
from modembank.health import looking, service
from modembank.health.checks import sim_without_credit
from modembank.health.looking import Pace
from modembank.ids import public_id
from modembank.modem import FailedReason, ModemState
from modembank.sim import SimIdentity

ICCID = "8944110068256270054"
REASON = "refused 3 numbers in a row, last with +CMS ERROR 21: check its credit and contract"
OPERATOR = Actor(4, "olga", Role.ADMIN, frozenset({Scope.MODEMS}))


async def paused(ward):
    """A SIM that was paused by refusals, and health that has seen it."""
    sim = await ward.sims.identify(SimIdentity(iccid=ICCID), "slot-1")
    await ward.sims.pause(sim.id, REASON)
    health = ward.health(sim_without_credit.CHECK)
    await health.look()
    return sim, health


async def test_only_those_who_run_the_box_see_issues(ward):
    _, health = await paused(ward)
    issue = (await health.list(ADMIN)).items[0].id
    for actor in (ADMIN, OPERATOR):
        assert [one.kind for one in (await health.list(actor)).items] == ["sim_without_credit"]
        assert (await health.get(actor, issue)).id == issue
    for ask in (health.list(ANNE), health.get(ANNE, issue), health.remedy(ANNE, issue, "resume_sim")):
        with pytest.raises(Forbidden):
            await ask
    for actor in (ANNE, OPERATOR):
        with pytest.raises(Forbidden):
            await health.conservation(actor)
        with pytest.raises(Forbidden):
            await health.books(actor)
    assert (await health.conservation(ADMIN)).holds


async def test_the_books_are_told_without_counting_the_table(ward):
    await ward.post.one()
    health = ward.health()
    await ward.store.write(lambda conn: conn.execute("DELETE FROM messages").rowcount)
    told = await health.books(ADMIN)
    assert (told.accepted, told.terminal, told.open) == (1, 0, 1)
    assert (told.breaches, told.counted_at) == ((), None), "nobody has looked at the table"
    counted = await health.conservation(ADMIN)
    told = await health.books(ADMIN)
    assert told.counted_at == counted.checked_at
    assert told.breaches == counted.breaches != ()


async def test_story_11_a_remedy_does_it_is_remembered_and_the_issue_is_over(ward):
    sim, health = await paused(ward)
    shown = (await health.list(OPERATOR)).items[0]
    assert [offer.name for offer in shown.remedies] == ["resume_sim"]
    assert shown.evidence["reason"] == REASON
    did, after = await health.remedy(OPERATOR, shown.id, "resume_sim")
    assert did == "SIM slot-1 sends again"
    assert not ward.sims.get(sim.id).paused
    assert after.cleared_at is not None
    assert [(run.by, run.remedy, run.did) for run in after.remedied] == [("olga", "resume_sim", did)]
    assert await health.get(ADMIN, shown.id) == after
    assert (await health.list(ADMIN)).items == ()
    assert (await health.list(ADMIN, state="cleared")).items == (after,)


async def test_a_remedy_that_does_not_apply(ward):
    sim, health = await paused(ward)
    issue = (await health.list(ADMIN)).items[0].id
    with pytest.raises(NotFound, match="remedy"):
        await health.remedy(ADMIN, issue, "pray")
    with pytest.raises(Conflict, match="no remedy for sim_without_credit"):
        await health.remedy(ADMIN, issue, "reset_modem")
    for unknown in ("iss_0000000000099", "iss_", "msg_0000000000001", "", "\x00"):
        with pytest.raises(NotFound):
            await health.remedy(ADMIN, unknown, "resume_sim")
        with pytest.raises(NotFound):
            await health.get(ADMIN, unknown)
    await ward.sims.resume(sim.id)
    with pytest.raises(Conflict, match="is not paused"):
        await health.remedy(ADMIN, issue, "resume_sim")
    await health.look()
    with pytest.raises(Conflict, match="was cleared at"):
        await health.remedy(ADMIN, issue, "resume_sim")
    assert (await health.get(ADMIN, issue)).remedied == ()


@pytest.mark.parametrize(("state", "expected"), [("open", 7), ("cleared", 5), ("all", 12)])
async def test_pages_hold_each_issue_once_newest_first(ward, state, expected):
    findings = [found(f"{number}") for number in range(12)]
    check = checking(findings)
    health = ward.health(check)
    await health.look()
    del findings[::2][:5], findings[0:9:2]
    await health.look()
    seen, cursor = [], None
    while True:
        page = await health.list(ADMIN, state=state, cursor=cursor, limit=3)
        seen += [issue.id for issue in page.items]
        cursor = page.cursor
        if cursor is None:
            break
        assert len(page.items) == 3
    assert len(seen) == expected
    assert seen == sorted(set(seen), reverse=True)


async def test_wrong_pages(ward):
    health = ward.health(checking([found("1"), found("2")]))
    await health.look()
    for limit in (0, 501, -1):
        with pytest.raises(InvalidRequest):
            await health.list(ADMIN, limit=limit)
    page = await health.list(ADMIN, limit=1)
    with pytest.raises(InvalidRequest):
        await health.list(ADMIN, state="all", cursor=page.cursor)
    with pytest.raises(InvalidRequest):
        await health.list(ADMIN, cursor="x")


async def test_an_open_issue_is_found_though_its_row_is_owed(ward, monkeypatch):
    from modembank.store import StoreError

    async def refuse(*_, **__):
        raise StoreError(detail="broken")

    monkeypatch.setattr(ward.store, "write", refuse)
    health = ward.health(checking([found("")], kind="store_failed"))
    await health.look()
    [issue] = (await health.list(ADMIN)).items
    assert await health.get(ADMIN, issue.id) == issue
    assert issue.id == public_id("iss", health.open()[0].id)


async def test_metrics_tell_what_is_open_now(ward):
    findings = [found("1"), found("2")]
    health = ward.health(checking(findings))
    registry = ward.post.box.metrics.registry

    async def value(name, **labels):
        await health.observe(ward.post.box.metrics)
        return registry.get_sample_value(name, labels)

    await health.look()
    assert await value("modembank_issues", kind="made_up", severity="warning") == 2
    findings.clear()
    await health.look()
    assert await value("modembank_issues", kind="made_up", severity="warning") is None
    await ward.post.one()
    await ward.post.one()
    assert await value("modembank_messages_accepted_ever") == 2
    assert (await value("modembank_messages_open"), await value("modembank_messages_terminal")) == (2, 0)
    assert await value("modembank_conservation_breach") == 0
    await ward.store.write(lambda conn: conn.execute("UPDATE state_counts SET n = n + 1 WHERE state = 30"))
    assert await value("modembank_conservation_breach") == 1


async def test_the_table_is_counted_in_the_background_and_a_breach_is_told_by_itself(ward, monkeypatch):
    monkeypatch.setattr(service, "FIRST_RECOUNT_S", 0.05)
    monkeypatch.setattr(looking, "PACE", Pace(rest_s=0.01))
    await ward.post.one()
    await ward.store.write(lambda conn: conn.execute("DELETE FROM messages").rowcount)
    health = ward.health()
    await health.load()
    health.start()
    try:
        await eventually(lambda: ("raised", "conservation", "") in ward.told())
        [issue] = [issue for issue in health.open() if issue.kind == "conservation"]
        assert "the table has 0" in str(issue.evidence)
        assert issue.severity == "critical"
    finally:
        await health.stop()


async def test_the_smallest_remedies_name_what_they_did(ward):
    ward.bank.show(state=ModemState.FAILED, failed=FailedReason.QUARANTINED)
    health = ward.health()
    await health.look("modem_hung")
    [issue] = (await health.list(ADMIN)).items
    did, after = await health.remedy(ADMIN, issue.id, "reset_modem")
    assert did == "asked for a restart of the modem in slot-1"
    assert after.cleared_at is None, "it is still quarantined"
    ward.bank.show(state=ModemState.GONE, since=0)
    await health.look("modem_missing")
    missing = next(one for one in (await health.list(ADMIN)).items if one.kind == "modem_missing")
    did, after = await health.remedy(ADMIN, missing.id, "retry_modem")
    assert did == "asked for another try at slot-1 now"
    assert [run.remedy for run in after.remedied] == ["retry_modem"]
    await ward.bank.disable("slot-1")
    with pytest.raises(Conflict, match="is disabled"):
        await health.remedy(ADMIN, missing.id, "retry_modem")
