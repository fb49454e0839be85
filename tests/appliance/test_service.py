"""What the daemon asks of root's side: durable, one thing at a time, and nothing left of what did not come whole."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from fakes.images import BUNDLE, Image
from modembank.accounts import LOCAL_ADMIN
from modembank.appliance import Appliance
from modembank.appliance.bundle import NoRoom
from modembank.appliance.orders import TAKEN_WITHIN_S, Order, waiting_order, write_order
from modembank.appliance.service import STALE_MS
from modembank.bus import Bus
from modembank.clock import SystemClock
from modembank.config import BoxConfig
from modembank.errors import Conflict
from modembank.events import BoxChanged
from modembank.store import Store

ORDER = Order("restart", "an-id", "änn", "2026-11-20T14:05:00.000Z")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await Store.open(tmp_path / "box.db", lazy_s=0.05)
    yield store
    await store.close()


class Rig:
    """An appliance service and what it told."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.image = Image(folder / "run", folder)
        self.bus = Bus()
        self.told: list[BoxChanged] = []
        self.bus.subscribe(BoxChanged, self.told.append)
        config = BoxConfig(id="clinic", data_dir=str(folder))
        self.service = Appliance(config, store, self.bus, SystemClock(), self.image.run)

    async def uploads(self) -> None:
        upload = await self.service.upload(LOCAL_ADMIN, len(BUNDLE))
        try:
            await upload.write(BUNDLE)
            await upload.received()
            await self.service.install(LOCAL_ADMIN, upload)
        finally:
            upload.discard()


@pytest.fixture
def rig(store: Store, tmp_path: Path) -> Rig:
    return Rig(store, tmp_path)


def test_an_order_is_read_back_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    assert waiting_order(tmp_path / "box") is None
    write_order(tmp_path / "box", ORDER)
    path = tmp_path / "box" / "request.json"
    assert path.read_bytes().isascii()
    assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "box").stat().st_mode & 0o777 == 0o700
    assert waiting_order(tmp_path / "box") == ORDER


@pytest.mark.parametrize("content", ["", "{", "[]", '{"verb": 5}', '{"verb": "restart"}'])
def test_an_order_that_is_none_counts_for_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "request.json").write_text(content)
    assert waiting_order(tmp_path) is None


def test_an_order_that_nobody_takes_counts_for_nothing_after_a_while(tmp_path: Path) -> None:
    write_order(tmp_path, ORDER)
    for away_s, counts in ((TAKEN_WITHIN_S - 60, True), (TAKEN_WITHIN_S + 60, False), (-TAKEN_WITHIN_S - 60, False)):
        at = time.time() - away_s
        os.utime(tmp_path / "request.json", (at, at))
        assert (waiting_order(tmp_path) is not None) is counts


async def test_an_order_that_cannot_be_written_is_refused_with_the_reason(rig: Rig, tmp_path: Path) -> None:
    rig.image.start()
    (tmp_path / "box").write_text("in the way")
    with pytest.raises(NoRoom, match="there is no room: File exists"):
        await rig.service.restart(LOCAL_ADMIN)


async def test_one_that_nobody_took_gives_way(rig: Rig) -> None:
    rig.image.start()
    await rig.service.restart(LOCAL_ADMIN)
    with pytest.raises(Conflict, match="local has asked for a restart at"):
        await rig.service.reset(LOCAL_ADMIN, "clinic")
    long_ago = time.time() - TAKEN_WITHIN_S - 1
    os.utime(rig.image.asked_in / "request.json", (long_ago, long_ago))
    await rig.service.reset(LOCAL_ADMIN, "clinic")
    assert rig.image.takes()["verb"] == "reset"


async def test_an_update_that_is_said_to_be_under_way_for_ever_keeps_nobody_from_a_restart(rig: Rig) -> None:
    for ago_s, refused in ((STALE_MS / 1000 - 60, True), (STALE_MS / 1000 + 60, False)):
        rig.image.start(update={"state": "installing", "at": int(time.time() - ago_s)})
        with pytest.raises(Conflict) if refused else nullcontext():
            await rig.service.restart(LOCAL_ADMIN)


async def test_what_an_earlier_run_left_is_deleted(rig: Rig) -> None:
    await rig.service.clean()
    rig.image.start()
    rig.image.asked_in.mkdir()
    for name in ("upload-abc", "upload-def", "bundle.raucb"):
        (rig.image.asked_in / name).write_bytes(BUNDLE)
    await rig.service.clean()
    assert rig.image.files() == set()


async def test_a_bundle_that_is_about_to_be_installed_is_kept(rig: Rig) -> None:
    rig.image.start()
    await rig.uploads()
    await rig.service.clean()
    assert rig.image.files() == {"bundle.raucb", "request.json"}
    rig.image.takes()
    for state in ("checking", "installing", "trial"):
        rig.image.says("update", {"state": state})
        await rig.service.clean()
        assert rig.image.files() == {"bundle.raucb"}
    rig.image.says("update", {"state": "refused", "reason": "it is not signed"})
    await rig.service.clean()
    assert rig.image.files() == set()


async def test_an_upload_that_is_discarded_makes_room_for_the_next(rig: Rig) -> None:
    rig.image.start()
    upload = await rig.service.upload(LOCAL_ADMIN, None)
    with pytest.raises(Conflict, match="local has been uploading"):
        await rig.service.upload(LOCAL_ADMIN, None)
    await upload.write(BUNDLE * 1_000)
    assert len(rig.image.files()) == 1
    upload.discard()
    upload.discard()
    assert rig.image.files() == set()
    await rig.uploads()


async def test_each_change_is_told_once(rig: Rig) -> None:
    await rig.service.look()
    rig.image.start()
    before = len(rig.told)
    await rig.service.look()
    assert len(rig.told) == before + 1
    await rig.service.look()
    assert len(rig.told) == before + 1
    rig.image.says("update", {"state": "checking"})
    await rig.service.look()
    assert len(rig.told) == before + 2
