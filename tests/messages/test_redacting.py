"""Redaction and deletion: the text is gone for good, the count of what was accepted stays, and the audit log tells."""

import pytest

from fakes.senders import ADMIN, ANNE, BERT, NUMBER, READER, Post
from modembank.errors import Conflict, Forbidden, NotFound
from modembank.messages import MessageFilter, MessageState
from modembank.messages.model import ReportFacts
from modembank.modem.outcome import AttemptOutcome

SECRET = "your code is 0815"


async def sent(post: Post, actor=ANNE, **fields) -> str:
    message = await post.one(actor, text=SECRET, **fields)
    await post.attempt(message, tp_mr=7)
    return message


async def audited(post: Post) -> list[tuple[str, str, str]]:
    rows = await post.box.store.fetch_all("SELECT actor, action, subject FROM audit ORDER BY id")
    return [(row[0], row[1], row[2]) for row in rows]


async def has_secret(post: Post) -> bool:
    def look(conn):
        return any(SECRET in line for line in conn.iterdump())

    return await post.box.store.read(look)


async def test_a_redacted_message_shows_all_but_its_text(post):
    message = await sent(post, reference="r")
    before = await post.messages.get(ANNE, message)
    assert not before.redacted
    view = await post.messages.redact(ANNE, message)
    assert (view.text, view.redacted) == ("", True)
    assert (view.to, view.status, view.reference, view.segments) == (before.to, "sent", "r", before.segments)
    assert len(view.attempts) == 1
    assert not await has_secret(post)
    assert await post.messages.redact(ANNE, message) == view
    assert await audited(post) == [("anne", "message.redact", message)], "twice is as good as once"
    assert (await post.messages.list(ANNE, MessageFilter())).items == (view,)
    assert await post.states() == {"sent": 1}


async def test_a_deleted_message_is_found_by_nobody(post):
    message = await sent(post, to=NUMBER, reference="r")
    await post.messages.delete(ANNE, message)
    for actor in (ANNE, ADMIN):
        for call in (post.messages.get, post.messages.cancel, post.messages.redact, post.messages.delete):
            with pytest.raises(NotFound):
                await call(actor, message)
        with pytest.raises(NotFound):
            await post.messages.settle(actor, message, "failed")
        for which in (MessageFilter(), MessageFilter(to=NUMBER), MessageFilter(reference="r")):
            assert (await post.messages.list(actor, which)).items == ()
    assert not await has_secret(post)
    assert await audited(post) == [("anne", "message.delete", message)]
    assert await post.states() == {"sent": 1}, "it was accepted, and is counted for ever"


async def test_a_report_still_finds_what_was_deleted(post):
    message = await sent(post, to=NUMBER)
    await post.messages.delete(ANNE, message)
    now = post.box.clock.now_ms
    await post.box.outbox.report(1, ReportFacts(7, NUMBER, 0, now, now, now, "00"), 1)
    await post.box.outbox.flush()
    assert await post.states() == {"delivered": 1}
    with pytest.raises(NotFound):
        await post.messages.get(ANNE, message)


@pytest.mark.parametrize("state", list(MessageState))
async def test_only_what_is_not_sent_any_more(post, state):
    message = await post.one(text=SECRET)
    await post.set_state(message, state)
    allowed = state >= MessageState.SENT
    for call in (post.messages.redact, post.messages.delete):
        if allowed:
            await call(ANNE, message)
        else:
            with pytest.raises(Conflict):
                await call(ANNE, message)
    assert await has_secret(post) is not allowed


async def test_what_the_journal_says_counts(post):
    """The state that a caller is shown may not be folded into the row yet."""
    message = await post.one(text=SECRET)
    await post.attempt(message, None, fold=False)
    with pytest.raises(Conflict):
        await post.messages.redact(ANNE, message)
    other = await post.one(text=SECRET)
    await post.attempt(other, sim=2, fold=False)
    assert (await post.messages.redact(ANNE, other)).status == "sent"
    await post.box.outbox.flush()
    assert (await post.messages.get(ANNE, other)).text == ""


async def test_what_may_be_sent_again_keeps_its_text(post):
    message = await post.one(text=SECRET, on_unknown="resend")
    await post.set_state(message, MessageState.UNKNOWN)
    with pytest.raises(Conflict):
        await post.messages.redact(ANNE, message)
    await post.messages.settle(ANNE, message, "failed")
    await post.messages.redact(ANNE, message)
    held = await post.one(text=SECRET)
    await post.attempt(held, AttemptOutcome.UNKNOWN)
    assert (await post.messages.redact(ANNE, held)).status == "unknown"


async def test_only_who_may(post):
    message = await sent(post)
    for call in (post.messages.redact, post.messages.delete):
        with pytest.raises(NotFound):
            await call(BERT, message)
        with pytest.raises(Forbidden):
            await call(READER, message)
        with pytest.raises(NotFound):
            await call(ANNE, "nonsense")
    await post.messages.redact(ADMIN, message)
    assert [(who, what) for who, what, _ in await audited(post)] == [("ada", "message.redact")]


async def test_inbound_ones_too(post):
    from modembank.ids import public_id
    from modembank.messages import Inbox
    from modembank.messages.inbound_content import Content
    from modembank.messages.inbound_rows import show, show_again
    from modembank.tpdu import ContentKind

    inbox = Inbox(post.box.store, post.admission, post.box.clock)
    content = Content(kind=ContentKind.TEXT, text=SECRET, octets=None, parts=2, missing=(2,), sent_at=None)
    await post.one(ANNE, to=NUMBER)
    first = post.box.store.ids.take(2)
    for row in (first, first + 1):
        await post.box.store.write(
            lambda conn, row=row: show(conn, row, content, sim_id=1, sender=NUMBER, received_at=1)
        )
    one, other = public_id("inb", first), public_id("inb", first + 1)
    with pytest.raises(NotFound):
        await inbox.redact(BERT, one)
    view = await inbox.redact(ANNE, one)
    assert (view.text, view.redacted, view.from_) == ("", True, NUMBER)
    await inbox.delete(ANNE, other)
    for row in (first, first + 1):
        await post.box.store.write(lambda conn, row=row: show_again(conn, row, content))
    assert not await has_secret(post), "a part that comes late brings nothing back"
    assert [each.id for each in (await inbox.list(ADMIN)).items] == [one]
    assert [each.id for each in (await inbox.list(ADMIN, sender=NUMBER)).items] == [one]
    for call in (inbox.get, inbox.redact, inbox.delete):
        with pytest.raises(NotFound):
            await call(ADMIN, other)
    assert [what for _, what, _ in await audited(post)] == ["inbox.redact", "inbox.delete"]
    await inbox.delete(ADMIN, one)
    assert (await inbox.list(ADMIN)).items == ()
