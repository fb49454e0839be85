"""Keeping the index up to date, behind everything else that writes."""

from __future__ import annotations

from modembank.messages.search.corpora import INBOX, MESSAGES
from modembank.messages.search.index import Sizes, add_batch, is_due, is_untidy, tidy_step
from modembank.store import Store, StoreFull, Urgency


class Indexing:
    """Indexes rows a batch at a time and rewrites shards a step at a time, each in a lazy write of its own."""

    def __init__(self, store: Store, sizes: Sizes | None = None) -> None:
        """Index what is in ``store``."""
        self._store = store
        self._sizes = sizes or Sizes()

    async def index(self) -> int:
        """Index all batches that are due; return how many. On a full disk it waits for another time."""
        done = 0
        for corpus in (MESSAGES, INBOX):
            while await self._store.read(lambda conn, corpus=corpus: is_due(conn, corpus, self._sizes)):  # type: ignore[misc]
                try:
                    await self._store.write(
                        lambda conn, corpus=corpus: add_batch(conn, corpus, self._sizes),  # type: ignore[misc]
                        Urgency.LAZY,
                        reserve=False,
                    )
                except StoreFull:
                    return done
                done += 1
        return done

    async def tidy(self) -> int:
        """Rewrite the shards of which rows were removed, and those that have become full; return the steps it took."""
        steps = 0
        while await self._store.read(is_untidy):
            await self._store.write(tidy_step, Urgency.LAZY)
            steps += 1
        return steps
