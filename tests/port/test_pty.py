"""Ports on real ptys: octets both ways, floods, peers that do not read, unplugging, closing."""

import asyncio
import logging
import tracemalloc
from pathlib import Path

import pytest

from modembank.port import PortConfig, PortError, PortFailure, open_port


async def test_every_octet_passes_both_ways(wire, ear) -> None:
    port = await open_port(wire.config, on_data=ear.on_data, on_lost=ear.on_lost)
    every = bytes(range(256)) * 4
    port.write(every)
    assert await wire.read(len(every)) == every
    await wire.write(every)
    await ear.until(lambda: len(ear.data) == len(every))
    assert bytes(ear.data) == every
    assert port.config.label == "slot-01"
    port.close()
    await port.wait_closed()


async def test_writes_keep_their_order_without_waiting(wire, ear) -> None:
    port = await open_port(wire.config, on_data=ear.on_data, on_lost=ear.on_lost)
    for number in range(100):
        port.write(b"AT+CMGR=%d\r" % number)
    expected = b"".join(b"AT+CMGR=%d\r" % number for number in range(100))
    assert await wire.read(len(expected)) == expected
    await port.drain(5)
    assert not port.write_stuck
    port.close()
    await port.wait_closed()


async def test_a_flood_passes_and_nothing_is_kept(wire, ear) -> None:
    total = 0

    def count(data: bytes) -> None:
        nonlocal total
        total += len(data)
        ear.changed.set()

    port = await open_port(wire.config, on_data=count, on_lost=ear.on_lost)
    flood = b"^RSSI: 7\r\n" * 6554
    await wire.write(flood)
    await ear.until(lambda: total == len(flood))
    tracemalloc.start()
    for _ in range(8):
        await wire.write(flood)
    await ear.until(lambda: total == 9 * len(flood))
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 200_000
    port.close()
    await port.wait_closed()


async def test_a_peer_that_stops_reading_is_reported_and_not_waited_on(wire, ear, jam) -> None:
    port = await open_port(wire.config, on_data=ear.on_data, on_lost=ear.on_lost)
    written = await jam(port)
    assert written < 1000 * 1024
    with pytest.raises(PortError) as stuck:
        port.write(b"0123456789abcdef" * 64)
    assert stuck.value.failure is PortFailure.STUCK
    assert port.write_stuck
    with pytest.raises(PortError) as late:
        await port.drain(0.05)
    assert late.value.failure is PortFailure.STUCK
    assert not port.closed
    # It reads again: what was kept goes out, in order and complete.
    reading = asyncio.create_task(wire.read(written))
    await port.drain(20)
    assert await reading == b"0123456789abcdef" * (written // 16)
    assert not port.write_stuck
    port.close()
    await port.wait_closed()


async def test_closing_a_stuck_port_takes_no_time(wire, ear, jam) -> None:
    port = await open_port(wire.config, on_data=ear.on_data, on_lost=ear.on_lost)
    await jam(port)
    waiting = asyncio.create_task(port.drain(60))
    await asyncio.sleep(0)
    port.close()
    await port.wait_closed()
    with pytest.raises(PortError) as closed:
        await waiting
    assert closed.value.failure is PortFailure.CLOSED
    assert ear.losses == [None]


async def test_unplugging_is_told_once_with_its_cause(wire, ear) -> None:
    port = await open_port(wire.config, on_data=ear.on_data, on_lost=ear.on_lost)
    wire.unplug()
    await ear.until(lambda: bool(ear.losses))
    (loss,) = ear.losses
    assert loss is not None
    assert loss.failure is PortFailure.GONE
    assert loss.path == wire.path
    assert port.closed
    with pytest.raises(PortError) as gone:
        port.write(b"AT\r")
    assert gone.value.failure is PortFailure.GONE
    with pytest.raises(PortError):
        await port.drain(1)
    port.close()
    await port.wait_closed()
    assert ear.losses == [loss]


async def test_unplugging_wakes_one_who_drains(wire, ear, jam) -> None:
    port = await open_port(wire.config, on_data=ear.on_data, on_lost=ear.on_lost)
    await jam(port)
    waiting = asyncio.create_task(port.drain(60))
    await asyncio.sleep(0)
    wire.unplug()
    with pytest.raises(PortError) as gone:
        await waiting
    assert gone.value.failure is PortFailure.GONE


async def test_closing_is_idempotent_and_told_as_ours(wire, ear) -> None:
    port = await open_port(wire.config, on_data=ear.on_data, on_lost=ear.on_lost)
    port.close()
    port.close()
    await wire.write(b"RING\r\n")
    await port.wait_closed()
    assert ear.losses == [None]
    assert not ear.data
    assert port.closed
    with pytest.raises(PortError) as closed:
        port.write(b"AT\r")
    assert closed.value.failure is PortFailure.CLOSED


async def test_a_closed_path_can_be_opened_again_at_once_and_leaks_nothing(wire, ear) -> None:
    descriptors = None
    for _ in range(10):
        port = await open_port(wire.config, on_data=ear.on_data, on_lost=ear.on_lost)
        port.close()
        await port.wait_closed()
        count = sum(1 for _ in Path("/proc/self/fd").iterdir())
        assert descriptors in (None, count)
        descriptors = count
    assert ear.losses == [None] * 10


async def test_nothing_that_passes_reaches_a_log(wire, ear, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    port = await open_port(wire.config, on_data=ear.on_data, on_lost=ear.on_lost)
    port.write(b"SECRET-OUT\r")
    await wire.read(11)
    await wire.write(b"SECRET-IN\r")
    await ear.until(lambda: len(ear.data) == 10)
    port.close()
    await port.wait_closed()
    assert "SECRET" not in caplog.text


async def test_a_speed_the_hardware_lacks_by_name(wire, ear) -> None:
    port = await open_port(PortConfig(wire.path, baudrate=460800), on_data=ear.on_data, on_lost=ear.on_lost)
    port.close()
    await port.wait_closed()
