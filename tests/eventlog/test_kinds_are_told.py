"""Whatever the product writes into the event log is a kind that followers can ask for."""

import re
from pathlib import Path

from modembank.eventlog.kinds import BY_NAME
from modembank.messages import MessageState

SOURCES = sorted((Path(__file__).resolve().parents[2] / "daemon" / "modembank").rglob("*.py"))


def written():
    """Kinds by the source: of mailings by their words, of messages by their states, others as they stand."""
    for path in SOURCES:
        text = path.read_text("utf-8")
        if path.parent.name == "mailings":
            for call in re.findall(r"\btell\(conn, \w+, ([^)]*), now\)", text):
                yield from (f"mailing.{word}" for word in re.findall(r'"(\w+)"', call))
        if path.parts[-2:] == ("optouts", "model.py"):
            yield from re.findall(r'"(optout\.\w+)"', text)
    yield from (f"message.{state.word}" for state in MessageState if state >= MessageState.SENT)


def test_every_kind_that_is_written_is_told():
    found = set(written())
    assert {"mailing.imported", "mailing.failed", "optout.added", "message.unknown"} <= found
    assert not found - set(BY_NAME)
