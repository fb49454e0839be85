"""Whatever comes is kept: always a ledger row, and either a message, a part, a report, or a row in quarantine."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.inbounds import InboundBox, deliver, long_message, report, sent
from modembank.accounts.model import LOCAL_ADMIN
from modembank.messages.inbound_content import Unreadable, read_pdu
from modembank.messages.inbound_rows import QUARANTINE_ROWS
from modembank.messages.reassembly import SHOW_AFTER_MS
from modembank.modem.inbound import RawInbound, Via
from modembank.tpdu import Dcs, MalformedTpdu, Ports, Udh, decode_pdu

VECTORS = [
    line.split("\t")[3]
    for line in (Path(__file__).parents[2] / "vectors" / "tpdu.tsv").read_text().splitlines()
    if line.strip() and not line.startswith("#")
]
VALID = [
    deliver("hello"),
    deliver("ünïcödé 🎉"),
    deliver(b"\x00\x01", udh=Udh.build(ports=Ports(2948, 9200))),
    deliver("now", dcs=Dcs(0x10), sender="Example"),
    report(),
    sent(),
    *long_message("a long message in parts", 0),
    *long_message("a long message in parts", 700, wide=True),
    *VECTORS,
]


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One box for all examples of a property: it must bear them all."""
    with asyncio.Runner() as runner:
        box = runner.run(InboundBox(tmp_path_factory.mktemp("hostile") / "hostile.db").open())
        yield runner, box
        runner.run(box.close())


async def census(box: InboundBox) -> dict[str, int]:
    await box.outbox.flush()
    tables = "inbound_pdus", "inbox", "inbound_parts", "quarantine", "orphan_reports"
    return {table: await box.count(table) for table in tables}


async def take(box: InboundBox, raw: RawInbound) -> None:
    before = await census(box)
    ledger_id = await box.receiving.store(raw)
    after = await census(box)
    assert after["inbound_pdus"] - before["inbound_pdus"] in (0, 1)
    if after["inbound_pdus"] == before["inbound_pdus"]:
        assert raw.via is Via.DIRECT  # a resend
        return
    assert await box.real_store.fetch_one("SELECT 1 FROM inbound_pdus WHERE id = ?", (ledger_id,)) == (1,)
    grown = {table for table in after if after[table] > before[table]} - {"inbound_pdus"}
    if is_submit(raw.pdu) and raw.via is Via.STORED:
        assert grown == set()
    elif what_is(raw.pdu) == "StatusReportTpdu":  # kept, or kept before: an equal report says nothing more
        kept = "SELECT count(*) FROM orphan_reports WHERE pdu = ? AND sim_id = ?"
        assert await box.real_store.fetch_one(kept, (raw.pdu, raw.sim_id)) == (1,)
    elif not grown:  # a duplicate of a part, or the last one of a message shown before
        assert "part" in what_is(raw.pdu)
    elif raw.via is Via.DIRECT and is_submit(raw.pdu):
        assert grown == {"quarantine"}
    else:
        assert grown <= {"inbox", "inbound_parts"} or len(grown) == 1


def what_is(pdu: str) -> str:
    try:
        tpdu = decode_pdu(pdu).tpdu
    except MalformedTpdu:
        return "unreadable"
    concat = getattr(getattr(tpdu, "user_data", None), "concat", None)
    return "part" if concat is not None else type(tpdu).__name__


def is_submit(pdu: str) -> bool:
    try:
        decode_pdu(pdu, direction="outbound")
    except MalformedTpdu:
        return False
    return what_is(pdu) == "unreadable"


def arrived(runner, box, pdu: str, direct: bool) -> None:
    box.clock.turn(1)
    runner.run(take(box, box.direct(pdu) if direct else box.raw(pdu)))


@given(octets=st.binary(max_size=200), direct=st.booleans())
@settings(deadline=None)
def test_random_octets(shared, octets, direct):
    arrived(*shared, octets.hex(), direct)


@given(text=st.text(max_size=60), direct=st.booleans())
@settings(deadline=None)
def test_random_characters(shared, text, direct):
    arrived(*shared, text, direct)


@given(data=st.data(), pdu=st.sampled_from(VALID), direct=st.booleans())
@settings(deadline=None, max_examples=200)
def test_flipped_bits(shared, data, pdu, direct):
    octets = bytearray.fromhex(pdu)
    for _ in range(data.draw(st.integers(1, 4))):
        bit = data.draw(st.integers(0, 8 * len(octets) - 1))
        octets[bit // 8] ^= 1 << bit % 8
    arrived(*shared, octets.hex(), direct)


@given(pdu=st.sampled_from(VALID), end=st.integers(0, 400), direct=st.booleans())
@settings(deadline=None)
def test_cut_short(shared, pdu, end, direct):
    arrived(*shared, pdu[:end], direct)


@given(
    header=st.binary(max_size=20),
    length=st.integers(0, 255),
    body=st.binary(max_size=140),
    pid=st.integers(0, 255),
    dcs=st.integers(0, 255),
)
@settings(deadline=None, max_examples=200)
def test_headers_that_lie(shared, header, length, body, pid, dcs):
    """A valid address and time, and everything behind them at odds with itself."""
    stamp = "62112151700300"
    user_data = bytes((len(header),)) + header + body
    arrived(*shared, f"00440B911346610089F6{pid:02X}{dcs:02X}{stamp}{length:02X}{user_data.hex()}", False)


@given(st.text(max_size=100))
def test_reading_never_raises(text):
    assert read_pdu(text) is not None


def test_a_reason_holds_nothing_of_the_content():
    found = read_pdu("0004zz1234567890")
    assert isinstance(found, Unreadable)
    assert "zz" not in found.reason


def test_after_all_that_the_sweep_works_and_the_inbox_can_be_read(shared):
    runner, box = shared
    box.clock.turn(SHOW_AFTER_MS)
    while runner.run(box.receiving.sweep()):
        pass
    cursor, seen = None, 0
    while True:
        page = runner.run(box.inbox.list(LOCAL_ADMIN, cursor=cursor, limit=200))
        seen += len(page.items)
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == runner.run(box.count("inbox"))
    runner.run(box.real_store.flush())
    assert runner.run(box.real_store.fetch_one("SELECT count(*) FROM inbound_groups WHERE inbox_id IS NULL")) == (0,)
    # Everything that is shown was counted once.
    kinds = dict(runner.run(box.real_store.fetch_all("SELECT kind, count(*) FROM inbox GROUP BY kind")))
    assert {kind: box.counted(kind) for kind in kinds} == kinds


async def test_a_flood_of_noise_is_bounded(box):
    for number in range(QUARANTINE_ROWS + 20):
        await box.receiving.store(box.direct(f"{number:04X}"))
    assert await box.count("quarantine") == QUARANTINE_ROWS
    assert (await box.real_store.fetch_one("SELECT raw FROM quarantine ORDER BY id LIMIT 1")) == ("0014",)
