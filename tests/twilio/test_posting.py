"""The signature is the one that the official client checks, whatever is signed."""

import string

from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from modembank.twilio.posting import signature

URL = "https://example.com/cb?x=1"
FORM = {
    "MessageSid": "SM1",
    "SmsSid": "SM1",
    "AccountSid": "AC1",
    "From": "+15017122661",
    "To": "+15558675310",
    "MessageStatus": "delivered",
    "ApiVersion": "2010-04-01",
}


def test_the_known_vector():
    assert signature("12345", URL, FORM) == "mpDv0QlZp6kbMr0y9aHGJldQM7o="


def test_every_part_is_signed():
    signed = signature("12345", URL, FORM)
    assert signature("12346", URL, FORM) != signed
    assert signature("12345", f"{URL}2", FORM) != signed
    assert signature("12345", URL, FORM | {"To": "+15558675311"}) != signed


@given(
    st.dictionaries(st.text(string.ascii_letters, min_size=1, max_size=8), st.text(max_size=30), max_size=8),
    st.sampled_from([URL, "http://192.0.2.1:8080/a/b", "http://example.com:80/", "https://example.com"]),
)
def test_the_official_validator_agrees(form, url):
    assert RequestValidator("0f1e2d3c").validate(url, form, signature("0f1e2d3c", url, form))
