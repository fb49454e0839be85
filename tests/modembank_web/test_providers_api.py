"""Providers and routing rules through the API, and messages that go through them."""

from __future__ import annotations

import importlib.util
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fakes.kinds import SETTINGS, Brought, Trial, draft
from fakes.web_boxes import ICCID, Box
from modembank.accounts import LOCAL_ADMIN, Role
from modembank.ids import row_id
from modembank.messages.model import MessageState
from modembank.providers import Change, Limits, Rule, Sharing
from modembank.providers.kinds import kind_of, read_settings
from modembank_web.api.v1 import provider_examples

PATH = "/api/v1/providers"
RULES = "/api/v1/routing-rules"
NEW = {"name": "alpha", "kind": "trial", "settings": SETTINGS}


def secret(folder: Path, name: str, value: str) -> None:
    (folder / "secrets").mkdir(exist_ok=True)
    (folder / "secrets" / f"modembank.provider.{name}").write_text(value)


async def test_a_provider_is_made_shown_changed_disabled_and_removed(
    box: Box, brought: Brought, tmp_path: Path
) -> None:
    async with box.client(await box.key()) as client:
        made = await client.post(PATH, json=NEW)
        assert made.status_code == 201, made.text
        assert made.headers["location"] == f"{PATH}/alpha"
        shown = made.json()
        assert (shown["channel"], shown["state"], shown["why"], shown["enabled"]) == ("sms", "ready", None, True)
        assert shown["callback_url"] == "https://sms.example.org/hooks/providers/alpha"
        assert shown["lately"]["tries"] == 0
        (named,) = shown["secrets"]
        assert (named["name"], named["there"]) == ("trial-key", False)
        assert "modembank.provider.trial-key" in named["why"]
        secret(tmp_path, "trial-key", "the very secret")
        again = await client.get(f"{PATH}/alpha")
        assert again.json()["secrets"] == [{"name": "trial-key", "there": True, "why": None}]
        assert "very secret" not in again.text
        assert (await client.get(PATH)).json() == {"items": [again.json()], "next": None}
        changed = await client.patch(f"{PATH}/alpha", json={"sharing": {"cost": 3, "limits": {"per_hour": 5}}})
        assert changed.json()["sharing"] == {"cost": 3, "automatic": True, "limits": {"per_hour": 5}}
        assert changed.json()["settings"] == SETTINGS
        off = (await client.post(f"{PATH}/alpha/disable", json={"why": "too dear"})).json()
        assert (off["state"], off["why"], off["enabled"]) == ("disabled", "too dear", False)
        assert (await client.post(f"{PATH}/alpha/enable")).json()["state"] == "ready"
        Trial.broken = "no session: the connection was refused"
        down = (await client.get(f"{PATH}/alpha")).json()
        assert (down["state"], down["why"], down["enabled"]) == ("not_ready", Trial.broken, True)
        assert (await client.delete(f"{PATH}/alpha")).status_code == 204
        assert (await client.get(f"{PATH}/alpha")).status_code == 404
    rows = await box.store.fetch_all("SELECT action, subject, detail FROM audit WHERE action LIKE 'provider.%'")
    words = ["create", "change", "disable", "enable", "remove"]
    assert [row[:2] for row in rows] == [(f"provider.{word}", "alpha") for word in words]
    assert "trial-key" not in json.dumps(rows)


@pytest.mark.parametrize(
    ("changes", "pointer", "words"),
    [
        ({"name": "Alpha"}, "/name", "a-z"),
        ({"name": "bank"}, "/name", "not bank"),
        ({"kind": "pigeon"}, "/kind", "trial"),
        ({"settings": {}}, "/settings", "url"),
        ({"settings": SETTINGS | {"window": "4"}}, "/settings/window", "int"),
        ({"settings": SETTINGS | {"window": 0}}, "/settings/window", ">= 1"),
        ({"settings": SETTINGS | {"url": "http://x"}}, "/settings/url", "https"),
        ({"settings": SETTINGS | {"password": "x"}}, "/settings", "password"),
        ({"sharing": {"cost": -1}}, "/sharing/cost", ">= 0"),
        ({"sharing": {"costs": 1}}, "/sharing", "costs"),
    ],
)
async def test_what_is_refused_names_its_field(
    box: Box, brought: Brought, changes: dict[str, Any], pointer: str, words: str
) -> None:
    async with box.client(await box.key()) as client:
        answer = await client.post(PATH, json=NEW | changes)
        assert answer.status_code == 422, answer.text
        (error,) = answer.json()["errors"]
        assert error["pointer"] == pointer
        assert words in error["detail"]
        assert (await client.get(PATH)).json()["items"] == []


async def test_names_are_not_given_twice_and_rules_hold_their_providers(box: Box, brought: Brought) -> None:
    async with box.client(await box.key()) as client:
        await client.post(PATH, json=NEW)
        twice = await client.post(PATH, json=NEW)
        assert (twice.status_code, twice.json()["error_code"]) == (409, "CONFLICT")
        await client.put(RULES, json={"rules": [{"providers": ["alpha"]}]})
        held = await client.delete(f"{PATH}/alpha")
        assert held.status_code == 409
        assert "routing rule" in held.json()["detail"]


async def test_the_kinds_are_told_with_what_their_settings_are(box: Box, brought: Brought) -> None:
    async with box.client(await box.key()) as client:
        trial, spool = (await client.get("/api/v1/provider-kinds")).json()["items"]
    assert (trial["name"], spool["name"]) == ("trial", "spool")
    assert spool["summary"].startswith("Files in the spool folder")
    assert spool["settings"]["properties"]["folder"]["description"]
    assert trial["settings"]["properties"]["window"]["maximum"] == 64
    assert trial["settings"]["required"] == ["url"]


def test_the_examples_are_settings_of_their_kinds() -> None:
    for new in provider_examples.NEW.values():
        if importlib.util.find_spec(f"modembank.providers.adapters.{new['kind']}") is not None:
            read_settings(kind_of(new["kind"]), new["settings"])
            read_settings(kind_of(new["kind"]), provider_examples.PATCH["another host"]["settings"])


async def test_a_message_goes_where_it_names_and_is_found_by_it(box: Box, brought: Brought) -> None:
    await box.providers.add(LOCAL_ADMIN, draft("alpha"))
    await box.providers.add(LOCAL_ADMIN, draft("mail", channel="email"))
    mail = {"to": "Ann@Clinic.Example", "text": "Tomorrow.", "channel": "email", "subject": "You"}
    async with box.client(await box.key()) as client:
        sent = (await client.post("/api/v1/messages", json=mail)).json()
        assert (sent["to"], sent["segments"]) == ("Ann@clinic.example", 1)
        shown = (await client.get(f"/api/v1/messages/{sent['id']}")).json()
        assert (shown["channel"], shown["subject"], shown["provider"]) == ("email", "You", None)
        named = await client.post(
            "/api/v1/messages", json={"to": "+447900900123", "text": "x", "providers": ["alpha", "bank"]}
        )
        assert named.status_code == 202
        await tried(box, sent["id"], "mail")
        found = (await client.get("/api/v1/messages?provider=mail")).json()["items"]
        assert [each["id"] for each in found] == [sent["id"]]
        assert (await client.get("/api/v1/messages?provider=alpha")).json()["items"] == []
        shown = (await client.get(f"/api/v1/messages/{sent['id']}")).json()
    assert (shown["provider"], shown["sim"]) == ("mail", None)
    (attempt,) = shown["attempts"]
    assert (attempt["segment"], attempt["slot"], attempt["sim"]) == (0, "mail", None)
    assert attempt["evidence"]["provider"] == {"answer": "250 OK"}
    assert attempt["verdict"] == "the provider took it"


async def tried(box: Box, message: str, name: str) -> None:
    """Write a message's journal as after a try that its provider took."""
    provider = box.providers.named(name)
    assert provider is not None
    place = row_id("msg", message)

    def write(conn: Any) -> int:
        conn.execute(
            "UPDATE messages SET state = ?, sim_id = ?, sent_at = created_at WHERE id = ?",
            (int(MessageState.SENT), provider.id, place),
        )
        conn.execute(
            "INSERT INTO attempts (message_id, segment, n, sim_id, slot, started_at, finished_at, outcome, evidence)"
            " VALUES (?, 0, 1, ?, ?, 1, 2, ?, ?)",
            (place, provider.id, name, 20, json.dumps({"provider": {"answer": "250 OK"}})),
        )
        return 1

    await box.store.write(write)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"providers": ["nobody"]}, 422, "UNKNOWN_PROVIDER"),
        ({"providers": ["off"]}, 409, "PROVIDER_DISABLED"),
        ({"providers": ["off", "off2"]}, 409, "ALL_PROVIDERS_DISABLED"),
        ({"providers": ["off", "bank"]}, 202, ""),
        ({"providers": ["off", "alpha"]}, 202, ""),
        ({"channel": "whatsapp"}, 503, "NO_PROVIDER_AVAILABLE"),
        ({"providers": []}, 202, ""),
    ],
)
async def test_each_way_of_being_of_no_use_has_its_code(
    box: Box, brought: Brought, body: dict[str, Any], status: int, code: str
) -> None:
    for name in ("alpha", "off", "off2"):
        await box.providers.add(LOCAL_ADMIN, draft(name))
    for name in ("off", "off2"):
        await box.providers.disable(LOCAL_ADMIN, name, "too dear")
    async with box.client(await box.key(Role.SENDER)) as client:
        answer = await client.post("/api/v1/messages", json={"to": "+447900900123", "text": "x"} | body)
    assert answer.status_code == status, answer.text
    assert answer.json().get("error_code", "") == code
    if code in {"PROVIDER_DISABLED", "ALL_PROVIDERS_DISABLED"}:
        assert "too dear" in answer.json()["detail"]


async def test_what_was_accepted_is_answered_again_when_its_provider_is_disabled_by_then(
    box: Box, brought: Brought
) -> None:
    await box.providers.add(LOCAL_ADMIN, draft("alpha"))
    wanted = {"json": {"to": "+447900900123", "text": "x", "providers": ["alpha"]}, "headers": {"Idempotency-Key": "1"}}
    async with box.client(await box.key()) as client:
        first = await client.post("/api/v1/messages", **wanted)
        await box.providers.disable(LOCAL_ADMIN, "alpha")
        again = await client.post("/api/v1/messages", **wanted)
        other = await client.post("/api/v1/messages", **wanted | {"headers": {"Idempotency-Key": "2"}})
    assert (first.status_code, again.status_code, other.status_code) == (202, 202, 409)
    assert again.headers["idempotent-replay"] == "true"
    assert again.json() == first.json()


async def test_a_test_is_a_message_of_its_own_that_only_the_provider_may_take(box: Box, brought: Brought) -> None:
    await box.providers.add(LOCAL_ADMIN, draft("mail", channel="email"))
    async with box.client(await box.key()) as client:
        sent = await client.post(f"{PATH}/mail/test", json={"to": "ann@clinic.example"})
        assert sent.status_code == 202, sent.text
        shown = (await client.get(sent.headers["location"])).json()
        assert (shown["id"], shown["channel"], shown["text"]) == (sent.json()["id"], "email", "This is a test.")
        wrong = await client.post(f"{PATH}/mail/test", json={"to": "+447900900123"})
        assert wrong.json()["errors"][0]["pointer"] == "/to"
        Trial.broken = "not connected"
        refused = await client.post(f"{PATH}/mail/test", json={"to": "ann@clinic.example"})
    assert (refused.status_code, refused.json()["error_code"]) == (409, "PROVIDER_DISABLED")
    assert "not connected" in refused.json()["detail"]
    (spec,) = await box.store.fetch_one("SELECT spec FROM routes ORDER BY id DESC LIMIT 1") or ("",)
    assert json.loads(spec) == {"channel": "email", "stages": [{"providers": [1]}]}
    rows = await box.store.fetch_all("SELECT detail FROM audit WHERE action = 'provider.test'")
    assert [json.loads(row[0]) for row in rows] == [{"message": sent.json()["id"]}]


async def test_rules_are_read_put_and_refused_with_the_place_of_each_mistake(box: Box, brought: Brought) -> None:
    await box.providers.add(LOCAL_ADMIN, draft("alpha"))
    rules = [{"providers": ["alpha", "bank"], "prefixes": ["+44"], "priority_from": 7}, {"providers": [ICCID]}]
    async with box.client(await box.key()) as client:
        assert (await client.get(RULES)).json() == {"rules": []}
        put = await client.put(RULES, json={"rules": rules})
        assert (put.status_code, put.json()) == (200, {"rules": rules})
        wrong = await client.put(
            RULES, json={"rules": [rules[0], {"providers": ["gone"]}, {"providers": ["bank"], "hours": "8-20"}]}
        )
        assert [each["pointer"] for each in wrong.json()["errors"]] == ["/rules/2/hours"]
        unknown = await client.put(RULES, json={"rules": [rules[0], {"providers": ["bank", "gone"]}]})
        assert [each["pointer"] for each in unknown.json()["errors"]] == ["/rules/1/providers/1"]
        assert (await client.get(RULES)).json() == {"rules": rules}
    assert box.providers.rules == tuple(msgspec.convert(rules, list[Rule]))


async def test_a_preview_says_which_rule_fits_and_who_follows(box: Box, brought: Brought) -> None:
    await box.providers.add(LOCAL_ADMIN, draft("dear"))
    await box.providers.add(LOCAL_ADMIN, draft("cheap"))
    await box.providers.change(LOCAL_ADMIN, "dear", Change(sharing=Sharing(5.0, True, Limits())))
    await box.providers.disable(LOCAL_ADMIN, "cheap", "too slow")
    urgent = {"providers": ["dear", "bank"], "prefixes": ["+44"], "priority_from": 7}
    await box.accounts.add_user(LOCAL_ADMIN, "shop", Role.SENDER)
    night = {"providers": ["cheap"], "hours": "22:00-06:00", "users": ["shop"]}
    async with box.client(await box.key()) as client:
        await client.put(RULES, json={"rules": [urgent, night]})

        async def seen(**more: Any) -> tuple[int | None, list[list[str]]]:
            answer = await client.post(f"{RULES}/preview", json={"to": "+44 7900 900123"} | more)
            assert answer.status_code == 200, answer.text
            found = answer.json()
            assert (found["rule"] is None) == (found["place"] is None)
            return found["place"], [[each["name"] for each in stage] for stage in found["stages"]]

        assert await seen() == (None, [["bank"], ["cheap"], ["dear"]])
        assert await seen(priority=8) == (0, [["dear"], ["bank"]])
        assert await seen(priority=8, to="+49 151 20123456") == (None, [["bank"], ["cheap"], ["dear"]])
        local = datetime.now().astimezone().replace(hour=23, minute=0)
        assert await seen(user="shop", at=local.isoformat()) == (1, [["cheap"]])
        assert await seen(user="shop", at=local.replace(hour=12).isoformat()) == (
            None,
            [["bank"], ["cheap"], ["dear"]],
        )
        assert await seen(channel="email", to="ann@clinic.example") == (None, [])
        whole = (await client.post(f"{RULES}/preview", json={"to": "+447900900123"})).json()
        assert whole["stages"][0][0]["not_ready"] == "no SIM can send now"
        assert whole["stages"][1][0]["not_ready"] == "too slow"
        wrong = await client.post(f"{RULES}/preview", json={"to": "ann@clinic.example"})
        assert wrong.json()["errors"][0]["pointer"] == "/to"


async def test_the_dialect_with_channels_goes_through_their_providers(box: Box, brought: Brought) -> None:
    mail = {"type": "email", "recipient": "ann@clinic.example", "content": "Your code is 4711."}
    async with box.client(await box.key()) as client:
        refused = await client.post("/sendMessage", json=mail)
        assert (refused.status_code, refused.json()["error_code"]) == (503, "NO_PROVIDER_AVAILABLE")
        assert refused.json()["errors"][0]["pointer"] == "/type"
        assert refused.headers["retry-after"] == "3600"
        await box.providers.add(LOCAL_ADMIN, draft("mail", channel="email"))
        sent = await client.post("/sendMessage", json=mail)
        assert (sent.status_code, sent.json()["type"]) == (202, "email")
        await tried(box, sent.json()["id"], "mail")
        shown = (await client.get(sent.headers["location"])).json()
        wrong = await client.post("/sendMessage", json=mail | {"recipient": "ann"})
    assert (shown["type"], shown["status"]) == ("email", "sent")
    (attempt,) = shown["attempts"]
    assert (attempt["provider"], attempt["detail"]) == ("mail", "the provider took it")
    assert wrong.json()["errors"][0]["pointer"] == "/recipient"


async def test_events_and_conversations_name_provider_and_channel(box: Box, brought: Brought) -> None:
    await box.providers.add(LOCAL_ADMIN, draft("mail", channel="email"))
    provider = box.providers.named("mail")
    assert provider is not None
    await box.store.write(
        lambda conn: (
            conn.execute(
                "INSERT INTO inbox (id, sim_id, sender, kind, text, parts, missing, received_at, user_id)"
                " VALUES (1, ?, 'ann@clinic.example', 'text', 'Thanks', 1, '[]', 5, NULL)",
                (provider.id,),
            ).rowcount
        )
    )
    async with box.client(await box.key()) as client:
        (came,) = (await client.get("/api/v1/inbox")).json()["items"]
        assert (came["provider"], came["channel"], came["sim"]) == ("mail", "email", None)
        answered = await client.post("/api/v1/conversations/ann@clinic.example/messages", json={"text": "Welcome"})
        assert answered.status_code == 202, answered.text
        said = (await client.get("/api/v1/conversations/ann@clinic.example")).json()["items"]
    assert {(each["direction"], each["channel"]) for each in said} == {("inbound", "email"), ("outbound", "email")}
