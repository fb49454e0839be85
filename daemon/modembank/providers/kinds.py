"""All kinds of providers, by name; a module is imported when the first provider of its kind is made."""

from __future__ import annotations

import importlib
from typing import Any, cast

import msgspec

from modembank.errors import FieldProblem, InvalidRequest
from modembank.providers.model import Kind

KINDS = ("smpp", "http", "smtp", "whatsapp")


def kind_of(name: str) -> Kind:
    """Return a kind; raises InvalidRequest when there is none of that name."""
    if name not in KINDS:
        raise InvalidRequest(FieldProblem("/kind", f"is none of {', '.join(KINDS)}"))
    return cast("Kind", importlib.import_module(f"modembank.providers.adapters.{name}"))


def read_settings(kind: Kind, given: object) -> Any:
    """Return settings of a kind, checked; raises InvalidRequest with pointers below ``/settings``."""
    try:
        settings = msgspec.convert(given, kind.Settings)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$")
        inner = path.rstrip("`").replace(".", "/").replace("[", "/").replace("]", "")
        raise InvalidRequest(FieldProblem(f"/settings{inner}", what.replace("`", ""))) from error
    try:
        kind.check(settings)
    except InvalidRequest as error:
        below = [FieldProblem(f"/settings{each.pointer}", each.detail) for each in error.problems]
        raise InvalidRequest(*below) from error
    return settings
