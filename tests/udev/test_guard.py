"""S19: what may hang behind an external hub, as udev itself decides."""

import pytest

from fakes.udev import Udev

pytestmark = pytest.mark.systemd
MODEM = {"ff/ff/ff", "ff/02/01", "02/02/01", "02/02/00", "0a/00/00", "09/00/00"}
OTHER = {
    "03/01/01": "a keyboard",
    "01/01/00": "sound",
    "08/06/50": "a card reader in a modem",
    "02/02/ff": "RNDIS",
    "02/06/00": "CDC Ethernet",
    "e0/01/03": "RNDIS of another kind",
    "e0/01/01": "Bluetooth",
    "0e/01/00": "a camera",
    "07/01/02": "a printer",
}


@pytest.fixture
def udev(tmp_path):
    made = Udev(tmp_path)
    made.plug("1-2", "05e3:0610", device_class="09")
    return made


@pytest.mark.parametrize("kind", sorted(MODEM))
def test_s19_what_modems_are_made_of_stays(udev, kind):
    udev.plug("1-2.1", "2c7c:0125", interfaces=":ffffff:020201:0a0000:080650:")
    assert not udev.test(udev.interface("1-2.1", 0, kind)).switched_off


@pytest.mark.parametrize("kind", OTHER, ids=OTHER.get)
def test_s19_all_else_behind_a_hub_is_switched_off(udev, kind):
    udev.plug("1-2.1", "2c7c:0125", interfaces=":ffffff:030101:080650:")
    assert udev.test(udev.interface("1-2.1", 1, kind)).switched_off
    udev.plug("1-2.2", "05e3:0610", device_class="09")
    udev.plug("1-2.2.4", "046d:c31c")
    assert udev.test(udev.interface("1-2.2.4", 1, kind)).switched_off


def test_s19_a_modem_that_still_is_a_disk_can_be_switched(udev):
    udev.plug("1-2.1", "12d1:1f01", interfaces=":080650:")
    assert not udev.test(udev.interface("1-2.1", 0, "08/06/50")).switched_off


@pytest.mark.parametrize("kind", OTHER, ids=OTHER.get)
def test_s19_nothing_on_the_boards_own_ports_is_touched(udev, kind):
    udev.plug("1-3", "046d:c31c")
    assert not udev.test(udev.interface("1-3", 0, kind)).switched_off


@pytest.mark.parametrize(
    ("hubs", "keyboard"),
    [
        ({"1-1": "2109:3431"}, "1-1.3"),  # Raspberry Pi 4
        ({"1-1": "0424:9514"}, "1-1.2"),  # Raspberry Pi 3
        ({"1-1": "0424:2514", "1-1.1": "0424:2514"}, "1-1.1.2"),  # Raspberry Pi 3+
    ],
)
def test_s19_nor_on_the_ports_of_a_board_that_has_a_hub_of_its_own(udev, hubs, keyboard):
    for place, usb_id in hubs.items():
        udev.plug(place, usb_id, device_class="09")
    udev.plug(keyboard, "046d:c31c")
    assert not udev.test(udev.interface(keyboard, 0, "03/01/01")).switched_off
    behind = keyboard.rpartition(".")[0] + ".4"
    udev.plug(behind, "05e3:0610", device_class="09")
    udev.plug(f"{behind}.1", "046d:c31c")
    assert udev.test(udev.interface(f"{behind}.1", 0, "03/01/01")).switched_off


def test_s19_what_a_person_allows_again_stays_so(udev):
    udev.plug("1-2.1", "046d:c31c")
    assert not udev.test(udev.interface("1-2.1", 0, "03/01/01"), "change").switched_off
