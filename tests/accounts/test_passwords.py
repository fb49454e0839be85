"""Which passwords are taken, and that nothing but an argon2id hash of them is kept."""

from __future__ import annotations

import asyncio
import re
import string
import unicodedata
from pathlib import Path

import argon2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.guards import ADDRESS, GOOD, HandClock, guarded, octets_in
from modembank.accounts import LOCAL_ADMIN, Accounts, Role, passwords
from modembank.accounts.common_passwords_table import COMMON
from modembank.accounts.passwords import LONGEST, SHORTEST, Passwords, is_common, password_problem
from modembank.errors import InvalidRequest
from modembank.store import Store

ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=140)


@given(ANY)
def test_s02_a_password_is_refused_for_its_length_or_as_common_and_for_nothing_else(password: str) -> None:
    problem = password_problem(password, "ann")
    if not SHORTEST <= len(password) <= LONGEST:
        assert problem is not None
        assert "8 to 128" in problem.detail
        assert "15 or more" in problem.detail
    else:
        assert (problem is not None) == is_common(password, "ann")


@given(st.sampled_from([string.ascii_lowercase, string.digits, "äöüßéñ", "漢字仮名交文章例題", " "]), st.randoms())
def test_s02_one_kind_of_characters_is_enough(alphabet: str, dice: object) -> None:
    picked = [dice.choice(alphabet) for _ in range(40)]  # type: ignore[attr-defined]
    if len(set(picked)) > 2:
        assert password_problem("".join(picked), "ann") is None


@given(
    st.sampled_from(sorted(word for word in COMMON if word.isalpha())),
    st.from_regex(r"\A[0-9!.]{0,8}\Z"),
    st.booleans(),
)
def test_s02_a_common_word_stays_common_with_digits_and_capitals(word: str, more: str, upper: bool) -> None:
    for password in (word + more, more + word):
        assert is_common(password.upper() if upper else password)


@pytest.mark.parametrize(
    "password",
    [
        "password", "Passw0rd", "12345678", "87654321", "abcdefgh", "qwertyui", "aaaaaaaa", "abababab", "ann12345!",
        "Ann2026!!", "modembank", "Modembank2026", "nna", "drowssap", "loveloveloves"[:12], "0123456789012",
        "monkeymonkey", "QWERTZUIOP", "lkjhgfdsa",
    ],
)  # fmt: skip
def test_s02_what_is_tried_first_is_refused(password: str) -> None:
    assert password_problem(password, "ann") is not None


@pytest.mark.parametrize(
    "password", [GOOD, "annabelle likes teapots", "x7#Lm2!q", "passwords are a nuisance", "é" * 7 + "ab"]
)
def test_s02_what_nobody_would_try_first_is_taken(password: str) -> None:
    assert password_problem(password, "ann") is None


def test_s02_the_list_is_worth_its_name() -> None:
    assert len(COMMON) >= 500
    assert all(word == word.casefold() and word.isprintable() for word in COMMON)


def test_s02_the_parameters_are_those_that_are_recommended() -> None:
    assert (passwords.MEMORY_KIB, passwords.PASSES, passwords.LANES, passwords.AT_ONCE) == (19_456, 2, 1, 2)
    found = argon2.extract_parameters(Passwords()._nobody)
    wanted = Passwords()._hasher
    assert (found.type, found.memory_cost, found.time_cost, found.parallelism, found.hash_len, found.salt_len) == (
        argon2.Type.ID, wanted.memory_cost, wanted.time_cost, wanted.parallelism, wanted.hash_len, wanted.salt_len,
    )  # fmt: skip


async def test_s02_the_hash_is_argon2id_of_these_and_salted() -> None:
    hasher = Passwords()
    first, second = await hasher.hashed(GOOD), await hasher.hashed(GOOD)
    assert first != second
    assert re.fullmatch(r"\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{22}\$[\w+/]{43}", first)
    assert await hasher.matches(first, GOOD)
    assert not await hasher.matches(first, GOOD + " ")
    assert not hasher.is_outdated(first)
    assert not await hasher.matches("no hash at all", GOOD)
    assert not await hasher.matches(None, GOOD)


async def test_s02_one_password_however_its_accents_are_typed() -> None:
    hasher = Passwords()
    composed, taken_apart = (unicodedata.normalize(form, "crème brûlée à volonté") for form in ("NFC", "NFD"))
    assert composed != taken_apart
    assert await hasher.matches(await hasher.hashed(taken_apart), composed)


async def test_s02_no_more_than_two_are_hashed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    hasher, running, most = Passwords(), 0, 0

    async def counted(function: object, *arguments: object) -> bool:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(5):
            await asyncio.sleep(0)
        running -= 1
        return True

    monkeypatch.setattr(asyncio, "to_thread", counted)
    await asyncio.gather(*(hasher.matches("stored", "x") for _ in range(50)))
    assert most == 2


async def test_s02_only_the_hash_is_kept_and_the_log_has_neither(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with guarded(tmp_path / "box.db", HandClock()) as accounts:
        session, token, _ = await accounts.sessions.begin("ann", GOOD, source=ADDRESS)
        _, key = await accounts.add_key(LOCAL_ADMIN, "ann")
        await accounts._store.flush()
        stored = octets_in(tmp_path)
    stored += octets_in(tmp_path)
    assert b"$argon2id$" in stored
    assert session.public_id.encode() in stored
    said = "".join(capsys.readouterr()).encode()
    for secret in (GOOD, token, key, key.split("_")[2]):
        assert secret.encode() not in stored
        assert secret.encode() not in said


async def test_s02_a_login_hashes_anew_what_was_hashed_with_less(tmp_path: Path) -> None:
    async with guarded(tmp_path / "box.db", HandClock()) as accounts:
        await accounts.sessions.begin("ann", GOOD, source=ADDRESS)
        accounts._passwords._hasher = argon2.PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)
        await accounts.sessions.begin("ann", GOOD, source=ADDRESS)
        row = await accounts._store.fetch_one("SELECT password_hash FROM users WHERE name = 'ann'")
        assert row is not None
        assert "m=16,t=2" in row[0]
        await accounts.sessions.begin("ann", GOOD, source=ADDRESS)


async def test_s02_a_password_that_cannot_be_taken_adds_no_user(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "box.db")
    accounts = Accounts(store, HandClock())
    for password in ("short", "x" * 129, "bob12345"):
        with pytest.raises(InvalidRequest) as caught:
            await accounts.add_user(LOCAL_ADMIN, "bob", Role.SENDER, password)
        assert caught.value.problems[0].pointer == "/password"
        assert password not in str(caught.value)
    assert await accounts.users(LOCAL_ADMIN) == []
    await store.close()
