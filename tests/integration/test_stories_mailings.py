"""A mailing on a whole box with an emulated bank: it is sent, pauses, goes on, is cancelled, and tells how it went."""

from fakes.boxes import NO_LIMITS, box_on, emulated, running
from fakes.stories import CALM
from modembank.config import LimitsConfig
from modembank.messages import batches


def people(count, first=0):
    return "name,phone\n" + "".join(f"N{at},+4479009{at:05d}\n" for at in range(first, first + count))


async def create(box, file, **fields):
    answer = await box.client.post(
        "/api/v1/mailings", files={"file": ("people.csv", file.encode())}, data={"template": "Dear {name}", **fields}
    )
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


async def do(box, mailing, verb):
    answer = await box.client.post(f"/api/v1/mailings/{mailing}/{verb}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def until(box, mailing, condition):
    async def met():
        view = await box.get(f"mailings/{mailing}")
        return view if condition(view) else None

    return await box.until(met)


def status(*words):
    return lambda view: view["status"] in words


async def check_books(box):
    """The counters of every mailing are those of its messages, and nothing is stranded."""
    assert (await box.app.messages.recount()).breaches() == ()

    def each(conn):
        for (mailing,) in conn.execute("SELECT id FROM mailings").fetchall():
            assert batches.counts(conn, mailing) == {k: v for k, v in batches.recount(conn, mailing).items() if v}

    await box.app.store.read(each)


async def walked(box):
    async def still():
        return not await box.app.store.fetch_one("SELECT 1 FROM mailings WHERE walk IS NOT NULL")

    await box.until(still)


async def test_a_mailing_is_delivered_and_finishes(tmp_path):
    async with box_on(tmp_path, timings=CALM) as box:
        mailing = await create(box, people(12))
        view = await until(box, mailing, status("finished"))
        assert view["progress"]["accepted"] == 12
        await until(box, mailing, lambda view: view["messages"]["delivered"] == 12)
        assert len(box.seen()) == len(set(box.seen())) == 12
        await check_books(box)
        kinds = await box.app.store.fetch_all("SELECT kind FROM event_log WHERE kind LIKE 'mailing.%' ORDER BY id")
        assert kinds == [("mailing.started",), ("mailing.imported",), ("mailing.finished",)]


async def test_a_paused_mailing_sends_nothing_and_goes_on_when_it_is_resumed(tmp_path):
    slow = LimitsConfig(min_interval_s=0, per_minute=3, per_hour=0, per_day=0)
    async with box_on(tmp_path, timings=CALM, limits=slow, modems=1) as box:
        mailing = await create(box, people(10))
        await box.until(lambda: len(box.seen()) == 3)
        await until(box, mailing, lambda view: view["progress"]["phase"] == "done")
        assert (await do(box, mailing, "pause"))["status"] == "paused"
        await walked(box)
        await check_books(box)
        other = await box.send("+19990000001")
        await box.turn(61)
        await box.until_status(other["id"], "delivered")
        assert len(box.seen()) == 4
        batch = mailing.replace("mlg_", "bat_")
        waits = (await box.get(f"messages?batch={batch}&status=queued"))["items"]
        assert len(waits) == 7
        assert waits[0]["waiting_for"].startswith("its mailing waits")
        assert (await do(box, mailing, "resume"))["status"] == "sending"
        await walked(box)
        await box.limit(0, per_minute=0)
        await until(box, mailing, status("finished"))
        assert len(box.seen()) == len(set(box.seen())) == 11
        await check_books(box)


async def test_a_cancelled_mailing_sends_no_more(tmp_path):
    slow = LimitsConfig(min_interval_s=0, per_minute=3, per_hour=0, per_day=0)
    async with box_on(tmp_path, timings=CALM, limits=slow, modems=1) as box:
        mailing = await create(box, people(10))
        await box.until(lambda: len(box.seen()) == 3)
        await until(box, mailing, lambda view: view["progress"]["phase"] == "done")
        assert (await do(box, mailing, "cancel"))["status"] == "cancelled"
        await walked(box)
        view = await until(box, mailing, lambda view: view["messages"]["delivered"] == 3)
        assert view["messages"]["cancelled"] == 7
        assert view["cause"] == "cancelled: by tester"
        assert view["finished_at"]
        answer = await box.client.post(f"/api/v1/mailings/{mailing}/resume")
        assert answer.status_code == 409
        await check_books(box)


async def test_a_held_mailing_waits_for_its_start_and_survives_a_restart(tmp_path):
    async with emulated(tmp_path / "tty") as bank:
        async with running(bank, tmp_path / "data", timings=CALM, limits=NO_LIMITS) as box:
            mailing = await create(box, people(6), hold="true")
            await until(box, mailing, status("ready"))
        async with running(bank, tmp_path / "data", timings=CALM, limits=NO_LIMITS) as box:
            assert (await box.get(f"mailings/{mailing}"))["messages"]["queued"] == 6
            assert box.seen() == []
            for verb in ("pause", "resume"):
                assert (await box.client.post(f"/api/v1/mailings/{mailing}/{verb}")).status_code == 409
            held = await box.get(f"mailings/{mailing}")
            started = await do(box, mailing, "start")
            assert started["expires_at"] < held["expires_at"]  # a year while it was held, two days from now on
            await until(box, mailing, status("finished"))
            assert len(set(box.seen())) == 6
            sent = (await box.get("messages"))["items"]
            assert {message["expires_at"] for message in sent} == {started["expires_at"]}
            assert (await box.client.post(f"/api/v1/mailings/{mailing}/start")).status_code == 409
            await check_books(box)


async def test_a_paused_mailing_that_is_held_after_an_outage_waits_for_both(tmp_path):
    async with box_on(tmp_path, timings=CALM) as box:
        mailing = await create(box, people(4), hold="true")
        await until(box, mailing, status("ready"))
        await box.app.store.write(lambda conn: conn.execute("UPDATE messages SET ready = 3").rowcount)
        answer = await box.client.post("/api/v1/outage/decide", json={"decision": "send"})
        assert answer.status_code == 200, answer.text
        await check_books(box)
        assert box.seen() == []
        await do(box, mailing, "start")
        await until(box, mailing, status("finished"))
        assert len(box.seen()) == 4
