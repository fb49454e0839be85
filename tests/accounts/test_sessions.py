"""Sessions: whose they are, how long they last, and everything that ends them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from fakes.guards import ADDRESS, GOOD, OTHER, HandClock, guarded, octets_in
from modembank.accounts import LOCAL_ADMIN, ROLE_SCOPES, Accounts, Actor, NotLoggedIn, Role, Scope, TooManyLogins
from modembank.accounts.sessions import CACHE_S, IDLE_MS, LONGEST_MS, MOST_OF_A_USER
from modembank.errors import Conflict, Forbidden, InvalidRequest, NotFound


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def accounts(tmp_path: Path, clock: HandClock) -> AsyncIterator[Accounts]:
    async with guarded(tmp_path / "box.db", clock) as accounts:
        yield accounts


async def login(accounts: Accounts, name: str = "ann", password: str = GOOD) -> str:
    _, token, _ = await accounts.sessions.begin(name, password, source=ADDRESS, agent="Browser/1\x00 é")
    return token


async def over(accounts: Accounts, token: str) -> bool:
    try:
        await accounts.sessions.authenticate(token)
    except NotLoggedIn:
        return True
    return False


async def test_s04_a_session_is_what_a_full_key_of_the_user_is(accounts: Accounts) -> None:
    session, token, actor = await accounts.sessions.begin("ANN", GOOD, source=ADDRESS)
    again = await accounts.sessions.authenticate(token)
    assert (again.name, again.role, again.scopes) == ("ann", Role.SENDER, ROLE_SCOPES[Role.SENDER])
    assert again.session == actor.session == session.public_id
    ada = await accounts.sessions.authenticate(await login(accounts, "ada", OTHER))
    assert ada.is_admin


async def test_s04_tokens_are_random_long_and_stored_as_digests(accounts: Accounts, tmp_path: Path) -> None:
    tokens = {await login(accounts) for _ in range(10)}
    assert len(tokens) == 10
    assert all(len(token) == 43 for token in tokens)  # 256 bits in base 64
    await accounts._store.flush()
    stored = octets_in(tmp_path)
    assert not any(token.encode() in stored for token in tokens)


@pytest.mark.parametrize("token", ["", "x", "a" * 43, "é" * 43, "a" * 44, "\ud800" * 43])
async def test_s04_what_is_no_token_is_refused(accounts: Accounts, token: str) -> None:
    assert await over(accounts, token)


async def test_s04_half_an_hour_unused_ends_it_and_use_prolongs_it(accounts: Accounts, clock: HandClock) -> None:
    token = await login(accounts)
    for _ in range(5):
        clock.turn(IDLE_MS / 1000 - 1)
        assert not await over(accounts, token)
    clock.turn(IDLE_MS / 1000)
    assert await over(accounts, token)
    assert await accounts.sessions.list(LOCAL_ADMIN) == []


async def test_s04_twelve_hours_end_it_however_it_is_used(accounts: Accounts, clock: HandClock) -> None:
    token = await login(accounts)
    for _ in range(LONGEST_MS // 600_000 - 1):
        clock.turn(600)
        assert not await over(accounts, token)
    clock.turn(600)
    assert await over(accounts, token)


async def test_s04_use_is_written_down_once_a_minute_and_outlives_a_restart(tmp_path: Path, clock: HandClock) -> None:
    async with guarded(tmp_path / "box.db", clock) as accounts:
        token = await login(accounts)
        seen = set()
        for _ in range(120):
            clock.turn(1)
            assert not await over(accounts, token)
            await accounts._store.flush()
            seen |= set(await accounts._store.fetch_all("SELECT seen_at FROM sessions"))
        assert len(seen) == 3
    clock.turn(IDLE_MS / 1000 - 100)
    async with guarded(tmp_path / "box.db", clock) as accounts:
        assert not await over(accounts, token)


@pytest.mark.parametrize("jump_s", [-120, -86_400, 86_400, 1801])
async def test_s04_a_jump_of_the_clock_ends_it_and_never_prolongs_it(
    accounts: Accounts, clock: HandClock, jump_s: int
) -> None:
    token = await login(accounts)
    clock.wall += jump_s
    assert await over(accounts, token)
    clock.mono += CACHE_S * 2
    assert await over(accounts, token)


async def test_s04_a_clock_set_by_a_little_disturbs_nobody(accounts: Accounts, clock: HandClock) -> None:
    token = await login(accounts)
    clock.wall -= 30
    assert not await over(accounts, token)


async def put_out(accounts: Accounts) -> None:
    await accounts.set_user_active(LOCAL_ADMIN, "ann", active=False)


async def new_password(accounts: Accounts) -> None:
    await accounts.set_password(LOCAL_ADMIN, "ann", OTHER)


async def promote(accounts: Accounts) -> None:
    await accounts.change_user(LOCAL_ADMIN, "ann", role=Role.ADMIN)


async def revoke(accounts: Accounts) -> None:
    for session in await accounts.sessions.list(LOCAL_ADMIN):
        if session.user == "ann":
            await accounts.sessions.end(LOCAL_ADMIN, session.public_id)


@pytest.mark.parametrize("what", [put_out, new_password, promote, revoke])
async def test_s04_these_end_every_session_of_the_user_and_no_other(
    accounts: Accounts, clock: HandClock, what: Callable[[Accounts], Awaitable[None]]
) -> None:
    tokens = [await login(accounts), await login(accounts)]
    adas = await login(accounts, "ada", OTHER)
    for token in (*tokens, adas):
        assert not await over(accounts, token)  # believed for a moment from now on
    await what(accounts)
    for token in tokens:
        assert await over(accounts, token)
        assert await over(accounts, token)
    assert not await over(accounts, adas)


@pytest.mark.parametrize("what", [put_out, new_password, promote, revoke])
async def test_s04_also_when_it_is_done_beside_the_daemon_within_a_second(
    accounts: Accounts, clock: HandClock, what: Callable[[Accounts], Awaitable[None]]
) -> None:
    from modembank.store import Store

    token = await login(accounts)
    assert not await over(accounts, token)
    row = await accounts._store.fetch_one("PRAGMA database_list")
    assert row is not None
    store = await Store.open(Path(row[2]), beside=True)
    await what(Accounts(store, clock))
    await store.close()
    clock.turn(CACHE_S + 0.01)
    assert CACHE_S < 1
    assert await over(accounts, token)


async def test_s04_a_demoted_admin_is_none_at_once(accounts: Accounts) -> None:
    await accounts.add_user(LOCAL_ADMIN, "eve", Role.ADMIN, GOOD)
    token = await login(accounts, "eve")
    _, key = await accounts.add_key(LOCAL_ADMIN, "eve")
    assert (await accounts.authenticate(key)).is_admin
    await accounts.change_user(LOCAL_ADMIN, "eve", role=Role.SENDER)
    assert await over(accounts, token)
    assert not (await accounts.authenticate(key)).is_admin
    assert not (await accounts.sessions.authenticate(await login(accounts, "eve"))).is_admin


async def test_s04_a_login_ends_the_session_that_came_with_it(accounts: Accounts) -> None:
    planted = await login(accounts)
    _, token, _ = await accounts.sessions.begin("ada", OTHER, source=ADDRESS, former=planted)
    assert token != planted
    assert await over(accounts, planted)
    assert not await over(accounts, token)


async def test_s04_what_was_asked_before_the_end_cannot_bring_it_back(accounts: Accounts) -> None:
    for _ in range(10):
        token = await login(accounts)
        asked = [asyncio.create_task(over(accounts, token)) for _ in range(4)]
        await asyncio.sleep(0)
        await revoke(accounts)
        await asyncio.gather(*asked)
        assert await over(accounts, token)


async def test_s04_own_sessions_are_seen_and_ended_and_no_others(accounts: Accounts) -> None:
    ann = await accounts.sessions.authenticate(await login(accounts))
    ada = await accounts.sessions.authenticate(await login(accounts, "ada", OTHER))
    mine = await accounts.sessions.list(ann)
    assert [(one.user, one.source, one.agent) for one in mine] == [("ann", ADDRESS, "Browser/1 é")]
    assert {one.user for one in await accounts.sessions.list(ada)} == {"ann", "ada"}
    with pytest.raises(NotFound):
        await accounts.sessions.end(ann, ada.session)
    assert (await accounts.sessions.end(ann, ann.session)).user == "ann"
    with pytest.raises(NotFound):
        await accounts.sessions.end(ann, ann.session)
    await accounts.sessions.end(ada, ada.session)


async def test_s04_a_user_has_no_more_than_twenty(accounts: Accounts) -> None:
    tokens = [await login(accounts) for _ in range(MOST_OF_A_USER + 3)]
    assert [await over(accounts, token) for token in tokens] == [True] * 3 + [False] * MOST_OF_A_USER


async def test_the_own_password_needs_the_present_one_and_counts_as_a_try(accounts: Accounts) -> None:
    ann = await accounts.sessions.authenticate(await login(accounts))
    with pytest.raises(InvalidRequest, match="/current_password"):
        await accounts.set_password(ann, "ann", OTHER)
    for _ in range(5):
        with pytest.raises(InvalidRequest, match="/current_password: is not"):
            await accounts.set_password(ann, "ann", OTHER, "guess")
    with pytest.raises(TooManyLogins):
        await accounts.set_password(ann, "ann", OTHER, GOOD)
    await accounts.set_password(LOCAL_ADMIN, "ann", GOOD)
    await accounts.set_password(ann, "ann", OTHER, GOOD)
    await login(accounts, "ann", OTHER)


async def test_nobody_but_an_admin_sets_another_password_or_a_first_one(accounts: Accounts) -> None:
    ann = await accounts.sessions.authenticate(await login(accounts))
    with pytest.raises(Forbidden):
        await accounts.set_password(ann, "ada", GOOD)
    await accounts.add_user(LOCAL_ADMIN, "bob", Role.SENDER)
    _, key = await accounts.add_key(LOCAL_ADMIN, "bob", scopes=[Scope.MESSAGES_READ])
    bob = await accounts.authenticate(key)
    with pytest.raises(Forbidden, match="first password"):  # a narrow key must not become a full session
        await accounts.set_password(bob, "bob", GOOD, GOOD)
    for attempt in ({"role": Role.ADMIN}, {"active": True}):
        with pytest.raises(Forbidden):
            await accounts.change_user(bob, "bob", **attempt)  # type: ignore[arg-type]
    ada = await accounts.sessions.authenticate(await login(accounts, "ada", OTHER))
    with pytest.raises(InvalidRequest, match="/current_password"):
        await accounts.set_password(ada, "ada", GOOD)
    await accounts.set_password(ada, "bob", GOOD)


async def test_the_last_active_admin_stays(accounts: Accounts) -> None:
    for change in ({"active": False}, {"role": Role.SENDER}):
        with pytest.raises(Conflict, match="last active admin"):
            await accounts.change_user(LOCAL_ADMIN, "ada", **change)  # type: ignore[arg-type]
    await accounts.add_user(LOCAL_ADMIN, "eve", Role.ADMIN)
    await accounts.change_user(LOCAL_ADMIN, "ada", active=False)
    with pytest.raises(Conflict):
        await accounts.change_user(LOCAL_ADMIN, "eve", role=Role.SENDER)
    await accounts.change_user(LOCAL_ADMIN, "ada", role=Role.SENDER)  # it is none that is active
    with pytest.raises(InvalidRequest):
        await accounts.change_user(LOCAL_ADMIN, "eve")


async def test_two_admins_cannot_put_each_other_out_at_once(accounts: Accounts) -> None:
    await accounts.add_user(LOCAL_ADMIN, "eve", Role.ADMIN)
    results = await asyncio.gather(
        accounts.change_user(LOCAL_ADMIN, "ada", active=False),
        accounts.change_user(LOCAL_ADMIN, "eve", active=False),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Conflict) for result in results) == 1


async def test_a_password_changed_while_it_was_looked_at_lets_nobody_in(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = accounts._passwords.matches

    async def slow(stored: str | None, password: str) -> bool:
        right = await real(stored, password)
        await accounts._store.write(lambda conn: conn.execute("UPDATE users SET password_hash = 'x'").rowcount)
        return right

    monkeypatch.setattr(accounts._passwords, "matches", slow)
    with pytest.raises(NotLoggedIn):
        await login(accounts)
    assert await accounts.sessions.list(LOCAL_ADMIN) == []


def test_the_holder_of_nothing_is_no_admin() -> None:
    assert not Actor(1, "a", Role.ADMIN, frozenset(), session="ses_0").is_admin


async def test_s04_who_finds_a_narrow_key_ends_no_session_of_its_user(accounts: Accounts) -> None:
    token = await login(accounts)
    (session,) = [each for each in await accounts.sessions.list(LOCAL_ADMIN) if each.user == "ann"]
    _, text = await accounts.add_key(LOCAL_ADMIN, "ann", scopes=[Scope.MESSAGES_SEND])
    narrow = await accounts.authenticate(text)
    with pytest.raises(Forbidden, match="messages:read"):
        await accounts.sessions.end(narrow, session.public_id)
    with pytest.raises(NotFound):
        await accounts.sessions.end(narrow, "ses_0000000000000000")
    assert not await over(accounts, token)
    _, text = await accounts.add_key(LOCAL_ADMIN, "ann")
    await accounts.sessions.end(await accounts.authenticate(text), session.public_id)
    assert await over(accounts, token)
