"""Leaving out who has opted out: decided in the transaction that accepts, so that no opt-out comes in between."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from modembank.clock import rfc3339
from modembank.errors import FieldProblem, InvalidRequest
from modembank.messages.admission import Admitted
from modembank.messages.requests import OptedOut
from modembank.messages.verdicts import OPTED_OUT, Refused


def sift(admitted: Admitted, out: Mapping[str, int]) -> Admitted:
    """Return the request without recipients that have opted out, who are told of; ``out`` is when each did (unix ms).

    Raises OptedOut, or InvalidRequest when others are refused for other reasons, with every refused recipient; but for
    a request in parts only when no recipient is left.
    """
    if out.keys().isdisjoint(admitted.recipients):
        return admitted
    left = [(number, place) for number, place in admitted.placed if number not in out]
    refused = [
        Refused(place, number, OPTED_OUT, f"has opted out of messages from this box since {rfc3339(out[number])}")
        for number, place in admitted.placed
        if number in out
    ]
    everyone = sorted([*admitted.refused, *refused], key=lambda each: each.at)
    if admitted.partial and left:
        return msgspec.structs.replace(
            admitted,
            recipients=tuple(number for number, _ in left),
            places=tuple(place for _, place in left),
            refused=tuple(everyone),
        )
    problems = [FieldProblem(admitted.pointer(each.at), each.detail) for each in everyone]
    raise InvalidRequest(*problems) if admitted.refused else OptedOut(*problems)
