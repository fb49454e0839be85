"""S19, S21: the firewall and networkd themselves, with the image's files, in networks of their own."""

import subprocess

import pytest

from fakes.namespaces import FILES, found_inside

pytestmark = pytest.mark.systemd
FIREWALL = FILES / "etc/nftables.conf"


@pytest.fixture(scope="module")
def knocked():
    return found_inside("firewall.py")


def test_the_firewall_is_understood():
    check = ["unshare", "--net", "--map-root-user", "nft", "-c", "-f", FIREWALL]
    assert subprocess.run(check, capture_output=True, text=True, check=False).stderr == ""


def test_s21_from_the_network_two_ports_answer_and_no_more(knocked):
    assert knocked["lan"] == {"tcp4": [80, 443], "tcp6": [80, 443], "ping4": True, "ping6": True}


def test_s21_datagrams_come_in_for_mdns_and_leases_alone(knocked):
    assert knocked["lan datagrams"] == [
        "4 a lease",
        "4 multicast",
        "6 a lease from the link",
        "6 multicast",
        "6 multicast from the link",
    ]


def test_s19_from_a_modem_nothing_comes_in(knocked):
    assert knocked["modem"] == {"tcp4": [], "tcp6": [], "ping4": False, "ping6": False}
    assert knocked["modem datagrams"] == []


def test_s19_nothing_goes_through_nor_out_by_a_modem(knocked):
    assert knocked["through"] == []
    assert not knocked["out by the modem"]
    assert knocked["out by the network"]


def test_s21_the_port_of_ssh_is_open_while_it_runs(knocked):
    assert (knocked["with ssh"], knocked["after ssh"]) == ([22, 80, 443], [80, 443])


def test_s25_one_address_cannot_take_all_connections(knocked):
    assert 200 < knocked["of a crowd"] <= 256
    assert knocked["another"]


def test_s19_a_modem_that_offers_addresses_and_routes_gives_none():
    found = found_inside("addresses.py")
    assert [one.partition(":")[0].rpartition(".")[0] or "fd09" for one in found["lan"]] == ["10.9.0", "fd09"]
    assert found["modem"] == []
    assert found["routes"] == ["lan0"]
    assert (found["group"], found["group of the modem's"]) == ("10", "default")


def test_an_address_of_the_owners_is_a_drop_in():
    found = found_inside("addresses.py", "[Network]\nDHCP=no\nAddress=10.9.0.77/24\nGateway=10.9.0.1\n")
    assert found["lan"][0] == "10.9.0.77"
    assert len([one for one in found["lan"] if "." in one]) == 1
    assert (found["routes"], found["group"]) == (["lan0"], "10")
