"""Plans for delivery reports: which, when, and how they stand to the +CMGS answer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

# TP-ST (3GPP TS 23.040 9.2.3.15)
DELIVERED = 0x00
STILL_TRYING = 0x30
EXPIRED = 0x46
REJECTED = 0x42


class When(StrEnum):
    """Place of a report against the final result of its CMGS."""

    LATER = "later"
    BEFORE_CMGS = "before_cmgs"  # written before +CMGS, in a write of its own
    GLUED_BEFORE = "glued_before"  # in the same write, before +CMGS
    GLUED_AFTER = "glued_after"  # in the same write, after OK


@dataclass(frozen=True, slots=True)
class Step:
    """One report: TP-ST, its place, and for LATER the delay in seconds (None: the bank's latency)."""

    status: int = DELIVERED
    when: When = When.LATER
    delay: float | None = None


@dataclass(frozen=True, slots=True)
class ReportPlan:
    """The reports one SUBMIT gets; `national` gives the recipient in the other address form."""

    steps: tuple[Step, ...] = (Step(),)
    national: bool = False


PLANS: dict[str, ReportPlan] = {
    "delivered": ReportPlan(),
    "pending_then_delivered": ReportPlan((Step(STILL_TRYING), Step(DELIVERED))),
    "failed": ReportPlan((Step(REJECTED),)),
    "never": ReportPlan(()),
    "twice": ReportPlan((Step(), Step())),
    "before_cmgs": ReportPlan((Step(when=When.BEFORE_CMGS),)),
    "glued_before": ReportPlan((Step(when=When.GLUED_BEFORE),)),
    "glued_after": ReportPlan((Step(when=When.GLUED_AFTER),)),
    "after_minutes": ReportPlan((Step(delay=300.0),)),
    "national": ReportPlan(national=True),
}
