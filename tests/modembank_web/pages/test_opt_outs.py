"""Opt-outs as pages."""

from __future__ import annotations

from fakes.readers import parsed, reader
from fakes.web_boxes import Box
from modembank.accounts import LOCAL_ADMIN, Role
from modembank.optouts.writing import ask

NUMBER = "+447900900123"


async def test_a_number_is_put_out_and_let_in_again(box: Box) -> None:
    async with reader(box) as admin:
        assert "Nobody has opted out" in (await admin.opens("/ui/opt-outs")).text
        wrong = await admin.sends("/ui/opt-outs", 422, number="nobody", note="kept")
        assert wrong.one(id="new-number-error").text or wrong.one("span", class_="error").text
        assert wrong.one("input", name="note")["value"] == "kept"
        done = await admin.sends("/ui/opt-outs", number=NUMBER, note="<b>by phone</b>")
        assert "gets no messages any more" in done.text
        assert admin.last is not None
        assert admin.last.headers["hx-trigger"] == "optouts-changed"
        listed = await admin.opens("/ui/opt-outs?state=out")
        assert "<b>by phone</b>" in listed.one("tbody").text
        assert "state=out" in listed.one(id="opt-outs-now")["hx-get"]
        unheard = await admin.opens("/ui/opt-outs?number=nobody", 422)
        assert unheard.one(id="number-error").text.startswith("has letters")
        assert "Mend what is marked" in unheard.text
        assert (await admin.sends("/ui/opt-outs/back", 422, number=NUMBER)).one("span", class_="error").text
        assert (
            "may have messages" in (await admin.sends("/ui/opt-outs/back", number=NUMBER, reason="wrote a letter")).text
        )
    async with reader(box, Role.SENDER) as sender:
        await sender.sends("/ui/opt-outs/back", 403, number=NUMBER, reason="because")


async def test_what_looks_like_stop_is_decided(box: Box) -> None:
    await box.store.write(lambda conn: ask(conn, 7, NUMBER, "stop", 1_790_000_000_000, None))
    async with reader(box) as admin:
        page = await admin.opens("/ui/opt-outs")
        form = page.one("article").one("form")
        assert NUMBER in page.one("article").text
        after = await admin.sends(form["hx-post"], decision="opt_out")
        assert not list(after.all("article"))
        assert NUMBER in after.one("tbody").text


async def test_a_file_is_taken_whole_or_not_at_all(box: Box) -> None:
    async with reader(box) as admin:

        async def upload(text: str, status: int):
            files = {"file": ("numbers.csv", text.encode(), "text/csv")}
            answer = await admin.client.post("/ui/opt-outs/import", files=files, headers=admin.htmx)
            assert answer.status_code == status, answer.text
            return parsed(answer.text)

        assert "line 3: " in (await upload(f"number\n{NUMBER}\nnobody\n", 422)).text
        assert (await box.optouts.list(LOCAL_ADMIN)).items == []
        assert "1 numbers were put out" in (await upload(f"number,note\n{NUMBER},x\n", 200)).text
        assert "1 were out already" in (await upload(f"number\n{NUMBER}\n", 200)).text
        await admin.opens("/ui/opt-outs/export")
        assert admin.last is not None
        assert admin.last.headers["content-disposition"] == 'attachment; filename="opt-outs.csv"'
        assert f"'{NUMBER}" in admin.last.text
