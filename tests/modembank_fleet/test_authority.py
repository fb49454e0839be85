"""The authority of a fleet: what it signs, what it takes for a request, and the files that it is kept in."""

from __future__ import annotations

import datetime as dt
import ssl
import subprocess
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from modembank_fleet import credentials
from modembank_fleet.authority import (
    BadAuthority,
    BadRequestForCertificate,
    ends_at,
    is_proof,
    kept_authority,
    key_digest,
    new_authority,
    new_server_key,
    pem_of,
    read_request,
    serial_of,
    serves,
)

NAMES = ["hub.example.org", "10.0.0.7", "fd00::1"]


@pytest.fixture(scope="module")
def authority():
    return new_authority("Test fleet")[0]


def extension(certificate, kind):
    return certificate.extensions.get_extension_for_class(kind)


def csr_of(key, algorithm=None):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "b1")])
    built = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, algorithm)
    return built.public_bytes(serialization.Encoding.PEM).decode()


def written(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


# -- what it signs


def test_a_box_s_certificate_is_for_clients_alone_and_has_the_name_that_the_hub_wants(authority):
    key = credentials.new_key()
    made = authority.certify_box(read_request(credentials.request(key, "evil/name")), "kiel/b1", 90)
    assert made.subject.rfc4514_string() == "CN=kiel/b1"
    assert list(extension(made, x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not extension(made, x509.BasicConstraints).value.ca
    assert not extension(made, x509.KeyUsage).value.key_cert_sign
    left = made.not_valid_after_utc - dt.datetime.now(dt.UTC)
    assert dt.timedelta(days=89, hours=23) < left <= dt.timedelta(days=90)
    assert made.not_valid_before_utc < dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    facts = credentials.check(pem_of(made), key, authority.pem.decode())
    assert facts.common_name == "kiel/b1"
    assert facts.serial == serial_of(pem_of(made)) == f"{made.serial_number:x}"


def test_serials_are_drawn(authority):
    request = read_request(credentials.request(credentials.new_key(), "b1"))
    assert len({authority.certify_box(request, "kiel/b1", 1).serial_number for _ in range(20)}) == 20


def test_a_server_s_certificate_is_good_for_hosts_and_addresses(authority):
    made = authority.certify_server(new_server_key(), NAMES, 30)
    found = x509.load_pem_x509_certificate(made)
    names = extension(found, x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["hub.example.org"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.7", "fd00::1"]
    assert list(extension(found, x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert serves(made, NAMES, authority.pem)
    assert not serves(made, NAMES[:2], authority.pem)
    assert not serves(made, NAMES, new_authority("Another")[0].pem)
    assert not serves(authority.pem, NAMES, authority.pem)
    assert 29.9 < (ends_at(made) - time.time()) / 86_400 <= 30


def test_openssl_takes_them_strictly(authority, tmp_path):
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    (tmp_path / "server.pem").write_bytes(authority.certify_server(new_server_key(), NAMES, 30))
    request = read_request(credentials.request(credentials.new_key(), "b1"))
    (tmp_path / "box.pem").write_text(pem_of(authority.certify_box(request, "kiel/b1", 90)))
    for name, purpose in (("server", "sslserver"), ("box", "sslclient")):
        command = ["openssl", "verify", "-x509_strict", "-purpose", purpose, "-CAfile", "ca.pem", f"{name}.pem"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    wrong = ["openssl", "verify", "-purpose", "sslserver", "-CAfile", "ca.pem", "box.pem"]
    assert subprocess.run(wrong, cwd=tmp_path, capture_output=True, check=False).returncode != 0


def test_a_list_names_who_is_revoked_and_grows_later(authority):
    now = time.time()
    first = x509.load_pem_x509_crl(authority.crl([], 1, now))
    second = x509.load_pem_x509_crl(authority.crl([(0xABC, now - 5), (7, now)], 2, now + 1))
    assert list(first) == []
    assert second.get_revoked_certificate_by_serial_number(0xABC) is not None
    assert second.get_revoked_certificate_by_serial_number(8) is None
    assert second.last_update_utc > first.last_update_utc
    assert extension(second, x509.CRLNumber).value.crl_number == 2
    assert second.next_update_utc - second.last_update_utc > dt.timedelta(days=3000)
    assert second.is_signature_valid(x509.load_pem_x509_certificate(authority.pem).public_key())


# -- requests


@pytest.mark.parametrize(
    ("csr", "words"),
    [
        ("", "is no certificate request"),
        ("hello", "is no certificate request"),
        ("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n", "is no certificate request"),
        (csr_of(ec.generate_private_key(ec.SECP384R1()), hashes.SHA256()), "curve P-256"),
        (csr_of(rsa.generate_private_key(65537, 2048), hashes.SHA256()), "curve P-256"),
        (csr_of(ed25519.Ed25519PrivateKey.generate()), "curve P-256"),
    ],
)
def test_what_is_no_request_is_said_why(csr, words):
    with pytest.raises(BadRequestForCertificate, match=words):
        read_request(csr)


def test_a_request_that_another_key_signed_is_none():
    one, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    mine = x509.load_pem_x509_csr(csr_of(one, hashes.SHA256()).encode())
    theirs = x509.load_pem_x509_csr(csr_of(other, hashes.SHA256()).encode())
    der = mine.public_bytes(serialization.Encoding.DER)
    public = [
        each.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
        for each in (mine, theirs)
    ]
    forged = x509.load_der_x509_csr(der.replace(*public))
    with pytest.raises(BadRequestForCertificate, match="not signed by its own key"):
        read_request(forged.public_bytes(serialization.Encoding.PEM).decode())


def test_a_key_has_one_digest_wherever_it_stands(authority):
    key = credentials.new_key()
    request = read_request(credentials.request(key, "b1"))
    assert key_digest(request) == key_digest(authority.certify_box(request, "kiel/b1", 1))
    assert key_digest(request) != key_digest(read_request(credentials.request(credentials.new_key(), "b1")))


def test_a_proof_is_of_one_key_for_one_request(authority):
    key, other = credentials.new_key(), credentials.new_key()
    certificate = pem_of(authority.certify_box(read_request(credentials.request(key, "b1")), "kiel/b1", 1))
    wanted = credentials.request(credentials.new_key(), "b1")
    good = credentials.proof(key, wanted)
    assert is_proof(certificate, wanted, good)
    assert not is_proof(certificate, credentials.request(credentials.new_key(), "b1"), good)
    assert not is_proof(certificate, wanted, credentials.proof(other, wanted))
    for nonsense in ("", "!", "AAAA", good[:-4], good + "AAAA"):
        assert not is_proof(certificate, wanted, nonsense)
    assert not is_proof("no certificate", wanted, good)
    assert not is_proof(certificate, "no request", good)


def test_what_is_no_certificate_has_no_serial():
    assert serial_of("hello") is None


# -- the box's look at what it was given


def test_a_certificate_for_another_key_or_of_another_authority_is_refused(authority):
    key, other = credentials.new_key(), new_authority("Another")[0]
    request = read_request(credentials.request(key, "b1"))
    made = pem_of(authority.certify_box(request, "kiel/b1", 1))
    trusted = authority.pem.decode()
    assert credentials.check(made, key, trusted).not_after > time.time()
    with pytest.raises(credentials.BadCertificate, match="another key"):
        credentials.check(made, credentials.new_key(), trusted)
    with pytest.raises(credentials.BadCertificate, match="not of the authority"):
        credentials.check(pem_of(other.certify_box(request, "kiel/b1", 1)), key, trusted)
    with pytest.raises(credentials.BadCertificate, match="cannot be read"):
        credentials.check("hello", key, trusted)


def test_a_fingerprint_is_openssl_s(authority, tmp_path):
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    command = ["openssl", "x509", "-in", "ca.pem", "-noout", "-fingerprint", "-sha256"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert said.strip().rpartition("=")[2] == authority.fingerprint.hex(":").upper()
    assert credentials.fingerprint(authority.pem) == authority.fingerprint


def test_a_key_of_another_kind_is_none():
    with pytest.raises(ValueError, match="no key on a curve"):
        credentials.request(written(rsa.generate_private_key(65537, 2048)), "b1")


# -- the files


def test_it_is_made_once_and_kept(tmp_path):
    made = kept_authority(tmp_path / "ca", "Fleet")
    again = kept_authority(tmp_path / "ca", "Fleet")
    assert made.fingerprint == again.fingerprint
    assert {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "ca").iterdir()} == {
        "ca.crt": 0o644,
        "ca.key": 0o600,
    }
    ssl.create_default_context(cadata=made.pem.decode())
    found = x509.load_pem_x509_certificate(made.pem)
    assert extension(found, x509.BasicConstraints).value == x509.BasicConstraints(ca=True, path_length=0)
    assert (found.not_valid_after_utc - dt.datetime.now(dt.UTC)).days > 7000


def test_a_start_that_was_killed_after_the_key_goes_on_from_it(tmp_path):
    made = kept_authority(tmp_path, "Fleet")
    key = (tmp_path / "ca.key").read_bytes()
    (tmp_path / "ca.crt").unlink()
    again = kept_authority(tmp_path, "Fleet")
    assert (tmp_path / "ca.key").read_bytes() == key
    assert again.fingerprint != made.fingerprint


def test_a_site_s_own_authority_is_taken_with_an_rsa_key_too(tmp_path):
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Site")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=10))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "ca.crt").write_text(pem_of(made))
    (tmp_path / "ca.key").touch(0o600)
    (tmp_path / "ca.key").write_bytes(written(key))
    authority = kept_authority(tmp_path, "unused")
    box_key = credentials.new_key()
    given = authority.certify_box(read_request(credentials.request(box_key, "b1")), "kiel/b1", 1)
    assert credentials.check(pem_of(given), box_key, pem_of(made)).common_name == "kiel/b1"
    authority.crl([(1, time.time())], 1, time.time())
    (tmp_path / "ca.crt").unlink()
    with pytest.raises(BadAuthority, match="missing beside its key"):
        kept_authority(tmp_path, "unused")


def spoil(folder, name, content):
    kept_authority(folder, "Fleet")
    path = folder / name
    mode = path.stat().st_mode
    path.write_bytes(content)
    path.chmod(mode)


def ended():
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Old")])
    then = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    return pem_of(
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(then)
        .not_valid_after(then + dt.timedelta(days=10))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    ).encode()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("ca.crt", b"hello", "no certificate of an authority"),
        ("ca.crt", new_authority("Another")[0].pem, "is not the key of ca.crt"),
        ("ca.crt", new_authority("x")[0].certify_server(new_server_key(), ["x"], 1), "may issue no others"),
        ("ca.crt", ended(), "ended on 2020-01-11"),
        ("ca.key", b"hello", "no private key"),
        ("ca.key", written(ed25519.Ed25519PrivateKey.generate()), "an EC or an RSA key"),
        (
            "ca.key",
            ec.generate_private_key(ec.SECP256R1()).private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"secret"),
            ),
            "has a password",
        ),
    ],
)
def test_files_that_cannot_be_used_are_named_with_the_reason(tmp_path, name, content, words):
    spoil(tmp_path, name, content)
    with pytest.raises(BadAuthority, match=words) as caught:
        kept_authority(tmp_path, "Fleet")
    assert name in str(caught.value)


def test_a_key_that_others_can_read_is_refused(tmp_path):
    kept_authority(tmp_path, "Fleet")
    (tmp_path / "ca.key").chmod(0o640)
    with pytest.raises(BadAuthority, match="chmod 600"):
        kept_authority(tmp_path, "Fleet")


def test_a_certificate_without_its_key_is_refused(tmp_path):
    kept_authority(tmp_path, "Fleet")
    (tmp_path / "ca.key").unlink()
    with pytest.raises(BadAuthority, match="No such file"):
        kept_authority(tmp_path, "Fleet")


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadAuthority, match="file"):
        kept_authority(tmp_path / "file" / "ca", "Fleet")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
