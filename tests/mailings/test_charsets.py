"""Character sets: told by marks, structure, and what reads most like text."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modembank.mailings.charsets import detect, guess, known_charset

TEXTS = {
    "cp1252": "Jürgen Müller;Größe;Straße 5\nRené Lefèvre;déjà là;Çela\nBjørn Ågård;Señor Muñoz;João\n",
    "cp1250": "Łukasz Wiśniewski;Gdańsk;źdźbło\nJiří Dvořák;Plzeň;kůň\nŐri István;Győr;fűtő\n",
    "cp1251": "Иван Петров;Москва;Привет\nОльга Смирнова;Санкт-Петербург;Ещё\n",
    "koi8-r": "Иван Петров;Москва;Привет\nОльга Смирнова;Санкт-Петербург;Мороз\n",
    "cp1253": "Γιώργος Παπαδόπουλος;Αθήνα;Καλημέρα\nΜαρία;Θεσσαλονίκη;Ευχαριστώ\n",
    "cp1254": "Ayşe Yılmaz;İstanbul;Günaydın\nÖzgür Çağlar;Muğla;teşekkür\n",
    "cp850": "Jürgen Müller;Größe;Straße 5\nKäthe Schön;Übung;ähnlich\n",
    "mac-roman": "Jürgen Müller;Größe;Straße 5\nRené Lefèvre;déjà;Käthe\n",
}


@pytest.mark.parametrize("charset", TEXTS)
def test_a_national_character_set_is_guessed(tmp_path: Path, charset: str) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(TEXTS[charset].encode(charset))
    assert detect(path) == charset


@pytest.mark.parametrize(
    ("octets", "charset"),
    [
        ("name\nJürgen".encode(), "utf-8"),
        ("name\nJürgen".encode("utf-8-sig"), "utf-8-sig"),
        ("name,phone\nJürgen,1".encode("utf-16"), "utf-16"),
        ("name,phone\nJürgen,1".encode("utf-16-le"), "utf-16-le"),
        ("name,phone\nJürgen,1".encode("utf-16-be"), "utf-16-be"),
        ("name,phone\nJürgen,1".encode("utf-32"), "utf-32"),
        (b"plain", "utf-8"),
    ],
)
def test_marks_and_structure(tmp_path: Path, octets: bytes, charset: str) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(octets)
    assert detect(path) == charset


def test_a_late_octet_decides_against_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(b"a,b\n" * 500_000 + "Müller".encode("cp1252"))
    assert detect(path) == "cp1252"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(octets=st.binary(max_size=200))
def test_whatever_comes_is_in_some_character_set(tmp_path: Path, octets: bytes) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(octets)
    assert known_charset(detect(path))
    octets.decode(guess(octets))


@pytest.mark.parametrize("name", ["base64", "hex", "idna", "punycode", "rot13", "none", "utf-7\0", "../x", "zip"])
def test_what_is_no_character_set(name: str) -> None:
    assert not known_charset(name)
