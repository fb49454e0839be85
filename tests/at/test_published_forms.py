"""Answers of real modems that other projects published in their tests: what our parsers and the engine make of them.

Sources: ModemManager src/tests/test-modem-helpers.c, gammu tests/at-*, python-gsmmodem test/fakemodems.py.
"""

import pytest

from modembank.at import (
    AtEngine,
    Final,
    OperatorReport,
    RegistrationReport,
    UrcReceived,
    parse_cops,
    parse_cpms,
    parse_cpms_choice,
    parse_registration,
    query,
)

Home, Roaming = 1, 5

# (answer to a query, stat, area, cell, access technology)
SOLICITED = [
    # ModemManager: the device named in its test
    ("+CREG: 1,3", 3, None, None, None),
    ("+CREG: 1,1,84CD,00D30173", 1, 0x84CD, 0xD30173, None),  # Sierra Mercury
    ('+CREG: 2,1,"CE00","01CEAD8F"', 1, 0xCE00, 0x1CEAD8F, None),  # Sony Ericsson K850i
    ("+CREG: 2,0,00,0", 0, 0, 0, None),  # Huawei E160G
    ("+CREG: 2,1,8BE3,2BAF", 1, 0x8BE3, 0x2BAF, None),
    ('+CREG:002,001,"18d8","ffff"', 1, 0x18D8, 0xFFFF, None),  # Iridium
    ("+CREG:2,1,0001,0010", 1, 1, 0x10, None),
    ('+CREG:002,001,"0001","0010"', 1, 1, 0x10, None),
    ('+CREG: 2,6,"8B37","0A265185",7', 6, 0x8B37, 0xA265185, 7),  # u-blox Toby-L2
    ('+CGREG: 2,1,"8BE3","00002B5D",3', 1, 0x8BE3, 0x2B5D, 3),  # Ericsson F3607gw
    ("+CREG: 2,1,  0 5, 2715", 1, None, 0x2715, None),  # Qualcomm Gobi 1000
    ("+CGREG:2,10,ebbd,f025", 10, 0xEBBD, 0xF025, None),
    ("+CEREG: 2,1, 1F00, 79D903 ,7", 1, 0x1F00, 0x79D903, 7),
    ('+CEREG: 2,10,"8d83","671f98a",7', 10, 0x8D83, 0x671F98A, 7),
    ("+CEREG: 2,1, 1F00, 20 ,79D903 ,7", 1, 0x1F00, 0x79D903, 7),  # Novatel E362: the routing area comes between
    ("+CEREG: 2,10, 2CA8, 20 ,B5583D ,7", 10, 0x2CA8, 0xB5583D, 7),
    ("+CEREG: 1, 2, 0001, 00000100, 7", 2, 1, 0x100, 7),  # Altair
    ('+CGREG: 2, 1, "0426", "F00F"', 1, 0x426, 0xF00F, None),  # Thuraya
    ("+C5GREG: 1, 10", 10, None, None, None),
    ("+C5GREG: 2,1,1F00,79D903,11,6,ABCDEF", 1, 0x1F00, 0x79D903, 11),
    # gammu at-creg and at-creg-corner
    ('+CREG: 2,5,"2AF5","0B88E350",2', 5, 0x2AF5, 0xB88E350, 2),  # Sierra 312U
    ('+CREG: 0,1,"5E25","605F",2', 1, 0x5E25, 0x605F, 2),  # Telit
    ('+CREG: 2,1,"","605F"', 1, None, 0x605F, None),
]
# Damaged, but registered all the same: gammu at-creg-corner
DAMAGED = ['+CREG: 2,1,"5E25', '+CREG: 2,1,"0B,"0100701",7']

UNSOLICITED = [
    ("+CREG: 3", 3, None, None, None),
    ("+CREG: 11", 11, None, None, None),
    ("+CREG: 1,84CD,00D30156", 1, 0x84CD, 0xD30156, None),
    ('+CREG: 11,"33FE","a3fb477"', 11, 0x33FE, 0xA3FB477, None),
    ('+CREG: 1,"CE00","00005449"', 1, 0xCE00, 0x5449, None),
    ("+CREG: 1,8BE3,2BAF", 1, 0x8BE3, 0x2BAF, None),
    ("+CREG: 2,,", 2, None, None, None),  # Novatel XU870
    ("+CREG: 1,0001,0010,0", 1, 1, 0x10, 0),
    ('+CREG: 001,"0001","0010",000', 1, 1, 0x10, 0),
    ("+CREG: 10,0001,0010,0", 10, 1, 0x10, 0),
    ('+CREG: 0011,"0001","0010",000', 11, 1, 0x10, 0),
    ('+CREG: 6,"8B37","0A265185",7', 6, 0x8B37, 0xA265185, 7),
    ('+CGREG: 5,"0502","0404736D",2', 5, 0x502, 0x404736D, 2),
    ('+CGREG: 1,"1422","00000142",3,"00"', 1, 0x1422, 0x142, 3),
    ("+CEREG: 1, 1F00, 79D903 ,7", 1, 0x1F00, 0x79D903, 7),
    ("+CEREG: 2, 0001, 00000100, 7", 2, 1, 0x100, 7),
    ("+CEREG: 1, 1F00, 20 ,79D903 ,7", 1, 0x1F00, 0x79D903, 7),
    ("+CEREG: 11, 78FE, 20 ,14419E ,7", 11, 0x78FE, 0x14419E, 7),
    ("+C5GREG: 1,1F00,79D903,11,6,ABCDEF", 1, 0x1F00, 0x79D903, 11),
]


def fields(report: RegistrationReport | None) -> tuple[int, int | None, int | None, int | None]:
    assert report is not None
    return report.stat, report.area, report.cell, report.act


@pytest.mark.parametrize(("line", "stat", "area", "cell", "act"), SOLICITED, ids=[row[0] for row in SOLICITED])
def test_a_registration_asked_for(line: str, stat: int, area: int | None, cell: int | None, act: int | None) -> None:
    report = parse_registration(line)
    assert fields(report) == (stat, area, cell, act)
    assert report is not None
    assert report.mode is not None
    assert answered(line) == (line.strip(),)


@pytest.mark.parametrize("line", DAMAGED)
def test_a_damaged_registration_still_says_its_state(line: str) -> None:
    report = parse_registration(line)
    assert report is not None
    assert (report.mode, report.stat) == (2, 1)
    assert answered(line) == (line,)


@pytest.mark.parametrize(("line", "stat", "area", "cell", "act"), UNSOLICITED, ids=[row[0] for row in UNSOLICITED])
def test_a_registration_that_comes_by_itself(
    line: str, stat: int, area: int | None, cell: int | None, act: int | None
) -> None:
    report = parse_registration(line)
    assert fields(report) == (stat, area, cell, act)
    assert report is not None
    assert report.mode is None
    assert answered(line) == ()


def answered(line: str) -> tuple[str, ...]:
    """The lines the engine gives to the query of that name when this line comes in between."""
    engine = AtEngine()
    engine.send(query(line.partition(":")[0]))
    *others, final = engine.feed(f"\r\n{line}\r\n\r\nOK\r\n".encode())
    assert isinstance(final, Final)
    assert len(final.result.lines) + sum(isinstance(other, UrcReceived) for other in others) == 1
    return final.result.lines


@pytest.mark.parametrize(
    ("line", "report"),
    [
        ('+COPS: 1,0,"CHINA MOBILE"', OperatorReport(1, "CHINA MOBILE", False, None)),
        ('+COPS: 1,0,"CHINA MOBILE",7', OperatorReport(1, "CHINA MOBILE", False, 7)),
        ('+COPS: 1,2,"46000"', OperatorReport(1, "46000", True, None)),
        ('+COPS: 1,2,"46000",7', OperatorReport(1, "46000", True, 7)),
        # the character set is UCS2: ModemManager's operator normalisation
        ('+COPS: 0,0,"0056006500720069007A006F006E"', OperatorReport(0, "Verizon", False, None)),
        ('+COPS: 0,2,"003300310031003400380030",7', OperatorReport(0, "311480", True, 7)),
    ],
)
def test_operators(line: str, report: OperatorReport) -> None:
    assert parse_cops(line) == report


PHONE = ("SM", "ME", "SM_P", "ME_P", "MT")


@pytest.mark.parametrize(
    ("line", "choice"),
    [
        ('+CPMS: ("SM","ME"),("SM","ME"),("SM","ME")', (("SM", "ME"),) * 3),  # Brovi E3372-325
        (
            "+CPMS: " + ", ".join(['("SM", "ME", "SM_P", "ME_P", "MT")'] * 3),
            (PHONE,) * 3,
        ),  # Alcatel S320
        ('+CPMS: "SM","SM","SM"', (("SM",),) * 3),  # iWow
        ('+CPMS: (("SM","BM","SR"),("SM"))', (("SM", "BM", "SR"), ("SM",), ())),  # Wavecom Multiband 900E 1800
        ('+CPMS: (("SM", "SR"),"SM")', (("SM", "SR"), ("SM",), ())),
        ('+CPMS: ("ME","MT"),"ME",("SM")', (("ME", "MT"), ("ME",), ("SM",))),
    ],
)
def test_memories_on_offer(line: str, choice: tuple[tuple[str, ...], ...]) -> None:
    found = parse_cpms_choice(line)
    assert found is not None
    assert (found.read, found.write, found.receive) == choice


def test_memories_that_are_none() -> None:
    assert parse_cpms_choice("+CPMS: ") is None  # Samsung J700
    assert [(use.used, use.total) for use in parse_cpms("+CPMS: 14,50,14,50")] == [(14, 50)] * 2  # Wavecom
