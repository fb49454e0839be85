"""Every target on its seeds, on what once broke it, and on inputs made up around both."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz.targets import TARGETS, Run, Target

USUAL = 100
"""Hypothesis' own number of examples; a profile with more of them multiplies ours."""
SEEDS_EACH = 60


@pytest.fixture(params=TARGETS.values(), ids=TARGETS.keys(), scope="module")
def target(request: pytest.FixtureRequest) -> Target:
    return request.param


@pytest.fixture(scope="module")
def run(target: Target) -> Iterator[Run]:
    with target.open() as run:
        yield run


def mutated(seeds: list[bytes], longest: int) -> st.SearchStrategy[bytes]:
    """Seeds with stretches replaced, doubled, and spliced into each other; and noise."""
    seed, place, noise = st.sampled_from(seeds), st.floats(0, 1), st.binary(max_size=12)

    def spliced(one: bytes, other: bytes, cut: float, on: float) -> bytes:
        return one[: round(cut * len(one))] + other[round(on * len(other)) :]

    def changed(one: bytes, start: float, end: float, what: bytes) -> bytes:
        first, last = sorted((round(start * len(one)), round(end * len(one))))
        return one[:first] + what + one[last:]

    found = st.one_of(
        st.builds(changed, seed, place, place, noise),
        st.builds(spliced, seed, seed, place, place),
        st.builds(changed, st.builds(spliced, seed, seed, place, place), place, place, noise),
        st.binary(max_size=200),
    )
    return found.map(lambda octets: octets[:longest])


def test_seeds_hold(target: Target, run: Run) -> None:
    seeds = target.seeds()
    assert seeds
    for seed in random.Random(1).sample(seeds, min(len(seeds), SEEDS_EACH)):
        run(seed[: target.longest])


def test_what_once_crashed_holds(target: Target, run: Run) -> None:
    for path in target.crashes():
        run(path.read_bytes())


def test_what_is_made_up_holds(target: Target, run: Run) -> None:
    @settings(
        max_examples=max(1, target.examples * settings.default.max_examples // USUAL),
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(mutated(target.seeds(), target.longest))
    def holds(octets: bytes) -> None:
        run(octets)

    holds()
