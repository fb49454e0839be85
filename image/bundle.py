"""Make an update of a slot: ``python image/bundle.py [--architecture arm64] [--out image/out] [SLOT.system.vfat]``.

Out comes ``modembank-VERSION-ARCHITECTURE.raucb`` beside the slot, signed by the keys of keys.py, and verified.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import tomllib
from pathlib import Path

from keys import HERE, Keys, keys

PARTITIONS = {"amd64": "6d6f6465-6d62-4e6b-8000-00000000000", "arm64": "6d6f6465-0"}
"""How the identifiers of partitions begin; their number follows."""


def main() -> None:
    """Make the update of what was built last."""
    parser = argparse.ArgumentParser(description="make a signed update of a slot")
    parser.add_argument("slot", nargs="?", type=Path, help="modembank-VERSION-ARCHITECTURE.system.vfat")
    parser.add_argument("--architecture", choices=sorted(PARTITIONS), default="amd64")
    parser.add_argument("--out", type=Path, default=HERE / "out")
    chosen = parser.parse_args()
    slot = chosen.slot or newest_slot(chosen.out, chosen.architecture)
    print(make_bundle(slot, keys(chosen.out)))


def newest_slot(out: Path, architecture: str) -> Path:
    """Return the slot that was built last."""
    built = sorted(out.glob(f"modembank-*-{architecture}.system.vfat"), key=lambda path: path.stat().st_mtime)
    if not built:
        message = f"there is no slot of {architecture} in {out}: make image first"
        raise SystemExit(message)
    return built[-1]


def make_bundle(slot: Path, signing: Keys) -> Path:
    """Return the update of a slot; what it says of itself is what the slot says."""
    release = release_of(slot)
    bundle = slot.with_name(f"modembank-{release['version']}-{release['architecture']}.raucb")
    bundle.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(dir=slot.parent) as made:
        work = Path(made)
        os.link(slot, work / "system.vfat")
        (work / "manifest.raucm").write_text(manifest(release))
        _run(["rauc", f"--cert={signing.certificate}", f"--key={signing.key}", "bundle", work, bundle])
        conf = work / "system.conf"
        conf.write_text(
            "[system]\ncompatible=any\nbootloader=noop\n"
            f"[keyring]\npath={signing.keyring.resolve()}\ncheck-purpose=codesign\n"
        )
        _run(["rauc", f"--conf={conf}", "info", bundle])
    return bundle


def manifest(release: dict[str, str | int]) -> str:
    """Return what a bundle says of itself."""
    return (
        f"[update]\ncompatible=modembank-{release['architecture']}\nversion={release['version']}\n"
        f"build={release['build']}\n\n[bundle]\nformat=verity\n\n[image.system]\nfilename=system.vfat\n"
    )


def release_of(slot: Path) -> dict[str, str | int]:
    """Return ``release.toml`` of a slot's file system."""
    return tomllib.loads(_run(["mtype", "-i", slot, "::release.toml"]))


def system_conf(architecture: str, version: str) -> str:
    """Return /etc/rauc/system.conf of an image."""
    text = (HERE / "rauc/system.conf").read_text("utf-8")
    own = {"ARCHITECTURE": architecture, "VERSION": version, "PARTITION": PARTITIONS[architecture]}
    for name, value in own.items():
        text = text.replace(f"@{name}@", value)
    return text


def _run(words: list[str | Path]) -> str:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    if done.returncode:
        message = f"{' '.join(str(word) for word in words)}: {done.stderr.strip()}"
        raise SystemExit(message)
    return done.stdout


if __name__ == "__main__":
    main()
