"""The Twilio dialect on the wire: credentials, forms, addresses of pages, and how refusals look."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest

from fakes.web_boxes import Box
from modembank.accounts import Role, Scope
from modembank.twilio.sids import Kind, message_sid
from modembank_web.dialects.twilio_examples import ACCOUNT

TOKEN = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
PATH = f"/2010-04-01/Accounts/{ACCOUNT}/Messages"
TO = "+447900900123"


@pytest.fixture
async def key(box: Box) -> str:
    """The API key of a user who has an account."""
    key = await box.key(Role.SENDER)
    await box.twilio_account("sender", ACCOUNT, TOKEN)
    return key


@pytest.fixture
async def client(box: Box, key: str) -> AsyncIterator[httpx.AsyncClient]:
    async with box.client() as client:
        client.auth = httpx.BasicAuth(ACCOUNT, TOKEN)
        yield client


def failure(answer: httpx.Response) -> tuple[int, int]:
    """Return status and code of a refusal, after a look at the rest of it."""
    body: Mapping[str, Any] = answer.json()
    assert answer.headers["content-type"] == "application/json"
    assert set(body) == {"code", "message", "more_info", "status"}
    assert body["status"] == answer.status_code
    assert body["more_info"].startswith("/docs/problems#"), "never out of the box"
    return answer.status_code, body["code"]


async def test_a_message_is_made_looked_up_and_listed(client: httpx.AsyncClient) -> None:
    made = await client.post(f"{PATH}.json", data={"To": TO, "Body": "x"})
    assert made.status_code == 201
    body = made.json()
    assert (body["status"], body["to"], body["num_segments"], body["price"]) == ("queued", TO, "1", None)
    assert body["date_created"].endswith(" +0000")
    assert body["uri"] == f"{PATH}/{body['sid']}.json"
    assert (await client.get(body["uri"])).json() == body
    assert (await client.get(f"{PATH}.json")).json()["messages"] == [body]


async def test_pages_carry_their_addresses(client: httpx.AsyncClient) -> None:
    for n in range(3):
        await client.post(f"{PATH}.json", data={"To": TO, "Body": str(n)})
    first = (await client.get(f"{PATH}.json", params={"PageSize": 2, "To": TO})).json()
    assert (first["page"], first["start"], first["end"], first["page_size"]) == (0, 0, 1, 2)
    assert first["previous_page_uri"] is None
    second = (await client.get(first["next_page_uri"])).json()
    assert (second["page"], second["start"], second["end"]) == (1, 2, 2)
    assert second["next_page_uri"] is None
    assert [one["body"] for one in [*first["messages"], *second["messages"]]] == ["2", "1", "0"]
    assert (await client.get(second["previous_page_uri"])).json()["messages"] == first["messages"]
    assert (await client.get(second["first_page_uri"])).json()["messages"] == first["messages"]
    assert failure(await client.get(f"{PATH}.json", params={"Page": 1})) == (400, 20001)
    assert failure(await client.get(f"{PATH}.json", params={"Page": -1})) == (400, 20001)
    assert failure(await client.get(f"{PATH}.json", params={"Colour": "red"})) == (400, 20001)


async def test_what_is_no_form_is_refused(client: httpx.AsyncClient) -> None:
    assert failure(await client.post(f"{PATH}.json", json={"To": TO, "Body": "x"})) == (415, 20001)
    assert failure(await client.post(f"{PATH}.json", data={"To": [TO, TO], "Body": "x"})) == (400, 20001)
    unknown = await client.post(f"{PATH}.json", data={"To": TO, "Body": "x", "Colour": "red"})
    assert failure(unknown) == (400, 20001)
    assert "Colour is not known" in unknown.json()["message"]
    large = await client.post(f"{PATH}.json", data={"To": TO, "Body": "x" * 300_000})
    assert failure(large) == (413, 20001)


async def test_a_message_is_updated_by_one_of_two_fields(client: httpx.AsyncClient) -> None:
    sid = (await client.post(f"{PATH}.json", data={"To": TO, "Body": "x"})).json()["sid"]
    for data in ({}, {"Body": "y"}, {"Status": "sent"}, {"Body": "", "Status": "canceled"}):
        assert failure(await client.post(f"{PATH}/{sid}.json", data=data)) == (400, 20001)
    assert failure(await client.post(f"{PATH}/{sid}.json", data={"Body": ""})) == (409, 20009)
    assert (await client.post(f"{PATH}/{sid}.json", data={"Status": "canceled"})).json()["status"] == "canceled"
    assert (await client.post(f"{PATH}/{sid}.json", data={"Body": ""})).json()["body"] == ""
    assert (await client.delete(f"{PATH}/{sid}.json")).status_code == 204
    assert failure(await client.get(f"{PATH}/{sid}.json")) == (404, 20404)


@pytest.mark.parametrize("address", [f"{PATH}/SM1", f"{PATH}/SM1.xml", f"{PATH}.xml", f"{PATH}"])
async def test_what_does_not_end_in_json_is_not_there(client: httpx.AsyncClient, address: str) -> None:
    assert (await client.get(address)).status_code == 404


async def test_what_is_not_there_is_said_in_its_words_every_time(client: httpx.AsyncClient) -> None:
    absent = message_sid(ACCOUNT, Kind.OUTBOUND, 77)
    for _ in range(3):  # the router remembers paths, and must not remember them changed
        assert failure(await client.get(f"{PATH}/{absent}.json")) == (404, 20404)
        assert failure(await client.get(f"{PATH}/nonsense.json")) == (404, 20404)
    other = PATH.replace(ACCOUNT, "AC" + "0" * 32)
    assert failure(await client.get(f"{other}.json")) == (404, 20404)


async def test_s10_wrong_credentials_tell_nothing(box: Box, key: str) -> None:
    async with box.client() as client:
        answers = [
            await client.get(f"{PATH}.json", headers=headers)
            for headers in (
                {},
                {"Authorization": f"Bearer {key}"},
                {"Authorization": "Basic %%%"},
                {"Authorization": "Basic QUM="},
                {"API-Key": key},
            )
        ]
        for login in ((ACCOUNT, "0" * 32), ("AC" + "0" * 32, TOKEN), ("", TOKEN), (ACCOUNT, ""), ("x", key)):
            answers.append(await client.get(f"{PATH}.json", auth=login))
        for answer in answers:
            assert failure(answer) == (401, 20003)
            assert answer.headers["www-authenticate"].startswith("Basic ")
        assert answers[-5].json()["message"] == answers[-4].json()["message"]
        assert (await client.get(f"{PATH}.json", auth=(ACCOUNT, key))).status_code == 200
        assert failure(await client.get(f"{PATH}.json?PageToken={key}", auth=(ACCOUNT, key))) == (400, 20001)


async def test_a_key_that_may_only_read_sends_nothing(box: Box, key: str) -> None:
    reading = await box.key(Role.SENDER, Scope.MESSAGES_READ)
    async with box.client() as client:
        client.auth = httpx.BasicAuth(ACCOUNT, reading)
        assert (await client.get(f"{PATH}.json")).status_code == 200
        assert failure(await client.post(f"{PATH}.json", data={"To": TO, "Body": "x"})) == (403, 20003)


async def test_a_spent_quota_says_when_to_come_back(box: Box, client: httpx.AsyncClient) -> None:
    await box.store.write(lambda conn: conn.execute("UPDATE users SET quota_per_day = 1"))
    assert (await client.post(f"{PATH}.json", data={"To": TO, "Body": "x"})).status_code == 201
    spent = await client.post(f"{PATH}.json", data={"To": TO, "Body": "x"})
    assert failure(spent) == (429, 20429)
    assert int(spent.headers["retry-after"]) > 0


async def test_accounts_are_made_by_admins_alone(box: Box) -> None:
    sender, admin = await box.key(Role.SENDER), await box.key(Role.ADMIN)
    async with box.client(sender) as client:
        for method, path in (("GET", ""), ("POST", ""), ("GET", f"/{ACCOUNT}"), ("DELETE", f"/{ACCOUNT}")):
            answer = await client.request(method, f"/api/v1/twilio-accounts{path}", json={"user": "sender"})
            assert answer.status_code == 403
    async with box.client(admin) as client:
        made = await client.post("/api/v1/twilio-accounts", json={"user": "sender"})
        assert made.status_code == 201
        body = made.json()
        assert made.headers["location"] == f"/api/v1/twilio-accounts/{body['sid']}"
        assert (await client.get(made.headers["location"])).json() == body
        changed = await client.patch(made.headers["location"], json={"rotate_token": True, "sms_url": None})
        assert changed.json()["auth_token"] != body["auth_token"]
        (listed,) = (await client.get("/api/v1/twilio-accounts")).json()["items"]
        assert "auth_token" not in listed
        assert (await client.delete(made.headers["location"])).status_code == 204
        assert (await client.get(made.headers["location"])).status_code == 404
