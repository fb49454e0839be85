"""Messages: accepting, showing and cancelling outbound ones, and everything that comes in."""

from modembank.messages.admission import Admission
from modembank.messages.consent import Consent
from modembank.messages.held import HeldMessages
from modembank.messages.inbox import Inbox
from modembank.messages.loops import Loop, Loops
from modembank.messages.members import BatchMember
from modembank.messages.model import (
    TERMINAL,
    Intent,
    MessageFlags,
    MessageState,
    OnUnknown,
    QueuedMessage,
    Route,
    Settlement,
)
from modembank.messages.own_numbers import NumberedSim, OwnNumbers
from modembank.messages.permitted import Permitted
from modembank.messages.receiving import Receiving
from modembank.messages.requests import (
    AllProvidersDisabled,
    IdempotencyKey,
    IdempotencyMismatch,
    MessageFilter,
    NoProviderAvailable,
    OptedOut,
    ProviderDisabled,
    SubmitRequest,
    UnknownProvider,
    read_request,
)
from modembank.messages.service import Messages
from modembank.messages.taking import HandedIn, TakenIn, Taking
from modembank.messages.views import (
    Accepted,
    AttemptView,
    Conservation,
    EvidenceView,
    InboxView,
    MessageView,
    Note,
    OutageDecision,
    OutageView,
    Page,
    Preview,
    Replacement,
    ReportView,
    SubmitReceipt,
)
from modembank.messages.waiting import WaitExplainer, WaitingMessage

__all__ = [
    "TERMINAL",
    "Accepted",
    "Admission",
    "AllProvidersDisabled",
    "AttemptView",
    "BatchMember",
    "Consent",
    "Conservation",
    "EvidenceView",
    "HandedIn",
    "HeldMessages",
    "IdempotencyKey",
    "IdempotencyMismatch",
    "Inbox",
    "InboxView",
    "Intent",
    "Loop",
    "Loops",
    "MessageFilter",
    "MessageFlags",
    "MessageState",
    "MessageView",
    "Messages",
    "NoProviderAvailable",
    "Note",
    "NumberedSim",
    "OnUnknown",
    "OptedOut",
    "OutageDecision",
    "OutageView",
    "OwnNumbers",
    "Page",
    "Permitted",
    "Preview",
    "ProviderDisabled",
    "QueuedMessage",
    "Receiving",
    "Replacement",
    "ReportView",
    "Route",
    "Settlement",
    "SubmitReceipt",
    "SubmitRequest",
    "TakenIn",
    "Taking",
    "UnknownProvider",
    "WaitExplainer",
    "WaitingMessage",
    "read_request",
]
