"""Connections take the hub's SQL, and give what SQLite's give; errors are told as SQLite's are."""

import sqlite3
import threading

import pytest

from fakes.clusters import Cluster
from modembank.store import StoreFull
from modembank.store.errors import from_sqlite, is_fatal
from modembank_hub.postgres.driver import Target, connect
from modembank_hub.postgres.errors import Collided, Full, LoginRefused, Lost, NoPassword, ServerAway

pytestmark = pytest.mark.postgres


@pytest.fixture
def conn(target):
    made = connect(target)
    yield made
    made.close()


def test_what_goes_in_comes_out_as_it_does_of_sqlite(conn):
    lite = sqlite3.connect(":memory:", isolation_level=None)
    for one in (conn, lite):
        integer, octets, real = ("BIGINT", "BYTEA", "DOUBLE PRECISION") if one is conn else ("INTEGER", "BLOB", "REAL")
        one.execute(f"CREATE TEMP TABLE kept (a {integer}, b TEXT, c {octets}, d {real}, e {integer})")
        for row in (
            (1, "é\n'?", b"\0\xff", 0.25, True),
            (-(2**63), "", b"", 1e300, False),
            (2**63 - 1, "x" * 100_000, bytes(range(256)), -0.0, None),
            (None, None, None, None, 5),
        ):
            one.execute("INSERT INTO kept VALUES (?, ?, ?, ?, ?)", row)
    query = "SELECT a, b, c, d, e FROM kept ORDER BY e"
    found = sorted(conn.execute(query).fetchall(), key=repr)
    assert found == sorted(lite.execute(query).fetchall(), key=repr)
    assert [type(value) for row in found for value in row] == [
        type(value) for row in sorted(lite.execute(query).fetchall(), key=repr) for value in row
    ]
    sums = "SELECT count(*), sum(e), max(b), sum(d), EXISTS (SELECT 1 FROM kept), count(d) FROM kept"
    for one, other in zip(conn.execute(sums).fetchone(), lite.execute(sums).fetchone(), strict=True):
        assert (one, type(one)) == (other, type(other))
    lite.close()


def test_a_number_that_is_too_large_is_refused_as_by_sqlite_and_the_transaction_goes_on(conn):
    conn.execute("BEGIN")
    with pytest.raises(OverflowError):
        conn.execute("SELECT CAST(? AS BIGINT)", (2**63,))
    assert conn.execute("SELECT ?", (7,)).fetchone() == (7,)
    conn.execute("ROLLBACK")


def test_a_text_with_a_nul_is_kept_with_a_mark_in_its_place(conn):
    assert conn.execute("SELECT ?", ("a\0b",)).fetchone() == ("a\ufffdb",)


def test_names_are_the_same_in_whatever_case(conn):
    query = "INSERT INTO users (name, role, created_at) VALUES (?, 'admin', 1) ON CONFLICT DO NOTHING RETURNING id"
    assert conn.execute(query, ("Ada",)).fetchone() is not None
    assert conn.execute(query, ("aDA",)).fetchone() is None
    assert conn.execute("SELECT name FROM users WHERE name = ?", ("ADA",)).fetchone() == ("Ada",)
    assert conn.execute("SELECT 1 FROM users WHERE role = ?", ("Admin",)).fetchone() is None


@pytest.mark.parametrize(
    ("query", "result"),
    [
        ("SELECT json_extract('{\"a\": {\"b\": 7}}', '$.a.b')", 7),
        ("SELECT json_extract('{\"a\": {\"b\": 7}}', '$.a.c')", None),
        ("SELECT json_extract(NULL, '$.a')", None),
        ("SELECT json_array_length('{\"a\": {\"rows\": [[1], [2]]}}', '$.a.rows')", 2),
        ("SELECT json_array_length('{\"a\": {}}', '$.a.rows')", None),
        ("SELECT instr('leeds/b1', 'ds/')", 4),
        ("SELECT instr('leeds/b1', 'x')", 0),
        ("SELECT 'a' < 'B'", 0),
        ("SELECT max(name) FROM (SELECT 'a' AS name UNION ALL SELECT 'B') AS two", "a"),
    ],
)
def test_functions_are_those_of_sqlite(conn, query, result):
    with sqlite3.connect(":memory:") as lite:
        assert lite.execute(query).fetchone() == (result,)
    typed = query.replace("(NULL", "(CAST(NULL AS TEXT)")
    assert conn.execute(typed).fetchone() == (result,)


def test_errors_are_those_of_sqlite(conn):
    conn.execute("INSERT INTO alert_silences VALUES (1, '', '*', 1, 2, '', '', 1)")
    with pytest.raises(sqlite3.IntegrityError):
        conn.execute("INSERT INTO alert_silences VALUES (1, '', '*', 1, 2, '', '', 1)")
    with pytest.raises(sqlite3.OperationalError, match="nowhere") as caught:
        conn.execute("SELECT 1 FROM nowhere")
    assert not is_fatal(caught.value)


def test_two_that_wait_for_each_other_are_told_apart_from_what_is_wrong(conn, target):
    other = connect(target)
    conn.execute("INSERT INTO box VALUES ('a', '0'), ('b', '0')")
    caught = []
    for one, name in ((conn, "a"), (other, "b")):
        one.execute("BEGIN")
        one.execute("UPDATE box SET value = '1' WHERE name = ?", (name,))

    def cross():
        try:
            other.execute("UPDATE box SET value = '2' WHERE name = 'a'")
        except sqlite3.Error as error:
            caught.append(error)
        other.execute("ROLLBACK")

    thread = threading.Thread(target=cross)
    thread.start()
    try:
        conn.execute("UPDATE box SET value = '2' WHERE name = 'b'")
    except sqlite3.Error as error:
        caught.append(error)
    conn.execute("ROLLBACK")
    thread.join(30)
    other.close()
    assert [type(error) for error in caught] == [Collided]
    assert is_fatal(caught[0])


def test_a_connection_that_the_server_ended_is_lost(conn, target):
    other = connect(target)
    (pid,) = other.execute("SELECT pg_backend_pid()").fetchone()
    conn.execute("SELECT pg_terminate_backend(CAST(? AS INTEGER))", (pid,))
    with pytest.raises(Lost):
        other.execute("SELECT 1")
    assert other.lost
    with pytest.raises(Lost):
        other.execute("SELECT 1")
    other.close()


def test_a_full_disk_is_told_as_one():
    assert isinstance(from_sqlite(Full("no space left on device")), StoreFull)


def test_a_reader_cannot_write(target):
    reader = connect(target, reading=True)
    reader.execute("BEGIN")
    with pytest.raises(sqlite3.Error, match="read-only"):
        reader.execute("DELETE FROM users")
    reader.close()


# -- who is let in


def test_a_server_that_is_not_there(target):
    port = int(target.url.rpartition(":")[2].split("/")[0])
    away = Target(f"postgresql://hub@127.0.0.1:{port - 1 or 1}/hub")
    with pytest.raises(ServerAway, match=r"127\.0\.0\.1/hub cannot be reached: .*refused"):
        connect(away)


@pytest.fixture
def guarded(tmp_path):
    """A server that asks for a password."""
    cluster = Cluster.quick().start()
    with cluster.connected("postgres") as conn:
        conn.execute("CREATE ROLE ada LOGIN PASSWORD 'over the moon'")
    cluster.configure("pg_hba.conf", "host all ada 127.0.0.1/32 scram-sha-256\nhost all hub 127.0.0.1/32 trust\n")
    yield cluster
    cluster.end()


def test_a_password_is_read_from_its_file_and_never_told(guarded, tmp_path):
    path = tmp_path / "password"
    path.write_text("over the moon\nand back\n")
    path.chmod(0o600)
    url = guarded.target("postgres").url.replace("hub@", "ada@")
    conn = connect(Target(url, str(path)))
    assert conn.execute("SELECT current_user").fetchone() == ("ada",)
    conn.close()
    path.write_text("under the moon")
    for given in (Target(url, str(path)), Target(url)):
        with pytest.raises(LoginRefused, match="password_file") as caught:
            connect(given)
        assert "under the moon" not in f"{caught.value}{given.name}"


def test_who_is_not_let_in_is_told_the_way_out(guarded):
    with pytest.raises(LoginRefused, match="createdb --owner"):
        connect(guarded.target("nowhere"))
    guarded.configure("pg_hba.conf", "host all all 127.0.0.1/32 trust\n")
    with pytest.raises(LoginRefused, match="createuser --pwprompt"):
        connect(Target(guarded.target("postgres").url.replace("hub@", "nobody@")))
    guarded.configure("pg_hba.conf", "local all all trust\n")
    with pytest.raises(LoginRefused, match=r"line in the server's pg_hba\.conf"):
        connect(guarded.target("postgres"))


@pytest.mark.parametrize(
    ("content", "mode", "why"),
    [
        (None, 0o600, "cannot be read: No such file"),
        (b"secret", 0o644, "can be read by others: chmod 600"),
        (b"", 0o600, "must hold the password in its first line"),
        (b"\n secret", 0o600, "must hold the password in its first line"),
        (b"\xff\xfe", 0o600, "must be text"),
    ],
)
def test_a_file_that_holds_no_password_is_refused(tmp_path, content, mode, why):
    path = tmp_path / "password"
    if content is not None:
        path.write_bytes(content)
        path.chmod(mode)
    with pytest.raises(NoPassword, match=why) as caught:
        connect(Target("postgresql://hub@127.0.0.1/hub", str(path)))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("postgresql://hub@db.example.com/modembank", "db.example.com/modembank"),
        ("postgresql:///modembank", "on this machine/modembank"),
        ("postgresql://hub@one,two:6432/modembank", "one,two/modembank"),
        ("postgresql://hub@/modembank?host=/run/postgresql", "/run/postgresql/modembank"),
    ],
)
def test_a_database_has_a_name_for_people(url, name):
    assert Target(url).name == name
