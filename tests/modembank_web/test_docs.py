"""The documentation pages work on a network without a way out."""

from __future__ import annotations

import gzip
import re
from importlib import resources

from fakes.web_boxes import Box
from modembank_web.factory import documented
from modembank_web.openapi import document
from modembank_web.problems import KINDS
from modembank_web.readiness import Readiness
from modembank_web.wording import TAGS

STATIC = resources.files("modembank_web") / "static"


async def test_pages_load_nothing_from_elsewhere_and_run_no_inline_script(box: Box) -> None:
    async with box.client() as client:
        for path in ("/docs", "/docs/problems"):
            page = await client.get(path)
            assert page.headers["content-type"] == "text/html; charset=utf-8"
            assert not re.search(r"(src|href)=[\"']?(https?:)?//", page.text)
            assert not re.search(r"<script(?![^>]*\bsrc=)", page.text)
            assert not re.search(r"\son\w+=", page.text)
            assert "style=" not in page.text.replace("schema-style=", "").replace("render-style=", "")
            policy = page.headers["content-security-policy"]
            assert "script-src 'self';" in policy
            assert "http" not in policy
            for address in re.findall(r'(?:src|href|spec-url)="(/[^"]*)"', page.text):
                assert (await client.get(address)).status_code == 200, address


def test_every_example_of_an_answer_is_one_that_the_viewer_can_show() -> None:
    """RapiDoc 9.3.8 looks for examples in the fields of an `example`: at one that is null it shows no answer at all."""
    for path, methods in document(documented(Readiness())[0])["paths"].items():
        for operation in methods.values():
            for response in operation["responses"].values():
                for content in response.get("content", {}).values():
                    assert "example" not in content, path
                    assert all(set(each) <= {"summary", "value"} for each in content["examples"].values()), path


async def test_each_section_is_reached_from_the_page_itself(box: Box) -> None:
    async with box.client() as client:
        page = (await client.get("/docs")).text
    for name in TAGS:
        assert f'href="#tag--{name.replace(" ", "-")}"' in page
    assert 'href="/docs/problems"' in page


async def test_the_viewer_is_sent_packed_to_those_who_can_unpack_it(box: Box) -> None:
    async with box.client() as client:
        packed = await client.get("/docs/rapidoc-min.js", headers={"Accept-Encoding": "gzip, br"})
        plain = await client.get("/docs/rapidoc-min.js", headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.text == plain.text
    assert packed.headers["content-type"] == "text/javascript; charset=utf-8"
    assert len((STATIC / "docs" / "rapidoc-min.js.gz").read_bytes()) < 300_000


def test_the_vendored_viewer_is_the_version_its_note_says() -> None:
    script = gzip.decompress((STATIC / "docs" / "rapidoc-min.js.gz").read_bytes()).decode()
    note = (STATIC / "README.md").read_text("utf-8")
    version = re.search(r"RapiDoc (\d+\.\d+\.\d+)", script)
    assert version is not None
    assert f"RapiDoc {version[1]} | MIT" in note
    assert "MIT License" in (STATIC / "docs" / "rapidoc.LICENSE.txt").read_text("utf-8")
    assert (STATIC / "docs" / "rapidoc.NOTICES.txt").read_text("utf-8")


async def test_every_kind_of_problem_has_its_place_on_the_page(box: Box) -> None:
    async with box.client(await box.key()) as client:
        page = (await client.get("/docs/problems")).text
        lost = (await client.get("/api/v1/messages/x")).json()["type"]
    path, _, fragment = lost.partition("#")
    assert path == "/docs/problems"
    assert f'id="{fragment}"' in page
    assert all(f'id="{kind.key}"' in page for kind in KINDS)
