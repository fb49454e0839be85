"""The one TOML configuration file: its shape, its defaults, and errors that name file, line and key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec

from modembank.decency import LoopsConfig, OptOutConfig, QuietHoursConfig, RecipientsConfig, contradictions
from modembank.errors import ModembankError
from modembank.mail_config import MailInConfig, MailOutConfig, mail_contradictions

T = TypeVar("T")

# The same bounds as the API's: no infinity, and nothing that a counter or the database could not hold.
NonNegative = Annotated[int, msgspec.Meta(ge=0, le=10_000_000)]
NonNegativeFloat = Annotated[float, msgspec.Meta(ge=0, le=86_400)]
# A description says in words what its pattern wants: it is what a mistake is answered with.
Pin = Annotated[str, msgspec.Meta(pattern=r"^([0-9]{4,8})?\Z", description="4 to 8 digits, or nothing")]


class ConfigError(ModembankError):
    """The configuration cannot be used; the text says where and what is allowed."""

    key = "invalid_config"
    template = "{place}: {problem}"

    def __init__(self, file: Path, line: int, problem: str) -> None:
        """Name the file, its line (0: none in particular), and what is wrong there."""
        place = f"{file}:{line}" if line else str(file)
        super().__init__(place=place, file=file, line=line, problem=problem)


class BoxConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``[box]``: who this box is and where it keeps its data."""

    id: Annotated[
        str,
        msgspec.Meta(
            pattern=r"^[a-z0-9][a-z0-9-]{0,62}\Z", description="1 to 63 lower-case letters, digits and hyphens"
        ),
    ] = "modembank"
    site: str = ""
    data_dir: str = "/var/lib/modembank"
    region: Annotated[
        str, msgspec.Meta(pattern=r"^([A-Z]{2})?\Z", description="a country in two capitals, such as GB, or nothing")
    ] = ""
    """ISO 3166 country of national numbers; empty: only international numbers are understood."""


class WebConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``[web]``: where the API and the pages listen."""

    listen: Annotated[
        str, msgspec.Meta(pattern=r"^\S+:\d{1,5}\Z", description="an address and a port, such as 127.0.0.1:8080")
    ] = "127.0.0.1:8080"
    tls_cert: str = ""
    tls_key: str = ""


USB = "usb:"
USB_PLACE = re.compile(r"usb:(?P<device>[1-9]\d*-(?:[1-9]\d*)(?:\.[1-9]\d*)*)(?::\d+\.(?P<interface>\d+))?")
"""The kernel's name of what hangs at a port of a hub, such as ``usb:1-1.4.3``; one interface: ``usb:1-1.4.3:1.2``."""


class PortEntry(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``[[bank.port]]``: one modem's port: a tty, a ``socket://`` / ``rfc2217://`` address, or a place on the USB."""

    path: Annotated[str, msgspec.Meta(min_length=1)]
    label: Annotated[
        str,
        msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{0,32}\Z", description="at most 32 letters, digits, dots, hyphens and _"),
    ] = ""
    baudrate: Annotated[int, msgspec.Meta(ge=300, le=4_000_000)] = 115_200
    pin: Pin = ""


class BankConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``[bank]``: which modems belong to the box."""

    discovery: Literal["static", "usb"] = "static"
    """``usb``: every modem on the USB, beside the ports that are listed."""
    ignore: tuple[str, ...] = ()
    """Places on the USB that discovery leaves alone, such as ``usb:1-1.2``."""
    send_timeout_s: Annotated[float, msgspec.Meta(ge=5, le=600)] = 180.0
    """From Ctrl-Z to the final result; after that nobody knows whether it was sent. Modems' manuals say 120 s, a
    refusal after 135 s was seen (Quectel EG06-E)."""
    usb_power: Literal["auto", "uhubctl", "none"] = "auto"
    """Whether a modem that nothing else brings back may have its USB port's power cycled; auto: where uhubctl can."""
    port: tuple[PortEntry, ...] = ()


class LimitsConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Limits of a SIM, in segments per rolling window; 0 means no such limit. The defaults are cautious."""

    min_interval_s: NonNegativeFloat = 2.0
    per_minute: NonNegative = 15
    per_hour: NonNegative = 200
    per_day: NonNegative = 1000
    per_month: NonNegative = 0
    recipients_per_month: NonNegative = 0


class SimLimitsConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``[sim.limits]``: only the limits that differ from the box's."""

    min_interval_s: NonNegativeFloat | None = None
    per_minute: NonNegative | None = None
    per_hour: NonNegative | None = None
    per_day: NonNegative | None = None
    per_month: NonNegative | None = None
    recipients_per_month: NonNegative | None = None


class SimConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``[[sim]]``: what is known of one SIM, by its ICCID."""

    iccid: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{18,20}\Z", description="the 18 to 20 digits on the card")]
    label: str = ""
    msisdn: Annotated[
        str, msgspec.Meta(pattern=r"^(\+[0-9]{6,15})?\Z", description="a number with + and country code, or nothing")
    ] = ""
    pin: Pin = ""
    limits: SimLimitsConfig = SimLimitsConfig()


class SendingConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``[sending]``: the box's defaults for messages that do not say otherwise."""

    valid_for_s: Annotated[int, msgspec.Meta(ge=60, le=30 * 86_400)] = 2 * 86_400
    on_unknown: Literal["hold", "resend"] = "hold"
    max_segments: Annotated[int, msgspec.Meta(ge=1, le=255)] = 10


class ProvidersConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``[providers]``: what concerns all of them; they themselves are made on their page."""

    secrets: str = "/etc/modembank/secrets"
    """The folder with a file ``modembank.provider.NAME`` for each secret, beside systemd's credentials."""
    allow_private: bool = False
    """Providers may be in the LAN or on the box itself."""
    public_url: str = ""
    """Where providers reach the box for receipts: ``https://sms.example.org``."""


class OutageConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``[outage]``: what follows for messages that grew old while nothing could be sent."""

    after_s: Annotated[int, msgspec.Meta(ge=300, le=30 * 86_400)] = 1800
    """Nothing could be sent for so long: an outage. Several times the minute in which the box notes that it lives,
    or each minute between two notes would be one."""
    older_than_s: Annotated[int, msgspec.Meta(ge=0, le=30 * 86_400)] = 4 * 3600
    """Messages that waited longer than this when it ended do not simply go out."""
    rule: Literal["ask", "send", "expire"] = "ask"
    """``ask`` holds them until an admin decides."""


class BackupConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``[backup]``: backups made by the clock; an empty folder means none."""

    folder: str = ""
    every_h: Annotated[float, msgspec.Meta(ge=0.25, le=31 * 24)] = 24.0
    keep: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 7
    """How many stay in the folder."""


class HealthConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``[health]``: from when on something is an issue."""

    late_after_s: Annotated[int, msgspec.Meta(ge=1, le=30 * 86_400)] = 900
    """A message that waits for longer should say to a person why."""
    unknown_after_s: Annotated[int, msgspec.Meta(ge=1, le=30 * 86_400)] = 3600
    modem_missing_after_s: Annotated[int, msgspec.Meta(ge=0, le=86_400)] = 120
    modem_hung_after_s: Annotated[int, msgspec.Meta(ge=0, le=86_400)] = 180
    no_network_after_s: Annotated[int, msgspec.Meta(ge=0, le=86_400)] = 300
    limit_percent: Annotated[int, msgspec.Meta(ge=1, le=100)] = 90
    webhook_failing_after_s: Annotated[int, msgspec.Meta(ge=0, le=7 * 86_400)] = 900
    hub_unreachable_after_s: Annotated[int, msgspec.Meta(ge=0, le=30 * 86_400)] = 3600
    disk_free_mib: NonNegative = 1024
    disk_free_percent: Annotated[int, msgspec.Meta(ge=0, le=99)] = 5


class AlertsConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``[alerts]``: what becomes of the alerts that monitoring systems post."""

    on_call: tuple[str, ...] = ()
    """Numbers that are told of alerts which name nobody."""
    summary_above: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 5
    """More alerts than this for one recipient in one notification are told in one message."""
    resolved: bool = True
    """Whether it is told that an alert is over."""
    max_segments: Annotated[int, msgspec.Meta(ge=1, le=10)] = 2


Verb = Literal[
    "diag.run", "sim.pause", "sim.resume", "sim.limits", "cfg.reload", "modem.reset", "ussd.run", "cred.rotate",
    "logs.collect", "box.reboot", "sw.update", "sw.cancel", "sw.rollback",
]  # fmt: skip
HubSetting = Literal["profile", "quiet_hours", "sim.label", "sim.limits", "sim.paused"]


class HubKeyConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``[[mqtt.hub_key]]``: a key whose signature the box takes for the hub's."""

    kid: Annotated[
        str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,32}\Z", description="1 to 32 letters, digits, hyphens and _")
    ]
    public: Annotated[
        str,
        msgspec.Meta(pattern=r"^[A-Za-z0-9+/]{43}=\Z", description="an Ed25519 public key in base64, 44 characters"),
    ]
    not_after: Annotated[
        str, msgspec.Meta(pattern=r"^(\d{4}-\d{2}-\d{2})?\Z", description="a day such as 2027-12-31, or nothing")
    ] = ""


_BROKER_URL = r"^(mqtts?://[A-Za-z0-9.:\[\]-]{1,253})?\Z"


class MqttConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``[mqtt]``: the hub that the box reports to; an empty url means none."""

    url: Annotated[
        str,
        msgspec.Meta(
            pattern=_BROKER_URL,
            description="an address such as mqtts://hub.example.com:8883, or nothing",
        ),
    ] = ""
    site: Annotated[
        str,
        msgspec.Meta(
            pattern=r"^([a-z0-9][a-z0-9-]{0,31})?\Z", description="1 to 32 lower-case letters, digits and hyphens"
        ),
    ] = ""
    box: Annotated[
        str,
        msgspec.Meta(
            pattern=r"^([a-z0-9][a-z0-9-]{0,31})?\Z", description="1 to 32 lower-case letters, digits and hyphens"
        ),
    ] = ""
    ca: str = ""
    certificate: str = ""
    key: str = ""
    profile: Literal["standard", "lean", "metered"] = "standard"
    privacy: Literal["counts", "meta", "full"] = "meta"
    commands: tuple[Verb, ...] = (
        "diag.run", "sim.pause", "sim.resume", "sim.limits", "cfg.reload", "modem.reset", "cred.rotate",
        "logs.collect", "box.reboot", "sw.update", "sw.cancel", "sw.rollback",
    )  # fmt: skip
    """What the hub may have done. USSD codes can move money: not by itself."""
    hub_settings: tuple[HubSetting, ...] = ("profile", "quiet_hours", "sim.label", "sim.limits", "sim.paused")
    """What the hub may own of the box's settings; the others are the site's."""
    ussd_codes: tuple[Annotated[str, msgspec.Meta(pattern=r"^[0-9*#]{1,40}\Z", description="a USSD code")], ...] = ()
    pool: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 0
    """How many messages of the fleet's pool the box holds at once; 0: it sends nothing for the hub."""
    most_events: Annotated[int, msgspec.Meta(ge=1_000, le=10_000_000)] = 1_000_000
    """Events that wait for a hub that is away."""
    hub_key: tuple[HubKeyConfig, ...] = ()


_Level = r"[A-Za-z0-9_-]{1,64}"
Prefix = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^{_Level}(/{_Level}){{0,4}}\Z", description="words of letters, digits, hyphens and _, with / between"
    ),
]


class NotifyConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``[[home_assistant.notify]]``: people whom Home Assistant can have told, under one name."""

    group: Annotated[
        str,
        msgspec.Meta(
            pattern=r"^[a-z0-9][a-z0-9-]{0,31}\Z", description="1 to 32 lower-case letters, digits and hyphens"
        ),
    ]
    to: Annotated[
        tuple[
            Annotated[
                str,
                msgspec.Meta(pattern=r"^\+?[0-9][0-9 ()./-]{2,30}\Z", description="numbers such as +447700900123"),
            ],
            ...,
        ],
        msgspec.Meta(min_length=1, max_length=100),
    ]
    user: Annotated[str, msgspec.Meta(min_length=1)]
    """The user of the box whose messages they are, with its quota."""
    name: Annotated[str, msgspec.Meta(max_length=64)] = ""
    max_segments: Annotated[int, msgspec.Meta(ge=1, le=10)] = 2
    priority: Annotated[int, msgspec.Meta(ge=0, le=9)] = 5


class HomeAssistantConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``[home_assistant]``: the site's own broker, where Home Assistant finds the box; an empty url means none."""

    url: Annotated[
        str,
        msgspec.Meta(
            pattern=_BROKER_URL,
            description="an address such as mqtt://homeassistant.local:1883, or nothing",
        ),
    ] = ""
    enabled: bool = True
    """False: what the box said there is taken back."""
    username: Annotated[str, msgspec.Meta(max_length=256)] = ""
    password_file: str = ""
    ca: str = ""
    certificate: str = ""
    key: str = ""
    node: Annotated[
        str,
        msgspec.Meta(
            pattern=r"^([a-z0-9][a-z0-9-]{0,62})?\Z", description="1 to 63 lower-case letters, digits and hyphens"
        ),
    ] = ""
    discovery_prefix: Prefix = "homeassistant"
    topic_prefix: Prefix = "modembank"
    privacy: Literal["counts", "meta", "full"] = "meta"
    commands: bool = False
    """Whether SIMs may be paused and resumed from there."""
    every_s: Annotated[int, msgspec.Meta(ge=1, le=3600)] = 30
    """Changes are told no more often than this."""
    notify: tuple[NotifyConfig, ...] = ()


class LogConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``[log]``: how much, and in which form."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"


class Config(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The whole file."""

    box: BoxConfig = BoxConfig()
    web: WebConfig = WebConfig()
    bank: BankConfig = BankConfig()
    limits: LimitsConfig = LimitsConfig()
    sim: tuple[SimConfig, ...] = ()
    sending: SendingConfig = SendingConfig()
    outage: OutageConfig = OutageConfig()
    providers: ProvidersConfig = ProvidersConfig()
    backup: BackupConfig = BackupConfig()
    health: HealthConfig = HealthConfig()
    alerts: AlertsConfig = AlertsConfig()
    opt_out: OptOutConfig = OptOutConfig()
    quiet_hours: QuietHoursConfig = QuietHoursConfig()
    recipients: RecipientsConfig = RecipientsConfig()
    loops: LoopsConfig = LoopsConfig()
    mqtt: MqttConfig = MqttConfig()
    home_assistant: HomeAssistantConfig = HomeAssistantConfig()
    mail_in: MailInConfig = MailInConfig()
    mail_out: tuple[MailOutConfig, ...] = ()
    log: LogConfig = LogConfig()


def load_config(path: Path) -> Config:
    """Read and check a configuration file; raises ConfigError naming file, line, key and what is allowed."""
    config, text = read_as(Config, path, "docs/configuration.md")
    _check_whole(config, path, text)
    return config


def read_as(kind: type[T], path: Path, document: str) -> tuple[T, str]:
    """Return what a TOML file says in the shape that it must have, and its text; raises ConfigError.

    ``document`` says how such a file is written.
    """
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        way_out = f"write one as {document} says, or name another with --config"
        raise ConfigError(file=path, line=0, problem=f"cannot be read: {error.strerror}; {way_out}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(file=path, line=0, problem="is not UTF-8 text") from error
    try:
        parsed = tomllib.loads(text)
    except ValueError as error:  # most are TOMLDecodeErrors; a number of thousands of digits is not
        raise ConfigError(file=path, line=_line_in(str(error)), problem=f"is not TOML: {error}") from error
    except RecursionError as error:
        raise ConfigError(file=path, line=0, problem="is not TOML: it is nested too deeply") from error
    try:
        return msgspec.convert(parsed, kind), text
    except msgspec.ValidationError as error:
        problem, line = _explain(str(error), text, kind)
        raise ConfigError(file=path, line=line, problem=problem) from error


def _check_whole(config: Config, path: Path, text: str) -> None:
    seen: set[str] = set()
    for port in config.bank.port:
        if port.path in seen:
            line = line_of(text, re.escape(port.path), occurrence=2)
            raise ConfigError(file=path, line=line, problem=f"bank.port: {port.path} is listed twice")
        if port.path.startswith(USB) and not USB_PLACE.fullmatch(port.path):
            problem = f"bank.port: {port.path} is no place on the USB: such as usb:1-1.4.3, as the kernel names it"
            raise ConfigError(file=path, line=line_of(text, re.escape(port.path)), problem=problem)
        seen.add(port.path)
    for place in config.bank.ignore:
        if not USB_PLACE.fullmatch(place):
            problem = f"bank.ignore: {place} is no place on the USB: such as usb:1-1.4.3, as the kernel names it"
            raise ConfigError(file=path, line=line_of(text, r"^\s*ignore\b"), problem=problem)
    labels = [port.label for port in config.bank.port if port.label]
    for label in labels:
        if labels.count(label) > 1:
            line = line_of(text, re.escape(label), occurrence=2)
            raise ConfigError(file=path, line=line, problem=f"bank.port: the label {label} is used twice")
    if bool(config.web.tls_cert) != bool(config.web.tls_key):
        line = line_of(text, "tls_(cert|key)")
        raise ConfigError(file=path, line=line, problem="web: tls_cert and tls_key go together")
    for pattern, problem in _of_the_links(config):
        raise ConfigError(file=path, line=line_of(text, pattern), problem=problem)
    for key, problem in contradictions(config.opt_out, config.quiet_hours, config.recipients):
        raise ConfigError(file=path, line=line_of(text, rf"^\s*{key}\b"), problem=problem)


def _of_the_links(config: Config) -> Iterator[tuple[str, str]]:
    """Yield what does not go together in the sections about others on the network, by a pattern of the line."""
    for key, problem in _of_the_hub(config.mqtt, config.box.id):
        yield rf"^\s*{key}\b", f"mqtt: {problem}"
    for pattern, problem in _of_home_assistant(config.home_assistant):
        yield rf"^\s*\[+home_assistant[^\0]*?^\s*{pattern}", f"home_assistant: {problem}"
    has_certificate = bool(config.web.tls_cert)
    for pattern, problem in mail_contradictions(config.mail_in, config.mail_out, certificate=has_certificate):
        yield rf"^\s*\[+{pattern}", problem


def _of_the_hub(mqtt: MqttConfig, box: str) -> Iterator[tuple[str, str]]:
    """Yield what does not go together, by the key to be named."""
    if not mqtt.url:
        return
    if not mqtt.site:
        yield "url", "url needs a site, the first half of the name that the hub knows the box by"
    if not mqtt.box and len(box) > 32:
        yield "url", "url needs a box: the box's own id is longer than 32 characters"
    if bool(mqtt.certificate) != bool(mqtt.key):
        yield "(certificate|key)", "certificate and key go together"
    host = mqtt.url.partition("://")[2]
    if mqtt.url.startswith("mqtt:") and not re.match(r"(localhost|127\.0\.0\.1|\[::1\])(:|$)", host):
        yield "url", "mqtt: is for a broker on this box alone; elsewhere it is mqtts:"
    kids = [key.kid for key in mqtt.hub_key]
    if len(set(kids)) < len(kids):
        yield "kid", "two hub keys have the same kid"


def _of_home_assistant(home: HomeAssistantConfig) -> Iterator[tuple[str, str]]:
    """Yield what does not go together, by a pattern of the line to be named."""
    if bool(home.certificate) != bool(home.key):
        yield r"(certificate|key)\b", "certificate and key go together"
    if (home.ca or home.certificate) and home.url.startswith("mqtt:"):
        yield r"url\b", "certificates are for mqtts:, and url says mqtt:"
    if home.password_file and not home.username:
        yield r"password_file\b", "password_file needs a username"
    groups = [entry.group for entry in home.notify]
    for group in groups:
        if groups.count(group) > 1:
            named = rf"group\s*=\s*.{group}\b"
            yield rf"{named}[^\0]*^\s*{named}", f"the group {group} is there twice"


def _line_in(message: str) -> int:
    found = re.search(r"line (\d+)", message)
    return int(found.group(1)) if found else 0


def _explain(message: str, text: str, kind: type) -> tuple[str, int]:
    """Turn msgspec's sentence into ours: the dotted key, what is wrong, and its line in the text."""
    found = re.match(r"(?P<what>.*?)(?: - at `\$(?P<path>[^`]*)`)?$", message)
    what, where = (found["what"], found["path"] or "") if found else (message, "")
    keys = [part for part in re.split(r"\.|\[[^\]]*\]", where) if part]
    allowed, wanted = _wanted(keys, kind)
    unknown = re.match(r"Object contains unknown field `(.+)`", what)
    if unknown:
        name = ".".join([*keys, unknown[1]])
        return f"unknown key {name}; {allowed}", line_of(text, rf"^\s*\[*{_key_pattern(unknown[1])}")
    name = ".".join(keys) or "the file"
    problem = f"{name}: {wanted or what}{f'; {allowed}' if allowed else ''}"
    return problem, line_of(text, rf"^\s*\[*{_key_pattern(keys[-1])}") if keys else 0


def _key_pattern(name: str) -> str:
    return rf"[^#\n=]*\b{re.escape(name)}\b"


def _wanted(keys: list[str], kind: type) -> tuple[str, str]:
    """Return which keys or values are allowed at a place of the file, and what its text must be, in words."""
    import msgspec.inspect as shapes  # only a mistake needs it

    at: shapes.Type = shapes.type_info(kind)
    for key in keys:
        fields = at.fields if isinstance(at, shapes.StructType) else ()
        at = next((field.type for field in fields if field.encode_name == key), shapes.AnyType())
        if isinstance(at, shapes.VarTupleType):
            at = at.item_type
    if isinstance(at, shapes.Metadata):
        return "", f"must be {(at.extra_json_schema or {})['description']}"
    if isinstance(at, shapes.LiteralType):
        return f"allowed here: {', '.join(map(str, at.values))}", ""
    if isinstance(at, shapes.StructType):
        return f"allowed here: {', '.join(field.encode_name for field in at.fields)}", ""
    return "", ""


def line_of(text: str, pattern: str, occurrence: int = 1) -> int:
    """Return the 1-based line of the pattern's n-th match, or 0."""
    for number, match in enumerate(re.finditer(pattern, text, re.MULTILINE), 1):
        if number == occurrence:
            start = match.end() if pattern.startswith("^") else match.start()
            return text.count("\n", 0, start) + 1
    return 0
