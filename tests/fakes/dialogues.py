"""Recorded dialogues as plain text, one file per kind of modem, and a player that feeds them to the engine.

A file holds ``> sent``, ``< received``, ``= expected`` and ``#`` comment lines; ``\\r``, ``\\n``, ``\\x1a`` and
the like are escapes. A received line is one stretch of octets; what is expected follows it.
"""

import codecs
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from modembank.at import AtCommand, AtEngine, AtEvent, Final, Noise, Prompt, UrcReceived

FOLDER = Path(__file__).parent.parent / "dialogues"
_BARE = ("AT+CGMI", "AT+CGMM", "AT+CGMR", "AT+CGSN", "AT+CIMI", "ATI")
_ALIASES = {"+CICCID": ("+ICCID:", "+CICCID:")}
_LISTING = ("AT+CMGR=", "AT+CMGL=")


@dataclass(frozen=True)
class Turn:
    """One stretch: what we send (if anything), what comes back, what that means."""

    sent: bytes
    received: bytes
    expected: tuple[str, ...]


def load(name: str) -> list[Turn]:
    turns: list[Turn] = []
    sent, received, expected = b"", b"", []
    for line in [*(FOLDER / name).read_text().splitlines(), "> end"]:
        mark, _, rest = line.partition(" ")
        if mark == ">" and (received or sent):
            turns.append(Turn(sent, received, tuple(expected)))
            sent, received, expected = b"", b"", []
        if mark == ">":
            sent = _octets(rest)
        elif mark == "<":
            received += _octets(rest)
        elif mark == "=":
            expected.append(rest)
    return turns


def names() -> list[str]:
    return sorted(path.name for path in FOLDER.glob("*.txt"))


def command_for(text: str, payload: str | None) -> AtCommand:
    name = text[2:].partition("=")[0].rstrip("?")
    return AtCommand(
        text,
        prefix=_ALIASES.get(name, (f"{name}:",) if name.startswith(("+", "^", "#")) else ()),
        bare=text.startswith(_BARE),
        follows=text.startswith(_LISTING),
        payload=payload,
    )


def play(
    turns: list[Turn], chunks: Callable[[bytes], Iterator[bytes]] = lambda data: iter([data])
) -> list[list[AtEvent]]:
    """The events of each turn, with what was received cut by ``chunks``."""
    engine = AtEngine()
    heard = []
    for position, turn in enumerate(turns):
        if turn.sent.endswith(b"\x1a"):
            assert engine.send_payload() == turn.sent
        elif turn.sent == b"\x1b":
            engine.escape()
        elif turn.sent:
            ahead = turns[position + 1].sent if position + 1 < len(turns) else b""
            payload = ahead[:-1].decode() if ahead.endswith(b"\x1a") else None
            assert engine.send(command_for(turn.sent.decode(), payload)) == turn.sent + b"\r"
        events: list[AtEvent] = []
        for chunk in chunks(turn.received):
            events += engine.feed(chunk)
        heard.append(events)
    return heard


def describe(event: AtEvent) -> str:
    if isinstance(event, Final):
        result = event.result
        parts = [result.status.name]
        if result.code is not None:
            parts.append(str(result.code))
        if result.text is not None:
            parts.append(repr(result.text))
        return "final " + " ".join(parts) + "".join(f" | {line}" for line in result.lines)
    if isinstance(event, Prompt):
        return "prompt"
    if isinstance(event, UrcReceived):
        urc = event.urc
        return f"urc {urc.kind.name} {urc.name} {urc.args!r}" + (f" pdu {urc.pdu}" if urc.pdu else "")
    assert isinstance(event, Noise)
    return f"noise {event.why.name} {event.raw!r}"


def _octets(text: str) -> bytes:
    return codecs.decode(text, "unicode_escape").encode("latin-1")
