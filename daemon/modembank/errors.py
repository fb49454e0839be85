"""Errors that carry fields and a stable key; the text is a template, the HTTP answer is the web layer's business."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


class ModembankError(Exception):
    """Base of every error a face may show: a stable ``key``, fields, and a text made from both."""

    key: ClassVar[str] = "internal_error"
    template: ClassVar[str] = "something went wrong"

    def __init__(self, **fields: object) -> None:
        """Keep the fields; they fill the template and travel to the caller as details."""
        self.fields = fields
        super().__init__(self.template.format(**fields))


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One thing wrong with one field of a request: where (a JSON pointer), and what would be right."""

    pointer: str
    detail: str


class InvalidRequest(ModembankError):
    """The request's content is refused; every problem is named with its field."""

    key = "invalid_payload"
    template = "{summary}"

    def __init__(self, first: FieldProblem, *others: FieldProblem) -> None:
        """Hold the problems, in the order of the request's fields."""
        self.problems = (first, *others)
        more = f" (and {len(others)} more)" if others else ""
        super().__init__(summary=f"{first.pointer}: {first.detail}{more}")


class NotFound(ModembankError):
    """No such thing, or not one that this actor may see."""

    key = "not_found"
    template = "there is no {what} {which}"


class Forbidden(ModembankError):
    """The actor is known but may not do this."""

    key = "forbidden"
    template = "{why}"


class Conflict(ModembankError):
    """The thing is in a state in which this cannot be done."""

    key = "conflict"
    template = "{why}"
