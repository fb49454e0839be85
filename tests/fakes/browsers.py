"""A browser at a box that is served over https: it keeps the cookie and says where its requests come from."""

from __future__ import annotations

import httpx

from fakes.web_boxes import Box

ORIGIN = "https://box.test"
PASSWORD = "teapot-gravel-october-lantern"
OWN_PAGE = {"Sec-Fetch-Site": "same-origin", "Origin": ORIGIN}


def browser(box: Box, *, base: str = ORIGIN, source: str = "192.0.2.7", own: bool = True) -> httpx.AsyncClient:
    """Return a client that behaves like a page of the box, or like nobody in particular."""
    transport = httpx.ASGITransport(box.web, client=(source, 40000))
    return httpx.AsyncClient(transport=transport, base_url=base, headers=OWN_PAGE if own else {})


async def log_in(client: httpx.AsyncClient, name: str, password: str = PASSWORD) -> str:
    """Log in, let the client send the cookie from now on, and return the token."""
    answer = await client.post("/api/v1/session", json={"name": name, "password": password})
    assert answer.status_code == 200, answer.text
    token = answer.headers["set-cookie"].partition(";")[0].partition("=")[2]
    client.headers["Cookie"] = f"__Host-mb={token}"
    return token
