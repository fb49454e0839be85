"""S6: the certificate that a box makes for itself, and the owner's."""

import os
import shutil
import ssl
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from modembank_box.certificates import LARGEST, LIFE, RENEWED_BEFORE_END, Certificates, Identity
from modembank_box.errors import BoxError
from modembank_box.openssl import is_key, make_certificate, make_key, read_certificate
from modembank_box.places import Places
from modembank_box.served import Served
from modembank_box.states import read_state

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
BOX = Identity("modembank", ("192.0.2.7", "fd00::7"))


@pytest.fixture
def places(tmp_path):
    return Places(tmp_path)


@pytest.fixture
def certificates(places):
    return Certificates(places)


def served(places):
    return (places.run / "tls.crt").read_bytes(), (places.root / "run/credstore/modembank.tls.key").read_bytes()


def mode(path):
    return path.stat().st_mode & 0o777


def owners(places, names=("sms.example.org",), *, key=None, until=timedelta(days=300)):
    """The owner's own, on the boot partition."""
    places.boot.mkdir(parents=True, exist_ok=True)
    made = key or make_key()
    (places.boot / "tls.key").write_bytes(made)
    (places.boot / "tls.crt").write_bytes(make_certificate(made, names, NOW - timedelta(days=9), NOW + until))
    return (places.boot / "tls.crt").read_bytes(), made


def said(path):
    return subprocess.run(
        ["openssl", "x509", "-in", path, "-noout", "-text"], capture_output=True, text=True, check=True
    ).stdout


def test_s06_at_first_a_key_and_a_certificate_for_name_and_addresses_are_made(places, certificates):
    assert certificates.renew(BOX, NOW) == "restart"
    crt = places.run / "tls.crt"
    text = said(crt)
    assert "Public-Key: (256 bit)" in text
    assert "NIST CURVE: P-256" in text
    assert "CA:FALSE" in text
    assert "TLS Web Server Authentication" in text
    found = read_certificate(crt.read_bytes())
    assert found.names == ("modembank.local", "modembank", "192.0.2.7", "fd00::7")
    assert found.not_before == NOW - timedelta(days=1)
    assert found.not_after - found.not_before == LIFE < timedelta(days=825)
    state = read_state(places.state("certificate"))
    command = ["openssl", "x509", "-in", crt, "-noout", "-fingerprint", "-sha256"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert shown.strip().endswith(f"={state['fingerprint']}")
    assert state == {
        "fingerprint": found.fingerprint,
        "names": list(found.names),
        "not_after": f"{found.not_after:%Y-%m-%dT%H:%M:%SZ}",
        "own": False,
        "problem": "",
    }


def test_s06_the_key_is_roots_alone_and_two_boxes_have_two(places, certificates, tmp_path):
    certificates.renew(BOX, NOW)
    kept = places.data / "tls"
    assert (mode(kept), mode(kept / "box.key"), mode(kept / "box.crt")) == (0o700, 0o600, 0o644)
    credentials = places.root / "run/credstore"
    assert (mode(credentials), mode(credentials / "modembank.tls.key")) == (0o700, 0o600)
    assert (mode(places.run), mode(places.run / "tls.crt")) == (0o755, 0o644)
    other = Places(tmp_path / "other")
    Certificates(other).renew(BOX, NOW)
    assert served(other)[1] != served(places)[1]


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("name", ["modembank.local", "192.0.2.7", "fd00::7"])
def test_s06_whoever_was_given_the_certificate_can_check_it(places, certificates, name, strict):
    """By hand over memory: no port is needed for a handshake. Newer Pythons are strict by themselves."""
    certificates.renew(BOX, datetime.now(UTC))
    crt, key = places.run / "tls.crt", places.root / "run/credstore/modembank.tls.key"
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(crt, key)
    client = ssl.create_default_context(cafile=str(crt))
    client.verify_flags |= ssl.VERIFY_X509_STRICT if strict else 0
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(3):
        for side in sides:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert sides[0].version() == "TLSv1.3"
    assert f"{name}" in str(sides[0].getpeercert()["subjectAltName"]).replace("FD00:0:0:0:0:0:0:7", "fd00::7")


def test_s06_what_is_good_stays(places, certificates):
    certificates.renew(BOX, NOW)
    before = served(places)
    for identity in (BOX, Identity("modembank"), Identity("modembank", ("192.0.2.7",))):
        assert certificates.renew(identity, NOW + timedelta(days=300)) == ""
    assert served(places) == before


@pytest.mark.parametrize(
    ("identity", "later"),
    [
        (BOX, LIFE - RENEWED_BEFORE_END),
        (BOX, LIFE * 2),
        (BOX, timedelta(days=-30)),
        (Identity("modembank", ("198.51.100.9",)), timedelta(0)),
        (Identity("office-2", BOX.addresses), timedelta(0)),
    ],
    ids=[
        "it nears its end",
        "it has ended",
        "it was made by a clock that was ahead",
        "another address",
        "another name",
    ],
)
def test_s06_it_is_made_anew_with_the_same_key_when(places, certificates, identity, later):
    certificates.renew(BOX, NOW)
    crt, key = served(places)
    assert certificates.renew(identity, NOW + later) == "reload"
    assert served(places)[1] == key
    found = read_certificate(served(places)[0])
    assert served(places)[0] != crt
    assert set(found.names) == set(identity.names)
    assert found.not_before < NOW + later < found.not_after - RENEWED_BEFORE_END
    assert mode(places.data / "tls/box.key") == 0o600


def test_s06_after_a_start_it_is_the_one_of_before(places, certificates):
    certificates.renew(BOX, NOW)
    before = served(places)
    shutil.rmtree(places.root / "run")
    assert certificates.renew(Identity("modembank"), NOW) == "restart"  # no daemon runs yet that could
    assert served(places) == before


class TestAtOnce:
    """What was judged before is there from the beginning of a start."""

    def test_it_is_laid_and_told_as_it_was(self, places, certificates):
        certificates.renew(BOX, NOW)
        before, told = served(places), read_state(places.state("certificate"))
        shutil.rmtree(places.root / "run")
        assert Served(places).put_again()
        assert served(places) == before
        assert read_state(places.state("certificate")) == told
        assert mode(places.root / "run/credstore/modembank.tls.key") == 0o600
        assert certificates.renew(BOX, NOW) == ""

    def test_the_owners_too(self, places, certificates):
        mine = owners(places)
        certificates.renew(BOX, NOW)
        shutil.rmtree(places.root / "run")
        assert Served(places).put_again()
        assert served(places) == mine

    def test_at_the_first_start_there_is_none(self, places):
        assert not Served(places).put_again()
        assert not (places.run / "tls.crt").exists()

    @pytest.mark.parametrize("name", ["boot/box/tls.crt", "boot/box/tls.key", "data/tls/box.crt", "data/tls/box.key"])
    @pytest.mark.parametrize("whose", ["the owner's", "the box's own"])
    def test_what_was_changed_meanwhile_is_judged_first(self, places, certificates, name, whose):
        certificates.renew(BOX, NOW)
        if whose == "the owner's":
            owners(places)
            certificates.renew(BOX, NOW)
        shutil.rmtree(places.root / "run")
        changed = places.root / name
        changed.parent.mkdir(parents=True, exist_ok=True)
        changed.write_bytes(b"another")
        assert not Served(places).put_again()
        assert not (places.root / "run").exists()

    @pytest.mark.parametrize("content", [b"", b"torn", b"[]", b'{"of": 1, "told": {}}', b'{"told": 3}'])
    def test_a_memory_that_cannot_be_read_is_none(self, places, certificates, content):
        certificates.renew(BOX, NOW)
        (places.data / "tls/judged.json").write_bytes(content)
        assert not Served(places).put_again()


@pytest.mark.parametrize(
    ("name", "content"), [("box.key", b""), ("box.key", b"torn"), ("box.crt", b""), ("box.crt", b"torn")]
)
def test_what_a_damaged_disk_left_is_replaced(places, certificates, name, content):
    certificates.renew(BOX, NOW)
    (places.data / "tls" / name).write_bytes(content)
    certificates.renew(BOX, NOW)
    crt, key = served(places)
    assert is_key(key)
    assert read_certificate(crt).names == BOX.names


def test_a_box_without_a_clock_makes_none_of_before_its_image(places, certificates):
    built = NOW.replace(microsecond=0)
    epoch = places.root / "usr/lib/clock-epoch"
    epoch.parent.mkdir(parents=True)
    epoch.touch()
    os.utime(epoch, (built.timestamp(), built.timestamp()))
    certificates.renew(BOX, datetime(1970, 1, 1, tzinfo=UTC))
    found = read_certificate(served(places)[0])
    assert found.not_before == built - timedelta(days=1)
    assert certificates.renew(BOX, NOW + timedelta(days=90)) == ""


def test_the_longest_name_is_one_too(places, certificates):
    certificates.renew(Identity("a" * 63), NOW)
    assert read_certificate(served(places)[0]).names == ("a" * 63 + ".local", "a" * 63)


def test_the_names_of_a_box_that_is_called_by_a_whole_one():
    assert Identity("sms.example.org", ("192.0.2.7",)).names == ("sms.local", "sms", "sms.example.org", "192.0.2.7")


def test_s06_the_owners_wins(places, certificates):
    certificates.renew(BOX, NOW)
    own = owners(places)
    assert certificates.renew(BOX, NOW) == "restart"
    assert served(places) == own
    state = read_state(places.state("certificate"))
    assert (state["own"], state["names"], state["problem"]) == (True, ["sms.example.org"], "")
    for path in places.boot.iterdir():
        path.unlink()
    assert certificates.renew(BOX, NOW) == "restart"
    assert served(places)[1] == (places.data / "tls/box.key").read_bytes()


@pytest.mark.parametrize(("left", "problem"), [(40, ""), (10, "ends on 2027-03-11"), (-1, "ends on 2027-02-28")])
def test_s06_the_owners_is_used_to_its_end_and_beyond_and_that_is_said(places, certificates, left, problem):
    """It is the owner's, who may have reasons; and the clock may be wrong."""
    own = owners(places, until=timedelta(days=left))
    certificates.renew(BOX, NOW)
    assert served(places) == own
    said = read_state(places.state("certificate"))["problem"]
    assert problem in said
    assert bool(said) == bool(problem)


def encrypted(places):
    command = ["openssl", "pkey", "-aes256", "-passout", "pass:secret", "-in", places.boot / "tls.key"]
    (places.boot / "tls.key").write_bytes(subprocess.run(command, capture_output=True, check=True).stdout)


def old_encrypted(places):
    command = ["openssl", "ec", "-aes256", "-passout", "pass:secret", "-in", places.boot / "tls.key"]
    (places.boot / "tls.key").write_bytes(subprocess.run(command, capture_output=True, check=True).stdout)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda places: (places.boot / "tls.key").unlink(), "tls.key cannot be read: No such file"),
        (lambda places: (places.boot / "tls.crt").unlink(), "tls.crt cannot be read: No such file"),
        (lambda places: (places.boot / "tls.crt").write_text("a"), "not a certificate and its key in the form PEM"),
        (lambda places: (places.boot / "tls.key").write_bytes(b"\x00\xff"), "not a certificate and its key"),
        (lambda places: (places.boot / "tls.key").write_bytes(make_key()), "the key is not the certificate's"),
        (lambda places: (places.boot / "tls.crt").write_bytes(b"a" * (LARGEST + 1)), "tls.crt is larger than"),
        (encrypted, "the key has a password"),
        (old_encrypted, "the key has a password"),
    ],
)
def test_s06_the_owners_that_cannot_be_used_stops_nothing_and_is_named(places, certificates, spoil, reason):
    owners(places)
    spoil(places)
    certificates.renew(BOX, NOW)
    assert served(places)[1] == (places.data / "tls/box.key").read_bytes()
    state = read_state(places.state("certificate"))
    assert not state["own"]
    assert state["problem"].startswith("tls.crt and tls.key on the boot partition are not used: ")
    assert reason in state["problem"]


def test_a_folder_in_place_of_a_file_is_no_certificate(places, certificates):
    (places.boot / "tls.crt").mkdir(parents=True)
    certificates.renew(BOX, NOW)
    assert "tls.crt cannot be read" in read_state(places.state("certificate"))["problem"]


def test_without_openssl_the_reason_is_said(certificates, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BoxError, match="openssl did not do its work"):
        certificates.renew(BOX, NOW)


def test_what_is_no_certificate_is_refused():
    with pytest.raises(BoxError, match="openssl x509 failed"):
        read_certificate(b"none")
