"""A box without modems as a process, to be killed: python enrolled_box.py FOLDER TOKEN."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from fakes.enrolments import box_in
from modembankd.handed_over import HubToken


async def main(folder: Path, token: str) -> None:
    """Run until killed; the token of the first start is there each time."""
    os.umask(0o077)
    async with box_in(folder, token=HubToken(token)):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
