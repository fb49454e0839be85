"""Debian's openssl, which makes keys and certificates and reads them."""

from __future__ import annotations

import ipaddress
import re
import ssl
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from modembank_box.errors import BoxError

LONGEST_COMMON_NAME = 64
"""Of characters (X.520, ub-common-name); clients look at the other names only."""
_ISSUING = """
[ca]
default_ca = own
[own]
database = index.txt
new_certs_dir = .
default_md = sha256
rand_serial = yes
policy = any
x509_extensions = leaf
[any]
commonName = supplied
[req]
distinguished_name = asked
[asked]
[leaf]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = {names}
"""


@dataclass(frozen=True)
class Certificate:
    """What one says of itself."""

    fingerprint: str
    """SHA-256 as browsers show it: AB:CD:..."""
    names: tuple[str, ...]
    """Host names and addresses for which it is good."""
    not_before: datetime
    not_after: datetime


def make_key() -> bytes:
    """Return a new private key on the curve P-256, as PEM."""
    return _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")


def is_key(pem: bytes) -> bool:
    """Tell whether a private key can be read."""
    try:
        _openssl("pkey", "-noout", content=pem)
    except BoxError:
        return False
    return True


def make_certificate(key: bytes, names: Sequence[str], not_before: datetime, not_after: datetime) -> bytes:
    """Return a certificate, as PEM, that the key signs for itself, good for these host names and addresses."""
    import tempfile

    listed = ",".join(f"{'IP' if is_address(name) else 'DNS'}:{name}" for name in names)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "openssl.cnf").write_text(_ISSUING.format(names=listed), "ascii")
        (folder / "index.txt").touch()
        (folder / "key").touch(0o600)
        (folder / "key").write_bytes(key)
        common = ("-config", "openssl.cnf", "-batch")
        _openssl(
            "req",
            *common,
            "-new",
            "-key",
            "key",
            "-subj",
            f"/CN={names[0][:LONGEST_COMMON_NAME]}",
            "-out",
            "csr",
            folder=folder,
        )
        times = ("-startdate", f"{not_before:%Y%m%d%H%M%SZ}", "-enddate", f"{not_after:%Y%m%d%H%M%SZ}")
        signing = ("-selfsign", "-keyfile", "key", "-in", "csr", "-notext", "-out", "crt")
        _openssl("ca", *common, *times, *signing, folder=folder)
        return (folder / "crt").read_bytes()


def read_certificate(pem: bytes) -> Certificate:
    """Return what a certificate, the first of a chain, says; raises BoxError when it is none."""
    said = _openssl("x509", "-noout", "-dates", "-ext", "subjectAltName", content=pem).decode("utf-8", "replace")
    dates = dict(re.findall(r"^(notBefore|notAfter)=(.+)$", said, re.MULTILINE))
    first = re.search(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", pem, re.DOTALL)
    if first is None or len(dates) != 2:
        message = "that is no certificate in the form PEM"
        raise BoxError(message)
    digest = sha256(ssl.PEM_cert_to_DER_cert(first[0].decode("ascii"))).hexdigest().upper()
    return Certificate(
        ":".join(re.findall("..", digest)),
        tuple(_plain(kind, name) for kind, name in re.findall(r"(DNS|IP Address):([^,\s]+)", said)),
        _time(dates["notBefore"]),
        _time(dates["notAfter"]),
    )


def unusable(certificate: Path, key: Path) -> str:
    """Return why a server could not use the two files together; empty when it can."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: "")
    except OSError as error:  # ssl.SSLError is one
        if "MISMATCH" in (getattr(error, "reason", "") or ""):
            return "the key is not the certificate's"
        return "they are not a certificate and its key in the form PEM"
    return ""


def is_address(name: str) -> bool:
    """Tell addresses from host names."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _plain(kind: str, name: str) -> str:
    return str(ipaddress.ip_address(name)) if kind == "IP Address" else name


def _time(said: str) -> datetime:
    return datetime.strptime(said, "%b %d %H:%M:%S %Y GMT").replace(tzinfo=UTC)


def _openssl(*command: str, folder: Path | None = None, content: bytes | None = None) -> bytes:
    try:
        run = subprocess.run(
            ["openssl", *command], cwd=folder, input=content, capture_output=True, check=False, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        message = f"openssl did not do its work: {error}"
        raise BoxError(message) from error
    if run.returncode:
        lines = run.stderr.decode("utf-8", "replace").strip().splitlines()
        message = f"openssl {command[0]} failed: {lines[-1] if lines else run.returncode}"
        raise BoxError(message)
    return run.stdout
