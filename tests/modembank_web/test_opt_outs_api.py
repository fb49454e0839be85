"""Opt-outs over HTTP: both forms of an import, both forms of an export, and who may do what."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from fakes.web_boxes import Box
from modembank.accounts import Role
from modembank.optouts.writing import ask

NUMBER = "+447900900123"
PATH = "/api/v1/opt-outs"


async def test_a_number_is_put_out_listed_and_let_in_again(box: Box) -> None:
    async with box.client(await box.key(Role.SENDER)) as client:
        added = await client.post(PATH, json={"number": NUMBER, "note": "by telephone"})
        assert (added.status_code, added.json()["state"], added.json()["by"]) == (200, "out", "sender")
        listed = (await client.get(PATH, params={"number": NUMBER})).json()
        assert listed == {"items": [added.json()], "next": None}
        refused = await client.delete(f"{PATH}/{quote(NUMBER)}?reason=asked")
        assert (refused.status_code, refused.json()["error_code"]) == (403, "FORBIDDEN")
    async with box.client(await box.key()) as client:
        missing = await client.delete(f"{PATH}/{quote(NUMBER)}")
        assert (missing.status_code, missing.json()["errors"][0]["pointer"]) == (422, "/reason")
        removed = await client.delete(f"{PATH}/{quote(NUMBER)}?reason=asked")
        assert (removed.status_code, removed.json()["state"], removed.json()["note"]) == (200, "in", "asked")
        assert (await client.delete(f"{PATH}/{quote(NUMBER)}?reason=asked")).status_code == 404
        assert (await client.get(PATH, params={"state": "out"})).json()["items"] == []


async def test_pages_lead_to_each_other(box: Box) -> None:
    async with box.client(await box.key()) as client:
        items = [{"number": f"+4479009001{n:02d}"} for n in range(5)]
        assert (await client.post(f"{PATH}/import", json={"items": items})).json()["added"] == 5
        address, seen = f"{PATH}?state=out&limit=2", []
        while address:
            page = (await client.get(address)).json()
            seen += [item["number"] for item in page["items"]]
            address = page["next"]
        assert sorted(seen) == [item["number"] for item in items]


@pytest.mark.parametrize("media", ["text/csv", "text/csv; charset=utf-8", "TEXT/CSV"])
async def test_a_file_is_imported_and_every_wrong_line_is_named(box: Box, media: str) -> None:
    async with box.client(await box.key()) as client:
        headers = {"Content-Type": media}
        wrong = await client.post(f"{PATH}/import", content=f"number\n{NUMBER}\nnobody\n", headers=headers)
        assert wrong.status_code == 422
        assert [error["pointer"] for error in wrong.json()["errors"]] == ["/lines/3"]
        right = await client.post(f"{PATH}/import", content=f"number\n'{NUMBER}\n", headers=headers)
        assert right.json() == {"added": 1, "already_out": 0, "skipped": 0}


async def test_what_is_neither_csv_nor_json_is_refused(box: Box) -> None:
    async with box.client(await box.key()) as client:
        answer = await client.post(f"{PATH}/import", content="x", headers={"Content-Type": "text/plain"})
        assert answer.status_code == 415
        packed = {"Content-Type": "text/csv", "Content-Encoding": "gzip"}
        assert (await client.post(f"{PATH}/import", content="x", headers=packed)).status_code == 415


async def test_s12_an_export_is_for_machines_or_for_spreadsheets(box: Box) -> None:
    async with box.client(await box.key()) as client:
        await client.post(PATH, json={"number": NUMBER, "note": "=1+1"})
        machine = await client.get(f"{PATH}/export")
        assert machine.headers["content-type"] == "text/csv; charset=utf-8"
        assert machine.headers["content-disposition"] == 'attachment; filename="opt-outs.csv"'
        assert machine.text.splitlines()[1].startswith(f"{NUMBER},out,")
        sheet = await client.get(f"{PATH}/export?format=spreadsheet")
        assert "spreadsheets" in sheet.headers["content-disposition"]
        assert sheet.content.startswith(b"\xef\xbb\xbf")
        assert f"'{NUMBER},out," in sheet.text
        assert ",'=1+1," in sheet.text
        assert (await client.get(f"{PATH}/export?format=xml")).status_code == 422


async def test_a_review_is_decided(box: Box) -> None:
    await box.store.write(lambda conn: ask(conn, 5, NUMBER, "STOP", 0, None))
    key = await box.key(Role.SENDER)
    await box.store.write(
        lambda conn: conn.execute(
            "INSERT INTO inbox (id, sim_id, sender, kind, text, parts, received_at, user_id)"
            " SELECT 5, 1, ?, 'text', 'stoop', 1, 5, id FROM users WHERE name = 'sender'",
            (NUMBER,),
        )
    )
    async with box.client(key) as client:
        (item,) = (await client.get(f"{PATH}/reviews")).json()["items"]
        assert (item["from"], item["keyword"], item["decision"]) == (NUMBER, "STOP", None)
        decided = await client.post(f"{PATH}/reviews/{item['id']}/decide", json={"decision": "opt_out"})
        assert (decided.status_code, decided.json()["by"]) == (200, "sender")
        other = await client.post(f"{PATH}/reviews/{item['id']}/decide", json={"decision": "dismiss"})
        assert other.status_code == 409
        assert (await client.get(f"{PATH}/reviews")).json()["items"] == []
        assert len((await client.get(f"{PATH}/reviews?state=all")).json()["items"]) == 1
        assert (await client.get(PATH)).json()["items"][0]["source"] == "review"
