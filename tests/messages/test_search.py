"""Search: what a naive look would find, nothing that was taken away, nobody else's, and never FTS5's own syntax."""

import re
import sqlite3
import unicodedata
from contextlib import closing
from functools import cache

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fakes.senders import ADMIN, ANNE, BERT, Post
from modembank.errors import InvalidRequest
from modembank.messages import Inbox, MessageFilter, search
from modembank.messages.inbound_content import Content
from modembank.messages.inbound_rows import show, show_again
from modembank.messages.redacting import delete_inbound, redact_inbound
from modembank.messages.search import INBOX, MESSAGES, Hunt, hunt, looking, match_of, unsearched
from modembank.messages.search.corpora import shards, watermark
from modembank.messages.search.index import Sizes, add_batch, forget_all, is_untidy, put, remove, tidy_step
from modembank.store.schema import known_migrations
from modembank.tpdu import ContentKind

SMALL = Sizes(batch=4, left=2, shard=8)
FIRST = 1 << 40
ALL = ("flags & 2048 IS NOT NULL", ())
WORDS = ("table", "tables", "two", "Ünder", "under", "no", "AND", "x1")


@pytest.fixture
def conn():
    with closing(database()) as made:
        yield made


def migrated(conn: sqlite3.Connection) -> sqlite3.Connection:
    for migration in known_migrations():
        for statement in migration.statements:
            conn.execute(statement)
    return conn


@cache
def empty() -> bytes:
    with closing(migrated(sqlite3.connect(":memory:", isolation_level=None))) as conn:
        return conn.serialize()


def database() -> sqlite3.Connection:
    made = sqlite3.connect(":memory:", isolation_level=None)
    made.deserialize(empty())
    return made


def add(conn, row, text, user=1):
    conn.execute(
        "INSERT INTO messages (id, user_id, recipient, text, encoding, segments, flags, route_id, rank, state,"
        " expires_at, on_unknown, created_at) VALUES (?, ?, '+447900900123', ?, 0, 1, 0, 1, 4, 80, 0, 0, ?)",
        (FIRST + row, user, text, row),
    )
    conn.execute("INSERT INTO state_counts VALUES (0, 1) ON CONFLICT DO UPDATE SET n = n + 1")


def found(conn, asked, limit=3, fits=ALL):
    """All that is found, page by page."""
    match, before, rows = match_of(asked), 1 << 62, []
    while True:
        ids, floor = hunt(conn, Hunt(MESSAGES, match, *fits), before, limit)
        rows += [row - FIRST for row in ids]
        if not floor:
            return rows
        assert floor < before, "it goes on"
        before = floor


def index_all(conn, corpus=MESSAGES, sizes=SMALL):
    done = 0
    while add_batch(conn, corpus, sizes):
        done += 1
    return done


def tidied(conn):
    steps = 0
    while tidy_step(conn):
        steps += 1
    assert not is_untidy(conn)
    return steps


def refused_at(asked):
    try:
        match_of(asked)
    except InvalidRequest as error:
        return [problem.pointer for problem in error.problems]
    return []


def naive(text):
    plain = unicodedata.normalize("NFD", text.casefold())
    return re.findall(r"[a-z0-9]+", "".join(each for each in plain if not unicodedata.combining(each)))


def has(text, pieces):
    words = naive(text)
    for piece, prefix in pieces:
        asked = naive(piece)
        for at in range(len(words) - len(asked) + 1):
            there = words[at : at + len(asked)]
            last = there[-1].startswith(asked[-1]) if prefix else there[-1] == asked[-1]
            if there[:-1] == asked[:-1] and last:
                break
        else:
            return False
    return True


_texts = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)
_pieces = st.lists(
    st.tuples(st.lists(st.sampled_from((*WORDS, "ta")), min_size=1, max_size=3).map(" ".join), st.booleans()),
    min_size=1,
    max_size=3,
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(_texts, max_size=30),
    st.integers(0, 30),
    st.lists(st.integers(0, 29), max_size=4),
    st.lists(_pieces, min_size=1, max_size=4),
    st.booleans(),
)
def test_it_finds_what_a_naive_look_would(texts, indexed_after, taken, asked, tidy):
    with closing(database()) as conn:
        for row, text in enumerate(texts):
            add(conn, row, text)
            if row == indexed_after:
                index_all(conn)
        for row in taken:
            remove(conn, MESSAGES, FIRST + row)
            conn.execute("UPDATE messages SET text = '' WHERE id = ?", (FIRST + row,))
        if tidy:
            tidied(conn)
        index_all(conn)
        for pieces in asked:
            query = " ".join(f'"{piece}"' + "*" * prefix for piece, prefix in pieces)
            fitting = [row for row, text in enumerate(texts) if row not in taken and has(text, pieces)]
            assert found(conn, query) == fitting[::-1]


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200))
@example('" OR 1 NEAR(a b) -c ^d text:e {f}')
@example('a" AND "b')
@example("\0a\0")
@example("NOT")
@example("İ ﬁ ß Ǆ \u0345")
def test_whatever_is_asked_is_refused_or_finds_the_very_text(text):
    asked = text.replace('"', " ").replace("*", " ")
    if refused_at(asked):
        assert refused_at(asked) == ["/q"]
        return
    match = match_of(asked)
    with closing(database()) as conn:
        for row in range(6):
            add(conn, row, text)
        assert add_batch(conn, MESSAGES, SMALL)
        assert len(hunt(conn, Hunt(MESSAGES, match, *ALL), 1 << 62, 10)[0]) == 6
        hunt(conn, Hunt(MESSAGES, match, *ALL), FIRST + 2, 10)


@settings(max_examples=300, deadline=None)
@given(st.text("\"*aab(){}^:+-\\ “”\0'", max_size=30))
def test_signs_are_never_syntax(asked):
    with closing(database()) as conn:
        for row in range(6):
            add(conn, row, "nothing of it")
        add_batch(conn, MESSAGES, SMALL)
        assert refused_at(asked) == ["/q"] or found(conn, asked) == []


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("", "needs a word or a number"),
        (" !? 👍 ", "needs a word or a number"),
        ('""', "needs a word or a number"),
        ("*", "needs a word or a number"),
        ("a*", "2 letters or more before *"),
        ("table b*", "has 'b'"),
        ("word " * 21, "20 words"),
        ("w" * 201, "200 characters"),
        ("\ud800", "is no text"),
    ],
)
def test_what_cannot_be_looked_for_is_told(asked, words):
    with pytest.raises(InvalidRequest) as caught:
        match_of(asked)
    [problem] = caught.value.problems
    assert problem.pointer == "/q"
    assert words in problem.detail


@pytest.mark.parametrize(
    ("asked", "rows"),
    [
        ("TABLE two", [2, 1, 0]),
        ('"table two"', [0]),
        ("“table two”", [0]),
        ('"table tw"*', [0]),
        ("tab*", [2, 1, 0]),
        ("tab", []),
        ("tâble", [2, 1, 0]),
        ("OR", [2]),
        ("table OR", [2]),
        ('5"', [1]),
        ('table "two', [2, 1, 0]),
        ("o'clock", [1]),
        ("clock'o", []),
        ("-two", [2, 1, 0]),
    ],
)
def test_the_words_of_a_query(conn, asked, rows):
    for row, text in enumerate(("Table two", "two: the 5\" table, 8 o'clock", "two or a TABLE")):
        add(conn, row, text)
    assert found(conn, asked) == rows
    for row in range(3, 8):
        add(conn, row, "something else")
    index_all(conn)
    assert watermark(conn, MESSAGES) == FIRST + 3
    assert found(conn, asked) == rows, "the same in the index"


def test_what_is_redacted_is_found_no_more_and_its_octets_go(tmp_path):
    path = tmp_path / "box.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("PRAGMA secure_delete = ON")
        migrated(conn)
        for row in range(40):
            add(conn, row, "my secret is xylophonist" if row == 2 else f"row {row}")
        index_all(conn, sizes=Sizes(4, 2, 100))
        assert found(conn, "xylophonist") == [2]
        remove(conn, MESSAGES, FIRST + 2)
        conn.execute("UPDATE messages SET text = '' WHERE id = ?", (FIRST + 2,))
        assert found(conn, "xylophonist") == []
        assert found(conn, "xyl*") == []
        assert b"lophonist" in path.read_bytes(), "the index has still to be rewritten"
        assert tidied(conn) > 1
        assert b"lophonist" not in path.read_bytes()
        assert found(conn, "row", limit=100) == [row for row in range(39, -1, -1) if row != 2]
        with closing(sqlite3.connect(path)) as other:
            assert other.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_what_is_removed_while_a_shard_is_rewritten_has_it_rewritten_again(conn):
    for row in range(40):
        add(conn, row, "my secret is xylophonist" if row == 3 else f"row {row}")
    index_all(conn, sizes=Sizes(4, 2, 100))
    remove(conn, MESSAGES, FIRST + 2)
    tidy_step(conn)
    remove(conn, MESSAGES, FIRST + 3)
    assert conn.execute("SELECT untidy FROM search_shards").fetchone() == (1,)
    tidied(conn)
    blocks = b"".join(row[0] for row in conn.execute("SELECT block FROM search_messages_1_data"))
    assert b"lophonist" not in blocks


def test_a_batch_that_is_not_committed_leaves_nothing_behind(conn):
    for row in range(20):
        add(conn, row, f"row {row}")
    assert add_batch(conn, MESSAGES, SMALL)
    assert add_batch(conn, MESSAGES, SMALL)
    before = found(conn, "row")
    conn.execute("BEGIN")
    assert add_batch(conn, MESSAGES, SMALL), "it begins a shard"
    conn.execute("ROLLBACK")
    assert found(conn, "row") == before == list(range(19, -1, -1))
    assert index_all(conn) == 2
    assert found(conn, "row") == before
    assert [(each.n, each.first_id - FIRST) for each in shards(conn, MESSAGES)] == [(8, 8), (8, 1 - FIRST)]
    forget_all(conn)
    assert found(conn, "row") == before, "all is looked through again"
    assert conn.execute("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'search_messages_%'").fetchone() == (0,)


@pytest.mark.parametrize(
    "does", [lambda conn: remove(conn, MESSAGES, FIRST + 9), tidy_step, lambda conn: put(conn, MESSAGES, FIRST + 9)]
)
def test_a_damaged_shard_fails_nothing_else_and_is_made_anew(conn, does):
    """FTS5 reports damage as damage of the whole file, which would undo what others write in the same commit."""
    for row in range(30):
        add(conn, row, f"row {row}")
    index_all(conn)
    conn.execute("UPDATE search_shards SET untidy = (shard = 2)")
    conn.execute("UPDATE search_messages_2_data SET block = x'00ffffffffff' WHERE id = 10")  # its structure
    conn.execute("BEGIN")
    does(conn)
    conn.execute("COMMIT")
    assert [each.number for each in shards(conn, MESSAGES)] == [1]
    assert found(conn, "row", limit=50) == list(range(29, -1, -1))
    assert index_all(conn) == 5
    assert found(conn, "row", limit=50) == list(range(29, -1, -1))


def test_a_full_shard_becomes_one_segment(conn):
    for row in range(30):
        add(conn, row, f"row {row}")
    index_all(conn)
    assert is_untidy(conn)
    tidied(conn)
    assert found(conn, "row", limit=50) == list(range(29, -1, -1))


def test_the_tail_is_bounded_and_search_tells(conn, monkeypatch):
    monkeypatch.setattr(looking, "TAIL_LIMIT", 10)
    for row in range(30):
        add(conn, row, f"row {row}")
    assert found(conn, "row") == list(range(29, 19, -1)), "the newest at once"
    assert unsearched(conn, MESSAGES) == 20
    add_batch(conn, MESSAGES, SMALL)
    assert found(conn, "row") == [*range(29, 19, -1), 3, 2, 1, 0]
    assert unsearched(conn, MESSAGES) == 16
    index_all(conn)
    assert unsearched(conn, MESSAGES) == 0
    assert found(conn, "row") == list(range(29, -1, -1))


def test_a_page_is_bounded_and_goes_on(conn, monkeypatch):
    for row in range(60):
        add(conn, row, "common", user=1 + (row % 30 == 0))
    index_all(conn)
    monkeypatch.setattr(looking, "HITS_LIMIT", 5)
    rare = "user_id = ?", (2,)
    ids, floor = hunt(conn, Hunt(MESSAGES, match_of("common"), *rare), 1 << 62, 3)
    assert (ids, bool(floor)) == ([], True), "a short page with a next"
    assert found(conn, "common", fits=rare) == [30, 0]
    monkeypatch.setattr(looking, "HITS_LIMIT", 300)
    monkeypatch.setattr(looking, "LOOK_S", -1.0)
    ids, floor = hunt(conn, Hunt(MESSAGES, match_of("common"), *rare), 1 << 62, 3)
    assert floor == shards(conn, MESSAGES)[0].first_id, "one shard a page at least"
    assert found(conn, "common", fits=rare) == [30, 0]


def test_one_users_rows_are_gone_to_straight(conn, monkeypatch):
    """Whose they are is no word of the text."""
    for row in range(60):
        add(conn, row, "common u2", user=1 + (row % 30 == 0))
    index_all(conn)
    monkeypatch.setattr(looking, "HITS_LIMIT", 5)
    for words, rows in (("common", [30, 0]), ("u2", [30, 0]), ("u1", []), ("u2*", [30, 0]), ("common u1", [])):
        wanted = Hunt(MESSAGES, match_of(words), "user_id = ?", (2,), user_id=2)
        ids, floor = hunt(conn, wanted, 1 << 62, 3)
        assert ([row - FIRST for row in ids], floor) == (rows, 0)
    assert len(hunt(conn, Hunt(MESSAGES, match_of("u1"), *ALL), 1 << 62, 60)[0]) == 0


async def test_a_list_of_words_goes_with_all_other_filters(post: Post, monkeypatch):
    ids = [await post.one((ANNE, BERT)[at % 2], text=f"table {at}", reference=f"r{at}") for at in range(12)]
    await post.one(text="chair")

    async def asked(actor, **fields):
        rows, cursor = [], None
        while True:
            page = await post.messages.list(actor, MessageFilter(**fields), cursor=cursor, limit=2)
            rows += [view.id for view in page.items]
            cursor = page.cursor
            if cursor is None:
                return rows

    for _ in range(2):
        assert await asked(ADMIN, words="table") == ids[::-1]
        assert await asked(ANNE, words="table") == ids[::2][::-1]
        assert await asked(BERT, words="table 3") == [ids[3]]
        assert await asked(ANNE, words="table 3") == []
        assert await asked(ANNE, words="table", reference="r4") == [ids[4]]
        assert await asked(ANNE, words="table", status=("delivered",)) == []
        assert await post.box.store.write(index_all) in (2, 0)
    page = await post.messages.list(ADMIN, MessageFilter(words="table"), limit=2)
    with pytest.raises(InvalidRequest):
        await post.messages.list(ADMIN, MessageFilter(words="chair"), cursor=page.cursor)
    with pytest.raises(InvalidRequest) as caught:
        await post.messages.list(ADMIN, MessageFilter(words="!", to="x"))
    assert {problem.pointer for problem in caught.value.problems} == {"/q", "/to"}


@pytest.mark.parametrize("indexed", [False, True])
@pytest.mark.parametrize("how", ["redact", "delete"])
async def test_taken_away_in_the_same_write(post: Post, how, indexed):
    secret = await post.one(text="my secret word")
    for _ in range(8):
        await post.one(text="hello")
    await post.attempt(secret)
    if indexed:
        assert await post.box.store.write(index_all)
    which = MessageFilter(words="secret")
    assert [view.id for view in (await post.messages.list(ANNE, which)).items] == [secret]
    await getattr(post.messages, how)(ANNE, secret)
    assert (await post.messages.list(ADMIN, which)).items == ()
    if how == "redact":
        await post.messages.delete(ANNE, secret)  # once more, without a text
    await post.box.store.write(index_all)
    await post.box.store.write(tidied)
    assert (await post.messages.list(ADMIN, which)).items == ()
    assert len((await post.messages.list(ADMIN, MessageFilter(words="hello"))).items) == 8


async def test_the_indexing_itself(post: Post):
    for at in range(15):
        await post.one(text=f"row {at}")
    post.box.store._queue.lazy_s = 0.0
    indexing = search.Indexing(post.box.store, Sizes(batch=5, left=3, shard=10))
    assert await indexing.index() == 2
    assert await indexing.index() == 0
    assert await indexing.tidy() > 0
    assert await indexing.tidy() == 0
    assert len((await post.messages.list(ANNE, MessageFilter(words="row"))).items) == 15


def content(text):
    return Content(ContentKind.TEXT, text, None, 1, (), None)


async def test_the_inbox(post: Post):
    """Shown again with the rest of its parts, a message is found by these; taken away, by nothing."""
    store = post.box.store
    inbox = Inbox(store, post.admission, post.box.clock)

    def come(conn):
        for at in range(12):
            owner = (ANNE, BERT)[at % 2].user_id
            sender = f"+4479009000{at % 4:02d}"
            show(conn, FIRST + at, content(f"answer {at}"), sim_id=1, sender=sender, received_at=at, owner=owner)

    async def asked(actor, words, **fields):
        rows, cursor = [], None
        while True:
            page = await inbox.list(actor, words=words, cursor=cursor, limit=2, **fields)
            rows += [view.text for view in page.items]
            cursor = page.cursor
            if cursor is None:
                return rows

    await store.write(come)
    for _ in range(2):
        assert len(await asked(ADMIN, "answ*")) == 12
        assert len(await asked(ANNE, "answer")) == 6
        assert await asked(ANNE, "answer 3") == []
        assert await asked(BERT, "answer", sender="+447900900003") == ["answer 11", "answer 7", "answer 3"]
        await store.write(lambda conn: index_all(conn, INBOX))
    for row in (2, 11):
        await store.write(lambda conn, row=row: show_again(conn, FIRST + row, content("the whole of it")))
    assert await asked(ADMIN, "whole") == ["the whole of it"] * 2
    assert await asked(ADMIN, "2") == []
    await store.write(lambda conn: redact_inbound(conn, FIRST + 2, ADMIN, 0))
    await store.write(lambda conn: show_again(conn, FIRST + 2, content("the whole of it")))
    await store.write(lambda conn: delete_inbound(conn, FIRST + 3, ADMIN, 0))
    assert await asked(ADMIN, "whole") == ["the whole of it"]
    assert len(await asked(ADMIN, "answer")) == 9
    with pytest.raises(InvalidRequest) as caught:
        await inbox.list(ADMIN, words="?")
    assert caught.value.problems[0].pointer == "/q"
