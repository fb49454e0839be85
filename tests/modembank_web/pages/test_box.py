"""The page of the appliance: shown on an image alone, with what is wrong, how an update goes, and what may be asked."""

from __future__ import annotations

import re
from typing import Any

import pytest

from fakes.images import BUNDLE, MISTAKE
from fakes.readers import Element, Reader, reader
from fakes.web_boxes import Box
from modembank.accounts import LOCAL_ADMIN, Role

PAGE = "/ui/box"
HOSTILE = "<img src=x onerror=alert(1)>\u202e\x1b[31m"


def facts(page: Element) -> dict[str, str]:
    terms = [each.text for each in page.all("dt")]
    return dict(zip(terms, [each.text for each in page.all("dd")], strict=True))


async def sends_file(who: Reader, content: bytes, status: int = 200) -> Element:
    answer = await who.client.post(f"{PAGE}/update", files={"file": ("x.raucb", content)}, headers=who.htmx)
    return who._seen(answer, status)


async def updates(who: Reader, box: Box, **update: Any) -> Element:
    """Look at the part on updates once root's side says this of one."""
    box.image.says("update", update)
    return (await who.asks(f"{PAGE}/now")).one(id="update")


async def test_a_box_that_is_no_image_has_nothing_of_it(box: Box) -> None:
    async with reader(box) as admin:
        page = await admin.opens(PAGE)
        assert PAGE not in [link["href"] for link in page.one("nav", class_="menu").all("a")]
        assert "was not started from the appliance image" in page.text
        assert not [*page.all("dialog"), *page.all("form", id="bundle")]
        assert "not started from the appliance image" in (await admin.sends(f"{PAGE}/restart", 409)).text
        box.image.start()
        page = await admin.opens("/ui/system")
        assert PAGE in [link["href"] for link in page.one("nav", class_="menu").all("a")]


async def test_only_admins_see_it(box: Box) -> None:
    box.image.start()
    async with reader(box, Role.SENDER, "ann") as sender:
        await sender.opens(PAGE, 403)
        page = await sender.opens("/ui/mailings")
        assert PAGE not in [link["href"] for link in page.one("nav", class_="menu").all("a")]


async def test_it_says_what_the_box_is(box: Box) -> None:
    box.image.start()
    async with reader(box) as admin:
        shown = facts(await admin.opens(PAGE))
    assert shown["Version"] == "1.2.0 build 20261101"
    assert (shown["Slot"], shown["Made for"], shown["First-boot file"]) == ("A", "amd64", "box.toml applied")
    assert re.fullmatch("clean 58.0\\sGB", shown["Data partition"])
    assert "Last trouble with it" not in shown
    assert (shown["SHA-256"], shown["Good for"]) == ("AB:CD:EF:01", "modembank.local, 192.0.2.10")
    assert shown["Until"].startswith("01 Nov 2036")


async def test_a_box_that_says_nothing_is_shown_all_the_same(box: Box) -> None:
    box.image.run.mkdir()
    for name in ("release", "data", "personal", "update", "certificate"):
        box.image.says(name, b"{")
    async with reader(box) as admin:
        page = await admin.opens(PAGE)
    assert facts(page)["Data partition"] == "not told"
    assert "release.json" in page.text
    assert [*page.all("form", id="bundle")]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("set-aside", "has been set aside"),
        ("made-new", "was made anew"),
        ("in_memory", "everything is in memory"),
    ],
)
async def test_damaged_data_is_said_first(box: Box, state: str, words: str) -> None:
    box.image.start(data={"state": state, "detail": HOSTILE})
    async with reader(box) as admin:
        page = await admin.opens(PAGE)
    assert words in page.one(id="box-now").one(class_="notice").text
    assert not [each for each in page.all("img") if each["src"] == "x"]


async def test_what_else_went_wrong_and_earlier_trouble_is_told(box: Box) -> None:
    last = {"state": "repaired", "detail": HOSTILE, "at": "2026-11-20T14:05:00Z"}
    box.image.start(data={"state": "clean", "problems": [f"/etc cannot be written {HOSTILE}"], "last_trouble": last})
    async with reader(box) as admin:
        page = await admin.opens(PAGE)
    assert "/etc cannot be written" in page.one(class_="notice").text
    assert facts(page)["Last trouble with it"].startswith("repaired, 20 Nov 2026")
    assert not [each for each in page.all("img") if each["src"] == "x"]


async def test_mistakes_have_their_line_and_the_way_out(box: Box) -> None:
    mistakes = [MISTAKE, {"line": 0, "field": HOSTILE, "reason": HOSTILE, "way_out": HOSTILE}]
    box.image.start(personal={"applied": False, "file": "box.toml", "kept": ["network"], "mistakes": mistakes})
    async with reader(box) as admin:
        page = await admin.opens(PAGE)
    assert "What is said of network counts as it last was right" in page.text
    assert "2 mistakes in box.toml" in page.text
    rows = [[cell.text for cell in row.all("td")] for row in page.one("tbody").all("tr")]
    assert rows[0] == ["7", "network.address", "192.168.1.300 is no address", "write it as 192.168.1.30/24"]
    assert rows[1][0] == "–"
    assert facts(page)["First-boot file"] == "2 mistakes"
    assert not [each for each in page.all("img") if each["src"] == "x"]


async def test_an_update_is_followed_from_its_bundle_to_its_end(box: Box) -> None:
    box.image.start()
    async with reader(box) as admin:
        page = await admin.opens(PAGE)
        assert "data-upload" in page.one("form", id="bundle").attributes
        now = page.one(id="box-now")
        assert (now["data-live-on"], now["hx-get"]) == ("box", f"{PAGE}/now")
        sent = await sends_file(admin, BUNDLE * 50)
        assert "admin asked for an update" in sent.text
        assert not [*sent.all("form", id="bundle")]
        assert box.image.takes()["verb"] == "update"
        checking = await updates(admin, box, state="checking")
        assert not [*checking.all("form")]
        installing = await updates(admin, box, state="installing", percent=40, version="1.3.0", by="admin")
        assert installing.one("progress")["value"] == "40"
        assert "Version 1.3.0 is written" in installing.text
        assert "Asked for by admin" in installing.text
        installed = await updates(admin, box, state="installed", version="1.3.0")
        assert "Version 1.3.0 is installed" in installed.text
        assert installed.one("button", data_opens="restart-box").text == "Restart now"
        asked = await admin.sends(f"{PAGE}/postpone")
        assert "admin asked for a later restart" in asked.text
        assert (box.image.asked() or {})["days"] == 7
        assert box.image.takes()["verb"] == "postpone"
        asked = await admin.sends(f"{PAGE}/restart")
        assert "admin asked for a restart" in asked.text
        assert box.image.takes()["verb"] == "restart"
        assert "has to show that it is well" in (await updates(admin, box, state="trial")).text
        assert "is in force since" in (await updates(admin, box, state="good", at="2026-11-20T14:05:00Z")).text


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("refused", "The bundle was refused"),
        ("failed", "The update failed"),
        ("rolled_back", "the one before is back"),
        ("something_new", "something new"),
    ],
)
async def test_why_an_update_came_to_nothing_is_said(box: Box, state: str, words: str) -> None:
    box.image.start()
    async with reader(box) as admin:
        shown = await updates(admin, box, state=state, reason=f"it is not signed {HOSTILE}")
        assert words in shown.text
        assert "it is not signed" in shown.text
        assert [*shown.all("form", id="bundle")]
        assert not [each for each in shown.all("img") if each["src"] == "x"]
        if state != "something_new":
            assert "No reason is told" in (await updates(admin, box, state=state)).text


async def test_a_file_that_is_no_bundle_is_refused_where_it_was_chosen(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.image.start()
    async with reader(box) as admin:
        shown = await sends_file(admin, b"PK\x03\x04", 422)
        assert "is no update bundle" in shown.one("form", id="bundle").text
        monkeypatch.setattr("modembank.appliance.bundle.MAX_OCTETS", 1_000)
        shown = await sends_file(admin, BUNDLE, 422)
        assert "is too large" in shown.one("form", id="bundle").text
    assert box.image.files() == set()


async def test_while_somebody_uploads_others_see_who(box: Box) -> None:
    box.image.start()
    upload = await box.appliance.upload(LOCAL_ADMIN, 700_000_000)
    async with reader(box) as admin:
        page = await admin.opens(PAGE)
        assert re.search("local is uploading a bundle of 700.0\\sMB", page.text)
        assert not [*page.all("form", id="bundle")]
        assert "local has been uploading a bundle since" in (await sends_file(admin, BUNDLE, 409)).text
        upload.discard()
        assert [*(await admin.asks(f"{PAGE}/now")).all("form", id="bundle")]


async def test_the_reset_wants_the_name_of_the_box(box: Box) -> None:
    box.image.start()
    async with reader(box) as admin:
        page = await admin.opens(PAGE)
        assert [*page.one("dialog", id="reset-box").all("input", name="box")]
        wrong = await admin.sends(f"{PAGE}/factory-reset", 422, box="other")
        assert "must be the name of this box, modembank" in wrong.text
        assert wrong.one("input", name="box")["value"] == "other"
        assert box.image.asked() is None
        asked = await admin.sends(f"{PAGE}/factory-reset", box="modembank")
        assert "begins as on its first day" in asked.text
        assert box.image.takes()["verb"] == "reset"
        assert [entry.action for entry in (await box.audit.list(LOCAL_ADMIN)).items][:1] == ["box.reset"]
