"""Addresses of e-mail: one form of each, and a reason for whatever is none."""

import pytest

from modembank.providers.addresses import BadAddress, mail_address, mail_domain


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("alice@example.com", "alice@example.com"),
        ("  Alice.B+sms@Example.COM ", "Alice.B+sms@example.com"),
        ("o'brien@mail.example.co.uk", "o'brien@mail.example.co.uk"),
        ("!#$%&'*+/=?^_`{|}~-@example.com", "!#$%&'*+/=?^_`{|}~-@example.com"),
        ("+447700900123@sms.box", "+447700900123@sms.box"),
        ("info@bücher.example", "info@xn--bcher-kva.example"),
        ("info@BÜCHER.example", "info@xn--bcher-kva.example"),
        ("info@xn--bcher-kva.example", "info@xn--bcher-kva.example"),
        ("info@例え.テスト", "info@xn--r8jz45g.xn--zckzah"),
        (f"{'a' * 64}@example.com", f"{'a' * 64}@example.com"),
    ],
)
def test_an_address_has_one_form(written, found):
    assert mail_address(written) == found
    assert mail_address(found) == found


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("", "has no @"),
        ("alice", "has no @"),
        ("@example.com", "nothing before the @"),
        ("alice@", "dot at the beginning"),
        ("alice@example", "no domain such as example.com"),
        ("alice@localhost", "no domain such as example.com"),
        ("alice@example..com", "two in a row"),
        ("alice@example.com.", "two in a row"),
        ("alice@-example.com", "which is no label"),
        ("alice@exa_mple.com", "which is no label"),
        ("alice@example.com:25", "which is no label"),
        ("alice@10.0.0.1", "ends in digits"),
        ("alice@[10.0.0.1]", "an IP address in the place"),
        ("alice@[IPv6:::1]", "an IP address in the place"),
        ("alice@faß.example", "U+00DF in its domain, which is read in two ways"),
        ("alice@a\u200db.example", "U+200D in its domain"),
        ("alicë@example.com", "not ASCII"),
        ('"a b"@example.com', "a quoted name"),
        (".alice@example.com", "a dot at the beginning"),
        ("alice.@example.com", "a dot at the beginning"),
        ("al..ice@example.com", "two in a row"),
        ("al ice@example.com", "U+0020 before the @"),
        ("alice\r\nBcc: eve@example.com", "U+000D before the @"),
        ("alice\nRCPT TO:<eve@example.com>", "angle brackets"),
        ("alice@example.com\r\nBcc:x", "which is no label"),
        ("al\x00ice@example.com", "U+0000 before the @"),
        ("Alice <alice@example.com>", "angle brackets"),
        ("alice@example.com,bob@example.com", "looks like several"),
        ("alice@example.com bob@example.com", "looks like several"),
        ("alice;bob@example.com", "looks like several"),
        (f"{'a' * 65}@example.com", "more than 64 characters"),
        (f"alice@{'a' * 64}.com", "which is no label"),
        (f"alice@{'.'.join(['a' * 60] * 5)}", "longer than the 254"),
        (f"alice@{'ü' * 60}.com", "which is no label"),
        ("a" * 64 + "@" + ".".join(["ü" * 25] * 7), "longer than the 254"),
    ],
)
def test_what_is_no_address_is_told_why(written, why):
    with pytest.raises(BadAddress) as caught:
        mail_address(written)
    assert why in str(caught.value)


def test_a_domain_alone_is_read_alike():
    assert mail_domain("SMS.Box") == "sms.box"
    with pytest.raises(BadAddress):
        mail_domain("box")
