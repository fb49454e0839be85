"""The codec: octets into TPDUs and back, parts into messages, texts into parts."""

from __future__ import annotations

import random
import re
from datetime import datetime

from fuzz import seeds
from fuzz.dice import Dice, records, script
from modembank.messages.text import MAX_CHARACTERS, TextProblem, measure, preview_text, sanitised
from modembank.tpdu import (
    GAP_MARK,
    MAX_PDU_OCTETS,
    Address,
    Alphabet,
    Concat,
    DeliverTpdu,
    Encoding,
    Language,
    MalformedTpdu,
    StatusReportTpdu,
    SubmitTpdu,
    TextRefused,
    Tpdu,
    Udh,
    UnencodableTpdu,
    UserData,
    ValidityFormat,
    count_segments,
    decode_pdu,
    encode_pdu,
    join_parts,
    replaceable,
    split_text,
)

DIRECTIONS = ("inbound", "outbound")


def tpdu(octets: bytes) -> None:
    """The first octet says how the rest is to be read; what can be read must mean the same when written again."""
    dice = Dice(octets)
    how = dice.octet()
    direction, has_smsc = DIRECTIONS[how & 1], not how & 2
    length = dice.octet() if how & 4 else None
    raw = dice.rest()
    found = _decoded(raw, direction, length, has_smsc=has_smsc)
    assert found == _decoded(raw.hex(), direction, length, has_smsc=has_smsc)
    assert found == _decoded(f" {raw.hex().upper()}\r", direction, length, has_smsc=has_smsc)
    _decoded(raw.decode("latin-1"), direction, length, has_smsc=has_smsc)
    if found is None:
        return
    _judge_values(found)
    again = _written_and_read(found, direction)
    if again is None:
        return
    if _came_whole(found):
        assert again == found
    assert _written_and_read(again, direction) == again, "writing and reading once more changes nothing"


def _decoded(raw: bytes | str, direction: str, length: int | None, *, has_smsc: bool) -> Tpdu | None:
    try:
        pdu = decode_pdu(raw, direction=direction, tpdu_length=length, has_smsc=has_smsc)  # type: ignore[arg-type]
    except MalformedTpdu as error:
        assert error.reason
        assert 0 <= error.offset <= MAX_PDU_OCTETS
        return None
    if pdu.smsc is not None and not pdu.smsc.is_name and len(pdu.smsc.digits) <= 20:
        assert pdu.smsc.encode_service_centre()
    return pdu.tpdu


def _written_and_read(tpdu: Tpdu, direction: str) -> Tpdu | None:
    try:
        pdu, length = encode_pdu(tpdu)
    except UnencodableTpdu:
        assert not _encodable(tpdu), tpdu
        return None
    assert length == len(pdu) // 2 - 1
    return decode_pdu(pdu, direction=direction, tpdu_length=length).tpdu  # type: ignore[arg-type]


def _data(tpdu: Tpdu) -> UserData | None:
    return tpdu.user_data


def _party(tpdu: Tpdu) -> Address:
    if isinstance(tpdu, SubmitTpdu):
        return tpdu.destination
    return tpdu.originator if isinstance(tpdu, DeliverTpdu) else tpdu.recipient


def _came_whole(tpdu: Tpdu) -> bool:
    """Whether nothing of it was lost on the way; what was lost cannot be written again."""
    data = _data(tpdu)
    if isinstance(tpdu, StatusReportTpdu) and tpdu.optional_error:
        return False
    return data is None or not (data.truncated or data.udh_error)


def _encodable(tpdu: Tpdu) -> bool:
    """Whether the standard has room for it: what we read may hold more than may be written."""
    party, data = _party(tpdu), _data(tpdu)
    if party.is_name:
        fits = len(party.digits) > 0 and (7 * len(party.digits) + 3) // 4 <= 20 and "\ufffd" not in party.digits
    else:
        fits = len(party.digits) <= 20
    odd = data is not None and data.alphabet is Alphabet.UCS2 and len(data.payload) % 2 == 1
    return fits and not odd and (data is None or _size(data) <= 140)


def _size(data: UserData) -> int:
    header = data.udh.size if data.udh else 0
    if data.alphabet is not Alphabet.GSM7:
        return header + len(data.payload)
    septets = (8 * header + 6) // 7 + len(data.payload)
    return (7 * septets + 7) // 8


def _judge_values(tpdu: Tpdu) -> None:
    """Everything that can be asked of a TPDU has an answer, and a bounded one."""
    party, data = _party(tpdu), _data(tpdu)
    assert len(party.number) <= 256
    assert not re.search("[\x00-\x1f\x7f-\x9f]", party.number)
    if isinstance(tpdu, DeliverTpdu):
        assert tpdu.kind
        assert isinstance(tpdu.timestamp.moment, datetime | None)
    elif isinstance(tpdu, StatusReportTpdu):
        assert tpdu.status.meaning
        assert tpdu.status.report_class
        assert isinstance(tpdu.discharge.moment, datetime | None)
    elif tpdu.validity is not None:
        assert tpdu.validity.format is not ValidityFormat.NONE
        assert tpdu.validity.duration is None or tpdu.validity.duration.total_seconds() >= 0
        assert isinstance(tpdu.validity.ends_at, datetime | None)
    if data is not None:
        _judge_data(data)


def _judge_data(data: UserData) -> None:
    text = data.text
    assert (text is None) == (data.alphabet is Alphabet.OCTET)
    assert text is None or len(text) <= len(data.payload)
    assert data.concat is None or 1 <= data.concat.sequence <= data.concat.total <= 255
    if data.udh is not None:
        assert Udh.decode(data.udh.encode()[1:]) == data.udh
        assert data.udh.size == len(data.udh.encode())


def tpdu_seeds() -> list[bytes]:
    """Published PDUs, read as what they are, as the other kind, and cut."""
    found = [bytes([DIRECTIONS.index(direction)]) + octets for direction, octets in seeds.pdus()]
    bare = [bytes([2 | DIRECTIONS.index(direction)]) + octets[1 + octets[0] :] for direction, octets in seeds.pdus()]
    return [*found, *bare, *(seed[: len(seed) * 2 // 3] for seed in found), b"\x04\x05" + found[0][1:]]


def joining(octets: bytes) -> None:
    """Each record is a part: its coding, its place, and its payload. Order must not matter, and nothing is invented."""
    parts = [_part(dice) for dice in records(octets)][:300]
    joined = join_parts(parts)
    placed = {part.concat.sequence: part for part in reversed(parts) if part.concat}
    if not placed:
        assert joined.missing == ()
    else:
        total = max(part.concat.total for part in placed.values() if part.concat)
        assert set(joined.missing) == set(range(1, total + 1)) - set(placed)
        if len(placed) == len(parts):
            shuffled = random.Random(len(octets)).sample(parts, len(parts))
            assert join_parts(shuffled) == joined
            assert join_parts([*shuffled, *parts]) == joined, "a part that came twice counts once"
    used = [*placed.values()] if placed else parts
    size = sum(len(part.payload) for part in used)
    assert (joined.text is None) != (joined.octets is None)
    if joined.octets is not None:
        assert any(part.alphabet is Alphabet.OCTET for part in used)
        assert len(joined.octets) == size
    else:
        assert len(joined.text or "") <= size + (len(joined.missing) + 1) * len(GAP_MARK)


def _part(dice: Dice) -> UserData:
    how = dice.octet()
    alphabet = (Alphabet.GSM7, Alphabet.UCS2, Alphabet.OCTET, Alphabet.GSM7)[how & 3]
    concat = None
    if how & 4:
        total, sequence = 1 + dice.number(255), dice.octet()
        concat = Concat(dice.octet(), total, 1 + sequence % total, bool(how & 8))
    languages = list(Language)
    single, locking = (dice.pick(languages), dice.pick(languages)) if how & 16 else (Language.DEFAULT,) * 2
    payload = dice.take(160)
    if alphabet is Alphabet.GSM7:
        payload = bytes(octet & 0x7F for octet in payload)
    return UserData(alphabet, payload, Udh.build(concat=concat, single=single, locking=locking))


def joining_seeds() -> list[bytes]:
    """Long messages whole, with a gap, with a cut character, in several alphabets."""

    def part(how: int, total: int, sequence: int, payload: bytes) -> bytes:
        return bytes([how, total - 1, sequence - 1, 7]) + payload

    wide = "grüße \U0001f600".encode("utf-16-be")
    return [
        script(part(4, 2, 1, b"hello "), part(4, 2, 2, b"world")),
        script(part(5, 3, 1, wide[:5]), part(5, 3, 2, wide[5:10]), part(5, 3, 3, wide[10:])),
        script(part(6, 3, 3, b"\x01\x02"), part(6, 3, 1, b"\xff")),
        script(part(4, 255, 255, b"\x1b"), part(5, 255, 1, b"\xd8")),
        script(bytes([20, 1, 0, 7, 1, 2]) + b"\x1be", part(4, 2, 2, b"e")),
        script(b"\x00one", b"\x01\x00t\x00w", b"\x00"),
    ]


def text(octets: bytes) -> None:
    """Any text, split as asked and joined again: the same text, in parts that fit, and counted before as after."""
    dice = Dice(octets)
    encoding = dice.pick(list(Encoding))
    bits = 16 if dice.flag() else 8
    national = dice.pick([None, *Language])
    reference = dice.octet()
    written = dice.rest().decode("utf-8", "surrogateescape" if reference & 1 else "replace")
    try:
        counted = count_segments(written, encoding=encoding, reference_bits=bits, national=national)  # type: ignore[arg-type]
    except TextRefused as refused:
        assert str(refused)
    else:
        split = split_text(
            written,
            reference=reference,
            encoding=encoding,
            reference_bits=bits,  # type: ignore[arg-type]
            national=national,
        )
        assert counted.segments == len(split.parts) <= 255
        assert counted.encoding is split.encoding
        _judge_parts(written, split.parts, reference)
    _messages_text(written, encoding)


def _judge_parts(written: str, parts: tuple[UserData, ...], reference: int) -> None:
    assert join_parts(random.Random(reference).sample(parts, len(parts))).text == written
    whole = Address.from_number("+447911123456")
    for number, part in enumerate(parts, 1):
        assert len(part.encode()) <= 141
        if part.alphabet is Alphabet.UCS2:
            part.payload.decode("utf-16-be")  # no surrogate pair is cut
        if len(parts) > 1:
            concat = part.concat
            assert concat is not None
            assert (concat.reference, concat.total, concat.sequence) == (reference, len(parts), number)
        submit = SubmitTpdu.for_part(whole, part, status_report=True)
        assert decode_pdu(encode_pdu(submit)[0], direction="outbound").tpdu == submit


def _messages_text(written: str, encoding: Encoding) -> None:
    """What the messages slice says about a text: a count, or one sentence of bounded length."""
    try:
        count = measure(written, encoding)
    except TextProblem as problem:
        assert 0 < len(str(problem)) < 500
        assert not re.search("[\x00-\x1f\ud800-\udfff]", str(problem))
    else:
        assert 0 < len(written) <= MAX_CHARACTERS
        assert count == count_segments(written, encoding=encoding)
        preview = preview_text(written, encoding)
        assert preview.segments == count.segments
        assert preview.text_after is None or not set(replaceable(preview.text_after)) & set(preview.replacements)
    clean = sanitised(written)
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]", clean)
    assert len(clean) == len(written)
    assert sanitised(clean) == clean


def text_seeds() -> list[bytes]:
    """Texts on borders, in every encoding and with a language's tables."""
    return [
        bytes([encoding, encoding & 1, national, 3]) + written.encode("utf-8", "surrogatepass")
        for written in seeds.texts()
        for encoding, national in ((0, 0), (2, 0), (1, 2))
    ]
