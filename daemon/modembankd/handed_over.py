"""What systemd hands the daemon at its start: sockets (sd_listen_fds(3)) and credentials (systemd.exec(5))."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from modembank.config import Config, SimConfig
from modembank.errors import ModembankError
from modembank.mail_config import MailOutConfig

FIRST_FD = 3
"""SD_LISTEN_FDS_START."""
HTTP = "http"
"""The name of a socket where browsers are sent to https."""
PIN_PREFIX = "modembank.pin."
"""Before the ICCID, in the name of the credential that holds a SIM's PIN."""
HOME_ASSISTANT = "modembank.home-assistant.password"
"""The credential that holds the password of Home Assistant's broker."""
OF_A_MAIL_SERVER = "modembank.mail-out.{}.password"
"""The same of a mail server, with its name."""


OF_THE_HUB = "modembank.hub.token"
"""The credential that holds what the file of the first start says of a hub, as JSON."""


class BadCredential(ModembankError):
    """A credential that was handed over cannot be used; what is in it is never said."""

    key = "bad_credential"
    template = "the credential {name} {problem}"


class Sockets(msgspec.Struct, frozen=True):
    """Listening sockets, by what is answered there."""

    web: tuple[socket.socket, ...] = ()
    """Pages and API."""
    redirect: tuple[socket.socket, ...] = ()
    """Port 80, where browsers are sent to https."""


def sockets_from_systemd(environ: Mapping[str, str] = os.environ, first_fd: int = FIRST_FD) -> Sockets:
    """Return the listening sockets that were passed to this process, none when there are none; call it once.

    Those that systemd calls ``http`` (FileDescriptorName=) are for redirects, all others for pages and API.
    """
    count, pid = environ.get("LISTEN_FDS", ""), environ.get("LISTEN_PID", "")
    if not count.isdecimal() or pid != str(os.getpid()):
        return Sockets()
    passed = tuple(socket.socket(fileno=fd) for fd in range(first_fd, first_fd + int(count)))
    for one in passed:
        one.set_inheritable(False)
        one.setblocking(False)
    names = environ.get("LISTEN_FDNAMES", "").split(":")
    redirect = tuple(one for one, name in zip(passed, names, strict=False) if name == HTTP)
    return Sockets(tuple(one for one in passed if one not in redirect), redirect)


class HubToken(NamedTuple):
    """With what the box shall be enrolled at a hub."""

    token: str
    address: str = ""
    """Where, instead of where the token says."""


def hub_token(environ: Mapping[str, str] = os.environ) -> HubToken | None:
    """Return the hub's token that came as a credential; None: there is none. Raises BadCredential."""
    folder = environ.get("CREDENTIALS_DIRECTORY", "")
    if not folder or not (path := Path(folder) / OF_THE_HUB).exists():
        return None
    try:
        said = msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    except (OSError, msgspec.DecodeError) as error:
        raise BadCredential(name=path.name, problem="cannot be read") from error
    return HubToken(said.get("token", ""), said.get("url", "").rstrip("/"))


def with_credentials(config: Config, environ: Mapping[str, str] = os.environ) -> Config:
    """Return the configuration with the PINs and the passwords that came as credentials; they win over the file's.

    Raises BadCredential.
    """
    folder = environ.get("CREDENTIALS_DIRECTORY", "")
    found = sorted(Path(folder).glob(f"{PIN_PREFIX}*")) if folder else []
    pins = {path.name.removeprefix(PIN_PREFIX): path for path in found}
    known = tuple(
        msgspec.structs.replace(sim, pin=_pin(pins.pop(sim.iccid))) if sim.iccid in pins else sim for sim in config.sim
    )
    sims = known + tuple(_sim(iccid, path) for iccid, path in pins.items())
    home, password = config.home_assistant, Path(folder, HOME_ASSISTANT)
    if folder and password.is_file():
        home = msgspec.structs.replace(home, password_file=str(password))
    servers = tuple(_with_password(server, Path(folder)) if folder else server for server in config.mail_out)
    return msgspec.structs.replace(config, sim=sims, home_assistant=home, mail_out=servers)


def _with_password(server: MailOutConfig, folder: Path) -> MailOutConfig:
    password = folder / OF_A_MAIL_SERVER.format(server.name)
    return msgspec.structs.replace(server, password_file=str(password)) if password.is_file() else server


def _sim(iccid: str, path: Path) -> SimConfig:
    try:
        return msgspec.convert({"iccid": iccid, "pin": _pin(path)}, SimConfig)
    except msgspec.ValidationError as error:
        raise BadCredential(name=path.name, problem="does not end in the 18 to 20 digits on the card") from error


def _pin(path: Path) -> str:
    try:
        pin = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadCredential(name=path.name, problem="cannot be read") from error
    if not re.fullmatch("[0-9]{4,8}", pin):
        raise BadCredential(name=path.name, problem="must hold 4 to 8 digits")
    return pin
