"""The files of an enrolment: whole, private, and swept."""

import json

import msgspec
import pytest

from modembank.config import HubKeyConfig
from modembank.fleet.enrolment_folder import Asked, EnrolmentFolder, Membership, Pair, Record

PAIR = Pair(1, "ab", 1.0, 2.0, 1.5)
KEY = HubKeyConfig("h2", "A" * 43 + "=")
MEMBERSHIP = Membership("https://hub", "PEM", "kiel", "b1", ("mqtts://hub",), (KEY,), PAIR)


@pytest.fixture
def folder(tmp_path):
    return EnrolmentFolder(tmp_path / "data")


def names(tmp_path):
    return sorted(path.name for path in (tmp_path / "data/hub").iterdir())


def test_there_is_nothing_to_begin_with_and_nothing_is_made(folder, tmp_path):
    assert folder.load() == Record()
    assert folder.next_number() == 1
    assert not (tmp_path / "data").exists()


def test_what_is_kept_is_there_again(folder, tmp_path):
    record = Record(
        seen="x",
        asked=Asked("https://hub", "ff", "00", 7, "token_used", "schon benutzt: \u00fcber \u202e"),
        membership=msgspec.structs.replace(MEMBERSHIP, coming=Pair(2, "cd", 1.0, 9.0, 7.0), key=3),
    )
    folder.keep(record)
    assert EnrolmentFolder(tmp_path / "data").load() == record
    assert (tmp_path / "data/hub").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "data/hub/enrolment.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"membership": 1}', b"\xff\xfe", b'{"v": 1'])
def test_what_cannot_be_read_counts_for_nothing_and_stops_nothing(folder, tmp_path, content):
    folder.keep(Record(membership=MEMBERSHIP))
    (tmp_path / "data/hub/enrolment.json").write_bytes(content)
    assert folder.load() == Record()


def test_a_later_release_may_have_written_more(folder, tmp_path):
    folder.keep(Record(membership=MEMBERSHIP))
    path = tmp_path / "data/hub/enrolment.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"later": [1]}))
    assert folder.load().membership == MEMBERSHIP


def test_parts_are_private_and_the_numbers_grow(folder, tmp_path):
    folder.write(1, "key", b"secret")
    folder.write(12, "crt", b"pem")
    assert folder.path(1, "key").read_bytes() == b"secret"
    assert folder.path(1, "key").stat().st_mode & 0o777 == 0o600
    assert folder.next_number() == 13


def test_a_part_is_written_over_as_a_whole(folder):
    folder.write(1, "crt", b"a long certificate")
    folder.write(1, "crt", b"short")
    assert folder.path(1, "crt").read_bytes() == b"short"


def test_nothing_is_written_through_a_link(folder, tmp_path):
    folder.write(1, "crt", b"x")
    (tmp_path / "elsewhere").write_bytes(b"theirs")
    folder.path(2, "key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        folder.write(2, "key", b"secret")
    assert (tmp_path / "elsewhere").read_bytes() == b"theirs"


def test_what_the_record_does_not_speak_of_is_swept_away(folder, tmp_path):
    for number in range(1, 6):
        for part in ("key", "crt", "ca"):
            folder.write(number, part, b"x")
    (tmp_path / "data/hub/notes.txt").write_text("of the owner")
    (tmp_path / "data/hub/0x1.key").write_text("no number")
    coming = Pair(3, "cd", 1.0, 9.0, 7.0)
    record = Record(
        asked=Asked("https://hub", "ff", "00", 5), membership=msgspec.structs.replace(MEMBERSHIP, coming=coming)
    )
    folder.keep(record)
    numbers = {name.partition(".")[0] for name in names(tmp_path)}
    assert numbers == {"0x1", "1", "3", "5", "enrolment", "notes"}
    folder.keep(Record(membership=MEMBERSHIP))
    assert {name.partition(".")[0] for name in names(tmp_path)} == {"0x1", "1", "enrolment", "notes"}
    folder.keep(Record())
    assert names(tmp_path) == ["0x1.key", "enrolment.json", "notes.txt"]


def test_a_key_whose_certificate_is_asked_for_stays(folder, tmp_path):
    folder.write(1, "key", b"x")
    folder.write(2, "key", b"y")
    folder.keep(Record(membership=msgspec.structs.replace(MEMBERSHIP, key=2)))
    assert names(tmp_path) == ["1.key", "2.key", "enrolment.json"]
