"""Certificates of one's own for a fleet: an authority, and who it vouches for. For demonstrations and tests.

They end within days, and the authority's own key is written to no file: what lives on needs a real one (docs/hub.md).
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_AHEAD = dt.timedelta(days=2)
"""Certificates count from so long ago: others' clocks may be behind."""


class Authority:
    """Vouches for names, with keys on the curve P-256."""

    def __init__(self, folder: Path, name: str) -> None:
        """Make its own certificate in ``folder``."""
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        self.ca = folder / "ca.crt"
        """What others are to trust (PEM)."""
        self.ca.write_bytes(_pem(self._made(self._name, self._key.public_key(), 1, authority=True)))

    def issue(self, common_name: str, *addresses: str, days: int = 1) -> tuple[Path, Path]:
        """Return the files of a new certificate and its key (PEM); a server's names its IP ``addresses``."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = self._made(_name(common_name), key.public_key(), days, addresses)
        stem = common_name.replace("/", "_")
        certificate, private = self._folder / f"{stem}.crt", self._folder / f"{stem}.key"
        certificate.write_bytes(_pem(made))
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        private.touch(0o600)
        private.write_bytes(secret)
        return certificate, private

    def _made(
        self,
        name: x509.Name,
        key: ec.EllipticCurvePublicKey,
        days: int,
        addresses: tuple[str, ...] = (),
        *,
        authority: bool = False,
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _AHEAD)
            .not_valid_after(now + dt.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if addresses:
            names = [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, hashes.SHA256())


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _pem(made: x509.Certificate) -> bytes:
    return made.public_bytes(serialization.Encoding.PEM)
