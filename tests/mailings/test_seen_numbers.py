"""Which numbers came before: the same as a dict would say, in a part of its room."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from modembank.mailings.seen_numbers import SeenNumbers

NUMBERS = st.from_regex(r"\+[1-9][0-9]{6,16}|[0-9]{3,7}", fullmatch=True)


@given(st.lists(NUMBERS | st.sampled_from(["0123", "123", "+1230000", "1230000"]), max_size=300))
def test_every_number_has_the_line_in_which_it_came_first(numbers: list[str]) -> None:
    seen, known = SeenNumbers(), dict[str, int]()
    for line, number in enumerate(numbers, 1):
        assert seen.first(number, line) == known.setdefault(number, line)


def test_tables_that_grow_forget_nothing() -> None:
    seen = SeenNumbers()
    numbers = [f"+44790{at * 7_654_321 % 10_000_000:07d}" for at in range(20_000)]
    assert [seen.first(number, line) for line, number in enumerate(numbers)] == list(range(20_000))
    assert [seen.first(number, -1) for number in numbers] == list(range(20_000))


def test_a_number_takes_some_thirty_octets_at_most_also_while_tables_grow() -> None:
    tracemalloc.start()
    seen = SeenNumbers()
    for at in range(50_000):
        seen.first(f"+44790{at:07d}", at + 1)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 50_000 * 45
