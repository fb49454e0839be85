"""The only way to make a line for a modem: typed arguments, quoted here, with control characters refused."""

import re

import msgspec

from modembank.at.events import UnsafeArgumentError

MAX_COMMAND = 512
"""Longest command line in characters; the longest one in use (USSD in UCS-2) stays under 400."""
MAX_PAYLOAD = 1024
"""Longest PDU in hex digits; 12 octets of SMSC and 176 of TPDU need 376."""

_PRINTABLE = re.compile(r"[ -~]*\Z")
_HEX_PAIRS = re.compile(r"(?:[0-9A-Fa-f]{2})+\Z")
_NAME = re.compile(r"[+^*%#!$&]?[A-Z0-9]+\Z")


class Str(msgspec.Struct, frozen=True):
    """A quoted string argument."""

    text: str


Argument = Str | int | None


class AtCommand(msgspec.Struct, frozen=True):
    """One command line and what its answer looks like.

    ``text`` is the line without its CR. ``prefix`` names the information responses that belong to it ("+CMGF:"): a line
    belongs to the answer only with a declared prefix, or without any when ``bare`` is set (AT+CGMI, AT+CIMI, ATI).
    With ``follows`` each prefixed line owns the one PDU line after it (+CMGR, +CMGL). ``payload`` is a PDU in hex,
    written after the prompt by ``AtEngine.send_payload``, never by ``send``. ``timeout_s`` bounds the wait for the
    final result (from the line, or from Ctrl-Z when there is a payload), ``prompt_timeout_s`` the wait for the prompt.

    Raises UnsafeArgumentError for control or non-ASCII characters, an overlong line, or a payload that is not hex.
    """

    text: str
    prefix: tuple[str, ...] = ()
    bare: bool = False
    follows: bool = False
    payload: str | None = None
    timeout_s: float = 5.0
    prompt_timeout_s: float = 10.0

    def __post_init__(self) -> None:
        if not self.text.startswith("AT") or not _PRINTABLE.match(self.text):
            msg = "a command starts with AT and holds printable ASCII only"
            raise UnsafeArgumentError(msg)
        if len(self.text) > MAX_COMMAND:
            msg = f"a command holds at most {MAX_COMMAND} characters"
            raise UnsafeArgumentError(msg)
        if self.payload is not None and not (len(self.payload) <= MAX_PAYLOAD and _HEX_PAIRS.match(self.payload)):
            msg = f"a payload is pairs of hex digits, at most {MAX_PAYLOAD}"
            raise UnsafeArgumentError(msg)


def quote(text: str) -> str:
    """The text as a quoted AT string; ``"`` and backslash become backslash and two hex digits (ITU-T V.250 5.4.2.2).

    Raises UnsafeArgumentError for control and non-ASCII characters.
    """
    if not _PRINTABLE.match(text):
        msg = "a quoted argument holds printable ASCII only"
        raise UnsafeArgumentError(msg)
    escaped = text.replace("\\", "\\5C").replace('"', "\\22")
    return f'"{escaped}"'


def command(
    name: str,
    *arguments: Argument,
    prefix: tuple[str, ...] = (),
    bare: bool = False,
    follows: bool = False,
    payload: str | None = None,
    timeout_s: float = 5.0,
    prompt_timeout_s: float = 10.0,
) -> AtCommand:
    """An action ``command("+CGMI")`` or setting ``command("+CPMS", Str("ME"), None, 1)`` (None is left empty)."""
    text = _head(name)
    if arguments:
        text += "=" + ",".join(_argument(argument) for argument in arguments)
    return AtCommand(text, prefix, bare, follows, payload, timeout_s, prompt_timeout_s)


def query(name: str, *, prefix: tuple[str, ...] | None = None, timeout_s: float = 5.0) -> AtCommand:
    """The read form ``AT+NAME?``; its answer carries ``+NAME:`` unless said otherwise."""
    return AtCommand(_head(name) + "?", (f"{name}:",) if prefix is None else prefix, timeout_s=timeout_s)


def capability(name: str, *, prefix: tuple[str, ...] | None = None, timeout_s: float = 5.0) -> AtCommand:
    """The test form ``AT+NAME=?``; its answer carries ``+NAME:`` unless said otherwise."""
    return AtCommand(_head(name) + "=?", (f"{name}:",) if prefix is None else prefix, timeout_s=timeout_s)


def _head(name: str) -> str:
    if name and not _NAME.match(name):
        msg = "a command name is a sign and capital letters or digits"
        raise UnsafeArgumentError(msg)
    return "AT" + name


def _argument(argument: Argument) -> str:
    if argument is None:
        return ""
    if isinstance(argument, Str):
        return quote(argument.text)
    return str(int(argument))
