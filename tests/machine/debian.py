"""A plain Debian 13 for QEMU, and a small one with the program installed as docs/service.md says; made once, as root.

Kernel and initrd are given to QEMU, so that they need no boot loader and no partitions.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fakes.machines import ROOT, install
from machine.qemu import Hardware

SUITE = "trixie"
PLAIN = "standard"
"""What the installer leaves where one chooses nothing but the standard system utilities: priorities up to standard."""
SMALL = "minbase"
"""Essential packages and apt."""
# The installer lets the kernel bring what it recommends, and systemd its time synchronisation.
RECOMMENDED = "apparmor systemd-timesyncd"
PACKAGES = (
    "systemd systemd-sysv udev dbus kmod linux-image-amd64 initramfs-tools zstd iproute2 procps python3 usbutils "
    "uhubctl usb-modeswitch ca-certificates openssl libnss-systemd"
)
CACHE = ROOT / ".machines"
_SIZE = "3G"
_PYTHON = Path(sys.base_prefix)
_COMMAND_LINE = "root=/dev/vda rw console=tty0 console=ttyS0 systemd.show_status=true"
_NETWORK = "[Match]\nType=ether\n[Network]\nDHCP=yes\n"
_PROGRAM = f"""#!/bin/sh
export PYTHONPATH=/opt/modembank/daemon:/opt/modembank/web:/opt/packages
exec /opt/python/bin/python{sysconfig.get_python_version()} -c 'from modembankd.cli import main; main()' "$@"
"""
_CONFIGURATION = """[box]
region = "US"
[web]
listen = "0.0.0.0:8443"
tls_cert = "/etc/modembank/tls.crt"
tls_key = "/etc/modembank/tls.key"
[bank]
discovery = "usb"
"""


@dataclass(frozen=True, slots=True)
class Debian:
    """A disk, and what starts it."""

    disk: Path
    kernel: Path
    initrd: Path

    def hardware(self, **more) -> Hardware:
        """Return a machine for it."""
        return Hardware(
            kernel=self.kernel, initrd=self.initrd, command_line=_COMMAND_LINE, ports={"https": 8443}, **more
        )


def plain() -> Debian:
    """Return a Debian as its installer leaves it, with DHCP."""
    return _debian(PLAIN)


def with_program() -> Debian:
    """Return a small one with what this tree holds installed; made anew each time."""
    debian, disk = _debian(SMALL), CACHE / "program.img"
    with _unpacked(_tar(SMALL)) as root:
        _install_program(root)
        _disk_of(root, disk)
    return Debian(disk, debian.kernel, debian.initrd)


def _debian(variant: str) -> Debian:
    tar = _tar(variant)
    disk, kernel, initrd = (tar.with_suffix(suffix) for suffix in (".img", ".vmlinuz", ".initrd"))
    if not disk.exists():
        with _unpacked(tar) as root:
            shutil.copy(root / "vmlinuz", kernel)
            shutil.copy(root / "initrd.img", initrd)
            _disk_of(root, disk)
    return Debian(disk, kernel, initrd)


def _tar(variant: str) -> Path:
    """Make the root, once for each variant and list of packages."""
    packages = f"{PACKAGES} {RECOMMENDED}" if variant == PLAIN else PACKAGES
    words = f"{SUITE} {variant} {packages}"
    tar = CACHE / f"debian-{hashlib.sha256(words.encode()).hexdigest()[:12]}.tar"
    if not tar.exists():
        CACHE.mkdir(exist_ok=True)
        part = tar.with_suffix(".part")
        including = f"--include={','.join(packages.split())}"
        sources = [f"deb {mirror} {suite} main" for mirror, suite in _mirrors()]
        subprocess.run(
            ["mmdebstrap", "--quiet", f"--variant={variant}", "--format=tar", including, SUITE, part, *sources],
            check=True,
        )
        part.rename(tar)
    return tar


def _mirrors() -> list[tuple[str, str]]:
    debian = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
    security = os.environ.get("DEBIAN_SECURITY_MIRROR", "http://deb.debian.org/debian-security")
    return [(debian, SUITE), (security, f"{SUITE}-security")]


@contextmanager
def _unpacked(tar: Path) -> Iterator[Path]:
    root = CACHE / "root"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    try:
        subprocess.run(["tar", "-xf", tar, "-C", root, "--numeric-owner", "--exclude=./dev/*"], check=True)
        (root / "etc/hostname").write_text("plain\n")
        (root / "etc/systemd/network/50-wired.network").write_text(_NETWORK)
        # So that the first boot asks nobody and is as any other.
        (root / "etc/machine-id").write_text("5d1c6be4a5d74a0c8cbd5c0e4f3f0c01\n")
        _enable(root, "systemd-networkd.service")
        yield root
    finally:
        shutil.rmtree(root)


def _install_program(root: Path) -> None:
    install(root, "--usb-guard", prefix="/usr")
    opt = root / "opt"
    for name in ("daemon", "web"):
        shutil.copytree(ROOT / name, opt / "modembank" / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(_PYTHON, opt / "python", symlinks=True, ignore=shutil.ignore_patterns("test", "site-packages"))
    shutil.copytree(sysconfig.get_path("purelib"), opt / "packages", symlinks=True)
    for library in (_PYTHON / "lib").glob("libpython*.so.*"):
        shutil.copy(library, root / "usr/lib" / sysconfig.get_config_var("MULTIARCH"))
    program = root / "usr/bin/modembank"
    program.write_text(_PROGRAM)
    program.chmod(0o755)
    python = [opt / "python/bin/python3", "-m", "compileall", "-q", opt / "modembank"]
    subprocess.run(["chroot", root, *(str(word).removeprefix(str(root)) for word in python)], check=True)
    subprocess.run(["systemd-sysusers", f"--root={root}", "modembank.conf"], check=True)
    etc = root / "etc/modembank"
    etc.mkdir(mode=0o750)
    (etc / "modembank.toml").write_text(_CONFIGURATION)
    subject = ["-subj", "/CN=box.test", "-days", "30", "-keyout", etc / "tls.key", "-out", etc / "tls.crt"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject], check=True, stderr=subprocess.DEVNULL
    )
    subprocess.run(["chroot", root, "chown", "-R", "root:modembank", "/etc/modembank"], check=True)
    for path in etc.iterdir():
        path.chmod(0o640)
    _enable(root, "modembankd.service")


def _enable(root: Path, unit: str) -> None:
    subprocess.run(["systemctl", f"--root={root}", "--quiet", "enable", unit], check=True)


def _disk_of(root: Path, disk: Path) -> None:
    part = disk.with_suffix(".part")
    part.unlink(missing_ok=True)
    subprocess.run(
        ["mke2fs", "-q", "-F", "-t", "ext4", "-E", "lazy_itable_init=1", "-d", root, part, _SIZE],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    part.rename(disk)
