"""A form made from the JSON Schema of a kind's settings, and what was filled in read back into settings."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from modembank.errors import FieldProblem, InvalidRequest
from modembank.providers import Limits, Sharing

SETTINGS, SHARING, LIMITS = "settings.", "sharing.", "limits."
"""What begins the names of fields, by where their values belong."""
LONG_TEXT = 4_000
"""Characters from which on a text gets several lines."""
_SHAPES: Mapping[str, Literal["line", "whole", "number", "choice", "check", "json"]] = {
    "string": "line",
    "integer": "whole",
    "number": "number",
    "boolean": "check",
}
_LABELS = {
    "cost": "Cost of a segment",
    "automatic": "Use it when neither a message nor a rule names anybody",
    "min_interval_s": "Seconds between messages",
    "per_minute": "Segments a minute",
    "per_hour": "Segments an hour",
    "per_day": "Segments a day",
    "per_month": "Segments in 31 days",
}


class SettingField(msgspec.Struct, frozen=True, kw_only=True):
    """One setting as a form has it."""

    name: str
    """Without its prefix."""
    prefix: str
    shape: Literal["line", "text", "whole", "number", "choice", "check", "json"]
    hint: str = ""
    required: bool = False
    default: Any = None
    options: tuple[str, ...] = ()
    most: int | None = None
    """Characters."""
    nullable: bool = False
    """Whether nothing is a value of its own."""

    @property
    def full_name(self) -> str:
        """The name in the form."""
        return f"{self.prefix}{self.name}"

    @property
    def label(self) -> str:
        """What people read."""
        if self.prefix != SETTINGS and self.name in _LABELS:
            return _LABELS[self.name]
        return self.name.replace("_", " ").capitalize()

    @property
    def choices(self) -> list[tuple[str, str]]:
        """What can be chosen; nothing where that is the default."""
        return ([("", "–")] if self.default is None else []) + [(each, each) for each in self.options]

    def written(self, value: Any) -> str:
        """Return a value as the form shows it."""
        if value is None:
            return ""
        if self.shape == "json":
            return json.dumps(value, ensure_ascii=False, indent=2) if value else ""
        if self.shape == "check":
            return "true" if value else ""
        return f"{value:g}" if isinstance(value, float) else str(value)

    def read(self, given: str | None) -> Any:
        """Return what was filled in as a setting, or UNSET where its default holds; raises ValueError with words."""
        if self.shape == "check":
            return msgspec.UNSET if (given == "true") == bool(self.default) else given == "true"
        text = given or ""
        if self.shape not in {"line", "text"}:
            text = text.strip()
        if not text.strip():
            if self.required:
                message = "is needed"
                raise ValueError(message)
            return msgspec.UNSET if self.default in (None, "", 0, False) or not self.default else self._nothing()
        value = self._value(text)
        return msgspec.UNSET if not self.required and value == self.default else value

    def _nothing(self) -> Any:
        """Return what an empty field means where the default is something."""
        if self.nullable:
            return None
        return "" if self.shape in {"line", "text"} else msgspec.UNSET

    def _value(self, text: str) -> Any:
        if self.shape == "whole":
            return _number(text, int, "must be a whole number")
        if self.shape == "number":
            return _number(text, float, "must be a number such as 0.5")
        if self.shape == "json":
            try:
                return json.loads(text)
            except (json.JSONDecodeError, RecursionError) as error:
                where = f" (line {error.lineno}, column {error.colno})" if isinstance(error, ValueError) else ""
                message = f"is not JSON{where}: {getattr(error, 'msg', 'it is nested too deeply')}"
                raise ValueError(message) from error
        return text


def setting_fields(schema: Mapping[str, Any], prefix: str = SETTINGS) -> tuple[SettingField, ...]:
    """Return the fields of a schema's object, in its order."""
    required = set(schema.get("required", ()))
    defs: Mapping[str, Any] = schema.get("$defs", {})
    found = (_field(name, prefix, each, defs, required=name in required) for name, each in schema["properties"].items())
    return tuple(found)


def sharing_fields() -> tuple[SettingField, ...]:
    """Return the fields of what all providers have in common."""
    shared = [each for each in _of_struct(Sharing, SHARING) if each.name != "limits"]
    return (*shared, *_of_struct(Limits, LIMITS))


def values_of(fields: Iterable[SettingField], settings: Mapping[str, Any], sharing: Sharing) -> dict[str, str]:
    """Return what a form is filled with."""
    common = msgspec.to_builtins(sharing)
    limits = {name: getattr(sharing.limits, name) for name in Limits.__struct_fields__}
    sources = {SETTINGS: settings, SHARING: common, LIMITS: limits}
    return {each.full_name: each.written(sources[each.prefix].get(each.name, each.default)) for each in fields}


def read_fields(fields: Iterable[SettingField], given: Mapping[str, str]) -> tuple[dict[str, Any], Sharing]:
    """Return settings and sharing as they were filled in; raises InvalidRequest with the names of the form's fields."""
    found: dict[str, dict[str, Any]] = {SETTINGS: {}, SHARING: {}, LIMITS: {}}
    problems: list[FieldProblem] = []
    for each in fields:
        try:
            value = each.read(given.get(each.full_name))
        except ValueError as error:
            problems.append(FieldProblem(f"/{each.full_name}", str(error)))
            continue
        if value is not msgspec.UNSET:
            found[each.prefix][each.name] = value
    sharing = Sharing()
    try:
        sharing = msgspec.convert(found[SHARING] | {"limits": found[LIMITS]}, Sharing)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$.")
        inside = path.rstrip("`")
        name = inside.replace("limits.", LIMITS) if inside.startswith("limits.") else f"{SHARING}{inside}"
        problems.append(FieldProblem(f"/{name}", what.replace("`", "")))
    if problems:
        raise InvalidRequest(problems[0], *problems[1:])
    return found[SETTINGS], sharing


def errors_of(refused: InvalidRequest, fields: Iterable[SettingField]) -> dict[str, str]:
    """Return what is wrong by the form's fields; what belongs to none of them stands at the empty name."""
    names = {each.full_name for each in fields} | {"name"}
    found: dict[str, list[str]] = {}
    for problem in refused.problems:
        place, _, rest = problem.pointer.lstrip("/").partition("/")
        inner, _, deeper = rest.partition("/")
        name = place if place in names else f"{place}.{inner}"
        words = f"{deeper}: {problem.detail}" if deeper and name in names else problem.detail
        found.setdefault(name if name in names else "", []).append(words)
    return {name: "; ".join(words) for name, words in found.items()}


def _of_struct(shape: Any, prefix: str) -> tuple[SettingField, ...]:
    schema = msgspec.json.schema(shape)
    defs = schema["$defs"]
    return setting_fields(defs[shape.__name__] | {"$defs": defs}, prefix)


def _field(
    name: str, prefix: str, schema: Mapping[str, Any], defs: Mapping[str, Any], *, required: bool
) -> SettingField:
    inner, nullable = _inner(schema, defs)
    default = schema.get("default")
    hint, most = str(schema.get("description") or inner.get("description", "")), inner.get("maxLength")
    if "enum" in inner:
        options = tuple(str(each) for each in inner["enum"])
        shape: Any = "choice"
    else:
        options, shape = (), _SHAPES.get(str(inner.get("type")), "json")
        if shape == "line" and most is not None and most >= LONG_TEXT:
            shape = "text"
    return SettingField(
        name=name,
        prefix=prefix,
        shape=shape,
        hint=_with_bounds(hint, inner),
        required=required,
        default=msgspec.to_builtins(list(default) if isinstance(default, tuple) else default),
        options=options,
        most=most,
        nullable=nullable,
    )


def _inner(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    """Return the schema behind references and beside null, and whether null may be there."""
    nullable = False
    while True:
        if "$ref" in schema:
            schema = defs[schema["$ref"].rpartition("/")[2]]
        elif "anyOf" in schema:
            others = [each for each in schema["anyOf"] if each.get("type") != "null"]
            nullable = nullable or len(others) < len(schema["anyOf"])
            if len(others) != 1:
                return {}, nullable
            schema = others[0]
        else:
            return schema, nullable


def _with_bounds(hint: str, schema: Mapping[str, Any]) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is None or most is None:
        return hint
    bounds = f"{least:g} to {most:g}"
    return f"{hint.rstrip('.')} ({bounds})." if hint else bounds


def _number(text: str, kind: type[int | float], wrong: str) -> int | float:
    try:
        value = kind(text.replace(",", ".") if kind is float else text)
    except ValueError:
        raise ValueError(wrong) from None
    if not math.isfinite(value):
        raise ValueError(wrong)
    return value
