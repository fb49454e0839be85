"""`modembank` with a log that is copied and started over often, and, on demand, with one promise broken.

``POWERCUT_BREAKS`` names what is broken: a proof that the harness can fail.
"""

import asyncio
import functools
import os

from modembank.bank import BankOptions
from modembank.messages.model import BeginVerdict
from modembank.messages.outbox import Outbox
from modembank.messages.outbox import journal as sending_journal
from modembank.messages.receiving import Receiving
from modembank.store import Store, Urgency, checkpoints
from modembankd import compose
from modembankd.cli import main

checkpoints.STEP_PAGES = 60
checkpoints._MUST_PAGES = 180
checkpoints._LEAST_PAGES = 15
checkpoints._LOOK_EVERY_COMMITS = 64
checkpoints._TRUNCATE_OCTETS = 1 << 20
compose.LAZY_S = 0.2
compose.BankOptions = functools.partial(BankOptions, stagger_s=0.05)


def without_intents() -> None:
    """Ctrl-Z does not wait for the intent's commit."""

    async def begin(outbox, intent):
        outbox._store.submit(lambda conn: sending_journal.begin(conn, intent), Urgency.SOON)
        return BeginVerdict.GO

    Outbox.begin = begin


def without_inbound() -> None:
    """The modem is told to delete what is not stored yet."""
    store = Receiving.store

    async def stored(receiving, pdu):
        later = asyncio.get_running_loop().call_later(
            0.3, lambda: tasks.add(asyncio.ensure_future(store(receiving, pdu)))
        )
        tasks.add(later)
        return 0

    tasks = set()
    Receiving.store = stored


def without_sync() -> None:
    """SQLite does not wait for the disk."""
    opened = Store.__init__

    def init(store, own, *arguments):
        own.connection.execute("PRAGMA synchronous = OFF")
        opened(store, own, *arguments)

    Store.__init__ = init


BREAKS = {"intents": without_intents, "inbound": without_inbound, "sync": without_sync, "": lambda: None}

if __name__ == "__main__":
    BREAKS[os.environ.get("POWERCUT_BREAKS", "")]()
    main()
