"""A box that updates itself, in a folder: its slots are files, its boot loader a grubenv, and RAUC is the real one."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from fakes.machines import ROOT
from modembank_box.places import Places
from modembank_box.progress import Progress

sys.path.append(str(ROOT / "image"))

import bundle as image_bundle
import keys as image_keys

RAUC = os.environ.get("RAUC", "rauc")
"""Another one, such as that of the image's Debian."""
GRUBENV = {"ORDER": "A B", "A_OK": "1", "A_TRY": "0", "B_OK": "0", "B_TRY": "0"}
SLOT_OCTETS = 4 << 20


def rauc_version() -> tuple[int, ...]:
    said = subprocess.run([RAUC, "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(int(part) for part in re.findall(r"\d+", said))


def make_keys(folder: Path, name: str = "Tests") -> image_keys.Keys:
    image_keys.make_keys(folder, name)
    return image_keys.Keys(str(folder / "signer.pem"), str(folder / "signer.key"), folder / "keyring.pem")


def make_bundle(
    path: Path, signing: image_keys.Keys, *, version: str = "0.2.0", architecture: str = "amd64", form: str = "verity"
) -> Path:
    """Make a bundle whose slot is noise; installing one needs ``plain`` where the kernel knows no dm-verity."""
    work = path.with_name(f"{path.name}.work")
    work.mkdir()
    content = os.urandom(SLOT_OCTETS // 4) + bytes(SLOT_OCTETS // 2) + os.urandom(SLOT_OCTETS // 4)
    (work / "system.vfat").write_bytes(content)
    text = image_bundle.manifest({"architecture": architecture, "version": version, "build": "built"})
    (work / "manifest.raucm").write_text(text if form == "verity" else text.replace("[bundle]\nformat=verity\n", ""))
    command = [RAUC, f"--cert={signing.certificate}", f"--key={signing.key}", "bundle", work, path]
    subprocess.run(command, check=True, capture_output=True)
    path.with_suffix(".slot").write_bytes(content)
    shutil.rmtree(work)
    return path


@dataclass
class UpdatedBox:
    """A box of the version 0.1.0 that was started from slot a, with nothing in slot b."""

    root: Path
    keys: image_keys.Keys

    @property
    def places(self) -> Places:
        return Places(self.root)

    @property
    def progress(self) -> Progress:
        return Progress(self.places)

    @property
    def told(self) -> dict:
        return json.loads(self.places.state("update").read_text())

    @property
    def grubenv(self) -> dict[str, str]:
        text = (self.places.boot / "grub/grubenv").read_text()
        return dict(re.findall(r"(?m)^([A-Z_]+)=(.*)$", text))

    def slot(self, name: str) -> bytes:
        return (self.root / f"dev/slot-{name}").read_bytes()

    def starts(self, slot: str, *, version: str = "0.1.0", schema: int = 11) -> None:
        """Let the box have been started from a slot."""
        shutil.rmtree(self.places.run, ignore_errors=True)
        system = self.places.run / "system"
        system.mkdir(parents=True)
        (self.root / "proc/cmdline").write_text(f"ro quiet modembank.slot={slot}\n")
        release = f'version = "{version}"\nbuild = "x"\narchitecture = "amd64"\nschema = {schema}\n'
        (system / "release.toml").write_text(release)

    def orders(self, verb: str = "update", bundle: Path | None = None, **more: object) -> Path:
        """Ask as the daemon does."""
        folder = self.places.daemon / "box"
        if bundle is not None:
            shutil.copy(bundle, folder / "bundle.raucb")
        (folder / "request.json").write_text(json.dumps({"verb": verb, "id": "x1", "by": "ada", **more}))
        return folder


def updated_box(root: Path, signing: image_keys.Keys) -> UpdatedBox:
    box = UpdatedBox(root, signing)
    for name in ("proc", "dev", "data", "etc/rauc", "boot/box/grub", "var/lib/modembank/box", "var/lib/rauc", "mnt"):
        (root / name).mkdir(parents=True)
    write_grubenv(root / "boot/box/grub/grubenv", GRUBENV)
    for name in "ab":
        (root / f"dev/slot-{name}").write_bytes(name.encode() * SLOT_OCTETS)
    backend = root / "backend"
    call = (
        f"import sys; from modembank_box.cli import main; sys.exit(main(['--root', '{root}', 'boot', *sys.argv[1:]]))"
    )
    backend.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT}/daemon exec {sys.executable} -S -c "{call}" "$@"\n')
    backend.chmod(0o755)
    shutil.copy(signing.keyring, root / "etc/rauc/keyring.pem")
    (root / "etc/rauc/system.conf").write_text(_system_conf(root))
    box.starts("a")
    return box


def write_grubenv(path: Path, variables: dict[str, str]) -> None:
    text = "# GRUB Environment Block\n" + "".join(f"{name}={value}\n" for name, value in variables.items())
    path.write_bytes(text.encode().ljust(1024, b"#"))


def _system_conf(root: Path) -> str:
    """The image's own, in a folder, with plain bundles allowed too, and without what an older RAUC does not know."""
    text = image_bundle.system_conf("amd64", "0.1.0")
    for there, here in (
        ("/etc/rauc/", f"{root}/etc/rauc/"),
        ("/var/lib/rauc", f"{root}/var/lib/rauc"),
        ("/usr/lib/modembank/boot-backend", f"{root}/backend"),
        (f"/dev/disk/by-partuuid/{image_bundle.PARTITIONS['amd64']}2", f"{root}/dev/slot-a"),
        (f"/dev/disk/by-partuuid/{image_bundle.PARTITIONS['amd64']}3", f"{root}/dev/slot-b"),
        ("bundle-formats=verity", "bundle-formats=plain verity"),
    ):
        assert there in text
        text = text.replace(there, here)
    if rauc_version() < (1, 13):
        text = re.sub(r"(?m)^min-bundle-version=.*\n", "", text)
    return text


@contextlib.contextmanager
def bus(folder: Path):
    """A message bus of our own; yields the environment in which RAUC and its service find each other."""
    daemon = subprocess.Popen(
        ["dbus-daemon", "--session", "--nofork", "--print-address"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        address = daemon.stdout.readline().decode().strip()
        yield os.environ | {"DBUS_SESSION_BUS_ADDRESS": address, "DBUS_STARTER_BUS_TYPE": "session"}
    finally:
        daemon.kill()
        daemon.wait()
        daemon.stdout.close()


@contextlib.contextmanager
def rauc_service(box: UpdatedBox, environment: dict[str, str]):
    """RAUC's service, killed at the end as the power would do it; what it mounted is let go."""
    log = (box.root / "service.log").open("ab")
    service = subprocess.Popen(
        [
            RAUC,
            f"--conf={box.root}/etc/rauc/system.conf",
            f"--mount={box.root}/mnt",
            "service",
            "--override-boot-slot=a",
        ],
        env=environment,
        stdout=log,
        stderr=log,
    )
    try:
        _until_known(environment)
        yield service
    finally:
        service.kill()
        service.wait()
        log.close()
        subprocess.run(["umount", "--lazy", box.root / "mnt/bundle"], check=False, capture_output=True)


def _until_known(environment: dict[str, str]) -> None:
    ask = ["dbus-send", "--session", "--print-reply", "--dest=org.freedesktop.DBus", "/org/freedesktop/DBus"]
    ask += ["org.freedesktop.DBus.NameHasOwner", "string:de.pengutronix.rauc"]
    for _ in range(500):
        said = subprocess.run(ask, env=environment, capture_output=True, text=True, check=False).stdout
        if "boolean true" in said:
            return
        time.sleep(0.02)
    raise AssertionError
