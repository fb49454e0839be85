"""Which store the configuration names; and what is said where it cannot be opened."""

import sys

import pytest
from click.testing import CliRunner

from fakes.brokers import free_port
from modembank_hub.config import HubConfig, IdentityConfig, StoreConfig
from modembank_hub.locking import for_update
from modembank_hub.opening import open_store, target_of
from modembank_hub.postgres.driver import Target, connect
from modembank_hub.postgres.errors import NoDriver
from modembank_hub.postgres.store import SharedStore
from modembank_hub.schema import DATABASE
from modembankd.cli import main


async def test_without_a_url_it_is_a_file_and_the_process_is_alone(tmp_path):
    store, sharing = await open_store(HubConfig(hub=IdentityConfig(data_dir=str(tmp_path))))
    assert (tmp_path / DATABASE).exists()
    assert not sharing.shared
    assert store.lanes == 1
    assert await store.read(for_update) == ""
    await store.close()


@pytest.mark.postgres
async def test_with_one_it_is_a_server_that_others_may_use_too(tmp_path, target):
    wanted = HubConfig(hub=IdentityConfig(data_dir=str(tmp_path)), store=StoreConfig(url=target.url))
    store, sharing = await open_store(wanted)
    assert isinstance(store, SharedStore)
    assert sharing.shared
    assert sharing.follows.is_set()
    assert not (tmp_path / DATABASE).exists()
    assert await store.read(for_update) == " FOR UPDATE"
    await store.close()


def test_what_the_section_says_is_what_is_connected_to():
    wanted = StoreConfig("postgresql://hub@db.example.com/hub", "/etc/secret", "/etc/ca.pem")
    assert target_of(wanted) == Target("postgresql://hub@db.example.com/hub", "/etc/secret", "/etc/ca.pem")


async def test_without_the_library_it_says_what_to_install(tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.startswith(("psycopg", "modembank_hub.postgres.driver"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    wanted = HubConfig(hub=IdentityConfig(data_dir=str(tmp_path)), store=StoreConfig(url="postgresql:///hub"))
    with pytest.raises(
        NoDriver, match=r"the library for it cannot be loaded \(.*psycopg.*\): install modembank\[postgres\]"
    ):
        await open_store(wanted)


def written(tmp_path, url):
    path = tmp_path / "hub.toml"
    path.write_text(f'[hub]\ndata_dir = "{tmp_path / "hub"}"\n[store]\nurl = "{url}"\n')
    return str(path)


def test_a_check_names_the_store(tmp_path):
    found = CliRunner().invoke(main, ["hub", "check", "--config", written(tmp_path, "postgresql:///hub")])
    assert found.exit_code == 0
    assert "  store:   postgresql:///hub\n" in found.output
    (tmp_path / "hub.toml").write_text("")
    found = CliRunner().invoke(main, ["hub", "check", "--config", str(tmp_path / "hub.toml")])
    assert "  store:   a file there, for this process alone\n" in found.output


def test_a_hub_whose_server_is_away_says_so_and_ends(tmp_path):
    url = f"postgresql://hub@127.0.0.1:{free_port()}/hub"
    found = CliRunner().invoke(main, ["hub", "run", "--config", written(tmp_path, url)])
    assert found.exit_code == 1
    assert "the database server 127.0.0.1/hub cannot be reached" in found.output
    assert "Traceback" not in found.output


@pytest.mark.postgres
def test_connections_are_to_be_told_apart_at_the_server(target):
    conn = connect(target)
    asked = (
        "SELECT application_name, current_setting('synchronous_commit') FROM pg_stat_activity"
        " WHERE pid = pg_backend_pid()"
    )
    assert conn.execute(asked).fetchone() == ("modembank-hub", "on")
    conn.close()
