"""A shop that is told everything, by a courier that does not wait for long."""

import pytest

from fakes.shops import Shop
from fakes.twilio_clients import Desk
from fakes.web_boxes import make_box
from modembank.accounts import LOCAL_ADMIN, Actor, Role, Scope
from modembank.outgoing import circuit
from modembank.twilio import NewTwilioAccount, courier


@pytest.fixture
async def shop(tmp_path, monkeypatch):
    """A shop that is told everything."""
    for name, seconds in {"FIRST_WAIT_S": 0.05, "MOST_WAIT_S": 0.1, "FIRST_RETRY_S": 0.05}.items():
        monkeypatch.setattr(circuit, name, seconds)
    monkeypatch.setattr(courier, "LOOK_S", 0.1)
    monkeypatch.setattr(courier, "GATHER_S", 0.0)
    box, desk = await make_box(tmp_path), await Desk().up()
    await box.accounts.add_user(LOCAL_ADMIN, "shop", Role.SENDER)
    root = await box.accounts.add_user(LOCAL_ADMIN, "root", Role.ADMIN)
    admin = Actor(root.id, "root", Role.ADMIN, frozenset(Scope), "192.0.2.8")
    box.events.start()
    await box.twilio.start()
    wanted = NewTwilioAccount("shop", desk.url("/sms"), desk.url("/status"), allow_private=True)
    made = await box.twilio.create(admin, wanted)
    desk.token = made.auth_token
    yield Shop(box, desk, admin, made)
    box.events.stop()
    await box.twilio.stop()
    await desk.down()
    await box.store.close()
