"""The command line's way to a running daemon: the same API over a Unix socket that only the daemon's user may open."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modembank.errors import ModembankError

SOCKET_NAME = "control.sock"
_OWNER_ONLY = 0o600


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


@dataclass(frozen=True, slots=True)
class Reply:
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
