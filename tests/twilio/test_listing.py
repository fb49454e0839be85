"""Lists of both directions: every message once at every page size, forwards and back; filters mean what they say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.shops import SENDER, row_of
from modembank.messages import MessageState
from modembank.twilio import Refused, listing
from modembank.twilio.listing import Inbound, Outbound, Place, Wanted, read_token
from modembank.twilio.talking import moment

OTHER = "+447900900124"
DAY = 86_400_000


async def walk(shop, limit, **which):
    """Return the pages of a list, walked forwards, each checked against the way back."""
    pages, token, before = [], None, None
    while True:
        listed = await shop.listed(limit, token, **which)
        pages.append([one.sid for one in listed.messages])
        if before is not None and listed.messages:
            back = await shop.listed(limit, listed.previous, **which)
            assert [one.sid for one in back.messages] == before
        if listed.following is None:
            return pages
        token, before = listed.following, pages[-1]
        assert len(pages) < 50


async def filled(shop):
    """Return sids, newest first, of messages of both directions."""
    sids = []
    for n in range(9):
        to = SENDER if n % 2 else OTHER
        sids.append((await shop.send(to, str(n))).sid if n % 3 else await shop.come(str(n), to))
    await shop.box.store.write(lambda conn: _date(conn, [row_of(sid) for sid in sids]))
    return sids[::-1]


def _date(conn, rows):
    """Let one come each second, from the beginning of 1970 on."""
    for second, row in enumerate(rows, 1):
        conn.execute("UPDATE messages SET created_at = ? WHERE id = ?", (second * 1000, row))
        conn.execute("UPDATE inbox SET received_at = ? WHERE id = ?", (second * 1000, row))


@pytest.mark.parametrize("limit", [1, 2, 3, 9, 10, 1000])
async def test_every_message_once_in_order(shop, limit):
    sids = await filled(shop)
    pages = await walk(shop, limit)
    assert [sid for page in pages for sid in page] == sids
    assert all(len(page) <= limit for page in pages)


async def test_filters(shop):
    sids = await filled(shop)
    own = shop.box.sims.all()[0].msisdn
    by_number = dict(zip(sids, [OTHER, SENDER] * 5, strict=False))
    inbound = [sid for sid in sids if int(sid[16:18]) == 2]
    outbound = [sid for sid in sids if int(sid[16:18]) == 1]
    for which, wanted in (
        ({"to": SENDER}, [sid for sid in outbound if by_number[sid] == SENDER]),
        ({"to": "+44 7900 900124"}, [sid for sid in outbound if by_number[sid] == OTHER]),
        ({"sender": SENDER}, [sid for sid in inbound if by_number[sid] == SENDER]),
        ({"to": own}, inbound),
        ({"sender": own}, []),  # no SIM was chosen for anything yet
        ({"date_sent": "1970-01-01"}, inbound),
        ({"date_sent_after": "1970-01-02"}, []),
        ({"date_sent_before": "1970-01-01"}, []),
        ({"date_sent_before": "1970-01-01T00:00:01Z"}, inbound[-1:]),
        ({"date_sent_before": "1970-01-01T00:00:04Z"}, inbound[-2:]),
        ({"date_sent_before": "1970-01-01T00:00:08Z"}, inbound),
        ({"to": "+447900900999"}, []),
    ):
        for limit in (1, 2, 50):
            assert [sid for page in await walk(shop, limit, **which) for sid in page] == wanted, which


async def test_a_walk_is_bounded_and_goes_on(shop, monkeypatch):
    monkeypatch.setattr(listing, "WALK_LIMIT", 4)
    sids = await filled(shop)
    pages = [page for page in await walk_bounded(shop, date_sent="1970-01-01") if page]
    assert [sid for page in pages for sid in page] == [sid for sid in sids if int(sid[16:18]) == 2]


async def test_a_list_that_ends_before_a_date_begins_there(shop, monkeypatch):
    monkeypatch.setattr(listing, "WALK_LIMIT", 2)
    sids = await filled(shop)
    page = await shop.listed(1, date_sent_before="1970-01-01T00:00:01Z")
    assert [one.sid for one in page.messages] == sids[-1:]
    only_inbound = "DELETE FROM messages WHERE id > (SELECT min(id) FROM inbox)"
    await shop.box.store.write(lambda conn: conn.execute(only_inbound))
    page = await shop.listed(1, date_sent_before="1970-01-01T00:00:07Z")
    assert [one.sid for one in page.messages] == [sid for sid in sids if int(sid[16:18]) == 2][:1]


async def walk_bounded(shop, **which):
    pages, token = [], None
    while len(pages) < 20:
        listed = await shop.listed(5, token, **which)
        pages.append([one.sid for one in listed.messages])
        token = listed.following
        if token is None:
            return pages
    raise AssertionError(pages)


async def test_what_is_hidden_is_not_listed(shop):
    sids = await filled(shop)
    inbound = next(sid for sid in sids if int(sid[16:18]) == 2)
    actor, account = await shop.actor(), await shop.account()
    redacted = await shop.twilio.talk.redact(actor, account, inbound)
    assert (redacted.body, redacted.sid) == ("", inbound)
    await shop.twilio.talk.delete(actor, account, inbound)
    assert [sid for page in await walk(shop, 4) for sid in page] == [sid for sid in sids if sid != inbound]


async def test_wrong_tokens_sizes_and_days_are_refused(shop):
    for given_wrong in (
        {"token": "PA"},
        {"token": "PAffffffffffffffff"},
        {"limit": 0},
        {"limit": 1001},
        {"date_sent": "yesterday"},
        {"date_sent_after": "2026-13-01"},
    ):
        with pytest.raises(Refused) as refused:
            await shop.listed(**given_wrong)
        assert refused.value.fields["code"] == 20001


async def test_the_plan_of_every_list_walks_an_index(shop):
    def plans(conn):
        found = []
        for to, sender in ((None, None), (SENDER, None), (None, SENDER)):
            walk = listing._walk(conn, 1, Wanted(to, sender), Place())
            list(walk)
            for sql in (listing._outbound_sql("messages_user"), listing._inbound_sql("inbox_user")):
                rows = conn.execute(f"EXPLAIN QUERY PLAN {sql} ORDER BY 1 DESC", (1,))
                found += [row[3] for row in rows]
        return found

    for step in await shop.box.store.read(plans):
        assert not step.startswith(("SCAN m", "SCAN i")), step
        assert "TEMP B-TREE" not in step


@given(st.integers(0, (1 << 63) - 1), st.booleans())
def test_tokens_are_read_back(row, upwards):
    assert read_token(Place(row, upwards).token) == Place(row, upwards)


@given(st.text(max_size=20))
def test_whatever_else_is_no_token_or_the_same(text):
    found = read_token(text)
    assert found is None or found.token == text


def test_days_and_moments():
    assert moment("1970-01-02", "DateSent") == (DAY, 2 * DAY)
    assert moment("1970-01-01T00:00:01Z", "DateSent") == (1000, 2000)
    assert moment("1970-01-01T01:00:00+01:00", "DateSent") == (0, 1000)
    for wrong in ("", "x", "1970-1-1", "9999-12-31", "0000-00-00", "1970-01-01T99:00:00Z"):
        with pytest.raises(Refused):
            moment(wrong, "DateSent")


def outbound(**changes):
    values = {"id": 1, "recipient": SENDER, "text": "x", "segments": 1, "state": MessageState.SENT, "cause": None}
    values |= {"created_at": 0, "sent_at": 5, "settled_at": None, "msisdn": None, "iccid": None, "sender": None}
    return Outbound(**{**values, "status_callback": None, "reply": 0, **changes})


def test_what_fits():
    assert Wanted().fits(outbound())
    assert Wanted(sender="shop").fits(outbound(sender="shop"))
    assert not Wanted(since=0).fits(outbound(sent_at=None)), "what was not sent has no date"
    assert Wanted(since=5, before=6).fits(outbound())
    assert not Wanted(before=5).fits(outbound())
    inbound = Inbound(1, SENDER, "x", 1, 5, None, None)
    assert Wanted(sender=SENDER, since=5).fits(inbound)
    assert not Wanted(to=SENDER).fits(inbound)


def test_rows_of_sids():
    assert row_of("SM" + "0" * 16 + f"{77:016x}") == 77
