"""Boot a Debian with the service installed, and look: ``python tests/systemd/booted/run.py [ROOT]``; as root.

The machine is this one, or another Debian's ROOT such as mmdebstrap makes, seen through an overlay in memory, in a
container with its own network; what is done there leaves nothing here. What happens inside is in ``inside.py``.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from fakes.machines import ROOT, install

HERE = Path(__file__).resolve().parent
PYTHON = Path(sys.base_prefix)
PROGRAM = f"""#!/bin/sh
exec /opt/python/bin/python{sysconfig.get_python_version()} /opt/modembank/main.py "$@"
"""
PATHS = ["/opt/modembank/daemon", "/opt/modembank/web", "/opt/packages"]
MAIN = f"""import os, sys
sys.path[:0] = {PATHS}
os.environ["PYTHONPATH"] = {":".join(PATHS)!r}
from modembankd.cli import main
main()
"""
UNITS = {
    "check.service": "[Unit]\nAfter=multi-user.target\n[Service]\nType=oneshot\n"
    "ExecStart=/opt/python/bin/python3 /opt/inside.py\nExecStopPost=/usr/bin/systemctl exit\n",
    "check.target": "[Unit]\nRequires=multi-user.target check.service\nAfter=multi-user.target\n",
    "modembankd.service.d/check.conf": "[Service]\nWatchdogSec=4s\n"
    "LoadCredential=modembank.pin.8944110000000000001:/etc/modembank/pin\n",
}


def main() -> int:
    """Boot, print what was found, and return 1 when something was not as it should be."""
    if os.geteuid() != 0 or shutil.which("systemd-nspawn") is None:
        sys.exit("this needs root and Debian's systemd-container")
    with tempfile.TemporaryDirectory(prefix="booted-") as name:
        folder = Path(name)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=True)
        try:
            found = boot(overlay(folder, sys.argv[1] if len(sys.argv) > 1 else "/"), folder / "console")
        finally:
            subprocess.run(["umount", "-R", folder], check=True)
    for what, good, detail in found:
        print(f"{'ok ' if good else 'BAD'} {what}{'' if good else f': {detail}'}")
    return int(not found or not all(good for _, good, _ in found))


def overlay(folder: Path, lower: str) -> Path:
    """Return the root of the machine: the one below, and what is installed."""
    upper, work, root = (folder / name for name in ("upper", "work", "root"))
    for path in (upper, work, root):
        path.mkdir()
    options = f"lowerdir={lower},upperdir={upper},workdir={work}"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, root], check=True)
    install(root, "--usb-guard")
    for name in ("python", "packages", "modembank/daemon", "modembank/web"):
        (root / "opt" / name).mkdir(parents=True, exist_ok=True)
    for library in (PYTHON / "lib").glob("libpython*.so.*"):
        # Where it was built for is hidden from the service; Debian's own of the same name must not stand in.
        shutil.copy(library, root / "usr/lib" / sysconfig.get_config_var("MULTIARCH"))
    (root / "opt/modembank/main.py").write_text(MAIN)
    shutil.copy(HERE / "inside.py", root / "opt/inside.py")
    program = root / "usr/local/bin/modembank"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    (root / "etc/modembank").mkdir()
    (root / "etc/modembank/modembank.toml").write_text('[box]\nregion = "GB"\n[web]\nlisten = "127.0.0.1:8080"\n')
    (root / "etc/modembank/pin").write_text("1234\n")
    (root / "etc/modembank/pin").chmod(0o600)
    for name, text in UNITS.items():
        path = root / "etc/systemd/system" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    subprocess.run(["systemctl", f"--root={root}", "--quiet", "enable", "modembankd.service"], check=True)
    return root


def boot(root: Path, console: Path) -> list[tuple[str, bool, str]]:
    """Start systemd there, wait until it ends, and return what it found."""
    binds = {
        PYTHON: "/opt/python",
        sysconfig.get_path("purelib"): "/opt/packages",
        ROOT / "daemon": "/opt/modembank/daemon",
        ROOT / "web": "/opt/modembank/web",
    }
    command = ["systemd-nspawn", "--register=no", "--keep-unit", "--private-network", f"--directory={root}"]
    command += [f"--bind-ro={source}:{target}" for source, target in binds.items()]
    env = os.environ | {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1", "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "1"}
    with console.open("w") as output:
        booted = subprocess.Popen(
            [*command, "--boot", "systemd.unit=check.target"],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=env,
        )  # fmt: skip
        try:
            booted.wait(200)
        except subprocess.TimeoutExpired:
            booted.terminate()  # a kill would leave what runs inside
            booted.wait(30)
    result = root / "result.json"
    if not result.exists():
        print(console.read_text()[-4000:])
        return []
    return json.loads(result.read_text())


if __name__ == "__main__":
    sys.exit(main())
