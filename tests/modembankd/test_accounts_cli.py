"""Users, keys and the audit log from the command line, also beside a running daemon."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner, Result

from fakes.daemons import DaemonProcess
from modembankd.accounts_cli import apikey, audit_group, user
from modembankd.cli import _Group

MODEMBANK = Path(sys.executable).with_name("modembank")
PASSWORD = "teapot-gravel-october-lantern"


class Here:
    """The commands in this process, where starting one for each would take most of the time."""

    group = _Group(commands={command.name or "": command for command in (user, apikey, audit_group)})

    def __init__(self, config: Path) -> None:
        self.config = config

    def __call__(self, *arguments: str, status: int = 0, stdin: str = "") -> Result:
        with structlog.testing.capture_logs():
            run = CliRunner().invoke(self.group, [*arguments, "--config", str(self.config)], input=stdin)
        assert run.exit_code == status, run.output
        assert run.exception is None or isinstance(run.exception, SystemExit)
        assert PASSWORD not in run.output
        return run


@pytest.fixture
def cli(tmp_path: Path) -> Here:
    path = tmp_path / "modembank.toml"
    path.write_text(f'[box]\ndata_dir = "{tmp_path / "data"}"\n[web]\nlisten = "127.0.0.1:0"\n')
    return Here(path)


def test_users_from_the_first_to_the_last_command(cli: Here) -> None:
    cli("user", "add", "ada", "--role", "admin", "--password-stdin", stdin=f"{PASSWORD}\nanother line\n")
    cli("user", "add", "ann", "--role", "sender")
    assert cli("user", "list").stdout == "ada\tadmin\tactive\tpassword\nann\tsender\tactive\tno password\n"
    assert "last active admin" in cli("user", "disable", "ada", status=1).stderr
    cli("user", "passwd", "ann", "--password-stdin", stdin=PASSWORD)
    cli("user", "disable", "ann")
    assert "ann\tsender\tdisabled\tpassword" in cli("user", "list").stdout
    cli("user", "enable", "ann")
    assert cli("user", "role", "ann", "admin").stdout == "ann is an admin now\n"
    shown = cli("user", "quota", "ann", "--per-day", "5").stdout
    assert shown == "ann has used 0 of 5 segments today, 0 of any number of this month\n"
    assert "no user" in cli("user", "passwd", "eve", "--password-stdin", status=1, stdin=PASSWORD).stderr


@pytest.mark.parametrize("line", ["", "\n", "short\n", "ada-2026\n", "x" * 129, "x" * 100_000])
def test_s02_a_bad_password_is_refused_with_what_is_allowed(cli: Here, line: str) -> None:
    error = cli("user", "add", "ada", "--role", "admin", "--password-stdin", status=1, stdin=line).stderr
    assert "/password: " in error
    assert cli("user", "list").stdout == ""


def test_wrong_usage_is_status_2(cli: Here) -> None:
    assert "--password-stdin" in cli("user", "passwd", "ann", status=2).stderr
    assert "--per-day" in cli("user", "quota", "ann", status=2).stderr
    cli("user", "quota", "ann", "--per-day", "-1", status=2)
    cli("apikey", "add", "--user", "ann", "--expires", "soon", status=2)


def test_keys_with_bounds_and_their_end(cli: Here) -> None:
    cli("user", "add", "ann", "--role", "sender")
    key = cli(
        *("apikey", "add", "--user", "ann", "--label", "till", "--scope", "messages:send"),
        *("--network", "192.0.2.0/24", "--network", "2001:db8::/32", "--expires", "2099-01-01"),
    ).stdout
    assert key.startswith("mb_")
    assert key.count("\n") == 1
    public = key.split("_")[1]
    listed = cli("apikey", "list").stdout
    fields = (public, "ann", "until 2099-01-01T00:00:00.000Z", "messages:send", "192.0.2.0/24,2001:db8::/32", "till")
    assert listed == "\t".join(fields) + "\n"
    assert "/networks/0" in cli("apikey", "add", "--user", "ann", "--network", "here", status=1).stderr
    assert "/expires_at" in cli("apikey", "add", "--user", "ann", "--expires", "2020-01-01", status=1).stderr
    cli("apikey", "revoke", public)
    assert "\trevoked " in cli("apikey", "list").stdout
    assert "no API key" in cli("apikey", "revoke", "nothere1", status=1).stderr


def test_s16_the_audit_log_is_shown_and_verified(cli: Here, tmp_path: Path) -> None:
    cli("user", "add", "ann", "--role", "sender")
    cli("user", "disable", "ann")
    assert cli("audit", "verify").stdout.startswith("all 2 entries are as they were written")
    lines = cli("audit", "list", "--limit", "2").stdout.splitlines()
    assert [line.split("\t")[1:5] for line in lines] == [
        ["local", "local", "audit.verify", ""],
        ["local", "local", "user.change", "ann"],
    ]
    database = sqlite3.connect(tmp_path / "data" / "modembank.sqlite3")
    with database:
        database.execute("UPDATE audit SET subject = 'eve' WHERE id = 2")
    database.close()
    assert "aud_0000000000002 is not as it was written" in cli("audit", "verify", status=1).stderr


def test_s04_beside_a_running_daemon_all_of_it_works_at_once(tmp_path: Path) -> None:
    with DaemonProcess(tmp_path / "box") as daemon:
        base = f"{daemon.up()}/api/v1"

        def cli(*arguments: str, stdin: str = "") -> str:
            command = [MODEMBANK, *arguments, "--config", str(daemon.config)]
            run = subprocess.run(command, capture_output=True, text=True, input=stdin, timeout=60, check=True)
            assert PASSWORD not in run.stdout + run.stderr
            return run.stdout

        cli("user", "add", "ada", "--role", "admin", "--password-stdin", stdin=PASSWORD)
        key = cli("apikey", "add", "--user", "ada").strip()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

        def ask(method: str, path: str, body: object = None, **headers: str) -> tuple[int, dict[str, object], str]:
            request = urllib.request.Request(
                base + path,
                None if body is None else json.dumps(body).encode(),
                {
                    "Content-Type": "application/json",
                    **{name.replace("_", "-"): value for name, value in headers.items()},
                },
                method=method,
            )
            try:
                with opener.open(request, timeout=20) as answer:
                    return answer.status, json.load(answer), answer.headers.get("set-cookie", "")
            except urllib.error.HTTPError as error:
                return error.code, json.load(error), ""

        status, who, cookie = ask("POST", "/session", {"name": "ada", "password": PASSWORD})
        assert (status, who["user"]) == (200, "ada")
        cookie = cookie.partition(";")[0]
        assert ask("GET", "/account", Cookie=cookie)[0] == ask("GET", "/account", API_Key=key)[0] == 200
        cli("user", "add", "eve", "--role", "admin")
        cli("user", "disable", "ada")
        # The command took longer than the daemon believes what it knows.
        assert ask("GET", "/account", Cookie=cookie)[0] == ask("GET", "/account", API_Key=key)[0] == 401
        assert ask("POST", "/session", {"name": "ada", "password": PASSWORD})[0] == 401
        assert cli("audit", "verify").startswith("all ")
