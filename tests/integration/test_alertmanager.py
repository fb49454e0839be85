"""The real Alertmanager (of Debian) tells a real box of alerts: they arrive on the air once, and their end too."""

import pytest

from fakes.alertmanagers import alertmanager
from fakes.boxes import box_on

pytestmark = pytest.mark.peer
ON_CALL = "+19990000007"


async def test_alerts_of_the_real_alertmanager_arrive_once_and_their_end_too(tmp_path):
    async with box_on(tmp_path, dialect="generic") as box:
        key = box.client.headers["Authorization"].removeprefix("Bearer ")
        hook = f"{box.daemon.url}/hooks/alertmanager"
        async with alertmanager(tmp_path / "alertmanager", hook, key) as monitoring:
            await monitoring.fire("HighCPU", "host1", "CPU above 95 %", sms_to=ON_CALL)
            await box.until(lambda: box.seen() == [ON_CALL])

            async def told_again():
                return await monitoring.notified() >= 4

            await monitoring.until(told_again)
            await monitoring.fire("HighCPU", "host1", "CPU above 95 %", over=True, sms_to=ON_CALL)
            await box.until(lambda: len(box.seen()) == 2)
            assert await monitoring.failed() == 0
        texts = [seen.text for seen in box.bank.network.ledger]
        assert texts == ["FIRING HighCPU host1: CPU above 95 %", "RESOLVED HighCPU host1: CPU above 95 %"]
        assert len((await box.get("messages"))["items"]) == 2
