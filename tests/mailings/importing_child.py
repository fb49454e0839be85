"""A process of its own: a box imports one mailing, and does with it what it is told, until it is done or dies.

``python importing_child.py FOLDER FILE [cancel|start_sending|proceed]``
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from modembank.accounts import LOCAL_ADMIN
from modembank.bus import Bus
from modembank.clock import SystemClock
from modembank.config import SendingConfig
from modembank.dispatch import Finishing
from modembank.mailings import importing
from modembank.mailings.requests import MailingRequest
from modembank.mailings.service import Mailings
from modembank.messages import Admission, batches
from modembank.metrics import Metrics
from modembank.sim import Sims
from modembank.sim.limits import RateLimits
from modembank.store import Store

PIECE, STEP = 30, 40


async def assembled(store: Store, folder: Path) -> Mailings:
    """Return the service over a database in a folder, and no more of a box than it needs: each life starts anew."""
    bus, clock, sending = Bus(), SystemClock(), SendingConfig()
    sims = Sims(store, bus, clock, RateLimits())
    await sims.load()
    return Mailings(
        store, bus, clock, Metrics(), admission=Admission(sims, sending), finishing=Finishing(sims), sending=sending,
        region="", data_dir=folder,
    )  # fmt: skip


async def main(folder: Path, file: Path, verb: str = "") -> None:
    """Import the file, once, whichever life this is."""
    importing.PIECE, batches.STEP = PIECE, STEP
    store = await Store.open(folder / "box.db", lazy_s=0.05)
    mailings = await assembled(store, folder)
    await mailings.start()
    found = (await mailings.list(LOCAL_ADMIN)).items
    if not found:
        upload = mailings.upload(LOCAL_ADMIN, "people.csv")
        await upload.write(await asyncio.to_thread(file.read_bytes))
        first = 40 if verb == "proceed" else None
        hold = bool(verb) and first is None
        request = MailingRequest(template="Dear {name}", to_column="phone", hold=hold, canary_count=first)
        view, _ = await mailings.create(LOCAL_ADMIN, await upload.received(), request)
    else:
        view = found[0]
    while view.progress.phase not in {"done", "failed"}:
        await asyncio.sleep(0.005)
        view = await mailings.get(LOCAL_ADMIN, view.id)
    if verb:
        await getattr(mailings, verb)(LOCAL_ADMIN, view.id)
    while await store.fetch_one("SELECT 1 FROM mailings WHERE walk IS NOT NULL"):
        await asyncio.sleep(0.005)
    while any(await asyncio.to_thread(list, (folder / "mailings").iterdir())):  # deleted after the import is durable
        await asyncio.sleep(0.005)
    await mailings.stop()
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:]))
