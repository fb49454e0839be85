"""The command line's way to a running daemon: the same API over a Unix socket that only the daemon's user may open."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import secrets
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from modembank.errors import ModembankError

SOCKET_NAME = "control.sock"
_OWNER_ONLY = 0o600
FILE_TIMEOUT_S = 900.0
"""How long the daemon may look at a file before it answers."""


class NoDaemon(ModembankError):
    """Nothing answers on the local socket."""

    key = "no_daemon"
    template = "no daemon answers on {socket} ({reason}): is it running, with this configuration?"


def listen_locally(data_dir: Path) -> socket.socket:
    """Return a listening socket in the data folder, readable and writable for its owner alone.

    Call it only while holding the store's lock: a socket left by a daemon that was killed is replaced.
    """
    path = data_dir / SOCKET_NAME
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(str(path))
    path.chmod(_OWNER_ONLY)
    listening.listen(16)
    listening.setblocking(False)
    return listening


class Reply(msgspec.Struct, frozen=True):
    """An HTTP answer: status and decoded JSON."""

    status: int
    body: Any


def call_daemon(data_dir: Path, method: str, path: str, body: object = None, *, timeout_s: float = 30.0) -> Reply:
    """Make one request to the daemon that owns ``data_dir``; raises NoDaemon when none answers."""
    connection = _UnixConnection(data_dir / SOCKET_NAME, timeout_s)
    try:
        content = None if body is None else json.dumps(body)
        headers = {} if content is None else {"Content-Type": "application/json"}
        connection.request(method, path, content, headers)
        response = connection.getresponse()
        text = response.read()
        return Reply(response.status, json.loads(text) if text else None)
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise NoDaemon(socket=data_dir / SOCKET_NAME, reason=reason) from error
    finally:
        connection.close()


def post_file(
    data_dir: Path, path: str, fields: Mapping[str, str], file: Path, *, timeout_s: float = FILE_TIMEOUT_S
) -> Reply:
    """Send the daemon a form (RFC 7578) with a file, read as it goes; raises NoDaemon when none answers, OSError."""
    boundary = secrets.token_hex(16)
    parts = [_part(boundary, f'name="{name}"') + value.encode() + b"\r\n" for name, value in fields.items()]
    shown = "".join(char if char.isprintable() and char not in '"\\' else "_" for char in file.name)
    before = b"".join([*parts, _part(boundary, f'name="file"; filename="{shown}"')])
    after = f"\r\n--{boundary}--\r\n".encode()
    with file.open("rb") as content:
        size = len(before) + os.fstat(content.fileno()).st_size + len(after)
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", "Content-Length": str(size)}
        connection = _UnixConnection(data_dir / SOCKET_NAME, timeout_s)
        try:
            body = itertools.chain((before,), iter(lambda: content.read(1 << 20), b""), (after,))
            connection.request("POST", path, body, headers)
            response = connection.getresponse()
            return Reply(response.status, json.loads(response.read()))
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise NoDaemon(socket=data_dir / SOCKET_NAME, reason=reason) from error
        finally:
            connection.close()


def read_daemon(data_dir: Path, path: str, refuse: Callable[[dict[str, object]], None]) -> Iterator[bytes]:
    """Yield an answer piece by piece; ``refuse`` raises for a problem. Raises NoDaemon when none answers."""
    connection = _UnixConnection(data_dir / SOCKET_NAME, FILE_TIMEOUT_S)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        if response.status != 200:
            refuse(json.loads(response.read()))
        while piece := response.read1(1 << 16):
            yield piece
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise NoDaemon(socket=data_dir / SOCKET_NAME, reason=reason) from error
    finally:
        connection.close()


def _part(boundary: str, what: str) -> bytes:
    return f"--{boundary}\r\nContent-Disposition: form-data; {what}\r\n\r\n".encode()


def follow_daemon(data_dir: Path, path: str, refuse: Callable[[dict[str, object]], None]) -> Iterator[str]:
    """Yield the lines of an answer that goes on, without their ends; ``refuse`` raises for a problem.

    Ends when the daemon ends it; raises NoDaemon when none answers.
    """
    connection = _UnixConnection(data_dir / SOCKET_NAME, None)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        if response.status != 200:
            refuse(json.loads(response.read()))
        for line in response:
            yield line.decode("utf-8", "replace").rstrip("\r\n")
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise NoDaemon(socket=data_dir / SOCKET_NAME, reason=reason) from error
    finally:
        connection.close()


class _UnixConnection(http.client.HTTPConnection):
    """An HTTP connection whose peer is a path."""

    def __init__(self, path: Path, timeout_s: float | None) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path
        self._timeout_s = timeout_s

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self._timeout_s)
        self.sock.connect(str(self._path))
