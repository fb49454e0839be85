"""Stories 1, 2 and 13 in numbers: lost final results and hangs among two hundred messages, none lost, none doubled."""

import asyncio
from collections import Counter

from fakes.boxes import WITHIN_S, box_on
from fakes.stories import BRISK, sent_to
from modembank_emulator import FaultKind, Stage

COUNT = 200
MODEMS = 4
NUMBERS = [f"+1999{number:07d}" for number in range(COUNT)]
QUIET = NUMBERS[::5]
"""The network tells nothing of these."""
HURRIED = BRISK.scaled(final_s=0.7, beat_s=0.5, quarantine_s=0.5)


async def all_settled(box):
    """Send everything under hold, and return the messages once each has ended or is unknown."""
    for number in QUIET:
        box.bank.network.plan_reports(number, "never")
    await box.send(NUMBERS, on_unknown="hold")
    async with asyncio.timeout(WITHIN_S * 2):
        while await underway(box):
            await asyncio.sleep(0.2)  # asking after every event would be most of the work
    return await all_of(box)


async def underway(box):
    counts = await box.app.messages.counts()
    return sum(counts.get(state, 0) for state in ("accepted", "scheduled", "queued", "sending"))


async def all_of(box):
    """Every outbound message in full."""
    found, path = [], "messages?limit=100"
    while path:
        page = await box.get(path)
        found += page["items"]
        path = (page["next"] or "").removeprefix("/api/v1/")
    return [await box.message(message["id"]) for message in found]


def accounted(messages, taken):
    """Nothing is lost, nothing is doubled, and what is said of a message is so."""
    assert max(taken.values()) == 1
    assert len(messages) == COUNT
    for message in messages:
        outcomes = [attempt["outcome"] for attempt in message["attempts"]]
        assert outcomes.count("unknown") + outcomes.count("accepted") == 1, message
        if message["status"] != "unknown":
            assert taken[message["to"]] == 1, message
        if message["status"] == "sent":
            assert outcomes[-1] == "accepted"


async def test_story_01_final_results_get_lost_and_no_message_does(tmp_path):
    async with box_on(tmp_path, timings=HURRIED, modems=MODEMS) as box:
        for modem in box.bank.modems:
            modem.faults.arm(FaultKind.DROP_FINAL, times=None, chance=0.05)
        messages = await all_settled(box)
        accounted(messages, Counter(sent_to(box.bank)))
        assert sorted(sent_to(box.bank)) == NUMBERS
        unknown = [message for message in messages if "unknown" in [try_["outcome"] for try_ in message["attempts"]]]
        assert len(unknown) >= 2  # ten are to be expected; two at least, but for one run in two thousand
        for message in unknown:  # proven by its report, where one comes
            wanted = "unknown" if message["to"] in QUIET else "delivered"
            assert (await box.until_status(message["id"], wanted))["status"] == wanted


async def test_story_13_modems_hang_for_a_while_and_no_message_is_lost_or_doubled(tmp_path):
    stages = (Stage.COMMAND, Stage.PROMPT, Stage.CTRL_Z, Stage.SENT)
    kinds = (FaultKind.HANG, FaultKind.HANG_URCS_FLOW, FaultKind.ECHO_ONLY, FaultKind.HANG)
    async with box_on(tmp_path, timings=HURRIED, modems=MODEMS) as box:
        for modem, stage, kind in zip(box.bank.modems, stages, kinds, strict=True):  # 2 % of the messages
            # What are twenty seconds beside the deadlines of a real modem.
            modem.faults.arm(kind, nth=3, stage=stage, lasts_s=2.0)
        messages = await all_settled(box)
        taken = Counter(sent_to(box.bank))
        accounted(messages, taken)
        missing = [number for number in NUMBERS if not taken[number]]
        assert len(missing) == 2  # struck between the prompt and the network
        unknown = {message["to"] for message in messages if message["status"] == "unknown"}
        assert set(missing) <= unknown
        await box.until_registered()
