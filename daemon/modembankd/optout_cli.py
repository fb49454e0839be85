"""``modembank optout``: who wants no messages; it works beside a running daemon, which obeys at once."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import click

from modembank.accounts import LOCAL_ADMIN
from modembank.bus import Bus
from modembank.clock import SystemClock
from modembank.config import Config, load_config
from modembank.errors import InvalidRequest
from modembank.optouts import OptOuts, OptOutView
from modembank.optouts.files import Form
from modembank.store import Store
from modembankd.data_folder import DATABASE, make_data_folder
from modembankd.options import config_option, run_async

T = TypeVar("T")
_PAGE = 500


class _Numbers:
    """Numbers as the box of a configuration reads them."""

    def __init__(self, config: Config) -> None:
        self._region = config.box.region

    def recipient(self, written: str) -> str:
        """Return a number in the form messages are stored with; raises BadNumber."""
        from modembank.messages.numbers import normalise_recipient  # half of the box comes with it

        return normalise_recipient(written, self._region)


@click.group()
def optout() -> None:
    """See and change who wants no messages."""


@optout.command("add")
@click.argument("number")
@click.option("--note", default="", help="How you know.")
@config_option
def optout_add(number: str, note: str, config_path: Path) -> None:
    """Send nothing to NUMBER any more."""
    found = _with_opt_outs(config_path, lambda opt_outs: opt_outs.add(LOCAL_ADMIN, number, note))
    click.echo(_line(found))


@optout.command("remove")
@click.argument("number")
@click.option("--reason", required=True, help="How you know that they want messages again.")
@config_option
def optout_remove(number: str, reason: str, config_path: Path) -> None:
    """Let NUMBER have messages again."""
    found = _with_opt_outs(config_path, lambda opt_outs: opt_outs.remove(LOCAL_ADMIN, number, reason))
    click.echo(_line(found))


@optout.command("list")
@click.option("--state", type=click.Choice(["out", "in", "all"]), default="out", show_default=True)
@config_option
def optout_list(state: str, config_path: Path) -> None:
    """Print the numbers, what changed last first."""

    async def show(opt_outs: OptOuts) -> None:
        cursor: str | None = None
        while True:
            wanted = None if state == "all" else state
            page = await opt_outs.list(LOCAL_ADMIN, state=wanted, cursor=cursor, limit=_PAGE)
            for each in page.items:
                click.echo(_line(each))
            cursor = page.cursor
            if cursor is None:
                return

    _with_opt_outs(config_path, show)


@optout.command("import")
@click.argument("file", type=click.Path(exists=True, path_type=Path, dir_okay=False, allow_dash=True))
@config_option
def optout_import(file: Path, config_path: Path) -> None:
    """Send nothing to the numbers in FILE (CSV; - is standard input), all of them or none."""
    body = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    try:
        done = _with_opt_outs(config_path, lambda opt_outs: opt_outs.take_in_csv(LOCAL_ADMIN, body))
    except InvalidRequest as error:
        for problem in error.problems:
            click.echo(f"modembank: {problem.pointer.removeprefix('/').replace('/', ' ')}: {problem.detail}", err=True)
        raise SystemExit(1) from error
    click.echo(f"added {done.added}, out already {done.already_out}, skipped {done.skipped}")


@optout.command("export")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True), default="-")
@click.option("--spreadsheet", is_flag=True, help="For a file that people open: numbers begin with an apostrophe.")
@config_option
def optout_export(file: Path, spreadsheet: bool, config_path: Path) -> None:
    """Write all opt-outs as CSV to FILE, or to standard output."""
    form: Form = "spreadsheet" if spreadsheet else "machine"
    with contextlib.nullcontext(sys.stdout.buffer) if str(file) == "-" else file.open("wb") as out:

        async def write(opt_outs: OptOuts) -> None:
            async for part in await opt_outs.export(LOCAL_ADMIN, form):
                out.write(part)

        _with_opt_outs(config_path, write)


def _line(opt_out: OptOutView) -> str:
    how = " ".join(word for word in (opt_out.source, opt_out.keyword, opt_out.by and f"by {opt_out.by}") if word)
    note = f" ({opt_out.note})" if opt_out.note else ""
    return f"{opt_out.number} {opt_out.state} since {opt_out.changed_at}, {how}{note}"


def _with_opt_outs(config_path: Path, work: Callable[[OptOuts], Awaitable[T]]) -> T:
    config = load_config(config_path)
    data_dir = Path(config.box.data_dir)
    make_data_folder(data_dir)

    async def opened() -> T:
        store = await Store.open(data_dir / DATABASE, beside=True)
        try:
            return await work(OptOuts(store, Bus(), SystemClock(), _Numbers(config)))
        finally:
            await store.close()

    return run_async(opened())
