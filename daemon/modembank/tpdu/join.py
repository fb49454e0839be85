"""Parts into one message again."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from modembank.tpdu.dcs import Alphabet
from modembank.tpdu.gsm7 import decode_septets
from modembank.tpdu.tables import Language
from modembank.tpdu.user_data import UserData

GAP_MARK: Final = "[…]"


@dataclass(frozen=True, slots=True)
class JoinedText:
    """A message put together: `text`, or `octets` when its parts are binary. `missing` are the numbers of absent parts.

    Where parts are missing from a text, one GAP_MARK stands for each run of them; from octets they are simply absent.
    """

    text: str | None
    octets: bytes | None
    missing: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Run:
    """What can be decoded in one piece: consecutive parts of one coding."""

    alphabet: Alphabet
    locking: Language
    single: Language


def join_parts(parts: Sequence[UserData]) -> JoinedText:
    """Join the parts of one message, in any order; a part that came twice counts once, the first one wins.

    Septets and octets are joined before decoding, so that an escape or surrogate pair which the sender cut heals. Parts
    without a place in a sequence are joined in the order given.
    """
    numbered = {part.concat.sequence: part for part in reversed(parts) if part.concat is not None}
    if not numbered:
        return _decode([*parts], ())
    total = max(part.concat.total for part in numbered.values() if part.concat is not None)
    slots = [numbered.get(number) for number in range(1, total + 1)]
    missing = tuple(number for number, part in enumerate(slots, 1) if part is None)
    return _decode(slots, missing)


def _decode(slots: Sequence[UserData | None], missing: tuple[int, ...]) -> JoinedText:
    present = [part for part in slots if part is not None]
    if any(part.alphabet is Alphabet.OCTET for part in present):
        return JoinedText(None, b"".join(part.payload for part in present), missing)
    pieces = []
    for run, members in groupby(slots, key=_coding):
        if run is None:
            pieces.append(GAP_MARK)
            continue
        payload = b"".join(part.payload for part in members if part is not None)
        pieces.append(
            payload.decode("utf-16-be", "replace")
            if run.alphabet is Alphabet.UCS2
            else decode_septets(payload, run.locking, run.single)
        )
    return JoinedText("".join(pieces), None, missing)


def _coding(part: UserData | None) -> _Run | None:
    return None if part is None else _Run(part.alphabet, part.locking, part.single)
