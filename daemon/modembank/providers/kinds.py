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


class KindView(msgspec.Struct, frozen=True):
    """A kind of provider, for forms and integrators."""

    name: str
    summary: str
    """What it is, in a sentence."""
    settings: dict[str, Any]
    """The JSON Schema (2020-12) of its settings."""


def kind_views() -> tuple[KindView, ...]:
    """Return every kind; imports them all, which may take a second on a small box."""
    return tuple(kind_view(name) for name in KINDS)


def kind_view(name: str) -> KindView:
    """Return one kind; raises InvalidRequest when there is none of that name."""
    kind = kind_of(name)
    schema = msgspec.json.schema(kind.Settings)
    defs: dict[str, Any] = dict(schema.get("$defs", {}))
    whole: dict[str, Any] = defs.pop(kind.Settings.__name__)
    settings = whole | {"$defs": defs} if defs else whole
    return KindView(name, str(getattr(kind, "__doc__", "") or "").partition("\n")[0], settings)


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
