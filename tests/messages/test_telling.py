"""What events tell of messages that went, or came, through the bank and through providers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from fakes import kinds
from fakes.kinds import draft
from fakes.web_boxes import ICCID, Box, make_box
from modembank.accounts import LOCAL_ADMIN
from modembank.eventlog import Entry, Logged
from modembank.ids import row_id
from modembank.messages import SubmitRequest
from modembank.messages.telling import told_of_messages


@pytest.fixture
async def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Box]:
    kinds.install(monkeypatch)
    box = await make_box(tmp_path)
    yield box
    await box.store.close()


async def told(box: Box, kind: str, subject: int) -> Any:
    logged = Logged(7, Entry(5, kind, 1, subject))
    found = await box.store.read(lambda conn: told_of_messages(conn, [logged]))
    return found[7]


async def accepted(box: Box, **wanted: Any) -> int:
    receipt = await box.messages.submit(LOCAL_ADMIN, SubmitRequest(text="x", **wanted))
    found = row_id("msg", receipt.messages[0].id)
    assert found is not None
    return found


async def through(box: Box, message: int, carrier: int) -> None:
    sql = "UPDATE messages SET sim_id = ?, state = 50 WHERE id = ?"
    await box.store.write(lambda conn: conn.execute(sql, (carrier, message)).rowcount)


async def came(box: Box, carrier: int, sender: str) -> int:
    sql = (
        "INSERT INTO inbox (id, sim_id, sender, kind, text, parts, missing, received_at, user_id)"
        " VALUES (99, ?, ?, 'text', 'Thanks', 1, '[]', 5, NULL)"
    )
    return await box.store.write(lambda conn: conn.execute(sql, (carrier, sender)).rowcount)


async def test_a_message_through_a_sim_names_it_and_its_channel(box: Box) -> None:
    sim = box.sims.by_iccid(ICCID)
    assert sim is not None
    message = await accepted(box, to="+447900900123")
    seen = await told(box, "message.queued", message)
    assert (seen["channel"], seen["sim"], seen["provider"]) == ("sms", None, None)
    await through(box, message, sim.id)
    seen = await told(box, "message.sent", message)
    assert (seen["channel"], seen["sim"], seen["provider"]) == ("sms", ICCID, None)
    await came(box, sim.id, "+447900900123")
    seen = await told(box, "message.received", 99)
    assert (seen["channel"], seen["sim"], seen["provider"]) == ("sms", ICCID, None)


@pytest.mark.parametrize(
    ("channel", "to"), [("sms", "+447900900123"), ("email", "ann@clinic.example"), ("whatsapp", "+447900900123")]
)
async def test_a_message_through_a_provider_names_it_also_when_it_was_removed(box: Box, channel: str, to: str) -> None:
    provider = await box.providers.add(LOCAL_ADMIN, draft(channel=channel))
    message = await accepted(box, to=to, channel=channel) if channel == "sms" else await waiting(box, to, channel)
    await through(box, message, provider.id)
    await came(box, provider.id, to)
    for _ in range(2):
        seen = await told(box, "message.sent", message)
        assert (seen["channel"], seen["sim"], seen["provider"]) == (channel, None, "alpha")
        assert (seen["status"], seen["to"], seen["from"]) == ("sent", to, None)
        seen = await told(box, "message.received", 99)
        assert (seen["channel"], seen["sim"], seen["provider"]) == (channel, None, "alpha")
        if box.providers.named("alpha") is not None:
            await box.providers.remove(LOCAL_ADMIN, "alpha")


async def waiting(box: Box, to: str, channel: str) -> int:
    """Accept a message for a provider that is ready: one that is started."""
    box.providers.start(kinds.Brought())
    try:
        return await accepted(box, to=to, channel=channel)
    finally:
        await box.providers.stop()


async def test_a_message_that_was_deleted_leaves_its_id(box: Box) -> None:
    assert set(await told(box, "message.sent", 12345)) == {"id", "status"}
    assert set(await told(box, "message.received", 12345)) == {"id"}
