"""What is said of the fields of a version that was filled in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec

from modembank_hub.software import Wanted

Line = Annotated[str, msgspec.Meta(max_length=1_100)]
SAYS = {
    "version": "must be a version, such as 1.3.0",
    "sha256": "must be the SHA-256 of the bundle: 64 digits 0-9, a-f",
    "url": "must begin with https://, or be empty for the box's own source",
    "window": "must be two times of a day, such as 02:00-05:00, or empty",
}
"""What is said of a field that cannot be meant."""


def wrong_of(given: Mapping[str, str]) -> dict[str, str]:
    """Return what is to be said of each field that a command could not have."""
    types = {field.name: field.type for field in msgspec.structs.fields(Wanted)}
    wrong = {}
    for name, value in given.items():
        try:
            msgspec.convert(value, types[name])
        except msgspec.ValidationError:
            wrong[name] = SAYS[name]
    return wrong
