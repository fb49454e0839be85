"""One SIM, one slot: or its limits would count twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from modembank.bank.claims import Claims


def test_the_first_slot_has_it() -> None:
    claims = Claims()
    assert claims.claim(7, "slot-01") is None
    assert claims.claim(7, "slot-02") == "slot-01"
    assert claims.claim(7, "slot-01") is None  # it may ask again
    assert claims.claim(8, "slot-02") is None


def test_what_is_released_is_free_for_others() -> None:
    claims = Claims()
    claims.claim(7, "slot-01")
    claims.release("slot-02")
    assert claims.claim(7, "slot-02") == "slot-01"
    claims.release("slot-01")
    assert claims.claim(7, "slot-02") is None


_STEPS = st.lists(st.tuples(st.sampled_from(["claim", "release"]), st.integers(1, 3), st.sampled_from("abc")))


@given(_STEPS)
def test_no_sim_is_ever_in_two_slots(steps: list[tuple[str, int, str]]) -> None:
    claims = Claims()
    held: dict[int, str] = {}
    for step, sim, slot in steps:
        if step == "release":
            claims.release(slot)
            held = {each: holder for each, holder in held.items() if holder != slot}
            continue
        holder = claims.claim(sim, slot)
        assert holder == (None if held.get(sim, slot) == slot else held[sim])
        held.setdefault(sim, slot)
