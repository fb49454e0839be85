"""Our AT engine and an emulated modem on one wire in memory: octets cut anywhere, codes between any two lines."""

from __future__ import annotations

from random import Random

from modembank.at import AtCommand, AtEngine, AtEvent, AtResult, Final, Prompt
from modembank_emulator import EmulatedModem

REPORT = "0791447758100650062A0B914421436587F9113082516195001130825161950000"
STRAY = (
    "RING",
    '+CMTI: "SM",77',
    "^RSSI: 9",
    "+NEVERSEEN: 1,2",
    '+CLIP: "+447700900999",145',
    f"+CDS: 25\r\n{REPORT}",
    "OVER-VOLTAGE WARNNING",
)


class Wire:
    """Stands for the modem's terminal. What the modem wrote, with stray codes between its lines, goes to the engine."""

    def __init__(self, modem: EmulatedModem, random: Random, *, strays: float = 0.5) -> None:
        self.modem = modem
        self.engine = AtEngine()
        self.random = random
        self.strays = strays
        self.added = 0
        self.codes: list[AtEvent] = []
        self._written = bytearray()
        modem.dialogue._terminal = self  # type: ignore[assignment]

    def write(self, octets: bytes) -> None:
        self._written += octets

    def say(self, octets: bytes) -> list[AtEvent]:
        """Send to the modem in pieces; the events of what it answered."""
        events: list[AtEvent] = []
        while octets:
            size = self.random.choice((1, 2, 3, 7, 20, 400))
            self.modem.dialogue.feed(octets[:size])
            octets = octets[size:]
            if self.random.random() < 0.5:
                events += self.listen()
        return events + self.listen()

    def listen(self) -> list[AtEvent]:
        """The events of what the modem has written since."""
        octets, self._written = self._with_strays(bytes(self._written)), bytearray()
        events: list[AtEvent] = []
        while octets:
            size = self.random.choice((1, 2, 5, 11, 64, 1000))
            events += self.engine.feed(octets[:size])
            octets = octets[size:]
        return events

    def run(self, command: AtCommand) -> AtResult | None:
        """One command to its end, with its payload; None when the modem kept silent."""
        events = self.say(self.engine.send(command))
        if any(isinstance(event, Prompt) for event in events):
            assert not any(isinstance(event, Final) for event in events), events
            events += self.say(self.engine.send_payload())
        return self._final(events)

    def find_beat(self) -> AtResult | None:
        """One try of the probe after a command was given up."""
        probe = self.engine.resync_probe()
        events: list[AtEvent] = []
        for step in probe.steps:
            events += self.say(step.data)
        result = self._final(events)
        if result is None:
            self.engine.abandon()
        return result

    def _final(self, events: list[AtEvent]) -> AtResult | None:
        finals = [event.result for event in events if isinstance(event, Final)]
        assert len(finals) <= 1, finals
        self.codes += [event for event in events if not isinstance(event, Final | Prompt)]
        return finals[0] if finals else None

    def _with_strays(self, octets: bytes) -> bytes:
        lines = octets.splitlines(keepends=True)
        for place in range(len(lines), -1, -1):
            boundary = place == len(lines) or lines[place].startswith((b"\r", b"\n"))
            clean = place == 0 or lines[place - 1].endswith(b"\n")
            if octets and boundary and clean and self.random.random() < self.strays / len(lines):
                lines.insert(place, f"\r\n{self.random.choice(STRAY)}\r\n".encode())
                self.added += 1
        return b"".join(lines)
