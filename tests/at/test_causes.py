"""Error numbers: their classes, their words, and what becomes of unknown ones."""

import pytest

from modembank.at import CmsClass, cme_cause, cme_code, cms_cause, cms_code
from modembank.at.causes import CME, CMS

CLASSES = {
    CmsClass.RECIPIENT_FINAL: [
        1,
        27,
        30,
        95,
        96,
        97,
        98,
        99,
        111,
        *[128, 145, 159, 160, 161, 175, 176],
        195,
        196,
        304,
        305,
    ],
    CmsClass.COUNTS_AS_SENT: [197],
    CmsClass.SIM_ACCOUNT: [8, 10, 21, 28, 29, 50, 69, 193, 330],
    CmsClass.NETWORK_TRANSIENT: [38, 41, 42, 47, 192, 194, 331, 514],
    CmsClass.AMBIGUOUS: [332, 350, 500, 512, 513],
    CmsClass.MODEM_NOT_READY: [300, 301, 302, 303, 313, 314, 315, 320, 340, 515],
    CmsClass.SIM_ABSENT: [310, 311, 312, 316, 317, 318],
    CmsClass.STORAGE: [208, 209, 211, 321, 322],
    CmsClass.VALIDITY: [198, 199],
}


@pytest.mark.parametrize("kind", CLASSES)
def test_classes(kind: CmsClass) -> None:
    assert {cms_cause(code).kind for code in CLASSES[kind]} == {kind}


def test_500_is_a_refusal_only_when_quick() -> None:
    assert cms_cause(500).kind is CmsClass.AMBIGUOUS
    assert cms_cause(500, elapsed_s=2.0).kind is CmsClass.NETWORK_TRANSIENT
    assert cms_cause(500, elapsed_s=25.0).kind is CmsClass.AMBIGUOUS


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (2, CmsClass.NETWORK_TRANSIENT),
        (150, CmsClass.RECIPIENT_FINAL),
        (240, CmsClass.NETWORK_TRANSIENT),
        (400, CmsClass.MODEM_NOT_READY),
        (999, CmsClass.AMBIGUOUS),
        (-5, CmsClass.AMBIGUOUS),
        (None, CmsClass.AMBIGUOUS),
    ],
)
def test_unknown_codes_have_a_stated_class(code: int | None, kind: CmsClass) -> None:
    cause = cms_cause(code)
    assert (cause.code, cause.kind) == (code, kind)
    assert cause.name.startswith("Unknown cause")


def test_every_name_is_found_again_from_its_words() -> None:
    for code, (name, _) in CMS.items():
        assert cms_code(name.upper()) == (42 if code == 514 else code), "514 shares its word with 42"
    for code, (name, _) in CME.items():
        assert cme_code(name.lower()) == code


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("(U)SIM not inserted", 310),
        ("SMSC address not known", 330),
        ("network timeout", 332),
        ("what?", None),
        ("", None),
    ],
)
def test_other_wordings_of_cms(words: str, code: int | None) -> None:
    assert cms_code(words) == code


@pytest.mark.parametrize(
    ("words", "code"), [("incorrect password", 16), ("SIM failure", 13), ("emergency calls only", 32), ("", None)]
)
def test_other_wordings_of_cme(words: str, code: int | None) -> None:
    assert cme_code(words) == code


def test_cme_classes() -> None:
    assert cme_cause(10).kind is CmsClass.SIM_ABSENT
    assert cme_cause(13).kind is CmsClass.MODEM_NOT_READY
    assert cme_cause(30).kind is CmsClass.NETWORK_TRANSIENT
    assert cme_cause(31).kind is CmsClass.AMBIGUOUS
    assert cme_cause(None).kind is CmsClass.AMBIGUOUS
    assert cme_cause(9999).name == "Unknown cause 9999"
