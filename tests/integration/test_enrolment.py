"""Boxes enrol at a real hub, connect to a real Mosquitto with what they got, renew it, and are shut out."""

from __future__ import annotations

import pytest

from fakes.enrolments import box_in, files_of, fleet_in, so, until
from modembank.accounts import LOCAL_ADMIN

pytestmark = pytest.mark.broker


async def test_a_token_makes_a_box_one_of_the_fleet(tmp_path):
    async with fleet_in(tmp_path) as fleet, box_in(tmp_path) as box:
        await box.box.app.fleet.enrolment.ask(LOCAL_ADMIN, await fleet.token())
        await fleet.online("kiel/b1")
        view = await box.box.app.fleet.view(LOCAL_ADMIN)
        assert (view.state, view.site, view.box, view.enrolment) == ("online", "kiel", "b1", "enrolled")
        assert files_of(tmp_path) == {"1.ca": 0o600, "1.crt": 0o600, "1.key": 0o600, "enrolment.json": 0o600}
