"""A running box on emulated modems, and a browser whose every fault fails the test.

Both are started once for all tests here (and each worker). A test asks for ``page_as_admin``, ``page_as_sender`` or
``page_as_stranger``; it may parametrize ``size`` and ``scheme``, and say with ``watch.expects`` which faults it brings
about itself. Tests share the box: what one makes, it makes for itself, and it leaves nobody's session ended.
"""

from __future__ import annotations

import pytest
import pytest_asyncio

from fakes import kinds
from fakes.boxes import box_on
from fakes.chromium import DESK, Watch, chromium, session
from fakes.images import MISTAKE, Image
from fakes.lived_in import ADMIN, SENDER, live_in
from modembank.system import Process

PACKAGE = {"scope": "package", "loop_scope": "package"}


def pytest_collection_modifyitems(items):
    """Every test here needs Chromium, and runs in the loop that the box runs in."""
    for item in items:
        if item.path.is_relative_to(__file__.removesuffix("conftest.py")):
            item.add_marker(pytest.mark.browser)
            if item.get_closest_marker("asyncio"):
                item.add_marker(pytest.mark.asyncio(loop_scope="package"), append=False)


@pytest.fixture(scope="package")
def image(tmp_path_factory):
    """What the root side of the appliance image says that the box was started from: something is wrong there."""
    folder = tmp_path_factory.mktemp("box")
    mistakes = {"applied": True, "mistakes": [MISTAKE]}
    refused = {"state": "refused", "reason": "it is not signed", "by": "ada", "at": "2026-11-20T14:05:00Z"}
    return Image(folder / "run", folder / "data").start(personal=mistakes, update=refused)


@pytest_asyncio.fixture(**PACKAGE)
async def box(image):
    """A whole box; its providers are of the kinds of the tests."""
    process = Process(box_state=image.run)
    with pytest.MonkeyPatch.context() as patch:
        kinds.install(patch)
        async with box_on(image.run.parent, sending={"process": process}) as box:
            yield box


@pytest_asyncio.fixture(**PACKAGE)
async def things(box):
    """What is in it, by name (``fakes.lived_in.Things``)."""
    return await live_in(box)


@pytest_asyncio.fixture(**PACKAGE)
async def browser():
    async with chromium() as browser:
        yield browser


@pytest.fixture
def watch(box):
    """What pages of this test did that they must not do; nothing, once it ends."""
    watch = Watch(box.daemon.url)
    yield watch
    assert not watch.unexpected()


@pytest.fixture
def size():
    """Width and height of the window."""
    return DESK


@pytest.fixture
def scheme():
    """Light or dark."""
    return "light"


@pytest_asyncio.fixture(loop_scope="package")
async def page_as_admin(box, things, browser, watch, size, scheme):
    """A page of somebody who may everything."""
    async with session(browser, watch, token=await ADMIN.token(box), size=size, scheme=scheme) as context:
        yield await context.new_page()


@pytest_asyncio.fixture(loop_scope="package")
async def page_as_sender(box, things, browser, watch, size, scheme):
    """A page of somebody who sends."""
    async with session(browser, watch, token=await SENDER.token(box), size=size, scheme=scheme) as context:
        yield await context.new_page()


@pytest_asyncio.fixture(loop_scope="package")
async def page_as_stranger(box, things, browser, watch, size, scheme):
    """A page of somebody who has not logged in."""
    async with session(browser, watch, size=size, scheme=scheme) as context:
        yield await context.new_page()
