"""What is in the image: a CycloneDX list (SBOM) of every Debian package and wheel, and a plain one."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote
from uuid import UUID

from recipe import SUITE, Recipe


def write_inventory(recipe: Recipe, origins: Path, wheels: Path) -> None:
    """Write the two lists beside the image."""
    parts = [*debian_packages(origins.read_text("utf-8")), *python_packages(wheels)]
    (recipe.out / f"{recipe.name}.packages").write_text(
        "".join(f"{part['name']} {part['version']}\n" for part in parts)
    )
    text = json.dumps(bill(recipe, parts), indent=1, sort_keys=True)
    (recipe.out / f"{recipe.name}.cdx.json").write_text(text + "\n")


def bill(recipe: Recipe, parts: list[dict[str, object]]) -> dict[str, object]:
    """Return the CycloneDX document."""
    product = {"type": "operating-system", "name": "modembank", "version": recipe.version, "bom-ref": recipe.name}
    digest = hashlib.sha256(json.dumps([recipe.build, parts]).encode()).digest()
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": UUID(bytes=digest[:16], version=4).urn,
        "version": 1,
        "metadata": {
            "timestamp": f"{datetime.fromtimestamp(recipe.epoch, UTC):%Y-%m-%dT%H:%M:%SZ}",
            "component": product | {"properties": [{"name": "modembank:build", "value": recipe.build}]},
        },
        "components": parts,
    }


def debian_packages(origins: str) -> list[dict[str, object]]:
    """Return the installed packages from what ``apt-cache show`` said of them; one may be offered by two suites."""
    found = {}
    for block in origins.split("\n\n"):
        field = dict(re.findall(r"^([\w-]+): (.*)$", block, re.MULTILINE))
        if field:
            name, version, architecture = field["Package"], field["Version"], field["Architecture"]
            purl = f"pkg:deb/debian/{quote(name)}@{quote(version)}?arch={architecture}&distro={SUITE}"
            found[purl] = _part(name, version, purl, field["SHA256"])
    return [found[purl] for purl in sorted(found)]


def python_packages(wheels: Path) -> Iterator[dict[str, object]]:
    """Yield the wheels."""
    for wheel in sorted(wheels.glob("*.whl")):
        name, version, *_ = wheel.name.split("-")
        name = name.replace("_", "-").lower()
        yield _part(name, version, f"pkg:pypi/{name}@{quote(version)}", hashlib.sha256(wheel.read_bytes()).hexdigest())


def _part(name: str, version: str, purl: str, sha256: str) -> dict[str, object]:
    return {
        "type": "library",
        "name": name,
        "version": version,
        "purl": purl,
        "bom-ref": purl,
        "hashes": [{"alg": "SHA-256", "content": sha256}],
    }
