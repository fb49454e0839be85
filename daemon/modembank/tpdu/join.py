"""Parts into one message again."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

import msgspec

from modembank.tpdu.dcs import Alphabet
from modembank.tpdu.gsm7 import decode_septets
from modembank.tpdu.tables import Language
from modembank.tpdu.user_data import UserData

GAP_MARK: Final = "[…]"
_LOST: Final = "\ufffd".encode("utf-16-be")


class JoinedText(msgspec.Struct, frozen=True):
    """A message put together: `text`, or `octets` when its parts are binary. `missing` are the numbers of absent parts.

    Where parts are missing from a text, one GAP_MARK stands for each run of them; from octets they are simply absent.
    """

    text: str | None
    octets: bytes | None
    missing: tuple[int, ...] = ()


class _Run(msgspec.Struct, frozen=True):
    """What can be decoded in one piece: consecutive parts of one coding."""

    alphabet: Alphabet
    locking: Language
    single: Language


def join_parts(parts: Sequence[UserData]) -> JoinedText:
    """Join the parts of one message, in any order; a part that came twice counts once, the first one wins.

    Septets and octets are joined before decoding, so that an escape, a surrogate pair or a UCS-2 character which the
    sender cut heals. Half a character that no cut explains is one U+FFFD, and what follows it is read as if nothing
    had happened. Parts without a place in a sequence are joined in the order given.
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
        payloads = [part.payload for part in members if part is not None]
        pieces.append(
            _whole_characters(payloads).decode("utf-16-be", "replace")
            if run.alphabet is Alphabet.UCS2
            else decode_septets(b"".join(payloads), run.locking, run.single)
        )
    return JoinedText("".join(pieces), None, missing)


def _whole_characters(payloads: Iterable[bytes]) -> bytes:
    """Join UCS-2 payloads; an odd one must not shift all that comes after it by half a character.

    A sender that cuts characters cuts all parts at one size (133 octets beside a 7-octet header, 3GPP TS 23.040
    9.2.3.24.8), so that an odd part is continued by an odd one. Before an even part, or at the end, the odd octet is
    damage: it stands for one lost character.
    """
    whole = bytearray()
    half = False
    for payload in payloads:
        odd = len(payload) % 2 == 1
        if half and not odd:
            whole[-1:] = _LOST
        half = odd and not half
        whole += payload
    if half:
        whole[-1:] = _LOST
    return bytes(whole)


def _coding(part: UserData | None) -> _Run | None:
    return None if part is None else _Run(part.alphabet, part.locking, part.single)
