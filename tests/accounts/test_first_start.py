"""The first start: a code that only the box itself shows makes one admin, once."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest

from fakes.web_boxes import Box, make_box
from modembank.accounts import LOCAL_ADMIN, FirstStart, Role, TooManyLogins
from modembank.accounts.first_start import FILE_NAME, GOOD_FOR_MS, read_code, ready_code
from modembank.errors import Conflict, InvalidRequest

PASSWORD = "teapot-gravel-october-lantern"


@pytest.fixture
async def box(tmp_path: Path):
    box = await make_box(tmp_path)
    yield box
    await box.store.close()


async def begin(box: Box, code: str, **changes: str):
    given = {"name": "olga", "password": PASSWORD, "source": "192.0.2.7"} | changes
    return await box.first_start.begin(code, given["name"], given["password"], source=given["source"])


async def test_the_code_lies_in_a_file_for_the_boxs_user_alone(box: Box, tmp_path: Path) -> None:
    await box.first_start.offer()
    path = tmp_path / FILE_NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    code = read_code(tmp_path)
    assert code is not None
    assert len(code.text.replace("-", "")) == 26
    await box.first_start.offer()
    assert read_code(tmp_path) == code, "a good code stays"
    assert ready_code(tmp_path / "..", 0).text != code.text
    (tmp_path / ".." / FILE_NAME).unlink()


async def test_it_makes_the_first_admin_once_however_it_is_typed(box: Box, tmp_path: Path) -> None:
    await box.first_start.offer()
    code = read_code(tmp_path)
    assert code is not None
    user = await begin(box, f"  {code.text.lower().replace('-', ' ')} ")
    assert (user.name, user.role) == ("olga", Role.ADMIN)
    assert not await box.first_start.is_open()
    assert read_code(tmp_path) is None
    with pytest.raises(Conflict, match="an admin already"):
        await begin(box, code.text, name="mallory")
    await box.first_start.offer()
    assert read_code(tmp_path) is None, "nothing is offered to the second"
    [entry] = [entry for entry in (await box.audit.list(LOCAL_ADMIN)).items if entry.action == "user.add"]
    assert (entry.subject, entry.source) == ("olga", "192.0.2.7")


async def test_of_many_at_once_one_becomes_admin(box: Box, tmp_path: Path) -> None:
    await box.first_start.offer()
    code = read_code(tmp_path)
    assert code is not None
    asked = [begin(box, code.text, name=f"user{at}", source=f"192.0.2.{at}") for at in range(4)]
    done = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(not isinstance(one, BaseException) for one in done) == 1
    assert {type(one) for one in done if isinstance(one, BaseException)} <= {Conflict, InvalidRequest, TooManyLogins}
    assert len(await box.accounts.users(LOCAL_ADMIN)) == 1


async def test_wrong_codes_are_counted_also_across_a_restart(box: Box, tmp_path: Path) -> None:
    await box.first_start.offer()
    code = read_code(tmp_path)
    assert code is not None
    wrong = code.text[:-1] + ("A" if code.text[-1] != "A" else "B")
    for _ in range(5):
        with pytest.raises(InvalidRequest, match="not the one that the box shows"):
            await begin(box, wrong)
    again = FirstStart(box.store, box.clock, box.accounts, tmp_path)
    with pytest.raises(TooManyLogins):
        await again.begin(code.text, "olga", PASSWORD, source="192.0.2.9")
    assert await again.is_open()


@pytest.mark.parametrize(
    ("change", "pointer"),
    [({"name": "no name!"}, "/name"), ({"password": "short"}, "/password"), ({"name": "local"}, "/name")],
)
async def test_a_bad_name_or_password_leaves_the_code_good(
    box: Box, tmp_path: Path, change: dict[str, str], pointer: str
) -> None:
    await box.first_start.offer()
    code = read_code(tmp_path)
    assert code is not None
    with pytest.raises(InvalidRequest) as refused:
        await begin(box, code.text, **change)
    assert refused.value.problems[0].pointer == pointer
    assert (await begin(box, code.text)).name == "olga"


async def test_an_old_code_is_replaced(box: Box, tmp_path: Path) -> None:
    old = ready_code(tmp_path, round(box.clock.now() * 1000) - GOOD_FOR_MS)
    with pytest.raises(InvalidRequest, match="too old"):
        await begin(box, old.text)
    fresh = read_code(tmp_path)
    assert fresh is not None
    assert fresh.text != old.text
    (tmp_path / FILE_NAME).write_text("torn")
    with pytest.raises(InvalidRequest, match="too old"):
        await begin(box, "torn")
    assert read_code(tmp_path) is not None


async def test_an_admin_made_on_the_command_line_ends_it(box: Box, tmp_path: Path) -> None:
    await box.first_start.offer()
    await box.accounts.add_user(LOCAL_ADMIN, "keys-only", Role.ADMIN)
    await box.accounts.add_user(LOCAL_ADMIN, "ann", Role.SENDER, PASSWORD)
    assert await box.first_start.is_open()
    await box.accounts.add_user(LOCAL_ADMIN, "olga", Role.ADMIN, PASSWORD)
    assert not await box.first_start.is_open()
    assert read_code(tmp_path) is None
