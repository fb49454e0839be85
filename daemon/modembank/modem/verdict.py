"""From a final result to what is true of an attempt (3GPP TS 27.005 3.2.5; the classes are modembank.at's tables)."""

from __future__ import annotations

from modembank.at import AtResult, CmsClass, FinalStatus, cme_cause, cms_cause, parse_message_reference
from modembank.modem.outcome import AttemptOutcome, Cause, CauseClass

_CLASSES = {
    CmsClass.RECIPIENT_FINAL: CauseClass.RECIPIENT,
    CmsClass.COUNTS_AS_SENT: CauseClass.RECIPIENT,
    CmsClass.SIM_ACCOUNT: CauseClass.SIM,
    CmsClass.NETWORK_TRANSIENT: CauseClass.NETWORK,
    CmsClass.AMBIGUOUS: CauseClass.AMBIGUOUS,
    CmsClass.MODEM_NOT_READY: CauseClass.MODEM,
    CmsClass.SIM_ABSENT: CauseClass.SIM_ABSENT,
    CmsClass.STORAGE: CauseClass.STORAGE,
    CmsClass.VALIDITY: CauseClass.VALIDITY,
}
INVALID_PDU = 304
NO_PROMPT = Cause(CauseClass.MODEM, "no_prompt", "the modem gave no prompt")
GATE_CLOSED = Cause(CauseClass.MODEM, "gate_closed", "not sent: withdrawn before the modem was given the text")
PORT_GONE = Cause(CauseClass.PORT, "port_gone", "the port was lost before anything was sent")
NOT_REGISTERED = Cause(CauseClass.MODEM, "not_in_service", "the modem is not in service")
RESTARTED = Cause(CauseClass.MODEM, "restarted", "the modem restarted before anything was sent")


def cause_of(result: AtResult, elapsed_s: float | None, *, validity_suspect: bool = False) -> Cause:
    """Return why the modem refused; ``elapsed_s`` since Ctrl-Z, None before it.

    ``validity_suspect``: the PDU has a validity period, and this modem has not been seen to take one.
    """
    match result.status:
        case FinalStatus.CMS_ERROR:
            known = cms_cause(result.code, elapsed_s)
            klass = _CLASSES[known.kind]
            if result.code == INVALID_PDU and validity_suspect:
                klass = CauseClass.VALIDITY
            code = f"cms_{result.code}" if result.code is not None else "cms"
            return Cause(klass, code, _words("+CMS ERROR", result, known.name))
        case FinalStatus.CME_ERROR:
            known = cme_cause(result.code)
            code = f"cme_{result.code}" if result.code is not None else "cme"
            return Cause(_CLASSES[known.kind], code, _words("+CME ERROR", result, known.name))
        case _:
            return Cause(CauseClass.NETWORK, "error", f"the modem says {final_text(result)} and no number")


Judgement = tuple[AttemptOutcome, int | None, Cause | None]


def judge(result: AtResult, elapsed_s: float, late_s: float, *, validity_suspect: bool) -> Judgement:
    """Return the outcome, message reference and cause of a final result that came ``elapsed_s`` after Ctrl-Z."""
    if result.ok:
        references = [parse_message_reference(line) for line in result.lines if line.startswith("+CMGS:")]
        reference = references[0] if references else None
        return AttemptOutcome.ACCEPTED, None if reference is None else reference & 0xFF, None
    cause = cause_of(result, elapsed_s, validity_suspect=validity_suspect)
    bare = result.status is not FinalStatus.CMS_ERROR and result.status is not FinalStatus.CME_ERROR
    if bare and elapsed_s > late_s:
        # A number-less error after a network timeout's time: the text may be out, only its acknowledgement lost.
        cause = Cause(CauseClass.AMBIGUOUS, cause.code, cause.text)
    if cause.klass is CauseClass.AMBIGUOUS:
        return AttemptOutcome.UNKNOWN, None, cause
    return AttemptOutcome.REJECTED, None, cause


def final_text(result: AtResult) -> str:
    """Return the final result as the modem wrote it, as nearly as it is known; bounded."""
    sent = next((line for line in result.lines if line.startswith("+CMGS:")), None)
    if result.ok:
        return sent[:80] if sent else "OK"
    said = result.code if result.code is not None else (result.text or "")
    match result.status:
        case FinalStatus.CMS_ERROR:
            return f"+CMS ERROR: {said}"[:80]
        case FinalStatus.CME_ERROR:
            return f"+CME ERROR: {said}"[:80]
        case _:
            return (result.text or result.status.value.upper().replace("_", " "))[:80]


def has_validity(pdu: str) -> bool:
    """Whether a SUBMIT carries a validity period (3GPP TS 23.040 9.2.3.3: bits 4 and 3 of its first octet)."""
    try:
        centre = int(pdu[:2], 16)
        first = int(pdu[2 + 2 * centre : 4 + 2 * centre], 16)
    except ValueError:
        return False
    return bool(first & 0x18)


def _words(kind: str, result: AtResult, name: str) -> str:
    number = "" if result.code is None else f" {result.code}"
    return f"{kind}{number}: {(result.text or name).lower()[:80]}"
