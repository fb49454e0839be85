"""A code in the middle of a line breaks it in two; its pieces must not be taken for something else (story 16)."""

from __future__ import annotations

import pytest

from modembank.at import AtCommand, AtEngine, AtResult, Final, FinalStatus, pdu_fits

SEND = AtCommand("AT+CMGS=23", prefix=("+CMGS:",), payload="0011000B915155214365F70000A705C8329BFD06")
PIECES = (b"\r\n^RSSI:17\r\n", b"\r\nRING\r\n", b"\r\nOVER-VOLTAGE WARNNING\r\n", b'\r\n+CTZV: "+04"\r\n')


def engine_after(final: bytes) -> AtEngine:
    """One that has seen how its modem ends commands."""
    engine = AtEngine()
    engine.send(AtCommand("AT"))
    assert engine.feed(final)
    return engine


def sent(engine: AtEngine, answer: bytes) -> AtResult | None:
    engine.send(SEND)
    engine.feed(b"\r\n> ")
    engine.send_payload()
    finals = [event.result for event in engine.feed(answer) if isinstance(event, Final)]
    return finals[0] if finals else None


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize("reference", [b"14", b"40", b"137", b"208", b"36"])
def test_a_broken_reference_is_never_a_refusal(reference: bytes, piece: bytes) -> None:
    answer = b"\r\n+CMGS: " + reference + b"\r\n\r\nOK\r\n"
    for place in range(len(answer) + 1):
        result = sent(engine_after(b"\r\nOK\r\n"), answer[:place] + piece + answer[place:])
        assert result is None or result.status is FinalStatus.OK, (place, result)


@pytest.mark.parametrize(("digit", "status"), [(b"0", FinalStatus.OK), (b"4", FinalStatus.ERROR)])
def test_a_modem_that_answers_in_digits_is_still_understood(digit: bytes, status: FinalStatus) -> None:
    result = sent(engine_after(b"0\r"), b"+CMGS: 5\r\n" + digit + b"\r")
    assert result is not None
    assert result.status is status


def test_a_change_to_digits_is_followed_where_nothing_else_was_said() -> None:
    engine = engine_after(b"\r\nOK\r\n")
    engine.send(AtCommand("ATV0"))
    assert engine.feed(b"0\r")
    result = sent(engine, b"+CMGS: 5\r\n0\r")
    assert result is not None
    assert result.lines == ("+CMGS: 5",)


def test_after_a_given_up_command_digits_may_be_finals_again() -> None:
    engine = engine_after(b"\r\nOK\r\n")
    engine.send(AtCommand("AT+CSQ", prefix=("+CSQ:",)))
    engine.abandon()
    probe = engine.resync_probe()
    name = probe.command.text[2:].rstrip("?")
    assert any(isinstance(event, Final) for event in engine.feed(f"{name}: 1\r\n0\r".encode()))
    assert not engine.desynchronised


@pytest.mark.parametrize(
    ("text", "declared", "whole"),
    [
        ("07915155990900F0040B915155214365F700006211123054210001C8", 20, True),
        ("040B915155214365F700006211123054210001C8", 20, False),
        ("07915155990900F0040B915155214365F70000", 20, False),
        ("07915155990900F0040B915155214365F700006211123054210001C8", None, False),
        ("no hex", 3, False),
        ("", 0, False),
    ],
)
def test_a_pdu_is_whole_only_with_its_centre_and_length(text: str, declared: int | None, *, whole: bool) -> None:
    assert pdu_fits(text, declared) is whole
