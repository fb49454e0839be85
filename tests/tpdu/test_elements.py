import pytest
from hypothesis import given
from hypothesis import strategies as st

from modembank.tpdu import Concat, InformationElement, Language, Ports, Udh, UnencodableTpdu
from tpdu.strategies import concats, ports


def header(octets: str) -> Udh:
    raw = bytes.fromhex(octets)
    assert raw[0] == len(raw) - 1
    return Udh.decode(raw[1:])


@pytest.mark.parametrize(
    ("octets", "concat"),
    [
        ("05 0003 2A0301", Concat(0x2A, 3, 1)),
        ("06 0804 BEEF0302", Concat(0xBEEF, 3, 2, wide=True)),
        ("05 0003 00FFFF", Concat(0, 255, 255)),
        ("05 0003 2A0300", None),  # sequence 0
        ("05 0003 2A0304", None),  # sequence above the total
        ("05 0003 2A0000", None),
        ("04 0002 2A03", None),  # wrong length
        ("05 0803 2A0301", None),
        ("0A 0003 010201 0003 020202", Concat(2, 2, 2)),  # the last one counts
        ("0B 0003 010201 0804 00020301", Concat(2, 3, 1, wide=True)),
    ],
)
def test_concatenation(octets: str, concat: Concat | None) -> None:
    assert header(octets).concat == concat


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        ("06 0504 0B8423F0", Ports(2948, 0x23F0)),
        ("04 0402 E2E4", Ports(226, 228, wide=False)),
        ("05 0503 0B8423", None),
    ],
)
def test_ports(octets: str, expected: Ports | None) -> None:
    assert header(octets).ports == expected


def test_languages() -> None:
    udh = header("06 240101 25010D")
    assert (udh.single, udh.locking) == (Language.TURKISH, Language.URDU)
    assert header("03 24010E").single is Language.DEFAULT  # reserved
    assert header("04 25020101").locking is Language.DEFAULT  # wrong length
    assert header("00").single is Language.DEFAULT


def test_unknown_elements_are_kept() -> None:
    udh = header("09 0A03190620 7000 4200")
    assert [element.tag for element in udh.elements] == [0x0A, 0x70, 0x42]
    assert udh.find(0x0A) == [bytes.fromhex("190620")]
    assert udh.encode() == bytes.fromhex("09 0A03190620 7000 4200")


@pytest.mark.parametrize(
    ("octets", "rest"), [("04 0003 2A03", "00032A03"), ("06 0003 010201 70", "70"), ("01 00", "00")]
)
def test_an_element_past_the_end_stays_raw(octets: str, rest: str) -> None:
    udh = header(octets)
    assert udh.remainder == bytes.fromhex(rest)
    assert udh.encode() == bytes.fromhex(octets)
    assert udh.size == len(udh.encode())


def test_building() -> None:
    assert Udh.build() is None
    udh = Udh.build(concat=Concat(7, 2, 1), ports=Ports(2948, 9200), single=Language.HINDI, locking=Language.TAMIL)
    assert udh is not None
    assert udh.encode() == bytes.fromhex("11 0003070201 05040B8423F0 240106 25010B")


@pytest.mark.parametrize(
    "value",
    [Concat(256, 2, 1), Concat(-1, 2, 1), Concat(0x10000, 2, 1, wide=True), Concat(1, 256, 1), Concat(1, 2, 0),
     Concat(1, 2, 3), Ports(65536, 1), Ports(1, 256, wide=False)],
)  # fmt: skip
def test_values_out_of_range(value: Concat | Ports) -> None:
    with pytest.raises(UnencodableTpdu):
        value.element()


def test_a_header_must_fit() -> None:
    with pytest.raises(UnencodableTpdu):
        Udh((InformationElement(0x70, bytes(138)),)).encode()
    with pytest.raises(UnencodableTpdu):
        Udh((InformationElement(0x70, bytes(256)),)).encode()
    assert len(Udh((InformationElement(0x70, bytes(137)),)).encode()) == 140


@given(concats, ports)
def test_round_trip(concat: Concat, port: Ports) -> None:
    udh = Udh.build(concat=concat, ports=port)
    assert udh is not None
    encoded = udh.encode()
    again = Udh.decode(encoded[1:])
    assert (again.concat, again.ports) == (concat, port)
    assert udh.size == len(encoded)


@given(st.binary(max_size=139))
def test_any_header_survives_as_it_is(body: bytes) -> None:
    udh = Udh.decode(body)
    assert udh.encode() == bytes((len(body),)) + body
    assert udh.concat is None or 1 <= udh.concat.sequence <= udh.concat.total
    assert udh.ports is None or udh.ports.destination >= 0
    assert udh.locking in Language
    assert udh.single in Language
