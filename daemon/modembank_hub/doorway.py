"""The hub's own certificate where boxes enrol: of the fleet's authority, for which a token's fingerprint vouches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from modembank.clock import Clock
from modembank_fleet.authority import (
    Authority,
    ends_at,
    kept_authority,
    new_server_key,
    serves,
    write_private,
    write_public,
)
from modembank_hub.config import EnrolmentConfig

DAYS = 397
RENEWED_BEFORE_S = 60 * 86_400
CERTIFICATE, KEY = "server.crt", "server.key"


def issue_server(folder: Path, stem: str, names: Sequence[str], into: Path | None = None) -> tuple[Path, Path]:
    """Write a server's certificate, such as a broker's, and its key; return both files.

    It is of the authority in ``folder``, good for host names and IP addresses. Raises BadAuthority, OSError.
    """
    authority, key = kept_authority(folder, "Modembank fleet"), new_server_key()
    certificate, private = (into or folder) / f"{stem}.crt", (into or folder) / f"{stem}.key"
    made = authority.certify_server(key, names, DAYS)
    write_private(private, key)
    write_public(certificate, made + authority.pem)
    return certificate, private


class Doorway:
    """Keeps a certificate that is good for the names in the configuration."""

    def __init__(self, config: EnrolmentConfig, authority: Authority, folder: Path, clock: Clock) -> None:
        """Keep it in ``folder``."""
        self._names = tuple(dict.fromkeys((urlsplit(config.address).hostname or "", *config.names)))
        self._authority = authority
        self._clock = clock
        self.certificate, self.key = folder / CERTIFICATE, folder / KEY

    def ready(self) -> bool:
        """Have a good one lie there; return whether it is another than before. Raises OSError."""
        if not self.key.exists():
            self.certificate.unlink(missing_ok=True)
            write_private(self.key, new_server_key())
        if self._is_good():
            return False
        made = self._authority.certify_server(self.key.read_bytes(), self._names, DAYS)
        write_public(self.certificate, made + self._authority.pem)
        return True

    def _is_good(self) -> bool:
        try:
            found = self.certificate.read_bytes()
            left_s = ends_at(found) - self._clock.now()
            return left_s > RENEWED_BEFORE_S and serves(found, self._names, self._authority.pem)
        except (OSError, ValueError):
            return False
