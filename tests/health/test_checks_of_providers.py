"""Checks and the remedy of providers."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from fakes import kinds
from fakes.healths import ADMIN, Ward
from fakes.kinds import Brought, Trial, draft
from modembank.accounts import LOCAL_ADMIN
from modembank.errors import Conflict
from modembank.health import Severity
from modembank.health.checks import limits_nearly_spent, provider_failing, reply_loop
from modembank.messages.loops import Loop
from modembank.modem.outcome import AttemptOutcome, Cause, CauseClass
from modembank.providers import Change, Limits, Provider, Sharing

CHECK = provider_failing.CHECK
REFUSED = Cause(CauseClass.SIM, "no_credit", "the account has no credit")


@pytest.fixture
async def alpha(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Provider]:
    kinds.install(monkeypatch)
    ward.providers.start(Brought())
    yield await ward.providers.add(LOCAL_ADMIN, draft())
    await ward.providers.stop()


async def test_one_that_is_not_ready_for_five_minutes_is_an_issue_until_it_is(ward: Ward, alpha: Provider) -> None:
    assert await ward.look(CHECK) == []
    Trial.broken = "no session: the connection was refused"
    assert await ward.look(CHECK) == []
    ward.clock.turn(299_000)
    assert await ward.look(CHECK) == []
    ward.clock.turn(1_000)
    (found,) = await ward.look(CHECK)
    assert (found.subject, found.severity) == ("alpha", Severity.WARNING)
    assert "no session" in found.summary
    assert found.evidence == {"kind": "trial", "channel": "sms", "why": Trial.broken}
    ward.clock.turn(3_600_000)
    assert await ward.look(CHECK) == [found], "no figure changes by mere waiting"
    Trial.broken = None
    assert await ward.look(CHECK) == []
    Trial.broken = "again"
    assert await ward.look(CHECK) == [], "it begins anew"


async def test_an_issue_lasts_over_a_restart_until_it_is_known_to_be_over(ward: Ward, alpha: Provider) -> None:
    Trial.broken = "no session"
    await ward.look(CHECK)
    ward.clock.turn(300_000)
    (found,) = await ward.look(CHECK)
    ward.around.memory.note_not_ready((), ward.clock.now_ms)  # as after a start: nothing was seen yet
    assert await ward.look(CHECK) == [found]
    Trial.broken = None
    assert await ward.look(CHECK) == []


async def test_one_that_is_disabled_is_none(ward: Ward, alpha: Provider) -> None:
    Trial.broken = "no session"
    await ward.look(CHECK)
    ward.clock.turn(300_000)
    await ward.providers.disable(LOCAL_ADMIN, "alpha")
    assert await ward.look(CHECK) == []
    await ward.providers.enable(LOCAL_ADMIN, "alpha")
    assert await ward.look(CHECK) == [], "five minutes from here on"


@pytest.mark.parametrize(
    ("before", "taken", "refused", "is_one"),
    [(0, 0, 19, False), (0, 10, 10, False), (0, 9, 11, True), (50, 0, 20, True), (50, 10, 11, True), (0, 11, 9, False)],
)
async def test_more_than_half_of_the_last_twenty_tries(
    ward: Ward, alpha: Provider, before: int, taken: int, refused: int, is_one: bool
) -> None:
    for outcome, count in ((AttemptOutcome.ACCEPTED, before + taken), (AttemptOutcome.REJECTED, refused)):
        for _ in range(count):
            cause = None if outcome is AttemptOutcome.ACCEPTED else REFUSED
            ward.providers.tried(alpha, outcome, 0.1, cause)
    found = await ward.look(CHECK)
    assert bool(found) is is_one
    if is_one:
        assert found[0].evidence["last_failure"] == "the account has no credit"


async def test_the_remedy_disables_it_once(ward: Ward, alpha: Provider) -> None:
    for _ in range(20):
        ward.providers.tried(alpha, AttemptOutcome.UNKNOWN, 30.0, None)
    health = ward.health(CHECK)
    await health.look()
    (issue,) = (await health.list(ADMIN)).items
    assert "no reason was given" in issue.summary
    did, _ = await health.remedy(ADMIN, issue.id, "disable_provider")
    assert did == "alpha is given nothing more until somebody enables it"
    assert "failing" in (alpha.paused_reason or "")
    assert not (await health.list(ADMIN)).items
    with pytest.raises(Conflict):
        await health.remedy(ADMIN, issue.id, "disable_provider")


async def test_its_limits_are_watched_like_those_of_sims(ward: Ward, alpha: Provider) -> None:
    await ward.providers.change(LOCAL_ADMIN, "alpha", Change(sharing=Sharing(limits=Limits(per_hour=10, per_day=100))))
    alpha.ledger.record(ward.clock.now_ms, 8, "+447900900123")
    assert await ward.look(limits_nearly_spent.CHECK) == []
    alpha.ledger.record(ward.clock.now_ms, 1, "+447900900123")
    (found,) = await ward.look(limits_nearly_spent.CHECK)
    assert (found.subject, found.severity) == ("alpha", Severity.INFO)
    assert "The provider alpha has nearly reached its limits: 9 of 10 this hour" in found.summary
    assert found.evidence == {"provider": "alpha", "windows": {"per_hour": {"used": 9, "limit": 10}}}
    await ward.providers.disable(LOCAL_ADMIN, "alpha")
    assert await ward.look(limits_nearly_spent.CHECK) == []


async def test_a_loop_through_a_provider_names_it_also_when_it_was_removed(ward: Ward, alpha: Provider) -> None:
    ward.sending.looping.append(Loop("+447900900123", alpha.id, 0, 3_600_000, "the texts are alike"))
    (found,) = await ward.look(reply_loop.CHECK)
    assert found.evidence["provider"] == "alpha"
    assert "sim" not in found.evidence
    await ward.providers.remove(LOCAL_ADMIN, "alpha")
    (found,) = await ward.look(reply_loop.CHECK)
    assert found.evidence["provider"] == "alpha"
