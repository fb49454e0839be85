"""The small parts: turns, masks, verdicts, PIN record, capabilities, quirks."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.modem_hosts import submit_pdu
from modembank.at import AtResult, FinalStatus, parse_cnmi_ranges
from modembank.modem import (
    LACKS,
    AttemptOutcome,
    Capabilities,
    CauseClass,
    Feature,
    Finding,
    Has,
    PinRecord,
    Routing,
    Storage,
    Transcript,
)
from modembank.modem.quirks import GENERIC, VENDORS, quirks_for
from modembank.modem.quirks.difference import ROUTINGS
from modembank.modem.routing import candidates
from modembank.modem.transcript import mask
from modembank.modem.turns import Turns
from modembank.modem.verdict import has_validity, judge

# -- turns


async def test_turns_are_handed_over_in_order_with_the_urgent_first() -> None:
    turns = Turns()
    order: list[str] = []

    async def speak(name: str, *, urgent: bool) -> None:
        await turns.take(urgent=urgent)
        order.append(name)
        turns.give()

    await turns.take()
    tasks = [asyncio.create_task(speak(f"ordinary {number}", urgent=False)) for number in range(2)]
    tasks += [asyncio.create_task(speak(f"urgent {number}", urgent=True)) for number in range(6)]
    await asyncio.sleep(0)
    turns.give()
    await asyncio.gather(*tasks)
    assert order[:4] == [f"urgent {number}" for number in range(4)]
    assert order[4] == "ordinary 0"  # nobody is for ever last
    assert set(order[5:]) == {"urgent 4", "urgent 5", "ordinary 1"}
    assert not turns.held


async def test_a_cancelled_wait_loses_no_turn() -> None:
    turns = Turns()
    await turns.take()
    waiting = asyncio.create_task(turns.take())
    after = asyncio.create_task(turns.take())
    await asyncio.sleep(0)
    turns.give()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await after
    turns.give()
    assert not turns.held


# -- transcript


@given(st.binary(max_size=400))
def test_a_mask_never_fails_and_never_shows_a_control(data: bytes) -> None:
    shown = mask(data)
    assert shown.isprintable() or not shown
    assert len(shown) < 400


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"AT+CMGS=23\r", "AT+CMGS=23"),
        (b"0011000B915155000000F50000FF13C8329BFD06\x1a", "<20 octets><Ctrl-Z>"),
        (b'+CLIP: "+15551234567",145', '+CLIP: "+155…67",145'),
        (b'+CUSD: 0,"Your balance",15', '+CUSD: 0,"…",15'),
        (b'AT+CPIN="4711"\r', "AT+CPIN=<PIN>"),
        (b"\x1b", "<ESC>"),
        (b"+CREG: 1", "+CREG: 1"),
    ],
)
def test_what_is_kept_is_masked(data: bytes, shown: str) -> None:
    assert mask(data) == shown


def test_a_line_cut_by_reads_is_masked_as_a_whole() -> None:
    transcript = Transcript(lambda: 0, lines=3)
    secret = "07915155990900F0040B915155210300F0"
    for place in range(0, len(secret), 5):
        transcript.received(secret[place : place + 5].encode())
    transcript.received(b"\r\nOK\r\n")
    assert [line.text for line in transcript.lines()] == ["<17 octets>", "OK"]
    for number in range(5):
        transcript.note(str(number))
    assert [line.text for line in transcript.lines(2)] == ["3", "4"]
    assert len(transcript.lines()) == 3


# -- verdicts


def test_validity_is_read_from_the_first_octet_behind_the_centre() -> None:
    assert has_validity(submit_pdu("+15559990001")[0])
    assert not has_validity(submit_pdu("+15559990001", validity=False)[0])
    assert has_validity("07915155990900F0" + "11")
    assert not has_validity("zz")
    assert not has_validity("")


@pytest.mark.parametrize(
    ("lines", "reference"),
    [(("+CMGS: 17",), 17), (('+CMGS: 3,"21/01/01"',), 3), ((), None), (("+CMGS: x",), None), (("+CMGS: 256",), 0)],
)
def test_ok_is_accepted_whatever_the_reference(lines: tuple[str, ...], reference: int | None) -> None:
    verdict = judge(AtResult(FinalStatus.OK, lines=lines), 1.0, 20.0, validity_suspect=False)
    assert verdict == (AttemptOutcome.ACCEPTED, reference, None)


@pytest.mark.parametrize(
    ("status", "code", "elapsed", "outcome"),
    [
        (FinalStatus.CMS_ERROR, 500, 3.0, AttemptOutcome.REJECTED),
        (FinalStatus.CMS_ERROR, 500, 30.0, AttemptOutcome.UNKNOWN),
        (FinalStatus.CMS_ERROR, 332, 0.1, AttemptOutcome.UNKNOWN),
        (FinalStatus.CMS_ERROR, 27, 0.1, AttemptOutcome.REJECTED),
        (FinalStatus.ERROR, None, 3.0, AttemptOutcome.REJECTED),
        (FinalStatus.ERROR, None, 30.0, AttemptOutcome.UNKNOWN),
        (FinalStatus.CME_ERROR, 31, 3.0, AttemptOutcome.UNKNOWN),
        (FinalStatus.CME_ERROR, 10, 3.0, AttemptOutcome.REJECTED),
    ],
)
def test_refusals(status: FinalStatus, code: int | None, elapsed: float, outcome: AttemptOutcome) -> None:
    found, reference, cause = judge(AtResult(status, code), elapsed, 20.0, validity_suspect=False)
    assert found is outcome
    assert reference is None
    assert cause is not None
    assert (cause.klass is CauseClass.AMBIGUOUS) == (outcome is AttemptOutcome.UNKNOWN)


# -- PIN record


def test_a_pin_counts_as_failed_from_before_its_try(tmp_path: Path) -> None:
    file = tmp_path / "pins.json"
    record = PinRecord(file)
    assert not record.failed("8901", "4711")
    record.trying("8901", "4711")
    assert PinRecord(file).failed("8901", "4711")  # as after a crash in mid-try
    assert not PinRecord(file).failed("8901", "4712")
    assert not PinRecord(file).failed("8902", "4711")
    record.worked("8901", "4711")
    assert not PinRecord(file).failed("8901", "4711")
    assert "4711" not in file.read_text("ascii")


def test_a_damaged_record_is_an_empty_one(tmp_path: Path) -> None:
    file = tmp_path / "pins.json"
    file.write_text("not json")
    assert not PinRecord(file).failed("8901", "4711")


# -- capabilities and routing


def test_what_is_lacking_has_a_sentence_with_its_evidence() -> None:
    findings = {feature: Finding(Has.NO, "AT+X: ERROR") for feature in Feature}
    said = Capabilities(findings=findings).sentences()
    assert set(said) == set(LACKS)
    assert all(text.endswith("(AT+X: ERROR)") for text in said.values())
    assert not Capabilities().sentences()


def test_the_fill_that_warns() -> None:
    assert not Storage("SM", 6, 10).filling
    assert Storage("SM", 7, 10).filling
    assert not Storage("SM", 0, 0).filling


@pytest.mark.parametrize(
    ("offer", "first"),
    [
        ("+CNMI: (0-2),(0-3),(0,2),(0-2),(0,1)", (2, 1, 0, 1, 0)),
        ("+CNMI: (2),(0-1,3),(0,2),(0-1),(0)", (2, 1, 0, 1, 0)),
        ("+CNMI: (0-2),(0,1,3),(0),(0,1),(0,1)", (2, 1, 0, 1, 0)),
        ("+CNMI: (0,1),(0,1),(0),(0,2),(0)", (1, 1, 0, 2, 0)),
        ("+CNMI: (0-2),(0,2),(0),(0,1),(0)", (2, 2, 0, 1, 0)),
        ("+CNMI: (3),(0,1),(0),(0,1),(1)", (3, 1, 0, 1, 0)),
    ],
)
def test_the_routing_ladder_starts_with_what_is_offered_and_ends_with_all(
    offer: str, first: tuple[int, int, int, int, int]
) -> None:
    ladder = candidates(ROUTINGS, parse_cnmi_ranges(offer))
    assert ladder[0].arguments == first
    assert set(ladder) == set(ROUTINGS)
    assert candidates(ROUTINGS, None) == list(ROUTINGS)
    learnt = Routing(1, 1, 0, 2, 0)
    assert candidates(ROUTINGS, None, learnt)[0] == learnt


# -- quirks


@pytest.mark.parametrize(
    ("maker", "name"),
    [
        ("huawei", "huawei"),
        ("HUAWEI TECHNOLOGIES CO., LTD", "huawei"),
        ("Quectel", "quectel"),
        ("SIMCOM_Ltd", "simcom"),
        ("SIMCOM INCORPORATED", "simcom"),
        ("Telit", "telit"),
        ("ZTE CORPORATION", "zte"),
        ("Sierra Wireless, Incorporated", "sierra"),
        ("Cinterion", "cinterion"),
        ("NoName", "generic"),
        ("", "generic"),
    ],
)
def test_a_vendor_is_known_by_its_name(maker: str, name: str) -> None:
    assert quirks_for(maker, "").name == name


def test_no_quirk_ever_sends_a_factory_reset_or_saves_a_profile() -> None:
    for quirks in (GENERIC, *VENDORS):
        orders = (*quirks.card_number, *quirks.pin_counters, *quirks.quiet, *quirks.hang_up, *quirks.resets)
        for order in orders:
            assert not order.text.startswith(("ATZ", "AT&F", "AT&W", "AT^GETPORTMODE")), order
