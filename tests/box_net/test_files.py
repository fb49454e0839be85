"""The image's files for network and hardening, as far as Debian's tools can judge them without the image."""

import configparser
import re
import shutil
import subprocess

import pytest

from fakes.machines import ROOT, machine, tool
from fakes.namespaces import FILES

pytestmark = pytest.mark.systemd
BOX = sorted(path.name for path in (ROOT / "systemd" / "box").iterdir())
OURS = [
    name
    for name in BOX
    if name.split(".")[0].removesuffix("-first")
    in {"modembank-certificate", "modembank-clock", "modembank-renewal", "modembank-ssh-key"}
]
STARTED_BY_OTHERS = {"modembank-ssh-key.service", "modembank-renewal.service", "modembank-certificate.service"}
PRESET = FILES / "usr/lib/systemd/system-preset/05-modembank-net.preset"
SHELLS = ("getty@.service", "serial-getty@.service", "console-getty.service", "debug-shell.service", "ssh.socket")
UPKEEP = ("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "man-db.timer", "e2scrub_all.timer")


@pytest.fixture
def root(tmp_path):
    """A Debian with the service and the image's files."""
    made = machine(tmp_path / "root")
    shutil.copytree(FILES, made, symlinks=True, dirs_exist_ok=True)
    (made / "bin").mkdir(exist_ok=True)
    for name in ("bin/sh", "usr/bin/systemctl"):
        shutil.copy(made / "usr/bin/kill", made / name)
    return made


def ini(name):
    parsed = configparser.ConfigParser(strict=False)
    parsed.optionxform = str
    parsed.read(FILES / name)
    return parsed


def masked(name):
    path = FILES / "etc/systemd" / name
    return path.is_symlink() and str(path.readlink()) == "/dev/null"


def test_systemd_finds_nothing_wrong_with_units_and_drop_ins(root):
    said = tool(
        "systemd-analyze", "verify", f"--root={root}", "--man=no", *OURS, "modembankd.service", "emergency.service"
    )
    assert said == []


def test_the_presets_enable_what_the_daemon_needs(root):
    enabled = [line.split()[1] for line in PRESET.read_text().splitlines() if line.startswith("enable ")]
    ours = [name for name in enabled if name.startswith("modembank")]
    assert set(OURS) - STARTED_BY_OTHERS <= set(ours)
    (root / "usr/lib/systemd/system/ssh.service").write_text(
        "[Service]\nExecStart=true\n[Install]\nWantedBy=multi-user.target\n"
    )
    tool("systemctl", f"--root={root}", "preset", *ours, "ssh.service")
    wants = {path.parent.name: set() for path in (root / "etc/systemd/system").glob("*.wants/*")}
    for path in (root / "etc/systemd/system").glob("*.wants/*"):
        wants[path.parent.name].add(path.name)
    assert {"modembank-clock.service", "modembank-certificate-first.service"} <= wants["modembankd.service.wants"]
    assert {"modembankd.socket", "modembankd-http.socket"} <= wants["sockets.target.wants"]
    assert "modembank-renewal.timer" in wants["timers.target.wants"]
    assert {"modembank-renewal.path", "ssh.service"} <= wants["multi-user.target.wants"]


def test_the_whole_start_has_no_cycle(root):
    """Systemd would leave something out of it, not always the same."""
    enabled = [line.split()[1] for line in PRESET.read_text().splitlines() if line.startswith("enable modembank")]
    tool("systemctl", f"--root={root}", "preset", *enabled, "modembankd.service")
    said = tool("systemd-analyze", "verify", f"--root={root}", "--man=no", "multi-user.target")
    assert not [line for line in said if "modembank" in line or "cycl" in line]


def test_what_the_beginning_has_done_is_not_done_again():
    """Each of these units makes the file without which it starts."""
    for name, made in (("clock", "clock.json"), ("trial", "release.json"), ("certificate-first", "tls.crt")):
        unit = (ROOT / f"systemd/box/modembank-{name}.service").read_text()
        assert f"\nConditionPathExists=!/run/modembank-box/{made}\n" in unit
        assert "modembank-begin.service" in re.search(r"(?m)^After=(.*)$", unit)[1].split()


def test_the_daemon_and_what_it_waits_for_wait_for_no_files_in_tmp():
    """PrivateTmp= does, until tmpfiles.d is done; and for its state the daemon waits until the root is mounted anew."""
    names = [f"systemd/box/modembank-{name}.service" for name in ("begin", "clock", "certificate-first", "trial")]
    for name in (*names, "image/files/etc/systemd/system/modembankd.service.d/50-modembank.conf"):
        assert "\nPrivateTmp=yes\n" not in (ROOT / name).read_text(), name
    assert "\nPrivateTmp=no\nTemporaryFileSystem=/tmp" in (ROOT / name).read_text()
    assert masked("system/systemd-remount-fs.service")


def test_of_the_generators_only_those_are_run_that_find_something():
    """The one of fstab, which the initrd has obeyed already, and that which tests in a machine bring their units by."""
    made = {path.name for path in (FILES / "etc/systemd/system-generators").iterdir()}
    assert all(masked(f"system-generators/{name}") for name in made)
    # Of systemd 257; those of systemd-boot, encrypted and integrity-checked disks are packages of their own.
    known = "debug|fstab|getty|gpt-auto|hibernate-resume|rc-local|run|ssh|system-update|sysv|tpm2"
    assert {f"systemd-{name}-generator" for name in known.split("|")} - made == {
        "systemd-debug-generator",
        "systemd-fstab-generator",
    }


def test_no_kernel_cipher_is_loaded_because_a_processor_has_instructions_for_it():
    """Its tests take seconds of a start, where nothing encrypts in the kernel."""
    lines = (FILES / "usr/lib/modprobe.d/modembank.conf").read_text().splitlines()
    for name in ("aesni_intel", "ghash_clmulni_intel", "sha256_ssse3", "aes_ce_blk", "ghash_ce", "sha2_ce"):
        assert f"blacklist {name}" in lines


def test_what_no_program_of_the_box_looks_at_is_not_mounted():
    for name in ("sys-kernel-debug.mount", "sys-kernel-tracing.mount", "dev-mqueue.mount", "sys-kernel-config.mount"):
        assert masked(f"system/{name}")


def test_the_daemon_starts_after_the_time_and_the_certificate():
    for name in ("modembank-clock.service", "modembank-certificate-first.service"):
        unit = (ROOT / "systemd/box" / name).read_text()
        assert "\nBefore=modembankd.service\n" in unit
        assert "\nWantedBy=modembankd.service\n" in unit  # wanted, not required: it starts without, too
        assert re.search(r"^TimeoutStartSec=2min$", unit, re.MULTILINE)


@pytest.mark.parametrize("name", ["modembank-certificate.service", "modembank-clock.service"])
def test_s20_exposure_of_roots_programs(root, name):
    command = ["systemd-analyze", "security", "--offline=true", f"--root={root}", "--no-pager", "--threshold=35", name]
    tool(*command)


@pytest.mark.parametrize("name", SHELLS)
def test_s01_nobody_is_asked_for_a_password(name):
    assert masked(f"system/{name}")


def test_s21_nothing_of_ssh_listens_before_somebody_gave_a_key():
    assert masked("system-generators/systemd-ssh-generator")
    assert masked("system-generators/systemd-getty-generator")
    condition = "ConditionPathExists=/run/modembank-box/authorized_keys\n"
    assert condition in (FILES / "etc/systemd/system/ssh.service.d/50-modembank.conf").read_text()
    assert condition in (ROOT / "systemd/box/modembank-ssh-key.service").read_text()
    said = dict(
        line.split(" ", 1)
        for line in (FILES / "etc/ssh/sshd_config.d/50-modembank.conf").read_text().splitlines()
        if not line.startswith("#")
    )
    assert said["AuthenticationMethods"] == "publickey"
    assert (said["PasswordAuthentication"], said["KbdInteractiveAuthentication"]) == ("no", "no")
    assert said["AuthorizedKeysFile"] == "/run/modembank-box/authorized_keys"


def test_s21_the_key_of_ssh_is_made_once_and_again_when_it_is_broken(tmp_path):
    unit = (ROOT / "systemd/box/modembank-ssh-key.service").read_text()
    script = re.search(r"ExecStart=/bin/sh -c '(.*)'$", unit, re.MULTILINE)[1].replace("/data", str(tmp_path))
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "ssh-keygen").write_text(
        "#!/bin/sh\nfor one; do last=$one; done\n"
        'case "$*" in *-y*) grep -q good "$last";; *) echo good $$ > "$last";; esac\n'
    )
    (programs / "ssh-keygen").chmod(0o755)
    key, env = tmp_path / "ssh/ssh_host_ed25519_key", {"PATH": f"{programs}:/usr/bin:/bin"}
    seen = []
    for before in (None, None, "", "torn"):
        if before is not None:
            key.write_text(before)
        subprocess.run(["/bin/sh", "-c", f"umask 077; {script}"], check=True, env=env)
        seen.append(key.read_text())
    assert seen[0] == seen[1]
    assert all(one.startswith("good") for one in seen)
    assert len(set(seen)) == 3


@pytest.mark.parametrize("name", UPKEEP)
def test_s22_what_changes_packages_does_not_run_on_a_system_that_is_only_read(name):
    assert masked(f"system/{name}")


def test_a_machine_that_hangs_or_breaks_starts_anew():
    manager = ini("usr/lib/systemd/system.conf.d/50-modembank.conf")["Manager"]
    assert manager["RuntimeWatchdogSec"] == "15s"  # a Raspberry Pi's own can wait no longer
    assert manager["CrashReboot"] == "yes"
    assert int(settings()["kernel.panic"]) > 0
    assert settings()["kernel.panic_on_oops"] == "1"
    for name in ("emergency", "rescue"):
        drop_in = (FILES / f"etc/systemd/system/{name}.service.d/50-modembank.conf").read_text()
        assert "systemctl reboot --force" in drop_in


def settings():
    lines = (FILES / "usr/lib/sysctl.d/60-modembank.conf").read_text().splitlines()
    return dict(line.lstrip("-").split(" = ") for line in lines if line and not line.startswith("#"))


def test_s15_no_core_file_has_messages_in_it():
    assert settings()["kernel.core_pattern"] == "|/bin/false"
    assert settings()["fs.suid_dumpable"] == "0"
    assert ini("usr/lib/systemd/system.conf.d/50-modembank.conf")["Manager"]["DefaultLimitCORE"] == "0"


def test_s19_it_is_no_way_through_and_the_kernel_takes_no_routes():
    found = settings()
    assert {found[name] for name in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding")} == {"0"}
    assert {value for name, value in found.items() if name.endswith(("accept_ra", "accept_redirects"))} == {"0"}


def test_s19_the_data_connections_of_modems_have_no_driver_and_their_serial_ports_do():
    lines = (FILES / "usr/lib/modprobe.d/modembank.conf").read_text().splitlines()
    off = {line.split()[1] for line in lines if line.startswith(("blacklist ", "install "))}
    assert {"qmi_wwan", "cdc_mbim", "huawei_cdc_ncm", "rndis_host"} <= off
    needed = {
        "option",
        "cdc_acm",
        "usbserial",
        "qcserial",
        "sierra",
        "hso",
        "ftdi_sio",
        "cp210x",
        "ch341",
        "usb_storage",
    }
    ethernet = {"cdc_ether", "cdc_ncm", "r8152", "asix", "ax88179_178a", "smsc95xx", "lan78xx"}
    disks = {"vfat", "ext4", "squashfs", "loop", "exfat", "dm_verity"}
    assert not off & (needed | ethernet | disks)
    known = r"#.*|blacklist \S+|install \S+ /bin/false|options loop max_loop=0"
    assert not [line for line in lines if line and not re.fullmatch(known, line)]


def test_the_journal_has_bounds_in_memory_too():
    journal = ini("usr/lib/systemd/journald.conf.d/60-modembank-box.conf")["Journal"]
    assert journal["RuntimeMaxUse"] == "16M"


@pytest.mark.parametrize("name", ["50-modembank-lan.network", "55-modembank-wifi.network"])
def test_the_networks_the_firewall_knows(name):
    network = ini(f"usr/lib/systemd/network/{name}")
    group = re.search(r"^define lan = (\d+)$", (FILES / "etc/nftables.conf").read_text(), re.MULTILINE)[1]
    assert network["Link"]["Group"] == group
    assert (network["Network"]["MulticastDNS"], network["Network"]["LLMNR"]) == ("yes", "no")
