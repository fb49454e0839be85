"""What becomes of a mail when an exchange over SMTP ends as it did: one table. Pure.

A server is bound by its answer to the end of the data, and by nothing before it (RFC 5321 4.1.1.4, 6.1). So whatever
fails earlier leaves it without the mail, and when nothing is heard after the final dot, it may have it.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence

import msgspec

from modembank.modem.outcome import AttemptOutcome, Cause, CauseClass
from modembank.outgoing import Why
from modembank.providers.model import EVIDENCE_LIMIT, Evidence, Result

MOST_ANSWER = 300
MOST_REFERENCE = 200
"""Characters of an answer that are kept, and of a reference."""


class Stage(enum.IntEnum):
    """How far an exchange has come: the step whose end is waited for."""

    CONNECT = 1
    GREETING = 2
    ENCRYPTION = 3
    LOGIN = 4
    SENDER = 5
    RECIPIENT = 6
    DATA = 7
    """The word DATA, before anything of the mail."""
    BODY = 8
    """The mail without its final dot."""
    END = 9
    """The final dot was written."""

    @property
    def word(self) -> str:
        """For evidence."""
        return self.name.lower()


class Answer(msgspec.Struct, frozen=True):
    """A complete answer of a server."""

    code: int
    text: str
    """What stands behind the code; lines are joined by line feeds."""

    @property
    def status(self) -> str:
        """The enhanced code (RFC 3463), where there is one that fits."""
        found = _ENHANCED.match(self.text)
        return found[0] if found is not None and found[1] == str(self.code)[0] else ""

    @property
    def makes_sense(self) -> bool:
        """Whether its code is one of SMTP."""
        return 200 <= self.code <= 599

    @property
    def agrees(self) -> bool:
        """Whether what was asked is done (RFC 5321 4.2.1: the first digit decides)."""
        return 200 <= self.code <= 299


_ENHANCED = re.compile(r"([245])\.\d{1,3}\.\d{1,3}(?=\s|$)")
_QUEUED = re.compile(r"(?:queued as|id=|messageid:?)\s*([A-Za-z0-9._-]{4,64})", re.IGNORECASE)
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\xa0-\u2027\u2030-\ud7ff\ue000-\uffef]+")

_BY_STATUS: tuple[tuple[re.Pattern[str], CauseClass], ...] = tuple(
    (re.compile(pattern), klass)
    for pattern, klass in (
        (r"5\.1\.[78]", CauseClass.SIM),  # the sender's address is bad
        (r"5\.1\.\d+", CauseClass.RECIPIENT),  # another address than the recipient's would do
        (r"5\.2\.\d+", CauseClass.RECIPIENT),  # its mailbox is closed, or full
        (r"5\.3\.4", CauseClass.RECIPIENT),  # the mail is too large
        (r"5\.4\.\d+", CauseClass.RECIPIENT),  # no way to its host
        (r"5\.6\.\d+", CauseClass.RECIPIENT),  # nobody could read the mail
        (r"5\.[357]\.\d+", CauseClass.SIM),  # this server, its protocol, or its policy: another one may
    )
)
_BY_CODE = {
    (Stage.SENDER, 552): CauseClass.RECIPIENT,  # too large
    (Stage.RECIPIENT, 530): CauseClass.SIM,  # it wants a login
    (Stage.RECIPIENT, 535): CauseClass.SIM,
    (Stage.RECIPIENT, 503): CauseClass.SIM,
    (Stage.DATA, 503): CauseClass.SIM,
}
_OF_A_STAGE = {
    Stage.CONNECT: CauseClass.MODEM,
    Stage.GREETING: CauseClass.MODEM,
    Stage.ENCRYPTION: CauseClass.MODEM,
    Stage.LOGIN: CauseClass.SIM,
    Stage.SENDER: CauseClass.SIM,
    Stage.RECIPIENT: CauseClass.RECIPIENT,
    Stage.DATA: CauseClass.RECIPIENT,
    Stage.BODY: CauseClass.RECIPIENT,
    Stage.END: CauseClass.RECIPIENT,
}


def taken(answer: Answer, reference: str) -> Result:
    """The server has the mail."""
    return Result(AttemptOutcome.ACCEPTED, reference[:MOST_REFERENCE], evidence=_evidence(Stage.END, answer))


def refused(stage: Stage, answer: Answer, hidden: Sequence[str] = ()) -> Result:
    """A server said no; ``hidden`` is what an answer may repeat and nobody shall read."""
    if not answer.makes_sense or answer.code < 400:
        return failed(stage, Why.PROTOCOL, f"it answered {answer.code}, which is no answer here", answer)
    met = AttemptOutcome.REJECTED if stage >= Stage.SENDER else AttemptOutcome.NOT_SENT
    text = _shown(answer.text, hidden)
    cause = Cause(_class_of(stage, answer), f"smtp_{answer.code}", f"{answer.code} {text} (at {stage.word})")
    return Result(met, cause=cause, evidence=_evidence(stage, answer, text))


def failed(stage: Stage, why: Why, reason: str, answer: Answer | None = None) -> Result:
    """No answer came, or none that makes sense."""
    evidence = _evidence(stage, answer) | {"failed": reason[:EVIDENCE_LIMIT]}
    if stage is Stage.END:
        cause = Cause(CauseClass.AMBIGUOUS, f"smtp_{why.value}", f"{reason}, after the whole mail was written")
        return Result(AttemptOutcome.UNKNOWN, cause=cause, evidence=evidence)
    return not_sent(f"smtp_{why.value}", reason, CauseClass.MODEM, evidence)


def not_sent(code: str, reason: str, klass: CauseClass, evidence: Evidence | None = None) -> Result:
    """Nothing of the mail has left the box."""
    return Result(AttemptOutcome.NOT_SENT, cause=Cause(klass, code, reason), evidence=evidence or {})


def _class_of(stage: Stage, answer: Answer) -> CauseClass:
    if answer.code == 421 or stage <= Stage.ENCRYPTION:  # it closes, whatever it was asked (RFC 5321 3.8)
        return CauseClass.MODEM
    if answer.code < 500:
        return CauseClass.NETWORK
    if stage is Stage.LOGIN:
        return CauseClass.SIM
    for pattern, klass in _BY_STATUS:
        if pattern.fullmatch(answer.status):
            return klass
    return _BY_CODE.get((stage, answer.code), _OF_A_STAGE[stage])


def _evidence(stage: Stage, answer: Answer | None, text: str | None = None) -> dict[str, str | int | float | bool]:
    found: dict[str, str | int | float | bool] = {"stage": stage.word}
    if answer is None:
        return found
    found |= {"code": answer.code, "answer": _shown(answer.text) if text is None else text}
    if answer.status:
        found["status"] = answer.status
    queued = _QUEUED.search(answer.text)
    if queued is not None and stage is Stage.END:
        found["queue_id"] = queued[1]
    return found


def _shown(text: str, hidden: Sequence[str] = ()) -> str:
    for secret in hidden:
        text = text.replace(secret, "…") if secret else text
    return _UNPRINTABLE.sub(" ", text)[:MOST_ANSWER].strip()
