import pytest

from modembank.tpdu import ReportClass, ReportStatus

DELIVERED, PENDING, FAILED = ReportClass.DELIVERED, ReportClass.PENDING, ReportClass.FAILED


@pytest.mark.parametrize(
    ("value", "report_class", "reserved"),
    [
        (0x00, DELIVERED, False),
        (0x01, DELIVERED, False),
        (0x02, DELIVERED, False),
        (0x03, FAILED, True),
        (0x0F, FAILED, True),
        (0x10, DELIVERED, False),  # the centre's own
        (0x1F, DELIVERED, False),
        (0x20, PENDING, False),
        (0x25, PENDING, False),
        (0x26, FAILED, True),
        (0x2F, FAILED, True),
        (0x30, PENDING, False),
        (0x3F, PENDING, False),
        (0x40, FAILED, False),
        (0x46, FAILED, False),
        (0x49, FAILED, False),
        (0x4A, FAILED, True),
        (0x50, FAILED, False),
        (0x60, FAILED, False),
        (0x63, FAILED, False),
        (0x66, FAILED, True),
        (0x70, FAILED, False),
        (0x7F, FAILED, False),
        (0x80, FAILED, True),
        (0x90, FAILED, True),
        (0xFF, FAILED, True),
    ],
)
def test_classes(value: int, report_class: ReportClass, reserved: bool) -> None:
    status = ReportStatus(value)
    assert status.report_class is report_class
    assert status.is_reserved is reserved


def test_only_an_acknowledged_delivery_is_confirmed() -> None:
    assert ReportStatus(0x00).confirmed
    assert not ReportStatus(0x01).confirmed
    assert not ReportStatus(0x20).confirmed
    assert not ReportStatus(0x46).confirmed


def test_meanings() -> None:
    assert ReportStatus(0x46).meaning == "validity period expired"
    assert ReportStatus(0x01).meaning == "forwarded to the recipient, delivery not confirmed"
    assert "reserved status 0x81" in ReportStatus(0x81).meaning
    assert ReportStatus(0x35).meaning == "temporary error, still trying (service centre's own status 0x35)"
    assert all(ReportStatus(value).meaning for value in range(256))
