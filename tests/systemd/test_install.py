"""tools/install.sh into an empty folder."""

import subprocess

import pytest

from fakes.machines import ROOT, install


def files(root):
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def shipped():
    """Every file of the tree that is there to be installed, by where it belongs below lib/."""
    units = {f"systemd/system/{path.name}" for path in (ROOT / "systemd").iterdir() if path.is_file()}
    folders = {"sysusers.d": "sysusers.d", "tmpfiles.d": "tmpfiles.d", "journald.conf.d": "systemd/journald.conf.d"}
    assert {path.name for path in (ROOT / "systemd").iterdir() if path.is_dir()} == {
        *folders,
        "box",
        "modembankd.service.d",
    }
    more = {f"{to}/{path.name}" for name, to in folders.items() for path in (ROOT / "systemd" / name).iterdir()}
    units |= boxed() | alone()
    return units | more | {f"udev/rules.d/{path.name}" for path in (ROOT / "udev").iterdir()}


def alone():
    return {"systemd/system/modembankd.service.d/50-network.conf"}


def boxed():
    units = {f"systemd/system/{path.name}" for path in (ROOT / "systemd" / "box").iterdir()}
    return units | {"udev/rules.d/93-modembank-update-stick.rules"}


@pytest.mark.parametrize("prefix", ["/usr/local", "/usr"])
def test_everything_has_its_place_and_may_be_read(tmp_path, prefix):
    install(tmp_path, "--usb-guard", "--box", prefix=prefix)
    lib = tmp_path / prefix.lstrip("/") / "lib"
    assert files(lib) == shipped() - alone()
    assert files(tmp_path) == {f"{prefix.lstrip('/')}/lib/{name}" for name in shipped() - alone()}
    assert {path.stat().st_mode & 0o777 for path in lib.rglob("*") if path.is_file()} == {0o644}


@pytest.mark.parametrize(
    ("option", "missing"),
    [("--box", {"udev/rules.d/92-modembank-usb-guard.rules"} | alone()), ("--usb-guard", boxed())],
)
def test_the_guard_of_the_usb_and_the_units_of_an_image_come_only_when_asked_for(tmp_path, option, missing):
    install(tmp_path, option)
    assert shipped() - files(tmp_path / "usr/local/lib") == missing


def test_a_second_time_changes_nothing(tmp_path):
    for _ in range(2):
        install(tmp_path, "--usb-guard", "--box")
    assert files(tmp_path / "usr/local/lib") == shipped() - alone()


def test_what_is_not_understood_installs_nothing(tmp_path):
    with pytest.raises(subprocess.CalledProcessError):
        install(tmp_path, "--everything")
    assert files(tmp_path) == set()
