"""Users and keys in a real store: who comes in, with what, and for how long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from modembank.accounts import LOCAL_ADMIN, ROLE_SCOPES, Accounts, Actor, Role, Scope, Unauthorized
from modembank.accounts.service import CACHE_S
from modembank.errors import Conflict, Forbidden, InvalidRequest, NotFound
from modembank.store import Store, StoreError


class HandClock:
    """Turned by hand."""

    def __init__(self) -> None:
        self.wall, self.mono = 1_760_000_000.0, 50.0

    def now(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.mono

    def turn(self, seconds: float) -> None:
        self.wall += seconds
        self.mono += seconds


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await Store.open(tmp_path / "box.db")
    yield store
    await store.close()


@pytest.fixture
async def accounts(store: Store, clock: HandClock) -> Accounts:
    accounts = Accounts(store, clock)
    await accounts.add_user(LOCAL_ADMIN, "ada", Role.ADMIN)
    await accounts.add_user(LOCAL_ADMIN, "bob", Role.SENDER)
    return accounts


def octets_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())


async def refused(accounts: Accounts, key: str) -> str:
    with pytest.raises(Unauthorized) as caught:
        await accounts.authenticate(key)
    return str(caught.value)


async def test_a_key_makes_an_actor_with_what_the_role_allows(accounts: Accounts) -> None:
    key, text = await accounts.add_key(LOCAL_ADMIN, "bob", label="shop")
    actor = await accounts.authenticate(text)
    assert (actor.name, actor.role, actor.scopes) == ("bob", Role.SENDER, ROLE_SCOPES[Role.SENDER])
    assert not actor.is_admin
    assert (key.user, key.label) == ("bob", "shop")
    _, admin = await accounts.add_key(LOCAL_ADMIN, "ADA")
    assert (await accounts.authenticate(admin)).is_admin


async def test_an_admins_narrow_key_is_narrow(accounts: Accounts) -> None:
    _, text = await accounts.add_key(LOCAL_ADMIN, "ada", scopes=[Scope.MODEMS])
    actor = await accounts.authenticate(text)
    assert actor.scopes == {Scope.MODEMS}
    assert not actor.is_admin
    with pytest.raises(Forbidden):
        actor.require(Scope.MESSAGES_SEND)


@pytest.mark.parametrize("scopes", [[Scope.ADMIN], [Scope.MESSAGES_SEND, Scope.MODEMS], []])
async def test_a_sender_gets_no_more_than_a_sender_may(accounts: Accounts, scopes: list[Scope]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await accounts.add_key(LOCAL_ADMIN, "bob", scopes=scopes)
    assert caught.value.problems[0].pointer == "/scopes"
    assert await accounts.keys(LOCAL_ADMIN) == []


async def test_a_role_that_shrank_takes_its_scopes_along(accounts: Accounts, store: Store) -> None:
    _, text = await accounts.add_key(LOCAL_ADMIN, "ada")
    await store.write(lambda conn: conn.execute("UPDATE users SET role = 'sender' WHERE name = 'ada'").rowcount)
    assert Scope.ADMIN not in (await accounts.authenticate(text)).scopes


async def test_scopes_of_a_newer_release_grant_nothing(accounts: Accounts, store: Store) -> None:
    _, text = await accounts.add_key(LOCAL_ADMIN, "bob")
    scopes = '["messages:read", "telepathy"]'
    await store.write(lambda conn: conn.execute("UPDATE api_keys SET scopes = ?", (scopes,)).rowcount)
    assert (await accounts.authenticate(text)).scopes == {Scope.MESSAGES_READ}


async def test_the_secret_is_stored_nowhere(accounts: Accounts, store: Store, tmp_path: Path) -> None:
    _, text = await accounts.add_key(LOCAL_ADMIN, "bob")
    await store.flush()
    stored = octets_in(tmp_path)
    assert text.split("_")[1].encode() in stored
    assert text.split("_")[2].encode() not in stored
    assert "secret" not in repr(await accounts.keys(LOCAL_ADMIN))


async def test_a_known_id_with_another_secret_is_refused_cold_and_warm(accounts: Accounts) -> None:
    key, text = await accounts.add_key(LOCAL_ADMIN, "bob")
    _, other = await accounts.add_key(LOCAL_ADMIN, "ada")
    forged = f"mb_{key.public_id}_{other.split('_')[2]}"
    from modembank.accounts.keys import _checksum

    forged = f"{forged}_{_checksum(forged)}"
    assert await refused(accounts, forged) == "the API key is not valid"
    await accounts.authenticate(text)
    assert await refused(accounts, forged) == "the API key is not valid"
    assert (await accounts.authenticate(text)).name == "bob"


@pytest.mark.parametrize("key", ["", "x", "mb_", "mb_00000000_x_y", "é", "\ud800", "mb_" + "0" * 70, "0" * 100_000])
async def test_what_is_no_key_is_refused(accounts: Accounts, key: str) -> None:
    assert await refused(accounts, key) == "the API key is not valid"


async def test_a_key_made_beside_the_daemon_works_at_once(accounts: Accounts, clock: HandClock, tmp_path: Path) -> None:
    beside = await Store.open(tmp_path / "box.db", beside=True)
    try:
        key, text = await Accounts(beside, clock).add_key(LOCAL_ADMIN, "bob")
        assert (await accounts.authenticate(text)).name == "bob"
        await Accounts(beside, clock).revoke_key(LOCAL_ADMIN, key.public_id)
        clock.turn(CACHE_S + 0.001)
        assert await refused(accounts, text) == "the API key was revoked"
    finally:
        await beside.close()
    assert CACHE_S < 1


async def test_revoking_is_immediate_and_final(accounts: Accounts) -> None:
    key, text = await accounts.add_key(LOCAL_ADMIN, "bob")
    await accounts.authenticate(text)
    first = await accounts.revoke_key(LOCAL_ADMIN, key.public_id)
    assert await refused(accounts, text) == "the API key was revoked"
    again = await accounts.revoke_key(LOCAL_ADMIN, key.public_id)
    assert again.revoked_at == first.revoked_at is not None
    with pytest.raises(NotFound):
        await accounts.revoke_key(LOCAL_ADMIN, "nothere1")


async def test_a_user_put_out_stays_out_until_let_in(accounts: Accounts) -> None:
    _, text = await accounts.add_key(LOCAL_ADMIN, "bob")
    await accounts.authenticate(text)
    await accounts.set_user_active(LOCAL_ADMIN, "bob", active=False)
    assert await refused(accounts, text) == "the user of this API key is not active"
    await accounts.set_user_active(LOCAL_ADMIN, "bob", active=True)
    assert (await accounts.authenticate(text)).name == "bob"
    with pytest.raises(NotFound):
        await accounts.set_user_active(LOCAL_ADMIN, "eve", active=False)


async def test_a_key_expires_on_the_moment_also_when_cached(accounts: Accounts, clock: HandClock) -> None:
    expires_at = round(clock.wall * 1000) + 300
    _, text = await accounts.add_key(LOCAL_ADMIN, "bob", expires_at=expires_at)
    await accounts.authenticate(text)
    clock.turn(0.299)
    await accounts.authenticate(text)
    clock.turn(0.002)
    assert await refused(accounts, text) == "the API key has expired"
    clock.turn(CACHE_S * 2)
    assert await refused(accounts, text) == "the API key has expired"


async def test_a_clock_that_is_not_set_gives_no_expired_key_back(accounts: Accounts, clock: HandClock) -> None:
    _, text = await accounts.add_key(LOCAL_ADMIN, "bob", expires_at=round(clock.wall * 1000) + 1000)
    _, lasting = await accounts.add_key(LOCAL_ADMIN, "bob")
    clock.turn(2)
    assert await refused(accounts, text) == "the API key has expired"
    clock.wall = 10.0
    for _ in range(2):
        assert "clock is before this key was made" in await refused(accounts, text)
    assert (await accounts.authenticate(lasting)).name == "bob"
    _, made_then = await accounts.add_key(LOCAL_ADMIN, "bob", expires_at=1_000_000)
    await accounts.authenticate(made_then)
    clock.wall -= 5
    await accounts.authenticate(made_then)


async def test_the_cache_spares_the_store_and_many_callers_share_one_look_up(
    accounts: Accounts, store: Store, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, text = await accounts.add_key(LOCAL_ADMIN, "bob")
    reads = 0
    real = store.read

    async def counted(fn):  # type: ignore[no-untyped-def]
        nonlocal reads
        reads += 1
        return await real(fn)

    monkeypatch.setattr(store, "read", counted)
    for _ in range(20):
        await accounts.authenticate(text)
    assert reads == 1
    clock.turn(CACHE_S + 0.1)
    actors = await asyncio.gather(*(accounts.authenticate(text) for _ in range(64)))
    assert reads == 2
    assert len(set(map(id, actors[1:]))) == 1


async def test_a_store_that_fails_lets_nobody_in_on_old_knowledge(
    accounts: Accounts, store: Store, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, text = await accounts.add_key(LOCAL_ADMIN, "bob")
    await accounts.authenticate(text)

    async def broken(fn: object) -> object:
        raise StoreError(detail="disk")

    monkeypatch.setattr(store, "read", broken)
    clock.turn(CACHE_S + 0.1)
    for _ in range(2):
        with pytest.raises(StoreError):
            await accounts.authenticate(text)


async def test_users_are_listed_and_names_are_taken_once(accounts: Accounts) -> None:
    assert [(user.name, user.role, user.active) for user in await accounts.users(LOCAL_ADMIN)] == [
        ("ada", Role.ADMIN, True),
        ("bob", Role.SENDER, True),
    ]
    with pytest.raises(Conflict, match="already a user BOB"):
        await accounts.add_user(LOCAL_ADMIN, "BOB", Role.SENDER)


@pytest.mark.parametrize("name", ["", " ", "a b", "a:b", ".a", "é", "x" * 65, "a\n", "local", "Local"])
async def test_a_name_must_be_one(accounts: Accounts, name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await accounts.add_user(LOCAL_ADMIN, name, Role.SENDER)
    assert caught.value.problems[0].pointer == "/name"


async def test_only_an_admin_may_change_accounts_and_a_sender_sees_its_own_keys(accounts: Accounts) -> None:
    bobs, text = await accounts.add_key(LOCAL_ADMIN, "bob")
    adas, _ = await accounts.add_key(LOCAL_ADMIN, "ada")
    bob = await accounts.authenticate(text)
    for attempt in (
        accounts.add_user(bob, "eve", Role.ADMIN),
        accounts.users(bob),
        accounts.add_key(bob, "ada"),
        accounts.set_user_active(bob, "ada", active=False),
    ):
        with pytest.raises(Forbidden):
            await attempt
    assert await accounts.keys(bob) == [bobs]
    assert await accounts.keys(LOCAL_ADMIN) == [bobs, adas]
    assert await accounts.newest_keys(LOCAL_ADMIN) == [adas, bobs]
    assert await accounts.newest_keys(LOCAL_ADMIN, before=adas.public_id) == await accounts.newest_keys(bob) == [bobs]
    assert await accounts.newest_keys(LOCAL_ADMIN, of="Ada") == await accounts.newest_keys(LOCAL_ADMIN, limit=1)
    for attempt in (accounts.newest_keys(bob, before=adas.public_id), accounts.quotas.users(LOCAL_ADMIN, after="x")):
        with pytest.raises(InvalidRequest):
            await attempt
    with pytest.raises(NotFound):
        await accounts.revoke_key(bob, adas.public_id)
    assert (await accounts.revoke_key(bob, bobs.public_id)).revoked_at is not None


@pytest.mark.parametrize("user", ["bob", "ada"])
async def test_s10_who_finds_a_narrow_key_cannot_lock_its_user_out(accounts: Accounts, user: str) -> None:
    full, full_text = await accounts.add_key(LOCAL_ADMIN, user)
    narrow, text = await accounts.add_key(LOCAL_ADMIN, user, scopes=[Scope.MESSAGES_SEND])
    twin, _ = await accounts.add_key(LOCAL_ADMIN, user, scopes=[Scope.MESSAGES_SEND])
    finder = await accounts.authenticate(text)
    with pytest.raises(Forbidden, match="messages:read"):
        await accounts.revoke_key(finder, full.public_id)
    assert (await accounts.authenticate(full_text)).name == user
    assert (await accounts.revoke_key(finder, twin.public_id)).revoked_at is not None
    assert (await accounts.revoke_key(finder, narrow.public_id)).revoked_at is not None


async def test_a_key_made_for_an_admin_who_is_a_sender_now_is_revoked_with_what_a_sender_can_do(
    accounts: Accounts,
) -> None:
    await accounts.add_user(LOCAL_ADMIN, "eve", Role.ADMIN)
    old, _ = await accounts.add_key(LOCAL_ADMIN, "eve", scopes=[Scope.ADMIN, Scope.MESSAGES_SEND])
    _, text = await accounts.add_key(LOCAL_ADMIN, "eve")
    await accounts.change_user(LOCAL_ADMIN, "eve", role=Role.SENDER)
    eve = await accounts.authenticate(text)
    assert (await accounts.revoke_key(eve, old.public_id)).revoked_at is not None


async def test_keys_need_a_user(accounts: Accounts) -> None:
    with pytest.raises(NotFound, match="no user eve"):
        await accounts.add_key(LOCAL_ADMIN, "eve")


def test_actors_are_values() -> None:
    actor = Actor(1, "a", Role.ADMIN, frozenset())
    assert Actor(1, "a", Role.ADMIN, frozenset()) == actor
    whole = Actor(1, "a", Role.ADMIN, frozenset(Scope), "here", "ses_0", ("192.0.2.0/24",), 5)
    assert whole.at("there") == Actor(1, "a", Role.ADMIN, frozenset(Scope), "there", "ses_0", ("192.0.2.0/24",), 5)
    assert not actor.is_admin
