"""What doctor says of the USB: only what may be a modem all the same needs attention."""

import pytest

from modembank.config import BankConfig, Config
from modembank.discovery import Standing
from modembankd.doctor import UsbReport, _nothing_served, _on_the_usb


def report(standing, why="why"):
    return UsbReport("usb:1-2", "046d:c31c", "Logitech Keyboard", standing, why)


def test_served_devices_are_not_mentioned():
    assert _on_the_usb([]) == []
    assert _on_the_usb([report(Standing.SERVED)]) == []


@pytest.mark.parametrize("standing", [one for one in Standing if one is not Standing.SERVED])
def test_others_are_named_with_the_reason(standing):
    (finding,) = _on_the_usb([report(standing, "it has no serial port"), report(Standing.SERVED)])
    assert finding.text == "1 without a slot"
    assert finding.notes == ("usb:1-2, Logitech Keyboard (046d:c31c): it has no serial port",)
    assert finding.good == (standing not in {Standing.REFUSED, Standing.WAITING})


def test_a_box_that_serves_nothing_is_told_what_to_do():
    assert 'discovery = "usb"' in _nothing_served(Config()).text
    assert "plug one in" in _nothing_served(Config(bank=BankConfig(discovery="usb"))).text
