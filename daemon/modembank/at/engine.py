"""The AT dialogue without I/O or clock: bytes in, events out; deadlines are the caller's."""

from modembank.at.command import AtCommand
from modembank.at.events import (
    AtEvent,
    AtResult,
    EngineBusy,
    EngineDesynchronised,
    EngineStateError,
    Final,
    FinalStatus,
    Noise,
    NoiseReason,
    Prompt,
    Urc,
    UrcKind,
    UrcReceived,
)
from modembank.at.finals import FinalLine, Scope, match_final
from modembank.at.pending import OpenText, PendingPair, fits, is_hex
from modembank.at.reader import LineReader, Token
from modembank.at.reply import Reply
from modembank.at.resync import ESC, Markers, ResyncProbe
from modembank.at.urcs import PAIRED, code_args, code_name, urc_kind

CTRL_Z = b"\x1a"
"""Sends what was typed at the prompt (3GPP TS 27.005 3.5.1). Never written to wake a modem: it transmits."""
_REMEMBERED = 8


class AtEngine:
    """One port's dialogue. At most one command is in flight.

    ``max_line`` bounds a line in octets; ``markers`` are those of the modem behind the port. No method blocks; ``feed``
    never raises, whatever comes in.
    """

    def __init__(self, *, max_line: int = 4096, markers: Markers | None = None) -> None:
        self._markers = markers or Markers()
        self._reader = LineReader(max_line)
        self._reply: Reply | None = None
        self._probing = False
        self._desynchronised = False
        self._payload_written = False
        self._numeric: bool | None = None
        self._sent: tuple[str, ...] = ()
        self._payload = ""
        self._abandoned: list[Reply] = []
        self._pair: PendingPair | None = None
        self._text: OpenText | None = None
        self._counter = 0
        self._echo_only = 0

    @property
    def in_flight(self) -> AtCommand | None:
        """The command whose final result is awaited (a probe included)."""
        return self._reply.command if self._reply else None

    @property
    def at_prompt(self) -> bool:
        """The modem waits for the payload of the command in flight."""
        return self._reply is not None and self._reply.at_prompt

    @property
    def payload_written(self) -> bool:
        """Whether Ctrl-Z was handed out for the latest command; stays true after its end, until the next ``send``."""
        return self._payload_written

    @property
    def desynchronised(self) -> bool:
        """A command was given up and no probe has been answered since."""
        return self._desynchronised

    @property
    def echo_only(self) -> int:
        """Commands in a row that were echoed and then given up unanswered: a peer that only mirrors is no modem."""
        return self._echo_only

    @property
    def buffered(self) -> int:
        """Octets of an unfinished line held back; at most ``max_line``."""
        return self._reader.buffered

    def send(self, command: AtCommand) -> bytes:
        """What to write for this command. Raises EngineBusy or EngineDesynchronised."""
        if self._reply is not None:
            raise EngineBusy(self._reply.command.text.partition("=")[0])
        if self._desynchronised:
            msg = "resync_probe first"
            raise EngineDesynchronised(msg)
        self._start(command, (command.text,))
        return command.text.encode("ascii") + b"\r"

    def send_payload(self) -> bytes:
        """The PDU and Ctrl-Z; from here on the outcome is known only by the final result.

        Raises EngineStateError unless a prompt stands.
        """
        reply = self._reply
        if reply is None or not reply.at_prompt or reply.command.payload is None:
            msg = "no prompt stands"
            raise EngineStateError(msg)
        reply.at_prompt = False
        self._payload_written = True
        self._payload = reply.command.payload.upper()
        return reply.command.payload.encode("ascii") + CTRL_Z

    def escape(self) -> bytes:
        """ESC, to leave the prompt; the command stays in flight until its final result or ``abandon``."""
        if self._reply is not None:
            self._reply.escaped = True
            self._reply.at_prompt = False
        return ESC

    def abandon(self) -> None:
        """The deadline passed: drop the command in flight; what still comes for it will be Noise (LATE). Idempotent."""
        reply = self._reply
        if reply is None:
            return
        if reply.echo_seen and not reply.lines and not self._payload_written:
            self._echo_only += 1
        self._abandoned = [*self._abandoned[-(_REMEMBERED - 1) :], reply]
        self._reply = None
        self._probing = False
        self._desynchronised = True
        self._numeric = None  # whatever went wrong, it may have been a restart into other settings

    def resync_probe(self) -> ResyncProbe:
        """How to find the beat again; each try asks another question.

        Until the answer to exactly this question comes, all finals and lines are late noise. Raises EngineBusy.
        """
        if self._reply is not None:
            raise EngineBusy(self._reply.command.text.partition("=")[0])
        owed = {prefix for reply in self._abandoned for prefix in reply.command.prefix}
        probe = self._markers.next(owed)
        self._start(probe.command, ("AT", probe.command.text, *self._sent[-2:]))
        self._probing = True
        self._desynchronised = True
        return probe

    def feed(self, data: bytes) -> list[AtEvent]:
        """What the bytes mean; the same events however they are cut."""
        self._reader.push(data)
        events: list[AtEvent] = []
        while True:
            wanted = self._wants_prompt()
            token = self._reader.next(glued=wanted, verbatim=self._text is not None and not wanted)
            if token is None:
                return events
            kind, text = token
            if kind is Token.LINE:
                if text:
                    self._line(text, events)
            elif kind is Token.PROMPT:
                self._prompt(events)
            else:
                events.append(Noise(text, NoiseReason.OVERSIZED))

    # -- commands

    def _start(self, command: AtCommand, echoes: tuple[str, ...]) -> None:
        self._reply = Reply(command)
        self._payload_written = False
        self._payload = ""
        self._sent = echoes

    def _wants_prompt(self) -> bool:
        reply = self._reply
        return (
            reply is not None
            and reply.command.payload is not None
            and not (reply.at_prompt or reply.escaped or self._payload_written)
        )

    def _prompt(self, events: list[AtEvent]) -> None:
        if self._reply is not None and self._wants_prompt():
            self._reply.at_prompt = True
            events.append(Prompt())
        elif self._reply is None or self._reply.command.payload is None:
            events.append(Noise(">", NoiseReason.STRAY_PROMPT))

    # -- lines

    def _line(self, line: str, events: list[AtEvent]) -> None:
        line = self._without_echo(line)
        if not line:
            return
        self._counter += 1
        if is_hex(line) and (self._text is None or self._pair is not None) and self._take_pdu(line, events):
            return
        if self._text is not None and self._continue_text(line, events):
            return
        name = code_name(line)
        if name == "+CUSD" and OpenText.opens(line):
            self._text = OpenText(line)
            return
        self._classify(line, name, events)

    def _classify(self, line: str, name: str, events: list[AtEvent]) -> None:
        final = match_final(line)
        if final is not None and self._ends(final):
            self._age_pair(events)
            self._finish(final, line, events)
            return
        reply = self._reply
        if reply is not None and reply.owns(line, name):
            self._age_pair(events)
            earlier = reply.add(line, name, self._counter)
            if earlier is not None:
                self._emit_urc(earlier, name, urc_kind(earlier, name) or UrcKind.UNKNOWN, events)
        elif any(late.owns(line, name) for late in self._abandoned):
            events.append(Noise(line, NoiseReason.LATE))
        else:
            self._unowned(line, name, events)

    def _unowned(self, line: str, name: str, events: list[AtEvent]) -> None:
        kind = urc_kind(line, name)
        if kind is not None:
            self._unsolicited(line, name, kind, events)
        elif self._reply is not None and self._reply.command.bare and not name:
            self._age_pair(events)
            self._reply.add(line, name, self._counter)
        elif self._desynchronised:
            events.append(Noise(line, NoiseReason.LATE))
        elif name:
            self._unsolicited(line, name, UrcKind.UNKNOWN, events)
        else:
            self._give_up_pair(events)
            events.append(Noise(line, NoiseReason.UNCLAIMED))

    def _without_echo(self, line: str) -> str:
        if line in self._sent:
            if self._reply is not None:
                self._reply.echo_seen = True
            return ""
        if self._payload and line[: len(self._payload)].upper() == self._payload:
            return line[len(self._payload) :].lstrip("\ufffd \x1a")
        return line

    # -- final results

    def _ends(self, final: FinalLine) -> bool:
        """Whether a line that can be a final result is one here."""
        reply = self._reply
        if final.scope is Scope.ANY:
            return True
        if reply is None:
            return False
        if final.scope is Scope.CALL:
            return reply.is_call
        if final.scope is Scope.NUMERIC and self._numeric is not True:
            # Of a modem that answers in words, a lone digit is a piece of a line that something broke in two: behind
            # Ctrl-Z the "4" of "+CMGS: 14" must not become ERROR.
            broken = self._numeric is False and (self._payload_written or bool(reply.lines))
            return not (broken or reply.command.bare)
        return final.scope is Scope.NUMERIC or not reply.command.bare

    def _finish(self, final: FinalLine, line: str, events: list[AtEvent]) -> None:
        reply = self._reply
        if reply is None:
            reason = NoiseReason.LATE if self._desynchronised else NoiseReason.STRAY_FINAL
            events.append(Noise(line, reason))
            return
        if self._probing and not (reply.lines and final.status is FinalStatus.OK):
            reply.lines.clear()
            events.append(Noise(line, NoiseReason.LATE))
            return
        if final.status not in {FinalStatus.CME_ERROR, FinalStatus.CMS_ERROR}:  # these come in words after ATV0 too
            self._numeric = final.scope is Scope.NUMERIC
        self._echo_only = 0
        self._reply = None
        if self._probing:
            self._probing = False
            self._desynchronised = False
            self._abandoned.clear()
        events.append(Final(AtResult(final.status, final.code, final.text, reply.finish())))

    # -- unsolicited codes and their second lines

    def _unsolicited(self, line: str, name: str, kind: UrcKind, events: list[AtEvent]) -> None:
        if name not in PAIRED:
            self._emit_urc(line, name, kind, events)
            return
        self._give_up_pair(events)
        pair = PendingPair(line, name, self._counter)
        if pair.expects_pdu:
            self._pair = pair
        else:
            self._emit_urc(line, name, kind, events)

    def _emit_urc(self, line: str, name: str, kind: UrcKind, events: list[AtEvent], pdu: str | None = None) -> None:
        label = name or line.partition(":")[0]
        events.append(UrcReceived(Urc(label, code_args(line), pdu, line, kind)))

    def _take_pdu(self, line: str, events: list[AtEvent]) -> bool:
        """Give a hex line to the header that waits for it; False when none does."""
        pair, reply = self._pair, self._reply
        reply_waits = reply is not None and reply.awaits_pdu
        if pair is not None and fits(line, pair.declared):
            newer = not reply_waits or reply is None or pair.since > reply.header_since
            if newer or not (reply is not None and reply.fits_header(line)):
                self._pair = None
                self._emit_urc(
                    pair.header, pair.name, urc_kind(pair.header, pair.name) or UrcKind.UNKNOWN, events, line
                )
                return True
        if reply is not None and reply_waits and (pair is None or reply.fits_header(line)):
            reply.add_pdu(line)
            return True
        if pair is None or (reply is not None and reply.command.bare):
            return False
        self._give_up_pair(events)
        events.append(Noise(line, NoiseReason.INCOMPLETE_PAIR))
        return True

    def _age_pair(self, events: list[AtEvent]) -> None:
        if self._pair is not None and self._pair.outlived():
            self._give_up_pair(events)

    def _give_up_pair(self, events: list[AtEvent]) -> None:
        if self._pair is not None:
            events.append(Noise(self._pair.header, NoiseReason.INCOMPLETE_PAIR))
            self._pair = None

    def _continue_text(self, line: str, events: list[AtEvent]) -> bool:
        """Take a line into the open quoted text; False when it cannot belong there."""
        text = self._text
        if text is None:
            return False
        name = code_name(line)
        final = match_final(line)
        reply = self._reply
        ends = reply is not None and final is not None and final.scope is Scope.ANY
        if ends or name == "+CUSD" or (reply is not None and bool(name) and reply.owns(line, name)):
            self._text = None
            self._classify(text.joined(), "+CUSD", events)
            return False
        if urc_kind(line, name) is not None:
            return False
        if text.add(line):
            self._text = None
            self._classify(text.joined(), "+CUSD", events)
        return True
