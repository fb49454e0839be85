"""The pool in the hub: accepted once, lent within credit, believed by fence and epoch, ended in time, wanted back."""

import asyncio
import json
import sqlite3
from contextlib import closing

import msgspec
import pytest

from fakes.hubs import hub_in
from fakes.pools import signing
from fakes.voices import NOW, SaidBox, hears
from modembank.accounts import LOCAL_ADMIN, Role, Scope
from modembank.clock import SystemClock
from modembank.errors import Conflict, InvalidRequest
from modembank.store.schema import known_migrations, migrate
from modembank_fleet import wire
from modembank_hub import lending as lending_module
from modembank_hub import rows_of_pool as rows
from modembank_hub.pool import Order
from modembank_hub.schema import DATABASE, HUB
from modembank_web.hub import pool_api
from modembank_web.hub.pool_pages import STATES, TONES

ONE = {"to": "+447900900123", "text": "hello"}
RUN = "0123456789abcdef"
PATH = "/api/v1/pool/messages"


class TurnedClock(SystemClock):
    """The machine's clocks, turned ahead together by hand."""

    ahead_s = 0.0

    def now(self):
        return super().now() + self.ahead_s

    def monotonic(self):
        return super().monotonic() + self.ahead_s


class FakeSession:
    """What would go to the broker."""

    def __init__(self):
        self.said = []

    async def publish(self, topic, payload, **more):
        self.said.append((topic, json.loads(payload), more))
        return 0

    def offers(self):
        """Return what was submitted: message and fence, with the box."""
        return [
            (topic.split("/")[3], one["id"], one["fence"])
            for topic, said, _ in self.said
            if topic.endswith("submit")
            for one in said["args"]["msgs"]
        ]

    def recalls(self):
        return [one["id"] for topic, said, _ in self.said if topic.endswith("recall") for one in said["args"]["msgs"]]


class Fleet:
    """A hub, and boxes that say what they are told to."""

    def __init__(self, hub):
        self.hub, self.app = hub, hub.app
        self.clock = TurnedClock()
        self.app.lending._clock = self.app.pool._clock = self.clock
        self.session = FakeSession()
        self.boxes = {}

    async def credit(self, name, window=5, run=RUN, ep=None, up=5.0):
        box = self.boxes.setdefault(name, SaidBox(box=name))
        if ep is not None:
            box.ep, box.next_res = ep, 1
        now = round(self.clock.now() * 1000)
        topic, tele = box.box_tele(now)
        tele.pool, tele.up = wire.PoolCredit(run=run, window=window, held=0), up
        outcome = await hears(self.hub.store, box.avail(), (topic, tele), now=now)
        self.app.lending.heard(outcome.credits, words=outcome.words)

    async def word(self, name, message, word, fence=1, code="", ep=None):
        box = self.boxes[name]
        now, ours = round(self.clock.now() * 1000), box.ep
        box.ep = ep or ours
        said = box.result(message, "done", now, code=code, data={"fence": fence, "word": word})
        said[1].res[0].verb = "msg.submit"
        outcome = await hears(self.hub.store, said, now=now)
        box.ep = ours
        return outcome.words

    async def look(self):
        await self.app.lending._tell(self.session, await self.app.lending._look(giving=True))

    async def submit(self, count=1, **more):
        numbers = [f"+4479009{n:05d}" for n in range(count)]
        accepted, _ = await self.app.pool.submit(LOCAL_ADMIN, Order(numbers, "hello", **more))
        return [one.id for one in accepted]

    async def state(self, message):
        row, _ = await self.app.pool.get(LOCAL_ADMIN, message)
        return row.state, row.code

    async def way(self, message):
        _, steps = await self.app.pool.get(LOCAL_ADMIN, message)
        return [step.what for step in steps]


@pytest.fixture
async def hub(tmp_path, stored):
    async with hub_in(tmp_path, signing(tmp_path), store=stored) as made:
        yield made


@pytest.fixture
async def fleet(hub):
    return Fleet(hub)


# -- lending


async def test_a_message_goes_to_one_box_with_fence_lease_and_signature(fleet):
    (message,) = await fleet.submit()
    await fleet.look()
    assert fleet.session.said == []  # nobody has told credit
    await fleet.credit("b1")
    await fleet.look()
    ((topic, said, more),) = fleet.session.said
    assert topic == "modembank/v1/leeds/b1/down/msg/submit"
    assert (said["ep"], said["by"], said["args"]["run"], said["args"]["up"]) == ("k3f9", "local", RUN, 5.0)
    assert said["args"]["lease"] == lending_module.LEASE_S + 60
    assert said["args"]["msgs"][0] | {"not_after": 0} == {
        "id": message, "to": "+447900900000", "body": "hello", "fence": 1, "not_after": 0,
    }  # fmt: skip
    key = wire.HubKey("h1", fleet.app.lending._signer.public.public, None)
    wire.verify((key,), more["user"]["kid"], more["user"]["sig"], topic, wire_payload(said), 0.0)
    assert more["expiry_s"] <= 660
    assert await fleet.state(message) == ("assigned", "")


def wire_payload(said):
    """Return the payload as it was signed."""
    return msgspec.json.encode(said)


async def test_no_box_gets_more_than_it_takes_and_who_has_most_room_gets_most(fleet):
    await fleet.credit("b1", 2)
    await fleet.credit("b2", 4, run="fedcba9876543210")
    await fleet.submit(9)
    await fleet.look()
    boxes = [box for box, _, _ in fleet.session.offers()]
    assert (boxes.count("b1"), boxes.count("b2")) == (2, 4)
    await fleet.look()
    assert len(fleet.session.offers()) == 6


async def test_it_is_told_again_until_the_box_answers(fleet):
    await fleet.credit("b1")
    (message,) = await fleet.submit()
    for _ in range(3):
        await fleet.look()
        fleet.clock.ahead_s += 61
    assert fleet.session.offers() == [("b1", message, 1)] * 3
    await fleet.word("b1", message, "accepted")
    await fleet.look()
    assert len(fleet.session.offers()) == 3


async def test_words_count_once_by_fence_and_epoch(fleet):
    await fleet.credit("b1")
    (message,) = await fleet.submit()
    await fleet.look()
    assert not await fleet.word("b1", message, "accepted", fence=2)
    assert await fleet.word("b1", message, "accepted", ep="other1")
    assert await fleet.state(message) == ("assigned", "")
    await fleet.word("b1", message, "accepted")
    await fleet.word("b1", message, "sent")
    assert await fleet.state(message) == ("sent", "")
    await fleet.word("b1", message, "delivered")
    assert await fleet.way(message) == ["queued", "assigned", "accepted", "sent", "delivered"]


async def test_what_a_box_refuses_another_gets(fleet):
    await fleet.credit("b1", 3)
    (message,) = await fleet.submit()
    await fleet.look()
    await fleet.credit("b2", 5, run="fedcba9876543210")
    await fleet.word("b1", message, "refused", code="no_credit")
    await fleet.look()
    assert fleet.session.offers() == [("b1", message, 1), ("b2", message, 2)]
    assert await fleet.way(message) == ["queued", "assigned", "refused", "queued", "assigned"]


async def test_what_no_box_could_send_fails(fleet):
    await fleet.credit("b1")
    (message,) = await fleet.submit()
    await fleet.look()
    await fleet.word("b1", message, "refused", code="opted_out")
    assert await fleet.state(message) == ("failed", "opted_out")


async def test_what_one_site_does_not_permit_another_sends_and_when_none_does_it_fails(fleet):
    await fleet.credit("b1", 9)
    await fleet.credit("b2", 5, run="fedcba9876543210")
    (message,) = await fleet.submit()
    await fleet.look()
    await fleet.word("b1", message, "refused", code="invalid")
    await fleet.look()
    assert fleet.session.offers() == [("b1", message, 1), ("b2", message, 2)]
    await fleet.word("b2", message, "refused", fence=2, code="invalid")
    await fleet.look()
    assert await fleet.state(message) == ("failed", "invalid")


async def test_what_is_not_accepted_in_its_lease_goes_to_another_and_what_is_never_does(fleet):
    await fleet.credit("b1")
    silent, accepted = await fleet.submit(2, valid_for_s=7200)
    await fleet.look()
    await fleet.word("b1", accepted, "accepted")
    fleet.clock.ahead_s += 700
    await fleet.look()
    assert await fleet.state(silent) == ("assigned", "")
    fleet.clock.ahead_s += 60
    await fleet.credit("b2", run="fedcba9876543210")
    await fleet.look()
    assert ("b2", silent, 2) in fleet.session.offers()
    assert await fleet.state(accepted) == ("accepted", "")
    assert fleet.session.recalls() == [accepted]  # its box is asked
    await fleet.word("b1", accepted, "released", code="lease_over")
    await fleet.look()
    assert ("b2", accepted, 2) in fleet.session.offers()


async def test_at_least_once_goes_on_without_an_answer_and_is_marked(fleet):
    await fleet.credit("b1")
    (message,) = await fleet.submit(valid_for_s=7200, dup="alo")
    await fleet.look()
    await fleet.word("b1", message, "accepted")
    fleet.clock.ahead_s += 770
    await fleet.credit("b2", run="fedcba9876543210")
    await fleet.look()
    assert ("b2", message, 2) in fleet.session.offers()
    await fleet.word("b2", message, "accepted", fence=2)
    await fleet.word("b2", message, "sent", fence=2)
    await fleet.word("b1", message, "sent", fence=1)
    totals = await fleet.app.pool.totals(LOCAL_ADMIN)
    assert (totals.maybe_dup, totals.conflicts, totals.states["sent"]) == (1, 1, 1)


async def test_a_hub_that_was_started_counts_leases_from_the_beginning(fleet):
    await fleet.credit("b1")
    (message,) = await fleet.submit(valid_for_s=7200)
    await fleet.look()
    fleet.clock.ahead_s += 700
    fleet.app.lending._life = "another"
    fleet.app.lending._credits.clear()
    await fleet.look()
    fleet.clock.ahead_s += 700
    await fleet.look()
    assert await fleet.state(message) == ("assigned", "")
    fleet.clock.ahead_s += 70
    await fleet.look()
    assert await fleet.state(message) == ("queued", "no_answer")


async def test_another_life_of_a_box_makes_unknown_what_it_had(fleet):
    await fleet.credit("b1")
    (message,) = await fleet.submit()
    await fleet.look()
    await fleet.word("b1", message, "accepted")
    fleet.boxes["b1"].conn += 1
    await fleet.credit("b1", ep="newlife1", run="fedcba9876543210")
    await fleet.look()
    assert await fleet.state(message) == ("unknown", "box_restored")


async def test_time_ends_everything(fleet):
    queued, silent, accepted = (await fleet.submit(3, valid_for_s=120))[::1]
    await fleet.credit("b1", 2)
    await fleet.look()
    given = {message for _, message, _ in fleet.session.offers()}
    assert given == {queued, silent}  # the oldest go first
    await fleet.word("b1", silent, "accepted")
    fleet.clock.ahead_s += 121
    await fleet.app.lending.pass_time()
    assert await fleet.state(accepted) == ("expired", "")
    fleet.clock.ahead_s += 90
    await fleet.app.lending.pass_time()
    assert await fleet.state(queued) == ("expired", "no_answer")
    assert await fleet.state(silent) == ("expired_unknown", "no_answer")
    await fleet.word("b1", silent, "delivered")  # the box knows better
    assert await fleet.state(silent) == ("delivered", "")


async def test_a_box_that_takes_none_any_more_is_asked_for_what_it_has(fleet):
    await fleet.credit("b1")
    (message,) = await fleet.submit()
    await fleet.look()
    await fleet.word("b1", message, "accepted")
    await fleet.credit("b1", 0, up=6.0)
    await fleet.look()
    assert fleet.session.recalls() == [message]


async def test_a_message_is_wanted_back_at_once_or_of_its_box(fleet):
    await fleet.credit("b1", 1)
    given, queued = await fleet.submit(2)
    await fleet.look()
    assert (await fleet.app.pool.cancel(LOCAL_ADMIN, queued)).state == "cancelled"
    await fleet.word("b1", given, "accepted")
    assert (await fleet.app.pool.cancel(LOCAL_ADMIN, given)).state == "accepted"
    await fleet.look()
    assert fleet.session.recalls() == [given]
    await fleet.word("b1", given, "released", code="recalled")
    assert await fleet.state(given) == ("cancelled", "recalled")
    assert await fleet.way(given) == ["queued", "assigned", "accepted", "wanted_back", "released", "cancelled"]
    with pytest.raises(Conflict):
        await fleet.app.pool.cancel(LOCAL_ADMIN, given)


async def test_what_makes_no_sense_changes_nothing(fleet):
    await fleet.credit("b1")
    (message,) = await fleet.submit()
    await fleet.look()
    assert not await fleet.word("b1", message, "eaten")
    assert not await fleet.word("b1", "m-of-nobody", "sent")
    await fleet.credit("b2", run="fedcba9876543210")
    assert not await fleet.word("b2", message, "sent")
    assert await fleet.word("b1", message, "accepted", code="a code of the future")
    assert await fleet.state(message) == ("accepted", "")


async def test_telemetry_counts_after_a_start_of_the_box(fleet):
    await fleet.credit("b1", 5)
    box = fleet.boxes["b1"]
    box.tele = 4000
    await fleet.credit("b1", 4)
    box.bs, box.tele = box.bs + 1, 0
    await fleet.credit("b1", 3, run="fedcba9876543210")
    (tele,) = await fleet.hub.store.fetch_one("SELECT tele FROM boxes")
    assert json.loads(tele)["pool"]["window"] == 3


async def test_the_database_of_a_hub_without_a_pool_goes_on(tmp_path):
    path = tmp_path / DATABASE
    with closing(sqlite3.connect(path)) as old:
        migrate(old, path, known_migrations(HUB)[:1], NOW, HUB)
        old.execute("INSERT INTO boxes (site, box, first_at, seen_at) VALUES ('leeds', 'b1', 1, 1)")
        old.commit()
    async with hub_in(tmp_path, signing(tmp_path)) as hub:
        assert await hub.store.fetch_one("SELECT site, box FROM boxes") == ("leeds", "b1")
        await hub.app.pool.submit(LOCAL_ADMIN, Order(["+447900900123"], "x"))
        assert (await hub.app.pool.totals(LOCAL_ADMIN)).states["queued"] == 1


async def test_a_way_is_kept_in_bounds(fleet):
    (message,) = await fleet.submit()

    def go_round(conn):
        for n in range(250):
            rows.add_step(conn, message, rows.NewStep(n, "released", n))

    await fleet.hub.store.write(go_round)
    way = await fleet.way(message)
    assert (len(way), way[0], way[-1]) == (rows.MOST_STEPS + 1, "queued", "released")


async def test_what_ended_long_ago_is_forgotten_with_its_way(fleet):
    (message,) = await fleet.submit()
    await fleet.app.pool.cancel(LOCAL_ADMIN, message)
    await fleet.app.pool.forget_old(1)
    assert await fleet.state(message) == ("cancelled", "")
    fleet.clock.ahead_s += 2 * 86_400
    await fleet.app.pool.forget_old(1)
    assert await fleet.hub.store.fetch_one("SELECT count(*) FROM pool_messages") == (0,)
    assert await fleet.hub.store.fetch_one("SELECT count(*) FROM pool_steps") == (0,)


# -- people and programs


@pytest.mark.parametrize(
    ("order", "pointer"),
    [
        (Order([], "x"), "/to"),
        (Order(["07900900123"], "x"), "/to/0"),
        (Order(["07900900123"], "x", listed=False), "/to"),
        (Order(["+447900900123"], ""), "/text"),
        (Order(["+447900900123"], "x" * 4000), "/text"),
        (Order(["+447900900123"], "x", 60), "/valid_for_s"),
        (Order(["+447900900123"], "x", reference="a\nb"), "/reference"),
    ],
)
async def test_what_is_wrong_is_named_and_nothing_is_kept(hub, order, pointer):
    with pytest.raises(InvalidRequest) as refused:
        await hub.app.pool.submit(LOCAL_ADMIN, order)
    assert [problem.pointer for problem in refused.value.problems] == [pointer]
    assert await hub.store.fetch_one("SELECT count(*) FROM pool_messages") == (0,)


async def test_a_hub_without_a_key_says_that_it_can_not(tmp_path):
    async with hub_in(tmp_path) as hub, hub.client(await hub.key()) as client:
        answer = await client.post(PATH, json=ONE)
        assert answer.status_code == 409
        assert "[signing] key_file" in answer.json()["detail"]


async def test_a_message_is_accepted_listed_followed_and_cancelled(hub):
    async with hub.client(await hub.key(Role.SENDER)) as client:
        answer = await client.post(PATH, json=ONE | {"reference": "r-1", "valid_for_s": 600})
        assert answer.status_code == 202
        (message,) = answer.json()["messages"]
        assert answer.headers["location"] == f"{PATH}/{message['id']}"
        assert (message["state"], message["delivery"], message["by"]) == ("queued", "at_most_once", "sender")
        found = (await client.get(f"{PATH}/{message['id']}")).json()
        assert [step["what"] for step in found["way"]] == ["queued"]
        assert [one["id"] for one in (await client.get(f"{PATH}?state=queued")).json()["items"]] == [message["id"]]
        assert (await client.get(f"{PATH}?state=sent")).json()["items"] == []
        cancelled = (await client.post(f"{PATH}/{message['id']}/cancel")).json()
        assert cancelled["state"] == "cancelled"
        assert (await client.post(f"{PATH}/{message['id']}/cancel")).status_code == 409
        assert (await client.get("/api/v1/pool")).status_code == 403


async def test_the_same_request_with_its_key_makes_messages_once(hub):
    async with hub.client(await hub.key(), **{"Idempotency-Key": "order-1"}) as client:
        body = {"to": ["+447900900123", "+447900900124", "+447900900123"], "text": "x"}
        first, again = await asyncio.gather(client.post(PATH, json=body), client.post(PATH, json=body))
        assert first.json() == again.json()
        assert len(first.json()["messages"]) == 2
        assert {first.headers.get("idempotent-replay"), again.headers.get("idempotent-replay")} == {None, "true"}
        other = await client.post(PATH, json=body | {"text": "y"})
        assert (other.status_code, "used before with another body" in other.text) == (422, True)
        assert (await client.get("/api/v1/pool")).json()["states"]["queued"] == 2


async def test_nobody_sees_what_others_send_but_admins(hub):
    (message,), _ = await hub.app.pool.submit(LOCAL_ADMIN, Order(["+447900900123"], "x"))
    async with hub.client(await hub.key(Role.SENDER)) as sender, hub.client(await hub.key()) as admin:
        assert (await sender.get(f"{PATH}/{message.id}")).status_code == 404
        assert (await sender.get(PATH)).json()["items"] == []
        assert (await sender.post(f"{PATH}/{message.id}/cancel")).status_code == 404
        assert (await admin.get(f"{PATH}/{message.id}")).status_code == 200


@pytest.mark.parametrize("operation", pool_api.OPERATIONS, ids=lambda operation: operation.id)
async def test_nobody_comes_in_without_a_key_that_may(hub, operation):
    path = operation.path.replace("{id}", "m0123456789abcdef")
    body = {} if operation.method == "GET" else {"json": ONE}
    async with hub.client() as stranger, hub.client(await hub.key(Role.ADMIN, Scope.MODEMS)) as reader:
        assert (await stranger.request(operation.method, path, **body)).status_code == 401
        assert (await reader.request(operation.method, path, **body)).status_code == 403


@pytest.mark.parametrize("operation", pool_api.OPERATIONS, ids=lambda operation: operation.id)
def test_every_example_has_the_shape_that_is_promised(operation):
    for reply in operation.replies:
        msgspec.convert(reply.example, reply.shape)
        assert set(reply.example) == {field.encode_name for field in msgspec.structs.fields(reply.shape)}
    if operation.body is not None:
        for example in operation.body.examples.values():
            msgspec.convert(example, operation.body.shape)


async def test_lists_go_on(hub):
    await hub.app.pool.submit(LOCAL_ADMIN, Order([f"+4479009{n:05d}" for n in range(120)], "x"))
    async with hub.client(await hub.key()) as client:
        seen, address = [], f"{PATH}?limit=50"
        while address is not None:
            page = (await client.get(address)).json()
            seen += [one["to"] for one in page["items"]]
            address = page["next"]
        assert seen == [f"+4479009{n:05d}" for n in reversed(range(120))]
        assert (await client.get(f"{PATH}?cursor=x")).status_code == 422


async def test_pages_show_the_pool_and_take_a_message_back(hub):
    (message,), _ = await hub.app.pool.submit(LOCAL_ADMIN, Order(["+447900900123"], "x"))
    async with hub.at_a_page() as client:
        assert "Waiting for a box" in (await client.get("/ui/pool")).text
        assert message.id in (await client.get("/ui/pool?state=queued")).text
        assert "No such messages" in (await client.get("/ui/pool?state=sent")).text
        assert "It waits for a box" in (await client.get(f"/ui/pool/{message.id}")).text
        answer = await client.post(f"/ui/pool/{message.id}/cancel")
        assert "It was taken back" in answer.text
        assert "It was taken back" in (await client.post(f"/ui/pool/{message.id}/cancel")).text
    steps = await hub.store.read(lambda conn: list(rows.steps(conn, message.id)))
    assert [step.what for step in steps] == ["queued", "wanted_back", "cancelled"]


def test_every_state_has_its_tone():
    assert set(STATES) <= set(TONES)
