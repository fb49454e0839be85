"""`modembank hub-enrol` and the hub's commands of enrolment, with a box, a hub and a broker that run."""

from __future__ import annotations

import asyncio
import json
import subprocess

import pytest

from fakes.daemons import MODEMBANK
from fakes.enrolments import box_in, fleet_in
from modembank.accounts import LOCAL_ADMIN
from modembank.fleet.token import HubToken

pytestmark = pytest.mark.broker


class Lines:
    """Runs commands beside the box and the hub of a test."""

    def __init__(self, folder):
        self.box, self.hub = folder / "box.toml", folder / "hub.toml"
        self.box.write_text(f'[box]\nid = "b1"\ndata_dir = "{folder / "b1"}"\n')
        self.hub.write_text(f'[hub]\ndata_dir = "{folder / "hub"}"\n')

    async def run(self, *words, config=None, stdin=None):
        """Return exit status, output and complaints."""
        command = [MODEMBANK, *words, "--config", config or self.box]
        done = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, timeout=90, check=False, input=stdin
        )
        return done.returncode, done.stdout, done.stderr

    async def fleet(self, *words):
        return await self.run("fleet", *words, config=self.hub)


@pytest.fixture
def lines(tmp_path):
    return Lines(tmp_path)


async def test_from_the_token_to_the_end(tmp_path, lines):
    async with fleet_in(tmp_path) as fleet, box_in(tmp_path):
        status, text, _ = await lines.fleet("enrol", "kiel/b1", "--hours", "2")
        assert status == 0
        assert text.startswith("mbh1_")
        status, said, complaint = await lines.run("hub-enrol", "-", stdin=text)
        assert (status, said) == (0, f"enrolled at https://127.0.0.1:{fleet.door} as kiel/b1\n"), complaint
        await fleet.online("kiel/b1")
        status, said, _ = await lines.fleet("tokens")
        assert (status, said.splitlines()[1].split()[:4]) == (0, ["1", "kiel/b1", "used", "local"])
        assert (await lines.fleet("withdraw", "1"))[::2] == (1, "modembank: the token is used already\n")
        status, said, _ = await lines.fleet("command", "kiel/b1", "cred.rotate", "--wait")
        assert status == 0, said
        status, said, _ = await lines.fleet("certificates", "kiel/b1", "--json")
        assert [(one["how"], one["state"]) for one in json.loads(said)] == [("renewal", "good"), ("token", "good")]
        status, said, _ = await lines.fleet("certificates")
        assert [line.split()[:3] for line in said.splitlines()[1:]] == [
            ["kiel/b1", "good", "renewal"], ["kiel/b1", "good", "token"],
        ]  # fmt: skip
        status, said, _ = await lines.fleet("revoke", "kiel/b1", "--reason", "stolen")
        assert status == 0
        assert "certificates revoked: 2" in said
        assert "systemctl reload mosquitto" in said
        assert json.loads((await lines.fleet("list", "--json"))[1])[0]["shut_out"]
        status, said, _ = await lines.run("hub-enrol", "--forget")
        assert (status, said) == (0, "the box has left its hub, and stands alone\n")
        assert (await lines.run("hub-enrol", "--forget"))[0] == 1


async def test_what_goes_wrong_is_said_with_exit_status_one(tmp_path, lines):
    status, _, complaint = await lines.run("hub-enrol", "mbh1_x")
    assert status == 1
    assert "is not running" in complaint or "no daemon" in complaint.lower()
    async with fleet_in(tmp_path) as fleet, box_in(tmp_path), box_in(tmp_path, "b2"):
        assert (await lines.run("hub-enrol"))[0] == 2
        assert (await lines.run("hub-enrol", "x", "--forget"))[0] == 2
        status, _, complaint = await lines.run("hub-enrol", "hello")
        assert (status, complaint) == (1, "modembank: /token: is no token of a hub: one begins with mbh1_\n")
        used = await fleet.token("kiel", "b9")
        (tmp_path / "b2.toml").write_text(f'[box]\ndata_dir = "{tmp_path / "b2"}"\n')
        assert (await lines.run("hub-enrol", used, config=tmp_path / "b2.toml"))[0] == 0
        status, _, complaint = await lines.run("hub-enrol", used)
        assert status == 1
        assert "not enrolled: the token was used" in complaint
        away = HubToken("https://127.0.0.1:1", bytes(32), bytes(16)).written
        status, _, complaint = await lines.run("hub-enrol", away, "--wait", "1")
        assert status == 1
        assert "the box goes on asking" in complaint
        good = await fleet.token("kiel", "b1")
        status, said, _ = await lines.run("hub-enrol", good, "--address", f"https://127.0.0.1:{fleet.door}")
        assert status == 0, said


async def test_the_hub_s_commands_say_what_is_wrong(tmp_path, lines):
    async with fleet_in(tmp_path) as fleet:
        status, _, complaint = await lines.fleet("enrol", "Kiel/b1")
        assert status == 1
        assert "/site: must be 1 to 32 lower-case letters" in complaint
        assert (await lines.fleet("enrol", "kiel", "--hours", "0"))[0] == 2
        status, text, _ = await lines.fleet("enrol", "kiel", "--json")
        assert json.loads(text)["box"] == "kiel/*"
        assert (await lines.fleet("withdraw", "1"))[:2] == (0, "the token for kiel/* counts no more\n")
        assert (await lines.fleet("withdraw", "7"))[0] == 1
        assert (await lines.fleet("withdraw", "x"))[0] == 1
        assert (await lines.fleet("revoke", "kiel"))[0] == 2
        assert (await lines.fleet("revoke", "kiel/nobody"))[0] == 1
        assert (await lines.fleet("certificates", "kiel"))[0] == 2
        fleet.app.enrolment.crl = tmp_path / "no" / "crl.pem"
        await fleet.app.enrolment.make_token(LOCAL_ADMIN, "kiel", "b1")
        async with box_in(tmp_path) as box:
            await box.box.app.fleet.enrolment.ask(LOCAL_ADMIN, await fleet.token("kiel", "b1"))
            await fleet.online("kiel/b1")
        status, _, complaint = await lines.fleet("revoke", "kiel/b1")
        assert status == 1
        assert "the broker's list was not written" in complaint


async def test_the_broker_s_certificate_is_of_the_fleet_s_authority(tmp_path, lines):
    (tmp_path / "mosquitto").mkdir()
    words = ("hub", "certificate", "hub.example.com", "10.0.0.7", "--folder", tmp_path / "mosquitto")
    status, said, complaint = await lines.run(*words, config=lines.hub)
    assert status == 0, complaint
    assert f"crlfile {tmp_path}/hub/ca/crl.pem" in said
    command = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", "hub.example.com"]
    files = ["-CAfile", tmp_path / "hub/ca/ca.crt", tmp_path / "mosquitto/broker.crt"]
    assert subprocess.run([*command, *files], capture_output=True, check=False).returncode == 0
    assert (tmp_path / "mosquitto/broker.key").stat().st_mode & 0o777 == 0o600
    assert (await lines.run("hub", "certificate", "x", "--folder", tmp_path / "nowhere", config=lines.hub))[0] == 2
    status, said, _ = await lines.run("hub", "check", config=lines.hub)
    assert "no boxes: no address" in said
