"""Messages: accepting, showing and cancelling outbound ones, and everything that comes in."""

from modembank.messages.admission import Admission
from modembank.messages.consent import Consent
from modembank.messages.held import HeldMessages
from modembank.messages.inbox import Inbox
from modembank.messages.loops import Loop, Loops
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
from modembank.messages.permitted import Permitted
from modembank.messages.receiving import Receiving
from modembank.messages.requests import (
    IdempotencyKey,
    IdempotencyMismatch,
    MessageFilter,
    OptedOut,
    SubmitRequest,
    UnknownProvider,
    read_request,
)
from modembank.messages.service import Messages
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
    "AttemptView",
    "Consent",
    "Conservation",
    "EvidenceView",
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
    "Note",
    "OnUnknown",
    "OptedOut",
    "OutageDecision",
    "OutageView",
    "Page",
    "Permitted",
    "Preview",
    "QueuedMessage",
    "Receiving",
    "Replacement",
    "ReportView",
    "Route",
    "Settlement",
    "SubmitReceipt",
    "SubmitRequest",
    "UnknownProvider",
    "WaitExplainer",
    "WaitingMessage",
    "read_request",
]
