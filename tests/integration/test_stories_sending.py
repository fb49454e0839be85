"""Stories 1 to 5: nothing is lost, nothing goes twice or too late, and nobody waits for another's trouble."""

import asyncio
import itertools
import json
import shutil
from contextlib import asynccontextmanager

import httpx
import pytest

from fakes.boxes import TurnedClock, box_on, emulated, running
from fakes.stories import CALM
from modembank_emulator import FaultKind, Fixed, LatencyModel, Stage

LONG = "All of this must arrive in one piece. " * 10  # three segments
TO = "+19990000001"


def outcomes(message):
    return [(attempt["segment"], attempt["outcome"]) for attempt in message["attempts"]]


async def test_story_01_a_lost_final_result_is_held_and_its_report_settles_it(tmp_path):
    async with box_on(tmp_path, timings=CALM, modems=1) as box:
        box.bank.network.plan_reports(TO, "after_minutes")
        box.bank.modems[0].faults.arm(FaultKind.DROP_FINAL)
        sent = await box.send(TO)
        held = await box.until_status(sent["id"], "unknown")
        assert outcomes(held) == [(1, "unknown")]
        assert held["cause"] == "no_final: no final result after the text was given to the modem"
        assert held["waiting_for"].startswith("unknown whether it was sent (no_final: ")
        other = await box.send("+19990000002")
        await box.until_status(other["id"], "delivered")
        await box.turn(120)
        assert (await box.message(sent["id"]))["status"] == "unknown"
        await box.turn(200)
        settled = await box.until_status(sent["id"], "delivered")
        assert outcomes(settled) == [(1, "unknown")]
        assert settled["waiting_for"] is None
        assert box.seen() == [TO, "+19990000002"]


async def test_story_01_under_resend_it_goes_again_and_counts_twice(tmp_path):
    async with box_on(tmp_path, timings=CALM, modems=1) as box:
        box.bank.network.plan_reports(TO, "never")
        box.bank.modems[0].faults.arm(FaultKind.DROP_FINAL)
        sent = await box.send(TO, on_unknown="resend")
        reason = await box.waiting_for(sent["id"], "will be tried again at ")
        assert reason.endswith(", after no_final: no final result after the text was given to the modem")
        await box.turn(80)
        message = await box.until_status(sent["id"], "sent")
        assert outcomes(message) == [(1, "unknown"), (1, "accepted")]
        assert [attempt["n"] for attempt in message["attempts"]] == [1, 2]
        assert (await box.sim(0))["used"]["per_hour"] == 2
        assert box.seen() == [TO, TO]


async def test_story_01_resending_ends_after_four_tries(tmp_path):
    async with box_on(tmp_path, timings=CALM, modems=1) as box:
        box.bank.network.plan_reports(TO, "never")
        box.bank.modems[0].faults.arm(FaultKind.DROP_FINAL, times=None)
        sent = await box.send(TO, on_unknown="resend")
        for tries in range(1, 4):
            await box.until(lambda tries=tries: tried(box, sent["id"], tries))
            await box.waiting_for(sent["id"], "will be tried again at ")
            await box.turn(400)
        message = await box.until_status(sent["id"], "unknown")
        assert outcomes(message) == [(1, "unknown")] * 4
        assert message["waiting_for"].startswith("unknown whether it was sent")


async def tried(box, identifier, tries):
    return len((await box.message(identifier))["attempts"]) == tries


async def test_story_01_what_never_came_to_ctrl_z_goes_through_another_sim(tmp_path):
    async with box_on(tmp_path, timings=CALM) as box:
        hung = box.bank.modems[0].faults
        hung.arm(FaultKind.HANG, stage=Stage.COMMAND)
        batch = await box.send([f"+1999000{place:04d}" for place in range(6)])
        for accepted in batch["messages"]:
            message = await box.until_status(accepted["id"], "delivered")
            assert outcomes(message) in ([(1, "accepted")], [(1, "not_sent"), (1, "accepted")])
            assert message["sim"] == box.bank.cards[1].iccid
        assert len(box.seen()) == 6


@pytest.mark.parametrize("policy", ["hold", "resend"])
async def test_story_01_a_power_cut_in_mid_send(tmp_path, policy):
    """What lies on the disk while the modem sends is all that the next start knows."""
    waits = LatencyModel(submit=Fixed(0.4))
    async with emulated(tmp_path / "tty", modems=1, latency=waits) as bank:
        bank.network.plan_reports(TO, "never")
        async with running(bank, tmp_path / "data", timings=CALM) as box:
            sent = await box.send(TO, on_unknown=policy)
            behind = await box.send("+19990000002", delivery_report=False)
            await box.until(lambda: journalled(box))
            shutil.copytree(tmp_path / "data", tmp_path / "after", ignore=shutil.ignore_patterns("*.sock"))
            await box.until(box.seen)
        sent_before = len(box.seen())
        async with running(bank, tmp_path / "after", timings=CALM) as box:
            await box.until_status(behind["id"], "sent")
            message = await box.until_status(sent["id"], "unknown" if policy == "hold" else "sent")
            assert message["attempts"][0]["cause"] == "interrupted: the daemon stopped while it was being sent"
            assert box.seen().count(TO) == (1 if policy == "hold" else 2)
            assert len(box.seen()) == sent_before + (1 if policy == "hold" else 2)


async def journalled(box):
    return await box.app.store.fetch_one("SELECT 1 FROM journal WHERE kind = 1")


async def test_story_02_a_refused_segment_alone_is_sent_again_through_the_same_sim(tmp_path):
    async with box_on(tmp_path, timings=CALM) as box:
        box.bank.network.plan_reports(TO, "never")
        for modem in box.bank.modems:
            modem.faults.arm(FaultKind.CMS_ERROR, nth=2, code=42)
        sent = await box.send(TO, LONG)
        reason = await box.waiting_for(sent["id"], "will be tried again at ")
        assert reason.endswith(", after cms_42: +CMS ERROR 42: congestion")
        assert (await box.message(sent["id"]))["status"] == "sending"
        await box.turn(15)
        message = await box.until_status(sent["id"], "sent")
        assert outcomes(message) == [(1, "accepted"), (2, "rejected"), (2, "accepted"), (3, "accepted")]
        assert_whole(box, TO)


async def test_story_02_an_unknown_segment_is_not_sent_again_but_the_rest_is(tmp_path):
    async with box_on(tmp_path, timings=CALM) as box:
        box.bank.network.plan_reports(TO, "after_minutes")
        for modem in box.bank.modems:
            modem.faults.arm(FaultKind.DROP_FINAL, nth=2)
        sent = await box.send(TO, LONG)
        message = await box.until_status(sent["id"], "unknown")
        assert outcomes(message) == [(1, "accepted"), (2, "unknown"), (3, "accepted")]
        assert_whole(box, TO)
        await box.turn(310)
        message = await box.until_status(sent["id"], "delivered")
        assert message["report"] == {**message["report"], "status": "delivered", "reported": 3, "segments": 3}
        assert_whole(box, TO)


async def test_story_02_the_rest_follows_after_a_power_cut_with_the_same_reference(tmp_path):
    waits = LatencyModel(submit=Fixed(0.15))
    async with emulated(tmp_path / "tty", latency=waits) as bank:
        bank.network.plan_reports(TO, "never")
        async with running(bank, tmp_path / "data", timings=CALM) as box:
            sent = await box.send(TO, LONG)
            await box.until(lambda: len(box.seen()) == 1)
            await box.app.dispatcher.drain()
        async with running(bank, tmp_path / "data", timings=CALM) as box:
            await box.until_status(sent["id"], "sent")
            assert_whole(box, TO)


async def test_story_02_segments_of_two_messages_never_mix_on_a_sim(tmp_path):
    async with box_on(tmp_path) as box:
        numbers = [f"+1999000{place:04d}" for place in range(12)]
        batch = await box.send(numbers, LONG)
        for accepted in batch["messages"]:
            await box.until_status(accepted["id"], "delivered")
        for number in numbers:
            assert_whole(box, number)
        for card in box.bank.cards:
            through = [seen.destination for seen in box.bank.network.ledger if seen.iccid == card.iccid]
            runs = [number for number, _ in itertools.groupby(through)]
            assert len(runs) == len(set(runs))


def assert_whole(box, number):
    """The network has each segment once, in order, with one reference, through one SIM."""
    seen = [one for one in box.bank.network.ledger if one.destination == number and one.accepted]
    assert [one.concat.sequence for one in seen] == [1, 2, 3]
    assert len({one.concat.reference for one in seen}) == 1
    assert len({one.iccid for one in seen}) == 1
    assert "".join(one.text for one in seen) == LONG


async def test_story_03_what_waited_too_long_for_the_network_expires(tmp_path):
    async with box_on(tmp_path, timings=CALM) as box:
        box.bank.network.cell(up=False)
        await box.until(lambda: not any(view.able_to_send for view in box.app.bank.modems()))
        stale = await box.send([f"+1999100{place:04d}" for place in range(60)], valid_for_s=60)
        fresh = await box.send([f"+1999200{place:04d}" for place in range(5)], valid_for_s=3600)
        await box.turn(61)
        box.bank.network.cell(up=True)
        for accepted in fresh["messages"]:
            await box.until_status(accepted["id"], "delivered")
        for accepted in stale["messages"]:
            message = await box.until_status(accepted["id"], "expired")
            assert message["attempts"] == []
        assert sorted(box.seen()) == [accepted["to"] for accepted in fresh["messages"]]


async def test_story_03_what_waited_too_long_for_the_box_expires(tmp_path):
    clock = TurnedClock()
    async with emulated(tmp_path / "tty") as bank:
        bank.network.cell(up=False)
        async with running(bank, tmp_path / "data", timings=CALM, clock=clock, wait=False) as box:
            stale = await box.send([f"+1999100{place:04d}" for place in range(20)], valid_for_s=600)
            later = await box.send("+19992000001", valid_for_s=60)
            fresh = await box.send("+19992000000", valid_for_s=86400)
        bank.network.cell(up=True)
        clock.ahead_s += 7200
        async with running(bank, tmp_path / "data", timings=CALM, clock=clock) as box:
            await box.until_status(fresh["id"], "delivered")
            for accepted in [*stale["messages"], later]:
                await box.until_status(accepted["id"], "expired")
            assert box.seen() == ["+19992000000"]


async def test_story_03_the_validity_in_the_pdu_is_what_is_left(tmp_path):
    async with box_on(tmp_path, timings=CALM, modems=1) as box:
        box.bank.network.cell(up=False)
        await box.until(lambda: not box.app.bank.modems()[0].able_to_send)
        sent = await box.send(box.bank.cards[0].msisdn, valid_for_s=7200)
        await box.turn(3600)
        box.bank.network.cell(up=True)
        await box.until_status(sent["id"], "delivered")
        (seen,) = box.bank.network.ledger
        # 3GPP TS 23.040 9.2.3.12.1: 0 to 143 stand for (value + 1) * 5 minutes.
        assert (bytes.fromhex(seen.pdu_hex)[1] & 0x18) == 0x10
        validity = bytes.fromhex(seen.pdu_hex)[1 + 2 + 2 + 6 + 2]
        assert validity in (10, 11)


async def test_story_04_a_lost_response_and_its_replay_make_one_message(tmp_path):
    async with box_on(tmp_path) as box:
        body = {"to": TO, "text": "once", "reference": "order 4711"}
        headers = {"Idempotency-Key": "order-4711"}
        async with posted(box, json.dumps(body, separators=(",", ":")).encode(), headers):
            await box.until(lambda: find_reference(box, "order 4711"))
        answers = [await box.client.post("/api/v1/messages", json=body, headers=headers) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [202, 202]
        assert {answer.headers["Idempotent-Replay"] for answer in answers} == {"true"}
        (found,) = await find_reference(box, "order 4711")
        assert {answer.json()["id"] for answer in answers} == {found["id"]}
        other = await box.client.post("/api/v1/messages", json={**body, "text": "twice"}, headers=headers)
        assert other.status_code == 422
        await box.until_status(found["id"], "delivered")
        assert box.seen() == [TO]


async def test_story_04_one_key_at_the_same_moment_makes_one_message(tmp_path):
    async with box_on(tmp_path) as box:
        posts = [
            box.client.post(
                "/api/v1/messages", json={"to": TO, "text": "once"}, headers={"Idempotency-Key": "at-the-same-moment"}
            )
            for _ in range(8)
        ]
        answers = await asyncio.gather(*posts)
        assert {answer.status_code for answer in answers} == {202}
        assert len({answer.json()["id"] for answer in answers}) == 1
        assert sum("Idempotent-Replay" not in answer.headers for answer in answers) == 1
        await box.until_status(answers[0].json()["id"], "delivered")
        assert box.seen() == [TO]


@asynccontextmanager
async def posted(box, body, headers):
    """Send a request and go away at the end without having read the answer."""
    address = httpx.URL(box.daemon.url)
    _, writer = await asyncio.open_connection(address.host, address.port)
    fields = {**headers, "Authorization": box.client.headers["Authorization"], "Content-Type": "application/json"}
    lines = [f"{name}: {value}" for name, value in {"Host": "box", **fields, "Content-Length": len(body)}.items()]
    writer.write("\r\n".join(["POST /api/v1/messages HTTP/1.1", *lines, "", ""]).encode() + body)
    await writer.drain()
    try:
        yield
    finally:
        writer.transport.abort()


async def find_reference(box, reference):
    return (await box.client.get("/api/v1/messages", params={"reference": reference})).json()["items"]


async def test_story_05_one_bad_number_blocks_nobody(tmp_path):
    bad = {"+19990000100": 1, "+19990000101": 42, "+19990000102": 50, "+19990000103": 27}
    async with box_on(tmp_path, timings=CALM, modems=1) as box:
        for number, code in bad.items():
            box.bank.network.refuse(number, code)
        first = await box.send(list(bad))
        good = await box.send([f"+1999000{place:04d}" for place in range(200, 230)])
        for accepted in good["messages"]:
            await box.until_status(accepted["id"], "delivered")
        by_number = {accepted["to"]: accepted["id"] for accepted in first["messages"]}
        failed = await box.until_status(by_number["+19990000100"], "failed")
        assert failed["cause"] == "cms_1: +CMS ERROR 1: unassigned (unallocated) number"
        for number in list(bad)[1:]:
            reason = await box.waiting_for(by_number[number], "will be tried again at ")
            assert f"after cms_{bad[number]}: " in reason
        box.bank.network.refuse("+19990000101", None)
        await box.turn(14)
        await box.until_status(by_number["+19990000101"], "delivered")
        assert len(box.seen()) == 31
