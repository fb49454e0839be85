"""The appliance over HTTP: what it says, bundles that come whole or not at all, and orders one at a time."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import httpx
import pytest

from fakes.images import BUNDLE, MISTAKE, Image
from fakes.web_boxes import Box
from modembank.accounts import LOCAL_ADMIN, Role
from modembank.appliance import MAX_OCTETS
from modembank.clock import rfc3339
from modembank.events import BoxChanged

BOX = "/api/v1/box"
UPDATE, RESTART, RESET = f"{BOX}/update", f"{BOX}/restart", f"{BOX}/factory-reset"
POSTPONE = f"{BOX}/postpone"
OCTETS = {"Content-Type": "application/octet-stream"}


class Usage(NamedTuple):
    """What shutil.disk_usage returns."""

    total: int
    used: int
    free: int


@pytest.fixture
def image(box: Box) -> Image:
    return box.image


@pytest.fixture
async def client(box: Box) -> AsyncIterator[httpx.AsyncClient]:
    async with box.client(await box.key()) as client:
        yield client


async def actions(box: Box) -> list[str]:
    entries = (await box.audit.list(LOCAL_ADMIN)).items
    return [entry.action for entry in entries if entry.action.startswith("box.")]


async def refused(client: httpx.AsyncClient, path: str, status: int, **sent: Any) -> str:
    """Ask for what is refused, and return the reason."""
    answer = await client.post(path, **sent)
    assert answer.status_code == status, answer.text
    return str(answer.json()["detail"])


async def test_a_box_that_is_no_image_says_so_and_is_asked_for_nothing(
    box: Box, client: httpx.AsyncClient, image: Image
) -> None:
    told = (await client.get(BOX)).json()
    assert (told["appliance"], told["name"], told["release"], told["update"]) == (False, "modembank", None, None)
    for path, sent in (
        (UPDATE, {"content": BUNDLE, "headers": OCTETS}),
        (RESTART, {}),
        (RESET, {"json": {"box": "modembank"}}),
    ):
        assert "not started from the appliance image" in await refused(client, path, 409, **sent)
    assert image.files() == set()
    assert await actions(box) == []


async def test_an_image_says_what_it_is(client: httpx.AsyncClient, image: Image) -> None:
    image.start(
        personal={"applied": True, "mistakes": [MISTAKE]},
        update=b"{",
        data={"state": "set-aside", "last_trouble": {"state": "set-aside", "at": "2026-11-20T14:05:00Z"}},
    )
    told = (await client.get(BOX)).json()
    assert told["appliance"] is True
    assert told["release"] == {"version": "1.2.0", "build": "20261101", "slot": "a", "architecture": "amd64"}
    last = {"state": "set_aside", "reason": "", "at": "2026-11-20T14:05:00.000Z"}
    assert told["data"] == {
        "state": "set_aside", "reason": "", "grown": False, "octets": None, "problems": [], "last_trouble": last
    }  # fmt: skip
    assert told["first_file"] == {"applied": True, "file": "", "kept": [], "mistakes": [MISTAKE]}
    assert told["certificate"]["not_after"] == "2036-11-01T00:00:00.000Z"
    assert (told["update"], told["unreadable"]) == (None, ["update.json"])
    assert told["up_s"] > 0


@pytest.mark.parametrize("form", [True, False])
async def test_a_bundle_is_there_whole_before_its_installation_is_asked_for(
    box: Box, client: httpx.AsyncClient, image: Image, form: bool
) -> None:
    image.start()
    told: list[BoxChanged] = []
    box.bus.subscribe(BoxChanged, told.append)
    big = BUNDLE * 2_000
    sent: dict[str, Any] = {"files": {"file": ("x.raucb", big)}} if form else {"content": big, "headers": OCTETS}
    answer = await client.post(UPDATE, **sent)
    assert answer.status_code == 202, answer.text
    assert answer.json()["order"] | {"at": ""} == {"verb": "update", "by": "admin", "at": ""}
    assert answer.json()["upload"] is None
    assert image.files() == {"bundle.raucb", "request.json"}
    assert (image.asked_in / "bundle.raucb").read_bytes() == big
    assert (image.asked_in / "bundle.raucb").stat().st_mode & 0o777 == 0o600
    asked = image.takes()
    assert (asked["verb"], asked["by"], asked["at"]) == ("update", "admin", answer.json()["order"]["at"])
    assert len(asked["id"]) > 10
    (entry,) = [one for one in (await box.audit.list(LOCAL_ADMIN)).items if one.action == "box.update"]
    assert (entry.subject, entry.detail["octets"]) == ("modembank", len(big))
    assert len(entry.detail["sha256"]) == 64
    assert len(told) >= 3


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"", "is empty"), (b"hs", "no update bundle"), (b"PK\x03\x04" + bytes(3_000_000), "no update bundle")],
)
async def test_what_is_no_bundle_is_refused_and_leaves_nothing(
    box: Box, client: httpx.AsyncClient, image: Image, content: bytes, why: str
) -> None:
    image.start()
    assert why in await refused(client, UPDATE, 422, content=content, headers=OCTETS)
    assert image.files() == set()
    assert await actions(box) == []


async def test_a_form_without_a_file_or_with_two_is_refused(client: httpx.AsyncClient, image: Image) -> None:
    image.start()
    assert "is required" in await refused(client, UPDATE, 422, files={"other": (None, "x")})
    twice = [("file", ("a", BUNDLE)), ("file", ("b", BUNDLE))]
    assert "given twice" in await refused(client, UPDATE, 422, files=twice)
    assert image.files() == set()


@pytest.mark.parametrize("media", ["application/json", "text/plain", ""])
async def test_other_bodies_are_not_read(client: httpx.AsyncClient, image: Image, media: str) -> None:
    image.start()
    await refused(client, UPDATE, 415, content=BUNDLE, headers={"Content-Type": media})
    await refused(client, UPDATE, 415, content=BUNDLE, headers=OCTETS | {"Content-Encoding": "gzip"})


async def test_a_bundle_that_is_too_large_is_refused_before_it_is_read(
    client: httpx.AsyncClient, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    image.start()

    async def never() -> AsyncIterator[bytes]:
        raise AssertionError
        yield b""

    declared = OCTETS | {"Content-Length": str(MAX_OCTETS + 1)}
    assert f"{MAX_OCTETS} octets" in await refused(client, UPDATE, 413, content=never(), headers=declared)
    monkeypatch.setattr("modembank.appliance.bundle.MAX_OCTETS", 10_000)
    assert "10000 octets" in await refused(client, UPDATE, 413, content=pieces(BUNDLE * 10), headers=OCTETS)
    assert image.files() == set()


async def pieces(content: bytes, size: int = 1_000) -> AsyncIterator[bytes]:
    """Send without saying how much it will be."""
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def test_room_is_looked_at_first_and_again_while_it_comes(
    box: Box, client: httpx.AsyncClient, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    image.start()
    kept = box.store.health.reserve_octets
    big = BUNDLE * 2_000

    def room(_: object) -> Usage:
        taken = sum(path.stat().st_size for path in image.asked_in.glob("*"))
        return Usage(1 << 40, 0, kept + len(big) - 1 - taken)

    monkeypatch.setattr(shutil, "disk_usage", room)
    assert "there is no room" in await refused(client, UPDATE, 507, content=big, headers=OCTETS)
    assert "kept for messages" in await refused(client, UPDATE, 507, content=pieces(big * 2), headers=OCTETS)
    assert image.files() == set()
    assert await actions(box) == []


async def test_one_at_a_time_and_who_is_at_it_is_said(box: Box, client: httpx.AsyncClient, image: Image) -> None:
    image.start()
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield BUNDLE * 1_000
        begun.set()
        await go_on.wait()
        yield BUNDLE

    async with box.client(await box.key(Role.ADMIN, name="ada")) as other:
        first = asyncio.create_task(other.post(UPDATE, content=slow(), headers=OCTETS))
        await begun.wait()
        told = (await client.get(BOX)).json()["upload"]
        assert (told["by"], told["octets"], told["size"]) == ("ada", len(BUNDLE) * 1_000, None)
        why = f"ada has been uploading a bundle since {told['since']}"
        assert await refused(client, UPDATE, 409, content=BUNDLE, headers=OCTETS) == why
        assert await refused(client, RESTART, 409) == why
        assert await refused(client, RESET, 409, json={"box": "modembank"}) == why
        go_on.set()
        assert (await first).status_code == 202
    asked = await refused(client, RESTART, 409)
    assert asked.startswith("ada has asked for an update at 20")
    assert image.takes()["verb"] == "update"
    now = rfc3339(round(box.clock.now()) * 1000)
    image.says("update", {"state": "installing", "percent": 3, "by": "ada", "at": now})
    why = f"an update is under way (installing, asked for by ada, since {now})"
    assert await refused(client, UPDATE, 409, content=BUNDLE, headers=OCTETS) == why
    image.says("update", {"state": "installed", "percent": 100})
    assert (await client.post(RESTART)).status_code == 202
    assert image.takes()["verb"] == "restart"
    assert await actions(box) == ["box.restart", "box.update"]


async def test_a_client_that_goes_away_leaves_nothing(box: Box, client: httpx.AsyncClient, image: Image) -> None:
    image.start()

    events: list[dict[str, Any]] = [
        {"type": "http.request", "body": BUNDLE * 1_000, "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[dict[str, Any]] = []

    async def receive() -> Any:
        return events.pop(0)

    async def send(event: Any) -> None:
        sent.append(event)

    key = client.headers["authorization"].encode()
    scope: dict[str, Any] = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": UPDATE, "raw_path": UPDATE.encode(), "query_string": b"", "root_path": "", "client": ("192.0.2.7", 4),
        "headers": [(b"authorization", key), (b"content-type", b"application/octet-stream")],
    }  # fmt: skip
    await box.web(scope, receive, send)  # type: ignore[arg-type]
    assert sent[0]["status"] == 400
    assert image.files() == set()
    assert (await client.get(BOX)).json()["upload"] is None
    assert (await client.post(UPDATE, content=BUNDLE, headers=OCTETS)).status_code == 202


async def test_what_begins_while_a_bundle_comes_is_not_disturbed(client: httpx.AsyncClient, image: Image) -> None:
    """A stick with a bundle may be plugged in meanwhile: root's side begins by itself."""
    image.start()

    async def slow() -> AsyncIterator[bytes]:
        yield BUNDLE
        image.says("update", {"state": "checking"})
        yield BUNDLE

    assert "under way (checking)" in await refused(client, UPDATE, 409, content=slow(), headers=OCTETS)
    assert image.files() == set()


async def test_a_factory_reset_takes_the_name_of_the_box(box: Box, client: httpx.AsyncClient, image: Image) -> None:
    image.start()
    for typed in ("", "Modembank", "box", "modembank2"):
        answer = await client.post(RESET, json={"box": typed})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/box")
    assert (await client.post(RESET, json={})).status_code == 422
    assert await actions(box) == []
    assert (await client.post(RESET, json={"box": " modembank "})).status_code == 202
    assert image.takes()["verb"] == "reset"
    assert await actions(box) == ["box.reset"]


async def test_the_restart_into_an_update_is_put_off(box: Box, client: httpx.AsyncClient, image: Image) -> None:
    image.start()
    assert await refused(client, POSTPONE, 409, json={"days": 7}) == "no update waits for a restart"
    image.says("update", {"state": "installed"})
    for days in (-1, 31, "7", None):
        answer = await client.post(POSTPONE, json={"days": days})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/days")
    assert await actions(box) == []
    for days in (7, 0):
        answer = await client.post(POSTPONE, json={"days": days})
        assert answer.status_code == 202, answer.text
        asked = image.takes()
        assert (asked["verb"], asked["days"], asked["by"]) == ("postpone", days, "admin")
    assert await actions(box) == ["box.postpone", "box.postpone"]


async def test_only_admins_see_and_ask(box: Box, image: Image) -> None:
    image.start()
    async with box.client(await box.key(Role.SENDER)) as sender:
        assert (await sender.get(BOX)).status_code == 403
        for path in (UPDATE, RESTART, POSTPONE, RESET):
            assert (await sender.post(path, content=BUNDLE, headers=OCTETS)).status_code == 403
    assert image.files() == set()
