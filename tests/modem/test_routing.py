"""The CNMI ladder and the message service, against what modems answer (3GPP TS 27.005 3.2.1, 3.4.1)."""

from __future__ import annotations

import pytest

from fakes.talks import answering, talking
from modembank.modem import Feature, Has, Routing
from modembank.modem.quirks import GENERIC, quirks_for
from modembank.modem.routing import candidates, set_routing, set_service, setting


def lists(*taken: tuple[int, ...], offer: str = "(0-2),(0-3),(0,2),(0-2),(0,1)") -> dict[str, object]:
    """A modem that takes these settings and no others."""
    answers: dict[str, object] = {"AT+CNMI=?": (f"+CNMI: {offer}", "OK")}
    for mode in (1, 2, 3):
        for mt in (1, 2):
            for ds in (0, 1, 2):
                for bfr in (0, 1):
                    if (mode, mt, 0, ds, bfr) not in taken:
                        answers[f"AT+CNMI={mode},{mt},0,{ds},{bfr}"] = ("+CMS ERROR: 303",)
    return answers


async def test_storing_with_direct_reports_is_best() -> None:
    async with talking(answering({})) as talk:
        routing = await set_routing(talk.dialogue, GENERIC, None)
        assert routing == Routing(2, 1, 0, 1, 0)
        assert talk.modem.cnmi == (2, 1, 0, 1, 0)
        assert talk.findings[Feature.ROUTING].evidence == "AT+CNMI=2,1,0,1,0"
        assert Feature.STORED_REPORTS not in talk.findings


@pytest.mark.parametrize(
    ("taken", "has"),
    [
        ((1, 1, 0, 1, 0), {"stored_messages": True, "direct_reports": True}),
        ((3, 1, 0, 1, 0), {"stored_messages": True, "direct_reports": True}),
        ((2, 1, 0, 2, 0), {"stored_messages": True, "direct_reports": False, "stored_reports": True}),
        ((2, 1, 0, 0, 0), {"stored_messages": True, "direct_reports": False, "stored_reports": False}),
        ((2, 2, 0, 1, 0), {"stored_messages": False, "direct_reports": True}),
        ((1, 2, 0, 0, 0), {"stored_messages": False, "direct_reports": False, "stored_reports": False}),
    ],
)
async def test_the_one_setting_that_it_takes_is_found(taken: tuple[int, ...], has: dict[str, bool]) -> None:
    async with talking(answering(lists(taken))) as talk:
        routing = await set_routing(talk.dialogue, GENERIC, None)
        assert routing is not None
        assert routing.arguments == taken
        found = {feature.value: finding.has is Has.YES for feature, finding in talk.findings.items()}
        assert found == {"routing": True, **has}


async def test_some_take_only_one_way_of_flushing() -> None:
    """MC75i wants bfr 1 (gammu, pull request 1207)."""
    async with talking(answering(lists((2, 1, 0, 1, 1)))) as talk:
        assert await set_routing(talk.dialogue, GENERIC, None) is not None
        assert talk.modem.cnmi == (2, 1, 0, 1, 1)


async def test_an_ok_that_is_not_kept_is_seen_by_reading_back() -> None:
    answers = {"AT+CNMI?": [("+CNMI: 2,1,0,0,0", "OK"), ("+CNMI: 1,1,0,1,0", "OK")]}
    async with talking(answering(answers)) as talk:
        routing = await set_routing(talk.dialogue, GENERIC, None)
        assert routing == Routing(1, 1, 0, 1, 0)


async def test_what_cannot_be_read_back_is_believed() -> None:
    async with talking(answering({"AT+CNMI?": ("ERROR",)})) as talk:
        assert await set_routing(talk.dialogue, GENERIC, None) == Routing(2, 1, 0, 1, 0)


async def test_what_the_twin_took_is_tried_first() -> None:
    learnt = Routing(1, 1, 0, 2, 0)
    async with talking(answering({})) as talk:
        assert await set_routing(talk.dialogue, GENERIC, learnt) == learnt
        assert len(talk.heard("AT+CNMI=1")) == 1


async def test_without_the_command_nothing_false_is_said() -> None:
    answers = lists()
    answers["AT+CNMI=?"] = ("ERROR",)
    async with talking(answering(answers)) as talk:
        assert await set_routing(talk.dialogue, GENERIC, None) is None
        assert talk.findings[Feature.ROUTING].has is Has.NO
        assert talk.findings[Feature.ROUTING].evidence == "AT+CNMI=?: ERROR"
        assert talk.findings[Feature.STORED_MESSAGES].has is Has.UNKNOWN


async def test_a_list_that_lies_altogether_is_told_apart() -> None:
    async with talking(answering(lists())) as talk:
        assert await set_routing(talk.dialogue, GENERIC, None) is None
        assert talk.findings[Feature.ROUTING].evidence.endswith("yet every setting is refused")


async def test_huawei_is_asked_for_mode_one_first() -> None:
    quirks = quirks_for("huawei", "E173")
    async with talking(answering({})) as talk:
        routing = await set_routing(talk.dialogue, quirks, None)
        assert routing is not None
        assert routing.mode == 1
    assert {entry.mode for entry in candidates(quirks.routings, None)[:5]} == {1}


def test_the_setting_as_a_command() -> None:
    assert setting(Routing(2, 1, 0, 2, 1)).text == "AT+CNMI=2,1,0,2,1"


# -- the service


async def test_service_one_is_asked_for_and_read_back() -> None:
    async with talking(answering({})) as talk:
        assert await set_service(talk.dialogue, GENERIC) == 1
        assert talk.findings[Feature.PHASE_2_PLUS].has is Has.YES
        assert talk.findings[Feature.PHASE_2_PLUS].evidence == "AT+CSMS?: +CSMS: 1,1,1,1"


async def test_an_ok_to_service_one_that_is_not_meant() -> None:
    async with talking(answering({"AT+CSMS?": ("+CSMS: 0,1,1,1", "OK")})) as talk:
        assert await set_service(talk.dialogue, GENERIC) == 0
        assert talk.findings[Feature.PHASE_2_PLUS].has is Has.NO


async def test_an_answer_without_the_service_leaves_the_ok_standing() -> None:
    async with talking(answering({"AT+CSMS?": ("+CSMS: 1,1,1", "OK")})) as talk:
        assert await set_service(talk.dialogue, GENERIC) == 1


@pytest.mark.parametrize("refusal", ["ERROR", "+CMS ERROR: 302", "+CMS ERROR: 303", "+CME ERROR: 3"])
async def test_a_refused_service_costs_one_question(refusal: str) -> None:
    async with talking(answering({"AT+CSMS=1": (refusal,)})) as talk:
        assert await set_service(talk.dialogue, GENERIC) == 0
        assert talk.heard("AT+CSMS") == ["AT+CSMS=1"]
        assert refusal.removeprefix("+").replace(":", "") in talk.findings[Feature.PHASE_2_PLUS].evidence


async def test_where_nothing_can_be_acknowledged_service_one_is_never_set() -> None:
    async with talking(answering({})) as talk:
        assert await set_service(talk.dialogue, quirks_for("SIMCOM INCORPORATED", "")) == 0
        assert talk.heard("AT+CSMS") == ["AT+CSMS=0"]
