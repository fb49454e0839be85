"""What is built: the architecture, the version, the time that everything in the image carries, and the folders."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
TREE = HERE.parent
SUITE = "trixie"
PYTHON = "3.13"


@dataclass(frozen=True)
class Recipe:
    """One image; ``out`` is where it goes, and what is worth keeping between builds lies in ``cache``."""

    architecture: str
    version: str
    build: str
    epoch: int
    out: Path
    cache: Path

    @property
    def table(self) -> str:
        """The kind of partition table: a Raspberry Pi 3 starts from no other than the old one."""
        return "gpt" if self.architecture == "amd64" else "dos"

    @property
    def machine(self) -> str:
        """The architecture as Python and the kernel call it."""
        return {"amd64": "x86_64", "arm64": "aarch64"}[self.architecture]

    @property
    def name(self) -> str:
        """What the files of this image begin with."""
        return f"modembank-{self.version}-{self.architecture}"

    @property
    def packages(self) -> list[str]:
        """The Debian packages that are asked for."""
        return [name for kind in ("common", self.architecture) for name in listed(HERE / f"packages/{kind}.txt")]

    def release(self) -> str:
        """Return release.toml, by which a slot says what it holds."""
        return (
            f'version = "{self.version}"\nbuild = "{self.build}"\narchitecture = "{self.architecture}"\n'
            f"schema = {schema()}\n"
        )


def recipe(architecture: str, out: Path) -> Recipe:
    """Return the recipe of the tree as it is; what is not committed yet is told by the build's name."""
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or _git("log", "-1", "--format=%ct"))
    changed = "+changed" if _git("status", "--porcelain") else ""
    version = os.environ.get("MODEMBANK_VERSION") or project()["project"]["version"]
    build = f"{datetime.fromtimestamp(epoch, UTC):%Y%m%dT%H%M%SZ}-{_git('log', '-1', '--format=%h')}{changed}"
    return Recipe(architecture, version, build, epoch, out, out / "cache")


def listed(path: Path) -> list[str]:
    """Return the lines of a list that are no comments."""
    return [line for line in path.read_text("utf-8").splitlines() if line and not line.startswith("#")]


def project() -> dict[str, dict[str, str]]:
    """Return pyproject.toml."""
    return tomllib.loads((TREE / "pyproject.toml").read_text("utf-8"))


def schema() -> int:
    """Return the number of the latest migration, which is the schema that this version's database has."""
    numbers = [re.match(r"\d+", path.name) for path in (TREE / "daemon/modembank/store/migrations").glob("*.sql")]
    return max(int(number[0]) for number in numbers if number)


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=TREE, check=True, capture_output=True, text=True).stdout.strip()
