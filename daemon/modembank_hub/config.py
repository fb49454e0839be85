"""The hub's configuration: one TOML file, with errors that name file, line and key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import parse_qs, urlsplit

import msgspec

from modembank.config import ConfigError, LogConfig, WebConfig, line_of, read_as
from modembank.fleet.token import is_hub_address

DOCUMENT = "docs/hub.md"


class IdentityConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``[hub]``: what it is called, where it keeps its data, and how it takes in."""

    id: Annotated[
        str,
        msgspec.Meta(
            pattern=r"^[a-z0-9][a-z0-9-]{0,62}\Z", description="1 to 63 lower-case letters, digits and hyphens"
        ),
    ] = "hub"
    data_dir: str = "/var/lib/modembank-hub"
    workers: Annotated[int, msgspec.Meta(ge=1, le=32)] = 2
    """Connections that share what the boxes send."""
    window_s: Annotated[float, msgspec.Meta(ge=1, le=3600)] = 120.0
    """Over which boxes spread their connections and births when the hub is new to them."""
    resend_s: Annotated[float, msgspec.Meta(ge=1, le=3600)] = 60.0
    """After which a command that nobody answered is sent again."""
    url: str = ""
    """Where people reach its pages, such as ``https://hub.example.com``: notifications lead there."""


class StoreConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``[store]``: a PostgreSQL database that several processes of one hub share; without one it is a file."""

    url: str = ""
    """``postgresql://USER@HOST/DATABASE``, without the password; empty: a file in data_dir, for one process."""
    password_file: str = ""
    """Its first line is the password; readable by the hub's user alone."""
    tls_ca: str = ""
    """The authority of the server's certificate; empty: no TLS asked for, for a server on the same machine alone."""


class MqttConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``[mqtt]``: the broker, and who the hub is there."""

    host: Annotated[str, msgspec.Meta(min_length=1)] = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)] = 8883
    tls_ca: str = ""
    """The authority that the broker's certificate is from; empty: no TLS, for a broker on the same machine alone."""
    tls_cert: str = ""
    tls_key: str = ""


class SigningConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``[signing]``: the key that boxes trust for commands; without one only unsigned commands can be given."""

    key_file: str = ""
    """32 octets as 64 hexadecimal digits; readable by the hub's user alone."""
    kid: Annotated[
        str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,32}\Z", description="1 to 32 letters, digits, hyphens and _")
    ] = "h1"


class EnrolmentConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``[enrolment]``: where boxes get their certificates; without an address none is given."""

    address: str = ""
    """As boxes reach it: ``https://HOST:PORT``; tokens carry it."""
    listen: Annotated[
        str, msgspec.Meta(pattern=r"^\S+:[0-9]{1,5}\Z", description="an address such as 0.0.0.0:8443")
    ] = "0.0.0.0:8443"
    """Where this hub answers boxes, with a certificate of its own authority and nothing but that."""
    names: tuple[
        Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9.:-]{1,253}\Z", description="a host or an IP")], ...
    ] = ()
    """What else it is called there, beside the host of the address."""
    brokers: tuple[
        Annotated[
            str,
            msgspec.Meta(
                pattern=r"^mqtts?://[A-Za-z0-9.:\[\]-]{1,253}\Z",
                description="an address such as mqtts://hub.example.com:8883",
            ),
        ],
        ...,
    ] = ()
    """Where boxes connect; they try one after another."""
    broker_ca: str = ""
    """PEM file of the authorities of the broker's certificate; empty: the fleet's own."""
    ca_dir: str = ""
    """The authority: ca.crt and ca.key; empty: the folder ca in data_dir. Made where it is empty."""
    crl_file: str = ""
    """The list of revoked certificates, for the broker; empty: crl.pem beside the authority."""
    token_hours: Annotated[float, msgspec.Meta(gt=0, le=720)] = 24.0
    certificate_days: Annotated[int, msgspec.Meta(ge=1, le=825)] = 90


class MailConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``[mail]``: the server that e-mails about alerts are handed to; without one there are none."""

    host: str = ""
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    """``tls``: from the first octet on, usually at port 465; ``none``: for a server on the same machine alone."""
    tls_ca: str = ""
    """The authority that the server's certificate is from; empty: those that the system trusts."""
    sender: str = ""
    user: str = ""
    password_file: str = ""
    """Its first line is the password; readable by the hub's user alone."""


class KeepConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``[keep]``: for how many days what boxes told is kept; telemetry by the length of its stretches."""

    events_days: Annotated[int, msgspec.Meta(ge=1, le=3650)] = 90
    minutes_days: Annotated[int, msgspec.Meta(ge=1, le=365)] = 7
    hours_days: Annotated[int, msgspec.Meta(ge=1, le=3650)] = 92
    days_days: Annotated[int, msgspec.Meta(ge=1, le=36_500)] = 1830
    quarantined: Annotated[int, msgspec.Meta(ge=10, le=1_000_000)] = 10_000
    """How many unreadable payloads are kept, the newest."""


class HubConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The whole file."""

    hub: IdentityConfig = IdentityConfig()
    store: StoreConfig = StoreConfig()
    mqtt: MqttConfig = MqttConfig()
    signing: SigningConfig = SigningConfig()
    enrolment: EnrolmentConfig = EnrolmentConfig()
    mail: MailConfig = MailConfig()
    keep: KeepConfig = KeepConfig()
    web: WebConfig = WebConfig(listen="127.0.0.1:8090")
    log: LogConfig = LogConfig()


MAIL_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def load_hub_config(path: Path) -> HubConfig:
    """Read and check the hub's file; raises ConfigError naming file, line, key and what is allowed."""
    config, text = read_as(HubConfig, path, DOCUMENT)

    def wrong(key: str, problem: str) -> ConfigError:
        return ConfigError(file=path, line=line_of(text, rf"^\s*{key}\b"), problem=problem)

    if bool(config.web.tls_cert) != bool(config.web.tls_key):
        raise wrong(key="tls_(cert|key)", problem="web: tls_cert and tls_key go together")
    mqtt = config.mqtt
    if bool(mqtt.tls_cert) != bool(mqtt.tls_key) or (mqtt.tls_cert and not mqtt.tls_ca):
        raise wrong(key="tls_(ca|cert|key)", problem="mqtt: tls_cert and tls_key go together, and need tls_ca")
    if not mqtt.tls_ca and mqtt.host not in _LOOPBACK:
        raise wrong(key="host", problem=f"mqtt: {mqtt.host} is another machine: name tls_ca, tls_cert and tls_key")
    if config.hub.url and not re.fullmatch(r"https?://[^\s/?#@]+(?:/[^\s?#]*)?", config.hub.url):
        raise wrong(key="url", problem="hub: url must be an address such as https://hub.example.com")
    if (found := _store_problem(config.store)) is not None:
        raise wrong(key=found[0], problem=f"store: {found[1]}")
    if (found := _mail_problem(config.mail)) is not None:
        raise wrong(key=found[0], problem=f"mail: {found[1]}")
    for key, problem in _of_enrolment(config.enrolment):
        raise wrong(key=key, problem=f"enrolment: {problem}")
    return config


def _of_enrolment(enrolment: EnrolmentConfig) -> Iterator[tuple[str, str]]:
    """Yield what does not go together, by the key to be named."""
    if not enrolment.address:
        return
    if not is_hub_address(enrolment.address):
        yield "address", "address is as boxes reach it, such as https://hub.example.com:8443, and no path"
    if not enrolment.brokers:
        yield "address", "address needs brokers, where boxes connect once they have their certificate"
    for broker in enrolment.brokers:
        host = urlsplit(broker).hostname or ""
        if broker.startswith("mqtt:") and host not in _LOOPBACK:
            yield "brokers", f"{broker} is without TLS, and another machine for boxes: mqtts:"
    if enrolment.broker_ca and not Path(enrolment.broker_ca).is_file():
        yield "broker_ca", f"broker_ca: there is no file {enrolment.broker_ca}"


def _store_problem(store: StoreConfig) -> tuple[str, str] | None:
    """Return what is wrong, after the key that it stands at; a password is not repeated."""
    if not store.url:
        named = next((key for key in ("password_file", "tls_ca") if getattr(store, key)), None)
        return None if named is None else (named, f"{named} needs url, which names the server")
    try:
        parts = urlsplit(store.url)
        hosts = [one.rpartition("@")[2] for one in parts.netloc.rpartition("@")[2].split(",")]
    except ValueError:
        parts, hosts = urlsplit(""), []
    if parts.scheme != "postgresql" or not parts.path.strip("/"):
        return "url", "url must be an address such as postgresql://modembank@db.example.com/modembank"
    if ":" in parts.netloc.rpartition("@")[0] or "password=" in parts.query:
        return "url", "url must be without the password: put that into a file, and name it as password_file"
    given = parse_qs(parts.query)
    if unknown := sorted(given.keys() - {"host", "port"}):
        return "url", f"url takes no {unknown[0]}: only host and port, as in ?host=/run/postgresql"
    away = [
        host
        for host in (_host_of(one) for one in [*hosts, *given.get("host", [])])
        if host and host not in _LOOPBACK and not host.startswith("/")
    ]
    if away and not store.tls_ca:
        return "url", f"{away[0]} is another machine: name tls_ca, the authority of its certificate"
    if store.tls_ca and not Path(store.tls_ca).is_file():
        return "tls_ca", f"tls_ca: there is no file {store.tls_ca}"
    return None


def _host_of(place: str) -> str:
    """Return the host of HOST, HOST:PORT or [IPv6]:PORT."""
    if place.startswith("["):
        return place[1:].partition("]")[0]
    return place.partition(":")[0] if place.count(":") == 1 else place


def _mail_problem(mail: MailConfig) -> tuple[str, str] | None:
    """Return what is wrong, after the key that it stands at."""
    if not mail.host:
        return None
    if not MAIL_ADDRESS.fullmatch(mail.sender):
        return "(sender|host)", "sender must be an address such as hub@example.com"
    if bool(mail.user) != bool(mail.password_file):
        return "(user|password_file)", "user and password_file go together"
    if mail.security == "none" and mail.host not in _LOOPBACK:
        return "security", f'{mail.host} is another machine: security must be "starttls" or "tls"'
    return None
