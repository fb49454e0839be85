"""The PIN rule: read the tries left, try once, never leave too few, never try what failed on this SIM."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import structlog

from modembank.at import AtResult, PinState, Str, command, parse_cpin, parse_pin_tries, query
from modembank.durable import replace_text
from modembank.modem.capabilities import Feature
from modembank.modem.dialogue import NO_SIM_CME, SIM_FAILURE_CME, Dialogue, said
from modembank.modem.quirks import Quirks
from modembank.modem.states import FailedReason
from modembank.modem.troubles import Hung, Trouble

_log = structlog.get_logger()
_ASK = query("+CPIN")
FAILED_PINS = "failed-pins.json"
"""The name of the PinRecord's file in the data folder."""
KEEP_TRIES = 2
"""A failed try must leave this many, so that a person can still try a PIN by hand without coming near the PUK."""
KEEP_OF_TYPED = 1
"""The same where a person just typed the PIN; the last try is for a telephone."""
_BY_HAND = {
    KEEP_TRIES: "type the PIN on the modem's page, or in a telephone",
    KEEP_OF_TYPED: "enter the PIN in a telephone, which resets the count",
}
TYPED_PINS = "sim-pins.json"
"""The name of the TypedPins' file in the data folder."""


class OutOfService(Exception):
    """The modem cannot serve until a person or time changes something; nothing is wrong with the dialogue."""

    def __init__(self, reason: FailedReason, detail: str) -> None:
        """Keep the reason and a sentence for people."""
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
        self.detail = detail


class PinRecord:
    """Which PIN was tried on which SIM and did not open it, kept across restarts and power cuts when a file is given.

    A try is noted before it is made and cleared when it worked, so that a crash in between counts as a failure. Only a
    digest is kept.
    """

    def __init__(self, file: Path | None = None) -> None:
        """Read the file, if there is one; one that cannot be read counts as empty."""
        self._file = file
        self._failed: set[str] = set()
        if file is not None:
            with suppress(OSError, ValueError):
                self._failed = {str(entry) for entry in json.loads(file.read_text("ascii"))}

    def failed(self, card: str, pin: str) -> bool:
        """Whether this PIN failed on this card (its ICCID, or the modem's IMEI where that cannot be read)."""
        return _digest(card, pin) in self._failed

    def trying(self, card: str, pin: str) -> None:
        """Note a try before it is made. Raises OSError when it cannot be kept: then it must not be made."""
        self._failed.add(_digest(card, pin))
        self._keep()

    def worked(self, card: str, pin: str) -> None:
        """Forget the try: it opened the SIM."""
        self._failed.discard(_digest(card, pin))
        self._keep()

    def digests(self) -> list[str]:
        """Return all of it, for a backup."""
        return sorted(self._failed)

    def add(self, digests: Iterable[str]) -> None:
        """Add what a backup remembers; raises OSError when it cannot be kept."""
        self._failed.update(digests)
        self._keep()

    def _keep(self) -> None:
        if self._file is not None:
            replace_text(self._file, json.dumps(sorted(self._failed)))


class TypedPins:
    """PINs that people typed at the box: each is tried once, and kept for its card when it opened that.

    The file is for its owner alone, and is in no backup.
    """

    def __init__(self, file: Path | None = None) -> None:
        """Read the file, if there is one; one that cannot be read counts as empty."""
        self._file = file
        self._offered: dict[str, str] = {}
        self._kept: dict[str, str] = {}
        if file is not None:
            with suppress(OSError, ValueError):
                self._kept = {str(card): str(pin) for card, pin in json.loads(file.read_text("ascii")).items()}

    def offer(self, slot: str, pin: str) -> None:
        """Have it tried on whatever SIM is in the slot, the next time that one wants a PIN."""
        self._offered[slot] = pin

    def take(self, slot: str) -> str | None:
        """Return what was typed for a slot, once."""
        return self._offered.pop(slot, None)

    def kept(self, card: str) -> str | None:
        """Return what opened a card once (its ICCID, or the modem's IMEI where that cannot be read)."""
        return self._kept.get(card)

    def keep(self, card: str, pin: str) -> None:
        """Remember what opened a card. Raises OSError when it cannot be kept over a restart."""
        self._kept[card] = pin
        if self._file is not None:
            replace_text(self._file, json.dumps(self._kept, sort_keys=True))


async def unlock(
    dialogue: Dialogue, quirks: Quirks, pin: str, card: str, record: PinRecord, *, keep: int = KEEP_TRIES
) -> bool:
    """Bring the SIM to READY, with at least ``keep`` tries left after a failure; return whether the PIN was needed.

    Raises OutOfService (absent, locked, PUK, unsafe to try) or Hung (SIM_DROPPED).
    """
    state, evidence = await _state(dialogue)
    needed = state is PinState.SIM_PIN
    if needed:
        await _try_once(dialogue, quirks, pin, card, record, keep)
        state, evidence = await _state(dialogue)
    if state is PinState.READY:
        dialogue.note(Feature.SIM_READY, has=True, evidence=evidence)
        return needed
    if state in {PinState.SIM_PUK, PinState.SIM_PUK2}:
        raise OutOfService(FailedReason.PUK_REQUIRED, "the SIM wants its PUK; unlock it by hand in a telephone")
    if state is PinState.NOT_INSERTED:
        raise OutOfService(FailedReason.SIM_ABSENT, "no SIM in the modem")
    if state is PinState.NETWORK_LOCK:
        raise OutOfService(FailedReason.SIM_REFUSED, "the modem is locked to another network")
    raise Hung(Trouble.NOT_READY, evidence)


async def _state(dialogue: Dialogue) -> tuple[PinState, str]:
    """Ask until the SIM has loaded."""
    result: AtResult | None = None
    for _ in range(dialogue.timings.not_ready_tries):
        result = await dialogue.ask_patiently(_ASK)
        if result is not None and result.ok and result.lines:
            state = parse_cpin(result.lines[-1])
            if state is not PinState.NOT_READY:
                return state, said(_ASK, result)
        elif result is not None and result.code in NO_SIM_CME:
            return PinState.NOT_INSERTED, said(_ASK, result)
        elif result is not None and result.code in SIM_FAILURE_CME:
            raise Hung(Trouble.SIM_DROPPED, said(_ASK, result))
        elif result is not None and result.ok:
            return PinState.READY, said(_ASK, result)
        await dialogue.wait_for_sms()
    return PinState.OTHER, said(_ASK, result)


async def _try_once(dialogue: Dialogue, quirks: Quirks, pin: str, card: str, record: PinRecord, keep: int) -> None:
    if not pin:
        raise OutOfService(FailedReason.PIN_MISSING, "the SIM wants a PIN and none is known")
    if record.failed(card, pin):
        raise OutOfService(FailedReason.PIN_WRONG, "this PIN failed on this SIM before, and is not tried again")
    left = await tries_left(dialogue, quirks)
    if left is not None and left <= keep:
        raise OutOfService(FailedReason.PIN_AT_RISK, f"{_tries(left)}; {_BY_HAND[keep]}")
    try:
        record.trying(card, pin)
    except OSError as error:
        raise OutOfService(FailedReason.PIN_AT_RISK, f"the PIN try cannot be recorded: {error.strerror}") from error
    result = await dialogue.ask(command("+CPIN", Str(pin), timeout_s=15.0))
    if result is None or not result.ok:
        _log.error("pin_refused", tries_left=None if left is None else left - 1)
        raise OutOfService(FailedReason.PIN_WRONG, f"the SIM refused the PIN, which is not tried again{_left(left)}")
    record.worked(card, pin)


async def tries_left(dialogue: Dialogue, quirks: Quirks) -> int | None:
    """Return the PIN tries left, or None when the modem does not tell."""
    for way in quirks.pin_counters:
        result = await dialogue.ask(way)
        if result is not None and result.ok:
            tries = parse_pin_tries(result.lines).pin
            if tries is not None:
                return tries
    return None


def _left(before: int | None) -> str:
    return "" if before is None else f"; {_tries(before - 1)}"


def _tries(number: int) -> str:
    return f"{number} PIN {'try' if number == 1 else 'tries'} left"


def _digest(card: str, pin: str) -> str:
    return hashlib.sha256(f"{card}:{pin}".encode()).hexdigest()[:32]
