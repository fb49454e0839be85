"""What became of a message after an HTTP request: one table for statuses, one rule for each way to fail.

Before the first octet of the request was written, the provider has nothing. Afterwards only an answer tells, and only
one that says so: 4xx by RFC 9110 15.5 (the request is at fault, so nothing was done), 301, 307 and 308 (it is to be
made elsewhere). After 302 and 303 the request may have been carried out, with the answer being elsewhere; a 409 may
mean that the message is there already; and a 5xx says that the server failed, not where: a gateway writes 502, 503 and
504 also when what stands behind it took the request and did not answer. All these are UNKNOWN.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from modembank.modem.outcome import AttemptOutcome, Cause, CauseClass
from modembank.outgoing import Ended, Reply
from modembank.outgoing.circuit import MOST_RETRY_AFTER_S, retry_after_s
from modembank.providers.adapters.http_excerpts import excerpt, without
from modembank.providers.adapters.http_paths import decoded, word
from modembank.providers.adapters.http_settings import Refusal, Settings
from modembank.providers.model import Result

CLASSES: dict[Refusal, CauseClass] = {
    "recipient": CauseClass.RECIPIENT,
    "account": CauseClass.SIM,
    "later": CauseClass.NETWORK,
    "busy": CauseClass.MODEM,
}
OTHER = None
"""In REFUSALS: what the settings say of a refusal without a code that they know."""
REFUSALS: dict[int, tuple[CauseClass | None, str]] = {
    301: (CauseClass.SIM, "the address moved: put the new one into url"),
    307: (CauseClass.SIM, "the address moved: put the new one into url"),
    308: (CauseClass.SIM, "the address moved: put the new one into url"),
    400: (OTHER, "it finds a mistake in the request"),
    401: (CauseClass.SIM, "it does not know the account: look at auth and its secret"),
    402: (CauseClass.SIM, "the account has no credit left"),
    403: (CauseClass.SIM, "the account may not do this"),
    404: (CauseClass.SIM, "the address leads to nothing there: look at url"),
    405: (CauseClass.SIM, "it does not take this method there"),
    406: (CauseClass.SIM, "it cannot answer as the headers ask"),
    407: (CauseClass.SIM, "a proxy before it wants a password"),
    408: (CauseClass.NETWORK, "it did not get the whole request in time"),
    410: (CauseClass.SIM, "the address is gone"),
    411: (CauseClass.SIM, "it wants another kind of request"),
    413: (CauseClass.RECIPIENT, "the message is too large for it"),
    414: (CauseClass.RECIPIENT, "the message is too long to be part of its address"),
    415: (CauseClass.SIM, "it does not take this kind of document"),
    421: (CauseClass.SIM, "another server is responsible for this address"),
    422: (OTHER, "it finds a mistake in the request"),
    423: (CauseClass.SIM, "the account is locked"),
    425: (CauseClass.NETWORK, "it takes nothing so early on a connection"),
    426: (CauseClass.SIM, "it wants another protocol"),
    429: (CauseClass.MODEM, "too many requests"),
    431: (CauseClass.SIM, "the headers are too large for it"),
    451: (CauseClass.RECIPIENT, "it may not take this message, by law"),
}
"""Statuses that say that the message was certainly not taken."""
AMBIGUOUS: dict[int, str] = {
    302: "a redirect, which is not followed; the message may have been taken before it",
    303: "a redirect, which is not followed; the message may have been taken before it",
    409: "a conflict: the message may be there already",
}
_PASSING = frozenset({CauseClass.NETWORK, CauseClass.MODEM})
_ODD = re.compile(r"[^A-Za-z0-9_.-]+")
REFERENCE_LIMIT = 200


class Said(msgspec.Struct, frozen=True):
    """An answer as far as it could be read."""

    reply: Reply
    document: Any
    """JSON, or None."""
    hidden: tuple[str, ...]
    """What no evidence may have."""
    now: float
    """Unix seconds."""

    @property
    def evidence(self) -> dict[str, str | int]:
        """What is kept of it."""
        found: dict[str, str | int] = {"status": self.reply.status, "ms": self.reply.ms}
        return found | ({"answer": text} if (text := excerpt(self.reply.body, self.hidden)) else {})

    def refused(self, klass: CauseClass, code: str, text: str, asked_s: float | None = None) -> Result:
        """Return that it was certainly not taken."""
        wait = asked_s if asked_s is not None else retry_after_s(self.reply.headers, self.now)
        cause = Cause(klass, code, without(text, self.hidden)[:300])
        after = wait if klass in _PASSING else None
        return Result(AttemptOutcome.REJECTED, cause=cause, evidence=self.evidence, retry_after_s=after)

    def ambiguous(self, code: str, text: str, asked_s: float | None = None) -> Result:
        """Return that it may have been taken; ``asked_s`` is for those who may safely ask again."""
        cause = Cause(CauseClass.AMBIGUOUS, code, without(text, self.hidden)[:300])
        return Result(AttemptOutcome.UNKNOWN, cause=cause, evidence=self.evidence, retry_after_s=asked_s)


def said(ended: Ended, hidden: Iterable[str], now: float) -> Said | Result:
    """Return what was answered, or what follows from no answer at all."""
    if ended.reply is None:
        return unanswered(ended, hidden)
    document = None if ended.reply.cut else decoded(ended.reply.body)
    return Said(ended.reply, document, tuple(hidden), now)


def unanswered(ended: Ended, hidden: Iterable[str]) -> Result:
    """Return what became of a message without an answer."""
    code, reason = ended.why.value if ended.why else "address_refused", without(ended.reason, hidden)[:250]
    if ended.withdrawn:
        cause = Cause(CauseClass.MODEM, "gate_closed", "not sent: withdrawn before the provider was given the text")
        return Result(AttemptOutcome.NOT_SENT, cause=cause)
    if not ended.began:
        return not_sent(code, reason)
    cause = Cause(CauseClass.AMBIGUOUS, code, f"it may have been taken: {reason}")
    return Result(AttemptOutcome.UNKNOWN, cause=cause, evidence={"failed": reason})


def not_sent(code: str, why: str) -> Result:
    """Return that the provider certainly has nothing, and could not be given anything now."""
    cause = Cause(CauseClass.MODEM, code, why[:300])
    return Result(AttemptOutcome.NOT_SENT, cause=cause, evidence={"failed": why[:300]})


def accepted(evidence: dict[str, str | int], reference: str | None) -> Result:
    """Return that it was taken; of the answer nothing but figures is kept, since it may repeat the text."""
    return Result(AttemptOutcome.ACCEPTED, reference=reference, evidence=evidence)


def judge(settings: Settings, ended: Ended, hidden: Iterable[str], now: float) -> Result:
    """Return what became of a message, as the settings read the answer."""
    answer = said(ended, hidden, now)
    if isinstance(answer, Result):
        return answer
    status = answer.reply.status
    if status in settings.success_statuses or (not settings.success_statuses and 200 <= status < 300):
        return _success(settings, answer, ended)
    return _known_refusal(settings, answer) or _by_status(settings, answer)


def _success(settings: Settings, answer: Said, ended: Ended) -> Result:
    figures: dict[str, str | int] = {"status": answer.reply.status, "ms": answer.reply.ms}
    if not settings.success_path and not settings.answer_id:
        return accepted(figures, None)
    if answer.reply.cut:
        return answer.ambiguous("answer_cut", f"the status says taken, but the answer is not whole: {ended.reason}")
    if settings.success_path:
        found = word(answer.document, settings.success_path)
        if found not in settings.success_values:
            return _no_success(settings, answer, found)
    reference = word(answer.document, settings.answer_id)
    if reference and len(reference) <= REFERENCE_LIMIT:
        return accepted(figures, reference)
    if settings.success_path:
        return accepted(figures | {"no_id": "the answer says taken and has no id"}, None)
    return answer.ambiguous("answer_nonsense", f"the status says taken, but there is no id at {settings.answer_id}")


def _no_success(settings: Settings, answer: Said, found: str | None) -> Result:
    if refusal := _known_refusal(settings, answer):
        return refusal
    if found is None:
        why = f"the status says taken, but nothing is at {settings.success_path}"
        return answer.ambiguous("answer_nonsense", why)
    if found in settings.failure_values:
        code, text = _error(settings, answer)
        return answer.refused(CLASSES[settings.other_errors], _key(code or found), text or f"it answers {found[:80]}")
    why = f"{found[:80]!a} at {settings.success_path} is neither in success_values nor in failure_values"
    return answer.ambiguous("answer_unlisted", why)


def _known_refusal(settings: Settings, answer: Said) -> Result | None:
    """Return what the table of errors says, by the answer's code or else by its status."""
    code, text = _error(settings, answer)
    status = f"http_{answer.reply.status}"
    for listed in (code, status):
        if listed is not None and listed in settings.errors:
            key = listed if listed == status else _key(listed)
            words = text or f"the provider refuses it: {listed}"
            return answer.refused(CLASSES[settings.errors[listed]], key, words, _asked_s(settings, answer))
    return None


def _by_status(settings: Settings, answer: Said) -> Result:
    status = answer.reply.status
    code, text = _error(settings, answer)
    key = f"http_{status}" if code is None else _key(code)
    if status in REFUSALS or (400 <= status < 500 and status not in AMBIGUOUS):
        klass, meaning = REFUSALS.get(status, (OTHER, "it refuses the request"))
        words = f"{status}: {text or meaning}"
        return answer.refused(klass or CLASSES[settings.other_errors], key, words, _asked_s(settings, answer))
    if status >= 500 and settings.server_errors == "not_taken":
        return answer.refused(CauseClass.NETWORK, key, f"{status}: {text or 'it failed'}", _asked_s(settings, answer))
    meaning = "it failed, and may have taken the message before" if status >= 500 else "this says neither yes nor no"
    asked_s = _asked_s(settings, answer) or retry_after_s(answer.reply.headers, answer.now)
    return answer.ambiguous(key, f"{status}: {text or AMBIGUOUS.get(status, meaning)}", asked_s)


def _error(settings: Settings, answer: Said) -> tuple[str | None, str | None]:
    return word(answer.document, settings.answer_code), word(answer.document, settings.answer_text)


def _asked_s(settings: Settings, answer: Said) -> float | None:
    found = word(answer.document, settings.answer_retry_after)
    try:
        seconds = float(found or "")
    except ValueError:
        return None
    return min(seconds, MOST_RETRY_AFTER_S) if seconds >= 0 else None


def _key(code: str) -> str:
    """Return a provider's code as the stable key of a cause."""
    return f"code_{_ODD.sub('_', code)[:60]}"
