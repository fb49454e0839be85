"""A process of its own: a box imports one mailing, and does with it what it is told, until it is done or dies.

``python importing_child.py FOLDER FILE [cancel|start_sending]``
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from fakes.web_boxes import make_box
from modembank.accounts import LOCAL_ADMIN
from modembank.mailings import reading
from modembank.mailings.requests import MailingRequest
from modembank.messages import batches

CHUNK, STEP = 30, 40


async def main(folder: Path, file: Path, verb: str = "") -> None:
    """Import the file, once, whichever life this is."""
    reading.CHUNK, batches.STEP = CHUNK, STEP
    box = await make_box(folder)
    await box.mailings.start()
    found = (await box.mailings.list(LOCAL_ADMIN)).items
    if not found:
        upload = box.mailings.upload(LOCAL_ADMIN, "people.csv")
        await upload.write(await asyncio.to_thread(file.read_bytes))
        request = MailingRequest(template="Dear {name}", to_column="phone", hold=bool(verb))
        view, _ = await box.mailings.create(LOCAL_ADMIN, await upload.received(), request)
    else:
        view = found[0]
    while view.progress.phase not in {"done", "failed"}:
        await asyncio.sleep(0.005)
        view = await box.mailings.get(LOCAL_ADMIN, view.id)
    if verb:
        await getattr(box.mailings, verb)(LOCAL_ADMIN, view.id)
    while await box.store.fetch_one("SELECT 1 FROM mailings WHERE walk IS NOT NULL"):
        await asyncio.sleep(0.005)
    while any(await asyncio.to_thread(list, (folder / "mailings").iterdir())):  # deleted after the import is durable
        await asyncio.sleep(0.005)
    await box.mailings.stop()
    await box.store.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:]))
