"""How a key may come with a request, and how not."""

from __future__ import annotations

from base64 import b64encode

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.kinds import Brought
from fakes.web_boxes import Box
from modembank.accounts import LOCAL_ADMIN, Role, Scope, Unauthorized
from modembank_web import with_all_as
from modembank_web.credentials import KeyInAddress, presented_key, refuse_key_in_query

LIST = "/api/v1/messages"


def basic(key: str, user: str = "anybody") -> str:
    return "Basic " + b64encode(f"{user}:{key}".encode()).decode()


async def test_three_ways_to_present_a_key(box: Box) -> None:
    key = await box.key()
    for headers in (
        {"Authorization": f"Bearer {key}"},
        {"Authorization": f"bearer  {key} "},
        {"API-Key": key},
        {"Authorization": basic(key)},
        {"Authorization": basic(key, user="")},
    ):
        async with box.client() as client:
            assert (await client.get(LIST, headers=headers)).status_code == 200, headers


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "Digest abc"},
        {"Authorization": "Basic ***"},
        {"Authorization": "Basic " + b64encode(b"no colon").decode()},
        {"API-Key": "mb_" + "0" * 70},
        {"Authorization": "Bearer \xff\xfe".encode("latin-1")},
    ],
)
async def test_without_a_valid_key_nobody_comes_in(box: Box, headers: dict[str, str]) -> None:
    async with box.client() as client:
        answer = await client.get(LIST, headers=headers)
        posted = await client.post(LIST, headers=headers, content=b"x" * 100)
    assert answer.status_code == posted.status_code == 401
    assert answer.json()["error_code"] == "UNAUTHORIZED"
    challenges = answer.headers.get_list("www-authenticate")
    assert challenges[0].startswith("Bearer ")
    assert challenges[1].startswith("Basic ")


@pytest.mark.parametrize("name", ["api_key", "apikey", "API-KEY", "token", "access_token", "key", "q", "api%5Fkey"])
async def test_a_key_in_the_address_is_refused_even_when_it_is_good(box: Box, name: str) -> None:
    key = await box.key()
    for headers in ({}, {"Authorization": f"Bearer {key}"}):
        async with box.client() as client:
            answer = await client.get(f"{LIST}?{name}={key}", headers=headers)
        assert answer.status_code == 400
        assert "address" in answer.json()["detail"]
        assert key not in answer.text


SCOPES = {
    ("GET", LIST): {Scope.MESSAGES_READ},
    ("POST", LIST): {Scope.MESSAGES_SEND},
    ("GET", f"{LIST}/msg_0"): {Scope.MESSAGES_READ},
    ("POST", f"{LIST}/msg_0/cancel"): {Scope.MESSAGES_SEND},
    ("POST", f"{LIST}/msg_0/settle"): {Scope.MESSAGES_SEND},
    ("POST", f"{LIST}/msg_0/redact"): {Scope.MESSAGES_SEND},
    ("DELETE", f"{LIST}/msg_0"): {Scope.MESSAGES_SEND},
    ("POST", "/api/v1/inbox/inb_0/redact"): {Scope.MESSAGES_SEND},
    ("DELETE", "/api/v1/inbox/inb_0"): {Scope.MESSAGES_SEND},
    ("POST", f"{LIST}/settle"): set(),
    ("GET", "/api/v1/outage"): set(),
    ("POST", "/api/v1/outage/decide"): set(),
    ("GET", "/api/v1/fleet"): set(),
    ("POST", "/api/v1/fleet/enrolment"): set(),
    ("DELETE", "/api/v1/fleet/enrolment"): set(),
    ("GET", "/api/v1/home-assistant"): set(),
    ("GET", "/api/v1/box"): set(),
    ("POST", "/api/v1/box/update"): set(),
    ("POST", "/api/v1/box/restart"): set(),
    ("POST", "/api/v1/box/postpone"): set(),
    ("POST", "/api/v1/box/factory-reset"): set(),
    ("POST", f"{LIST}/preview"): {Scope.MESSAGES_SEND, Scope.MESSAGES_READ},
    ("GET", "/api/v1/mailings"): {Scope.MAILINGS},
    ("POST", "/api/v1/mailings"): {Scope.MAILINGS},
    ("POST", "/api/v1/mailings/preview"): {Scope.MAILINGS},
    ("GET", "/api/v1/mailings/mlg_0"): {Scope.MAILINGS},
    ("GET", "/api/v1/mailings/mlg_0/rows"): {Scope.MAILINGS},
    ("GET", "/api/v1/mailings/mlg_0/results"): {Scope.MAILINGS},
    ("GET", "/api/v1/mailings/mlg_0/refused"): {Scope.MAILINGS},
    ("GET", "/api/v1/mailings/mlg_0/history"): {Scope.MAILINGS},
    ("POST", "/api/v1/mailings/mlg_0/continue"): {Scope.MAILINGS},
    ("POST", "/api/v1/mailings/mlg_0/start"): {Scope.MAILINGS},
    ("POST", "/api/v1/mailings/mlg_0/pause"): {Scope.MAILINGS},
    ("POST", "/api/v1/mailings/mlg_0/resume"): {Scope.MAILINGS},
    ("POST", "/api/v1/mailings/mlg_0/cancel"): {Scope.MAILINGS},
    ("POST", "/api/v1/mailings/mlg_0/retry-failed"): {Scope.MAILINGS},
    ("GET", "/api/v1/inbox"): {Scope.MESSAGES_READ},
    ("GET", "/api/v1/inbox/inb_0"): {Scope.MESSAGES_READ},
    ("GET", "/api/v1/conversations"): {Scope.MESSAGES_READ},
    ("GET", "/api/v1/conversations/+447900900123"): {Scope.MESSAGES_READ},
    ("POST", "/api/v1/conversations/+447900900123/messages"): {Scope.MESSAGES_SEND},
    ("POST", "/api/v1/conversations/+447900900123/read"): {Scope.MESSAGES_READ},
    ("POST", "/sending"): {Scope.MESSAGES_SEND},
    ("POST", "/mailing"): {Scope.MESSAGES_SEND},
    ("GET", "/tasks/msg_0"): {Scope.MESSAGES_READ},
    ("POST", "/sendMessage"): {Scope.MESSAGES_SEND},
    ("GET", "/sendMessage"): {Scope.MESSAGES_READ},
    ("GET", "/sendMessage/msg_0"): {Scope.MESSAGES_READ},
    ("POST", "/api/send-sms"): {Scope.MESSAGES_SEND},
    ("POST", "/api/receive-sms"): {Scope.MESSAGES_SEND},
    ("GET", "/api/get-conversation/1"): {Scope.MESSAGES_READ},
    ("GET", "/api/v1/events?for_s=0"): {Scope.MESSAGES_READ, Scope.MAILINGS, Scope.OPT_OUTS, Scope.MODEMS},
    ("GET", "/api/v1/webhooks"): {Scope.WEBHOOKS},
    ("POST", "/api/v1/webhooks"): {Scope.WEBHOOKS},
    ("GET", "/api/v1/webhooks/whk_0"): {Scope.WEBHOOKS},
    ("PATCH", "/api/v1/webhooks/whk_0"): {Scope.WEBHOOKS},
    ("DELETE", "/api/v1/webhooks/whk_0"): {Scope.WEBHOOKS},
    ("POST", "/api/v1/webhooks/whk_0/rotate"): {Scope.WEBHOOKS},
    ("POST", "/api/v1/webhooks/whk_0/test"): {Scope.WEBHOOKS},
    ("POST", "/api/v1/webhooks/whk_0/replay"): {Scope.WEBHOOKS},
    ("POST", "/hooks/alertmanager"): {Scope.MESSAGES_SEND},
    ("POST", "/hooks/grafana"): {Scope.MESSAGES_SEND},
    ("GET", "/api/v1/modems"): {Scope.MODEMS},
    ("GET", "/api/v1/usb"): {Scope.MODEMS},
    ("GET", "/api/v1/modems/slot-03"): {Scope.MODEMS},
    ("POST", "/api/v1/modems/slot-99/reset"): {Scope.MODEMS},
    ("POST", "/api/v1/modems/slot-99/disable"): {Scope.MODEMS},
    ("POST", "/api/v1/modems/slot-99/enable"): {Scope.MODEMS},
    ("POST", "/api/v1/modems/slot-99/drain"): {Scope.MODEMS},
    ("POST", "/api/v1/modems/slot-99/ussd"): {Scope.MODEMS},
    ("POST", "/api/v1/modems/slot-99/pin"): {Scope.MODEMS},
    ("GET", "/api/v1/sims"): {Scope.MODEMS},
    ("GET", "/api/v1/sims/1"): {Scope.MODEMS},
    ("PATCH", "/api/v1/sims/1"): {Scope.MODEMS},
    ("GET", "/api/v1/opt-outs"): {Scope.OPT_OUTS},
    ("POST", "/api/v1/opt-outs"): {Scope.OPT_OUTS},
    ("DELETE", "/api/v1/opt-outs/1"): set(),
    ("GET", "/api/v1/opt-outs/reviews"): {Scope.OPT_OUTS},
    ("POST", "/api/v1/opt-outs/reviews/inb_0/decide"): {Scope.OPT_OUTS},
    ("POST", "/api/v1/opt-outs/import"): {Scope.OPT_OUTS},
    ("GET", "/api/v1/opt-outs/export"): {Scope.OPT_OUTS},
    ("GET", "/api/v1/issues"): {Scope.MODEMS},
    ("GET", "/api/v1/issues/iss_0"): {Scope.MODEMS},
    ("POST", "/api/v1/issues/iss_0/remedies/recount"): {Scope.MODEMS},
    ("GET", "/api/v1/conservation"): set(),
    ("GET", "/metrics"): {Scope.MODEMS},
    ("GET", "/api/v1/account"): set(Scope),
    ("DELETE", "/api/v1/session"): set(Scope),
    ("GET", "/api/v1/sessions"): set(Scope),
    ("DELETE", "/api/v1/sessions/ses_0"): set(Scope),
    ("GET", "/api/v1/users"): set(),
    ("POST", "/api/v1/users"): set(),
    ("GET", "/api/v1/users/nobody"): set(),
    ("PATCH", "/api/v1/users/nobody"): set(Scope),  # the service judges, when the body is read
    ("GET", "/api/v1/quotas"): set(),
    ("PATCH", "/api/v1/quotas/nobody"): set(),
    ("GET", "/api/v1/api-keys"): set(Scope),
    ("POST", "/api/v1/api-keys"): set(Scope),
    ("DELETE", "/api/v1/api-keys/00000000"): set(Scope),
    ("GET", "/api/v1/audit"): set(),
    ("GET", "/api/v1/twilio-accounts"): set(),
    ("POST", "/api/v1/twilio-accounts"): set(),
    ("GET", "/api/v1/twilio-accounts/AC0"): set(),
    ("PATCH", "/api/v1/twilio-accounts/AC0"): set(),
    ("DELETE", "/api/v1/twilio-accounts/AC0"): set(),
    ("POST", "/api/v1/audit/verify"): set(),
    ("GET", "/api/v1/providers"): set(),
    ("POST", "/api/v1/providers"): set(),
    ("GET", "/api/v1/providers/none"): set(),
    ("PATCH", "/api/v1/providers/none"): set(),
    ("DELETE", "/api/v1/providers/none"): set(),
    ("POST", "/api/v1/providers/none/enable"): set(),
    ("POST", "/api/v1/providers/none/disable"): set(),
    ("POST", "/api/v1/providers/none/test"): set(),
    ("GET", "/api/v1/provider-kinds"): set(),
    ("GET", "/api/v1/routing-rules"): set(),
    ("PUT", "/api/v1/routing-rules"): set(),
    ("POST", "/api/v1/routing-rules/preview"): set(),
}


@pytest.mark.parametrize("scope", list(Scope))
async def test_every_scope_against_every_operation(box: Box, brought: Brought, scope: Scope) -> None:
    key = await box.key(Role.ADMIN, scope)
    async with box.client(key) as client:
        for (method, path), needed in SCOPES.items():
            answer = await client.request(method, path)
            allowed = scope in needed or scope is Scope.ADMIN
            assert (answer.status_code == 403) != allowed, (method, path, answer.text)
            assert answer.status_code < 500, (method, path, answer.text)
            if not allowed:
                assert answer.json()["error_code"] == "FORBIDDEN"


def test_the_matrix_names_every_operation_that_needs_a_key() -> None:
    from modembank_web.factory import documented
    from modembank_web.operation import Access
    from modembank_web.readiness import Readiness

    listed = documented(Readiness())[0]
    named = {(method, len(path.split("/")), path.partition("?")[0].split("/")[-1]) for method, path in SCOPES}
    for operation in listed:
        if operation.access is not Access.OPEN and operation.authenticate is None:
            parts = operation.path.split("/")
            assert any(
                (method, size) == (operation.method, len(parts)) and (parts[-1] == last or "{" in parts[-1])
                for method, size, last in named
            ), operation.id


async def test_a_revoked_key_ends_with_the_next_request(box: Box) -> None:
    key = await box.key()
    async with box.client(key) as client:
        assert (await client.get(LIST)).status_code == 200
        await box.accounts.revoke_key(LOCAL_ADMIN, key.split("_")[1])
        answer = await client.get(LIST)
    assert (answer.status_code, answer.json()["detail"]) == (401, "the API key was revoked")


async def test_on_the_administrators_own_socket_no_key_is_asked(box: Box) -> None:
    transport = httpx.ASGITransport(with_all_as(LOCAL_ADMIN, box.web), client=("192.0.2.7", 40000))
    async with httpx.AsyncClient(transport=transport, base_url="http://box.test") as client:
        assert (await client.get(LIST)).status_code == 200
        assert (await client.get("/api/v1/modems")).status_code == 200
        assert (await client.get("/metrics")).status_code == 200
    async with box.client() as client:  # the same application, by its other sockets
        assert (await client.get(LIST)).status_code == 401


@given(st.dictionaries(st.sampled_from([b"authorization", b"api-key"]), st.binary(max_size=40), min_size=1))
def test_any_header_is_a_candidate_or_unauthorized(headers: dict[bytes, bytes]) -> None:
    try:
        key = presented_key(headers)
    except Unauthorized:
        return
    assert isinstance(key, str)


@given(st.binary(max_size=60))
def test_any_query_is_free_of_keys_or_refused(query: bytes) -> None:
    try:
        refuse_key_in_query(query)
    except KeyInAddress:
        words = b"mb_", b"key", b"token", b"authorization", b"%"
        assert any(word in query.lower() for word in words)
