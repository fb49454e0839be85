"""Row ids and their outside form."""

from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from modembank.ids import IdSequence, mask_number, public_id, random_token, row_id


@given(st.integers(min_value=0, max_value=(1 << 63) - 1))
def test_a_public_id_leads_back_to_its_row(value):
    public = public_id("msg", value)
    assert row_id("msg", public) == value
    assert row_id("box", public) is None


@given(st.integers(min_value=0, max_value=(1 << 62)), st.integers(min_value=1, max_value=1 << 20))
def test_public_ids_sort_like_rows(value, step):
    assert public_id("msg", value) < public_id("msg", value + step)


@given(st.text(max_size=30))
def test_anything_else_is_no_id(text):
    value = row_id("msg", text)
    assert value is None or public_id("msg", value) == text


def test_a_restored_box_never_hands_out_an_id_again():
    before = IdSequence(last=0, epoch=1)
    known = {before.take() for _ in range(1000)}
    restored = IdSequence(last=min(known), epoch=2)
    assert restored.take() > max(known)


def test_a_sequence_continues_after_the_last_row():
    first = IdSequence(last=0, epoch=3).take()
    assert IdSequence(last=first + 41, epoch=3).take() == first + 42


def test_parallel_takers_never_share_an_id():
    sequence = IdSequence(last=0, epoch=1)
    with ThreadPoolExecutor(8) as pool:
        blocks = list(pool.map(lambda _: sequence.take(5), range(400)))
    ids = [first + offset for first in blocks for offset in range(5)]
    assert len(set(ids)) == 2000


def test_numbers_are_masked_but_short_codes_stay():
    assert mask_number("+447911123456") == "+447*******56"
    assert mask_number("12345") == "12345"
    assert len(random_token()) >= 43
