"""What admins see of providers, and what a kind says of its settings."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import kinds
from fakes.kinds import Brought, Trial, draft
from fakes.web_boxes import Box, make_box
from modembank.accounts import LOCAL_ADMIN
from modembank.errors import InvalidRequest
from modembank.modem.outcome import AttemptOutcome, Cause, CauseClass
from modembank.providers import Change, Limits, ReceiptStatus, Sharing, kind_views
from modembank.providers.kinds import kind_view
from modembank.providers.provider import LATELY
from modembank.providers.views import secret_names


@pytest.fixture
async def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Box]:
    kinds.install(monkeypatch)
    box = await make_box(tmp_path)
    box.providers.start(Brought())
    yield box
    await box.providers.stop()
    await box.store.close()


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({}, []),
        ({"password": "x", "secretary": "ann"}, []),
        ({"password_secret": "smpp-1"}, ["smpp-1"]),
        ({"password_secret": ""}, []),
        ({"secret": "a", "secrets": ["b", "c"], "more_secrets": {"x": "d"}}, ["a", "b", "c", "d"]),
        ({"deep": [{"er": {"key_secret": "a"}}]}, ["a"]),
        ({"headers": {"X-Key": "Key {secret:web-1}", "X-B": "{secret:b}{secret:c}"}}, ["web-1", "b", "c"]),
        ({"text": "{secret:}", "other": "{secrets:x}", "open": "{secret:x"}, []),
        ({"window_secret": 4, "flag_secret": True, "none_secret": None}, []),
    ],
)
def test_secrets_are_found_by_how_kinds_name_them(settings: dict[str, Any], names: list[str]) -> None:
    assert list(secret_names(settings)) == names


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=8), nested))
def test_whatever_settings_are_names_are_texts(settings: object) -> None:
    assert all(isinstance(name, str) and name for name in secret_names(settings))


async def test_a_view_tells_state_secrets_and_use(box: Box, tmp_path: Path) -> None:
    await box.providers.add(LOCAL_ADMIN, draft())
    sharing = Sharing(2.0, False, Limits(per_minute=9, per_month=90))
    await box.providers.change(LOCAL_ADMIN, "alpha", Change(sharing=sharing))
    alpha = box.providers.named("alpha")
    assert alpha is not None
    alpha.ledger.record(round(box.clock.now() * 1000), 3, "+447900900123")
    view = box.providers.show(LOCAL_ADMIN, "alpha")
    assert (view.state, view.why, view.sharing) == ("ready", None, sharing)
    assert view.used == {"per_minute": 3, "per_hour": 3, "per_day": 3, "per_month": 3}
    assert [(each.name, each.there) for each in view.secrets] == [("trial-key", False)]
    assert str(tmp_path / "secrets") in (view.secrets[0].why or "")
    Trial.broken = "no session"
    assert box.providers.show(LOCAL_ADMIN, "alpha").state == "not_ready"
    await box.providers.disable(LOCAL_ADMIN, "alpha", "too dear")
    view = box.providers.show(LOCAL_ADMIN, "alpha")
    assert (view.state, view.why) == ("disabled", "too dear")
    assert json.loads(msgspec.json.encode(view))["callback_path"] == "/hooks/providers/alpha"


async def test_lately_is_of_the_latest_tries_alone(box: Box) -> None:
    await box.providers.add(LOCAL_ADMIN, draft())
    alpha = box.providers.named("alpha")
    assert alpha is not None
    lately = box.providers.show(LOCAL_ADMIN, "alpha").lately
    assert (lately.tries, lately.success_rate, lately.delivery_rate, lately.latency_s) == (0, None, None, None)
    refused = Cause(CauseClass.SIM, "no_credit", "no credit")
    for _ in range(LATELY):
        box.providers.tried(alpha, AttemptOutcome.REJECTED, 9.0, refused)
    for seconds in (0.1, 0.2, 0.3):
        box.providers.tried(alpha, AttemptOutcome.ACCEPTED, seconds, None)
    for status in (ReceiptStatus.PENDING, ReceiptStatus.DELIVERED, ReceiptStatus.FAILED, ReceiptStatus.EXPIRED):
        alpha.tally.told(status)
    lately = box.providers.show(LOCAL_ADMIN, "alpha").lately
    assert (lately.tries, lately.success_rate, lately.latency_s) == (100, 0.03, 0.2)
    assert lately.delivery_rate == 0.333
    assert (lately.failures, lately.last_failure) == (0, "no credit")
    assert lately.last_failure_at is not None
    assert lately.last_success_at is not None


async def test_a_secret_is_looked_for_each_time_and_never_shown(box: Box, tmp_path: Path) -> None:
    await box.providers.add(LOCAL_ADMIN, draft(headers={"X-Key": "{secret:other}", "X-Again": "{secret:trial-key}"}))
    folder = tmp_path / "secrets"
    folder.mkdir()
    for name in ("trial-key", "other"):
        (folder / f"modembank.provider.{name}").write_text("canary\n")
    view = box.providers.show(LOCAL_ADMIN, "alpha")
    assert [(each.name, each.there, each.why) for each in view.secrets] == [
        ("trial-key", True, None),
        ("other", True, None),
    ]
    assert b"canary" not in msgspec.json.encode(view)
    (folder / "modembank.provider.other").unlink()
    assert not box.providers.show(LOCAL_ADMIN, "alpha").secrets[1].there


def test_kinds_tell_their_schema_and_unknown_ones_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds.install(monkeypatch)
    assert [view.name for view in kind_views()] == ["trial", "spool"]
    schema = kind_view("trial").settings
    assert schema["additionalProperties"] is False
    assert schema["properties"]["channel"]["enum"] == ["email", "sms", "whatsapp"]
    with pytest.raises(InvalidRequest) as caught:
        kind_view("pigeon")
    assert caught.value.problems[0].pointer == "/kind"
