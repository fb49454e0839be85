"""What is written into a request: texts with places to be filled, such as ``{to}``, alone or in a JSON document."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import msgspec

from modembank.errors import ModembankError

NAMES = ("to", "to_digits", "text", "subject", "key", "valid_for_s", "callback_url")
SECRET = "secret:"  # noqa: S105  # what stands before a name
"""Before the name of a secret."""
SECRET_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}"  # noqa: S105  # a pattern of names
NUMBER = "number:"
"""Before a name whose value is a JSON number, without quotation marks."""
NUMBERS = ("to_digits", "valid_for_s")
_SECRET = re.compile(SECRET + SECRET_NAME)
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"(\s*:)?')
"""In a document that is JSON: a string, and whether it is a name."""


class TemplateWrong(ModembankError):
    """A template that cannot be filled; ``place`` is the character, from 0."""

    key = "template_wrong"
    template = "{why}"

    def __init__(self, place: int, why: str) -> None:
        """Keep where and why."""
        self.place = place
        self.why = why
        super().__init__(why=why)


class Hole(msgspec.Struct, frozen=True):
    """A place to be filled."""

    name: str
    """One of NAMES, or ``secret:NAME``."""
    bare: bool = False
    """A JSON number, which is written without quotation marks."""


class Template(msgspec.Struct, frozen=True):
    """A text and its holes, in order."""

    parts: tuple[str | Hole, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """Of all its holes."""
        return frozenset(part.name for part in self.parts if isinstance(part, Hole))

    def fill(self, value: Callable[[str], str], written: Callable[[str], str] = str) -> str:
        """Return the text; ``written`` writes a value as it has to be in it."""
        return "".join(
            part if isinstance(part, str) else _bare(value(part.name)) if part.bare else written(value(part.name))
            for part in self.parts
        )


def parse(text: str, names: tuple[str, ...] = NAMES) -> Template:
    """Return a template; a brace itself is written twice. Raises TemplateWrong. Secrets may always be named."""
    return Template(tuple(_parts(text, names)))


def parse_json(text: str, names: tuple[str, ...] = NAMES) -> Template:
    """Return a JSON document as a template: its strings may have holes, and ``"{number:valid_for_s}"`` is a number.

    What is between them stays as it is written. Raises TemplateWrong.
    """
    _check_json(text)
    parts: list[str | Hole] = []
    done = 0
    for found in _STRING.finditer(text):
        content, start = found[1], found.start(1)
        if found[2] is not None:
            if _is_hole(content, names):
                raise TemplateWrong(start, "a name is not filled: {…} can only be in a value")
            continue
        bare = _number(content, start)
        parts.append(text[done : found.start() if bare else start])
        parts += [bare] if bare else _parts(content, names, start)
        done = found.end(1) + 1 if bare else found.end(1)
    return Template((*parts, text[done:]))


def json_written(value: str) -> str:
    """Return a value as it is written within the quotation marks of a JSON string."""
    return json.dumps(value, ensure_ascii=False)[1:-1]


def line_and_column(text: str, place: int) -> str:
    """Return where a character is, for people."""
    return f"line {text.count(chr(10), 0, place) + 1}, column {place - text.rfind(chr(10), 0, place)}"


def _bare(value: str) -> str:
    """Return a JSON number; what is none stays a string, so that the document stays one."""
    return str(int(value)) if value.isascii() and value.isdigit() else f'"{json_written(value)}"'


def _parts(text: str, names: tuple[str, ...], base: int = 0) -> Iterator[str | Hole]:
    place, plain = 0, ""
    while place < len(text):
        one = text[place]
        if text[place : place + 2] in {"{{", "}}"}:
            plain += one
            place += 2
        elif one == "{":
            end = text.find("}", place)
            if end < 0:
                raise TemplateWrong(base + place, "this { has no }; a brace itself is written {{")
            if plain:
                yield plain
            plain = ""
            yield _hole(text[place + 1 : end], names, base + place)
            place = end + 1
        elif one == "}":
            raise TemplateWrong(base + place, "this } has no {; a brace itself is written }}")
        else:
            plain += one
            place += 1
    if plain:
        yield plain


def _hole(name: str, names: tuple[str, ...], place: int) -> Hole:
    if name in names or _SECRET.fullmatch(name):
        return Hole(name)
    if name.startswith(SECRET):
        raise TemplateWrong(place, "a secret's name has 1 to 64 letters, digits, dots, hyphens and _")
    if name.startswith(NUMBER):
        raise TemplateWrong(place, f"{{{NUMBER}…}} is a whole value of JSON: quotation marks stand around it")
    known = ", ".join(f"{{{one}}}" for one in (*names, f"{SECRET}NAME"))
    if name in NAMES:
        raise TemplateWrong(place, f"{{{name}}} cannot be here; there are {known}")
    raise TemplateWrong(place, f"{{{name[:40]}}} is not known; there are {known}, and a brace itself is written {{{{")


def _is_hole(content: str, names: tuple[str, ...]) -> bool:
    return any(f"{{{name}}}" in content for name in names) or f"{{{SECRET}" in content


def _number(content: str, place: int) -> Hole | None:
    if not content.startswith(f"{{{NUMBER}") or not content.endswith("}"):
        return None
    name = content[len(NUMBER) + 1 : -1]
    if name not in NUMBERS:
        known = " and ".join(f"{{{NUMBER}{one}}}" for one in NUMBERS)
        raise TemplateWrong(place, f"{content[:40]} is no number; there are {known}")
    return Hole(name, bare=True)


def _check_json(text: str) -> None:
    def no_constant(name: str) -> None:
        raise TemplateWrong(max(text.find(name), 0), f"{name} is no JSON")

    try:
        json.loads(text, parse_constant=no_constant)
    except json.JSONDecodeError as error:
        raise TemplateWrong(error.pos, f"no JSON: {error.msg[:1].lower()}{error.msg[1:]}") from None
    except RecursionError:
        raise TemplateWrong(0, "the document is nested too deep") from None
