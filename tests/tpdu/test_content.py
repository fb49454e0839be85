import pytest

from modembank.tpdu import (
    Address,
    Alphabet,
    ContentKind,
    Dcs,
    DeliverTpdu,
    InformationElement,
    Ports,
    Timestamp,
    Udh,
    UserData,
    classify,
    is_mms_notification,
    replace_type,
)

TEXT = UserData.of_text("hello")
OCTETS = UserData.of_octets(b"\x01\x02")
# A WSP push: transaction 1, PDU type 6, header length, content type application/vnd.wap.mms-message, application id;
# then the message type m-notification-ind.
MMS_PUSH = bytes.fromhex("0106 07 BE AF84 8D01 B484 8C82".replace(" ", ""))
SERVICE_INDICATION = bytes.fromhex("0106 01 AE 02056A0045".replace(" ", ""))


def with_ports(octets: bytes, destination: int, source: int = 9200, *, wide: bool = True) -> UserData:
    return UserData.of_octets(octets, Udh.build(ports=Ports(destination, source, wide)))


def with_element(tag: int, value: bytes = b"", data: UserData = TEXT) -> UserData:
    return UserData(data.alphabet, data.payload, Udh((InformationElement(tag, value),)))


@pytest.mark.parametrize(
    ("pid", "dcs", "data", "kind"),
    [
        (0x00, 0x00, TEXT, ContentKind.TEXT),
        (0x00, 0x08, UserData.of_text("привет"), ContentKind.TEXT),
        (0x00, 0x10, TEXT, ContentKind.FLASH),
        (0x00, 0x12, TEXT, ContentKind.TEXT),  # class 2, to be stored on the SIM, is still a text
        (0x00, 0x04, OCTETS, ContentKind.BINARY),
        (0x00, 0x20, OCTETS, ContentKind.BINARY),  # compressed
        (0x00, 0x04, with_ports(SERVICE_INDICATION, 2948), ContentKind.WAP_PUSH),
        (0x00, 0x04, with_ports(MMS_PUSH, 2948), ContentKind.MMS_NOTIFICATION),
        (0x00, 0xF5, with_ports(MMS_PUSH, 2948), ContentKind.MMS_NOTIFICATION),
        (0x00, 0x04, with_ports(b"BEGIN:VCARD", 9204), ContentKind.VCARD),
        (0x00, 0x04, with_ports(b"BEGIN:VCARD", 226, 226, wide=False), ContentKind.VCARD),
        (0x00, 0x04, with_ports(b"BEGIN:VCALENDAR", 9205), ContentKind.VCALENDAR),
        (0x00, 0x04, with_ports(b"\0", 5505), ContentKind.RINGTONE),
        (0x00, 0x04, with_ports(b"\0", 5506), ContentKind.PICTURE),
        (0x00, 0x04, with_ports(b"\0", 49999), ContentKind.SETTINGS),
        (0x00, 0x04, with_ports(b"\0", 12345), ContentKind.BINARY),
        (0x00, 0xC8, TEXT, ContentKind.MWI),
        (0x00, 0xD0, TEXT, ContentKind.MWI),
        (0x00, 0xE8, UserData.of_text("голос"), ContentKind.MWI),
        (0x00, 0x00, with_element(0x01, b"\x80\x03"), ContentKind.MWI),
        (0x40, 0x00, TEXT, ContentKind.SILENT),
        (0x40, 0x04, OCTETS, ContentKind.SILENT),
        (0x41, 0x00, TEXT, ContentKind.REPLACE),
        (0x47, 0x00, TEXT, ContentKind.REPLACE),
        (0x48, 0x00, TEXT, ContentKind.TEXT),
        (0x5F, 0x00, TEXT, ContentKind.RETURN_CALL),
        (0x7F, 0xF6, OCTETS, ContentKind.SIM_DATA),
        (0x00, 0xF6, with_element(0x70, data=OCTETS), ContentKind.SIM_DATA),
        (0x7D, 0x04, OCTETS, ContentKind.DEVICE_DATA),
        (0x00, 0x00, UserData(), ContentKind.TEXT),  # an empty text is a text
    ],
)
def test_kinds(pid: int, dcs: int, data: UserData, kind: ContentKind) -> None:
    assert classify(pid, Dcs(dcs), data) is kind
    tpdu = DeliverTpdu(Address.from_number("1"), Timestamp(b"\0" * 7), data, Dcs(dcs), pid)
    assert tpdu.kind is kind


@pytest.mark.parametrize(("pid", "expected"), [(0x40, None), (0x41, 1), (0x47, 7), (0x48, None), (0x00, None)])
def test_replace_types(pid: int, expected: int | None) -> None:
    assert replace_type(pid) == expected


@pytest.mark.parametrize(
    ("push", "expected"),
    [
        (MMS_PUSH, True),
        (b"\x01\x06\x81\x07\xbe\xaf\x84", True),  # header length of two octets
        (b"\x01\x06\x26application/vnd.wap.mms-message\0\xaf\x84", True),
        (SERVICE_INDICATION, False),
        (b"\x01\x07\x07\xbe\xaf", False),
        (b"", False),
        (b"\x01\x06\xff\xff", False),
        (b"\x01\x06\xff\xff\xff\xff\xff", False),
    ],
)
def test_mms_notifications(push: bytes, expected: bool) -> None:
    assert is_mms_notification(push) is expected


def test_every_identifier_and_coding_is_something() -> None:
    for pid in range(256):
        for value in range(256):
            dcs = Dcs(value)
            assert classify(pid, dcs, UserData(dcs.payload_alphabet, b"")) in ContentKind
    assert Alphabet.OCTET in Alphabet
