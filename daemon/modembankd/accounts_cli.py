"""``modembank user`` and ``modembank apikey``: they write beside a running daemon, which sees it at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import click

from modembank.accounts import LOCAL_ADMIN, Accounts, Role, Scope
from modembank.clock import SystemClock
from modembank.config import load_config
from modembank.store import Store
from modembankd.compose import DATABASE
from modembankd.data_folder import make_data_folder
from modembankd.options import config_option, run_async

T = TypeVar("T")


@click.group()
def user() -> None:
    """Add users."""


@user.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True, help="What they may do.")
@config_option
def user_add(name: str, role: str, config_path: Path) -> None:
    """Add the user NAME."""
    added = _with_accounts(config_path, lambda accounts: accounts.add_user(LOCAL_ADMIN, name, Role(role)))
    click.echo(f"added the {added.role.value} {added.name}")


@click.group()
def apikey() -> None:
    """Make API keys."""


@apikey.command("add")
@click.option("--user", "user_name", required=True, help="Whose key it is.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="What it may be used for; repeatable. Without it: all that the user's role allows.",
)
@click.option("--label", default="", help="A name to know it by.")
@config_option
def apikey_add(user_name: str, scopes: tuple[str, ...], label: str, config_path: Path) -> None:
    """Make a key and print it alone on standard output; it is shown only this once."""
    wanted = [Scope(scope) for scope in scopes] or None
    _, text = _with_accounts(
        config_path, lambda accounts: accounts.add_key(LOCAL_ADMIN, user_name, scopes=wanted, label=label)
    )
    click.echo(text)


def _with_accounts(config_path: Path, work: Callable[[Accounts], Awaitable[T]]) -> T:
    data_dir = Path(load_config(config_path).box.data_dir)

    make_data_folder(data_dir)

    async def opened() -> T:
        store = await Store.open(data_dir / DATABASE, beside=True)
        try:
            return await work(Accounts(store, SystemClock()))
        finally:
            await store.close()

    return run_async(opened())
