"""``modembank-box clock``: it waits for the time, but not for long."""

import os

import pytest

from fakes.sleepers import Time
from modembank_box.cli import main
from modembank_box.places import Places
from modembank_box.states import read_state
from modembank_box.verbs import clock
from modembank_box.verbs.clock import AGREES_S, LONGEST_S, wait

NOW = 1_800_000_000.0


@pytest.fixture
def places(tmp_path):
    return Places(tmp_path)


def board_clock(places, since, took="1\n"):
    folder = places.root / "sys/class/rtc/rtc0"
    folder.mkdir(parents=True)
    (folder / "hctosys").write_text(took)
    (folder / "since_epoch").write_text(f"{since}\n")


def synchronise(places):
    (places.root / "run/systemd/timesync").mkdir(parents=True)
    (places.root / "run/systemd/timesync/synchronized").touch()


def waited(places, time):
    return wait(places, lambda: NOW, lambda: time.passed, time.sleep)


def test_a_time_from_the_network_ends_the_wait(places):
    time = Time(lambda passed: synchronise(places) if passed == 5.0 else None)
    assert waited(places, time) == "ntp"
    assert time.passed == 5.0


def test_a_clock_on_the_board_is_trusted_at_once(places):
    board_clock(places, int(NOW) - 1)
    time = Time()
    assert waited(places, time) == "rtc"
    assert time.passed == 0


@pytest.mark.parametrize(
    ("since", "took"),
    [(0, "1"), (int(NOW - AGREES_S - 1), "1"), (int(NOW + AGREES_S + 1), "1"), (int(NOW), "0"), ("none", "1")],
    ids=["it has no battery", "it is behind", "it is ahead", "the time is not its", "it cannot be read"],
)
def test_a_clock_on_the_board_is_not_trusted_when(places, since, took):
    board_clock(places, since, took)
    assert waited(places, Time()) == ""


def test_the_wait_has_an_end(places):
    time = Time()
    assert waited(places, time) == ""
    assert time.passed == LONGEST_S


def test_how_it_ended_is_written_down_and_is_no_failure(places, monkeypatch, capsys):
    monkeypatch.setattr(clock, "LONGEST_S", 0.0)
    assert main(["--root", str(places.root), "clock"]) == 0
    assert read_state(places.state("clock"))["trusted"] == ""
    synchronise(places)
    assert main(["--root", str(places.root), "clock"]) == 0
    assert read_state(places.state("clock"))["trusted"] == "ntp"
    assert "the time is not known" in capsys.readouterr().out


class TestAtOnce:
    """Before anything else of the start runs."""

    def test_the_board_s_time_is_told(self, places):
        board_clock(places, int(NOW) - 1)
        assert clock.tell_at_once(places, lambda: NOW)
        assert read_state(places.state("clock")) == {"trusted": "rtc", "waited_s": 0.0}

    def test_without_such_a_clock_it_is_left_to_whoever_waits(self, places):
        assert not clock.tell_at_once(places, lambda: NOW)
        assert not places.state("clock").exists()

    @pytest.mark.parametrize(("ahead_s", "told"), [(-3600, True), (AGREES_S + 1, False)])
    def test_a_time_that_an_earlier_start_has_seen_counts_more(self, places, ahead_s, told):
        board_clock(places, int(NOW) - 1)
        seen = places.root / "var/lib/systemd/timesync/clock"
        seen.parent.mkdir(parents=True)
        seen.touch()
        os.utime(seen, (NOW + ahead_s, NOW + ahead_s))
        assert clock.tell_at_once(places, lambda: NOW) == told
