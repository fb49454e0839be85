"""The folder that holds everything the box must not forget."""

from __future__ import annotations

from pathlib import Path

from modembank.errors import ModembankError


class NoDataFolder(ModembankError):
    """The configured folder cannot be made or is none."""

    key = "no_data_folder"
    template = "cannot use the data folder {path}: {reason}"


def make_data_folder(path: Path) -> None:
    """Make the folder where it is missing; raises NoDataFolder."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NoDataFolder(path=path, reason=error.strerror or str(error)) from error
