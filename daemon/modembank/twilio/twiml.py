"""Reading TwiML, the XML that an endpoint answers an inbound message with. It comes from outside: no DTD, no entities
but the five of XML, and everything bounded.
"""

from __future__ import annotations

from xml.parsers import expat

import msgspec

MOST_REPLIES = 10
MOST_DEEP = 8
MOST_TEXT = 40_000
"""Characters of one reply; what fits into a message is judged when it is accepted."""
_TOO_LONG = f"a reply is longer than {MOST_TEXT} characters"
_XML = frozenset({"text/xml", "application/xml", "text/html", ""})
_VERBS = frozenset({"Message", "Sms"})
_ATTRIBUTES = frozenset({"to", "from", "statusCallback", "action", "method"})


class BadTwiml(ValueError):
    """The answer asks for nothing that the box does; the message says what is wrong, for the endpoint's author."""


class Reply(msgspec.Struct):
    """A message to be sent."""

    body: str = ""
    to: str | None = None
    """None: whoever wrote."""
    sender: str | None = None
    """None: the SIM that received."""
    status_callback: str | None = None


def read_answer(media: str, body: bytes) -> tuple[Reply, ...]:
    """Return the replies that an answer asks for; raises BadTwiml.

    ``media`` is the answer's content type. Plain text is one reply, nothing at all is none.
    """
    kind = media.partition(";")[0].strip().lower()
    if not body.strip():
        return ()
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        message = "the answer is not in UTF-8"
        raise BadTwiml(message) from None
    if kind == "text/plain":
        return (Reply(_bounded(text)),)
    if kind not in _XML:
        message = f"the answer is {kind[:60]!a}: TwiML is text/xml, a text alone is text/plain"
        raise BadTwiml(message)
    return _Reader().read(text)


class _Reader(msgspec.Struct):
    """Follows the elements of one document."""

    replies: list[Reply] = msgspec.field(default_factory=list)
    path: list[str] = msgspec.field(default_factory=list)
    text: list[str] = msgspec.field(default_factory=list)
    length: int = 0

    def read(self, document: str) -> tuple[Reply, ...]:
        parser = expat.ParserCreate("utf-8")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = _no_doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._said
        try:
            parser.Parse(document.encode(), True)
        except expat.ExpatError as error:
            message = f"the answer is no XML: {expat.ErrorString(error.code)} in line {error.lineno}"
            raise BadTwiml(message) from None
        return tuple(self.replies)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self.path) >= MOST_DEEP:
            message = f"the answer is nested deeper than {MOST_DEEP} elements"
            raise BadTwiml(message)
        match self.path:
            case []:
                _expect(name, {"Response"}, "the answer")
            case [_]:
                _expect(name, _VERBS, "Response")
                self._begin(name, attributes)
            case [_, verb]:
                _expect(name, {"Body"} if verb == "Message" else set(), verb)
            case _:
                _expect(name, set(), self.path[-1])
        self.path.append(name)

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        if len(self.replies) >= MOST_REPLIES:
            message = f"the answer has more than {MOST_REPLIES} replies"
            raise BadTwiml(message)
        for attribute in attributes:
            _expect(attribute, _ATTRIBUTES, f"{name}'s attributes")
        self.text.clear()
        self.length = 0
        callback = attributes.get("statusCallback")
        self.replies.append(Reply("", attributes.get("to"), attributes.get("from"), callback))

    def _end(self, name: str) -> None:
        self.path.pop()
        if len(self.path) == 1:
            self.replies[-1].body = "".join(self.text).strip()
        elif name == "Body" and self.text:
            self.text.append("\n")  # several bodies stay apart

    def _said(self, text: str) -> None:
        if len(self.path) < 2:
            if text.strip():
                message = "the answer has text outside of <Message>"
                raise BadTwiml(message)
            return
        self.length += len(text)
        if self.length > MOST_TEXT:
            raise BadTwiml(_TOO_LONG)
        self.text.append(text)


def _expect(name: str, allowed: frozenset[str] | set[str], where: str) -> None:
    if name not in allowed:
        known = ", ".join(sorted(allowed)) or "nothing"
        message = f"{name[:40]!a} is not supported in {where}; supported: {known}"
        raise BadTwiml(message)


def _no_doctype(*_: object) -> None:
    message = "the answer has a document type, which is not read"
    raise BadTwiml(message)


def _bounded(text: str) -> str:
    if len(text) > MOST_TEXT:
        raise BadTwiml(_TOO_LONG)
    return text.strip()
