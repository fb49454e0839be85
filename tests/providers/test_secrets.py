"""Secrets are files of the machine: credentials first, then the folder."""

import pytest

from modembank.providers.model import SecretMissing
from modembank.providers.secrets import MOST, Secrets


@pytest.fixture(autouse=True)
def nowhere(monkeypatch):
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)


def test_a_file_without_its_line_end(tmp_path):
    (tmp_path / "modembank.provider.acme").write_bytes(b"s3cret\r\n")
    assert Secrets(str(tmp_path))("acme") == "s3cret"


def test_a_credential_goes_first(tmp_path, monkeypatch):
    for name in ("credentials", "folder"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "modembank.provider.acme").write_text(name)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    assert Secrets(str(tmp_path / "folder"))("acme") == "credentials"
    assert Secrets("")("acme") == "credentials"


def test_a_new_secret_counts_at_once(tmp_path):
    secrets, file = Secrets(str(tmp_path)), tmp_path / "modembank.provider.acme"
    with pytest.raises(SecretMissing, match="put it into"):
        secrets("acme")
    file.write_text("one")
    assert secrets("acme") == "one"
    file.write_text("two")
    assert secrets("acme") == "two"


@pytest.mark.parametrize("name", ["", "../acme", "a/b", ".acme", "a" * 65, "a b", "a\0"])
def test_a_name_leads_nowhere_else(tmp_path, name):
    with pytest.raises(SecretMissing, match="no name of a secret"):
        Secrets(str(tmp_path))(name)


def test_what_cannot_be_read_is_told_without_its_content(tmp_path):
    (tmp_path / "modembank.provider.acme").write_bytes(b"\xff\xfe")
    with pytest.raises(SecretMissing, match="cannot be read"):
        Secrets(str(tmp_path))("acme")
    (tmp_path / "modembank.provider.dir").mkdir()
    with pytest.raises(SecretMissing, match="cannot be read"):
        Secrets(str(tmp_path))("dir")


def test_a_file_is_read_no_further_than_a_secret_can_be(tmp_path):
    (tmp_path / "modembank.provider.acme").write_text("x" * (MOST + 5))
    assert len(Secrets(str(tmp_path))("acme")) == MOST


def test_without_any_place_the_way_out_is_named():
    with pytest.raises(SecretMissing, match="providers"):
        Secrets("")("acme")
