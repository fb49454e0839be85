"""S19: which network card is the box's own way to its network, as udev itself decides."""

import re

import pytest

from fakes.namespaces import FILES
from fakes.udev import RULES, Udev

pytestmark = pytest.mark.systemd
RULE = FILES / "usr/lib/udev/rules.d/93-modembank-box.rules"


@pytest.fixture
def udev(tmp_path):
    return Udev(tmp_path, rules=[*sorted(RULES.glob("*.rules")), RULE])


def kind(udev, path):
    return udev.test(path).properties.get("MODEMBANK_NET")


@pytest.mark.parametrize("subsystem", ["pci", "platform", "virtio"])
def test_a_card_on_the_board_is_the_lan(udev, subsystem):
    assert kind(udev, udev.board_net(subsystem)) == "lan"
    assert kind(udev, udev.board_net(subsystem, "wlan")) == "wifi"


def test_wifi_on_the_board_of_a_raspberry_is_wifi(udev):
    assert kind(udev, udev.board_net("sdio", "wlan")) == "wifi"


@pytest.mark.parametrize("subsystem", ["mhi", "wwan"])
def test_s19_a_modem_in_a_slot_of_the_board_is_none(udev, subsystem):
    assert kind(udev, udev.board_net(subsystem)) == "modem"
    assert kind(udev, udev.board_net("pci", "wwan")) == "modem"


@pytest.mark.parametrize("subsystem", ["", "gadget"])
def test_s19_what_has_no_card_or_is_a_gadget_is_nobodys(udev, subsystem):
    assert kind(udev, udev.board_net(subsystem)) is None


@pytest.mark.parametrize(
    ("usb_id", "driver"),
    [
        ("0bda:8153", "r8152"),
        ("0b95:1790", "ax88179_178a"),
        ("0424:ec00", "smsc95xx"),  # on the board of a Raspberry Pi 3
        ("0424:7800", "lan78xx"),  # 3+
        ("0bda:8153", "cdc_ether"),
        ("0b95:1790", "cdc_ncm"),
    ],
)
def test_an_adapter_for_ethernet_is_the_lan(udev, usb_id, driver):
    udev.plug("1-1", "05e3:0610", device_class="09")
    udev.plug("1-1.2", usb_id)
    assert kind(udev, udev.net("1-1.2", 0, driver)) == "lan"


@pytest.mark.parametrize(
    ("usb_id", "driver", "called"),
    [
        ("12d1:14dc", "cdc_ether", ""),  # a stick that says it is a router
        ("12d1:1506", "huawei_cdc_ncm", "wwan"),
        ("19d2:1405", "rndis_host", ""),
        ("2c7c:0125", "qmi_wwan", "wwan"),
        ("2c7c:0125", "qmi_wwan", ""),
        ("1199:9071", "cdc_mbim", "wwan"),
        ("1199:68a3", "sierra_net", ""),
        ("0bda:8153", "cdc_mbim", "wwan"),
        ("18d1:4eec", "cdc_ncm", ""),  # a telephone
        ("0525:a4a2", "cdc_ether", ""),
        ("ffff:0001", "whatever_comes", ""),
    ],
)
def test_s19_every_other_card_on_the_usb_is_taken_for_a_modems(udev, usb_id, driver, called):
    udev.plug("1-2", usb_id)
    assert kind(udev, udev.net("1-2", 1, driver, called)) == "modem"


def test_wifi_on_the_usb_is_wifi(udev):
    udev.plug("1-2", "0bda:8812")
    assert kind(udev, udev.net("1-2", 0, "rtw88_8812au", "wlan")) == "wifi"


def test_nothing_on_the_usb_is_put_to_sleep(udev):
    udev.plug("1-2", "2c7c:0125")
    udev._devices[-1] += "A: power/control=auto\n"
    output = udev.test("/sys/devices/pci0000:00/0000:00:14.0/usb1/1-2").output
    assert re.search(r"93-modembank-box\.rules:\d+ ATTR.*power/control.*writing 'on'", output)
