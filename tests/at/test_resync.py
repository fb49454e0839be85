"""After a deadline no late line is credited to another command."""

import pytest

from modembank.at import (
    AtCommand,
    AtEngine,
    AtResult,
    Final,
    FinalStatus,
    Noise,
    NoiseReason,
    UrcReceived,
    command,
    query,
)

PDU = "0001000B914421436587F900000AE8329BFD4697D9EC37"


def late(line: str) -> Noise:
    return Noise(line, NoiseReason.LATE)


def abandoned(built: AtCommand) -> AtEngine:
    engine = AtEngine()
    engine.send(built)
    engine.abandon()
    return engine


def test_the_steps_are_escape_at_and_a_question() -> None:
    probe = abandoned(query("+CREG")).resync_probe()
    assert [step.data for step in probe.steps] == [b"\x1b", b"AT\r", b"AT+CMEE?\r"]
    assert probe.steps[0].pause_s > 0
    assert probe.timeout_s > 0


def test_no_step_ever_sends_ctrl_z() -> None:
    engine = AtEngine()
    for _ in range(20):
        probe = engine.resync_probe()
        assert all(b"\x1a" not in step.data for step in probe.steps)
        engine.abandon()


def test_only_the_answer_to_the_question_ends_it() -> None:
    engine = abandoned(AtCommand("AT+CGSN", bare=True))
    probe = engine.resync_probe()
    assert engine.in_flight == probe.command
    assert engine.feed(b"\r\n352012345678901\r\n\r\nOK\r\n\r\nOK\r\n\r\nERROR\r\n") == [
        late("352012345678901"), late("OK"), late("OK"), late("ERROR"),
    ]  # fmt: skip
    assert engine.desynchronised
    assert engine.feed(b"AT+CMEE?\r\r\n+CMEE: 1\r\n\r\nOK\r\n") == [
        Final(AtResult(FinalStatus.OK, lines=("+CMEE: 1",)))
    ]
    assert not engine.desynchronised
    assert engine.in_flight is None
    assert engine.send(command("+CSQ")) == b"AT+CSQ\r"


def test_a_late_acceptance_is_told_as_late_and_proves_the_send() -> None:
    engine = AtEngine()
    engine.send(AtCommand("AT+CMGS=22", prefix=("+CMGS:",), payload=PDU))
    engine.feed(b"> ")
    engine.send_payload()
    engine.abandon()
    assert engine.payload_written
    assert engine.feed(b"\r\n+CMGS: 12\r\n\r\nOK\r\n") == [late("+CMGS: 12"), late("OK")]


def test_codes_still_arrive_while_out_of_step() -> None:
    engine = abandoned(query("+CMGF"))
    events = engine.feed(b'\r\n+CMTI: "SM",3\r\n+CMGF: 0\r\n')
    assert isinstance(events[0], UrcReceived)
    assert events[1] == late("+CMGF: 0")


def test_a_late_answer_in_the_form_of_the_question_is_not_the_proof() -> None:
    """The command given up was the very question the first probe would ask: it asks another."""
    engine = abandoned(query("+CMEE"))
    probe = engine.resync_probe()
    assert probe.command.text != "AT+CMEE?"
    assert engine.feed(b"\r\n+CMEE: 0\r\n\r\nOK\r\n") == [late("+CMEE: 0"), late("OK")]


def test_each_try_asks_another_question_while_earlier_ones_are_owed() -> None:
    engine = abandoned(query("+CREG"))
    asked = []
    for _ in range(5):
        asked.append(engine.resync_probe().command.text)
        engine.abandon()
    assert len(set(asked)) == 5


def test_an_answer_to_an_earlier_probe_is_late() -> None:
    engine = abandoned(query("+CREG"))
    first = engine.resync_probe()
    engine.abandon()
    second = engine.resync_probe()
    assert engine.feed(f"\r\n{first.command.prefix[0]} 1\r\nOK\r\n".encode())[0].why is NoiseReason.LATE
    assert engine.desynchronised
    (final,) = engine.feed(f"\r\n{second.command.prefix[0]} 1\r\nOK\r\n".encode())
    assert isinstance(final, Final)
    assert not engine.desynchronised


def test_a_probe_that_is_refused_proves_nothing() -> None:
    engine = abandoned(query("+CREG"))
    engine.resync_probe()
    assert engine.feed(b"\r\nERROR\r\n") == [late("ERROR")]
    assert engine.desynchronised
    engine.abandon()
    assert engine.resync_probe().command.text == "AT+CMGF?"


def test_after_many_tries_a_question_is_still_found() -> None:
    engine = AtEngine()
    for _ in range(50):
        engine.resync_probe()
        engine.abandon()
    probe = engine.resync_probe()
    (final,) = engine.feed(f"\r\n{probe.command.prefix[0]} 1\r\nOK\r\n".encode())
    assert isinstance(final, Final)


@pytest.mark.parametrize("line", ["RING", '+CMTI: "SM",1', "^RSSI: 3"])
def test_a_code_between_the_probe_and_its_answer(line: str) -> None:
    engine = abandoned(query("+CREG"))
    engine.resync_probe()
    events = engine.feed(f"\r\n+CMEE: 1\r\n{line}\r\nOK\r\n".encode())
    assert [type(event) for event in events] == [UrcReceived, Final]
