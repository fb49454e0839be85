"""``modembank backup`` beside a running daemon, and ``modembank restore`` without one."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import click

from modembank.backup import (
    BackupFolder,
    BackupJob,
    Checked,
    Restored,
    RestoreRefused,
    check_file,
    restore,
    take_backup,
)
from modembank.clock import rfc3339, to_ms
from modembank.config import load_config
from modembankd.data_folder import DATABASE, make_data_folder
from modembankd.options import config_option

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="Make none: check the backup FILE and say what is in it.")
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@click.option(
    "--keep", type=click.IntRange(1, 10_000), help="FILE is a folder: name the backup by its time, keep so many there."
)
@config_option
def backup(file: Path, check: bool, force: bool, keep: int | None, config_path: Path) -> None:
    """Write everything the box must not forget into FILE, checked; a running daemon goes on undisturbed."""
    if keep is not None and (check or force):
        raise click.UsageError("--keep goes with neither --check nor --force")  # noqa: EM101
    if keep is None and file.is_dir():
        raise click.UsageError(f"{file} is a folder: say --keep N, or name a file in it")  # noqa: EM102
    if check:
        checked = check_file(file)
        click.echo(f"{file} is whole.")
        _describe(checked)
        return
    box = load_config(config_path).box
    database = Path(box.data_dir) / DATABASE
    if keep is not None:
        made = BackupFolder(file, box.id).make(database, to_ms(time.time()), keep)
        click.echo(f"{made} is made and checked.")
        return
    manifest = take_backup(BackupJob(database, file, box.id, to_ms(time.time()), replace=force))
    click.echo(f"{file} is made and checked.")
    _describe(Checked(file, manifest, is_backup=True))


@click.command("restore")
@click.argument("file", type=_FILE)
@click.option("--yes", is_flag=True, help="Do not ask before the present database is set aside.")
@config_option
def restore_command(file: Path, yes: bool, config_path: Path) -> None:
    """Put the backup FILE in the place of the box's database, which is set aside; the daemon must not run."""
    data_dir = Path(load_config(config_path).box.data_dir)
    make_data_folder(data_dir)
    _require_owner(data_dir)

    def agree(checked: Checked) -> None:
        if not yes:
            _ask(data_dir / DATABASE, checked)

    restored = restore(data_dir / DATABASE, file, to_ms(time.time()), agree)
    click.echo(f"{file} is restored.")
    _describe(restored.checked)
    _tell(restored)


def _describe(checked: Checked) -> None:
    found = checked.manifest
    who = f"the box {found.box}" if checked.is_backup else "a box's database, not made by `modembank backup`"
    click.echo(f"  of:       {who}, as of {rfc3339(found.made_at)}")
    click.echo(f"  by:       schema {found.schema}{f', release {found.release}' if checked.is_backup else ''}")
    click.echo(f"  messages: {found.messages} ({found.waiting} of them wait), {found.inbox} received")
    click.echo(f"  users:    {found.users}")
    click.echo(f"  size:     {checked.path.stat().st_size / 2**20:.1f} MiB")


def _tell(restored: Restored) -> None:
    say = click.echo
    say(f"  held:     {restored.held} messages waited then and may have been sent since: an admin decides")
    if restored.interrupted:
        say(f"  unknown:  {restored.interrupted} attempts were under way then")
    if restored.set_aside is None:
        say("What was accepted, sent or received after the backup is not known: SIMs may have sent more than counted.")
        return
    learnt = restored.learnt
    if learnt is None:
        say("The former database is damaged or of a newer release: what SIMs sent after the backup is not counted.")
    else:
        say(f"  learnt:   what became of {learnt.ended} messages, and what SIMs sent, from the former database")
        say(f"  behind:   {learnt.left_messages} messages accepted since and {learnt.left_inbox} received stay in it")
    say(f"The former database is {restored.set_aside}. To bring it back: modembank restore {restored.set_aside}")


def _ask(database: Path, checked: Checked) -> None:
    if not _is_terminal():
        raise RestoreRefused(detail=f"{database} would be set aside: say --yes if that is meant")
    _describe(checked)
    if not click.confirm(f"Set {database} aside and restore this in its place?"):
        raise RestoreRefused(detail="it was not wanted")


def _is_terminal() -> bool:
    return sys.stdin.isatty()


def _require_owner(data_dir: Path) -> None:
    """The daemon could not use what another user, root above all, restores for it."""
    owner = data_dir.stat().st_uid
    if owner != os.geteuid():
        raise RestoreRefused(detail=f"{data_dir} belongs to the user with id {owner}: restore as that user (sudo -u)")
