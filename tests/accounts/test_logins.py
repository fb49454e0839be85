"""How many passwords are looked at, and that a stranger learns nothing from how a wrong one is answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.guards import ADDRESS, GOOD, OTHER, HandClock, guarded
from modembank.accounts import LOCAL_ADMIN, Accounts, NotLoggedIn, Role, TooManyLogins
from modembank.accounts.login_limits import aims_of
from modembank.accounts.networks import origin_of
from modembank.accounts.passwords import Passwords

QUARTER_S = 900


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def accounts(tmp_path: Path, clock: HandClock) -> AsyncIterator[Accounts]:
    async with guarded(tmp_path / "box.db", clock) as accounts:
        yield accounts


class Guesses:
    """Guesses, and counts what was looked at."""

    def __init__(self, accounts: Accounts) -> None:
        self.accounts = accounts
        self.looked_at = self.put_off = 0
        self.waits: list[int] = []

    async def __call__(self, name: str = "ann", password: str = "wrong", source: str = ADDRESS) -> bool:
        try:
            await self.accounts.sessions.begin(name, password, source=source)
        except NotLoggedIn:
            self.looked_at += 1
        except TooManyLogins as error:
            self.put_off += 1
            self.waits.append(error.retry_after_s)
        else:
            return True
        return False


async def test_s03_of_a_thousand_guesses_ten_are_looked_at_in_a_quarter_of_an_hour_also_across_a_restart(
    tmp_path: Path, clock: HandClock
) -> None:
    looked_at: list[float] = []
    for life in range(2):
        async with guarded(tmp_path / "box.db", clock) as accounts:
            guess = Guesses(accounts)
            for n in range(500):
                before = guess.looked_at
                # From everywhere: an account is guarded wherever it is tried from.
                await guess(source=f"10.{life}.{n // 250}.{n % 250}", password=f"guess {n}")
                looked_at += [clock.wall] * (guess.looked_at - before)
                clock.turn(3)
    assert len(looked_at) >= 10
    for first in looked_at:
        assert sum(first <= at < first + QUARTER_S for at in looked_at) <= 10


async def test_s03_nobody_is_locked_out_for_good(accounts: Accounts, clock: HandClock) -> None:
    guess = Guesses(accounts)
    for _ in range(100):
        await guess()
    assert guess.looked_at == 5
    assert not await guess(password=GOOD)  # also the right one is not looked at
    assert 0 < guess.waits[-1] <= 180
    clock.turn(guess.waits[-1])
    assert await guess(password=GOOD)
    for _ in range(5):  # the right one has made all good
        assert not await guess()
    assert guess.looked_at == 10


async def test_s03_one_address_is_limited_over_all_accounts_and_others_are_not(
    accounts: Accounts, clock: HandClock
) -> None:
    guess = Guesses(accounts)
    for n in range(100):
        await guess(name=f"nobody{n}", source=f"2001:db8:1:2::{n:x}")
    assert guess.looked_at == 20  # one host has a whole IPv6 network of 64 bits
    assert await guess(password=GOOD, source="2001:db8:1:3::1")
    assert not await guess(password=GOOD, source="2001:db8:1:2:ffff::1")


async def test_s03_the_box_as_a_whole_is_limited(accounts: Accounts, clock: HandClock) -> None:
    guess = Guesses(accounts)
    for n in range(200):
        await guess(name=f"nobody{n}", source=f"10.0.{n}.1")
    assert guess.looked_at == 60
    clock.turn(5)
    assert await guess(password=GOOD)


async def test_s03_what_was_tried_is_forgotten_and_names_are_kept_as_hashes(
    accounts: Accounts, clock: HandClock
) -> None:
    guess = Guesses(accounts)
    await guess(name="my secret typed into the wrong field")
    rows = await accounts._store.fetch_all("SELECT aim FROM login_failures")
    assert len(rows) == 3
    assert not any("secret" in aim for (aim,) in rows)
    clock.turn(3600)
    await guess()
    assert len(await accounts._store.fetch_all("SELECT aim FROM login_failures")) == 3


async def test_s03_a_clock_set_back_locks_nobody_out(accounts: Accounts, clock: HandClock) -> None:
    guess = Guesses(accounts)
    for _ in range(10):
        await guess()
    clock.wall -= 5 * 365 * 86_400
    await guess()
    clock.turn(900)
    assert await guess(password=GOOD)


async def test_s03_an_admin_who_sets_the_password_opens_the_door(accounts: Accounts) -> None:
    guess = Guesses(accounts)
    for _ in range(10):
        await guess()
    await accounts.set_password(LOCAL_ADMIN, "ann", OTHER)
    assert await guess(password=OTHER)
    assert not await guess(password=GOOD)


async def test_s03_the_same_answer_after_the_same_work_whoever_it_is_said_to_be(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    await accounts.add_user(LOCAL_ADMIN, "nopass", Role.SENDER)
    await accounts.add_user(LOCAL_ADMIN, "gone", Role.SENDER, GOOD)
    await accounts.set_user_active(LOCAL_ADMIN, "gone", active=False)
    verified: list[str] = []
    real = Passwords._verified

    def counted(self: Passwords, stored: str, octets: bytes) -> bool:
        verified.append(stored[: stored.rindex("$", 0, stored.rindex("$"))])
        return real(self, stored, octets)

    monkeypatch.setattr(Passwords, "_verified", counted)
    answers, work = [], []
    for name, password in (
        ("ann", "wrong"),
        ("nobody", GOOD),
        ("nopass", GOOD),
        ("gone", GOOD),
        ("", ""),
        ("\x00", GOOD),
    ):
        verified.clear()
        with pytest.raises(NotLoggedIn) as caught:
            await accounts.sessions.begin(name, password, source=ADDRESS)
        answers.append(str(caught.value))
        work.append(tuple(verified))
    assert len(set(answers)) == 1
    assert len(set(work)) == 1  # one verification, with the same parameters
    assert len(work[0]) == 1


async def test_s03_many_at_once_are_counted_before_they_are_looked_at(accounts: Accounts) -> None:
    guess = Guesses(accounts)
    await asyncio.gather(*(guess() for _ in range(50)))
    assert (guess.looked_at, guess.put_off) == (5, 45)


async def test_s02_two_hundred_logins_at_once_leave_the_loop_to_others(tmp_path: Path) -> None:
    """While they are looked at, with the true parameters, other work goes on: a turn of the loop is never far."""
    async with guarded(tmp_path / "box.db", HandClock()) as accounts:
        accounts._passwords._hasher = Passwords()._hasher
        accounts._passwords._nobody = Passwords()._nobody
        guess, turns, done = Guesses(accounts), 0, asyncio.Event()
        between: list[int] = []

        async def other_work() -> None:
            nonlocal turns
            while not done.is_set():
                turns += 1
                await asyncio.sleep(0.001)

        async def one(n: int) -> None:
            await guess(name=f"n{n}", source=f"10.0.{n}.1")
            between.append(turns)

        other = asyncio.create_task(other_work())
        await asyncio.gather(*(one(n) for n in range(200)))
        done.set()
        await other
    assert (guess.looked_at, guess.put_off) == (60, 140)
    # Hashing on the loop would let it turn once for each; beside it, it turns many times for each.
    assert turns > 3 * 60
    assert len(set(between[-60:])) > 20


@given(st.ip_addresses(v=6))
def test_s03_an_ipv6_host_is_its_network(address: object) -> None:
    found = origin_of(str(address))
    assert found.endswith("/64") or "." in found
    assert origin_of("::ffff:192.0.2.7") == origin_of("192.0.2.7") == "192.0.2.7"


def test_s03_no_aim_allows_more_than_it_says() -> None:
    account, origin, box = aims_of("ann", ADDRESS)
    for aim, most in ((account, 10), (origin, 40), (box, 240)):
        assert aim.burst + QUARTER_S * 1000 // aim.interval_ms <= most
