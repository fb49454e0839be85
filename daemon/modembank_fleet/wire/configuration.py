"""The configuration that a hub may set on a box: its document, how it is judged, and what names it.

A key that is in the document is the hub's; every other one is the site's. Nothing here is a secret.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from modembank_fleet.wire.codec import encode
from modembank_fleet.wire.errors import WireError
from modembank_fleet.wire.shapes import VERSION, CfgDesired, ReportedError

MOST_DOCUMENT = 128 * 1024
"""Octets of a document as it is canonically written."""
MOST_SIMS = 256
"""SIMs that one document may name."""
MOST_ERRORS = 50
EVERY_SIM = "*"
Setting: TypeAlias = Literal["profile", "quiet_hours", "sim.label", "sim.limits", "sim.paused"]
"""What a site lets the hub own, or not."""

_DAY = 86_400
_DEEPEST = 4
_SELECTOR = re.compile(r"\*|[0-9]{18,20}|[0-9a-f]{16}", re.ASCII)
_TIME = r"^([01][0-9]|2[0-3]):[0-5][0-9]\Z"
Limit: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=10_000_000)]
Label: TypeAlias = Annotated[str, msgspec.Meta(max_length=64, pattern=r"^(\S(.*\S)?)?\Z")]
TimeOfDay: TypeAlias = Annotated[str, msgspec.Meta(pattern=_TIME)]
T = TypeVar("T", bound=msgspec.Struct)


class CfgLimits(msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Limits of a SIM, in segments; none can be beyond the site's own."""

    min_interval_s: Annotated[float, msgspec.Meta(ge=0, le=_DAY)] | UnsetType = UNSET
    per_minute: Limit | UnsetType = UNSET
    per_hour: Limit | UnsetType = UNSET
    per_day: Limit | UnsetType = UNSET
    per_month: Limit | UnsetType = UNSET
    recipients_per_month: Limit | UnsetType = UNSET


class CfgSim(msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What is the hub's of a SIM."""

    label: Label | UnsetType = UNSET
    paused: bool | UnsetType = UNSET
    limits: CfgLimits | UnsetType = UNSET


class CfgQuietHours(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """When nobody is disturbed; all of it is one key."""

    from_: TimeOfDay
    to: TimeOfDay
    exempt_priority: Annotated[int, msgspec.Meta(ge=0, le=10)] = 9
    """Messages of at least this priority go at any time; 10: none do."""


class CfgDocument(msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """All that the hub owns on a box."""

    profile: Literal["standard", "lean", "metered"] | UnsetType = UNSET
    """How often telemetry comes."""
    quiet_hours: CfgQuietHours | UnsetType = UNSET
    sims: dict[str, CfgSim] = {}
    """By ICCID, by the name that the box's birth gives a SIM, or ``*`` for each SIM that has no entry for a key."""

    def settings(self) -> Iterator[tuple[str, Setting]]:
        """Yield each key in the document with the setting that it is of, as a site closes it."""
        if self.profile is not UNSET:
            yield "profile", "profile"
        if self.quiet_hours is not UNSET:
            yield "quiet_hours", "quiet_hours"
        for selector, sim in self.sims.items():
            for field in of_sim(sim):
                yield f"sims.{selector}.{field}", setting_of(field)


def of_sim(sim: CfgSim) -> dict[str, str | bool | float]:
    """Return the keys of a SIM's entry, ``limits.per_day`` and the like, with their values."""
    found: dict[str, str | bool | float] = {}
    if sim.label is not UNSET:
        found["label"] = sim.label
    if sim.paused is not UNSET:
        found["paused"] = sim.paused
    if sim.limits is not UNSET:
        for name in CfgLimits.__struct_fields__:
            if (value := getattr(sim.limits, name)) is not UNSET:
                found[f"limits.{name}"] = value
    return found


def setting_of(field: str) -> Setting:
    """Return the setting that a key of a SIM is of."""
    return "sim.limits" if field.startswith("limits.") else "sim.label" if field == "label" else "sim.paused"


def judge(document: object) -> tuple[CfgDocument, list[ReportedError]]:
    """Return what of a document can be read, and everything that is wrong with it: only without errors does it count.

    Errors are ``unknown_key``, ``wrong_type``, ``missing`` and ``bad_value``, each with the path of the key.
    """
    if not isinstance(document, Mapping):
        return CfgDocument(), [ReportedError(path="", code="wrong_type", detail="must be an object")]
    errors: list[ReportedError] = []
    sims, rest = document.get("sims", {}), {name: value for name, value in document.items() if name != "sims"}
    read = _read(CfgDocument, rest, "", errors)
    if not isinstance(sims, Mapping):
        errors.append(ReportedError(path="sims", code="wrong_type", detail="must be an object"))
        sims = {}
    if len(sims) > MOST_SIMS:
        detail = f"names {len(sims)} SIMs, more than {MOST_SIMS}"
        errors.append(ReportedError(path="sims", code="bad_value", detail=detail))
        sims = {}
    for selector, entry in sims.items():
        path = f"sims.{str(selector)[:40]}"
        if not _SELECTOR.fullmatch(str(selector)):
            detail = "must be *, an ICCID of 18 to 20 digits, or a SIM's name of 16 hexadecimal digits"
            errors.append(ReportedError(path=path, code="unknown_key", detail=detail))
            continue
        sim = read.sims[selector] = _read(CfgSim, entry, f"{path}.", errors)
        if isinstance(sim.label, str) and not sim.label.isprintable():
            detail = "at most 64 printable characters"
            errors.append(ReportedError(path=f"{path}.label", code="bad_value", detail=detail))
    if isinstance(quiet := read.quiet_hours, CfgQuietHours) and quiet.from_ == quiet.to:
        detail = "from and to are the same time, and that leaves open whether it is never or always"
        errors.append(ReportedError(path="quiet_hours.from", code="bad_value", detail=detail))
    return read, errors[:MOST_ERRORS]


def canonical(document: object) -> bytes:
    """Return a document as it is written everywhere, so that one document has one hash. Raises WireError."""
    try:
        written = msgspec.json.encode(document, order="deterministic")
    except RecursionError as error:
        raise WireError(code="malformed", detail="nested too deeply") from error
    if len(written) > MOST_DOCUMENT:
        raise WireError(code="too_large", detail=f"{len(written)} octets, more than {MOST_DOCUMENT}")
    return written


def hash_of(document: object) -> str:
    """Return what names a document's content: 32 hexadecimal digits. Raises WireError."""
    return hashlib.sha256(canonical(document)).hexdigest()[:32]


def desired(document: object, *, ver: int, ep: str, by: str, at: float) -> bytes:
    """Return the payload of ``down/cfg/desired``; raises WireError when it is too large."""
    raw = msgspec.Raw(canonical(document))
    return encode(CfgDesired(v=VERSION, ver=ver, ep=ep, by=by, at=at, doc=raw))


def document_of(message: CfgDesired) -> Any:
    """Return the document of a message as JSON-able objects; raises WireError."""
    try:
        return msgspec.json.decode(bytes(message.doc))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(code="malformed", detail=str(error)[:200]) from error


def _read(shape: type[T], given: object, prefix: str, errors: list[ReportedError]) -> T:
    """Read what can be read; each key that cannot is an error, and left out."""
    left = _copy(given)
    for _ in range(MOST_ERRORS):
        try:
            return msgspec.convert(left, shape)
        except msgspec.ValidationError as error:
            error_found, keys = _told(str(error), prefix)
            errors.append(error_found)
            if not _leave_out(left, keys):
                break
    return msgspec.convert({}, shape)


def _told(message: str, prefix: str) -> tuple[ReportedError, list[str]]:
    """Return what msgspec says of one key as an error, and the keys that lead there."""
    found = re.match(r"(?P<what>.*?)(?: - at `\$\.?(?P<path>[^`]*)`)?$", message, re.DOTALL)
    what, path = (found["what"], found["path"] or "") if found else (message, "")
    keys = path.split(".") if path else []
    if unknown := re.match(r"Object contains unknown field `(.*)`", what, re.DOTALL):
        keys, code, what = [*keys, unknown[1]], "unknown_key", "is no setting that a hub can have"
    elif what.startswith("Object missing"):
        code = "missing"
    else:
        code = "wrong_type" if re.match(r"Expected `[^`]*`, got", what) else "bad_value"
    return ReportedError(path=f"{prefix}{'.'.join(keys)}"[:200].rstrip("."), code=code, detail=what[:200]), keys


def _leave_out(left: Any, keys: list[str]) -> bool:
    for key in keys[:-1]:
        left = left.get(key) if isinstance(left, dict) else None
    if not keys or not isinstance(left, dict) or keys[-1] not in left:
        return False
    del left[keys[-1]]
    return True


def _copy(value: object, deep: int = _DEEPEST) -> Any:
    """Copy as deep as keys are ever left out; what lies below is nothing that a document has."""
    return {name: _copy(one, deep - 1) for name, one in value.items()} if deep and isinstance(value, Mapping) else value
