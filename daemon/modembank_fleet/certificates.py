"""What a certificate says of itself."""

from __future__ import annotations

from pathlib import Path

from cryptography import x509


def ends_at(path: Path) -> float | None:
    """Return until when the certificate in a file (PEM) is valid, in unix seconds; None: there is none to be read."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc.timestamp()
    except (OSError, ValueError):
        return None
