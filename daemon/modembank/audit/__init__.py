"""The audit log: who changed what, chained by hashes so that a change to it shows."""

from modembank.audit.log import FIRST, Who, head, record
from modembank.audit.readings import Readings, note_reading
from modembank.audit.rows import Wanted
from modembank.audit.service import Audit
from modembank.audit.views import AuditEntry, AuditPage, AuditVerdict

__all__ = [
    "FIRST",
    "Audit",
    "AuditEntry",
    "AuditPage",
    "AuditVerdict",
    "Readings",
    "Wanted",
    "Who",
    "head",
    "note_reading",
    "record",
]
