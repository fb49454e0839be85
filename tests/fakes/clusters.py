"""Debian's PostgreSQL in a folder of its own, started and killed by tests; and databases in it."""

from __future__ import annotations

import contextlib
import functools
import getpass
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Self

from fakes.brokers import free_port
from modembank_hub.postgres.driver import Connection, Target, connect
from modembank_hub.postgres.schema import migrate

_BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
_TEMPLATE = "modembank_template"


class Cluster:
    """A server; it can be killed and started again at the same port, and keeps what it was given."""

    def __init__(self, *lines: str) -> None:
        """Make its files; ``lines`` are added to its configuration. It asks nobody for a password."""
        self.folder = Path(tempfile.mkdtemp(prefix="modembank-pg-"))
        self.port = free_port()
        self._numbers = itertools.count(1)
        self._as: list[str] = []
        if os.geteuid() == 0:  # which the server refuses to run as
            user = pwd.getpwnam("postgres")
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self._as = [
                "setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--",
            ]  # fmt: skip
        self._run("initdb", "--no-sync", "--auth=trust", "--username=hub", "--encoding=UTF8", "--locale=C")
        wanted = [
            f"port = {self.port}", "listen_addresses = '127.0.0.1'", f"unix_socket_directories = '{self.folder}'",
            "max_connections = 200", "shared_buffers = 32MB", *lines,
        ]  # fmt: skip
        self._write("postgresql.conf", "\n".join(wanted) + "\n")

    @classmethod
    def quick(cls) -> Cluster:
        """Return one that need not outlive a power cut."""
        return cls("fsync = off", "full_page_writes = off", "autovacuum = off")

    def start(self) -> Self:
        """Start, and return when it answers."""
        self._run("pg_ctl", "--wait", "--log", str(self.folder / "log"), "start")
        return self

    def kill(self, how: str = "immediate") -> None:
        """End it; ``immediate`` as a power cut would."""
        self._run("pg_ctl", "--wait", "--mode", how, "stop")

    def target(self, database: str, **more: str) -> Target:
        """Return the way to a database."""
        return Target(f"postgresql://hub@127.0.0.1:{self.port}/{database}", **more)

    def new_database(self, *, ready: bool = False) -> Target:
        """Return a new database, empty or with the hub's tables."""
        name = f"hub_{next(self._numbers)}"
        with self.connected("postgres") as conn:
            if ready:
                self._made_template()
            conn.execute(f"CREATE DATABASE {name}" + (f" TEMPLATE {_TEMPLATE}" if ready else ""))
        return self.target(name)

    @functools.cache  # noqa: B019 - a cluster lives as long as its tests
    def kept_database(self) -> Target:
        """Return a database with the hub's tables that tests use one after another."""
        return self.new_database(ready=True)

    def empty(self, target: Target) -> None:
        """Leave nothing in a database but its tables: quicker than another database."""
        with self.connected(target.url.rsplit("/", 1)[1]) as conn:
            found = conn.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()").fetchall()
            names = ", ".join(name for (name,) in found if name != "box")
            conn.execute(f"TRUNCATE {names} RESTART IDENTITY")
            conn.execute("DELETE FROM box WHERE name <> 'hub_schema'")

    def drop(self, target: Target) -> None:
        """Delete a database, whoever uses it."""
        with self.connected("postgres") as conn:
            conn.execute(f"DROP DATABASE {target.url.rsplit('/', 1)[1]} WITH (FORCE)")

    @contextlib.contextmanager
    def connected(self, database: str):
        """Yield a connection to a database."""
        conn: Connection = connect(self.target(database))
        try:
            yield conn
        finally:
            conn.close()

    def end(self) -> None:
        """End it, and delete its files."""
        with contextlib.suppress(subprocess.CalledProcessError):
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def configure(self, name: str, text: str) -> None:
        """Write one of its files, and let it read them again."""
        self._write(name, text)
        self._run("pg_ctl", "reload")

    @property
    def log(self) -> str:
        """What it said."""
        return (self.folder / "log").read_text("utf-8", "replace")

    @functools.cache  # noqa: B019 - a cluster lives as long as its tests
    def _made_template(self) -> None:
        with self.connected("postgres") as conn:
            conn.execute(f"CREATE DATABASE {_TEMPLATE}")
        with self.connected(_TEMPLATE) as conn:
            migrate(conn, self.target(_TEMPLATE))

    def _write(self, name: str, text: str) -> None:
        path = self.folder / "data" / name
        path.write_text(text)
        if self._as:
            shutil.chown(path, "postgres", "postgres")

    def _run(self, program: str, *arguments: str) -> None:
        if not _BINARIES:
            message = "there is no PostgreSQL of Debian's: make test-tools"
            raise AssertionError(message)
        command = [*self._as, str(_BINARIES[-1] / program), "-D", str(self.folder / "data"), *arguments]
        environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "USER": getpass.getuser()}
        ended = subprocess.run(
            command, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, check=False, timeout=60,
        ) if program != "pg_ctl" else subprocess.run(
            command, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, check=False, timeout=60,
        )  # fmt: skip
        if ended.returncode:
            raise subprocess.CalledProcessError(ended.returncode, command, stderr=ended.stderr)
