"""The project and its locked dependencies as wheels, in an environment of their own below /opt/modembank."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from commands import run
from recipe import PYTHON, TREE, Recipe

HOME = Path("opt/modembank")
PROGRAMS = {"modembank": "modembankd.cli", "modembank-box": "modembank_box.cli"}
LAUNCHER = """#!/opt/modembank/bin/python3 -I
import sys
from {module} import main
sys.exit(main())
"""
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
# A box runs for years from files that never change: what is compiled is never looked at again.
COMPILE = ["python3", "-m", "compileall", "-q", "-f", "--invalidation-mode", "unchecked-hash"]


def wheels(recipe: Recipe, work: Path) -> Path:
    """Return a folder with the wheels: the locked ones, checked by their hashes, and ours, built from the tree."""
    folder = work / "wheels"
    locked: list[str | Path] = ["--require-hashes", "-r", TREE / "requirements.lock"]
    run([*PIP, "download", "-q", "--dest", folder, *_target(recipe), *locked], epoch=recipe.epoch)
    run([*PIP, "wheel", "-q", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, TREE], epoch=recipe.epoch)
    return folder


def install(recipe: Recipe, root: Path, folder: Path) -> None:
    """Put the wheels and the programs into the root."""
    home = root / HOME
    site = home / f"lib/python{PYTHON}/site-packages"
    offline: list[str | Path] = ["--no-index", "--find-links", folder, "--no-compile", "--target", site]
    # By name and version, since pip writes down the path of a file that it is given.
    names = ["==".join(wheel.name.split("-")[:2]) for wheel in sorted(folder.glob("*.whl"))]
    run([*PIP, "install", "-q", *offline, *_target(recipe), *names], epoch=recipe.epoch)
    shutil.rmtree(site / "bin", ignore_errors=True)
    (home / "bin").mkdir()
    (home / "bin/python3").symlink_to("/usr/bin/python3")
    (home / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = true\n")
    for name, module in PROGRAMS.items():
        program = home / "bin" / name
        program.write_text(LAUNCHER.format(module=module))
        program.chmod(0o755)
        (root / "usr/bin" / name).symlink_to(f"/opt/modembank/bin/{name}")


def compile_all(recipe: Recipe, root: Path) -> None:
    """Compile every module that the box may load, in one process and in one order, so that it is the same each time."""
    for old in sorted(root.rglob("__pycache__")):
        shutil.rmtree(old)
    folders = [f"/usr/lib/python{PYTHON}", "/usr/lib/python3/dist-packages", f"/{HOME}"]
    run(["chroot", root, *COMPILE, *folders], epoch=recipe.epoch)


def _target(recipe: Recipe) -> list[str]:
    platforms = [f"manylinux_2_{minor}_{recipe.machine}" for minor in (17, 24, 26, 27, 28, 31, 34, 35, 38, 39)]
    options = [f"--platform={platform}" for platform in [f"manylinux2014_{recipe.machine}", *platforms]]
    return [*options, f"--python-version={PYTHON}", "--implementation=cp", "--only-binary=:all:", "--no-deps"]
