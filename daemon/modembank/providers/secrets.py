"""Secrets of providers: files that an admin of the machine puts there, never part of a request or an answer."""

from __future__ import annotations

import os
import re
from pathlib import Path

from modembank.providers.model import SecretMissing

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
MOST = 16_384
"""Octets of a secret; a key in PEM fits."""


class Secrets:
    """Looks in systemd's credentials first, then in the folder of the configuration; anew each time."""

    def __init__(self, folder: str) -> None:
        """``folder`` may be empty: then there are only credentials."""
        self._folder = folder

    def __call__(self, name: str) -> str:
        """Return a secret without the line end behind it; raises SecretMissing with the way out."""
        if not NAME.fullmatch(name):
            raise SecretMissing(why=f"{name[:64]!a} is no name of a secret")
        places = [Path(folder) for folder in (os.environ.get("CREDENTIALS_DIRECTORY", ""), self._folder) if folder]
        for place in places:
            try:
                with (place / f"modembank.provider.{name}").open("rb") as file:
                    return file.read(MOST).decode().rstrip("\r\n")
            except FileNotFoundError:
                pass
            except (OSError, UnicodeDecodeError) as error:
                why = f"the secret {name} cannot be read: {error}"
                raise SecretMissing(why=why) from error
        where = f"{self._folder}/modembank.provider.{name}" if self._folder else "a folder named by [providers] secrets"
        why = f"the secret {name} is not there: put it into {where}, or load the credential modembank.provider.{name}"
        raise SecretMissing(why=why)
