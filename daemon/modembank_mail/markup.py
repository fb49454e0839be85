"""The text of a mail that has only HTML. Pure.

The library's parser takes minutes for some sixty thousand characters that somebody chose with care; this one looks at
each character once or twice, and knows no more of HTML than the ends of lines.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

_UNSEEN = frozenset({"script", "style", "head", "title", "template"})
_LINES = frozenset({"p", "div", "li", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "hr", "pre"})
_QUOTES = frozenset({"blockquote"})
_TAG = re.compile(r"<(?:(/?)([A-Za-z][A-Za-z0-9]*)|[!?])[^<>]*>")
_BLANKS = re.compile(r"[ \t\r\n\f\u00a0]+")


def text_of_html(markup: str, *, quotes: bool = True) -> str:
    """Return what a reader would see, with line ends where blocks end; without ``quotes`` not what is quoted."""
    page = _Page(_UNSEEN if quotes else _UNSEEN | _QUOTES)
    for closes, tag, text in _pieces(markup):
        if not tag:
            page.say(text)
        elif closes:
            page.end(tag)
        else:
            page.begin(tag)
    lines = (_BLANKS.sub(" ", line).strip() for line in "".join(page.found).split("\n"))
    return "\n".join(lines).strip("\n")


def _pieces(markup: str) -> Iterator[tuple[bool, str, str]]:
    """Yield (whether it closes, tag, "") for a tag, and (False, "", text) for what stands between."""
    place = 0
    while (start := markup.find("<", place)) >= 0:
        if start > place:
            yield False, "", markup[place:start]
        if markup.startswith("<!--", start):
            end = markup.find("-->", start)
            if end < 0:
                return
            place = end + 3
            continue
        tag = _TAG.match(markup, start)
        if tag is None:
            yield False, "", "<"
            place = start + 1
            continue
        if tag[2]:
            yield bool(tag[1]), tag[2].lower(), ""
        place = tag.end()
    yield False, "", markup[place:]


class _Page:
    def __init__(self, left_out: frozenset[str]) -> None:
        self._left_out = left_out
        self._inside: list[str] = []
        self._begun = True
        """Whether the next word is the first of a line."""
        self.found: list[str] = []

    def begin(self, tag: str) -> None:
        if tag in self._left_out:
            self._inside.append(tag)
        elif tag == "br":
            self._write("\n")
        elif tag in _LINES:
            self._end_line()

    def end(self, tag: str) -> None:
        if tag in self._left_out and tag in self._inside:
            while self._inside.pop() != tag:
                pass
        elif tag in _LINES:
            self._end_line()

    def say(self, text: str) -> None:
        if text.strip() or not self._begun:
            self._write(_BLANKS.sub(" ", html.unescape(text)))

    def _end_line(self) -> None:
        """End a line, unless nothing stands on it yet."""
        if not self._begun:
            self._write("\n")

    def _write(self, text: str) -> None:
        if text and not self._inside:
            self.found.append(text)
            self._begun = text.endswith("\n")
