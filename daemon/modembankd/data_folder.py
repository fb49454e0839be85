"""The folder that holds everything the box must not forget."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from modembank.durable import sync
from modembank.errors import ModembankError

DATABASE = "modembank.sqlite3"
"""What the database in it is called."""


class NoDataFolder(ModembankError):
    """The configured folder cannot be made or is none."""

    key = "no_data_folder"
    template = "cannot use the data folder {path}: {reason}"


def make_data_folder(path: Path) -> None:
    """Make the folder where it is missing, such that a power cut cannot take it back; raises NoDataFolder."""
    path = path.absolute()
    try:
        made = [folder for folder in (path, *path.parents) if not folder.exists()]
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NoDataFolder(path=path, reason=error.strerror or str(error)) from error
    for folder in made or [path]:  # one that is there already may be from a start that was killed just here
        with suppress(OSError):  # where the parent may not be read, its entries cannot be synced
            sync(folder.parent)
