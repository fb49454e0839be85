"""Three ledgers held against each other: what was promised, what the network saw, what the daemon says.

Every message has numbers of its own, so that each SUBMIT the network saw belongs to one message without doubt.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from modembank_emulator import Network, SeenReport, SeenSubmit
from modembank_selftest.verdict import Verdict
from modembank_selftest.witness import Cancelling, Request, Witness

LATE = "late"
"""The plan whose reports come at the end, while the daemon runs undisturbed: none of them may be missed."""
MOST_RESENDS = 3
"""How often a segment that may have been sent is sent again under ``resend`` (docs/promise.md)."""
_MAY_BE_SENT = frozenset({"accepted", "unknown"})
_ENDED_UNSENT = frozenset({"failed", "expired", "cancelled"})


@dataclass(slots=True)
class Case:
    """One message: who asked for it, what the network saw of it, and what the daemon says."""

    request: Request
    number: str
    told: Mapping[str, Any] | None
    submits: list[SeenSubmit] = field(default_factory=list)
    reports: list[SeenReport] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What to call it in a complaint."""
        return f"{self.request.ids.get(self.number, '?')} to {self.number} ({self.request.policy or 'default'})"

    @property
    def status(self) -> str:
        """What the daemon says it is."""
        return "" if self.told is None else str(self.told["status"])

    @property
    def attempts(self) -> Sequence[Mapping[str, Any]]:
        """The daemon's attempts at it."""
        return () if self.told is None else self.told["attempts"]

    @property
    def cancelled(self) -> bool:
        """Whether its cancelling was confirmed; of a request with many recipients the first one's is asked for."""
        return self.request.cancelling is Cancelling.DONE and self.number == self.request.numbers[0]

    @property
    def was_in_doubt(self) -> bool:
        """Whether nobody knew for a while if a part of it was sent."""
        return any(attempt["outcome"] == "unknown" for attempt in self.attempts)

    def taken(self) -> Counter[int]:
        """How often the network took each segment."""
        return Counter(_segment(seen) for seen in self.submits if seen.accepted)

    def whole(self) -> bool:
        """Whether the network took every segment."""
        segments = 1 if self.told is None else self.told["segments"]
        return set(self.taken()) == set(range(1, segments + 1))


def judge(
    witness: Witness, network: Network, told: Sequence[Mapping[str, Any]], inbox: Sequence[Mapping[str, Any]]
) -> Verdict:
    """Return the verdict on messages and inbox as the daemon tells them at the end."""
    verdict = Verdict(broken=list(witness.broken))
    cases = _cases(witness, network, told)
    for case in cases:
        verdict.accepted += 1
        verdict.states[case.status or "not known"] += 1
        verdict.in_doubt += case.was_in_doubt
        verdict.settled += case.was_in_doubt and case.status != "unknown"
        verdict.lost += [*_lost(case)]
        verdict.duplicated += [*_duplicated(case)]
        verdict.contradictions += [*_contradictions(case)]
        verdict.resent += sum(count - 1 for count in case.taken().values()) if not case.request.holds else 0
    known = {case.request.ids.get(case.number) for case in cases}
    verdict.contradictions += [
        f"{one['id']} to {one['to']}: nobody asked for it" for one in told if one["id"] not in known
    ]
    numbers = {case.number for case in cases}
    verdict.contradictions += [
        f"the network saw a message to {seen.destination}, which nobody asked for"
        for seen in network.ledger
        if seen.destination not in numbers
    ]
    _judge_inbound(witness, network, inbox, verdict)
    return verdict


def _cases(witness: Witness, network: Network, told: Sequence[Mapping[str, Any]]) -> list[Case]:
    by_id = {message["id"]: message for message in told}
    submits, reports = defaultdict(list), defaultdict(list)
    for seen in network.ledger:
        submits[seen.destination].append(seen)
    for report in network.reports:
        reports[report.recipient].append(report)
    return [
        Case(request, number, by_id.get(request.ids.get(number, "")), submits[number], reports[number])
        for request in witness.requests
        for number in request.numbers
    ]


def _lost(case: Case) -> Iterator[str]:
    """What was accepted and is neither with the network nor owned up to."""
    if case.told is None:
        yield f"{case.name}: accepted, and not known any more"
    elif case.status not in {*_ENDED_UNSENT, "unknown", "undelivered"} and not case.whole():
        where = case.told["waiting_for"] or case.told["cause"] or "no reason given"
        yield f"{case.name}: {case.status} at the end, the network took {dict(case.taken())} ({where})"
    elif case.status in {"failed", "expired"}:
        yield f"{case.name}: {case.status}, though nothing was wrong with it ({case.told['cause']})"


def _duplicated(case: Case) -> Iterator[str]:
    """What the network took twice, unless the policy allows it and the daemon says so."""
    for segment, count in case.taken().items():
        if count < 2:
            continue
        unknown = sum(attempt["segment"] == segment and attempt["outcome"] == "unknown" for attempt in case.attempts)
        if case.request.holds:
            yield f"{case.name}: segment {segment} was sent {count} times under hold"
        elif count > 1 + min(unknown, MOST_RESENDS):
            yield f"{case.name}: segment {segment} was sent {count} times, with {unknown} unknown attempts"


def _contradictions(case: Case) -> Iterator[str]:
    """Where the daemon says something that the network knows better."""
    taken, status = case.taken(), case.status
    if status in {"sent", "delivered"} and not case.whole():
        yield f"{case.name}: {status}, but the network took only {dict(taken)}"
    if status in _ENDED_UNSENT and taken:
        yield f"{case.name}: {status}, but the network took {dict(taken)}"
    if status == "delivered" and not any(report.status == 0 for report in case.reports):
        yield f"{case.name}: delivered, but there was no such report"
    if status == "undelivered" and not any(report.status >= 0x40 for report in case.reports):
        yield f"{case.name}: undelivered, but there was no such report"
    if case.request.reports == LATE and case.whole() and status != "delivered":
        yield f"{case.name}: {status}, though its report came while the daemon ran: {[r.where for r in case.reports]}"
    if case.cancelled and (taken or status != "cancelled"):
        yield f"{case.name}: its cancelling was confirmed, and it is {status}, taken {dict(taken)}"
    if case.told is not None:
        yield from _attempts_against_network(case)


def _attempts_against_network(case: Case) -> Iterator[str]:
    """Each SUBMIT must be an attempt that may have been sent; each accepted one a SUBMIT with that reference."""
    if case.told is not None and case.told["text"] != case.request.text:
        yield f"{case.name}: its text was changed"
    left = Counter((seen.mr, seen.iccid) for seen in case.submits if seen.accepted)
    for attempt in case.attempts:
        if attempt["outcome"] == "in_flight":
            yield f"{case.name}: an attempt is in flight for ever"
        if attempt["outcome"] == "accepted":
            key = attempt["tp_mr"], attempt["sim"]
            if not left[key]:
                yield f"{case.name}: accepted with reference {attempt['tp_mr']} by {attempt['sim']}, which took nothing"
            left[key] -= 1
    possible = Counter(attempt["segment"] for attempt in case.attempts if attempt["outcome"] in _MAY_BE_SENT)
    for segment, count in case.taken().items():
        if count > possible[segment]:
            yield f"{case.name}: segment {segment} was taken {count} times, in {possible[segment]} attempts"


def _judge_inbound(witness: Witness, network: Network, inbox: Sequence[Mapping[str, Any]], verdict: Verdict) -> None:
    stored = Counter(message["text"] for message in inbox if not message["missing"])
    injected = Counter(witness.injected)
    waiting = sum(len(card.waiting) for card in network.cards.values())
    verdict.injected, verdict.stored = len(witness.injected), sum((stored & injected).values())
    if waiting:
        verdict.inbound_lost.append(f"{waiting} inbound messages still wait in the network")
    for text in injected - stored:
        verdict.inbound_lost.append(f"inbound {text[:40]!r} is not in the inbox")
    for text, count in (stored - injected).items():
        verdict.inbound_duplicated.append(f"inbound {text[:40]!r} is there {count} times more than it was sent")
    for message in inbox:
        if message["missing"]:
            verdict.inbound_lost.append(f"inbound {message['text'][:40]!r} lacks the parts {message['missing']}")


def _segment(seen: SeenSubmit) -> int:
    concat = seen.concat
    return 1 if concat is None else concat.sequence
