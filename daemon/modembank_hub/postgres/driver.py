"""The only module that imports the driver: connections that take the hub's SQL as SQLite's do.

What differs between the two is here, in ``placeholders``, and in the functions at the head of the schema
(``migrations``): integers are 64 bits wide, true and false are 1 and 0, sums are integers again, a NUL in a text, which
PostgreSQL cannot store, becomes U+FFFD, and errors are those of ``sqlite3``, as DB-API names them everywhere. A
parameter that may be None stands beside a column before it is asked whether it is NULL: only so does the server know
its type.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias, cast

import msgspec
import psycopg
from psycopg import conninfo, pq
from psycopg.abc import Buffer
from psycopg.adapt import Dumper, Loader

from modembank_hub.postgres.errors import Collided, Full, LoginRefused, Lost, NoPassword, ServerAway
from modembank_hub.postgres.placeholders import Params, in_order, translated

CONNECT_S = 5
_INT8, _FLOAT8, _TEXT, _NUMERIC, _BOOL = 20, 701, 25, 1700, 16
"""pg_type.oid of what is sent and read otherwise than the driver would."""
_SESSION = {
    "synchronous_commit": "on",  # what is acknowledged is on the server's disk
    "idle_in_transaction_session_timeout": "60s",  # a process that froze inside a write holds up the others no longer
    "tcp_keepalives_idle": "10",  # and one whose machine is gone is noticed
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "standard_conforming_strings": "on",
}
_NO_WAY_IN = ("authentication", "password", "pg_hba.conf", "role", "does not exist", "permission denied")
Cursor: TypeAlias = "psycopg.RawCursor[tuple[Any, ...]]"


class Target(msgspec.Struct, frozen=True):
    """Which database: as ``[store]`` names it, without the password."""

    url: str
    password_file: str = ""
    tls_ca: str = ""

    @property
    def name(self) -> str:
        """The server and the database, for people."""
        found = conninfo.conninfo_to_dict(self.url)
        return f"{found.get('host') or 'on this machine'}/{found.get('dbname') or found.get('user') or ''}"


class Connection:
    """What functions of the hub are given in the place of a ``sqlite3.Connection``."""

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        """Take over a connection; use connect()."""
        self._connection = connection

    def execute(self, sql: str, params: Params = ()) -> Cursor:
        """Run one statement and return its cursor; raises sqlite3.Error."""
        text, names = translated(sql)
        with _as_sqlite():
            cursor = cast("Cursor", self._connection.cursor())
            # The text is the program's own; whatever is not goes in as parameters.
            return cursor.execute(cast("Any", text), in_order(names, params) if params else None)

    def executemany(self, sql: str, rows: Iterable[Params]) -> Cursor:
        """Run one statement for each row of parameters; raises sqlite3.Error."""
        text, names = translated(sql)
        with _as_sqlite():
            cursor = cast("Cursor", self._connection.cursor())
            cursor.executemany(cast("Any", text), [in_order(names, row) for row in rows])
            return cursor

    def copy(self, sql: str, rows: Iterable[tuple[Any, ...]]) -> int:
        """Bring many rows into a table with COPY; return how many. Raises sqlite3.Error."""
        count = 0
        with _as_sqlite(), self._connection.cursor() as cursor, cursor.copy(cast("Any", sql)) as copy:
            for row in rows:
                copy.write_row(row)
                count += 1
        return count

    @property
    def in_transaction(self) -> bool:
        """Whether one is open."""
        return self._connection.info.transaction_status is not pq.TransactionStatus.IDLE

    @property
    def lost(self) -> bool:
        """Whether nothing can be asked any more."""
        return self._connection.broken or self._connection.closed

    def interrupt(self) -> None:
        """End the statement that runs now, if one does; from any thread."""
        with contextlib.suppress(psycopg.Error):
            self._connection.cancel_safe(timeout=CONNECT_S)

    def close(self) -> None:
        """Let go of it."""
        self._connection.close()

    def as_sqlite(self) -> sqlite3.Connection:
        """Return itself as what functions of the hub say they take: they use no more of one than there is here."""
        return cast("sqlite3.Connection", self)


class NotConnected(Connection):
    """Stands where a connection is made when it is first needed."""

    lost = True
    in_transaction = False

    def __init__(self) -> None:
        """Hold nothing."""

    def close(self) -> None:
        """There is nothing to let go of."""


class Line:
    """A connection for what lasts as long as it does: being told, and a lock that goes when it goes."""

    def __init__(self, connection: psycopg.AsyncConnection[tuple[Any, ...]]) -> None:
        """Take over a connection; use Line.open()."""
        self._connection = connection

    @classmethod
    async def open(cls, target: Target) -> Line:
        """Connect; raises ServerAway, LoginRefused, NoPassword."""
        with _connecting(target):
            connection = await psycopg.AsyncConnection.connect(
                **_parameters(target, {}), autocommit=True, cursor_factory=psycopg.AsyncRawCursor
            )
        return cls(cast("psycopg.AsyncConnection[tuple[Any, ...]]", connection))

    async def fetch(self, sql: str, params: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of one statement, with marks as PostgreSQL has them; raises sqlite3.Error."""
        with _as_sqlite():
            cursor = await self._connection.execute(cast("Any", sql), params or None)
            return [] if cursor.description is None else await cursor.fetchall()

    async def heard(self, within_s: float) -> list[str]:
        """Return what was told on the channels that it listens to, [] after so long; raises sqlite3.Error."""
        with _as_sqlite():
            return [one.payload async for one in self._connection.notifies(timeout=within_s, stop_after=1)]

    async def close(self) -> None:
        """Let go of it, and of every lock that it holds."""
        await self._connection.close()


def connect(target: Target, *, reading: bool = False) -> Connection:
    """Connect; ``reading``: each transaction only reads, and sees one commit. Raises ServerAway, LoginRefused."""
    more = {"default_transaction_read_only": "on", "default_transaction_isolation": "repeatable read"}
    with _connecting(target):
        connection = psycopg.Connection.connect(
            **_parameters(target, more if reading else {}), autocommit=True, cursor_factory=psycopg.RawCursor
        )
    for type_, dumper in ((bool, _Integer), (int, _Integer), (str, _Text)):
        connection.adapters.register_dumper(type_, dumper)
    connection.adapters.register_loader(_NUMERIC, _Number)
    connection.adapters.register_loader(_BOOL, _Truth)
    return Connection(cast("psycopg.Connection[tuple[Any, ...]]", connection))


class _Integer(Dumper):
    oid, format = _INT8, pq.Format.BINARY

    def dump(self, obj: int) -> Buffer:
        return int(obj).to_bytes(8, "big", signed=True)  # raises OverflowError, as SQLite's does


class _Text(Dumper):
    oid = _TEXT

    def dump(self, obj: str) -> Buffer:
        return str.encode(obj, "utf-8").replace(b"\0", b"\xef\xbf\xbd")


class _Number(Loader):
    def load(self, data: Buffer) -> int | float:
        text = bytes(data).decode("ascii")
        return float(text) if "." in text or "N" in text else int(text)


class _Truth(Loader):
    def load(self, data: Buffer) -> int:
        return int(bytes(data) == b"t")


def _parameters(target: Target, session: dict[str, str]) -> dict[str, Any]:
    """Return what libpq is told (postgresql.org/docs/15/libpq-connect.html)."""
    options = ["-c " + f"{name}={value}".replace(" ", "\\ ") for name, value in (_SESSION | session).items()]
    found: dict[str, Any] = {
        "conninfo": target.url,
        "application_name": "modembank-hub",
        "connect_timeout": CONNECT_S,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 20_000,
        "client_encoding": "utf8",
        "target_session_attrs": "primary",
        "options": " ".join(options),
    }
    if target.tls_ca:
        found |= {"sslmode": "verify-full", "sslrootcert": target.tls_ca}
    if target.password_file:
        found["password"] = _password(Path(target.password_file))
    return found


def _password(path: Path) -> str:
    try:
        if path.stat().st_mode & 0o007:
            raise NoPassword(path=path, problem="can be read by others: chmod 600")
        lines = path.read_text("utf-8").splitlines()
    except OSError as error:
        raise NoPassword(path=path, problem=f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise NoPassword(path=path, problem="must be text") from error
    if not lines or not lines[0]:
        raise NoPassword(path=path, problem="must hold the password in its first line")
    return lines[0]


@contextlib.contextmanager
def _connecting(target: Target) -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        detail = " ".join(str(error).split()).removeprefix("connection failed: ")[:400]
        if ("FATAL" in detail or "fe_sendauth" in detail) and any(word in detail for word in _NO_WAY_IN):
            raise LoginRefused(server=target.name, detail=detail, way_out=_way_out(detail)) from error
        raise ServerAway(server=target.name, detail=detail) from error


def _way_out(detail: str) -> str:
    if "database" in detail and "does not exist" in detail:
        return "make it: createdb --owner USER NAME"
    if "role" in detail and "does not exist" in detail:
        return "make that user: createuser --pwprompt NAME"
    if "pg_hba.conf" in detail:
        return "let it in with a line in the server's pg_hba.conf"
    return "look at the user in [store] url, and at what password_file holds"


@contextlib.contextmanager
def _as_sqlite() -> Iterator[None]:
    """Raise the driver's errors as ``sqlite3`` names them."""
    try:
        yield
    except psycopg.Error as error:
        raise _ERRORS.get((error.sqlstate or "")[:5], _kind_of(error))(" ".join(str(error).split())) from error


_ERRORS: Mapping[str, type[sqlite3.Error]] = {
    "40001": Collided,  # postgresql.org/docs/15/errcodes-appendix.html: serialization_failure
    "40P01": Collided,  # deadlock_detected
    "53100": Full,  # disk_full
    "25P03": Lost,  # idle_in_transaction_session_timeout
    "57P01": Lost,  # admin_shutdown
    "57P02": Lost,  # crash_shutdown
    "57P03": Lost,  # cannot_connect_now
}


def _kind_of(error: psycopg.Error) -> type[sqlite3.Error]:
    if isinstance(error, psycopg.IntegrityError):
        return sqlite3.IntegrityError
    if isinstance(error, psycopg.InterfaceError) or (
        isinstance(error, psycopg.OperationalError) and (error.sqlstate or "08").startswith("08")
    ):
        return Lost
    return sqlite3.OperationalError
