"""`modembank backup` and `modembank restore` as somebody types them."""

import os
import time

import pytest
from click.testing import CliRunner

from fakes.databases import load_newest, problem_of, rows
from modembank.store import Store
from modembank.store.schema import known_migrations
from modembankd.cli import main
from modembankd.data_folder import DATABASE


@pytest.fixture
def config(tmp_path):
    (tmp_path / "data").mkdir()
    path = tmp_path / "modembank.toml"
    path.write_text(f'[box]\nid = "clinic"\ndata_dir = "{tmp_path / "data"}"\n')
    return path


@pytest.fixture
def database(config):
    return load_newest(config.parent / "data" / DATABASE)


@pytest.fixture
def file(config):
    return config.parent / "backup.sqlite3"


@pytest.fixture
def modembank(config, monkeypatch):
    monkeypatch.setattr(os, "umask", lambda _: 0o077)  # the real one would stay for all other tests

    def run(*arguments, status=0):
        result = CliRunner().invoke(main, [*map(str, arguments), "--config", str(config)])
        assert result.exit_code == status, result.output
        assert "Traceback" not in result.output
        return result.output

    return run


def test_a_backup_is_made_told_and_checked(modembank, database, file):
    made = modembank("backup", file)
    assert made.startswith(f"{file} is made and checked.\n  of:       the box clinic, as of 20")
    assert f"  by:       schema {len(known_migrations())}, release 0.1.0\n" in made
    assert "  messages: 14 (7 of them wait), 1 received\n  users:    2\n" in made
    checked = modembank("backup", "--check", file)
    assert checked.splitlines()[0] == f"{file} is whole."
    assert checked.splitlines()[1:] == made.splitlines()[1:]


def test_so_many_are_kept_in_a_folder_and_what_else_is_there_stays(modembank, database, file, monkeypatch):
    folder = file.parent / "backups"
    assert "there is no such folder" in modembank("backup", "--keep", 2, folder, status=1)
    folder.mkdir()
    (folder / "modembank-school-20010101T000000Z.sqlite3").touch()
    for second in range(3):
        monkeypatch.setattr(time, "time", lambda second=second: 1_800_000_000.0 + second)
        told = modembank("backup", "--keep", 2, folder)
    newest = folder / "modembank-clinic-20270115T080002Z.sqlite3"
    assert told == f"{newest} is made and checked.\n"
    assert sorted(path.name for path in folder.iterdir()) == [
        "modembank-clinic-20270115T080001Z.sqlite3",
        newest.name,
        "modembank-school-20010101T000000Z.sqlite3",
    ]
    modembank("backup", "--check", newest)


def test_a_folder_wants_a_number_to_keep_and_nothing_else(modembank, database, file):
    assert "--keep" in modembank("backup", file.parent, status=2)
    assert "--check" in modembank("backup", "--keep", 2, "--check", file, status=2)
    assert "--force" in modembank("backup", "--keep", 2, "--force", file, status=2)


def test_what_exists_is_replaced_by_force_only(modembank, database, file):
    file.write_text("precious")
    assert "--force" in modembank("backup", file, status=1)
    assert file.read_text() == "precious"
    modembank("backup", "--force", file)
    modembank("backup", "--check", file)


def test_without_a_database_it_says_so(modembank, config, file):
    assert "there is no database at" in modembank("backup", file, status=1)
    assert "No such file" in modembank("backup", "--check", file, status=1)
    assert not (config.parent / "data" / DATABASE).exists()


def test_a_damaged_file_is_told(modembank, database, file):
    modembank("backup", file)
    file.write_bytes(file.read_bytes()[:-5])
    assert "cut short" in modembank("backup", "--check", file, status=1)
    assert "cut short" in modembank("restore", "--yes", file, status=1)


def test_restored_into_an_empty_box_without_any_question(modembank, database, file):
    modembank("backup", file)
    for path in list(database.parent.iterdir()):
        path.unlink()
    told = modembank("restore", file)
    assert told.startswith(f"{file} is restored.\n")
    assert "  held:     5 messages waited then and may have been sent since: an admin decides\n" in told
    assert "  unknown:  2 attempts were under way then\n" in told
    assert "is not known: SIMs may have sent more than counted" in told
    assert problem_of(database) is None


def test_over_a_database_only_when_it_is_meant_and_how_to_bring_it_back(modembank, database, file):
    modembank("backup", file)
    assert "say --yes if that is meant" in modembank("restore", file, status=1)
    told = modembank("restore", "--yes", file)
    assert "  behind:   0 messages accepted since and 0 received stay in it\n" in told
    (back,) = (line.split(": ")[1] for line in told.splitlines() if "To bring it back" in line)
    assert back.startswith("modembank restore ")
    told = modembank("restore", "--yes", back.split()[-1])
    assert "a box's database, not made by `modembank backup`" in told
    assert rows(database, "SELECT count(*) FROM messages") == [(14,)]


def test_a_terminal_is_asked(modembank, database, file, monkeypatch):
    modembank("backup", file)
    monkeypatch.setattr("modembankd.backup_cli._is_terminal", lambda: True)
    monkeypatch.setattr("click.confirm", lambda _: False)
    told = modembank("restore", file, status=1)
    assert "messages: 14" in told
    assert "it was not wanted" in told
    monkeypatch.setattr("click.confirm", lambda _: True)
    assert "is restored" in modembank("restore", file)


async def test_a_running_daemon_is_named(modembank, database, file):
    store = await Store.open(database)
    modembank("backup", file)
    told = modembank("restore", "--yes", file, status=1)
    assert f"the daemon runs as process {os.getpid()}" in told
    assert "stop it first" in told
    await store.close()


def test_another_users_data_is_left_to_that_user(modembank, database, file, monkeypatch):
    modembank("backup", file)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 7)
    assert "restore as that user (sudo -u)" in modembank("restore", "--yes", file, status=1)
