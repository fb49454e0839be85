"""The Debian below: a tar file of its root, made by mmdebstrap from the mirror that this machine's apt uses."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

from commands import run, say
from recipe import HERE, SUITE, Recipe

BINFMT = Path("/proc/sys/fs/binfmt_misc")
COMPONENTS = "main non-free-firmware"
# Left out: what nobody reads on a box without a login. Licences stay.
EXCLUDED = ["/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*", "/usr/share/doc/*", "/usr/share/lintian/*"]
# The Raspberry Pi's firmware is put into the slot by slot.py, not by hooks of the kernel.
EXCLUDED += ["/etc/kernel/*/z50-raspi-firmware", "/etc/initramfs/*/z50-raspi-firmware"]
INCLUDED = ["/usr/share/doc/*/copyright"]
# What apt knows of each package that was installed, for the list of what is in the image (inventory.py).
ORIGINS = "var/lib/dpkg/origins"
KEEP_ORIGINS = (
    'APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-cache show $(dpkg-query --admindir="$1/var/lib/dpkg" --show '
    f'--showformat="\\${{binary:Package}}=\\${{Version}} ") >"$1/{ORIGINS}"'
)


def base(recipe: Recipe, *, fresh: bool) -> Path:
    """Return the tar file; an earlier one is used as long as lists, mirror and this program are what they were."""
    sources = apt_sources(recipe.architecture)
    words = _mmdebstrap(recipe)
    state = hashlib.sha256("\n".join([*words, *_published(recipe, sources)]).encode()).hexdigest()[:16]
    tar = recipe.cache / f"base-{recipe.architecture}-{state}.tar"
    if fresh or not tar.exists():
        if recipe.architecture != dpkg_architecture():
            emulate(recipe.architecture)
        say(f"debian {SUITE} for {recipe.architecture}, {len(recipe.packages)} packages and what they need")
        for old in recipe.cache.glob(f"base-{recipe.architecture}-*.tar*"):
            old.unlink()
        part = tar.with_suffix(".tar.part")
        # The initrd is made once, when all of it is there.
        run([*words, SUITE, part, *sources], epoch=recipe.epoch, also={"INITRD": "No"})
        part.rename(tar)
    return tar


def _mmdebstrap(recipe: Recipe) -> list[str]:
    helpers = f"sh {HERE}/native-helpers.sh"
    own = dpkg_architecture() == recipe.architecture
    path = "/usr/sbin:/usr/bin:/sbin:/bin"
    return [
        "mmdebstrap",
        "--mode=root",
        "--format=tar",
        "--variant=apt",
        f"--architectures={recipe.architecture}",
        f"--include={','.join(recipe.packages)}",
        "--aptopt=Acquire::Check-Valid-Until false",
        "--dpkgopt=force-unsafe-io",
        *([] if own else [f'--extract-hook={helpers} "$1"', f'--aptopt=DPkg::Path "/native:{path}"']),
        *(f"--dpkgopt=path-exclude={path}" for path in EXCLUDED),
        f"--customize-hook={KEEP_ORIGINS}",
        *(f"--dpkgopt=path-include={path}" for path in INCLUDED),
        *([] if own else [f'--customize-hook={helpers} "$1" remove']),
    ]


def dpkg_architecture() -> str:
    """Return the architecture of this machine."""
    return run(["dpkg", "--print-architecture"], epoch=0).strip()


def emulate(architecture: str) -> None:
    """Have the kernel run programs of another architecture by qemu-user, which a fresh machine or container may not do.

    Raises SystemExit with the way out where it cannot be had.
    """
    if subprocess.run(["arch-test", architecture], capture_output=True, check=False).returncode == 0:
        return
    if not (BINFMT / "register").exists():
        subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", BINFMT], check=False)
    subprocess.run(["update-binfmts", "--enable"], check=False)
    if subprocess.run(["arch-test", architecture], capture_output=True, check=False).returncode:
        message = f"this kernel runs no programs for {architecture}: mount binfmt_misc at {BINFMT}"
        raise SystemExit(message)


def apt_sources(architecture: str) -> list[str]:
    """Return the lines of sources.list. Mirrors are named by the environment or by what apt uses here."""
    known = run(["apt-get", "indextargets", "--format", "$(LABEL) $(REPO_URI)", "Created-By: Packages"], epoch=0)
    here = dict(line.split() for line in known.splitlines() if len(line.split()) == 2)
    debian = os.environ.get("DEBIAN_MIRROR") or here.get("Debian")
    security = os.environ.get("DEBIAN_SECURITY_MIRROR") or here.get("Debian-Security")
    if not (debian and security):
        message = (
            "apt knows no mirror of Debian here (apt-get update?); name them: DEBIAN_MIRROR, DEBIAN_SECURITY_MIRROR"
        )
        raise SystemExit(message)
    suites = [SUITE, f"{SUITE}-updates", *([f"{SUITE}-backports"] if architecture == "arm64" else [])]
    return [
        *(f"deb {debian} {suite} {COMPONENTS}" for suite in suites),
        f"deb {security} {SUITE}-security {COMPONENTS}",
    ]


def _published(recipe: Recipe, sources: list[str]) -> list[str]:
    """Return the hashes of the lists of packages that the mirrors have now, so that no security update is missed."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for number, source in enumerate(sources):
            _, mirror, suite, *_ = source.split()
            release = Path(folder) / str(number)
            fetch = f"{mirror.rstrip('/')}/dists/{suite}/InRelease"
            run(["/usr/lib/apt/apt-helper", "download-file", fetch, release], epoch=recipe.epoch)
            found += [
                line for line in release.read_text().splitlines() if f"binary-{recipe.architecture}/Packages" in line
            ]
    return found
