"""Health: what is wrong with the box, with evidence and remedies that one can run."""

from modembank.health.law import Law
from modembank.health.model import Finding, Issue, Severity
from modembank.health.parts import Check, Remedy, Standing
from modembank.health.service import Health
from modembank.health.surroundings import Surroundings
from modembank.health.views import ConservationView, IssueView, RemedyOffer, RemedyRun

__all__ = [
    "Check",
    "ConservationView",
    "Finding",
    "Health",
    "Issue",
    "IssueView",
    "Law",
    "Remedy",
    "RemedyOffer",
    "RemedyRun",
    "Severity",
    "Standing",
    "Surroundings",
]
