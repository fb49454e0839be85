"""Short excerpts of what a provider said, without the message's text and without secrets."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

from modembank.providers.model import EVIDENCE_LIMIT

HIDDEN = "[hidden]"
RUN = 8
"""So many characters in a row of something hidden are hidden, wherever it was cut or how much of it is repeated."""


def excerpt(body: bytes, hidden: Iterable[str]) -> str:
    """Return the beginning of an answer on one line; ``hidden`` is what must not be in it, in any usual writing."""
    text = _plain(body.decode("utf-8", "replace"))
    return without(text, hidden)[:EVIDENCE_LIMIT]


def without(text: str, hidden: Iterable[str]) -> str:
    """Return a text in which runs of what is hidden are covered."""
    text = " ".join("".join(one if one.isprintable() else " " for one in text[:4_000]).split())
    covered = [False] * len(text)
    for secret in hidden:
        for written in _writings(secret):
            _cover(text, written, covered)
    parts: list[str] = []
    for one, is_covered in zip(text, covered, strict=True):
        if not is_covered:
            parts.append(one)
        elif not parts or parts[-1] is not HIDDEN:
            parts.append(HIDDEN)
    return "".join(parts)


def _cover(text: str, secret: str, covered: list[bool]) -> None:
    length = min(RUN, len(secret))
    if not length:
        return
    runs = {secret[place : place + length] for place in range(len(secret) - length + 1)}
    for place in range(len(text) - length + 1):
        if text[place : place + length] in runs and (length == RUN or _alone(text, place, place + length)):
            covered[place : place + length] = [True] * length


def _alone(text: str, start: int, end: int) -> bool:
    """Whether a short word stands by itself: that of a message "a" is not every a."""
    return not text[max(start - 1, 0) : start].isalnum() and not text[end : end + 1].isalnum()


def _writings(secret: str) -> set[str]:
    plain = " ".join(secret.split())
    quoted = json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]
    return {plain, *quoted, quote_plus(secret), quote(secret), html.escape(secret)}


def _plain(text: str) -> str:
    """Return JSON with its characters written out, and anything else as it is."""
    try:
        return json.dumps(json.loads(text), ensure_ascii=False)
    except (ValueError, RecursionError):
        return text
