"""`python -m modembank_emulator`: a bank in a process of its own, until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from modembank_emulator.bank import Bank, BankConfig, describe
from modembank_emulator.control import ControlServer
from modembank_emulator.dialects import DIALECTS
from modembank_emulator.latency import LatencyModel


def main() -> None:
    """Read the arguments and serve."""
    asyncio.run(_serve(_arguments()))


async def _serve(options: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    config = BankConfig(
        modems=options.modems,
        dialect=options.dialect,
        seed=options.seed,
        latency=options.latency,
        link_dir=options.link_dir,
        sim_slots=options.sim_slots,
    )
    async with AsyncExitStack() as stack:
        bank = await stack.enter_async_context(Bank(config))
        if options.control is not None:
            await stack.enter_async_context(ControlServer(bank, options.control))
        ready = {"control": str(options.control or ""), "modems": [describe(modem) for modem in bank.modems]}
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        await stopped.wait()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="modembank_emulator", description=__doc__)
    parser.add_argument("--modems", type=_positive, default=8, help="number of modems (default 8)")
    parser.add_argument("--link-dir", type=Path, help="folder for the links modem-00, modem-01, ...")
    parser.add_argument("--dialect", choices=["mixed", *DIALECTS], default="mixed")
    parser.add_argument(
        "--latency", type=LatencyModel.parse, default=LatencyModel(), help="zero, lte, gsm, fixed:S, ..."
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sim-slots", type=_positive, default=20, help="messages a SIM holds (default 20)")
    parser.add_argument("--control", type=Path, help="unix socket for the control protocol")
    return parser.parse_args()


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


if __name__ == "__main__":
    main()
