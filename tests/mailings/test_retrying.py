"""What failed of a mailing is sent again, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.web_boxes import Box, make_box
from modembank.accounts import LOCAL_ADMIN
from modembank.errors import Conflict
from modembank.ids import row_id
from modembank.mailings import retrying
from modembank.mailings.requests import MailingRequest
from modembank.messages import batches
from modembank.messages.model import Expire, Fail, Hold
from modembank.messages.outbox import decisions

PEOPLE = b"name,phone\n" + b"".join(b"N%d,+4479009%05d\n" % (at, at) for at in range(8))


async def until(box: Box, mailing: str, status: str) -> None:
    while (await box.mailings.get(LOCAL_ADMIN, mailing)).status != status:
        box.mailings._running.wake()
        await box.store.flush()


@pytest.fixture
async def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("modembank.mailings.running.LOOK_S", 0.0)
    box = await make_box(tmp_path)
    await box.mailings.start()
    yield box
    await box.mailings.stop()
    await box.store.close()


async def test_what_failed_is_sent_again_once(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "STEP", 2)
    upload = box.mailings.upload(LOCAL_ADMIN, "x.csv")
    await upload.write(PEOPLE)
    view, _ = await box.mailings.create(LOCAL_ADMIN, await upload.received(), MailingRequest(template="Hi {name}"))
    await until(box, view.id, "sending")
    with pytest.raises(Conflict, match="it is sending: what failed is sent again once it is finished"):
        await box.mailings.retry_failed(LOCAL_ADMIN, view.id)
    messages = [row[0] for row in await box.store.fetch_all("SELECT id FROM messages ORDER BY id")]
    ends = [Fail("x: y"), Fail("x: y"), Expire(), Expire(), Fail("x: y"), Hold("x: y"), Fail("x: y"), Fail("x: y")]
    for message, end in zip(messages, ends, strict=True):
        await box.store.write(lambda conn, m=message, e=end: decisions.decide(conn, m, e, 1))
    await box.store.write(
        lambda conn: conn.execute(
            "INSERT INTO opt_outs (number, state, changed_at, source) VALUES ('+447900900007', 1, 1, 'api')"
        )
    )
    await until(box, view.id, "finished")
    again = await box.mailings.retry_failed(LOCAL_ADMIN, view.id)
    assert again.status == "sending"
    assert (again.messages["queued"], again.messages["failed"], again.messages["unknown"]) == (6, 5, 1)
    fresh = await box.store.fetch_all("SELECT recipient, text FROM messages WHERE state = 30 ORDER BY id")
    assert fresh == [(f"+447900900{at:03d}", f"Hi N{at}") for at in (0, 1, 2, 3, 4, 6)]
    for (message,) in await box.store.fetch_all("SELECT id FROM messages WHERE state = 30"):
        await box.store.write(lambda conn, m=message: decisions.decide(conn, m, Fail("x: z"), 1))
    await until(box, view.id, "finished")
    third = await box.mailings.retry_failed(LOCAL_ADMIN, view.id)
    assert third.messages["queued"] == 6  # the second tries, not the first ones again
    mailing = row_id("mlg", view.id)
    assert mailing is not None
    counts, recount = await box.store.read(lambda conn: (batches.counts(conn, mailing), batches.recount(conn, mailing)))
    assert counts == recount
    assert (await box.messages.recount()).breaches() == ()


async def test_a_cancelling_between_two_steps_ends_the_sending_again(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "STEP", 2)
    upload = box.mailings.upload(LOCAL_ADMIN, "x.csv")
    await upload.write(PEOPLE)
    view, _ = await box.mailings.create(LOCAL_ADMIN, await upload.received(), MailingRequest(template="Hi {name}"))
    await until(box, view.id, "sending")
    for (message,) in await box.store.fetch_all("SELECT id FROM messages"):
        await box.store.write(lambda conn, m=message: decisions.decide(conn, m, Fail("x: y"), 1))
    await until(box, view.id, "finished")
    mailing = row_id("mlg", view.id)
    assert mailing is not None
    first = await box.store.write(lambda conn: retrying.retry_step(conn, box.store, mailing, 0, 1))
    assert first.added is not None
    assert first.after is not None
    await box.mailings.cancel(LOCAL_ADMIN, view.id)
    await until(box, view.id, "cancelled")
    again = await box.store.write(lambda conn: retrying.retry_step(conn, box.store, mailing, first.after, 1))
    assert again == retrying.Retried(None)
    assert await box.store.fetch_one("SELECT count(*) FROM messages") == (10,)
