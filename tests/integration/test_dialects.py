"""Clients of other services against a box with an emulated bank: they know its address, a key, and their dialect."""

import asyncio
from contextlib import asynccontextmanager

import httpx

from fakes.boxes import box_on
from modembank.accounts import LOCAL_ADMIN, Role

NUMBER = "+19990000001"


@asynccontextmanager
async def client_of(box, name="app", *, basic=False):
    """An HTTP client with a sender's key, as a program elsewhere has one."""
    if name not in [user.name for user in await box.app.accounts.users(LOCAL_ADMIN)]:
        await box.app.accounts.add_user(LOCAL_ADMIN, name, Role.SENDER)
    _, key = await box.app.accounts.add_key(LOCAL_ADMIN, name)
    auth = httpx.BasicAuth("anybody", key) if basic else None
    headers = {} if basic else {"API-Key": key}
    async with httpx.AsyncClient(
        base_url=box.daemon.url, auth=auth, headers=headers, timeout=30, trust_env=False
    ) as client:
        yield client


async def polled(box, client, task_id, *words):
    """Ask for a task until its status is one of these, as clients of such gateways do."""

    async def ended():
        answer = await client.get(f"/tasks/{task_id}")
        assert answer.status_code == 200, answer.text
        return answer.json() if answer.json()["task_status"] in words else None

    return await box.until(ended)


# -- the mailing gateway


async def test_the_mailing_gateway_sends_one_and_tells_of_it(tmp_path):
    async with box_on(tmp_path) as box, client_of(box) as client:
        answer = await client.post("/sending", json={"number": NUMBER, "text": "Your parcel arrives today."})
        assert answer.status_code == 202, answer.text
        task = answer.json()
        assert set(task) == {"task_id", "task_status", "task_result"}
        assert (task["task_status"], task["task_result"]["number"]) == ("PENDING", NUMBER)
        done = await polled(box, client, task["task_id"], "SUCCESS")
        assert done["task_result"]["status"] in {"sent", "delivered"}
        shown = await client.get(done["task_result"]["URL"])
        assert (shown.json()["to"], shown.json()["text"]) == (NUMBER, "Your parcel arrives today.")
        assert box.seen() == [NUMBER]


async def test_the_mailing_gateway_sends_many_and_names_those_it_cannot(tmp_path):
    good = [f"+1999{number:07d}" for number in range(20)]
    async with box_on(tmp_path) as box, client_of(box, basic=True) as client:
        answer = await client.post("/mailing", json={"numbers": [*good[:10], "12", "none", *good[10:]], "text": "hi"})
        assert answer.status_code == 202, answer.text
        task = answer.json()
        statuses = [result["status"] for result in task["task_result"]]
        assert statuses == ["queued"] * 10 + ["refused"] * 2 + ["queued"] * 10
        assert [result["URL"] for result in task["task_result"] if result["status"] == "refused"] == ["", ""]
        assert "detail" in task["task_result"][10]
        done = await polled(box, client, task["task_id"], "SUCCESS")
        assert [result["number"] for result in done["task_result"]] == [
            result["number"] for result in task["task_result"]
        ]
        assert [result["status"] for result in done["task_result"]].count("refused") == 2
        assert sorted(box.seen()) == good
        assert (await client.get(answer.headers["location"])).json()["task_id"] == task["task_id"]


async def test_the_mailing_gateway_refuses_whole_what_has_nobody(tmp_path):
    async with box_on(tmp_path) as box, client_of(box) as client:
        for numbers in ([], ["none"], ["12", "x"]):
            answer = await client.post("/mailing", json={"numbers": numbers, "text": "hi"})
            assert (answer.status_code, answer.json()["error_code"]) == (422, "INVALID_PAYLOAD")
            assert answer.json()["errors"][0]["pointer"].startswith("/numbers")
        answer = await client.post("/sending", json={"number": "none", "text": ""})
        assert [error["pointer"] for error in answer.json()["errors"]] == ["/number", "/text"]
        assert (await client.post("/mailing", json={"numbers": [f"+1999{n:07d}" for n in range(10_001)], "text": "x"})
                ).status_code == 422  # fmt: skip


async def test_the_mailing_gateway_takes_ten_thousand_at_once(tmp_path):
    numbers = [f"+1999{number:07d}" for number in range(9_999)] + ["none"]
    async with box_on(tmp_path) as box, client_of(box) as client, client_of(box, "other") as stranger:
        await box.patch_sim(0, paused=True)
        await box.patch_sim(1, paused=True)
        headers = {"Idempotency-Key": "mailing-1"}
        answer = await client.post("/mailing", json={"numbers": numbers, "text": "hi"}, headers=headers)
        assert answer.status_code == 202, answer.text
        task = answer.json()
        assert len(task["task_result"]) == 10_000
        assert task["task_result"][-1]["status"] == "refused"
        again = await client.post("/mailing", json={"numbers": numbers, "text": "hi"}, headers=headers)
        assert (again.json(), again.headers["idempotent-replay"]) == (task, "true")
        other = await client.post("/mailing", json={"numbers": numbers, "text": "ho"}, headers=headers)
        assert other.status_code == 422
        asked = await client.get(f"/tasks/{task['task_id']}")
        assert asked.json() == task
        assert (await stranger.get(f"/tasks/{task['task_id']}")).status_code == 404
        assert (await box.client.get("/api/v1/conservation")).json()["holds"] is True


async def test_a_mailing_of_one_is_a_list_too(tmp_path):
    async with box_on(tmp_path) as box, client_of(box) as client:
        task = (await client.post("/mailing", json={"numbers": [NUMBER], "text": "hi"})).json()
        assert [result["number"] for result in task["task_result"]] == [NUMBER]
        done = await polled(box, client, task["task_id"], "SUCCESS")
        assert [result["number"] for result in done["task_result"]] == [NUMBER]


async def test_a_task_fails_when_nothing_left_the_box(tmp_path):
    async with box_on(tmp_path) as box, client_of(box) as client, client_of(box, "other") as stranger:
        await box.patch_sim(0, paused=True)
        await box.patch_sim(1, paused=True)
        task = (await client.post("/sending", json={"number": NUMBER, "text": "hi"})).json()
        assert (await client.post(f"/api/v1/messages/{task['task_id']}/cancel")).status_code == 200
        assert (await client.get(f"/tasks/{task['task_id']}")).json()["task_status"] == "FAILURE"
        for wrong in (task["task_id"], "none", "bat_0000008000001", f"{task['task_id']}-0123456789abcdef"):
            assert (await stranger.get(f"/tasks/{wrong}")).status_code == 404


# -- the messaging service


async def test_the_messaging_service_sends_sms_and_logs_each_try(tmp_path):
    async with box_on(tmp_path) as box, client_of(box) as client, client_of(box, "other") as stranger:
        answer = await client.post("/sendMessage", json={"type": "sms", "recipient": NUMBER, "content": "4711"})
        assert answer.status_code == 202, answer.text
        sent = answer.json()
        assert (sent["type"], sent["recipient"], sent["status"]) == ("sms", NUMBER, "queued")
        await box.until_status(sent["id"], "delivered")
        shown = (await client.get(f"/sendMessage/{sent['id']}")).json()
        assert (shown["content"], shown["status"]) == ("4711", "delivered")
        assert [attempt["status"] for attempt in shown["attempts"]] == ["accepted"]
        assert shown["attempts"][0]["provider"] in {card.iccid for card in box.bank.cards}
        assert (await client.get(sent["address"])).json()["id"] == sent["id"]
        assert (await client.get("/sendMessage?limit=1")).json() == {"items": [shown], "next": None}
        assert (await stranger.get(f"/sendMessage/{sent['id']}")).status_code == 404
        assert (await stranger.get("/sendMessage")).json()["items"] == []


async def test_the_messaging_service_has_no_other_provider(tmp_path):
    async with box_on(tmp_path) as box, client_of(box) as client:
        for kind in ("email", "whatsapp"):
            answer = await client.post("/sendMessage", json={"type": kind, "recipient": "a@b.example", "content": "x"})
            assert (answer.status_code, answer.json()["error_code"]) == (503, "NO_PROVIDER_AVAILABLE")
            assert kind in answer.json()["detail"]
            assert answer.headers["retry-after"] == "3600"
        answer = await client.post("/sendMessage", json={"type": "fax", "recipient": NUMBER, "content": "x"})
        assert answer.json()["errors"][0]["pointer"] == "/type"
        answer = await client.post("/sendMessage", json={"type": "sms", "recipient": "x", "content": ""})
        assert [error["pointer"] for error in answer.json()["errors"]] == ["/recipient", "/content"]
        assert (await client.get("/sendMessage")).json()["items"] == []


# -- the SMS service


def sms(sender, receiver, text, uuid):
    return {
        "senderPhone": sender, "receiverPhone": receiver, "messageText": text,
        "timestamp": "2026-11-20T14:05:00Z", "uuid": uuid,
    }  # fmt: skip


async def test_the_sms_service_holds_a_conversation(tmp_path):
    async with box_on(tmp_path) as box, client_of(box) as client:
        ours = box.bank.cards[1].msisdn
        sent = await client.post("/api/send-sms", json=sms(ours, NUMBER, "Your table is ready.", "u-1"))
        assert (sent.status_code, sent.json()["message"]) == (200, "SMS sent successfully")
        message = await box.until_status(sent.json()["id"], "delivered")
        assert message["from"] == ours
        received = await client.post("/api/receive-sms", json=sms(NUMBER, ours, "On my way.", "u-1"))
        assert (received.status_code, received.json()["message"]) == (200, "SMS received successfully")
        answer = await client.get(f"/api/get-conversation/{NUMBER}")
        said = [(each["direction"], each["message_text"]) for each in answer.json()["messages"]]
        assert said == [("sent", "Your table is ready."), ("received", "On my way.")]
        assert {each["phone_number"] for each in answer.json()["messages"]} == {NUMBER}
        part = (await client.get(f"/api/get-conversation/{NUMBER}?limit=1")).json()
        assert [each["message_text"] for each in part["messages"]] == ["On my way."]
        before = (await client.get(part["next"])).json()
        assert ([each["message_text"] for each in before["messages"]], before["next"]) == (
            ["Your table is ready."],
            None,
        )


async def test_the_sms_service_does_everything_once(tmp_path):
    async with box_on(tmp_path) as box, client_of(box) as client:
        for path in ("/api/send-sms", "/api/receive-sms"):
            body = sms("+19990000009", NUMBER, "hi", "u-1")
            answers = await asyncio.gather(*(client.post(path, json=body) for _ in range(5)))
            assert {answer.status_code for answer in answers} == {200}
            assert len({answer.json()["id"] for answer in answers}) == 1
            changed = await client.post(path, json={**body, "messageText": "ho"})
            assert (changed.status_code, changed.json()["error_code"]) == (422, "INVALID_PAYLOAD")
        await box.until(box.seen)
        assert box.seen() == [NUMBER]


async def test_the_sms_service_names_its_own_fields(tmp_path):
    async with box_on(tmp_path) as box, client_of(box) as client:
        answer = await client.post("/api/send-sms", json=sms("x", "none", "", "u-2"))
        assert [error["pointer"] for error in answer.json()["errors"]] == ["/receiverPhone", "/messageText"]
        answer = await client.post("/api/receive-sms", json=sms("a\nb", "x", "", "u 2"))
        assert [error["pointer"] for error in answer.json()["errors"]] == ["/uuid"]
        answer = await client.post("/api/receive-sms", json=sms("a\nb", "x", "", "u-2"))
        assert [error["pointer"] for error in answer.json()["errors"]] == ["/senderPhone"]
        answer = await client.post("/api/send-sms", json={"uuid": "u"})
        assert len(answer.json()["errors"]) == 4


# -- what is said through the air


async def test_a_conversation_through_the_air(tmp_path):
    async with box_on(tmp_path) as box, client_of(box) as client, client_of(box, "other") as stranger:
        there, here = box.bank.cards[0].msisdn, box.bank.cards[1].msisdn
        # The box's own first SIM is the other side: what it sends comes in through the second.
        asked = await client.post("/api/v1/messages", json={"to": there, "text": "Where are you?", "sim": "slot-02"})
        assert asked.status_code == 202
        await box.send(here, "At the station", sim="slot-01")

        async def answered():
            items = (await client.get("/api/v1/conversations")).json()["items"]
            return [item for item in items if item["last_text"] == "At the station"]

        (conversation,) = await box.until(answered)
        assert (conversation["number"], conversation["unread"], conversation["user"]) == (there, 1, "app")
        replied = await client.post(f"/api/v1/conversations/{there}/messages", json={"text": "Stay there"})
        assert replied.status_code == 202, replied.text
        message = await box.until_status(replied.json()["id"], "sent", "delivered")
        assert (message["from"], message["to"]) == (here, there)
        thread = (await client.get(f"/api/v1/conversations/{there}")).json()
        said = [(item["direction"], item["text"]) for item in thread["items"]]
        assert ("inbound", "At the station") in said
        assert said[-1] == ("outbound", "Where are you?")
        assert (await client.post(f"/api/v1/conversations/{there}/read", json={})).json()["unread"] == 0
        assert (await stranger.get("/api/v1/conversations")).json()["items"] == []
        assert (await stranger.get(f"/api/v1/conversations/{there}")).json()["items"] == []
        assert (await stranger.get("/api/v1/inbox")).json()["items"] == []
