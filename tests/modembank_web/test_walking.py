"""A list of a thousand messages, walked page by page with filters while more come in; and the box while it closes."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from fakes.web_boxes import ICCID, Box
from modembank_web.problems import KINDS, PROBLEMS_PAGE

MESSAGES = "/api/v1/messages"
SIM = f"/api/v1/sims/{ICCID}"


def number(place: int) -> str:
    return f"+4479009{place:05}"


async def fill(client: httpx.AsyncClient, count: int, start: int = 0) -> list[str]:
    ids: list[str] = []
    for first in range(start, start + count, 100):
        to = [number(place) for place in range(first, min(first + 100, start + count))]
        answer = await client.post(MESSAGES, json={"to": to, "text": "x"})
        assert answer.status_code == 202, answer.text
        ids += [item["id"] for item in answer.json()["messages"]]
    return ids


async def walk(client: httpx.AsyncClient, address: str) -> list[list[dict[str, Any]]]:
    """Every page from this address on, by the addresses that the box gives."""
    pages: list[list[dict[str, Any]]] = []
    following: str | None = address
    while following is not None:
        assert len(pages) < 2000, "the walk does not end"
        answer = await client.get(following)
        assert answer.status_code == 200, answer.text
        pages.append(answer.json()["items"])
        following = answer.json()["next"]
    return pages


def ids_of(pages: list[list[dict[str, Any]]]) -> list[str]:
    return [item["id"] for page in pages for item in page]


async def test_a_thousand_messages_each_once_at_every_page_size(box: Box) -> None:
    async with box.client(await box.key()) as client:
        ids = await fill(client, 1000)
        assert len(set(ids)) == 1000
        for limit in (1, 7, 100, 200):
            if limit == 1:
                some = await walk(client, f"{MESSAGES}?limit=1&to={number(500).replace('+', '%2B')}")
                assert ids_of(some) == [ids[500]]
                continue
            pages = await walk(client, f"{MESSAGES}?limit={limit}")
            assert ids_of(pages) == ids[::-1]  # newest first
            assert all(len(page) <= limit for page in pages)


async def test_filters_hold_on_every_page(box: Box) -> None:
    async with box.client(await box.key()) as client:
        ids = await fill(client, 300)
        for each in ids[::3]:
            assert (await client.post(f"{MESSAGES}/{each}/cancel")).status_code == 200
        cancelled = await walk(client, f"{MESSAGES}?status=cancelled&limit=7")
        waiting = await walk(client, f"{MESSAGES}?status=queued&limit=50")
        both = await walk(client, f"{MESSAGES}?status=queued,cancelled&limit=50")
        assert ids_of(cancelled) == ids[::3][::-1]
        assert sorted(ids_of(waiting)) == sorted(set(ids) - set(ids[::3]))
        assert ids_of(both) == ids[::-1]
        assert {item["status"] for page in cancelled for item in page} == {"cancelled"}
        assert ids_of(await walk(client, f"{MESSAGES}?status=failed")) == []
        ahead = (datetime.now(UTC) + timedelta(hours=1)).isoformat().replace("+00:00", "Z")
        before = (datetime.now(UTC) - timedelta(hours=1)).isoformat().replace("+00:00", "Z")
        assert ids_of(await walk(client, f"{MESSAGES}?since={ahead}")) == []
        assert len(ids_of(await walk(client, f"{MESSAGES}?since={before}&limit=100"))) == 300


async def test_what_comes_in_during_a_walk_neither_doubles_nor_hides_anything(box: Box) -> None:
    async with box.client(await box.key()) as client:
        ids = await fill(client, 120)
        seen: list[str] = []
        following: str | None = f"{MESSAGES}?limit=10"
        place = 1000
        while following is not None:
            page = (await client.get(following)).json()
            seen += [item["id"] for item in page["items"]]
            following = page["next"]
            await fill(client, 3, place)
            place += 100
        assert [each for each in seen if each in set(ids)] == ids[::-1]
        assert len(seen) == len(set(seen))


@pytest.mark.parametrize("change", ["status=failed", "to=%2B447900900999", "since=2020-01-01T00:00:00Z"])
async def test_a_cursor_with_other_filters_is_no_way_to_more(box: Box, change: str) -> None:
    async with box.client(await box.key()) as client:
        await fill(client, 30)
        address = (await client.get(f"{MESSAGES}?limit=10&status=queued")).json()["next"]
        changed = await client.get(f"{address}&{change}")
        assert changed.status_code in {200, 422}
        if changed.status_code == 200:
            assert all(item["status"] != "queued" for item in changed.json()["items"]) or "since" in change


@pytest.mark.parametrize("cursor", ["x", "AAAA", "%00", "9" * 400, "eyJpZCI6MX0", "%F0%9F%98%80", "-1"])
async def test_a_cursor_that_is_none_is_refused(box: Box, cursor: str) -> None:
    async with box.client(await box.key()) as client:
        for path in (MESSAGES, "/api/v1/inbox"):
            answer = await client.get(f"{path}?cursor={cursor}")
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/cursor"), answer.text


async def test_every_problem_has_its_place_on_the_page_that_its_type_names(box: Box) -> None:
    async with box.client() as client:
        page = await client.get(PROBLEMS_PAGE)
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    for kind in KINDS:
        assert f'id="{kind.key}"' in page.text
        assert str(kind.status) in page.text
    assert "http://" not in page.text.replace("http://www.w3.org", "")  # nothing is fetched from anywhere


@pytest.mark.parametrize(
    "path", [MESSAGES, f"{MESSAGES}/msg_0", "/api/v1/sims", SIM, "/healthz", "/readyz", "/api/v1/inbox"]
)
async def test_head_and_options_do_no_harm(box: Box, path: str) -> None:
    async with box.client(await box.key()) as client:
        options = await client.options(path)
        assert options.status_code == 204
        assert {"GET", "OPTIONS"} <= set(options.headers["allow"].split(", "))
        head = await client.head(path)
        assert head.status_code in {200, 404, 405}
        if head.status_code == 405:
            assert "GET" in head.headers["allow"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"limits": {"per_day": 0}}, ("limits", "per_day", 0)),
        ({"limits": {"per_day": 10_000_000}}, ("limits", "per_day", 10_000_000)),
        ({"limits": {"min_interval_s": 86_400}}, ("limits", "min_interval_s", 86_400)),
        ({"limits": {"recipients_per_month": 1}}, ("limits", "recipients_per_month", 1)),
        ({"limits": {}}, None),
        ({"label": ""}, None),
        ({"label": "Ünïcode ж 1"}, None),
        ({"paused": True, "paused_reason": "x" * 200}, None),
        ({"paused": True, "paused_reason": ""}, None),
    ],
)
async def test_every_value_a_patch_takes_is_kept(
    box: Box, body: dict[str, Any], expected: tuple[str, str, Any] | None
) -> None:
    async with box.client(await box.key()) as client:
        answer = await client.patch(SIM, json={**body, "label": body.get("label", "shop")})
        assert answer.status_code == 200, answer.text
        assert answer.json()["label"] == body.get("label", "shop")
        if expected is not None:
            group, name, value = expected
            assert answer.json()[group][name] == value
        if body.get("paused"):
            assert answer.json()["paused_reason"] == (body["paused_reason"] or "paused by admin")


@pytest.mark.parametrize(
    "body",
    [
        {"label": "changed", "limits": {"per_day": 10_000_001}},
        {"label": "changed", "limits": {"min_interval_s": 86_401}},
        {"label": "changed", "paused": True, "paused_reason": "x" * 201},
        {"label": "changed\u0007", "limits": {"per_day": 5}},
        {"label": "changed", "limits": {"per_day": 1.5}},
        {"limits": {"per_day": 5}, "paused_reason": "alone"},
        {"limits": {"per_day": 5}, "paused": False, "paused_reason": "not paused"},
    ],
)
async def test_a_patch_that_is_refused_in_one_part_changes_no_other(box: Box, body: dict[str, Any]) -> None:
    async with box.client(await box.key()) as client:
        before = (await client.get(SIM)).json()
        assert (await client.patch(SIM, json=body)).status_code == 422
        assert (await client.get(SIM)).json() == before


async def test_requests_while_the_box_closes_are_done_or_refused_and_never_half_done(box: Box, tmp_path: Path) -> None:
    async with box.client(await box.key()) as client:
        await client.get(MESSAGES)
        sending = [
            asyncio.create_task(client.post(MESSAGES, json={"to": number(place), "text": "x"})) for place in range(60)
        ]
        reading = [asyncio.create_task(client.get(MESSAGES)) for _ in range(20)]
        await asyncio.sleep(0.005)
        box.readiness.wait_for("stopping", "the box is stopping")
        assert (await client.get("/readyz")).status_code == 503
        await box.store.close()
        answers = await asyncio.gather(*sending, *reading)
        late = await client.post(MESSAGES, json={"to": number(99), "text": "late"})
        assert (await client.get("/healthz")).status_code == 200
    for answer in (*answers, late):
        assert answer.status_code in {200, 202, 503}, answer.text
        if answer.status_code == 503:
            assert answer.json()["error_code"] == "SERVICE_UNAVAILABLE"
            assert int(answer.headers["retry-after"]) > 0
    assert late.status_code == 503
    accepted = {answer.json()["id"] for answer in answers if answer.status_code == 202}
    with closing(sqlite3.connect(tmp_path / "box.db")) as database:
        assert database.execute("SELECT count(*) FROM messages").fetchone() == (len(accepted),)
