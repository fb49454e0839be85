"""How much an import writes at once: much when it is alone, little as soon as somebody else waits."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.web_boxes import Box, make_box
from modembank.accounts import LOCAL_ADMIN
from modembank.events import BatchGrown
from modembank.mailings import importing
from modembank.mailings.importing import Loaded
from modembank.mailings.requests import MailingRequest
from modembank.store import Store

PEOPLE = "name,phone\n" + "".join(f"N{at},+4479009{at:05d}\n" for at in range(400))


async def imported(box: Box) -> list[Loaded]:
    """Import the people, ten in a piece; return what the writes did."""
    writes, pieces = [], box.mailings._importing._pieces

    def noted(*arguments, **options) -> Loaded:
        writes.append(pieces(*arguments, **options))
        return writes[-1]

    box.mailings._importing._pieces = noted  # type: ignore[method-assign]
    upload = box.mailings.upload(LOCAL_ADMIN, "people.csv")
    await upload.write(PEOPLE.encode())
    request = MailingRequest(template="Dear {name}", hold=True)
    view, _ = await box.mailings.create(LOCAL_ADMIN, await upload.received(), request)
    mailing = next(one for one in await box.store.read(importing.rows.open_ones) if one.public_id == view.id)
    await box.mailings._importing.carry_on(mailing)
    view = await box.mailings.get(LOCAL_ADMIN, view.id)
    assert (view.progress.phase, view.progress.accepted) == ("done", 400)
    return writes


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "PIECE", 10)


async def test_an_import_that_is_alone_writes_more_and_more_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "LONG_S", 60.0)
    monkeypatch.setattr(Store, "wanted", False)
    box = await make_box(tmp_path)
    grown: list[BatchGrown] = []
    box.bus.subscribe(BatchGrown, grown.append)
    writes = await imported(box)
    await box.store.close()
    assert [write.pieces for write in writes] == [1, 2, 4, 8, 16, 9]
    assert [event.count for event in grown] == [10] * 40
    first = grown[0].first
    assert [event.first for event in grown] == list(range(first, first + 400, 10))


async def test_a_slow_disk_keeps_writes_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "LONG_S", 0.0)
    monkeypatch.setattr(Store, "wanted", False)
    box = await make_box(tmp_path)
    writes = await imported(box)
    await box.store.close()
    assert {write.pieces for write in writes} == {1}


async def test_as_soon_as_somebody_waits_the_write_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "LONG_S", 60.0)
    asked = iter([False, False, False, True])  # in the third write, of four pieces
    monkeypatch.setattr(Store, "wanted", property(lambda _: next(asked, False)))
    box = await make_box(tmp_path)
    writes = await imported(box)
    await box.store.close()
    assert [write.pieces for write in writes] == [1, 2, 1, 1, 2, 4, 8, 16, 5]
    assert [write.wanted for write in writes] == [False, False, True, *[False] * 6]
