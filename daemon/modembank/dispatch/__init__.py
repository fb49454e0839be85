"""Dispatch: choose a SIM for each message, pace, retry, fail over, and say why something waits."""

from modembank.dispatch.decency import Decency
from modembank.dispatch.dispatcher import Dispatcher
from modembank.dispatch.finishing import Finishing
from modembank.dispatch.foreseeing import Foreseen, Foresight
from modembank.dispatch.policy import RULES, Action, Blame, Rule, Step, step_after
from modembank.dispatch.quiet import QuietHours
from modembank.dispatch.refusals import is_refusal
from modembank.dispatch.window import opens_at

__all__ = [
    "RULES",
    "Action",
    "Blame",
    "Decency",
    "Dispatcher",
    "Finishing",
    "Foreseen",
    "Foresight",
    "QuietHours",
    "Rule",
    "Step",
    "is_refusal",
    "opens_at",
    "step_after",
]
