"""Many callers, one write: what comes together is written together, in order, and nobody suffers from another."""

import asyncio

import pytest

from modembank.errors import ModembankError
from modembank.messages.gathering import MOST_TOGETHER, Gathering
from modembank.store import Store, StoreClosed, StoreFull, Urgency


class Refused(ModembankError):
    """One item is not wanted."""

    key = "refused"
    template = "not this one"


class Words:
    """Writes words into a table; some are refused, and one breaks its whole write."""

    def __init__(self, store):
        self.store = store
        self.groups = []
        self.written = []
        self.put = Gathering(store, self.write, self.written.extend).put

    def write(self, conn, words):
        self.groups.append(list(words))
        return [self.one(conn, word) for word in words]

    def one(self, conn, word):
        if word == "refuse":
            return Refused()
        if word == "break":
            message = "such a word breaks its write"
            raise ValueError(message)
        conn.execute("INSERT INTO routes (spec) VALUES (?)", (word,))
        return word.upper()

    async def stored(self):
        return [word for (word,) in await self.store.fetch_all("SELECT spec FROM routes ORDER BY id")]


@pytest.fixture
async def words(tmp_path):
    store = await Store.open(tmp_path / "box.db")
    yield Words(store)
    await store.close()


async def test_one_turn_of_the_loop_is_one_write(words):
    given = [f"w{n}" for n in range(100)]
    assert await asyncio.gather(*map(words.put, given)) == [word.upper() for word in given]
    assert words.groups == [given]
    assert await words.stored() == given
    assert words.written == [(word, word.upper()) for word in given]


async def test_what_comes_while_one_group_is_written_is_the_next(words):
    first = asyncio.create_task(words.put("a"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # its group is with the writer
    later = [asyncio.create_task(words.put(word)) for word in "bcd"]
    await asyncio.gather(first, *later)
    assert words.groups == [["a"], ["b", "c", "d"]]
    await words.put("e")
    assert words.groups[-1] == ["e"]


async def test_a_flood_is_written_in_bounded_groups_in_its_order(words):
    given = [f"w{n:04}" for n in range(2 * MOST_TOGETHER + 1)]
    await asyncio.gather(*map(words.put, given))
    assert [len(group) for group in words.groups] == [MOST_TOGETHER, MOST_TOGETHER, 1]
    assert await words.stored() == given


async def test_a_refusal_is_told_to_its_caller_only(words):
    results = await asyncio.gather(*map(words.put, ["a", "refuse", "b"]), return_exceptions=True)
    assert results[0::2] == ["A", "B"]
    assert isinstance(results[1], Refused)
    assert words.written == [("a", "A"), ("b", "B")]
    assert len(words.groups) == 1


async def test_one_that_cannot_be_written_does_not_take_the_others_with_it(words):
    results = await asyncio.gather(*map(words.put, ["a", "break", "b"]), return_exceptions=True)
    assert results[0::2] == ["A", "B"]
    assert isinstance(results[1], ValueError)
    assert await words.stored() == ["a", "b"]
    assert words.written == [("a", "A"), ("b", "B")]
    assert await words.put("c") == "C"


async def test_a_caller_who_goes_away_takes_nothing_back(words):
    tasks = [asyncio.create_task(words.put(word)) for word in "abc"]
    await asyncio.sleep(0)
    tasks[1].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert results[0::2] == ["A", "C"]
    assert isinstance(results[1], asyncio.CancelledError)
    assert await words.stored() == ["a", "b", "c"]


async def test_callers_are_told_after_the_commit_and_after_it_was_announced(words):
    seen = []
    gathering = Gathering(words.store, words.write, lambda pairs: seen.append([item for item, _ in pairs]))
    await gathering.put("a")
    assert seen == [["a"]]
    assert await words.stored() == ["a"]


async def test_without_room_all_are_refused_and_later_ones_are_not(words, monkeypatch):
    monkeypatch.setattr(words.store._room, "free_octets", lambda: 0)
    results = await asyncio.gather(*map(words.put, "ab"), return_exceptions=True)
    assert [type(result) for result in results] == [StoreFull, StoreFull]
    assert words.written == []
    monkeypatch.undo()
    assert await words.put("c") == "C"


async def test_a_closed_store_refuses_every_caller(words):
    await words.store.close()
    for _ in range(2):
        results = await asyncio.gather(*map(words.put, "ab"), return_exceptions=True)
        assert [type(result) for result in results] == [StoreClosed, StoreClosed]


async def test_what_waits_when_the_store_closes_is_written_or_refused_never_forgotten(words):
    tasks = [asyncio.create_task(words.put(f"w{n}")) for n in range(MOST_TOGETHER + 1)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await words.store.close()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert results[:MOST_TOGETHER] == [f"W{n}" for n in range(MOST_TOGETHER)]
    assert isinstance(results[-1], StoreClosed)


async def test_other_writes_keep_their_place(words):
    order = []
    before = words.store.submit(lambda _: order.append("before"), Urgency.NOW)
    task = asyncio.create_task(words.put("a"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    after = words.store.submit(lambda conn: order.append(conn.execute("SELECT count(*) FROM routes").fetchone()[0]))
    await asyncio.gather(before, task, after)
    assert order == ["before", 1]
