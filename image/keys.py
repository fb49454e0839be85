"""The keys of updates: the ones that are given, or a development key that is made on the first build and kept.

``CERT=`` and ``KEY=`` (PEM, or a ``pkcs11:`` address) sign; ``KEYRING=`` is what boxes trust (``CERT`` if unset).
docs/updates.md tells how to make one's own.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Valid from long ago: a box without a battery may believe any time since it was built.
BEGINS, ENDS = "20200101000000Z", "20991231235959Z"
_AUTHORITY = """\
[ca]
default_ca = own
[own]
new_certs_dir = {folder}
database = {folder}/index.txt
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
x509_extensions = {extensions}
[any]
commonName = supplied
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[signer]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,codeSigning
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


@dataclass(frozen=True)
class Keys:
    """What signs a bundle, and what a box believes."""

    certificate: str
    key: str
    keyring: Path


def keys(out: Path) -> Keys:
    """Return the keys that the environment names, or the development keys in ``out``/keys, made if need be."""
    certificate, key = os.environ.get("CERT", ""), os.environ.get("KEY", "")
    if bool(certificate) != bool(key):
        message = "CERT and KEY go together: the certificate and the key that sign updates"
        raise SystemExit(message)
    if certificate:
        return Keys(certificate, key, Path(os.environ.get("KEYRING") or certificate))
    folder = out / "keys"
    if not (folder / "keyring.pem").exists():
        make_keys(folder, "Modembank development")
    return Keys(str(folder / "signer.pem"), str(folder / "signer.key"), folder / "keyring.pem")


def make_keys(folder: Path, name: str) -> None:
    """Make an authority, whose certificate boxes keep, and a key that it lets sign updates."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as made:
        work = Path(made)
        (work / "index.txt").touch()
        _certificate(work, "authority", name, ["-selfsign", "-keyfile", work / "authority.key"])
        _certificate(
            work, "signer", f"{name} updates", ["-cert", work / "authority.pem", "-keyfile", work / "authority.key"]
        )
        for private in ("authority.key", "signer.key"):
            (work / private).chmod(0o600)
            (work / private).rename(folder / private)
        (work / "signer.pem").rename(folder / "signer.pem")
        (work / "authority.pem").rename(folder / "keyring.pem")  # last: what is whole has it


def _certificate(work: Path, kind: str, name: str, by: list[str | Path]) -> None:
    settings = work / f"{kind}.cnf"
    settings.write_text(_AUTHORITY.format(folder=work, extensions=kind))
    _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", work / f"{kind}.key")
    request = work / f"{kind}.csr"
    _openssl("req", "-new", "-key", work / f"{kind}.key", "-subj", f"/CN={name}", "-out", request)
    dates = ["-startdate", BEGINS, "-enddate", ENDS]
    out = work / f"{kind}.pem"
    _openssl("ca", "-batch", "-notext", "-config", settings, *dates, *by, "-in", request, "-out", out)


def _openssl(*words: str | Path) -> None:
    done = subprocess.run(["openssl", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        message = f"openssl {words[0]}: {done.stderr.strip()}"
        raise SystemExit(message)
