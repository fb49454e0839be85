"""The configuration as it is shown: all of it, in the words of its reference, and no secret."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from modembank.config import (
    BankConfig,
    Config,
    HomeAssistantConfig,
    HubKeyConfig,
    MqttConfig,
    NotifyConfig,
    PortEntry,
    SimConfig,
    SimLimitsConfig,
)
from modembank.mail_config import MailForwardConfig, MailInConfig, MailOutConfig, MailSenderConfig
from modembank.system.meanings_table import MEANINGS
from modembank.system.settings import SECRETS, sections

ROOT = Path(__file__).resolve().parents[2]
PORTS = (PortEntry("/dev/ttyUSB0", "slot-01", pin="4711"), PortEntry("/dev/ttyUSB1"))
SIMS = (SimConfig("894411006825627005", pin="4711", limits=SimLimitsConfig(per_day=3)), SimConfig("894411006825627006"))
MQTT = MqttConfig(hub_key=(HubKeyConfig("h2", "A" * 43 + "="),))
HOME = HomeAssistantConfig(notify=(NotifyConfig("on-call", ("+447700900123",), "anne"),))
MAIL_IN = MailInConfig(sender=(MailSenderConfig("@example.com", "anne"),))
FORWARD = MailForwardConfig("desk", ("desk@example.com",))
MAIL_OUT = (MailOutConfig("office", "mail.example.com", "sms@example.com", forward=(FORWARD,)),)
CONFIG = Config(
    bank=BankConfig(port=PORTS), sim=SIMS, mqtt=MQTT, home_assistant=HOME, mail_in=MAIL_IN, mail_out=MAIL_OUT
)


def keys(shape: type, path: str = "") -> Iterator[tuple[str, str]]:
    """Every (table, key) of the file that is not a table itself."""
    for field in msgspec.structs.fields(shape):
        name = f"{path}.{field.encode_name}".lstrip(".")
        below = [
            part for part in (field.type, *getattr(field.type, "__args__", ())) if hasattr(part, "__struct_fields__")
        ]
        if below:
            yield from keys(below[0], name)
        else:
            yield path, field.encode_name


def documented() -> dict[str, str]:
    """The last cell of every row of docs/configuration.md, by the keys in its first, without marks."""
    found, tables = {}, ()
    for line in (ROOT / "docs" / "configuration.md").read_text("utf-8").splitlines():
        if line.startswith("## "):
            tables = re.findall(r"`\[+([\w.]+)\]+`", line)
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("| `") else []
        for key in re.findall(r"`(\w+)`", cells[0]) if cells else ():
            text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", cells[-1]).replace("`", "").replace("*", "").strip()
            for table in tables:
                found[f"{table}.{key}"] = text
    return found


def test_every_key_has_the_words_of_the_reference():
    reference = documented()
    wanted = {}
    for table, key in keys(Config):
        name = "limits" if table == "sim.limits" else table
        assert f"{name}.{key}" in reference, f"{name}.{key}"
        wanted[f"{name}.{key}"] = reference[f"{name}.{key}"]
    assert wanted == MEANINGS


def test_every_section_and_key_is_shown_with_what_it_means():
    shown = {(section.title.strip("[]"), one.key): one for section in sections(CONFIG) for one in section.settings}
    plain = {pair for pair in keys(Config) if pair[0] != "sim.limits"}
    assert plain <= set(shown)
    assert all(one.meaning for one in shown.values())
    assert [section.title for section in sections(CONFIG)].count("[[bank.port]]") == 2
    assert (shown["sim.limits", "per_day"].value, shown["sim.limits", "per_day"].usual) == ("3", False)
    assert ("sim.limits", "per_hour") not in shown  # follows the box's
    assert (shown["web", "listen"].value, shown["web", "listen"].usual) == ('"127.0.0.1:8080"', True)
    assert shown["bank", "send_timeout_s"].value == "180"


def test_lists_of_tables_may_be_empty():
    """A box that finds its modems on the USB lists no port."""
    titles = [section.title for section in sections(Config())]
    assert "[bank]" in titles
    assert "[[bank.port]]" not in titles


def test_no_secret_is_shown():
    assert "4711" not in repr(sections(CONFIG))
    pins = [one for section in sections(CONFIG) for one in section.settings if one.key == "pin"]
    assert [one.value for one in pins] == ["set, and not shown", "none", "set, and not shown", "none"]
    sounds_secret = re.compile("pin|secret|password|token|credential|passphrase")
    assert {key for _, key in keys(Config) if sounds_secret.fullmatch(key)} == set(SECRETS)
