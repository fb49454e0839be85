"""Every operation that changes something leaves exactly one entry in the audit log; the log over HTTP.

The operations come from the route table: one that is added is run here with its example, or is named below.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from fakes.browsers import OWN_PAGE, PASSWORD, browser, log_in
from fakes.forms import MULTIPART, media_of, multipart
from fakes.guards import make_cheap
from fakes.kinds import SETTINGS, Brought, draft
from fakes.web_boxes import ICCID, Box
from modembank.accounts import LOCAL_ADMIN, Role
from modembank.mailings.model import ImportPhase
from modembank.messages.model import MessageState
from modembank_web.api import v1
from modembank_web.dialects.twilio_examples import ACCOUNT
from modembank_web.operation import Operation

EXEMPT = {
    "sendMessage": "an accepted message is its own record, with its sender and time",
    "previewMessage": "it changes nothing",
    "previewMailing": "it changes nothing",
    "previewRouting": "it changes nothing",
    "testWebhook": "it changes nothing, and what it posts holds nothing of the box",
    "replyInConversation": "an accepted message is its own record, with its sender and time",
    "markConversationRead": "what is unread is a note of the one who reads",
}
"""Operations that leave no entry, and why."""

CHANGING = [one for one in v1.OPERATIONS if one.method != "GET" and one.id not in EXEMPT]


class Stage:
    """A box, an admin's client, and what an operation needs before its example can be run."""

    def __init__(self, box: Box, client: httpx.AsyncClient) -> None:
        self.box = box
        self.client = client
        self._last = 10

    async def message(self) -> dict[str, str]:
        sent = await self.client.post("/api/v1/messages", json={"to": "+447900900123", "text": "x"})
        return {"id": sent.json()["id"]}

    async def unknown_message(self) -> dict[str, str]:
        found = await self.message()
        state = int(MessageState.UNKNOWN)
        await self.box.store.write(
            lambda conn: (
                conn.execute("UPDATE messages SET state = ?, created_at = 1, on_unknown = 0", (state,)).rowcount
            )
        )
        return found

    async def issue(self) -> dict[str, str]:
        sim = self.box.sims.by_iccid(ICCID)
        assert sim is not None
        await self.box.sims.pause(
            sim.id, "refused 3 numbers in a row, last with +CMS ERROR 21: check its credit and contract"
        )
        await self.box.health.look("sim_without_credit")
        issue = (await self.client.get("/api/v1/issues")).json()["items"][0]["id"]
        return {"id": issue, "name": "resume_sim"}

    async def slot(self) -> dict[str, str]:
        return {"slot": "slot-03"}

    async def sim(self) -> dict[str, str]:
        return {"iccid": ICCID}

    async def user(self) -> dict[str, str]:
        return {"user": "ann"}

    async def key(self) -> dict[str, str]:
        key, _ = await self.box.accounts.add_key(LOCAL_ADMIN, "ann")
        return {"id": key.public_id}

    async def session(self) -> dict[str, str]:
        session, _, _ = await self.box.accounts.sessions.begin("ann", PASSWORD, source="192.0.2.9")
        return {"id": session.public_id}

    async def sent_message(self) -> dict[str, str]:
        found = await self.message()
        state = int(MessageState.SENT)
        await self.box.store.write(lambda conn: conn.execute("UPDATE messages SET state = ?", (state,)).rowcount)
        return found

    async def inbound(self) -> dict[str, str]:
        sms = {
            "senderPhone": f"+4479009001{self.rising()}",
            "receiverPhone": "+447900900001",
            "messageText": "please stop it",
            "timestamp": "2026-11-20T14:05:00Z",
            "uuid": str(self.rising()),
        }
        assert (await self.client.post("/api/receive-sms", json=sms)).status_code == 200
        return {"id": (await self.client.get("/api/v1/inbox")).json()["items"][0]["id"]}

    async def review(self) -> dict[str, str]:
        found = await self.inbound()
        await self.box.store.write(
            lambda conn: (
                conn.execute(
                    "INSERT INTO opt_out_reviews (inbox_id, number, keyword, created_at)"
                    " SELECT id, sender, 'STOP', received_at FROM inbox ORDER BY id DESC LIMIT 1"
                ).rowcount
            )
        )
        return found

    async def opt_out(self) -> dict[str, str]:
        await self.client.post("/api/v1/opt-outs", json={"number": "+447900900125"})
        return {"number": "+447900900125"}

    async def webhook(self) -> dict[str, str]:
        made = await self.client.post(
            "/api/v1/webhooks", json={"url": "https://example.com/x", "events": ["message.*"]}
        )
        return {"id": made.json()["id"]}

    async def twilio_account(self) -> dict[str, str]:
        await self.box.twilio_account("ann", ACCOUNT, "0" * 32)
        return {"sid": ACCOUNT}

    async def mailing(self, hold: str = "false") -> dict[str, str]:
        form = {"template": "x", "hold": hold, "name": str(self.rising())}
        file = {"file": ("x.csv", b"to\n+447900900123\n")}
        made = await self.client.post("/api/v1/mailings", files=file, data=form)
        return {"id": made.json()["id"]}

    async def canary_mailing(self) -> dict[str, str]:
        form = {"template": "x", "canary_count": "1", "name": str(self.rising())}
        file = {"file": ("x.csv", b"to\n+447900900123\n+447900900124\n")}
        return {"id": (await self.client.post("/api/v1/mailings", files=file, data=form)).json()["id"]}

    async def held_mailing(self) -> dict[str, str]:
        return await self.mailing("true")

    async def paused_mailing(self) -> dict[str, str]:
        found = await self.mailing()
        await self.client.post(f"/api/v1/mailings/{found['id']}/pause")
        return found

    async def finished_mailing(self) -> dict[str, str]:
        found, phase = await self.mailing(), int(ImportPhase.DONE)
        await self.box.store.write(
            lambda conn: conn.execute("UPDATE mailings SET phase = ?, finished_at = created_at", (phase,)).rowcount
        )
        return found

    async def image(self) -> dict[str, str]:
        self.box.image.start(update={"state": "installed"})
        (self.box.image.asked_in / "request.json").unlink(missing_ok=True)
        return {}

    async def asking_a_hub(self) -> dict[str, str]:
        (asked,) = next(one for one in CHANGING if one.id == "enrolAtHub").body.examples.values()
        assert (await self.client.post("/api/v1/fleet/enrolment", json=asked)).status_code == 202
        return {}

    async def conversation(self) -> dict[str, str]:
        await self.inbound()
        return {"number": (await self.client.get("/api/v1/conversations")).json()["items"][0]["number"]}

    async def provider(self) -> dict[str, str]:
        name = f"p{self.rising()}"
        await self.box.providers.add(LOCAL_ADMIN, draft(name))
        return {"name": name}

    def rising(self) -> int:
        self._last += 1
        return self._last

    async def nothing(self) -> dict[str, str]:
        return {}


Prepare = Callable[[Stage], Awaitable[dict[str, str]]]
PREPARE: dict[str, Prepare] = {
    "cancelMessage": Stage.message,
    "settleMessage": Stage.unknown_message,
    "settleMessages": Stage.unknown_message,
    "runRemedy": Stage.issue,
    "patchSim": Stage.sim,
    "patchUser": Stage.user,
    "patchQuota": Stage.user,
    "revokeApiKey": Stage.key,
    "revokeSession": Stage.session,
    "redactMessage": Stage.sent_message,
    "deleteMessage": Stage.sent_message,
    "redactInboxMessage": Stage.inbound,
    "deleteInboxMessage": Stage.inbound,
    "decideOptOutReview": Stage.review,
    "removeOptOut": Stage.opt_out,
    **dict.fromkeys(
        ("patchWebhook", "deleteWebhook", "rotateWebhookSecret", "testWebhook", "replayWebhook"), Stage.webhook
    ),
    **dict.fromkeys(("patchTwilioAccount", "deleteTwilioAccount"), Stage.twilio_account),
    "startMailing": Stage.held_mailing,
    "continueMailing": Stage.canary_mailing,
    "resumeMailing": Stage.paused_mailing,
    **dict.fromkeys(("pauseMailing", "cancelMailing"), Stage.mailing),
    "retryFailedOfMailing": Stage.finished_mailing,
    **dict.fromkeys(("replyInConversation", "markConversationRead"), Stage.conversation),
    **{f"{name}Modem": Stage.slot for name in ("reset", "disable", "enable", "drain", "forget", "ussd")},
    "enterPin": Stage.slot,
    **dict.fromkeys(
        ("changeProvider", "deleteProvider", "enableProvider", "disableProvider", "testProvider"), Stage.provider
    ),
    "leaveHub": Stage.asking_a_hub,
    **dict.fromkeys(("updateBox", "restartBox", "postponeBox", "resetBox"), Stage.image),
}
"""What is made before an operation runs, and the parameters of its path; an operation without any needs no line."""

BODIES: dict[str, Any] = {
    "beginSession": {"name": "ann", "password": PASSWORD},
    "createProvider": {"name": "beta", "kind": "trial", "settings": SETTINGS},
    "changeProvider": {"settings": SETTINGS | {"window": 2}},
    "putRoutingRules": {"rules": [{"providers": ["bank"]}]},
}
"""In the place of examples that name what is not here."""
QUERIES = {"removeOptOut": "?reason=asked"}
REFUSED_LATER = {"ussdModem", "enterPin", "resetModem", "enableModem"}
"""Their order is recorded before it is carried out, and there is no modem here that could."""
REFUSED_FIRST = {"forgetModem"}
"""Refused before it is recorded, since no modem here is gone; that it is recorded is seen in test_hardware_api."""


@pytest.fixture
async def stage(box: Box, brought: Brought) -> Any:
    make_cheap(box.accounts)
    await box.accounts.add_user(LOCAL_ADMIN, "ada", Role.ADMIN, PASSWORD)
    await box.accounts.add_user(LOCAL_ADMIN, "ann", Role.SENDER, PASSWORD)
    async with browser(box) as client:
        await log_in(client, "ada")
        yield Stage(box, client)
        for slot in box.bank.modems():
            await box.bank.disable(slot.slot)


def as_sent(operation: Operation, example: Any) -> dict[str, Any]:
    if operation.body is not None and operation.body.media == MULTIPART:
        return {"content": multipart(example), "headers": {"Content-Type": media_of(operation)}}
    return {"json": example}


async def entries(box: Box) -> int:
    row = await box.store.fetch_one("SELECT count(*) FROM audit")
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("operation", CHANGING, ids=lambda operation: operation.id)
async def test_s16_every_change_leaves_exactly_one_entry(stage: Stage, operation: Operation) -> None:
    examples: dict[str, Any] = {"": None} if operation.body is None else dict(operation.body.examples)
    for name, example in examples.items():
        if "dry_run" in (example or {}):
            continue
        parameters = await PREPARE.get(operation.id, Stage.nothing)(stage)
        body = BODIES.get(operation.id, example)
        before = await entries(stage.box)
        sent = as_sent(operation, body)
        address = operation.path.format(**parameters) + QUERIES.get(operation.id, "")
        answer = await stage.client.request(operation.method, address, **sent)
        done = answer.status_code in {reply.status for reply in operation.replies}
        assert done or operation.id in REFUSED_LATER | REFUSED_FIRST, (name, answer.text)
        if operation.id in REFUSED_FIRST:
            assert await entries(stage.box) == before, name
            continue
        assert await entries(stage.box) == before + 1, name
        found = (await stage.box.audit.list(LOCAL_ADMIN, limit=1)).items[0]
        assert found.actor in {"ada", "ann"}
        assert found.source == "192.0.2.7"
        for secret in (PASSWORD, "quilt harbour", "x" * 43):
            assert secret not in str(found.detail)
    assert (await stage.box.audit.verify(LOCAL_ADMIN)).ok


def test_s16_what_is_exempt_exists_and_says_why() -> None:
    ids = {operation.id for operation in v1.OPERATIONS}
    assert set(EXEMPT) <= ids
    assert set(PREPARE) <= ids
    assert all(len(why) > 10 for why in EXEMPT.values())


@pytest.mark.parametrize("operation_id", sorted(EXEMPT))
async def test_s16_what_is_exempt_leaves_none(stage: Stage, operation_id: str) -> None:
    operation = next(one for one in v1.OPERATIONS if one.id == operation_id)
    parameters = await PREPARE.get(operation.id, Stage.nothing)(stage)
    before = await entries(stage.box)
    for example in [None] if operation.body is None else operation.body.examples.values():
        address = operation.path.format(**parameters)
        answer = await stage.client.request(operation.method, address, **as_sent(operation, example))
        assert answer.status_code < 500, answer.text
    assert await entries(stage.box) == before


@pytest.mark.parametrize("method_and_path", [("DELETE", "/api/v1/sessions/x"), ("DELETE", "/api/v1/api-keys/x"),
                                             ("PATCH", "/api/v1/users/x"), ("PATCH", "/api/v1/quotas/x"),
                                             ("PATCH", "/api/v1/sims/1"), ("POST", "/api/v1/modems/x/reset"),
                                             ("POST", "/api/v1/messages/msg_0/cancel")])  # fmt: skip
async def test_s16_what_is_refused_leaves_none(stage: Stage, method_and_path: tuple[str, str]) -> None:
    before = await entries(stage.box)
    body = {"active": True} if "users" in method_and_path[1] else {}
    answer = await stage.client.request(*method_and_path, json=body)
    assert answer.status_code == 404
    assert await entries(stage.box) == before


async def test_s16_a_code_for_the_network_is_kept_without_what_may_be_secret(stage: Stage) -> None:
    for code, kept in (("*100#", "*100#"), ("*104*12345678901234#", "*104*…"), ("123456789", "…")):
        await stage.client.post("/api/v1/modems/slot-03/ussd", json={"code": code})
        entry = (await stage.box.audit.list(LOCAL_ADMIN, limit=1)).items[0]
        assert (entry.action, entry.subject, entry.detail) == ("modem.ussd", "slot-03", {"code": kept})


async def test_s16_the_log_is_read_page_by_page_with_filters(stage: Stage) -> None:
    for n in range(5):
        await stage.client.post("/api/v1/users", json={"name": f"u{n}", "role": "sender"})
    found, address = [], "/api/v1/audit?actor=ada&action=user.add&limit=2"
    while address:
        page = (await stage.client.get(address)).json()
        found += [entry["subject"] for entry in page["items"]]
        address = page["next"]
    assert found == ["u4", "u3", "u2", "u1", "u0"]
    assert (await stage.client.get("/api/v1/audit?since=2099-01-01T00:00:00Z")).json() == {"items": [], "next": None}
    for wrong in ("cursor=x", "action=%25", "since=now", "limit=0", "who=ada"):
        assert (await stage.client.get(f"/api/v1/audit?{wrong}")).status_code == 422, wrong


async def test_s16_verifying_names_the_first_bad_entry(stage: Stage) -> None:
    good = (await stage.client.post("/api/v1/audit/verify")).json()
    assert (good["ok"], good["first_bad"]) == (True, None)
    await stage.box.store.write(lambda conn: conn.execute("UPDATE audit SET actor = 'eve' WHERE id = 2").rowcount)
    bad = (await stage.client.post("/api/v1/audit/verify")).json()
    assert (bad["ok"], bad["first_bad"], bad["checked"]) == (False, "aud_0000000000002", 1)


async def test_s16_senders_do_not_read_it(stage: Stage) -> None:
    async with browser(stage.box) as client:
        await log_in(client, "ann")
        assert (await client.get("/api/v1/audit")).status_code == 403
        assert (await client.post("/api/v1/audit/verify", headers=OWN_PAGE)).status_code == 403
