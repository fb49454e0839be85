"""Every target fails when the code behind it is broken: an oracle that cannot fail proves nothing."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from fuzz import modem_targets
from fuzz.targets import TARGETS
from fuzz.web_targets import _judge_answers
from modembank import at
from modembank.at.engine import AtEngine
from modembank.at.reply import Reply
from modembank.messages import inbound_ledger, receiving
from modembank.messages.inbox import Inbox
from modembank.messages.outbox import reports
from modembank.modem.modem import Modem
from modembank.modem.outcome import AttemptOutcome, SubmitResult
from modembank.modem.sending import Exchange
from modembank.providers.adapters import smpp_receipts
from modembank.providers.adapters.smpp_pdu import Framer
from modembank.tpdu import join_parts, packing, split, user_data
from modembank_emulator import control
from modembank_web import protocol, reading, routing

TELLING = (AssertionError, ValueError, ZeroDivisionError)
"""An oracle's word, or the planted error itself; anything else would be a fault of the test."""
Plant = Callable[[pytest.MonkeyPatch], None]


def _lines_told_twice(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Reply, "_append", lambda self, line: self.lines.extend([line] * 9))


def _engine_that_forgets_the_rest_of_a_chunk(patch: pytest.MonkeyPatch) -> None:
    feed = AtEngine.feed
    patch.setattr(AtEngine, "feed", lambda self, data: feed(self, data[:64]))


def _final_by_its_beginning(patch: pytest.MonkeyPatch) -> None:
    match = at.engine.match_final
    patch.setattr(at.engine, "match_final", lambda line: match("OK" if line.startswith(("OK", "NOK", "+C")) else line))


def _parser_that_raises(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("fuzz.at_targets.LINE_PARSERS", (int,))


def _parser_without_bound(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("fuzz.at_targets.LINE_PARSERS", (lambda line: line * 2000,))


def _septet_lost(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(user_data, "pack_septets", lambda septets, fill=0: packing.pack_septets(septets[:-1] + b"\0", fill))


def _decoder_that_raises_another_error(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(user_data, "fill_bits_after", lambda size: 1 // (size % 3))


def _part_lost(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("fuzz.tpdu_targets.join_parts", lambda parts: join_parts(parts[1:]))


def _surrogates_cut(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(split, "cluster_cuts", lambda *_: None)
    patch.setattr(split, "unit_cuts", lambda utf16, size: [*range(size, len(utf16) // 2, size), len(utf16) // 2])


def _says_not_sent_after_ctrl_z(patch: pytest.MonkeyPatch) -> None:
    async def after(self, flight):  # type: ignore[no-untyped-def]
        return SubmitResult(AttemptOutcome.NOT_SENT)

    patch.setattr(Exchange, "_after_ctrl_z", after)


def _channel_that_raises(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(modem_targets.AtChannel, "_count", lambda self, result: 1 // 0)


def _worker_that_ends(patch: pytest.MonkeyPatch) -> None:
    async def run(self):  # type: ignore[no-untyped-def]
        raise RuntimeError

    patch.setattr(Modem, "run", run)


def _nothing_quarantined(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(receiving, "quarantine", lambda conn, raw, reason: None)


def _slots_all_alike(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(inbound_ledger, "fingerprint", lambda raw: raw.pdu[:2].encode("utf-8", "replace"))


def _report_lost(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reports, "keep_orphan", lambda conn, sim_id, report: None)


def _inbox_empty(patch: pytest.MonkeyPatch) -> None:
    async def listed(self, actor, **_):  # type: ignore[no-untyped-def]
        return type("Page", (), {"items": ()})

    patch.setattr(Inbox, "list", listed)


def _config_with_another_error(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("modembank.config.line_of", lambda *_, **__: 1 // 0)


def _config_unchecked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("modembank.config._check_whole", lambda *_: None)
    patch.setattr("fuzz.words_targets._FORMS", {"id": re.compile("never")})


def _number_not_settled(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("fuzz.words_targets.normalise_recipient", lambda written, region: written + "0")


def _framer_that_forgets_the_rest_of_a_chunk(patch: pytest.MonkeyPatch) -> None:
    feed = Framer.feed

    def forgetful(self, octets):  # type: ignore[no-untyped-def]
        found = feed(self, octets)
        del self._octets[:]
        return found

    patch.setattr(Framer, "feed", forgetful)


def _receipt_that_raises(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(smpp_receipts, "_done_ms", lambda *_: 1 // 0)


def _sender_without_bound(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("fuzz.smpp_targets.number_of", lambda found, **_: found.digits * 9)


def _fault_in_an_operation(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reading, "QUERY_LIMIT", None)


def _plain_refusals(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(protocol.Protocol, "send_400_response", protocol.HttpToolsProtocol.send_400_response)


def _undocumented_status(patch: pytest.MonkeyPatch) -> None:
    answered = routing.AccessLog.answered

    def refused(self, call, status):  # type: ignore[no-untyped-def]
        answered(self, call, status)
        raise routing.MethodNotAllowedException

    patch.setattr(routing.AccessLog, "answered", refused)


def _control_that_dies(patch: pytest.MonkeyPatch) -> None:
    async def answer(self, line):  # type: ignore[no-untyped-def]
        raise ConnectionError

    patch.setattr(control.ControlServer, "_answer", answer)


PLANTED: tuple[tuple[str, Plant], ...] = (
    ("at_engine", _lines_told_twice),
    ("at_engine", _engine_that_forgets_the_rest_of_a_chunk),
    ("at_engine", _final_by_its_beginning),
    ("at_parsers", _parser_that_raises),
    ("at_parsers", _parser_without_bound),
    ("tpdu", _septet_lost),
    ("tpdu", _decoder_that_raises_another_error),
    ("joining", _part_lost),
    ("text", _surrogates_cut),
    ("channel", _says_not_sent_after_ctrl_z),
    ("channel", _channel_that_raises),
    ("modem_line", _worker_that_ends),
    ("inbound", _nothing_quarantined),
    ("inbound", _slots_all_alike),
    ("inbound", _report_lost),
    ("inbound", _inbox_empty),
    ("configuration", _config_with_another_error),
    ("configuration", _config_unchecked),
    ("numbers", _number_not_settled),
    ("smpp", _framer_that_forgets_the_rest_of_a_chunk),
    ("smpp", _receipt_that_raises),
    ("smpp", _sender_without_bound),
    ("http", _fault_in_an_operation),
    ("http", _plain_refusals),
    ("api", _fault_in_an_operation),
    ("api", _undocumented_status),
    ("emulator_control", _control_that_dies),
)


@pytest.mark.parametrize(("name", "plant"), PLANTED, ids=lambda value: getattr(value, "__name__", value))
def test_a_planted_defect_is_found(name: str, plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    target = TARGETS[name]
    with target.open() as run, pytest.raises(TELLING):  # noqa: PT012
        plant(monkeypatch)
        for seed in target.seeds():
            run(seed)


def test_no_target_is_without_a_planted_defect() -> None:
    assert {name for name, _ in PLANTED} == set(TARGETS)


def _answered(body: bytes, media: bytes = b"application/json") -> bytes:
    return b"HTTP/1.1 404 Not Found\r\ncontent-type: " + media + b"\r\n\r\n" + body


def test_a_dialects_own_refusal_is_taken_where_that_dialect_was_spoken_and_nowhere_else() -> None:
    error = b'{"code": 20404, "message": "no", "more_info": "/docs/problems#not_found", "status": 404}'
    asked = b"GET /2010-04-01/Accounts/x/Messages.json HTTP/1.1\r\n\r\n"
    _judge_answers(asked, _answered(error))
    for sent, body in (
        (b"GET /api/v1/messages HTTP/1.1\r\n\r\n", error),
        (asked, error.replace(b"404", b"403")),
        (asked, error.replace(b"/docs", b"https://elsewhere")),
        (asked, b"{}"),
    ):
        with pytest.raises((AssertionError, KeyError)):
            _judge_answers(sent, _answered(body))
