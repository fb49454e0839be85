"""What root's side says: read as it is, and never a reason to fail."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.images import MISTAKE, TOLD, Image
from modembank.appliance import box_view
from modembank.appliance.state import LARGEST, LONGEST, MOST, State, read_state, signature

NAMES = ("release", "data", "personal", "update", "certificate")


@pytest.fixture
def image(tmp_path: Path) -> Image:
    return Image(tmp_path / "run", tmp_path)


def test_a_box_without_the_folder_is_no_image(tmp_path: Path) -> None:
    assert read_state(tmp_path / "run") == State()
    assert box_view("box", 3.4, State()).appliance is False
    assert signature(tmp_path / "run") == ()


def test_everything_is_read(image: Image) -> None:
    update = {
        "state": "installing", "percent": 40, "from_version": "1.2.0", "version": "1.3.0", "by": "ada",
        "at": "2026-11-20T14:05:00Z", "reason": "",
    }  # fmt: skip
    image.start(update=update, personal={"applied": False, "mistakes": [MISTAKE]})
    state = read_state(image.run)
    assert state.present
    assert state.unreadable == ()
    assert state.release is not None
    assert (state.release.version, state.release.slot, state.release.architecture) == ("1.2.0", "a", "amd64")
    assert state.data is not None
    assert state.data.is_well
    assert state.first_file is not None
    assert (state.first_file.applied, state.first_file.mistakes[0].line) == (False, 7)
    assert state.update is not None
    assert state.update.is_under_way
    assert state.update.at == 1_795_183_500_000
    assert state.certificate is not None
    assert state.certificate.names == ("modembank.local", "192.0.2.10")
    view = box_view("box", 60, state)
    assert view.update is not None
    assert (view.update.at, view.update.percent) == ("2026-11-20T14:05:00.000Z", 40)
    assert view.certificate is not None
    assert view.certificate.not_after == "2036-11-01T00:00:00.000Z"


def test_an_empty_folder_says_nothing(image: Image) -> None:
    image.run.mkdir()
    assert read_state(image.run) == State(present=True)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b"[]", b"null", b"5", b"[" * 5000, b'"a"', b" " * LARGEST + b"{}"]
)
def test_a_file_that_says_nothing_is_named_and_hides_no_other(image: Image, content: bytes) -> None:
    image.start(update=content)
    state = read_state(image.run)
    assert state.unreadable == ("update.json",)
    assert state.update is None
    assert state.release is not None


def test_what_is_no_file_is_named_and_not_waited_for(image: Image) -> None:
    image.start(data=None, update=None, certificate=None)
    os.mkfifo(image.run / "data.json")
    (image.run / "update.json").mkdir()
    (image.run / "certificate.json").symlink_to("release.json")
    assert read_state(image.run).unreadable == ("data.json", "update.json", "certificate.json")


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("set aside", "set_aside"),
        ("Made-New", "made_new"),
        (" clean ", "clean"),
        (None, ""),
        (5, ""),
        ("x" * 500, "x" * 40),
    ],
)
def test_words_are_read_in_their_usual_spelling(image: Image, said: object, meant: str) -> None:
    image.start(data={"state": said})
    data = read_state(image.run).data
    assert data is not None
    assert data.state == meant


@pytest.mark.parametrize(
    ("said", "meant"),
    [(40, 40), (40.7, 40), (-3, 0), (1e9, 100), ("40", None), (True, None), (None, None), (1e300, None)],
)
def test_a_percentage_is_one(image: Image, said: object, meant: int | None) -> None:
    image.start(update={"state": "installing", "percent": said})
    update = read_state(image.run).update
    assert update is not None
    assert update.percent == meant


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("2026-11-20T14:05:00Z", 1_795_183_500_000),
        ("2026-11-20T15:05:00+01:00", 1_795_183_500_000),
        ("2026-11-20 14:05:00", 1_795_183_500_000),
        (1_795_183_500, 1_795_183_500_000),
        ("tomorrow", None),
        (None, None),
    ],
)
def test_times_are_read_in_several_forms(image: Image, said: object, meant: int | None) -> None:
    image.start(certificate={"not_after": said})
    certificate = read_state(image.run).certificate
    assert certificate is not None
    assert certificate.not_after == meant


def test_much_is_cut(image: Image) -> None:
    many = [MISTAKE | {"reason": "x" * 5_000}] * 10 + [5, None, "x"]
    image.start(personal={"applied": "yes", "mistakes": many}, certificate={"names": ["n"] * 900 + [5]})
    state = read_state(image.run)
    assert state.first_file is not None
    assert (len(state.first_file.mistakes), state.first_file.applied) == (10, False)
    assert len(state.first_file.mistakes[0].reason) == LONGEST
    assert state.certificate is not None
    assert len(state.certificate.names) == MOST


def test_a_file_that_is_written_anew_is_seen(image: Image) -> None:
    image.start()
    before = signature(image.run)
    assert signature(image.run) == before
    image.says("data", TOLD["data"])
    assert signature(image.run) != before


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
_FIELDS = (
    "version", "build", "slot", "architecture", "state", "detail", "applied", "mistakes", "line", "field", "reason",
    "percent", "from_version", "by", "at", "fingerprint", "names", "not_after",
)  # fmt: skip
_SAID = st.dictionaries(
    st.sampled_from(_FIELDS),
    _JSON | st.lists(st.dictionaries(st.sampled_from(_FIELDS), _JSON, max_size=4), max_size=2),
    max_size=6,
)


@settings(max_examples=40, deadline=None)
@given(said=st.fixed_dictionaries(dict.fromkeys(NAMES, _SAID)))
def test_whatever_is_said_can_be_shown(tmp_path_factory: pytest.TempPathFactory, said: dict[str, Any]) -> None:
    run = tmp_path_factory.mktemp("run")
    for name, content in said.items():
        (run / f"{name}.json").write_text(json.dumps(content, allow_nan=True))
    box_view("box", 0.0, read_state(run))
