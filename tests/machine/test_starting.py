"""What is made of what a machine says at its start: the code, the memory, the time, and the box over HTTPS."""

import asyncio
import re
import ssl
import subprocess
import time

import pytest

from machine.box import Box
from machine.console import Lines
from machine.findings import Findings
from machine.qemu import Hardware
from machine.starting import CODE, memory_used_mb, setup_code, userspace_s
from modembank_selftest.api import Gone

OWN_CODE = "BX8G2-92C46-PNHCF-ZXJDZ-KMKU6-J"


class Inside:
    """Answers commands that begin as named."""

    def __init__(self, **answers):
        self._answers = answers
        self.asked = []

    async def run(self, command, within_s=None):
        self.asked.append(command)
        return next(text for name, text in self._answers.items() if name in command)


class Machine:
    """Enough of a machine to be looked at."""

    def __init__(self, inside, hardware=None):
        self.inside = inside
        self.hardware = hardware or Hardware()


class TestCode:
    @pytest.mark.parametrize("line", [f"Set-up code: {OWN_CODE}", OWN_CODE, f"| {OWN_CODE} |"])
    def test_it_is_found_in_a_line(self, line):
        assert re.search(CODE, line)[1] == OWN_CODE

    @pytest.mark.parametrize("line", ["modembank-amd64", "2026-11-26", "3C:4E:AA:BB", "systemd-networkd-wait-online"])
    def test_nothing_else_is_taken_for_it(self, line):
        assert re.search(CODE, line) is None

    async def test_a_machine_without_a_console_of_ours_is_asked_inside(self, tmp_path):
        machine = Machine(Inside(**{"setup-code": f"{OWN_CODE}\n"}), Hardware(kernel=tmp_path / "vmlinuz"))
        assert await setup_code(machine, Findings()) == OWN_CODE

    def test_it_is_found_on_a_painted_screen(self):
        lines = Lines()
        lines.feed(f"\x1b[H\x1b[2J\x1b[1mSet-up code\x1b[0m  {OWN_CODE}\x1b[K\r\n".encode(), 1.0)
        assert re.search(CODE, lines.lines[0].text)[1] == OWN_CODE


async def test_memory_is_what_is_not_available_any_more():
    inside = Inside(meminfo="MemTotal:  990000 kB\nMemFree: 1000 kB\nMemAvailable:  790000 kB")
    assert await memory_used_mb(Machine(inside)) == pytest.approx(195.3, abs=0.1)


async def test_time_counts_from_systemd_s_own_start():
    inside = Inside(UserspaceTimestampMonotonic="2000000", uptime="20.5 18.0")
    assert await userspace_s(Machine(inside), time.monotonic() - 6) == pytest.approx(12.5, abs=0.1)
    whole = Inside(UserspaceTimestampMonotonic="2000000", FinishTimestampMonotonic="running\n9000000")
    assert await userspace_s(Machine(whole)) == 7.0


class Pages:
    """A server with a certificate of its own that answers each request with the next answer, and keeps the requests."""

    def __init__(self, folder, *answers):
        self._folder, self._answers = folder, list(answers)
        self.asked = []

    async def __aenter__(self):
        key, certificate = self._folder / "key.pem", self._folder / "cert.pem"
        words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        words += ["-subj", "/CN=box.test", "-days", "2", "-keyout", key, "-out", certificate]
        subprocess.run(words, check=True, capture_output=True)
        said = subprocess.run(
            ["openssl", "x509", "-in", certificate, "-noout", "-fingerprint", "-sha256"],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        self.fingerprint = said.strip().partition("=")[2]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(re.search(r"Content-Length: (\d+)", head)[1])
        self.asked.append((head, (await reader.readexactly(length)).decode()))
        status, headers, body = self._answers.pop(0)
        lines = [f"HTTP/1.1 {status} x", f"Content-Length: {len(body)}", "Content-Type: application/json", *headers]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body.encode())
        await writer.drain()
        writer.close()


class TestBox:
    async def test_it_keeps_the_certificate_that_is_shown(self, tmp_path):
        async with Pages(tmp_path, (200, [], '{"status": "ok"}')) as pages:
            box = Box(pages.port)
            assert (await box.get("/healthz")).body == {"status": "ok"}
            assert box.certificate == pages.fingerprint

    async def test_whoever_sets_up_gets_a_key(self, tmp_path):
        session = ["Set-Cookie: __Host-mb=AbC; Path=/; Secure"]
        async with Pages(tmp_path, (303, session, ""), (201, [], '{"key": "mb_1"}'), (200, [], "{}")) as pages:
            box = Box(pages.port)
            assert (await box.set_up(OWN_CODE)).status == 303
            await box.get("/api/v1/account")
        form, making, asking = pages.asked
        assert form[1].startswith(f"code={OWN_CODE}&name=admin&password=")
        assert "Cookie: __Host-mb=AbC\r\n" in making[0]
        assert "Authorization: Bearer mb_1\r\n" in asking[0]
        assert "Cookie" not in asking[0]

    async def test_a_refused_code_gets_none(self, tmp_path):
        async with Pages(tmp_path, (422, [], "{}")) as pages:
            box = Box(pages.port)
            assert (await box.set_up("WRONG")).status == 422
            assert box.headers == ()

    async def test_it_waits_for_a_body_and_says_what_there_was_instead(self, tmp_path):
        async with Pages(tmp_path, (200, [], '{"n": 1}'), (200, [], '{"n": 2}')) as pages:
            box = Box(pages.port)
            assert await box.until("/x", lambda body: body["n"] == 2, 10.0) == {"n": 2}

    async def test_a_box_that_is_not_there_is_gone(self):
        with pytest.raises(Gone):
            await Box(1).get("/healthz")

    async def test_waiting_for_ever_is_told(self):
        with pytest.raises(TimeoutError, match=r"/x was not as wanted within 0 s, but "):
            await Box(1).until("/x", bool, 0.3)
