"""S22: which bundles are refused, and what whoever brought it is told; RAUC's own word on signatures."""

import itertools

import pytest

from fakes.updates import make_bundle, make_keys, updated_box
from modembank_box.bundles import Bundle, Refused, explained, judge, look_at, reason
from modembank_box.errors import BoxError
from modembank_box.installing import Install
from modembank_box.release import Release, is_older

pytestmark = pytest.mark.rauc


@pytest.fixture(scope="module")
def good(tmp_path_factory, signing):
    return make_bundle(tmp_path_factory.mktemp("bundles") / "good.raucb", signing)


@pytest.fixture
def box(tmp_path, signing):
    return updated_box(tmp_path / "box", signing)


def checked(box, path):
    return Install(box.places, box.progress, "ada").checked(str(path))


def test_a_good_one_says_what_it_is(box, good):
    bundle = checked(box, good)
    assert (bundle.version, bundle.build, bundle.compatible) == ("0.2.0", "built", "modembank-amd64")


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda content: content[: len(content) // 2], "cut short or damaged"),
        (lambda content: content[:-100], "cut short or damaged"),
        (lambda _: b"hello", "no update bundle"),
        (lambda _: b"", "no update bundle"),
        (lambda content: content + b"\0" * 8, "cut short or damaged"),
        (lambda content: content[:-700] + bytes([content[-700] ^ 1]) + content[-699:], "not signed by whom this box"),
    ],
)
def test_one_that_is_not_whole_is_refused(box, good, tmp_path, damage, told):
    path = tmp_path / "x.raucb"
    path.write_bytes(damage(good.read_bytes()))
    with pytest.raises(Refused, match=told):
        checked(box, path)


def test_one_that_is_signed_by_somebody_else_is_refused(box, tmp_path):
    stranger = make_bundle(tmp_path / "x.raucb", make_keys(tmp_path / "theirs", "Tests"))
    with pytest.raises(Refused, match="not signed by whom this box trusts"):
        checked(box, stranger)


def test_one_that_is_not_signed_at_all_is_refused(box, good, tmp_path):
    """What is left when the signature is cut off, and its length of nothing put behind."""
    content = good.read_bytes()
    signature = int.from_bytes(content[-8:], "big")
    path = tmp_path / "x.raucb"
    path.write_bytes(content[: -8 - signature] + b"\0" * 8)
    with pytest.raises(Refused, match="cut short or damaged"):
        checked(box, path)


def test_the_authority_s_own_key_is_not_for_signing_updates(box, signing, tmp_path):
    """A certificate that may sign anything but updates, although the box trusts who made it."""
    wrong = type(signing)(str(signing.keyring), str(signing.keyring.with_name("authority.key")), signing.keyring)
    path = make_bundle(tmp_path / "x.raucb", wrong)
    with pytest.raises(Refused, match="not for signing updates"):
        checked(box, path)


def test_one_for_another_machine_is_refused(box, signing, tmp_path):
    path = make_bundle(tmp_path / "x.raucb", signing, architecture="arm64")
    with pytest.raises(Refused, match=r"another machine \(modembank-arm64\): this one is modembank-amd64"):
        checked(box, path)


def test_an_older_one_is_refused(box, signing, tmp_path):
    path = make_bundle(tmp_path / "x.raucb", signing, version="0.0.9")
    with pytest.raises(Refused, match=r"older \(0.0.9\) than what this box has had \(0.1.0\)") as raised:
        checked(box, path)
    assert raised.value.code == "older_version"


def test_one_of_another_version_than_was_asked_for_is_refused(box, good):
    with pytest.raises(Refused, match=r"it is version 0\.2\.0, and 0\.3\.0 was asked for") as raised:
        Install(box.places, box.progress, "ada", version="0.3.0").checked(str(good))
    assert raised.value.code == "other_version"


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("LastError: Signature size (1) exceeds bundle size", "damaged"),
        ("LastError: signature verification failed: Verify error: self-signed certificate", "bad_signature"),
        ("LastError: Failed to verify signature: certificate has expired", "bad_signature"),
        ("LastError: write: No space left on device", "no_room"),
        ("LastError: something else", "refused"),
    ],
)
def test_each_reason_has_a_word(said, code):
    assert explained(said)[1] == code


RUNNING = Release("1.2.0", "b", "amd64", 11, "a")


@pytest.mark.parametrize(
    ("version", "floor", "fine"),
    [
        ("1.2.0", "", True),
        ("1.2.1", "", True),
        ("1.1.9", "", False),
        ("1.2.0-rc.1", "", False),
        ("1.2.1", "1.3.0", False),
        ("1.3.0", "1.3.0", True),
        ("1.3.0", "what?", True),
        ("what?", "", False),
        ("", "", False),
    ],
)
def test_nothing_goes_back_behind_what_was_ever_well(version, floor, fine):
    bundle = Bundle("x", version, "b", "modembank-amd64", 1)
    if fine:
        judge(bundle, RUNNING, floor)
    else:
        with pytest.raises(Refused):
            judge(bundle, RUNNING, floor)


def test_versions_in_their_order():
    order = ["0.9", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0", "1.0.1", "1.2", "1.10"]
    for earlier, later in itertools.pairwise(order):
        assert is_older(earlier, later)
        assert not is_older(later, earlier)
    assert not is_older("1.2", "1.2.0")
    assert not is_older("1.2.0+a", "1.2.0+b")


def test_every_other_word_of_rauc_is_passed_on():
    assert reason("") == "RAUC refuses it (it says nothing)"
    assert reason("rauc-Message: 1\nLastError: what is this\nInstalling failed\n") == "RAUC refuses it (what is this)"


def test_without_rauc_that_is_said(box, tmp_path):
    with pytest.raises(BoxError, match="RAUC cannot be asked") as raised:
        look_at("x", tmp_path, rauc=str(tmp_path / "nothing"))
    assert not isinstance(raised.value, Refused)
