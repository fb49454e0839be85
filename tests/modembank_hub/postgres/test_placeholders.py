"""Parameters as SQLite has them, as PostgreSQL has them."""

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modembank_hub.postgres.placeholders import in_order, translated


@pytest.mark.parametrize(
    ("sql", "text", "names"),
    [
        ("SELECT 1", "SELECT 1", ()),
        ("SELECT ?, ?", "SELECT $1, $2", ()),
        ("SELECT ?2, ?1, ?2", "SELECT $2, $1, $2", ()),
        ("UPDATE a SET b = ?, c = ?, d = ?7 WHERE e = ?8", "UPDATE a SET b = $1, c = $2, d = $7 WHERE e = $8", ()),
        ("SELECT ?3, ?", "SELECT $3, $4", ()),
        ("SELECT :b, :a, :b", "SELECT $1, $2, $1", ("b", "a")),
        ("SELECT '?', '''?', \"a?\", ?", "SELECT '?', '''?', \"a?\", $1", ()),
        ("SELECT ? -- really?\n, ?", "SELECT $1 -- really?\n, $2", ()),
        ("SELECT a::text, :b", "SELECT a::text, $1", ("b",)),
        ("SELECT '$.modems.ready', ?", "SELECT '$.modems.ready', $1", ()),
    ],
)
def test_each_mark_becomes_a_number(sql, text, names):
    assert translated(sql) == (text, names)


def test_parameters_by_name_are_given_in_the_order_of_their_marks():
    assert in_order(("b", "a"), {"a": 1, "b": 2, "c": 3}) == [2, 1]
    assert in_order((), (1, 2)) == (1, 2)
    with pytest.raises(KeyError):
        in_order(("b",), {"a": 1})


@given(st.lists(st.sampled_from(["?", "?1", "?2", "?3", "?5"]), min_size=1, max_size=6))
def test_numbers_are_what_sqlite_makes_of_them(marks):
    text, _ = translated("SELECT " + ", ".join(marks))
    places = [int(mark.removeprefix("$")) for mark in text.removeprefix("SELECT ").split(", ")]
    given_ = list(range(1, max(places) + 1))
    with sqlite3.connect(":memory:") as conn:
        assert list(conn.execute("SELECT " + ", ".join(marks), given_).fetchone()) == places
