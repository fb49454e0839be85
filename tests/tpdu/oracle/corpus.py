"""PDUs of ours for independent decoders to read: a fixed, seeded spread over what the codec can write."""

import random
from datetime import UTC, datetime, timedelta, timezone

from modembank.tpdu import (
    SINGLE_TABLES,
    Address,
    Alphabet,
    Concat,
    Dcs,
    DeliverTpdu,
    Language,
    MessageClass,
    NumberingPlan,
    Ports,
    ReportStatus,
    StatusReportTpdu,
    SubmitTpdu,
    Timestamp,
    Tpdu,
    TypeOfNumber,
    Udh,
    UserData,
    Validity,
    split_text,
)
from modembank.tpdu.tables import LOCKING_TABLES

BASIC = "".join(char for char in LOCKING_TABLES[Language.DEFAULT] if char not in "\x1b\r\n")
EXTENSION = "".join(SINGLE_TABLES[Language.DEFAULT].values()).replace("\f", "")
SENTENCES = ("Заказ № 5 готов", "您的包裹已送达", "Ça coûte 5 œufs", "नमस्ते", "مرحبا", "emoji 😀👍 ok")


def submits(count: int = 150) -> list[SubmitTpdu]:
    rng = random.Random(1)
    made: list[SubmitTpdu] = []
    while len(made) < count:
        destination = _number(rng)
        validity = rng.choice([None, Validity.relative(rng.randrange(256)), Validity.until(_moment(rng))])
        split = split_text(_text(rng), reference=rng.randrange(256))
        for part in split.parts[:4]:
            made.append(
                SubmitTpdu.for_part(
                    destination,
                    part,
                    flash=rng.random() < 0.2,
                    validity=validity,
                    status_report=rng.random() < 0.5,
                    reject_duplicates=rng.random() < 0.3,
                )
            )
    return made


def delivers(count: int = 150) -> list[DeliverTpdu]:
    rng = random.Random(2)
    made: list[DeliverTpdu] = []
    while len(made) < count:
        originator = _number(rng) if rng.random() < 0.7 else Address.from_number(_name(rng))
        stamp = Timestamp.of(_moment(rng))
        wide = rng.random() < 0.5
        reference = rng.randrange(65536 if wide else 256)
        parts = split_text(_text(rng), reference=reference, reference_bits=16 if wide else 8).parts[:4]
        message_class = rng.choice([None, *MessageClass])
        for part in parts:
            dcs = Dcs.of(part.alphabet, message_class)
            made.append(DeliverTpdu(originator, stamp, part, dcs, more_messages=rng.random() < 0.3))
    for index in range(10):
        udh = Udh.build(concat=Concat(index, 2, 1), ports=Ports(2948, 9200))
        made.append(DeliverTpdu(_number(rng), stamp, UserData.of_octets(rng.randbytes(index * 9), udh), Dcs(0x04)))
    return made


def reports() -> list[StatusReportTpdu]:
    rng = random.Random(3)
    return [
        StatusReportTpdu(
            reference=rng.randrange(256),
            recipient=_number(rng),
            timestamp=Timestamp.of(_moment(rng)),
            discharge=Timestamp.of(_moment(rng)),
            status=ReportStatus(value),
        )
        for value in range(128)
    ]


def text_of(tpdu: Tpdu) -> str | None:
    return tpdu.user_data.text if tpdu.user_data is not None else None


def is_ucs2(tpdu: Tpdu) -> bool:
    return tpdu.user_data is not None and tpdu.user_data.alphabet is Alphabet.UCS2


def _text(rng: random.Random) -> str:
    if rng.random() < 0.3:
        return " ".join(rng.choices(SENTENCES, k=rng.randrange(1, 12)))
    length = rng.choice([1, 6, 7, 8, 15, 16, 159, 160, 161, 305, 306, 307, rng.randrange(1, 400)])
    return "".join(rng.choices(BASIC + EXTENSION, weights=[10] * len(BASIC) + [8] * len(EXTENSION), k=length))


def _number(rng: random.Random) -> Address:
    digits = "".join(rng.choices("0123456789", k=rng.randrange(3, 16)))
    kind = rng.choice([TypeOfNumber.INTERNATIONAL, TypeOfNumber.UNKNOWN])
    return Address(digits, kind, NumberingPlan.ISDN)


def _name(rng: random.Random) -> str:
    return "".join(
        rng.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz .", k=rng.randrange(1, 12))
    ).replace(" ", "x")


def _moment(rng: random.Random) -> datetime:
    zone = timezone(timedelta(minutes=15 * rng.randrange(-48, 57)))
    start = datetime(2005, 1, 1, tzinfo=UTC) + timedelta(seconds=rng.randrange(30 * 365 * 86400))
    return start.astimezone(zone)
