"""Hypothesis strategies for values of `modembank.tpdu`."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import strategies as st

from modembank.tpdu import (
    SINGLE_TABLES,
    Address,
    Alphabet,
    Concat,
    Dcs,
    DeliverTpdu,
    InformationElement,
    Language,
    NumberingPlan,
    Ports,
    ReportStatus,
    StatusReportTpdu,
    SubmitTpdu,
    Timestamp,
    TypeOfNumber,
    Udh,
    UserData,
    Validity,
    ValidityFormat,
)
from modembank.tpdu.tables import LOCKING_TABLES

BASIC = "".join(char for char in LOCKING_TABLES[Language.DEFAULT] if char != "\x1b")
EXTENSION = "".join(SINGLE_TABLES[Language.DEFAULT].values())

gsm_text = st.text(st.sampled_from(BASIC + EXTENSION), max_size=400)
any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
mixed_text = st.one_of(gsm_text, any_text, st.text(st.sampled_from("ab€😀👩🏽‍🚀é\u0301🇬🇧न\u093f"), max_size=300))
octet = st.integers(0, 255)
languages = st.sampled_from(Language)

zones = st.integers(-48, 56).map(lambda quarters: timezone(timedelta(minutes=15 * quarters)) if quarters else UTC)
moments = st.datetimes(datetime(1990, 1, 2), datetime(2089, 12, 30), timezones=zones).map(  # noqa: DTZ001
    lambda moment: moment.replace(microsecond=0)
)
timestamps = st.one_of(moments.map(Timestamp.of), st.binary(min_size=7, max_size=7).map(Timestamp))

numbers = st.builds(
    Address,
    st.text(st.sampled_from("0123456789*#abc"), max_size=20),
    st.sampled_from([kind for kind in TypeOfNumber if kind is not TypeOfNumber.ALPHANUMERIC]),
    st.sampled_from(NumberingPlan),
)
# A name of eight septets that ends in "@" cannot be told from one of seven sent with a padded length.
names = st.text(st.sampled_from("".join(char for char in BASIC[1:] if char not in "\r\n")), min_size=1, max_size=11)
addresses = st.one_of(
    numbers, st.builds(Address, names, st.just(TypeOfNumber.ALPHANUMERIC), st.sampled_from(NumberingPlan))
)

concats = st.builds(
    lambda reference, total, position, wide: Concat(
        reference if wide else reference & 0xFF, total, 1 + position % total, wide
    ),
    st.integers(0, 0xFFFF),
    st.integers(1, 255),
    st.integers(0, 254),
    st.booleans(),
)
ports = st.builds(
    lambda one, two, wide: Ports(one if wide else one & 0xFF, two if wide else two & 0xFF, wide),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFF),
    st.booleans(),
)
elements = st.builds(InformationElement, octet, st.binary(max_size=20))
headers = st.one_of(
    st.none(),
    st.builds(Udh, st.lists(elements, max_size=4).map(tuple)),
    st.builds(
        lambda concat, ports, locking, single: Udh.build(concat=concat, ports=ports, locking=locking, single=single),
        concats,
        st.one_of(st.none(), ports),
        languages,
        languages,
    ),
)


@st.composite
def user_data(draw: st.DrawFn, alphabet: Alphabet) -> UserData:
    udh = draw(headers)
    room = 140 - (udh.size if udh else 0)
    if alphabet is Alphabet.GSM7:
        return UserData(alphabet, draw(st.binary(max_size=room * 8 // 7).map(_as_septets)), udh)
    payload = draw(st.binary(max_size=room))
    return UserData(alphabet, payload[: len(payload) // 2 * 2] if alphabet is Alphabet.UCS2 else payload, udh)


def _as_septets(octets: bytes) -> bytes:
    return bytes(value & 0x7F for value in octets)


@st.composite
def coded(draw: st.DrawFn) -> tuple[Dcs, UserData]:
    dcs = Dcs(draw(octet))
    return dcs, draw(user_data(dcs.payload_alphabet))


validities = st.one_of(
    st.none(),
    octet.map(Validity.relative),
    moments.map(Validity.until),
    st.binary(min_size=7, max_size=7).map(lambda octets: Validity(ValidityFormat.ENHANCED, octets)),
)

submits = st.builds(
    lambda destination, coding, validity, flags, reference, pid: SubmitTpdu(
        destination, coding[1], coding[0], validity, *flags, reference=reference, pid=pid
    ),
    addresses,
    coded(),
    validities,
    st.tuples(st.booleans(), st.booleans(), st.booleans()),
    octet,
    octet,
)
delivers = st.builds(
    lambda originator, timestamp, coding, pid, flags: DeliverTpdu(
        originator, timestamp, coding[1], coding[0], pid, *flags
    ),
    addresses,
    timestamps,
    coded(),
    octet,
    st.tuples(st.booleans(), st.booleans(), st.booleans(), st.booleans()),
)


@st.composite
def status_reports(draw: st.DrawFn) -> StatusReportTpdu:
    dcs, data = draw(coded())
    has_data = draw(st.booleans())
    has_dcs = has_data or draw(st.booleans())
    return StatusReportTpdu(
        reference=draw(octet),
        recipient=draw(addresses),
        timestamp=draw(timestamps),
        discharge=draw(timestamps),
        status=ReportStatus(draw(octet)),
        more_messages=draw(st.booleans()),
        loop_prevention=draw(st.booleans()),
        for_command=draw(st.booleans()),
        pid=draw(st.one_of(st.none(), octet)),
        dcs=dcs if has_dcs else None,
        user_data=data if has_data else None,
    )
