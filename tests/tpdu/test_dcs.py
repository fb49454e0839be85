import pytest

from modembank.tpdu import Alphabet, Dcs, Indication, MessageClass, WaitingKind

GSM7, OCTET, UCS2 = Alphabet.GSM7, Alphabet.OCTET, Alphabet.UCS2


@pytest.mark.parametrize(
    ("value", "alphabet", "message_class"),
    [
        (0x00, GSM7, None),
        (0x01, GSM7, None),  # class bits without meaning
        (0x04, OCTET, None),
        (0x08, UCS2, None),
        (0x0C, GSM7, None),  # reserved alphabet
        (0x10, GSM7, MessageClass.FLASH),
        (0x18, UCS2, MessageClass.FLASH),
        (0x15, OCTET, MessageClass.DEVICE),
        (0x12, GSM7, MessageClass.SIM),
        (0x48, UCS2, None),
        (0x58, UCS2, MessageClass.FLASH),
        (0x84, GSM7, None),  # 1000 to 1011 are reserved
        (0xB8, GSM7, None),
        (0xC0, GSM7, None),
        (0xC8, GSM7, None),
        (0xD4, GSM7, None),
        (0xE0, UCS2, None),
        (0xEB, UCS2, None),
        (0xF0, GSM7, MessageClass.FLASH),
        (0xF4, OCTET, MessageClass.FLASH),
        (0xF6, OCTET, MessageClass.SIM),
        (0xF3, GSM7, MessageClass.TERMINAL),
    ],
)
def test_alphabet_and_class(value: int, alphabet: Alphabet, message_class: MessageClass | None) -> None:
    dcs = Dcs(value)
    assert dcs.alphabet is alphabet
    assert dcs.message_class is message_class
    assert dcs.encode() == value


def test_compressed_text_is_counted_in_octets() -> None:
    assert Dcs(0x20).compressed
    assert Dcs(0x20).alphabet is GSM7
    assert Dcs(0x20).payload_alphabet is OCTET
    assert Dcs(0x60).compressed
    assert not Dcs(0xE0).compressed
    assert Dcs(0x08).payload_alphabet is UCS2


@pytest.mark.parametrize(
    ("value", "indication"),
    [
        (0xC8, Indication(WaitingKind.VOICEMAIL, active=True, store=False)),
        (0xC0, Indication(WaitingKind.VOICEMAIL, active=False, store=False)),
        (0xD9, Indication(WaitingKind.FAX, active=True, store=True)),
        (0xEA, Indication(WaitingKind.EMAIL, active=True, store=True)),
        (0xE3, Indication(WaitingKind.OTHER, active=False, store=True)),
        (0x00, None),
        (0xF8, None),
        (0xB8, None),
    ],
)
def test_indication(value: int, indication: Indication | None) -> None:
    assert Dcs(value).indication == indication


def test_auto_delete() -> None:
    assert [value for value in range(256) if Dcs(value).auto_delete] == list(range(0x40, 0x80))


def test_building() -> None:
    assert Dcs.of(GSM7) == Dcs(0x00)
    assert Dcs.of(UCS2) == Dcs(0x08)
    assert Dcs.of(UCS2, MessageClass.FLASH) == Dcs(0x18)
    assert Dcs.of(OCTET, MessageClass.TERMINAL) == Dcs(0x17)


@pytest.mark.parametrize("alphabet", Alphabet)
@pytest.mark.parametrize("message_class", [None, *MessageClass])
def test_what_is_built_reads_back(alphabet: Alphabet, message_class: MessageClass | None) -> None:
    dcs = Dcs.of(alphabet, message_class)
    assert (dcs.alphabet, dcs.message_class, dcs.compressed, dcs.indication) == (alphabet, message_class, False, None)


def test_every_octet_has_a_meaning() -> None:
    for value in range(256):
        dcs = Dcs(value)
        assert dcs.alphabet in Alphabet
        assert dcs.message_class is None or dcs.indication is None
