"""The answer to the command in flight, as it grows."""

from modembank.at.command import AtCommand
from modembank.at.pending import declared_length, fits
from modembank.at.urcs import ANSWERED_ONCE, is_answer

MAX_LINES = 2048
"""Information lines kept; a listing of 255 messages has 510. What exceeds this is dropped, the final result is not."""
_CALL_COMMANDS = ("ATD", "ATA", "ATO", "ATH", "AT+CHUP")


class Reply:
    """Which lines belong to one command, and the lines themselves."""

    __slots__ = (
        "_header_length",
        "_header_open",
        "at_prompt",
        "command",
        "echo_seen",
        "escaped",
        "header_since",
        "lines",
    )

    def __init__(self, command: AtCommand) -> None:
        self.command = command
        self.lines: list[str] = []
        self.echo_seen = False
        self.at_prompt = False
        self.escaped = False
        self.header_since = 0
        self._header_open = False
        self._header_length: int | None = None

    @property
    def is_call(self) -> bool:
        """Whether NO CARRIER and BUSY end this command."""
        return self.command.text.startswith(_CALL_COMMANDS)

    @property
    def awaits_pdu(self) -> bool:
        """Whether a header stands without its PDU."""
        return self._header_open

    def owns(self, line: str, name: str) -> bool:
        """Whether the line belongs here by a declared prefix, or by the command's own name when bare."""
        command = self.command
        for prefix in command.prefix:
            if line.startswith(prefix):
                return is_answer(command.text, name, line)
        return command.bare and bool(name) and name == command.text[2:].rstrip("?=")

    def add(self, line: str, name: str, since: int) -> str | None:
        """Take an owned line. Returns an earlier line that this one proves to have been unsolicited."""
        earlier = None
        if name in ANSWERED_ONCE and self.lines and self.lines[-1].startswith(name):
            earlier = self.lines.pop()
        if self.command.follows:
            self._close_header("")
            self._header_length = declared_length(line)
            self._header_open = self._header_length != 0
            self.header_since = since
            self._append(line)
            if not self._header_open:
                self._append("")
        else:
            self._append(line)
        return earlier

    def fits_header(self, pdu: str) -> bool:
        """Whether the hex line has the length that the open header declared."""
        return self._header_open and fits(pdu, self._header_length)

    def add_pdu(self, pdu: str) -> None:
        """Take the PDU line of the open header."""
        self._close_header(pdu)

    def finish(self) -> tuple[str, ...]:
        """The lines, complete: a header without its PDU gets an empty one."""
        self._close_header("")
        return tuple(self.lines)

    def _close_header(self, pdu: str) -> None:
        if self._header_open:
            self._append(pdu)
            self._header_open = False

    def _append(self, line: str) -> None:
        if len(self.lines) < MAX_LINES:
            self.lines.append(line)
