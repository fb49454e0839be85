"""The command line as a stranger uses it: real processes, exit statuses, sentences."""

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from modembankd.cli import LATER, main

MODEMBANK = Path(sys.executable).with_name("modembank")


def modembank(*arguments, status=0):
    run = subprocess.run([MODEMBANK, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == status, run.stderr
    assert "Traceback" not in run.stderr
    return run


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "modembank.toml"
    path.write_text(f'[box]\ndata_dir = "{tmp_path / "data"}"\n[web]\nlisten = "127.0.0.1:0"\n')
    return path


def test_help_names_every_command():
    words = modembank("--help").stdout
    for command in (
        "run",
        "demo",
        "user",
        "apikey",
        "optout",
        "config",
        "send",
        "doctor",
        "backup",
        "restore",
        "selftest",
    ):
        assert f"  {command}" in words
    assert "  selftest" in words


def test_help_loads_nothing_that_only_the_daemon_needs():
    """On a small computer it would take seconds."""
    script = "import sys; from modembankd.cli import main; main(['--help'], standalone_mode=False); print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    loaded = set(run.stdout.splitlines()[-1].split())
    heavy = {"litestar", "uvicorn", "phonenumbers", "argon2", "structlog", "msgspec", "prometheus_client", "sqlite3"}
    assert not loaded & (heavy | {"modembank.app", "modembank.store", "modembankd.compose", "modembankd.daemon"})
    assert "modembankd.cli" in loaded


def test_a_daemon_without_a_hub_does_not_load_what_speaks_to_one():
    script = "import sys, modembankd.daemon; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert not set(run.stdout.split()) & {"aiomqtt", "paho", "cryptography", "modembank_fleet.agent"}


@pytest.mark.parametrize("command", ["user", "apikey", "audit", "optout", "send", "backup"])
def test_a_command_that_works_beside_the_daemon_loads_neither_its_faces_nor_its_parts(command):
    script = f"import sys; from modembankd.cli import main; main([{command!r}, '--help'], standalone_mode=False);"
    run = subprocess.run(
        [sys.executable, "-c", f"{script} print(*sys.modules)"], capture_output=True, text=True, timeout=60, check=True
    )
    loaded = set(run.stdout.splitlines()[-1].split())
    assert not loaded & {"litestar", "uvicorn", "phonenumbers", "modembankd.compose", "modembank.app"}


@pytest.mark.parametrize("name", sorted(LATER))
def test_help_says_of_a_command_what_the_command_says_itself(name):
    command = main.get_command(click.Context(main), name)
    assert (command.name, command.get_short_help_str(limit=200)) == (name, LATER[name][1])


def test_wrong_usage_is_status_2(config):
    assert "No such command" in modembank("dance", status=2).stderr
    assert "--role" in modembank("user", "add", "ann", "--config", config, status=2).stderr


def test_a_latency_that_does_not_exist_is_wrong_usage():
    for latency in ("quick", "fixed:soon"):
        words = " ".join(modembank("demo", "--port", "0", "--latency", latency, status=2).stderr.split())
        assert "use zero, lte, gsm, fixed:SECONDS or lognormal" in words


def test_config_check_says_what_it_means(config):
    shown = modembank("config", "check", "--config", config).stdout
    assert f"{config} is fine." in shown
    assert "per_hour 200" in shown


@pytest.mark.parametrize(
    ("bank", "words"),
    [
        ("", 'ports:  none: add [[bank.port]], or set discovery = "usb" in [bank]'),
        ('discovery = "usb"\n', "ports:  every modem that is found on the USB"),
        (
            'discovery = "usb"\nignore = ["usb:1-2"]\n[[bank.port]]\npath = "usb:1-1"\n',
            "ports:  usb:1-1, and every modem that is found on the USB; not at usb:1-2",
        ),
    ],
)
def test_config_check_says_which_modems_there_will_be(tmp_path, bank, words):
    path = tmp_path / "modembank.toml"
    path.write_text(f"[bank]\n{bank}")
    run = CliRunner().invoke(main, ["config", "check", "--config", str(path)])
    assert words in run.output


def test_config_check_names_file_line_and_key(config):
    config.write_text(config.read_text() + "[limits]\nper_hour = 5\nper_yaer = 1\n")
    error = modembank("config", "check", "--config", config, status=1).stderr
    assert f"{config}:7: unknown key limits.per_yaer" in error


def test_a_missing_configuration_is_named(tmp_path):
    error = modembank("run", "--config", tmp_path / "none.toml", status=1).stderr
    assert str(tmp_path / "none.toml") in error


def test_users_and_keys_are_made_and_the_key_stands_alone(config):
    assert modembank("user", "add", "ann", "--role", "admin", "--config", config).stdout == "added the admin ann\n"
    assert "already" in modembank("user", "add", "ann", "--role", "sender", "--config", config, status=1).stderr
    key = modembank("apikey", "add", "--user", "ann", "--config", config).stdout
    assert key.startswith("mb_")
    assert key.count("\n") == 1
    other = modembank("apikey", "add", "--user", "ann", "--scope", "messages:send", "--config", config).stdout
    assert other != key
    assert "nobody" in modembank("apikey", "add", "--user", "nobody", "--config", config, status=1).stderr


def test_a_sender_cannot_be_given_an_admins_scope(config):
    modembank("user", "add", "sam", "--role", "sender", "--config", config)
    error = modembank("apikey", "add", "--user", "sam", "--scope", "admin", "--config", config, status=1).stderr
    assert "admin" in error


def test_send_without_a_daemon_says_so(config):
    assert "no daemon answers" in modembank("send", "+15551234567", "hello", "--config", config, status=1).stderr


def test_doctor_without_modems_points_at_the_configuration(config):
    run = modembank("doctor", "--config", config, status=1)
    assert "add [[bank.port]]" in run.stdout
    assert "1 of" in run.stdout


def test_doctor_names_ports_that_are_missing_or_no_tty(config, tmp_path):
    (tmp_path / "file").write_text("not a tty")
    ports = f'[[bank.port]]\npath = "{tmp_path}/ttyUSB9"\nlabel = "gone"\n[[bank.port]]\npath = "{tmp_path}/file"\n'
    config.write_text(config.read_text() + ports)
    shown = modembank("doctor", "--config", config, status=1).stdout
    assert f"slot gone ({tmp_path}/ttyUSB9)" in shown
    assert f"({tmp_path}/file)" in shown
    assert shown.count("[ LOOK ]") == 2


def test_the_version_is_told():
    assert json.dumps(modembank("--version").stdout).count("0.1.0") == 1
