"""What the root side of an appliance image says, as issues; nothing of it on a box that was started otherwise."""

import pytest

from fakes.images import MISTAKE, TOLD, Image
from modembank.clock import rfc3339
from modembank.health.checks import box_file, certificate_expiring, data_partition, update_rolled_back, update_waits

ALL = (data_partition, box_file, update_rolled_back, update_waits, certificate_expiring)
DAY_MS = 86_400_000


@pytest.fixture
def image(ward):
    return Image(ward.folder / "run", ward.folder)


async def found(ward, module):
    return [(finding.severity.value, finding.summary) for finding in await ward.look(module.CHECK)]


@pytest.mark.parametrize("module", ALL, ids=lambda module: module.CHECK.kind)
async def test_neither_another_box_nor_one_that_is_well_has_issues(ward, image, module):
    assert await found(ward, module) == []
    image.start(update={"state": "good", "version": "1.3.0"})
    assert await found(ward, module) == []
    for name in (*TOLD, "update"):
        image.says(name, b"{")
    assert await found(ward, module) == []


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("set-aside", "has been set aside"),
        ("made-new", "what was stored on it is gone"),
        ("in_memory", "everything is in memory"),
        ("odd_state", "is odd state"),
    ],
)
async def test_data_that_is_not_there_is_critical(ward, image, state, words):
    image.start(data={"state": state, "detail": "partition 5"})
    ((severity, summary),) = await found(ward, data_partition)
    assert (severity, words in summary) == ("critical", True)
    image.says("data", {"state": "repaired"})
    assert await found(ward, data_partition) == []
    image.says("data", {"state": "clean", "problems": ["/var/log/journal is not kept"]})
    ((severity, summary),) = await found(ward, data_partition)
    assert (severity, "/var/log/journal is not kept" in summary) == ("warning", True)


async def test_mistakes_are_told_with_the_first_in_full(ward, image):
    image.start(personal={"applied": True, "mistakes": [MISTAKE, MISTAKE | {"line": 9}]})
    (finding,) = await ward.look(box_file.CHECK)
    assert finding.severity.value == "warning"
    assert "box.toml, line 7: network.address 192.168.1.300 is no address; write it as" in finding.summary
    assert "and 1 more" in finding.summary
    assert finding.evidence["count"] == 2
    image.says("personal", {"applied": False, "mistakes": [{"reason": "cannot be read"}]})
    ((_, summary),) = await found(ward, box_file)
    assert summary.startswith("box.toml: cannot be read; correct it.")


async def test_an_update_waits_for_a_restart_or_was_taken_back(ward, image):
    image.start(update={"state": "installed", "version": "1.3.0"})
    ((severity, summary),) = await found(ward, update_waits)
    assert (severity, summary.startswith("Version 1.3.0 is installed")) == ("info", True)
    assert await found(ward, update_rolled_back) == []
    image.says("update", {"state": "rolled back", "version": "1.3.0", "reason": "the daemon was not ready in time"})
    ((severity, summary),) = await found(ward, update_rolled_back)
    assert severity == "warning"
    assert "to version 1.3.0 was taken back, and the version before runs: the daemon was not ready in time." in summary
    assert await found(ward, update_waits) == []


@pytest.mark.parametrize(
    ("days", "own", "severity", "words"),
    [
        (31, False, None, ""),
        (29, False, "warning", "makes a new one at a restart"),
        (29, True, "warning", "Put a new one"),
        (-1, True, "critical", "ended on"),
    ],
)
async def test_a_certificate_that_ends(ward, image, days, own, severity, words):
    end = rfc3339(ward.around.now_ms + days * DAY_MS)
    image.start(certificate={"fingerprint": "AB", "not_after": end, "own": own})
    issues = await found(ward, certificate_expiring)
    assert [each for each, _ in issues] == ([severity] if severity else [])
    assert all(words in summary and end[:10] in summary for _, summary in issues)


async def test_a_certificate_of_the_owners_that_is_not_used(ward, image):
    problem = "tls.crt and tls.key on the boot partition are not used: the key is of another certificate"
    image.start(certificate={"problem": problem, "not_after": rfc3339(ward.around.now_ms + 400 * DAY_MS)})
    assert await found(ward, certificate_expiring) == [("warning", f"{problem}.")]
