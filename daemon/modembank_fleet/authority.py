"""The authority of a fleet: vouches for boxes, for the broker and for the hub, and says whom it vouches for no more.

It signs with a key on the curve P-256 that it makes for itself, or with one that a site has already (EC or RSA).
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import ipaddress
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from modembank.durable import sync
from modembank.errors import ModembankError
from modembank_fleet.credentials import RENEWAL

AHEAD = dt.timedelta(days=2)
"""Certificates count from so long ago: others' clocks may be behind."""
CA_DAYS = 7300
CRL_DAYS = 3650
"""A list that has ended makes a broker refuse everybody: it is written anew long before."""
CERTIFICATE, KEY = "ca.crt", "ca.key"
"""What the files of an authority are called in its folder."""


class BadAuthority(ModembankError):
    """The files of the authority cannot be used; what is in the key's is never said."""

    key = "bad_authority"
    template = "the fleet's authority cannot be used: {path} {problem}"


class BadRequestForCertificate(ModembankError):
    """What was presented is no request that can be signed."""

    key = "bad_csr"
    template = "{problem}"


class Authority:
    """Vouches for names."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
        """Use a certificate and its key; see ``new_authority`` and ``kept_authority``."""
        self._certificate, self._key = certificate, key
        self.pem = certificate.public_bytes(serialization.Encoding.PEM)
        """What others are to trust."""
        self.fingerprint = certificate.fingerprint(hashes.SHA256())
        """SHA-256 of the certificate in DER: 32 octets."""

    def certify_box(self, request: x509.CertificateSigningRequest, common_name: str, days: int) -> x509.Certificate:
        """Return a client's certificate for the key of a request, whatever name that asks for."""
        return self._certify(request.public_key(), common_name, days, client=True)

    def certify_server(self, key: bytes, names: Sequence[str], days: int) -> bytes:
        """Return a server's certificate (PEM) for a private key (PEM), good for host names and IP addresses."""
        public = serialization.load_pem_private_key(key, None).public_key()
        made = self._certify(public, names[0], days, names=names)
        return made.public_bytes(serialization.Encoding.PEM)

    def crl(self, serials: Iterable[tuple[int, float]], number: int, at: float) -> bytes:
        """Return the list (PEM) of those it vouches for no more: their serials, and since when (unix seconds).

        ``number`` and ``at`` have to grow from one to the next: of two that a broker has read the later one counts.
        """
        dated = dt.datetime.fromtimestamp(at, dt.UTC)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._certificate.subject)
            .last_update(dated)
            .next_update(dated + dt.timedelta(days=CRL_DAYS))
            .add_extension(x509.CRLNumber(number), critical=False)
            .add_extension(_issuer_of(self._certificate), critical=False)
        )
        for serial, since in serials:
            revoked = (
                x509.RevokedCertificateBuilder()
                .serial_number(serial)
                .revocation_date(dt.datetime.fromtimestamp(since, dt.UTC))
                .build()
            )
            builder = builder.add_revoked_certificate(revoked)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def _certify(
        self,
        public: object,
        common_name: str,
        days: int,
        *,
        names: Sequence[str] = (),
        client: bool = False,
    ) -> x509.Certificate:
        purpose = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
        builder = (
            _begun(public, _name(common_name), self._certificate.subject, days)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(_issuer_of(self._certificate), critical=False)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(map(_alternative, names)), critical=False)
        return builder.sign(self._key, hashes.SHA256())


def new_authority(name: str, key: ec.EllipticCurvePrivateKey | None = None) -> tuple[Authority, bytes]:
    """Make one, of a new key or of this one; return it with its private key (PEM)."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    made = (
        _begun(key.public_key(), _name(name), _name(name), CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(made, key), _written(key)


def kept_authority(folder: Path, name: str) -> Authority:
    """Return the authority of a folder; where there is none, one is made there. Raises BadAuthority."""
    certificate, key = folder / CERTIFICATE, folder / KEY
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not certificate.exists() and not key.exists():
            write_private(key, new_server_key())
        if key.stat().st_mode & 0o077:
            raise BadAuthority(path=key, problem="can be read by others: chmod 600")
        secret = _read_key(key)
        if not certificate.exists():  # a start that was killed just here left the key
            if isinstance(secret, rsa.RSAPrivateKey):
                raise BadAuthority(path=certificate, problem="is missing beside its key")
            write_public(certificate, new_authority(name, secret)[0].pem)
        return _read(certificate, key, secret)
    except OSError as error:
        raise BadAuthority(path=error.filename or folder, problem=f"cannot be used: {error.strerror}") from error


def new_server_key() -> bytes:
    """Make a server's key (PEM)."""
    return _written(ec.generate_private_key(ec.SECP256R1()))


def write_private(path: Path, content: bytes) -> None:
    """Write what its owner alone may read, whole or not at all; raises OSError."""
    _write(path, content, 0o600)


def write_public(path: Path, content: bytes) -> None:
    """Write what everybody may read, whole or not at all; raises OSError."""
    _write(path, content, 0o644)


def read_request(pem: str) -> x509.CertificateSigningRequest:
    """Return a request whose key is on the curve P-256 and signed it; raises BadRequestForCertificate."""
    try:
        request = x509.load_pem_x509_csr(pem.encode())
        key = request.public_key()
        signed = request.is_signature_valid
    except (ValueError, TypeError) as error:
        raise BadRequestForCertificate(problem="is no certificate request (PKCS #10, PEM)") from error
    except UnsupportedAlgorithm as error:
        raise BadRequestForCertificate(problem="has a key of a kind that is not taken") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise BadRequestForCertificate(problem="must have a key on the curve P-256")
    if not signed:
        raise BadRequestForCertificate(problem="is not signed by its own key")
    return request


def key_digest(holder: x509.CertificateSigningRequest | x509.Certificate) -> bytes:
    """Return the SHA-256 of a public key (SubjectPublicKeyInfo in DER)."""
    der = holder.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(der)
    return digest.finalize()


def is_proof(certificate: str, csr: str, proof: str) -> bool:
    """Whether the key of a certificate signed a request for another one, as ``credentials.proof`` does."""
    try:
        public = x509.load_pem_x509_certificate(certificate.encode()).public_key()
        der = x509.load_pem_x509_csr(csr.encode()).public_bytes(serialization.Encoding.DER)
        signature = base64.b64decode(proof, validate=True)
        if not isinstance(public, ec.EllipticCurvePublicKey):
            return False
        public.verify(signature, RENEWAL + der, ec.ECDSA(hashes.SHA256()))
    except (ValueError, binascii.Error, InvalidSignature):
        return False
    return True


def pem_of(certificate: x509.Certificate) -> str:
    """Return a certificate as text."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def serial_of(pem: str) -> str | None:
    """Return the serial of a certificate in hexadecimal digits; None: it is no certificate."""
    try:
        return f"{x509.load_pem_x509_certificate(pem.encode()).serial_number:x}"
    except ValueError:
        return None


def ends_at(pem: bytes) -> float:
    """Return when a certificate ends, in unix seconds; raises ValueError."""
    return x509.load_pem_x509_certificate(pem).not_valid_after_utc.timestamp()


def serves(pem: bytes, names: Sequence[str], authority: bytes) -> bool:
    """Whether a server's certificate is of that authority and good for just these names; raises ValueError."""
    found = x509.load_pem_x509_certificate(pem)
    try:
        found.verify_directly_issued_by(x509.load_pem_x509_certificate(authority))
        stands = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    return list(stands) == [_alternative(name) for name in names]


def _read(certificate: Path, key: Path, secret: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> Authority:
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
        basic = found.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (ValueError, x509.ExtensionNotFound) as error:
        raise BadAuthority(path=certificate, problem="holds no certificate of an authority (PEM)") from error
    if not basic.ca:
        raise BadAuthority(path=certificate, problem="holds a certificate that may issue no others (CA: false)")
    if found.not_valid_after_utc < dt.datetime.now(dt.UTC):
        raise BadAuthority(path=certificate, problem=f"ended on {found.not_valid_after_utc:%Y-%m-%d}")
    if secret.public_key() != found.public_key():
        raise BadAuthority(path=key, problem=f"is not the key of {certificate.name}")
    return Authority(found, secret)


def _read_key(path: Path) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    try:
        secret = serialization.load_pem_private_key(path.read_bytes(), None)
    except TypeError as error:
        raise BadAuthority(path=path, problem="has a password, which nobody could type at a start") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadAuthority(path=path, problem="holds no private key (PEM)") from error
    if not isinstance(secret, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise BadAuthority(path=path, problem="must hold an EC or an RSA key")
    return secret


def _begun(public: object, subject: x509.Name, issuer: x509.Name, days: int) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)  # type: ignore[arg-type]  # of a request, of kinds that were checked
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - AHEAD)
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)  # type: ignore[arg-type]
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _issuer_of(certificate: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    try:
        known = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(certificate.public_key())  # type: ignore[arg-type]
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(known)


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _written(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes, mode: int) -> None:
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    opened = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(opened, "wb") as file:
        file.write(content)
        os.fchmod(file.fileno(), mode)
    sync(beside)
    beside.replace(path)
    sync(path.parent)
