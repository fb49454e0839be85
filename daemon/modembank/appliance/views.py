"""The image as faces show it; times are RFC 3339, null and empty text mean not said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from modembank.appliance.state import State
from modembank.clock import rfc3339

T = TypeVar("T")


class BoxRelease(msgspec.Struct, frozen=True):
    """What was started: version, build, the slot it lies in, and for which computers it was made."""

    version: str
    build: str
    slot: str
    architecture: str


class BoxTrouble(msgspec.Struct, frozen=True):
    """The latest trouble with the data partition, also of an earlier start."""

    state: str
    reason: str
    at: str | None


class BoxData(msgspec.Struct, frozen=True):
    """How the data partition was found at this start: clean, repaired, set_aside, made_new or in_memory."""

    state: str
    reason: str
    grown: bool
    octets: int | None
    problems: Sequence[str]
    last_trouble: BoxTrouble | None


class BoxMistake(msgspec.Struct, frozen=True):
    """Something wrong in ``box.toml``; line 0 is no line in particular."""

    line: int
    field: str
    reason: str
    way_out: str


class BoxFirstFile(msgspec.Struct, frozen=True):
    """What became of ``box.toml``."""

    applied: bool
    file: str
    kept: Sequence[str]
    mistakes: Sequence[BoxMistake]


class BoxUpdate(msgspec.Struct, frozen=True):
    """The latest update: checking, installing, installed (waits for a restart), trial, good, refused, rolled_back…"""

    state: str
    percent: int | None
    from_version: str
    version: str
    reason: str
    by: str
    at: str | None


class BoxCertificate(msgspec.Struct, frozen=True):
    """The certificate that browsers are shown: its SHA-256, whom it names, its end, and whether it is the owner's."""

    fingerprint: str
    names: Sequence[str]
    not_after: str | None
    own: bool
    problem: str


class BoxUpload(msgspec.Struct, frozen=True):
    """A bundle that is being uploaded; ``size`` is null where the client did not say."""

    by: str
    since: str
    octets: int
    size: int | None


class BoxOrder(msgspec.Struct, frozen=True):
    """What was asked for and is not carried out yet: update, restart, reset or postpone."""

    verb: str
    by: str
    at: str


class BoxView(msgspec.Struct, frozen=True, kw_only=True):
    """The image that the box was started from; ``appliance`` is false where there is none, and the rest empty."""

    appliance: bool
    name: str
    up_s: int
    release: BoxRelease | None = None
    data: BoxData | None = None
    first_file: BoxFirstFile | None = None
    update: BoxUpdate | None = None
    certificate: BoxCertificate | None = None
    upload: BoxUpload | None = None
    order: BoxOrder | None = None
    unreadable: Sequence[str] = ()


def box_view(
    name: str, up_s: float, state: State, upload: BoxUpload | None = None, order: BoxOrder | None = None
) -> BoxView:
    """Return what is shown of a state."""
    return BoxView(
        appliance=state.present,
        name=name,
        up_s=round(up_s),
        release=_like(state.release, BoxRelease),
        data=_data(state),
        first_file=_like(state.first_file, BoxFirstFile),
        update=_update(state),
        certificate=_certificate(state),
        upload=upload,
        order=order,
        unreadable=state.unreadable,
    )


def _data(state: State) -> BoxData | None:
    told = state.data
    if told is None:
        return None
    last = told.last_trouble
    trouble = None if last is None else BoxTrouble(last.state, last.reason, _moment(last.at))
    return BoxData(told.state, told.reason, told.grown, told.octets, told.problems, trouble)


def _update(state: State) -> BoxUpdate | None:
    told = state.update
    if told is None:
        return None
    return BoxUpdate(told.state, told.percent, told.from_version, told.version, told.reason, told.by, _moment(told.at))


def _certificate(state: State) -> BoxCertificate | None:
    told = state.certificate
    if told is None:
        return None
    return BoxCertificate(told.fingerprint, told.names, _moment(told.not_after), told.own, told.problem)


def _moment(at: int | None) -> str | None:
    return None if at is None else rfc3339(at)


def _like(told: object, shape: type[T]) -> T | None:
    return None if told is None else msgspec.convert(told, shape, from_attributes=True)
