"""What people write: the configuration file, telephone numbers, and the command line."""

from __future__ import annotations

import math
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from fuzz.dice import Dice
from modembank.config import Config, ConfigError, load_config
from modembank.ids import mask_number
from modembank.messages.numbers import MAX_INPUT, BadNumber, normalise_recipient, normalise_sender
from modembank.tpdu import Address

REGIONS = ("", "GB", "DE", "US", "AD", "GL", "IN", "AR", "IT", "BJ", "ZZ")


def numbers(octets: bytes) -> None:
    """A region and what somebody wrote: a number in its one form, or a reason."""
    dice = Dice(octets)
    region = dice.pick(REGIONS)
    written = dice.rest().decode("utf-8", "surrogateescape")
    sender = normalise_sender(written, region)
    assert normalise_sender(sender, region) == sender
    assert isinstance(mask_number(written), str)
    try:
        normal = normalise_recipient(written, region)
    except BadNumber as problem:
        assert 0 < len(str(problem)) < 300
        assert str(problem).isprintable()
        return
    assert len(written) <= MAX_INPUT
    # Germany's plan, for one, has numbers longer than the 15 digits of E.164; what counts is that a PDU can carry them.
    assert re.fullmatch(r"\+[1-9][0-9]{4,19}|[0-9]{2,8}", normal), normal
    assert Address.from_number(normal).encode()
    assert normalise_recipient(normal, region) == normal, "one person has one form"
    if normal.startswith("+"):
        assert normalise_recipient(normal, "") == normal
        assert not normal.endswith(mask_number(normal)) or mask_number(normal) == normal


def number_seeds() -> list[bytes]:
    """Numbers as they are written in many places."""
    written = (
        "+447911123456", "07911 123456", "0044 7911-123456", "+49 (0)151 23456789", "+49 00151 2345678", "12345", "112",
        "+376 312345", "312345", "+54 9 11 2345-6789", "+39 06 698", "＋４４7911123456", "٠٧٩١١١٢٣٤٥٦",
        "+1 650-253-0000", "tel:+44", "+44,+45", "1900", "+0123456789", "+999123456789", "ACME", "", "+",
        "\u202a+447911123456\u202c",
    )  # fmt: skip
    return [bytes([place % len(REGIONS)]) + text.encode() for place, text in enumerate(written * 2)]


# What each field with a form of its own may hold, from docs/configuration.md: these values go into file names, AT
# commands and addresses.
_FORMS = {
    "id": re.compile("[a-z0-9][a-z0-9-]{0,62}"),
    "region": re.compile("([A-Z]{2})?"),
    "pin": re.compile("([0-9]{4,8})?"),
    "label": re.compile("[A-Za-z0-9._-]{0,32}"),
    "iccid": re.compile("[0-9]{18,20}"),
    "msisdn": re.compile(r"(\+[0-9]{6,15})?"),
    "listen": re.compile(r"(\S+:[0-9]{1,5})?"),
}


def _judge_config(value: object, name: str = "", *, of_sim: bool = False) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            _judge_config(inner, key, of_sim=of_sim or name == "sim")
    elif isinstance(value, list | tuple):
        for inner in value:
            _judge_config(inner, name, of_sim=of_sim)
    elif isinstance(value, float):
        assert math.isfinite(value), name
    elif isinstance(value, int):
        assert 0 <= value < 1 << 63, name
    elif isinstance(value, str) and name in _FORMS and not (of_sim and name == "label"):
        assert _FORMS[name].fullmatch(value), (name, value)
    if name == "listen" and value:
        assert int(str(value).rpartition(":")[2]) >= 0


def _load(path: Path, octets: bytes) -> None:
    path.write_bytes(octets)
    try:
        config = load_config(path)
    except ConfigError as error:
        sentence = str(error)
        assert sentence.startswith(f"{path}:")
        line = error.fields["line"]
        assert 0 <= line <= len(re.split(rb"\r\n|\r|\n", octets)), sentence
        place = f"{path}:{line}: " if line else f"{path}: "
        assert sentence.startswith(place)
        assert sentence.removeprefix(place).strip()
        return
    assert isinstance(config, Config)
    _judge_config(msgspec.to_builtins(config))


@contextmanager
def configuration() -> Iterator[Callable[[bytes], None]]:
    """A whole file: a configuration that keeps its promises, or an error that names file and line."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "modembank.toml"
        yield lambda octets: _load(path, octets)


def configuration_seeds() -> list[bytes]:
    """Every section once, and what must be refused."""
    whole = """[box]
id = "box-1"
region = "GB"
data_dir = "/var/lib/modembank"
[web]
listen = "0.0.0.0:8080"
[bank]
usb_power = "none"
[[bank.port]]
path = "/dev/ttyUSB0"
label = "left"
baudrate = 115200
pin = "1234"
[limits]
min_interval_s = 2.5
per_minute = 15
[[sim]]
iccid = "8944100000000000001"
label = "main"
msisdn = "+447700900123"
limits = { per_day = 200 }
[sending]
valid_for_s = 3600
on_unknown = "resend"
[outage]
rule = "send"
[backup]
folder = "/media/stick"
every_h = 0.5
keep = 3
[health]
late_after_s = 60
[log]
level = "debug"
"""
    lines = whole.splitlines(keepends=True)
    one_out = ["".join(lines[:place] + lines[place + 1 :]) for place in range(len(lines))]
    odd = (
        "a = 1",
        '[box]\nid = "x\\n"',
        "[limits]\nmin_interval_s = inf",
        "[limits]\nper_day = -1",
        "[limits]\nper_day = 0x7f",
        "[web]\nlisten = 1",
        "x = 2020-13-45",
        "x = [[[[",
        "\ufeff[box]",
        '[[sim]]\niccid = "8944100000000000001\\n"',
        '[web]\ntls_cert = "a"',
        '[[bank.port]]\npath = "a"\n[[bank.port]]\npath = "a"',
    )
    return [text.encode() for text in (whole, *one_out, *odd)] + [b"\xff\xfe"]
