"""Steps of an enrolment that come at once: one after another, and none takes another's files away."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from modembank.accounts import LOCAL_ADMIN
from modembank.clock import SystemClock
from modembank.config import BoxConfig, Config
from modembank.fleet.enrolment import Enrolment
from modembank.fleet.enrolment_folder import Membership, Pair
from modembank.fleet.token import HubToken
from modembank.store import Store

TOKEN = HubToken("https://hub.example.org", bytes(32), bytes(16)).written
PARTS = ("key", "crt", "ca")


def pair(number):
    return Pair(number, f"{number:x}", 1.0, 9.0, 7.0)


@pytest.fixture
async def of(tmp_path):
    store = await Store.open(tmp_path / "box.db")
    yield Enrolment(Config(box=BoxConfig(data_dir=str(tmp_path))), store, SystemClock(), lambda: None)
    await store.close()


async def member(of, **more):
    await of.ask(LOCAL_ADMIN, TOKEN)
    for number in (1, 2):
        for part in PARTS:
            await of.write_part(number, part, b"x")
    made = Membership("https://hub", "PEM", "kiel", "b1", ("mqtts://hub",), (), pair(1))
    assert await of.join(of.asked, msgspec.structs.replace(made, **more))


def is_whole(of):
    now = of.membership
    for one in (now.pair, now.coming):
        for path in of.files(one) if one else ():
            assert Path(path).read_bytes()


@pytest.mark.parametrize("proof_first", [True, False])
async def test_a_proof_and_another_pair_at_once_leave_what_counts_whole(of, proof_first):
    """A session proves a pair in the moment in which the next one comes."""
    await member(of, coming=pair(2), key=3)
    for part in PARTS:
        await of.write_part(3, part, b"x")
    comes = of.change_membership(lambda now: msgspec.structs.replace(now, coming=pair(3), key=0))
    steps = [of.prove(2), comes] if proof_first else [comes, of.prove(2)]
    await asyncio.gather(*steps)
    is_whole(of)
    assert of.membership.coming == pair(3)
    assert of.membership.pair == (pair(2) if proof_first else pair(1))


async def test_many_steps_at_once_leave_what_counts_whole(of):
    await member(of)

    async def renew():
        for _ in range(5):
            number = of.new_number()
            await of.change_membership(lambda now, number=number: msgspec.structs.replace(now, key=number))
            for part in PARTS:
                await of.write_part(number, part, b"x")
            await of.change_membership(
                lambda now, number=number: (
                    msgspec.structs.replace(now, coming=pair(number), key=0) if now.key == number else None
                )
            )

    async def prove():
        for _ in range(60):
            coming = of.membership.coming
            if coming is not None:
                await of.prove(coming.number)
            await asyncio.sleep(0)

    await asyncio.gather(renew(), prove(), prove())
    is_whole(of)


async def test_a_number_is_given_to_one_pair_alone(of):
    await member(of)
    number = of.new_number()
    assert number == 2  # of the two that lay there the second was spoken of by nobody
    await of.change_membership(lambda now: msgspec.structs.replace(now, key=number))
    assert of.new_number() == number + 1  # although its key is not made yet
    await of.ask(LOCAL_ADMIN, TOKEN)
    assert of.asked.number == number + 1
    assert of.new_number() == number + 2


async def test_what_comes_too_late_changes_nothing(of):
    await of.ask(LOCAL_ADMIN, TOKEN)
    first = of.asked
    await of.ask(LOCAL_ADMIN, HubToken("https://hub.example.org", bytes(32), bytes(range(16))).written)
    await of.note_refused(first, "token_used", "too late")
    assert of.state == "asking"
    made = Membership("https://hub", "PEM", "kiel", "b1", ("mqtts://hub",), (), pair(1))
    assert not await of.join(first, made)
    assert not await of.change_membership(lambda now: now)
    await of.prove(1)
    assert of.membership is None
