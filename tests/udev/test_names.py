"""How udev itself names the ports of a bank, and who is kept away from them."""

import re

import pytest

from fakes.udev import GROUP, RULES, Udev

pytestmark = pytest.mark.systemd


@pytest.fixture
def udev(tmp_path):
    return Udev(tmp_path)


def test_the_ports_of_a_modem_are_named_by_its_place_and_the_one_for_commands_by_the_table(udev):
    udev.plug("1-1", "05e3:0610", device_class="09")
    udev.plug("1-1.4", "2c7c:0125")
    ports = [udev.test(udev.tty("1-1.4", number)) for number in range(4)]
    for number, port in enumerate(ports):
        assert f"modembank/1-1.4/if0{number}" in port.links
        assert port.properties["MODEMBANK_PLACE"] == "1-1.4"
    assert [port.properties["MODEMBANK_ROLE"] for port in ports] == ["diagnostics", "gps", "at", "second"]
    assert [("modembank/1-1.4/at" in port.links) for port in ports] == [False, False, True, False]


def test_twins_are_told_apart_by_where_they_are(udev):
    for place in ("1-2", "1-1.4.3"):
        udev.plug(place, "1e0e:9001")
        assert f"modembank/{place}/at" in udev.test(udev.tty(place, 2)).links


@pytest.mark.parametrize(("kind", "role"), [("ff/02/01", "ppp"), ("ff/01/02", "at"), ("ff/02/02", "at")])
def test_huawei_says_itself_what_a_port_is(udev, kind, role):
    udev.plug("1-2", "12d1:1506")
    port = udev.test(udev.tty("1-2", 1, kind))
    assert port.properties["MODEMBANK_ROLE"] == role
    assert ("modembank/1-2/at" in port.links) == (role == "at")


def test_a_port_that_nobody_knows_has_its_interface_for_a_name(udev):
    udev.plug("1-2", "10c4:ea60")
    port = udev.test(udev.tty("1-2", 0, "ff/00/00"))
    assert {link for link in port.links if "modembank" in link} == {"modembank/1-2/if00"}
    assert "MODEMBANK_ROLE" not in port.properties


def test_the_lines_of_an_adapter_with_one_interface_have_names_of_their_own(udev):
    udev.plug("1-2", "110a:1410")
    paths = [udev.tty("1-2", 0, line=line) for line in range(3)]
    names = [{link for link in udev.test(path).links if "modembank" in link} for path in paths]
    assert names == [{"modembank/1-2/if00"}, {"modembank/1-2/if00-port1"}, {"modembank/1-2/if00-port2"}]


def test_a_port_belongs_to_the_group_of_the_daemon_and_is_a_unit(udev):
    udev.plug("1-2", "2c7c:0125")
    port = udev.test(udev.tty("1-2", 2))
    assert port.group == GROUP
    assert re.search(r"91-modembank\.rules:\d+ MODE.*0660", port.output)
    assert {"systemd", "modembank"} <= set(port.properties["TAGS"].split(":"))
    assert "SYSTEMD_WANTS" not in port.properties


def test_other_programs_are_kept_away(udev, tmp_path):
    braille = tmp_path / "90-brltty-usb-generic.rules"
    braille.write_text(
        'SUBSYSTEM=="usb", ENV{DEVTYPE}=="usb_device", ATTR{idVendor}=="1a86", ENV{BRLTTY_BRAILLE_DRIVER}="bm", '
        'TAG+="systemd", ENV{SYSTEMD_WANTS}="brltty@1.service"\n'
    )
    adapter = udev.plug("1-2", "1a86:7523")
    port = udev.tty("1-2", 0)
    udev.rules = [braille]
    assert udev.test(adapter).properties["SYSTEMD_WANTS"] == "brltty@1.service"
    udev.rules = [braille, *RULES.glob("*.rules")]
    seen = udev.test(adapter).properties
    assert seen["ID_MM_DEVICE_IGNORE"] == "1"
    assert not seen.get("BRLTTY_BRAILLE_DRIVER")
    assert not seen.get("SYSTEMD_WANTS")
    assert udev.test(port).properties["ID_MM_DEVICE_IGNORE"] == "1"


def test_a_modem_is_no_way_to_a_network_and_a_network_card_stays_one(udev):
    udev.plug("1-2", "2c7c:0125")
    assert udev.test(udev.net("1-2", 4, "qmi_wwan")).properties["ID_NM_UNMANAGED"] == "1"
    udev.plug("1-3", "0bda:8153")
    assert "ID_NM_UNMANAGED" not in udev.test(udev.net("1-3", 0, "r8152")).properties


def test_a_hub_can_be_switched_by_the_daemon(udev):
    hub = udev.plug("1-1", "05e3:0610", device_class="09")
    switches = udev.test(udev.interface("1-1", 0, "09/00/00", driver="hub"), "bind").output
    assert udev.test(hub).group == GROUP
    assert "chgrp -f modembank *-port*/disable" in switches
    assert "cd /sys/devices/pci0000:00/0000:00:14.0/usb1/1-1/1-1:1.0 &&" in switches
    modem = udev.plug("1-1.1", "2c7c:0125")
    assert udev.test(modem).group is None


def test_a_modem_can_be_taken_off_the_usb_by_the_daemon_and_nothing_else(udev):
    udev.plug("1-1.4", "2c7c:0125")
    said = udev.test(udev.tty("1-1.4", 2)).output
    assert "/bus/usb/devices/1-1.4 && chgrp -f modembank authorized && chmod -f 0664 authorized" in said
    disk = udev.plug("1-3", "0781:5567")
    assert "authorized" not in udev.test(disk).output
