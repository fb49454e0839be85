"""What is taken away while it is being looked up stays taken away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from modembank.accounts import LOCAL_ADMIN, Accounts, Role, Unauthorized
from modembank.clock import SystemClock
from modembank.store import Store


class HeldStore:
    """A store whose answers are on their way until let go."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.write = store.write
        self.answered = asyncio.Event()
        self.let_go = asyncio.Event()

    async def read(self, fn: Callable[..., Any]) -> Any:
        found = await self._store.read(fn)
        self.answered.set()
        await self.let_go.wait()
        return found


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "box.sqlite3")
    yield opened
    await opened.close()


async def revoke(accounts: Accounts, key: str) -> None:
    await accounts.revoke_key(LOCAL_ADMIN, key[3:11])


async def put_out(accounts: Accounts, _: str) -> None:
    await accounts.set_user_active(LOCAL_ADMIN, "ann", active=False)


@pytest.mark.parametrize("withdraw", [revoke, put_out])
async def test_a_look_up_under_way_does_not_outlive_the_withdrawal(
    store: Store, withdraw: Callable[[Accounts, str], Awaitable[None]]
) -> None:
    held = HeldStore(store)
    accounts = Accounts(held, SystemClock())  # type: ignore[arg-type]
    await accounts.add_user(LOCAL_ADMIN, "ann", Role.SENDER)
    _, key = await accounts.add_key(LOCAL_ADMIN, "ann")
    early = asyncio.create_task(accounts.authenticate(key))
    await held.answered.wait()
    await withdraw(accounts, key)
    held.let_go.set()
    assert (await early).name == "ann"  # it came in before
    with pytest.raises(Unauthorized):
        await accounts.authenticate(key)


async def test_a_look_up_that_is_cancelled_leaves_nothing_behind(store: Store) -> None:
    held = HeldStore(store)
    accounts = Accounts(held, SystemClock())  # type: ignore[arg-type]
    await accounts.add_user(LOCAL_ADMIN, "ann", Role.SENDER)
    _, key = await accounts.add_key(LOCAL_ADMIN, "ann")
    cut = asyncio.create_task(accounts.authenticate(key))
    await held.answered.wait()
    cut.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cut
    held.let_go.set()
    assert (await accounts.authenticate(key)).name == "ann"
