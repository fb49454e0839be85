"""A box's own key and what it has to say with it: a request for a certificate, and the proof that it had one before."""

from __future__ import annotations

import base64

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from modembank.errors import ModembankError

RENEWAL = b"modembank renewal\0"
"""Before the request (DER) that the key before signs: such a signature is good for nothing else."""


class BadCertificate(ModembankError):
    """The hub's answer is no certificate for this key."""

    key = "bad_certificate"
    template = "the hub's certificate {problem}"


class Facts(msgspec.Struct, frozen=True):
    """What a certificate says; times are unix seconds."""

    serial: str
    """In hexadecimal digits."""
    common_name: str
    not_before: float
    not_after: float


def new_key() -> bytes:
    """Make a key on the curve P-256 (PEM)."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def request(key: bytes, name: str) -> str:
    """Return the request for a certificate (PKCS #10, PEM); the hub decides about its name. Raises ValueError."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(_read(key), hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode("ascii")


def proof(key: bytes, csr: str) -> str:
    """Return in base64 what a key signs of a request for another one (ECDSA, SHA-256); raises ValueError."""
    der = x509.load_pem_x509_csr(csr.encode()).public_bytes(serialization.Encoding.DER)
    return base64.b64encode(_read(key).sign(RENEWAL + der, ec.ECDSA(hashes.SHA256()))).decode("ascii")


def fingerprint(certificate: bytes) -> bytes:
    """Return the SHA-256 of a certificate (PEM) in DER; raises ValueError."""
    return x509.load_pem_x509_certificate(certificate).fingerprint(hashes.SHA256())


def check(certificate: str, key: bytes, authority: str) -> Facts:
    """Return what a certificate says that an authority gave for a key; raises BadCertificate."""
    try:
        found = x509.load_pem_x509_certificate(certificate.encode())
        names = found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        mine = found.public_key() == _read(key).public_key()
    except ValueError as error:
        raise BadCertificate(problem="cannot be read") from error
    if not mine:
        raise BadCertificate(problem="is for another key")
    try:
        found.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.encode()))
    except (ValueError, TypeError, InvalidSignature) as error:
        raise BadCertificate(problem="is not of the authority that the token names") from error
    return Facts(
        serial=f"{found.serial_number:x}",
        common_name=str(names[0].value) if names else "",
        not_before=found.not_valid_before_utc.timestamp(),
        not_after=found.not_valid_after_utc.timestamp(),
    )


def _read(key: bytes) -> ec.EllipticCurvePrivateKey:
    found = serialization.load_pem_private_key(key, None)
    if not isinstance(found, ec.EllipticCurvePrivateKey):
        message = "is no key on a curve"
        raise ValueError(message)
    return found
