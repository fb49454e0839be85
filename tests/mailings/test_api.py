"""Mailings by the API: from a file to messages, and what can be seen and done meanwhile."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from fakes.web_boxes import Box, make_box
from fakes.workbooks import write_workbook
from modembank.accounts import LOCAL_ADMIN, Role, Scope
from modembank.mailings.requests import MailingRequest
from modembank.mailings.uploads import NoRoomForFile, Upload
from modembank.store import StoreFull

FILE = b"name;phone;ref\nAnn;+447900900123;a1\nB\xf6b;'+447900900124;a2\nCid;4.479E+11;\nAnn;+44 7900 900123;\nDi;;\n"


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Box]:
    box = await make_box(tmp_path)
    await box.mailings.start()
    yield box
    await box.mailings.stop()
    await box.store.close()


@pytest.fixture
async def client(box: Box) -> AsyncIterator[httpx.AsyncClient]:
    async with box.client(await box.key()) as client:
        yield client


async def post(
    client: httpx.AsyncClient, file: bytes = FILE, file_name: str = "people.csv", path: str = "", **fields: Any
):
    headers = fields.pop("headers", {})
    return await client.post(
        f"/api/v1/mailings{path}", files={"file": (file_name, file)}, data={k: str(v) for k, v in fields.items()},
        headers=headers,
    )  # fmt: skip


async def until(client: httpx.AsyncClient, mailing: str, condition: Any) -> Any:
    async with asyncio.timeout(20):
        while not condition(view := (await client.get(f"/api/v1/mailings/{mailing}")).json()):
            await asyncio.sleep(0.02)
    return view


def imported(view: Any) -> bool:
    return bool(view["progress"]["phase"] in {"done", "failed"})


async def test_a_file_becomes_messages(client: httpx.AsyncClient) -> None:
    answer = await post(client, template="Dear {name}", reference_column="ref")
    assert answer.status_code == 202, answer.text
    new = answer.json()
    assert answer.headers["location"] == f"/api/v1/mailings/{new['id']}"
    assert new["charset"] == "cp1252"
    view = await until(client, new["id"], imported)
    assert view["progress"] == {
        "phase": "done", "rows": 5, "read": 5, "accepted": 2, "refused": 2, "duplicates": 1,
        "waits_for": 0,
    }  # fmt: skip
    assert view["messages"]["queued"] == 2
    batch = new["id"].replace("mlg_", "bat_")
    messages = (await client.get(f"/api/v1/messages?batch={batch}")).json()["items"]
    assert {(one["to"], one["text"], one["reference"]) for one in messages} == {
        ("+447900900123", "Dear Ann", "a1"),
        ("+447900900124", "Dear Böb", "a2"),
    }
    rows = (await client.get(f"/api/v1/mailings/{new['id']}/rows")).json()["items"]
    assert [(row["line"], row["kind"]) for row in rows] == [(4, "refused"), (5, "duplicate"), (6, "refused")]
    assert "spreadsheet" in rows[0]["reason"]
    refused = await client.get(f"/api/v1/mailings/{new['id']}/refused")
    assert [(one["line"], one["number"]) for one in csv.DictReader(io.StringIO(refused.text))] == [
        ("4", "4.479E+11"), ("5", "'+44 7900 900123"), ("6", "")
    ]  # fmt: skip
    results = await client.get(f"/api/v1/mailings/{new['id']}/results")
    assert "'+447900900123,queued,a1" in results.text
    assert "attachment" in results.headers["content-disposition"]


async def test_a_preview_and_a_dry_run_keep_nothing(client: httpx.AsyncClient, box: Box) -> None:
    shown = (await post(client, path="/preview", template="Dear {name} – hi")).json()
    assert shown["layout"] == {
        "kind": "csv", "columns": ["name", "phone", "ref"], "to_column": "phone", "header": True,
        "charset": "cp1252", "delimiter": ";",
    }  # fmt: skip
    assert shown["sample"][0] == {
        "line": 2, "number": "+447900900123", "to": "+447900900123", "text": "Dear Ann – hi", "encoding": "ucs2",
        "segments": 1, "forced_by": ["–"], "reason": "", "replacements": [{"character": "–", "replacement": "-"}],
        "text_after": "Dear Ann - hi", "segments_after": 1,
    }  # fmt: skip
    answer = await post(client, template="Dear {name}", dry_run="true")
    assert answer.status_code == 200
    found = answer.json()
    assert [found[name] for name in ("rows", "accepted", "refused", "duplicates", "segments", "ucs2")] == [
        5, 2, 2, 1, 2, 0
    ]  # fmt: skip
    assert [row["line"] for row in found["first_refused"]] == [4, 6]
    assert (await client.get("/api/v1/mailings")).json()["items"] == []
    assert list((box.mailings._folder).iterdir()) == []
    assert await box.store.fetch_one("SELECT count(*) FROM messages") == (0,)


async def test_a_dry_run_says_what_forces_ucs2_and_what_replacing_it_saves(client: httpx.AsyncClient) -> None:
    text = "’" + "x" * 99
    file = f"phone,x\n+447900900123,{text}\n+447900900124,{text}ы\n+447900900125,“{text}\n".encode()
    found = (await post(client, file, template="{x}", dry_run="true")).json()
    assert [found[name] for name in ("segments", "ucs2", "messages_replaceable", "segments_saved")] == [6, 3, 2, 2]
    assert found["forced_by"] == [
        {"character": "’", "messages": 3, "replacement": "'"},
        {"character": "ы", "messages": 1, "replacement": None},
        {"character": "“", "messages": 1, "replacement": '"'},
    ]
    after = (await post(client, file, template="{x}", dry_run="true", replace="true")).json()
    assert [after[name] for name in ("segments", "ucs2", "messages_replaceable", "segments_saved")] == [4, 1, 0, 0]
    assert after["sample"][0]["text"] == "'" + "x" * 99
    assert after["sample"][1]["text"] == text + "ы"  # it would be UCS-2 all the same


async def test_a_dry_run_counts_landlines_and_refuses_none(client: httpx.AsyncClient) -> None:
    file = b"phone\n+447900900123\n+441214960001\n+442079460001\n"
    found = (await post(client, file, template="x", dry_run="true")).json()
    assert (found["accepted"], found["landlines"]) == (3, 2)


async def test_a_dry_run_estimates_when_it_will_have_left(client: httpx.AsyncClient, box: Box) -> None:
    found = (await post(client, template="Hi", dry_run="true")).json()
    assert 0 <= found["needed_s"] < 3_600
    (sim,) = box.sims.all()
    await client.patch(f"/api/v1/sims/{sim.iccid}", json={"paused": True})
    never = (await post(client, template="Hi", dry_run="true")).json()
    assert (never["needed_s"], never["finishes_at"]) == (None, None)


async def test_the_same_key_gives_the_same_mailing(client: httpx.AsyncClient, box: Box) -> None:
    headers = {"Idempotency-Key": "one"}
    first, again = await asyncio.gather(*(post(client, template="Hi {name}", headers=headers) for _ in range(2)))
    third = await post(client, template="Hi {name}", headers=headers)
    assert first.status_code == again.status_code == third.status_code == 202
    assert {first.json()["id"], again.json()["id"]} == {third.json()["id"]}
    assert third.headers["idempotent-replay"] == "true"
    for other in (
        await post(client, template="Ho {name}", headers=headers),
        await post(client, FILE + b"x", template="Hi {name}", headers=headers),
    ):
        assert (other.status_code, other.json()["title"]) == (422, "Idempotency key reused")
    await until(client, first.json()["id"], imported)
    assert await box.store.fetch_one("SELECT count(*) FROM messages") == (2,)
    bad = await post(client, template="Hi", headers={"Idempotency-Key": ""})
    assert bad.json()["errors"][0]["pointer"] == "/Idempotency-Key"


async def test_a_file_without_a_good_row_is_refused_as_a_whole(client: httpx.AsyncClient, box: Box) -> None:
    file = b"phone,x\n" + b"".join(b"12%d,\n" % at for at in range(30)) + b"12,\n"
    answer = await post(client, file, to_column="phone", template="{x}")
    assert answer.status_code == 202
    view = await until(client, answer.json()["id"], imported)
    assert view["status"] == "failed"
    assert view["cause"].startswith(
        "no row can be sent: line 2 (120): the text is empty: there is nothing to send; line 3"
    )
    assert view["cause"].count("line ") == 10
    assert view["progress"]["refused"] + view["progress"]["duplicates"] == 31
    assert await box.store.fetch_one("SELECT kind FROM event_log") == ("mailing.failed",)
    for verb in ("pause", "resume", "cancel", "start"):
        refused = await client.post(f"/api/v1/mailings/{view['id']}/{verb}")
        assert (refused.status_code, refused.json()["error_code"]) == (409, "CONFLICT"), verb


async def test_a_file_that_cannot_be_read_to_its_end_makes_no_message(client: httpx.AsyncClient, box: Box) -> None:
    file = b"phone,x\n" + b"+447900900123,a\n" * 30 + b'+447900900124,"' + b"a\n" * 40_000
    view = await until(client, (await post(client, file, template="{x}")).json()["id"], imported)
    assert view["status"] == "failed"
    assert view["cause"].startswith("the file has a cell of more than 65536 characters in line 32")
    assert await box.store.fetch_one("SELECT count(*) FROM messages") == (0,)


@pytest.mark.parametrize(
    ("fields", "file", "pointer", "why"),
    [
        ({}, FILE, "/template", "or text_column is needed"),
        ({"template": "x", "text_column": "1"}, FILE, "/template", "cannot be given together with text_column"),
        ({"template": "{nobody}"}, FILE, "/template", "{nobody} is no column; known are: name, phone, ref"),
        ({"template": "x", "to_column": "mobile"}, FILE, "/to_column", "'mobile' is no column"),
        ({"template": "x", "delimiter": "ab"}, FILE, "/delimiter", "expected str of length <= 1"),
        ({"template": "x", "delimiter": "a"}, FILE, "/delimiter", "must be one character such as"),
        ({"template": "x", "priority": "12"}, FILE, "/priority", "must be 0 to 9"),
        ({"template": "x", "sim": "nobody"}, FILE, "/sim", "there is no SIM"),
        ({"template": "x", "hold": "maybe"}, FILE, "/hold", "expected bool"),
        ({"template": "x", "header": "perhaps"}, FILE, "/header", "invalid enum value"),
        ({"template": "x", "max_segments": "0"}, FILE, "/max_segments", "must be 1 to 255"),
        ({"template": "x", "name": "a\tb"}, FILE, "/name", "must have 1 to 200 characters"),
        ({"template": "x", "unknown": "1"}, FILE, "/unknown", "is not known; known are: name, template"),
        ({"template": "x", "send_at": "2001-01-01T00:00:00Z"}, FILE, "/send_at", "is so long ago"),
        ({"template": "x"}, b"", "/file", "is empty"),
        ({"template": "x"}, b"name,phone\n", "/file", "has a header and no row behind it"),
        ({"template": "x"}, b"%PDF-1.4", "/file", "is a PDF document"),
    ],
)
async def test_what_is_wrong_names_its_field_and_leaves_nothing(
    client: httpx.AsyncClient, box: Box, fields: dict[str, str], file: bytes, pointer: str, why: str
) -> None:
    for path in ("", "/preview") if pointer == "/file" else ("",):
        answer = await post(client, file, path=path, **fields)
        assert answer.status_code == 422, answer.text
        errors = {error["pointer"]: error["detail"] for error in answer.json()["errors"]}
        assert errors[pointer].startswith(why), errors
    assert await box.store.fetch_one("SELECT count(*) FROM mailings") == (0,)
    folder = box.mailings._folder
    assert not folder.exists() or list(folder.iterdir()) == []


async def test_s13_forms_that_are_none(client: httpx.AsyncClient, box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    async def send(content: bytes, media: str = "multipart/form-data; boundary=b", **headers: str) -> tuple[int, str]:
        answer = await client.post("/api/v1/mailings", content=content, headers={"Content-Type": media, **headers})
        return answer.status_code, answer.json()["detail"]

    part = b'--b\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
    file = part % (b"file", b'; filename="../../etc/x.csv"', b"x")
    assert (await send(b"{}", "application/json"))[0] == 415
    assert (await send(b"", "multipart/form-data"))[0] == 415
    assert (await send(file + b"--b--", **{"Content-Encoding": "gzip"}))[0] == 415
    assert (await send(b"nonsense"))[0] == 422
    assert (await send(file))[0] == 422  # it does not end
    assert (await send(part % (b"name", b"", b"x") + b"--b--")) == (422, "/file: is required: the file to read")
    assert (await send(file * 2 + b"--b--")) == (422, "/file: is given twice")
    assert (await send(part % (b"name", b"", b"\xff") + b"--b--")) == (422, "/name: is not UTF-8 text")
    assert (await send(part % (b"template", b"", b"x" * 300_000) + b"--b--"))[0] == 413
    monkeypatch.setattr("modembank.mailings.uploads.MAX_OCTETS", 1_000)
    assert (await send(part % (b"file", b'; filename="a"', b"x" * 2_000) + b"--b--")) == (
        413, "the file is larger than 1000 octets"
    )  # fmt: skip
    folder = box.mailings._folder
    assert not folder.exists() or list(folder.iterdir()) == []


async def test_numbers_that_opted_out_get_nothing(client: httpx.AsyncClient, box: Box) -> None:
    await box.store.write(
        lambda conn: conn.execute(
            "INSERT INTO opt_outs (number, state, changed_at, source) VALUES ('+447900900124', 1, 1, 'api')"
        )
    )
    dry = (await post(client, template="Hi", dry_run="true")).json()
    assert (dry["accepted"], dry["refused"], dry["opted_out"]) == (1, 3, 1)
    view = await until(client, (await post(client, template="Hi")).json()["id"], imported)
    assert (view["progress"]["accepted"], view["progress"]["refused"]) == (1, 3)
    rows = (await client.get(f"/api/v1/mailings/{view['id']}/rows")).json()["items"]
    assert rows[0] == {
        "line": 3, "number": "'+447900900124", "kind": "refused",
        "reason": "has opted out: it wants no messages of this box",
    }  # fmt: skip


async def test_rows_beyond_the_quota_are_refused(box: Box) -> None:
    key = await box.key(Role.SENDER)
    await box.store.write(lambda conn: conn.execute("UPDATE users SET quota_per_day = 1 WHERE role = 'sender'"))
    async with box.client(key) as client:
        assert (await post(client, template="Hi", dry_run="true")).json()["quota_left"] == 1
        view = await until(client, (await post(client, template="Hi")).json()["id"], imported)
        assert (view["progress"]["accepted"], view["progress"]["refused"]) == (1, 3)
        rows = (await client.get(f"/api/v1/mailings/{view['id']}/rows")).json()["items"]
        assert rows[0]["reason"].startswith("the quota of this user is 1 segments a day and 1 are used")
        answer = await post(client, template="Hi")
        assert (answer.status_code, answer.json()["error_code"]) == (429, "TOO_MANY_REQUESTS")
        assert "retry-after" in answer.headers


async def test_a_sender_sees_and_changes_only_its_own(client: httpx.AsyncClient, box: Box) -> None:
    mine = (await post(client, template="Hi", hold="true")).json()["id"]
    async with (
        box.client(await box.key(Role.SENDER)) as other,
        box.client(await box.key(Role.SENDER, Scope.MESSAGES_SEND, name="weak")) as weak,
    ):
        theirs = (await post(other, template="Hi", hold="true")).json()["id"]
        assert [one["id"] for one in (await other.get("/api/v1/mailings")).json()["items"]] == [theirs]
        for method, path in [
            ("GET", ""), ("GET", "/rows"), ("GET", "/results"), ("GET", "/refused"), ("GET", "/history"),
            ("POST", "/pause"), ("POST", "/start"), ("POST", "/resume"), ("POST", "/continue"), ("POST", "/cancel"),
            ("POST", "/retry-failed"),
        ]:  # fmt: skip
            assert (await other.request(method, f"/api/v1/mailings/{mine}{path}")).status_code == 404
            assert (await weak.request(method, f"/api/v1/mailings/{mine}{path}")).status_code == 403
        assert (await post(weak, template="Hi")).status_code == 403
    assert len((await client.get("/api/v1/mailings")).json()["items"]) == 2


async def test_lists_go_on_by_their_cursor(client: httpx.AsyncClient) -> None:
    made = [(await post(client, template="Hi", hold="true")).json()["id"] for _ in range(3)]
    page = (await client.get("/api/v1/mailings?limit=2")).json()
    rest = (await client.get(page["next"])).json()
    assert [one["id"] for one in page["items"] + rest["items"]] == made[::-1]
    assert rest["next"] is None
    await until(client, made[0], imported)
    rows = (await client.get(f"/api/v1/mailings/{made[0]}/rows?limit=2")).json()
    more = (await client.get(rows["next"])).json()
    assert [row["line"] for row in rows["items"] + more["items"]] == [4, 5, 6]
    assert (await client.get("/api/v1/mailings?cursor=abc")).status_code == 422


async def test_texts_from_a_column_of_a_workbook(client: httpx.AsyncClient, tmp_path: Path) -> None:
    book = write_workbook(
        tmp_path / "x.xlsx", [["To", "Text"], ["+447900900123", "=Hello"], ["+447900900124", "Bye {x}"]]
    )
    answer = await post(client, book.read_bytes(), "list.csv", text_column="text", name="Both")
    assert answer.status_code == 202, answer.text
    view = await until(client, answer.json()["id"], imported)
    assert (view["name"], view["file"], view["progress"]["accepted"]) == ("Both", "list.csv", 2)
    batch = view["id"].replace("mlg_", "bat_")
    texts = {one["text"] for one in (await client.get(f"/api/v1/messages?batch={batch}")).json()["items"]}
    assert texts == {"Hello", "Bye {x}"}


async def test_results_for_spreadsheets_and_for_programs(client: httpx.AsyncClient, box: Box) -> None:
    view = await until(client, (await post(client, template="Hi")).json()["id"], imported)
    await client.post(f"/api/v1/mailings/{view['id']}/cancel")
    await until(client, view["id"], lambda view: view["finished_at"])
    address = f"/api/v1/mailings/{view['id']}/results"
    sheet = list(csv.DictReader(io.StringIO((await client.get(address)).text)))
    plain = list(csv.DictReader(io.StringIO((await client.get(f"{address}?format=machine")).text)))
    assert [(one["to"], one["status"]) for one in plain] == [
        ("+447900900123", "cancelled"), ("+447900900124", "cancelled")
    ]  # fmt: skip
    assert [one["to"] for one in sheet] == ["'+447900900123", "'+447900900124"]
    assert plain[0]["cause"] == "cancelled: by admin"
    assert (await client.get(f"{address}?format=pdf")).status_code == 422
    again = await client.post(f"/api/v1/mailings/{view['id']}/retry-failed")
    assert (again.status_code, again.json()["detail"]) == (
        409, "it is cancelled: what failed is sent again once it is finished"
    )  # fmt: skip
    actions = await box.store.fetch_all("SELECT action FROM audit WHERE action LIKE 'mailing.%' ORDER BY id")
    assert actions == [("mailing.create",), ("mailing.cancel",), ("mailing.export",), ("mailing.export",)]


async def test_changes_while_the_file_is_imported_count_for_all_of_it(client: httpx.AsyncClient, box: Box) -> None:
    file = b"phone,x\n" + b"".join(b"+4479009%05d,x\n" % at for at in range(1_500))
    made = (await post(client, file, template="{x}")).json()["id"]
    assert (await client.post(f"/api/v1/mailings/{made}/pause")).json()["status"] == "paused"
    await until(client, made, imported)
    async with asyncio.timeout(10):
        while await box.store.fetch_one("SELECT 1 FROM mailings WHERE walk IS NOT NULL"):
            await asyncio.sleep(0.01)
    assert await box.store.fetch_all("SELECT ready, count(*) FROM messages GROUP BY ready") == [(4, 1_500)]
    assert (await client.post(f"/api/v1/mailings/{made}/cancel")).json()["status"] == "cancelled"
    view = await until(client, made, lambda view: view["finished_at"])
    assert view["messages"]["cancelled"] == 1_500
    assert (await box.messages.recount()).breaches() == ()


async def test_a_small_file_does_not_wait_behind_large_ones(
    client: httpx.AsyncClient, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modembank.mailings.running.SMALL_OCTETS", 200)
    begun, go_on, carry_on = [], asyncio.Event(), box.mailings._importing.carry_on

    async def slowly(mailing: Any) -> None:
        begun.append(mailing.public_id)
        if mailing.octets > 200:
            await go_on.wait()
        await carry_on(mailing)

    monkeypatch.setattr(box.mailings._importing, "carry_on", slowly)
    large = [(await post(client, FILE + b"\n" * 200, template="Hi")).json()["id"] for _ in range(3)]
    small = (await post(client, template="Hi")).json()["id"]
    await until(client, small, imported)
    assert begun == [large[0], small]
    await until(client, large[2], lambda view: view["progress"]["waits_for"] == 2)
    ahead = [(await client.get(f"/api/v1/mailings/{one}")).json()["progress"]["waits_for"] for one in large]
    assert ahead == [0, 1, 2]
    go_on.set()
    for one in large:
        assert (await until(client, one, imported))["progress"]["waits_for"] == 0
    assert begun == [large[0], small, *large[1:]]


async def test_an_import_that_breaks_off_lets_the_others_go_and_goes_on_later(
    client: httpx.AsyncClient, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modembank.mailings.running.PUT_OFF_S", 0.0)
    tries, carry_on = [], box.mailings._importing.carry_on

    async def full(mailing: Any) -> None:
        tries.append(mailing.public_id)
        if tries.count(mailing.public_id) == 1:
            raise StoreFull(detail="none is left")
        await carry_on(mailing)

    monkeypatch.setattr(box.mailings._importing, "carry_on", full)
    made = [(await post(client, template="Hi")).json()["id"] for _ in range(2)]
    for one in made:
        await until(client, one, imported)
    assert sorted(tries) == sorted(made * 2)
    assert await box.store.fetch_one("SELECT count(*) FROM messages") == (4,)


async def test_nothing_more_is_accepted_of_a_user_that_was_disabled(box: Box) -> None:
    async with box.client(await box.key(Role.SENDER)) as client:
        await box.mailings.stop()
        made = (await post(client, template="Hi")).json()["id"]
        await box.store.write(lambda conn: conn.execute("UPDATE users SET active = 0 WHERE role = 'sender'"))
        await box.mailings.start()
    async with box.client(await box.key()) as admin:
        view = await until(admin, made, imported)
        assert (view["progress"]["accepted"], view["progress"]["refused"]) == (0, 4)
        rows = (await admin.get(f"/api/v1/mailings/{made}/rows")).json()["items"]
        assert rows[0]["reason"] == "was not accepted: the user of this mailing was disabled before its turn came"
        await until(admin, made, lambda view: view["status"] == "finished")
        again = await admin.post(f"/api/v1/mailings/{made}/retry-failed")
        assert (again.status_code, again.json()["detail"]) == (
            409, "its user is disabled: nothing more is accepted of it"
        )  # fmt: skip


async def test_a_request_that_is_cancelled_as_its_mailing_is_stored_leaves_that_its_file(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    await box.mailings.stop()
    upload = box.mailings.upload(LOCAL_ADMIN, "x.csv")
    await upload.write(FILE)
    file, written, write = await upload.received(), asyncio.Event(), box.store.write

    async def stored(*args: Any, **options: Any) -> Any:
        await write(*args, **options)
        written.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as patched:
        patched.setattr(box.store, "write", stored)
        making = asyncio.create_task(box.mailings.create(LOCAL_ADMIN, file, MailingRequest(template="Hi")))
        await written.wait()
        making.cancel()
        with pytest.raises(asyncio.CancelledError):
            await making
    await box.mailings.start()
    (view,) = (await box.mailings.list(LOCAL_ADMIN)).items
    async with box.client(await box.key()) as client:
        assert (await until(client, view.id, imported))["progress"]["accepted"] == 2


async def test_what_is_left_of_the_disk_is_kept_for_messages(tmp_path: Path) -> None:
    upload = Upload(tmp_path / "files", "x.csv", reserve_octets=1 << 60)
    await upload.write(b"x")
    with pytest.raises(NoRoomForFile, match="what is left is kept for messages"):
        await upload.received()
    upload.discard()
    assert list((tmp_path / "files").iterdir()) == []


async def test_a_mailing_whose_file_is_gone_says_so(client: httpx.AsyncClient, box: Box) -> None:
    await box.mailings.stop()
    made = (await post(client, template="Hi")).json()["id"]
    (box.mailings._folder / made).unlink()
    (box.mailings._folder / "upload-left-by-a-crash").write_bytes(b"x")
    await box.mailings.start()
    view = await until(client, made, imported)
    assert (view["status"], view["cause"]) == ("failed", "its file is not there any more, as after a restore")
    assert list(box.mailings._folder.iterdir()) == []
