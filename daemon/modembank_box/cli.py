"""The command line ``modembank-box``, for root and its units. Exit status 0, 1 (failed), 2 (usage)."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Sequence
from pathlib import Path

from modembank_box import verbs
from modembank_box.errors import BoxError
from modembank_box.places import Places

USAGE = "usage: modembank-box [--root FOLDER] VERB [ARGUMENT ...]\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out the verb that ``arguments`` (default: the process's) name and return the exit status."""
    rest = list(sys.argv[1:] if arguments is None else arguments)
    root = Path("/")
    if rest[:1] == ["--root"] and len(rest) > 1:
        root, rest = Path(rest[1]), rest[2:]
    if not rest or rest[0] in {"-h", "--help", "help"}:
        sys.stdout.write(_help())
        return 0 if rest else 2
    if rest[0] not in _names():
        sys.stderr.write(f"modembank-box: there is no verb {rest[0]}\n{_help()}")
        return 2
    module = importlib.import_module(f"{verbs.__name__}.{rest[0].replace('-', '_')}")
    try:
        status: int = module.run(Places(root), rest[1:])
    except BoxError as error:
        sys.stderr.write(f"modembank-box {rest[0]}: {error}\n")
        return 1
    return status


def _names() -> list[str]:
    return sorted(found.name.replace("_", "-") for found in pkgutil.iter_modules(verbs.__path__))


def _help() -> str:
    lines = [USAGE, "\n"]
    for name in _names():
        module = importlib.import_module(f"{verbs.__name__}.{name.replace('-', '_')}")
        first = (module.__doc__ or "").partition("\n")[0]
        lines.append(f"  {name:<14}{first}\n")
    return "".join(lines)
