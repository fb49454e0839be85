"""What an API key looks like, and what is not one."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modembank.accounts.keys import KEY_LENGTH, digest_of, new_key, public_id_of


def test_a_key_names_itself_and_selects_with_a_double_click() -> None:
    key = new_key()
    assert key.text.startswith(f"mb_{key.public_id}_")
    assert len(key.text) == KEY_LENGTH
    assert key.text.replace("_", "").isalnum()
    assert public_id_of(key.text) == key.public_id
    assert key.digest == hashlib.sha256(key.text.encode()).digest() == digest_of(key.text)


def test_keys_differ_and_do_not_show_their_secret() -> None:
    keys = [new_key() for _ in range(200)]
    assert len({key.text for key in keys}) == len({key.public_id for key in keys}) == 200
    assert keys[0].text not in repr(keys[0])


@given(st.integers(0, KEY_LENGTH - 1), st.characters(min_codepoint=33, max_codepoint=126))
def test_one_wrong_character_is_seen_without_asking_the_store(at: int, char: str) -> None:
    text = new_key().text
    damaged = text[:at] + char + text[at + 1 :]
    assert (public_id_of(damaged) is None) == (damaged != text)


@given(st.text())
def test_any_text_is_only_refused(text: str) -> None:
    assert public_id_of(text) is None
    assert len(digest_of(text)) == 32


@pytest.mark.parametrize("text", ["", "mb_", "mb___", "mb_aaaaaaaa_b_c", "é" * KEY_LENGTH, "_" * KEY_LENGTH])
def test_near_misses(text: str) -> None:
    assert public_id_of(text) is None
