"""The box in a machine, as its owner meets it: over HTTPS at a forwarded port, beginning with the set-up page."""

from __future__ import annotations

import asyncio
import hashlib
import json
import ssl
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from modembank_selftest.api import Answer, Api, Gone

PASSWORD = "kestrel over the quiet harbour"
_LOOK_S = 0.5


class Box(Api):
    """Asks over HTTPS. The certificate is the box's own, so whatever it shows is taken, and kept in ``certificate``."""

    def __init__(self, port: int) -> None:
        """Speak to the box behind this port of the loopback."""
        super().__init__(Path())
        self._port = port
        self.certificate = ""
        """The fingerprint (SHA-256, as browsers write it) that was shown last."""

    async def until_up(self, within_s: float) -> float:
        """Wait until it answers; return the monotonic time. Raises TimeoutError."""
        async with asyncio.timeout(within_s):
            while True:
                try:
                    if (await self.get("/healthz")).status == 200:
                        return time.monotonic()
                except Gone:
                    pass
                await asyncio.sleep(_LOOK_S)

    async def set_up(self, code: str) -> Answer:
        """Fill in the set-up page as a browser does, log in, and get a key that all requests carry from then on."""
        form = urlencode({"code": code, "name": "admin", "password": PASSWORD, "again": PASSWORD}).encode()
        own_page = ("Content-Type: application/x-www-form-urlencoded", "Sec-Fetch-Site: same-origin")
        answer = await self._ask("POST", "/ui/setup", form, own_page)
        if "set-cookie" in answer.headers:
            await self._take_key(answer)
        return answer

    async def log_in(self) -> None:
        """Log in with the password, and take another key."""
        self.headers = ()
        await self._take_key(await self.post("/api/v1/session", {"name": "admin", "password": PASSWORD}))

    async def _take_key(self, session: Answer) -> None:
        self.headers = (f"Cookie: {session.headers['set-cookie'].partition(';')[0]}", "Sec-Fetch-Site: same-origin")
        made = await self.post("/api/v1/api-keys", {"label": "test", "scopes": ["admin"]})
        self.headers = (f"Authorization: Bearer {made.body['key']}",)

    async def patch(self, path: str, body: object) -> Answer:
        """PATCH JSON; raises Gone."""
        return await self._ask("PATCH", path, json.dumps(body).encode(), ("Content-Type: application/json",))

    async def upload(self, bundle: Path, within_s: float) -> Answer:
        """Upload an update; raises Gone."""
        self.within_s, before = within_s, self.within_s
        try:
            octets = ("Content-Type: application/octet-stream",)
            return await self._ask("POST", "/api/v1/box/update", bundle.read_bytes(), octets)
        finally:
            self.within_s = before

    async def send(self, to: str, text: str, **more: object) -> str:
        """Have a message accepted; return its id."""
        answer = await self.post("/api/v1/messages", {"to": to, "text": text, **more})
        assert answer.status == 202, answer
        return str(answer.body["messages"][0]["id"])

    async def until(self, path: str, wanted, within_s: float) -> Any:
        """Ask until ``wanted`` likes the body, and return it; raises TimeoutError with the last one."""
        body: Any = None
        try:
            async with asyncio.timeout(within_s):
                while True:
                    try:
                        body = (await self.get(path)).body
                        if wanted(body):
                            return body
                    except Gone as error:
                        body = error
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            raise TimeoutError(f"{path} was not as wanted within {within_s:.0f} s, but {body}") from None

    async def _connect(self, limit: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port, ssl=trusting, limit=limit)
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        digest = hashlib.sha256(shown).hexdigest().upper()
        self.certificate = ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))
        return reader, writer
