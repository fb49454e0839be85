"""What pages show of mailings beyond the API's view: the settings one was made with, and what a new one would take."""

from __future__ import annotations

import msgspec

from modembank.mailings.rows import Mailing
from modembank.messages import OnUnknown


class MailingDetails(msgspec.Struct, frozen=True):
    """With what settings a mailing was made, and by whom."""

    owner: str
    kind: str
    """``csv`` or ``xlsx``."""
    octets: int
    header: bool
    sheet: str
    region: str
    """Empty: only international numbers were understood."""
    template: str | None
    text_column: str | None
    reference_column: str | None
    encoding: str
    max_segments: int
    allow_duplicates: bool
    valid_for_s: int
    priority: int
    on_unknown: str
    route: str
    """The canonical spec of the SIMs that may send it."""


class Plan(msgspec.Struct, frozen=True):
    """When a mailing would begin and have left, in unix milliseconds, and what its owner may still send."""

    begins_at: int
    ends_at: int | None
    """As far as the limits of its SIMs tell; None: nobody can tell, or never."""
    expires_at: int
    """What has not left by then is not sent any more."""
    quota_left: int | None
    """Segments; None: there is no quota."""


def details_of(mailing: Mailing, owner: str) -> MailingDetails:
    """Return a mailing's settings."""
    layout, terms = mailing.layout, mailing.terms
    columns = layout.columns
    return MailingDetails(
        owner=owner,
        kind=layout.kind,
        octets=mailing.octets,
        header=layout.header_rows > 0,
        sheet=layout.sheet,
        region=layout.region,
        template=layout.template,
        text_column=None if layout.text_column is None else columns[layout.text_column],
        reference_column=None if layout.reference_column is None else columns[layout.reference_column],
        encoding=layout.encoding,
        max_segments=layout.max_segments,
        allow_duplicates=layout.allow_duplicates,
        valid_for_s=mailing.valid_for_s,
        priority=9 - terms.rank,
        on_unknown=OnUnknown(terms.on_unknown).name.lower(),
        route=terms.route,
    )
