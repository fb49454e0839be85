"""Templates: closed, exact, filled in once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modembank.mailings.templates import BadTemplate, compile_template, find_column

COLUMNS = ("name", "Due date", "3", "{odd}")
NAMES = st.sampled_from(["name", "NAME", " name ", "due DATE", "1", "2", "3", "4"])
MEANT = {"name": 0, "NAME": 0, " name ": 0, "due DATE": 1, "1": 0, "2": 1, "3": 2, "4": 3}
ROW = st.lists(st.text(max_size=6) | st.sampled_from(["{name}", "{", "}}", "{{1}}"]), max_size=4)
PIECES = st.lists(st.tuples(st.text(max_size=5), st.none() | NAMES), max_size=6)


def escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


@given(pieces=PIECES, row=ROW)
def test_every_template_gives_what_it_says(pieces: list[tuple[str, str | None]], row: list[str]) -> None:
    template = "".join(escaped(text) + (f"{{{name}}}" if name else "") for text, name in pieces)
    cells = [*row, "", "", "", ""]
    expected = "".join(text + (cells[MEANT[name]] if name else "") for text, name in pieces)
    assert compile_template(template, COLUMNS)(row) == expected


@given(template=st.text(st.sampled_from("{}ab1 !.:0[]"), max_size=12), row=ROW)
def test_whatever_is_written_is_filled_in_or_refused(template: str, row: list[str]) -> None:
    try:
        fill = compile_template(template, COLUMNS)
    except BadTemplate:
        return
    assert isinstance(fill(row), str)


@given(cell=st.text(max_size=10))
def test_what_a_cell_holds_is_never_looked_at_again(cell: str) -> None:
    assert compile_template("<{name}>", COLUMNS)([cell, "secret"]) == f"<{cell}>"


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("Dear {nam}", "{nam} is no column; known are: name, Due date, 3, {odd}"),
        ("Dear {", "the brace at position 5 is opened and not closed: write {{ for a brace itself"),
        ("Dear }", "the brace at position 5 is closed and was not opened: write }} for a brace itself"),
        ("{}", "{} is no column"),
        ("{5}", "{5} is no column"),
        ("{0}", "{0} is no column"),
        ("{name!r}", "{name!r} is no column"),
        ("{name.__class__}", "{name.__class__} is no column"),
        ("{name[0]}", "{name[0]} is no column"),
        ("{name:>10000000000}", "{name:>10000000000} is no column"),
        ("x" * 40_001, "has 40001 characters: at most 40000 are allowed"),
    ],
)
def test_what_cannot_be_filled_in_says_why(template: str, why: str) -> None:
    with pytest.raises(BadTemplate) as raised:
        compile_template(template, COLUMNS)
    assert str(raised.value).startswith(why)


def test_a_name_of_several_columns_must_be_a_number() -> None:
    with pytest.raises(BadTemplate, match="is the name of several columns: give its number; known are: a, b, a"):
        compile_template("{a}", ("a", "b", "a"))
    assert compile_template("{3}", ("a", "b", "a"))(["1", "2", "3"]) == "3"
    assert find_column("A", ("a", "A")) == 1
    assert find_column("a", ("A", " a")) is None


def test_many_columns_are_not_all_named() -> None:
    with pytest.raises(BadTemplate, match=r"19 and 30 more$"):
        compile_template("{x}", [str(at) for at in range(50)])


def test_what_looks_like_a_format_is_none() -> None:
    assert compile_template("100 % {a} %s {a}%", ("a",))(["%d"]) == "100 % %d %s %d%"
    assert compile_template("100 %s", ("a",))(["x"]) == "100 %s"


def test_a_short_row_has_empty_cells_at_its_end() -> None:
    assert compile_template("{a}-{c}-{b}", ("a", "b", "c"))(["1", "2"]) == "1--2"
    assert compile_template("<{c}>", ("a", "b", "c"))([]) == "<>"
