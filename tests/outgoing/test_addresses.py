"""S11: which addresses may be sent to, in every form in which one can be written or wrapped."""

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modembank.outgoing import AddressRefused, Target, check_url
from modembank.outgoing.addresses import is_own, refusal, unwrapped

NEVER = [
    "0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.1.1", "169.254.170.2", "100.100.100.200", "192.0.0.192",
    "192.0.2.1", "198.18.0.1", "198.51.100.7",
    "203.0.113.9", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "::",
    "fe80::1", "fec0::1", "ff02::1", "fd00:ec2::254", "2001:db8::1", "3fff::1", "100::1", "5f00::1", "::7f00:1",
    "::ffff:0:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:a9fe:a9fe::1",
    "2001:0:e000:1::1", "2001:10::1", "192.88.99.1",
]  # fmt: skip
PRIVATE = [
    "127.0.0.1", "127.255.255.254", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.8.1", "100.64.0.1", "::1",
    "fc00::1", "fd12:3456::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::c0a8:801", "2002:7f00:1::",
    "2002:c0a8:801::1", "2001:0:808:808::80ff:fffe",
]  # fmt: skip
PUBLIC = [
    "8.8.8.8",
    "1.1.1.1",
    "172.32.0.1",
    "100.128.0.1",
    "2606:4700:4700::1111",
    "64:ff9b::808:808",
    "2002:808:808::1",
]


@pytest.mark.parametrize("text", NEVER)
def test_s11_some_addresses_are_never_used(text):
    for allow_private in (False, True):
        assert refusal(ipaddress.ip_address(text), allow_private=allow_private)


@pytest.mark.parametrize("text", PRIVATE)
def test_s11_private_addresses_are_for_those_to_whom_an_admin_gave_them(text):
    assert "admin" in (refusal(ipaddress.ip_address(text), allow_private=False) or "")
    assert refusal(ipaddress.ip_address(text), allow_private=True) is None


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_may_be_used(text):
    assert refusal(ipaddress.ip_address(text), allow_private=False) is None


def test_s11_both_ends_of_a_teredo_address_count():
    server_is_private = ipaddress.IPv6Address("2001:0:7f00:1::f7f7:f7f7")
    assert unwrapped(server_is_private) == (ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("8.8.8.8"))
    assert refusal(server_is_private, allow_private=False)


@given(st.ip_addresses(v=4))
def test_s11_a_wrapped_address_is_judged_as_what_is_in_it(inner):
    number = int(inner)
    wrapped = [
        ipaddress.IPv6Address((0xFFFF << 32) | number),
        ipaddress.IPv6Address((0x64FF9B << 96) | number),
        ipaddress.IPv6Address((0x2002 << 112) | (number << 80)),
    ]
    for allow_private in (False, True):
        said = refusal(inner, allow_private=allow_private)
        assert [refusal(one, allow_private=allow_private) for one in wrapped] == [said] * 3


@given(st.ip_addresses())
def test_s11_nothing_is_sent_where_python_itself_sees_no_public_address(address):
    if refusal(address, allow_private=False) is None:
        assert all(one.is_global and not one.is_multicast for one in unwrapped(address))


def test_s11_the_boxs_own_addresses_count_as_private(monkeypatch):
    assert is_own(ipaddress.ip_address("127.0.0.1"))
    assert not is_own(ipaddress.ip_address("8.8.8.8"))
    monkeypatch.setattr("modembank.outgoing.addresses.is_own", lambda address: str(address) == "8.8.8.8")
    assert refusal(ipaddress.ip_address("8.8.8.8"), allow_private=False)
    assert refusal(ipaddress.ip_address("8.8.8.8"), allow_private=True) is None


@pytest.mark.parametrize(
    "host", ["127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0", "0x7f.1", "1.2.3.0x4", "127.0.0.1."]
)
def test_s11_an_address_in_another_notation_is_refused_even_where_private_ones_are_allowed(host):
    assert socket.getaddrinfo(host.rstrip("."), 80)[0][4][0].startswith(
        ("127.", "0.", "1.2.3.4")
    )  # so some would go there
    for allow_private in (False, True):
        with pytest.raises(AddressRefused):
            check_url(f"http://{host}/", allow_private)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST",
        "localhost.",
        "a.localhost",
        "127.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
    ],
)
def test_s11_the_box_itself_is_refused_when_the_address_is_given(host):
    with pytest.raises(AddressRefused, match="admin"):
        check_url(f"http://{host}:8080/", False)
    assert check_url(f"http://{host}:8080/", True).port == 8080


@pytest.mark.parametrize(
    "url",
    [
        "", "example.com", "//example.com/", "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/",
        "javascript:alert(1)",
        "http:example.com", "http:/example.com", "http://", "http:///x", "http://:80/", "http://a@b/", "http://a:b@c/", "http://@c/",
        "https://good.example\\@127.0.0.1/", "http://exa mple.com/", "http://example.com/\r\nx: y", "http://example.com/\tx",
        "http://example.com/ä", "http://exämple.com/", "http://example.com#x", "http://example.com/#", "http://[::1", "http://[::1%25lo]/",
        "http://[fe80::1%eth0]/", "http://[v1.x]/", "http://x[::1]/", "http://[::1]x/", "http://%31%32%37.0.0.1/", "http://a..b/",
        "http://-a-/", "http://example.com:0/", "http://example.com:22/", "http://example.com:25/", "http://example.com:6379/",
        "http://example.com:11211/", "http://example.com:65536/", "http://example.com:+80/", "http://example.com:80:80/",
        "http://example.com:٨٠/", "http://example.com/" + "x" * 2048, "http://" + "a" * 254 + "/", "http://169.254.169.254/latest/",
    ],
)  # fmt: skip
def test_s11_what_can_be_understood_in_two_ways_or_goes_nowhere_good_is_refused(url):
    for allow_private in (False, True):
        with pytest.raises(AddressRefused) as refused:
            check_url(url, allow_private)
        assert refused.value.reason


@pytest.mark.parametrize(
    ("url", "target", "authority"),
    [
        ("https://example.com", Target("https", "example.com", 443, "/", None), "example.com"),
        ("HTTPS://Example.COM:443/A?b=C", Target("https", "example.com", 443, "/A?b=C", None), "example.com"),
        ("http://example.com:8080?x", Target("http", "example.com", 8080, "/?x", None), "example.com:8080"),
        (
            "http://under_score.example.:80/",
            Target("http", "under_score.example.", 80, "/", None),
            "under_score.example.",
        ),
        (
            "http://[2606:4700::1111]:1024/x",
            Target("http", "2606:4700::1111", 1024, "/x", ipaddress.ip_address("2606:4700::1111")),
            "[2606:4700::1111]:1024",
        ),
    ],
)
def test_a_good_address_is_taken_apart(url, target, authority):
    assert check_url(url, False) == target
    assert target.authority == authority


@given(st.text(max_size=60).map(lambda text: "http://" + text) | st.text(max_size=40))
def test_s11_reading_an_address_ends_in_a_target_or_a_reason(url):
    try:
        target = check_url(url, False)
    except AddressRefused:
        return
    assert check_url(f"{target.scheme}://{target.authority}{target.path}", False) == target
