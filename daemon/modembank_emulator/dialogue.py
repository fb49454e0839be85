"""The command interface of one modem: lines and prompts in, results and unsolicited codes out (ITU-T V.250)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from modembank_emulator.at_line import CME_TEXT, CMS_TEXT, AtError, CmeError, CmsError, Command, parse
from modembank_emulator.commands import COMMANDS
from modembank_emulator.dialogue_entry import Entry
from modembank_emulator.faults import MUTED_BY, Ending, Fault, FaultKind, Mute

if TYPE_CHECKING:
    from modembank_emulator.modem import EmulatedModem
    from modembank_emulator.schedule import Timer
    from modembank_emulator.terminal import Terminal

_LINE_LIMIT: Final = 8192
_CTRL_Z: Final = 0x1A
_ESCAPE: Final = 0x1B
_RESTART: Final = b"AT+CFUN=1,1\r"
_IGNORED: Final = bytes([0, 0x0A, _CTRL_Z, _ESCAPE])
_ERRORS: Final = {
    FaultKind.CMS_ERROR: CmsError,
    FaultKind.CME_ERROR: CmeError,
}


class Dialogue:
    """Parses input, runs commands one at a time, formats output; applies the faults of single commands."""

    def __init__(self, modem: EmulatedModem, terminal: Terminal) -> None:
        self._modem = modem
        self._terminal = terminal
        self._input = bytearray()
        self._entry: Entry | None = None
        self._busy = False
        self._reply = bytearray()
        self._rest: list[Command] = []
        self._held = b""
        self._late: Timer | None = None
        self._urcs: list[bytes] = []
        self._batch: bytearray | None = None
        self._after: Callable[[], object] | None = None
        self._overheard = b""
        self.fault: Fault | None = None
        self.commands = 0

    def feed(self, octets: bytes) -> None:
        """Take bytes from the host."""
        modem = self._modem
        mute = modem.faults.mute
        if mute is not Mute.NOT and modem.faults.ends_with is Ending.RESTART:
            self._overhear(octets)
        if not modem.running or mute in {Mute.ALL, Mute.COMMANDS}:
            return
        if modem.settings.echo or mute is Mute.ECHO:
            self.write(octets.replace(b"\x1a", b"").replace(b"\x1b", b""))
        if mute is Mute.NOT:
            self._input += octets
            self._pump()

    def _overhear(self, octets: bytes) -> None:
        """Obey the order to restart, though nothing else."""
        self._overheard = (self._overheard + octets)[-len(_RESTART) :]
        if self._overheard == _RESTART:
            self._modem.reset_soon()

    def restart(self) -> None:
        """Forget input, output and what was under way (reset or unplug)."""
        self._input.clear()
        self._reply.clear()
        self._rest.clear()
        self._urcs.clear()
        self._entry, self._after, self._batch, self.fault = None, None, None, None
        self._busy, self._held = False, b""
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def urc(self, *lines: str, now: bool = False) -> None:
        """Print an unsolicited code; some modems hold it while a command runs, unless `now`."""
        if self._modem.faults.mute is Mute.ALL or not self._modem.running:
            return
        octets = self._block(lines)
        if self._modem.caps.urcs_wait_for_final and not now and (self._busy or self._entry is not None):
            self._urcs.append(octets)
        else:
            self.write(octets)

    def ask(self, entry: Entry, *, times: int = 1) -> None:
        """Show the prompt and collect data until Ctrl-Z or ESC; the command stays open until `complete`."""
        self._entry = entry
        self._busy = False
        if times:
            self.write(self._modem.caps.prompt.encode() * times)
        self._pump()

    def info(self, *lines: str) -> None:
        """Add an information response to the answer."""
        self._reply += self._block(lines)

    def complete(self, error: AtError | None = None) -> None:
        """End the command: run the rest of its line, or print the final result."""
        if error is None and self._rest:
            self._run()
            return
        self._rest.clear()
        octets = bytes(self._reply) + self._final(error)
        self._reply.clear()
        fault, self.fault = self.fault, None
        kind = fault.kind if fault else None
        if fault is not None and kind is FaultKind.LATE_FINAL:
            self._late = self._modem.world.schedule.after(fault.seconds, lambda: self._finish(octets))
        elif kind is FaultKind.DROP_FINAL:
            self._finish(b"")
        elif kind is FaultKind.ANSWER_WITH_NEXT:
            self._finish(b"")
            self._held = octets
        else:
            self._finish(octets)

    def batch(self) -> None:
        """Collect output until the final result, so that it leaves in one write."""
        self._batch = bytearray()

    def then(self, action: Callable[[], object]) -> None:
        """Do something right after the final result, still in its batch."""
        self._after = action

    def write(self, octets: bytes) -> None:
        """Send bytes to the host, through the noise if there is any."""
        if self._batch is not None:
            self._batch += octets
            return
        if self._modem.faults.noisy:
            octets = self._modem.faults.spoil(octets)
        self._terminal.write(octets)

    # Input

    def _pump(self) -> None:
        while self._input and not self._busy and self._modem.running:
            if not (self._take_line() if self._entry is None else self._take_entry(self._entry)):
                return

    def _take_line(self) -> bool:
        end = self._input.find(b"\r")
        if end < 0:
            if len(self._input) > _LINE_LIMIT:
                self._input.clear()
            escape = self._input.rfind(b"\x1b")
            del self._input[: escape + 1]
            return False
        line = bytes(self._input[:end])
        del self._input[: end + 1]
        line = line[line.rfind(b"\x1b") + 1 :].translate(None, _IGNORED)
        self._execute(line.decode("latin-1"))
        return True

    def _take_entry(self, entry: Entry) -> bool:
        if entry.touch is not None:
            touch, entry.touch = entry.touch, None
            if touch():
                return False
        ends = [place for place in (self._input.find(_CTRL_Z), self._input.find(_ESCAPE)) if place >= 0]
        if not ends:
            return False
        end = min(ends)
        text, cancelled = bytes(self._input[:end]), self._input[end] == _ESCAPE
        del self._input[: end + 1]
        self._entry = None
        self._busy = True
        try:
            if cancelled:
                entry.cancel()
            else:
                entry.accept(text.decode("latin-1"))
        except AtError as error:
            self.complete(error)
        return True

    # Execution

    def _execute(self, line: str) -> None:
        start = line.upper().find("AT")
        if start < 0:
            return  # a modem that finds no AT prefix stays silent (ITU-T V.250 5.2.1)
        self.commands += 1
        self._busy = True
        if self._held:
            held, self._held = self._held, b""
            self.write(held)
        self._chatter()
        try:
            self._rest = parse(line[start + 2 :])
            if not self._modem.caps.compound and sum(not command.name.isalpha() for command in self._rest) > 1:
                raise AtError
        except AtError as error:
            self.complete(error)
            return
        self.fault = self._modem.faults.take(self._rest[0].name if self._rest else "AT")
        if self.fault is None or not self._strike(self.fault):
            self._run()

    def _strike(self, fault: Fault) -> bool:
        # Faults of CMGS strike inside the submission, which knows its stages.
        if self._rest and self._rest[0].name == "+CMGS":
            return False
        if fault.kind in _ERRORS or fault.kind is FaultKind.PLAIN_ERROR:
            self.complete(error_of(fault))
            return True
        return self.strike(fault)

    def strike(self, fault: Fault) -> bool:
        """Let a fault that ends the conversation happen; False when it is of another kind."""
        if fault.kind in MUTED_BY:
            self.restart()
            self._modem.hang(MUTED_BY[fault.kind], lasts_s=fault.lasts_s)
        elif fault.kind is FaultKind.RESET:
            self._modem.reset(reenumerate=fault.reenumerate)
        elif fault.kind is FaultKind.UNPLUG:
            self._modem.unplug()
        else:
            return False
        return True

    def _run(self) -> None:
        while self._rest:
            command = self._rest.pop(0)
            handler = COMMANDS.get(command.name)
            try:
                if handler is None:
                    raise AtError
                lines = handler(self._modem, command.op, command.args)
            except AtError as error:
                self.complete(error)
                return
            if lines is None:
                return  # it completes later
            if lines:
                self.info(*lines)
        self.complete()

    def _finish(self, octets: bytes) -> None:
        self._busy = False
        self._modem.submission.ended()
        if octets:
            self.write(octets)
        if self._after is not None:
            after, self._after = self._after, None
            after()
        self._flush_batch()
        if self._urcs:
            urcs, self._urcs = self._urcs, []
            for urc in urcs:
                self.write(urc)
        self._pump()

    def _flush_batch(self) -> None:
        if self._batch is not None:
            octets, self._batch = bytes(self._batch), None
            self.write(octets)

    def _chatter(self) -> None:
        caps = self._modem.caps
        if caps.chatter and self._modem.settings.chatter and self._modem.random.random() < caps.chatter_chance:
            self.write(self._block([self._modem.random.choice(caps.chatter)]))

    # Output

    def _block(self, lines: Sequence[str]) -> bytes:
        eol = self._modem.caps.eol
        text = eol.join(lines) + eol
        return (eol + text if self._modem.settings.verbose else text).encode("latin-1", "replace")

    def _final(self, error: AtError | None) -> bytes:
        text, number = "OK", 0
        if error is not None:
            text, number = self._error_text(error), 4
        if self._modem.settings.verbose:
            return self._block([text])
        return f"{number}\r".encode() if text in {"OK", "ERROR"} else f"{text}\r".encode()

    def _error_text(self, error: AtError) -> str:
        cmee = self._modem.settings.cmee
        if isinstance(error, CmsError):
            return f"+CMS ERROR: {CMS_TEXT.get(error.code, error.code) if cmee == 2 else error.code}"
        if isinstance(error, CmeError) and cmee:
            return f"+CME ERROR: {CME_TEXT.get(error.code, error.code) if cmee == 2 else error.code}"
        return "ERROR"


def error_of(fault: Fault) -> AtError:
    """The error a fault answers with."""
    kind = _ERRORS.get(fault.kind)
    return kind(fault.code) if kind is not None else AtError()
