"""The appliance's certificate, when browsers will not take it for much longer."""

from __future__ import annotations

from modembank.clock import rfc3339
from modembank.events import BoxChanged
from modembank.health.model import Finding, Severity
from modembank.health.parts import Check, Standing
from modembank.health.surroundings import Surroundings

DAYS = 30
_DAY_MS = 86_400_000


async def look(around: Surroundings, standing: Standing) -> list[Finding]:  # noqa: ARG001 - what all checks take
    """Find that the certificate ends soon or has ended, or that the owner's is not used."""
    certificate = (await around.appliance.state()).certificate
    if certificate is None:
        return []
    end = certificate.not_after
    ending = end is not None and end - around.now_ms < DAYS * _DAY_MS
    if not ending and not certificate.problem:
        return []
    until = "" if end is None else rfc3339(end)
    over = end is not None and end <= around.now_ms
    summary = f"The certificate for HTTPS {'ended' if over else 'ends'} on {until[:10]}." if ending else ""
    way_out = certificate.problem or (
        "Put a new one, tls.crt and tls.key, on the boot partition, and restart"
        if certificate.own
        else "The box makes a new one at a restart, if its clock is right"
    )
    evidence = {"fingerprint": certificate.fingerprint, "not_after": until, "own": certificate.own}
    severity = Severity.CRITICAL if over else Severity.WARNING
    return [Finding("", severity, f"{summary} {way_out}.".strip(), evidence)]


CHECK = Check(
    kind="certificate_expiring",
    when=f"The appliance's certificate for HTTPS ends within {DAYS} days, or the owner's is not used",
    severity="warning; critical when it has ended",
    todo="Put a new one on the boot partition, or restart for the box to make one",
    look=look,
    every_s=300,
    on=(BoxChanged,),
)
