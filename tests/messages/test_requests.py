"""Bodies as they come: every field of a wrong type is named."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modembank.errors import InvalidRequest
from modembank.messages import SubmitRequest, UnknownProvider, read_request
from modembank.messages.requests import IdempotencyKey


def pointers(body: bytes | str) -> list[str]:
    with pytest.raises(InvalidRequest) as refused:
        read_request(body)
    return [problem.pointer for problem in refused.value.problems]


def test_the_least_and_the_most():
    least = read_request('{"to":"12345","text":"hi"}')
    assert least == SubmitRequest(to="12345", text="hi")
    assert least.recipients == ("12345",)
    assert (least.priority, least.delivery_report, least.encoding) == (5, True, "auto")
    most = read_request(
        '{"to":["1","2"],"text":"hi","reference":"r","sim":"a","priority":9,"valid_for_s":60,'
        '"send_at":"2027-01-15T08:00:00Z","window":"08:00-20:00","delivery_report":false,"encoding":"ucs2",'
        '"flash":true,"max_segments":3,"on_unknown":"resend","dry_run":true,"pool":null,"providers":["x"]}'
    )
    assert list(most.recipients) == ["1", "2"]
    assert most.send_at is not None
    assert most.send_at.tzinfo is not None


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ("", [""]),
        ("{", [""]),
        (b"\xff", [""]),
        ("[]", [""]),
        ("{}", ["/to", "/text"]),
        ('{"to":1,"text":2}', ["/to", "/text"]),
        ('{"to":["1",2],"text":"x"}', ["/to/1"]),
        ('{"to":"1","text":"x","wrong":1,"a/b~c":2}', ["/wrong", "/a~1b~0c"]),
        ('{"to":"1","text":"x","send_at":"soon"}', ["/send_at"]),
        ('{"to":"1","text":"x","send_at":"2027-01-15T08:00:00"}', ["/send_at"]),
        ('{"to":"1","text":"x","encoding":"utf8","on_unknown":"maybe"}', ["/encoding", "/on_unknown"]),
        ('{"to":"1","text":"x","priority":"9","flash":1}', ["/priority", "/flash"]),
        ('{"to":"1","text":"x","providers":"slot-1"}', ["/providers"]),
    ],
)
def test_every_wrong_field_is_named(body, where):
    assert pointers(body) == where


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)
    )
)
def test_any_value_anywhere_is_read_or_refused(value):
    for field in SubmitRequest.__struct_fields__:
        body = msgspec.json.encode({"to": "1", "text": "x", field: value})
        problems = ()
        try:
            read_request(body)
        except InvalidRequest as error:
            problems = error.problems
        assert all(problem.pointer.startswith(f"/{field}") for problem in problems)


def test_keys_carry_the_bodys_digest():
    one, same, other = (IdempotencyKey.of("k", body) for body in (b"a", b"a", b"b"))
    assert one == same
    assert one != other
    assert len(one.digest) == 32


def test_an_unknown_provider_says_which():
    from modembank.errors import FieldProblem

    error = UnknownProvider(FieldProblem("/sim", "is not there"), FieldProblem("/pool", "neither"))
    assert str(error) == "is not there; neither"
    assert error.key == "unknown_provider"
