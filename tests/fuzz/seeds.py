"""What fuzzing starts from: recorded dialogues, published PDUs, and what the emulated modems of every dialect say."""

from __future__ import annotations

import csv
import json
from functools import cache
from pathlib import Path

from fakes import delivers, dialogues
from fakes.foreign_modems import status_report
from modembank_emulator.dialects import DIALECTS

TESTS = Path(__file__).resolve().parents[1]
VECTORS = TESTS / "vectors" / "tpdu.tsv"

HEADER_FORMS = (
    bytes([5, 0, 3, 7, 2, 1]),
    bytes([6, 8, 4, 1, 0, 2, 2]),
    bytes([3, 0x24, 1, 1]),
    bytes([3, 0x25, 1, 2]),
    bytes([6, 5, 4, 0x0B, 0x84, 0x23, 0xF0]),
    bytes([11, 5, 4, 0x0B, 0x84, 0x23, 0xF0, 0, 3, 9, 3, 3]),
    bytes([0x7F, 0xFF]),
)


@cache
def turns() -> tuple[tuple[bytes, bytes], ...]:
    """What was sent and what came back, from every recorded dialogue."""
    return tuple((turn.sent, turn.received) for name in dialogues.names() for turn in dialogues.load(name))


@cache
def lines() -> tuple[bytes, ...]:
    """Every line that a recorded modem said, or that an emulated one says by itself, once."""
    said = b"\n".join([*(received for _, received in turns()), *chatter()])
    return tuple(dict.fromkeys(line.strip() for line in said.splitlines() if line.strip()))


@cache
def chatter() -> tuple[bytes, ...]:
    """What the emulated modem of each dialect says by itself, from its start on."""
    found = []
    for model in DIALECTS.values():
        codes = [*model.boot_urcs, *model.ready_urcs, *model.chatter, *filter(None, [model.full_urc])]
        found.append("".join(f"\r\n{code}\r\n" for code in codes).encode())
    return tuple(found)


@cache
def pdus() -> tuple[tuple[str, bytes], ...]:
    """Direction and octets of published PDUs, and of such as no decent centre would send."""
    with VECTORS.open(encoding="utf-8") as file:
        rows = csv.reader((line for line in file if not line.startswith("#")), delimiter="\t", quoting=csv.QUOTE_NONE)
        published = [(direction, bytes.fromhex(pdu)) for direction, _, _, pdu, _ in rows]
    made = [
        delivers.text("hello"),
        delivers.text("hello", sender=delivers.named("Example")),
        delivers.wide("grüße \U0001f600"),
        delivers.wide("\ud83d"),
        delivers.binary(b"\x01\x06\x01\xbe", bytes([5, 4, 0x0B, 0x84, 0x23, 0xF0])),
        delivers.text("", moment="FFFFFFFFFFFFFF"),
        *(delivers.part(words, 7, 3, place) for place, words in enumerate(("one ", "two ", "three"), 1)),
        *(delivers.deliver(header.hex() + "48656C6C6F", 20, header=True) for header in HEADER_FORMS),
        status_report(7, "+447911123456"),
        status_report(255, "12345") + "FF00",
    ]
    return (*published, *(("inbound", bytes.fromhex(pdu)) for pdu in made))


@cache
def texts() -> tuple[str, ...]:
    """Texts on the borders of what one part holds, and such as must not be cut anywhere."""
    published = [
        json.loads(line.split("\t")[2])
        for line in VECTORS.read_text("utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    family = "\U0001f469‍\U0001f467‍\U0001f466"
    return (
        *filter(None, published),
        "a" * 160,
        "a" * 161,
        "€" * 80,
        "a" * 152 + "€",
        "ж" * 70,
        "ж" * 66 + "\U0001f600",
        family * 20,
        "\U0001f1ec\U0001f1e7" * 40,
        "e\u0301" * 60,
        "ışğ" * 50,
        "\u0915\u093f" * 60,
        "“quoted” – and … more",
        "@" * 8,
        "\ud800",
        "\x1b",
    )
