"""The example of the documentation is whole, is what the page shows, and keeps the rules of adapters."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fakes import kinds, spool
from fakes.kinds import Brought
from modembank.clock import SystemClock
from modembank.errors import InvalidRequest
from modembank.modem.outcome import AttemptOutcome, CauseClass
from modembank.providers import BadCall, Call, Channel, NotAuthentic, Outbound, Receipt, ReceiptStatus
from modembank.providers.kinds import kind_of, kind_view, read_settings
from modembank.providers.model import Adapter, Means, SecretMissing

PAGE = Path(__file__).resolve().parents[2] / "docs" / "providers.md"
SOURCE = Path(spool.__file__)


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds.install(monkeypatch)


def made(folder: Path, brought: Brought | None = None, **settings: Any) -> Adapter:
    def secret(name: str) -> str:
        if name != "spool-token":
            raise SecretMissing(why=f"the secret {name} is not there")
        return "4711"

    kind = kind_of("spool")
    given = {"folder": str(folder), "token_secret": "spool-token"} | settings
    return kind.make(read_settings(kind, given), Means(SystemClock(), brought or Brought(), secret))


def message(**changes: Any) -> Outbound:
    return msgspec.structs.replace(Outbound("box-msg_1", Channel.SMS, "+447900900123", "Hello, ü"), **changes)


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


async def opened() -> bool:
    return True


async def shut() -> bool:
    return False


def call(token: str = "4711", **query: str) -> Call:
    return Call("POST", query, {"x-token": token}, b"", "127.0.0.1")


def test_the_page_shows_it_as_it_is_and_in_under_80_lines() -> None:
    source = SOURCE.read_text()
    assert f"```python\n{source}```\n" in PAGE.read_text()
    assert len(source.splitlines()) < 80


def test_it_is_a_kind_with_a_schema_and_checks(tmp_path: Path) -> None:
    kind, view = kind_of("spool"), kind_view("spool")
    assert (kind.NAME, kind.channel(None)) == ("spool", Channel.SMS)
    assert set(view.settings["properties"]) == {"folder", "token_secret"}
    assert all(each["description"] for each in view.settings["properties"].values())
    with pytest.raises(InvalidRequest) as caught:
        read_settings(kind, {"folder": "here"})
    assert caught.value.problems[0].pointer == "/settings/folder"


async def test_a_message_becomes_a_whole_file_when_the_gate_opens(tmp_path: Path) -> None:
    adapter = made(tmp_path)
    seen: list[list[str]] = []

    async def gate() -> bool:
        seen.append(names(tmp_path))
        return True

    result = await adapter.send(message(), gate)
    assert (result.outcome, result.reference) == (AttemptOutcome.ACCEPTED, "box-msg_1")
    assert seen == [[".box-msg_1"]]
    assert names(tmp_path) == ["box-msg_1"]
    assert (tmp_path / "box-msg_1").read_text() == "To: 447900900123\n\nHello, ü\n"
    assert "Hello" not in str(result.evidence)


async def test_a_shut_gate_leaves_nothing_that_the_daemon_takes(tmp_path: Path) -> None:
    result = await made(tmp_path).send(message(), shut)
    assert result.outcome is AttemptOutcome.NOT_SENT
    assert [name for name in names(tmp_path) if not name.startswith(".")] == []


async def test_no_folder_is_not_ready_and_certainly_not_sent(tmp_path: Path) -> None:
    adapter = made(tmp_path / "gone")
    assert "there is no folder" in (adapter.not_ready() or "")
    result = await adapter.send(message(), opened)
    assert result.outcome is AttemptOutcome.NOT_SENT
    assert result.cause is not None
    assert result.cause.klass is CauseClass.MODEM
    assert made(tmp_path).not_ready() is None


async def test_calls_prove_themselves_and_bring_receipts(tmp_path: Path) -> None:
    brought = Brought()
    adapter = made(tmp_path, brought)
    assert (await adapter.called(call(status="delivered", file="box-msg_1"))).status == 200
    assert brought.receipts == [Receipt("box-msg_1", ReceiptStatus.DELIVERED)]
    for wrong in ("", "4712", "ü"):
        with pytest.raises(NotAuthentic):
            await adapter.called(call(wrong, status="delivered", file="box-msg_1"))
    for query in ({"status": "lost", "file": "x"}, {"status": "delivered"}, {}):
        with pytest.raises(BadCall, match="delivered"):
            await adapter.called(call(**query))
    with pytest.raises(NotAuthentic):
        await made(tmp_path, brought, token_secret="").called(call("", status="delivered", file="x"))
    assert len(brought.receipts) == 1


async def test_it_holds_nothing(tmp_path: Path) -> None:
    async with asyncio.timeout(5):
        assert await made(tmp_path).run() is None
