"""What of a mail's text its author wrote: without the signature, and what is quoted of earlier mails. Pure."""

from __future__ import annotations

import re

_SIGNATURE = frozenset({"-- ", "--"})
_FORMER = re.compile(
    r"\s*(?:-{4,}\s*\S[^\n]{0,60}\S\s*-{4,}|_{20,})\s*"  # -----Original Message-----, and Outlook's line
)
_INTRODUCES = re.compile(r".*\S.*[:：]\s*")
_SHORT = 30
"""Characters: an introduction that goes over two lines ends with a few words."""
_LONGEST = 300
"""Characters of a line that mail programs put between mails."""
_BLANK_LINES = re.compile(r"\n{3,}")


def unflowed(text: str, *, delsp: bool = False) -> str:
    """Return a text of ``format=flowed`` with its lines as they were written (RFC 3676 4)."""
    lines: list[str] = []
    open_line = False
    for line in text.split("\n"):
        plain = line.removeprefix(" ")  # 4.4: stuffed
        if line == "-- " or line.startswith(">"):
            lines.append(line)
            open_line = False
            continue
        flows = plain.endswith(" ")
        content = plain[:-1] if flows and delsp else plain
        if open_line:
            lines[-1] += content
        else:
            lines.append(content)
        open_line = flows
    return "\n".join(lines)


def own_words(text: str) -> str:
    """Return a text without its signature, quotes, what introduces them, and an earlier mail below."""
    kept: list[str] = []
    for line in text.split("\n"):
        if line in _SIGNATURE or (len(line) <= _LONGEST and _FORMER.fullmatch(line)):
            break
        if line.startswith(">"):
            _drop_introduction(kept)
            continue
        kept.append(line)
    return "\n".join(kept)


def tidy(text: str) -> str:
    """Return a text without blanks at the ends of lines, and with one empty line where there were more."""
    lines = (line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip()


def _drop_introduction(kept: list[str]) -> None:
    """Drop the line before a quote that says whose it is, such as ``On Friday, Alice wrote:``."""
    while kept and not kept[-1].strip():
        kept.pop()
    if kept and len(kept[-1]) <= _LONGEST and _INTRODUCES.fullmatch(kept[-1]):
        last = kept.pop()
        if kept and len(last) < _SHORT and kept[-1].strip() and any(char.isdigit() for char in kept[-1]):
            kept.pop()
