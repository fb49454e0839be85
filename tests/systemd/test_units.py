"""The units, judged by systemd's own tools, in the root of a machine that has them installed."""

import configparser
import os
import re
import subprocess

import pytest

from fakes.daemons import MODEMBANK
from fakes.machines import PREFIX, ROOT, machine, tool
from modembank.config import Config
from modembankd.heartbeat import BEAT_S, MOST_LAG_S
from modembankd.options import DEFAULT_CONFIG

pytestmark = pytest.mark.systemd
UNITS = sorted(path.name for path in (ROOT / "systemd").iterdir() if path.suffix in {".service", ".socket", ".timer"})


@pytest.fixture
def root(tmp_path):
    return machine(tmp_path / "root")


def unit(name):
    """Sections, keys and all values of each key."""
    found = {}
    for line in (ROOT / "systemd" / name).read_text().splitlines():
        if line.startswith("["):
            section = found.setdefault(line.strip("[]"), {})
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            section.setdefault(key, []).append(value)
    return found


def test_systemd_finds_nothing_wrong(root):
    assert tool("systemd-analyze", "verify", f"--root={root}", "--man=no", *UNITS) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [("WatchdogSec=30s", "WatchDogSec=30s"), ("WatchdogSec=30s", "WatchdogSec=soon"), ("modembank run", "modem run")],
)
def test_systemd_would_find_something_wrong(root, old, new):
    path = root / PREFIX / "systemd/system/modembankd.service"
    path.write_text(path.read_text().replace(old, new))
    status = 1 if "run" in new else 0
    assert tool("systemd-analyze", "verify", f"--root={root}", "--man=no", "modembankd.service", status=status)


@pytest.mark.parametrize(("name", "exposure"), [("modembankd.service", 1.5), ("modembank-backup.service", 0.4)])
def test_s20_exposure(root, name, exposure):
    """S20 asks for 2.0 at most; the bounds are what there is, and a bit for other versions' weights."""
    command = ["systemd-analyze", "security", "--offline=true", f"--root={root}", "--no-pager"]
    said = tool(*command, f"--threshold={round(exposure * 10)}", name)
    overall = float(re.search(r"exposure level for \S+: ([\d.]+)", "\n".join(said))[1])
    assert overall <= exposure <= 2.0


def test_s20_the_sandbox_is_what_lowers_it(root):
    path = root / PREFIX / "systemd/system/modembankd.service"
    path.write_text(re.sub(r"(?m)^(Protect|Restrict|Private|System|Capability).*\n", "", path.read_text()))
    tool(
        "systemd-analyze",
        "security",
        "--offline=true",
        f"--root={root}",
        "--threshold=20",
        "modembankd.service",
        status=1,
    )


def test_users_and_folders(root):
    """The daemon's user, and folders that nobody else can look into."""
    tool("systemd-sysusers", f"--root={root}", "modembank.conf")
    passwd = root / "etc/passwd"
    name, _, uid, gid, _, home, shell = passwd.read_text().strip().split(":")
    assert (name, home) == ("modembank", Config().box.data_dir)
    assert shell.endswith("nologin")
    assert f"modembank:x:{gid}:" in (root / "etc/group").read_text()
    if os.geteuid() != 0:  # a namespace of one user has no other to give a folder to
        for file in (passwd, root / "etc/group"):
            file.write_text(re.sub(rf"\b({uid}|{gid})\b", "0", file.read_text()))
        uid = gid = os.geteuid()
    config = root / DEFAULT_CONFIG.lstrip("/")
    config.parent.mkdir()
    config.write_text("")
    config.chmod(0o644)
    tool("systemd-tmpfiles", f"--root={root}", "--create", "modembank.conf")
    modes = {
        path: oct(path.stat().st_mode & 0o7777) for path in (config.parent, config, root / "var/backups/modembank")
    }
    assert list(modes.values()) == ["0o750", "0o640", "0o700"]
    assert config.stat().st_gid == int(gid)
    assert (root / "var/backups/modembank").stat().st_uid == int(uid)


def test_the_folders_are_those_of_the_daemon():
    service = unit("modembankd.service")["Service"]
    assert f"/var/lib/{service['StateDirectory'][0]}" == Config().box.data_dir
    assert DEFAULT_CONFIG.startswith(f"/etc/{service['ConfigurationDirectory'][0]}/")
    assert Config().box.data_dir in unit("modembank-backup.service")["Service"]["ReadWritePaths"][0].split()


def test_the_commands_exist(tmp_path):
    """What the units start is understood by the program; a folder that is missing is what stops the backup."""
    config = tmp_path / "modembank.toml"
    config.write_text(f'[box]\ndata_dir = "{tmp_path}"\n')
    for name in ("modembankd.service", "modembank-backup.service"):
        program, *arguments = unit(name)["Service"]["ExecStart"][0].split()
        assert program == "modembank"
        assert subprocess.run([MODEMBANK, *arguments[:1], "--help"], capture_output=True, check=False).returncode == 0
    arguments[-1] = str(tmp_path / "missing")
    done = subprocess.run([MODEMBANK, *arguments, "--config", config], capture_output=True, text=True, check=False)
    assert (done.returncode, "there is no such folder" in done.stderr) == (1, True)


def test_a_watchdog_bites_only_what_is_worse_than_what_the_daemon_itself_calls_trouble():
    service = unit("modembankd.service")["Service"]
    assert float(service["WatchdogSec"][0].removesuffix("s")) / 2 > MOST_LAG_S + BEAT_S
    assert "PYTHONFAULTHANDLER=1" in service["Environment"]
    assert "always" in service["Restart"]
    assert unit("modembankd.service")["Unit"]["StartLimitIntervalSec"] == ["0"]


def test_s20_devices_are_named_by_number():
    """A name such as char-ttyUSB is nothing until its driver is loaded, and the unit would never see a modem."""
    allowed = unit("modembankd.service")["Service"]["DeviceAllow"]
    assert allowed == ["char-188 rw", "char-166 rw", "char-189 rw"]


def test_s20_no_privilege_is_left():
    for name in ("modembankd.service", "modembank-backup.service"):
        service = unit(name)["Service"]
        assert service["CapabilityBoundingSet"] == [""]
        assert service["NoNewPrivileges"] == ["yes"]
        assert service["User"] == ["modembank"]
    assert unit("modembankd.service")["Service"]["RestrictAddressFamilies"] == ["AF_UNIX AF_INET AF_INET6 AF_NETLINK"]


def test_the_journal_has_a_bound():
    parsed = configparser.ConfigParser()
    parsed.optionxform = str
    parsed.read(ROOT / "systemd/journald.conf.d/50-modembank.conf")
    assert parsed["Journal"]["SystemMaxUse"] == "256M"
    assert parsed["Journal"]["Storage"] == "persistent"


def test_the_timer_runs_every_night_and_makes_up_for_one_without_power():
    timer = unit("modembank-backup.timer")["Timer"]
    said = tool("systemd-analyze", "calendar", timer["OnCalendar"][0])
    assert any("Normalized form: *-*-* 02:30:00" in line for line in said)
    assert timer["Persistent"] == ["yes"]
