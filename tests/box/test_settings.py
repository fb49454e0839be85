"""When a box updates itself: what the owner may say."""

from datetime import time

import pytest

from modembank_box.errors import BoxError
from modembank_box.places import Places
from modembank_box.settings import UpdateSettings, update_settings


@pytest.fixture
def write(tmp_path):
    def write(text):
        (tmp_path / "etc/modembank").mkdir(parents=True, exist_ok=True)
        (tmp_path / "etc/modembank/updates.toml").write_text(text)
        return Places(tmp_path)

    return write


def test_nothing_said_is_automatic_from_nowhere(tmp_path, write):
    assert update_settings(Places(tmp_path)) == UpdateSettings(automatic=True, url="", begins=time(2), ends=time(5))
    assert update_settings(write("")) == UpdateSettings()


def test_what_may_be_said(write):
    places = write('automatic = false\nurl = "https://updates.example.com/modembank/"\nwindow = "22:30-01:15"\n')
    settings = update_settings(places)
    assert (settings.automatic, settings.url) == (False, "https://updates.example.com/modembank")
    assert [settings.is_open(time(h, 0)) for h in (21, 23, 0, 1, 2)] == [False, True, True, True, False]


@pytest.mark.parametrize(
    "text",
    [
        "automatic = 1",
        'url = "http://updates.example.com"',
        'url = "file:///etc/passwd"',
        'url = "https://"',
        'url = "https://[x"',
        'url = "https://a/?b"',
        "url = 7",
        'window = "2-5"',
        'window = "25:00-26:00"',
        "window = true",
        "automatic =",
    ],
)
def test_what_cannot_be_meant_is_no_reason_to_do_something_else(write, text):
    with pytest.raises(BoxError, match=r"updates\.toml"):
        update_settings(write(text))


def test_a_window_of_a_day():
    settings = UpdateSettings(begins=time(2), ends=time(5))
    assert [settings.is_open(time(h, 59)) for h in (1, 2, 4, 5)] == [False, True, True, False]
