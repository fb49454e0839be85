"""Who may be written to: the longest prefix decides, and nobody pays a premium rate unawares."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import SUPPORTED_REGIONS, PhoneNumberType, example_number_for_type, format_number, shortnumberinfo
from phonenumbers import PhoneNumberFormat as Form

from fakes.senders import Directory
from modembank.config import SendingConfig
from modembank.decency import RecipientsConfig
from modembank.errors import InvalidRequest
from modembank.messages import Admission, SubmitRequest
from modembank.messages.permitted import Permitted, Rules, is_premium
from modembank.messages.verdicts import NOT_PERMITTED


def examples(kind):
    for region in sorted(SUPPORTED_REGIONS):
        number = example_number_for_type(region, kind)
        if number is not None:
            yield format_number(number, Form.E164)


def test_without_rules_everybody_but_premium_rates():
    permitted = Permitted(RecipientsConfig())
    assert permitted.refusal("+447911123456") is None
    assert permitted.refusal("12345") is None
    assert "recipients.allow_premium" in permitted.refusal("+449098790000")
    assert Permitted(RecipientsConfig(allow_premium=True)).refusal("+449098790000") is None


def test_the_longest_prefix_decides():
    rules = RecipientsConfig(allowed_prefixes=("+44", "+447911123"), blocked_prefixes=("+4479", "+447911123456"))
    permitted = Permitted(rules)
    assert permitted.refusal("+442071234567") is None
    assert "begins with +4479," in permitted.refusal("+447900900123")
    assert "recipients.blocked_prefixes" in permitted.refusal("+447900900123")
    assert permitted.refusal("+447911123457") is None
    assert "begins with +447911123456," in permitted.refusal("+447911123456")
    assert "none of recipients.allowed_prefixes" in permitted.refusal("+4915112345678")
    assert "none of recipients.allowed_prefixes" in permitted.refusal("12345")
    assert Permitted(RecipientsConfig(blocked_prefixes=("123",))).refusal("12345") is not None


@given(st.lists(st.from_regex(r"\+[1-9][0-9]{0,5}", fullmatch=True), max_size=6, unique=True), st.data())
def test_it_is_what_a_look_at_every_prefix_finds(prefixes, data):
    allowed = tuple(prefix for prefix in prefixes if data.draw(st.booleans()))
    blocked = tuple(prefix for prefix in prefixes if prefix not in allowed)
    number = data.draw(st.sampled_from([*prefixes, "+447911"])) + "55"
    fits = sorted((len(prefix), prefix in allowed) for prefix in prefixes if number.startswith(prefix))
    expected = fits[-1][1] if fits else not allowed
    rules = RecipientsConfig(allowed_prefixes=allowed, blocked_prefixes=blocked, allow_premium=True)
    assert (Permitted(rules).refusal(number) is None) is expected


def test_premium_rates_are_known_all_over_the_world():
    known = list(examples(PhoneNumberType.PREMIUM_RATE))
    assert len(known) > 100
    assert [number for number in known if not is_premium(number)] == []


def test_mobile_numbers_are_none():
    known = list(examples(PhoneNumberType.MOBILE))
    assert len(known) > 200
    assert [number for number in known if is_premium(number)] == []


@pytest.mark.parametrize("region", ["DE", "FR", "ES", "IT", "SE", "CH"])
def test_short_codes_cost_what_the_plan_of_the_region_says(region):
    costs = shortnumberinfo.ShortNumberCost
    dear = shortnumberinfo._example_short_number_for_cost(region, costs.PREMIUM_RATE)
    free = shortnumberinfo._example_short_number_for_cost(region, costs.TOLL_FREE)
    assert not dear or is_premium(dear, region)
    assert dear or free
    assert not is_premium(free, region)
    assert not is_premium(dear)


def test_a_request_is_refused_with_field_and_key():
    permitted = Permitted(RecipientsConfig(blocked_prefixes=("+4415",)), "GB")
    admission = Admission(Directory(), SendingConfig(), "GB", permitted)
    with pytest.raises(InvalidRequest) as caught:
        admission.check(SubmitRequest(to=["07911 123456", "09098 790000", "+441512345678"], text="x"), 0)
    problems = {problem.pointer: problem.detail for problem in caught.value.problems}
    assert set(problems) == {"/to/1", "/to/2"}
    assert problems["/to/1"].startswith("+449098790000 is at a premium rate")
    assert "recipients.blocked_prefixes" in problems["/to/2"]


def test_a_request_in_parts_goes_to_the_others():
    admission = Admission(Directory(), SendingConfig(), "GB")
    admitted = admission.check(SubmitRequest(to=["+449098790000", "+447911123456"], text="x", partial=True), 0)
    assert admitted.recipients == ("+447911123456",)
    assert [(refused.at, refused.reason) for refused in admitted.refused] == [(0, NOT_PERMITTED)]


@given(
    number=st.from_regex(r"\+(44|1|49|33|39)[0-9]{7,10}|[1-9][0-9]{2,5}", fullmatch=True) | st.just("+449098790000"),
    blocked=st.lists(st.sampled_from(["+44", "+4479", "+1", "123"]), max_size=2),
    premium=st.booleans(),
)
def test_another_process_refuses_the_same_for_the_same_reason(number: str, blocked: list[str], premium: bool) -> None:
    permitted = Permitted(RecipientsConfig(blocked_prefixes=tuple(blocked), allow_premium=premium), "GB")
    admission = Admission(Directory(), SendingConfig(), "GB", permitted)
    rules = msgspec.json.decode(msgspec.json.encode(admission.rules), type=Rules)
    assert rules.refusal()(number) == (admission.not_permitted(number) or "")
