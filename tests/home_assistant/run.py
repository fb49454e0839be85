"""Ask Home Assistant itself: ``make home-assistant``.

Its package wants a Python of its own (2025.4 wants 3.13), so it gets an environment of its own, ``.home-assistant``.
There its schemas judge the documents that the box says, and its core without pages lives with a whole box on an
emulated bank: it finds the entities, has people told, pauses a SIM, hears of a message, and loses all of it again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "daemon"), str(ROOT / "web")]

from fakes.boxes import TestBox, emulated, running  # noqa: E402 - the path above leads to it
from fakes.brokers import Mosquitto  # noqa: E402
from fakes.home_documents import documents  # noqa: E402
from modembank.config import HomeAssistantConfig, NotifyConfig  # noqa: E402
from modembank.home_assistant import LinkState  # noqa: E402

VERSION, WANTS, MQTT = "2025.4.4", (3, 13), "paho-mqtt==2.1.0"
"""MQTT is what the manifest of its MQTT integration names."""
ENVIRONMENT = ROOT / ".home-assistant"
INSIDE = Path(__file__).with_name("inside.py")
RECORDED = ROOT / "tests" / "vectors" / "home_assistant_keys.json"
WITHIN_S = 60.0
TOLD = "+447700900123"


def main() -> int:
    """Run all of it; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default="", help=f"a Python {WANTS[0]}.{WANTS[1]}; without it one is looked for")
    parser.add_argument("--record", action="store_true", help="write down which keys the schemas know")
    args = parser.parse_args()
    python = prepare(args.python)
    known = ask(python, "keys")
    if args.record:
        RECORDED.write_text(json.dumps(known, indent=1) + "\n")
    if known != json.loads(RECORDED.read_text()):
        print(f"the schemas of {VERSION} know other keys than {RECORDED.name} says; --record writes them down")
        return 1
    made = documents()
    judged = dict(zip(made, ask(python, "judge", json.dumps(list(made.values()))), strict=True))
    for name, problems in judged.items():
        print(f"{name}: {len(made[name]['components'])} components, {'; '.join(problems) or 'as it should be'}")
    if any(judged.values()):
        return 1
    with tempfile.TemporaryDirectory(prefix="home-assistant-") as folder:
        asyncio.run(live(python, Path(folder)))
    return 0


def prepare(wanted: str) -> str:
    """Return the Python of Home Assistant's environment, made and filled where it is not there."""
    python = ENVIRONMENT / "bin" / "python"
    stamp = ENVIRONMENT / "installed"
    if not (stamp.exists() and stamp.read_text() == VERSION):
        base = wanted or found_python()
        print(f"creating {ENVIRONMENT.name} with {base}, and installing homeassistant {VERSION} (600 MB)", flush=True)
        shutil.rmtree(ENVIRONMENT, ignore_errors=True)
        subprocess.run([base, "-m", "venv", ENVIRONMENT], check=True)
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, f"homeassistant=={VERSION}", MQTT], check=True)
        stamp.write_text(VERSION)
    return str(python)


def found_python() -> str:
    """Return a Python of the version that is wanted; exits where there is none."""
    version = ".".join(map(str, WANTS))
    known = [f"python{version}", *map(str, sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python")))]
    check = f"import sys; sys.exit(sys.version_info[:2] != {WANTS})"
    for candidate in known:
        path = shutil.which(candidate)
        if path and subprocess.run([path, "-c", check], capture_output=True, check=False).returncode == 0:
            return path
    sys.exit(f"this needs Python {version}: install it, or name one: make home-assistant ARGS=--python=PATH")


def ask(python: str, what: str, given: str = "") -> Any:
    """Have the inside do something, and return its answer."""
    run = subprocess.run([python, INSIDE, what], input=given, capture_output=True, text=True, check=False)
    if run.returncode:
        sys.exit(f"{what} failed:\n{run.stderr[-4000:]}")
    return json.loads(run.stdout)


class Inside:
    """Home Assistant in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        """Talk to it over its input and output."""
        self._process = process

    async def ask(self, do: str, **more: Any) -> Any:
        """Ask one thing."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **more}).encode() + b"\n")
        return await self.answer()

    async def answer(self) -> Any:
        """Return the next line."""
        assert self._process.stdout is not None
        async with asyncio.timeout(WITHIN_S):
            return json.loads(await self._process.stdout.readline())

    async def call(self, domain: str, action: str, **data: Any) -> None:
        """Have an action done."""
        await self.ask("call", domain=domain, action=action, data=data)

    async def state(self, entity: str) -> str | None:
        """Return an entity's state."""
        return (await self.ask("states")).get(entity)

    async def until(self, entity: str, *states: str | None) -> None:
        """Wait until an entity has one of these states."""
        await until(f"{entity} to be {states}", lambda: self._is(entity, states))

    async def _is(self, entity: str, states: tuple[str | None, ...]) -> bool:
        return await self.state(entity) in states


async def until(what: str, true: Callable[[], Awaitable[Any]]) -> Any:
    """Wait until something is so, and return what it is."""
    try:
        async with asyncio.timeout(WITHIN_S):
            while not (found := await true()):
                await asyncio.sleep(0.1)
    except TimeoutError:
        sys.exit(f"waited in vain for {what}")
    return found


@asynccontextmanager
async def home_assistant(python: str, folder: Path, port: int) -> AsyncIterator[Inside]:
    """Run Home Assistant inside the block; the same folder is the same installation."""
    folder.mkdir(exist_ok=True)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        python, INSIDE, "live", str(folder), str(port), stdin=pipe, stdout=pipe, limit=1 << 22
    )
    inside = Inside(process)
    try:
        print(f"Home Assistant {(await inside.answer())['ready']} runs", flush=True)
        yield inside
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(30):
                await process.wait()
        except TimeoutError:
            process.kill()


async def live(python: str, folder: Path) -> None:
    """Let Home Assistant live with a box; exits where something is not as it should be."""
    (broker := folder / "broker").mkdir()
    with Mosquitto(broker) as mosquitto:
        config = HomeAssistantConfig(
            url=f"mqtt://127.0.0.1:{mosquitto.port}",
            commands=True,
            every_s=1,
            notify=(NotifyConfig("on-call", (TOLD,), "tester", name="On call"),),
        )
        async with emulated(folder / "tty") as bank:
            async with (
                running(bank, folder / "data", rules={"home_assistant": config}) as box,
                home_assistant(python, folder / "home", mosquitto.port) as home,
            ):
                await together(box, home)
            async with home_assistant(python, folder / "home", mosquitto.port) as home:
                await home.until("sensor.modembank_test_messages_queued", "unavailable")
                print("without the box its entities are unavailable", flush=True)
                async with running(bank, folder / "data", rules={"home_assistant": config}):
                    await home.until("sensor.modembank_test_messages_queued", "0")
                    print("with the box they are there again", flush=True)
                off = HomeAssistantConfig(url=config.url, enabled=False)
                async with running(bank, folder / "data", rules={"home_assistant": off}) as box:
                    service = box.app.home_assistant
                    await until("the end", lambda: _now(service.state is LinkState.TAKEN_BACK))
                    await until("nothing to be left", lambda: _none(home))
                    print("switched off, nothing of the box is left", flush=True)


async def together(box: TestBox, home: Inside) -> None:
    """Go through what the two do with each other."""
    await home.until("binary_sensor.modembank_test_slot_01_connected", "on")
    await home.until("sensor.modembank_test_slot_01_state", "registered")
    known = await home.ask("registered")
    assert len(known) == box.app.home_assistant.entities, known
    assert "sensor.modembank_test_slot_01_signal modembank_test_modem_slot-01_signal" in known, known
    states = await home.ask("states")
    dull = {name for name, state in states.items() if state == "unavailable"}
    assert not dull, dull
    print(f"{len(known)} entities were found: {', '.join(sorted(states))}", flush=True)

    await home.call(
        "notify", "send_message", entity_id="notify.modembank_test_on_call", message='The "gate" is open\nagain'
    )
    await until("the message to be on the air", lambda: _now(TOLD in box.seen()))
    assert box.seen() == [TOLD], box.seen()
    print("notify.send_message: one message was sent", flush=True)

    await home.call("switch", "turn_off", entity_id="switch.modembank_test_slot_01_sending")
    sim = box.app.sims.by_iccid(box.bank.cards[0].iccid)
    await until("the SIM to be paused", lambda: _now(box.app.sims.get(sim.id).paused))
    await home.until("switch.modembank_test_slot_01_sending", "off")
    await home.call("switch", "turn_on", entity_id="switch.modembank_test_slot_01_sending")
    await home.until("switch.modembank_test_slot_01_sending", "on")
    assert not box.app.sims.get(sim.id).paused
    print("switch: a SIM was paused and resumed", flush=True)

    box.bank.network.inject(box.bank.cards[0].msisdn, "hello", from_="+447911555456")
    events = await until("an event", lambda: home.ask("events"))
    assert events[-1]["event_type"] == "received", events
    assert (events[-1]["from"], events[-1]["slot"]) == ("+447*******56", "slot-01"), events
    print("event: a message came, its number masked", flush=True)

    await home.until("sensor.modembank_test_segments_sent_today", "1")
    problem = await home.ask("attributes", entity="binary_sensor.modembank_test_problem")
    assert {"open", "worst", "kinds"} <= problem.keys(), problem


async def _now(true: Any) -> Any:
    return true


async def _none(home: Inside) -> bool:
    return not await home.ask("registered")


if __name__ == "__main__":
    sys.exit(main())
