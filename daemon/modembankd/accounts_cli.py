"""``modembank user``, ``apikey`` and ``audit``: they work beside a running daemon, which sees it within a second."""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import click

from modembank.accounts import LOCAL_ADMIN, Accounts, Role, Scope
from modembank.accounts.first_start import read_code, ready_code
from modembank.accounts.passwords import LONGEST
from modembank.audit import Audit
from modembank.clock import SystemClock, rfc3339, to_ms
from modembank.config import load_config
from modembank.store import Store
from modembankd.data_folder import DATABASE, make_data_folder
from modembankd.options import config_option, run_async

T = TypeVar("T")
_password_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password, one line, from standard input."
)
_role_option = click.option(
    "--role", type=click.Choice([role.value for role in Role]), required=True, help="What they may do."
)


@click.group()
def user() -> None:
    """Add, list and change users."""


@user.command("add")
@click.argument("name")
@_role_option
@_password_option
@config_option
def user_add(name: str, role: str, password_stdin: bool, config_path: Path) -> None:
    """Add the user NAME; with a password it can log in, with an API key programs can."""
    password = _read_password() if password_stdin else None
    added = _with_accounts(config_path, lambda accounts: accounts.add_user(LOCAL_ADMIN, name, Role(role), password))
    click.echo(f"added the {added.role.value} {added.name}")


@click.command("setup-code")
@config_option
def setup_code(config_path: Path) -> None:
    """Show the code with which the first admin is made, on the page /ui/setup."""
    folder = Path(load_config(config_path).box.data_dir)
    code = read_code(folder)
    if code is None:
        message = f"there is no set-up code in {folder}: the box has its admin, or was never started"
        raise click.ClickException(message)
    click.echo(ready_code(folder, to_ms(SystemClock().now())).text)


@user.command("list")
@config_option
def user_list(config_path: Path) -> None:
    """List all users: name, role, whether active, whether it has a password; separated by tabs."""
    for each in _with_accounts(config_path, lambda accounts: accounts.users(LOCAL_ADMIN)):
        state = "active" if each.active else "disabled"
        click.echo(f"{each.name}\t{each.role.value}\t{state}\t{'password' if each.has_password else 'no password'}")


@user.command("passwd")
@click.argument("name")
@_password_option
@config_option
def user_passwd(name: str, password_stdin: bool, config_path: Path) -> None:
    """Set the password of the user NAME; its sessions end, and it may try again at once."""
    password = _read_password() if password_stdin else _ask_password()
    _with_accounts(config_path, lambda accounts: accounts.set_password(LOCAL_ADMIN, name, password))
    click.echo(f"the password of {name} is set")


@user.command("disable")
@click.argument("name")
@config_option
def user_disable(name: str, config_path: Path) -> None:
    """Let the user NAME's keys and sessions work no more."""
    _with_accounts(config_path, lambda accounts: accounts.change_user(LOCAL_ADMIN, name, active=False))
    click.echo(f"{name} is disabled")


@user.command("enable")
@click.argument("name")
@config_option
def user_enable(name: str, config_path: Path) -> None:
    """Let the user NAME in again."""
    _with_accounts(config_path, lambda accounts: accounts.change_user(LOCAL_ADMIN, name, active=True))
    click.echo(f"{name} is enabled")


@user.command("role")
@click.argument("name")
@click.argument("role", type=click.Choice([role.value for role in Role]))
@config_option
def user_role(name: str, role: str, config_path: Path) -> None:
    """Give the user NAME another ROLE; its keys follow."""
    _with_accounts(config_path, lambda accounts: accounts.change_user(LOCAL_ADMIN, name, role=Role(role)))
    click.echo(f"{name} is {'an admin' if role == Role.ADMIN else 'a sender'} now")


@user.command("quota")
@click.argument("name")
@click.option("--per-day", type=click.IntRange(0), help="Segments a day of the box; 0: no quota.")
@click.option("--per-month", type=click.IntRange(0), help="Segments a calendar month; 0: no quota.")
@config_option
def user_quota(name: str, per_day: int | None, per_month: int | None, config_path: Path) -> None:
    """Set the quotas of the user NAME, and show them."""
    if per_day is None and per_month is None:
        message = "say --per-day or --per-month"
        raise click.UsageError(message)
    usage = _with_accounts(
        config_path,
        lambda accounts: accounts.quotas.change(LOCAL_ADMIN, name, per_day=per_day, per_month=per_month),
    ).usage
    click.echo(f"{name} has used {usage.today} of {usage.quota_per_day or 'any number of'} segments today, ", nl=False)
    click.echo(f"{usage.this_month} of {usage.quota_per_month or 'any number of'} this month")


@click.group()
def apikey() -> None:
    """Make, list and revoke API keys."""


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
@click.option(
    "--network", "networks", multiple=True, help="Where it may be used from, such as 192.0.2.0/24; repeatable."
)
@click.option(
    "--expires",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]),
    help="When it ends, in UTC; without it: when it is revoked.",
)
@config_option
def apikey_add(
    user_name: str,
    scopes: tuple[str, ...],
    label: str,
    networks: tuple[str, ...],
    expires: datetime | None,
    config_path: Path,
) -> None:
    """Make a key and print it alone on standard output; it is shown only this once."""
    wanted = [Scope(scope) for scope in scopes] or None
    expires_at = None if expires is None else to_ms(expires.replace(tzinfo=UTC).timestamp())
    _, text = _with_accounts(
        config_path,
        lambda accounts: accounts.add_key(
            LOCAL_ADMIN, user_name, scopes=wanted, label=label, networks=networks, expires_at=expires_at
        ),
    )
    click.echo(text)


@apikey.command("list")
@config_option
def apikey_list(config_path: Path) -> None:
    """List all keys: id, user, state, scopes, networks, label; separated by tabs."""
    now = to_ms(SystemClock().now())
    for key in _with_accounts(config_path, lambda accounts: accounts.keys(LOCAL_ADMIN)):
        state = "valid"
        if key.revoked_at is not None:
            state = f"revoked {rfc3339(key.revoked_at)}"
        elif key.expires_at is not None:
            state = f"{'expired' if key.expires_at <= now else 'until'} {rfc3339(key.expires_at)}"
        scopes, networks = ",".join(sorted(key.scopes)), ",".join(key.networks) or "anywhere"
        click.echo(f"{key.public_id}\t{key.user}\t{state}\t{scopes}\t{networks}\t{key.label}")


@apikey.command("revoke")
@click.argument("key_id")
@config_option
def apikey_revoke(key_id: str, config_path: Path) -> None:
    """End the key KEY_ID: the part of it after mb_, as in the list."""
    key = _with_accounts(config_path, lambda accounts: accounts.revoke_key(LOCAL_ADMIN, key_id))
    click.echo(f"the key {key.public_id} of {key.user} is revoked")


@click.group("audit")
def audit_group() -> None:
    """Read and verify the record of who changed what."""


@audit_group.command("verify")
@config_option
def audit_verify(config_path: Path) -> None:
    """Check that no entry was changed or deleted; exit status 1 when one was, named."""
    verdict = _with_store(config_path, lambda store: Audit(store, SystemClock()).verify(LOCAL_ADMIN))
    if verdict.ok:
        click.echo(f"all {verdict.checked} entries are as they were written; the last one's hash is {verdict.head}")
        return
    click.echo(f"modembank: {verdict.first_bad} is not as it was written: {verdict.why}", err=True)
    sys.exit(1)


@audit_group.command("list")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="How many.")
@config_option
def audit_list(limit: int, config_path: Path) -> None:
    """Show the latest entries, newest first: time, who, from where, what, to what, how; separated by tabs."""
    page = _with_store(config_path, lambda store: Audit(store, SystemClock()).list(LOCAL_ADMIN, limit=limit))
    for entry in page.items:
        words = (entry.at, entry.actor, entry.source, entry.action, entry.subject, json.dumps(entry.detail))
        click.echo("\t".join(words))


def _read_password() -> str:
    """Read one line; what is longer than any password is not read to its end."""
    line = sys.stdin.readline(LONGEST * 4)
    return line.removesuffix("\n").removesuffix("\r")


def _ask_password() -> str:
    if not sys.stdin.isatty():
        message = "say --password-stdin to read the password from standard input"
        raise click.UsageError(message)
    password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return password


def _with_accounts(config_path: Path, work: Callable[[Accounts], Awaitable[T]]) -> T:
    return _with_store(config_path, lambda store: work(Accounts(store, SystemClock())))


def _with_store(config_path: Path, work: Callable[[Store], Awaitable[T]]) -> T:
    data_dir = Path(load_config(config_path).box.data_dir)

    make_data_folder(data_dir)

    async def opened() -> T:
        store = await Store.open(data_dir / DATABASE, beside=True)
        try:
            return await work(store)
        finally:
            await store.close()

    return run_async(opened())
