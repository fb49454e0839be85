"""The keys that sign updates; and what needs loop devices and mounts is collected only for root."""

import os

import pytest

from fakes.updates import make_keys


@pytest.fixture(scope="package")
def signing(tmp_path_factory):
    """Keys that a box trusts, and what it trusts."""
    return make_keys(tmp_path_factory.mktemp("keys") / "ours")


def pytest_collection_modifyitems(config, items):
    if os.geteuid() != 0:
        needing = [item for item in items if item.get_closest_marker("root")]
        config.hook.pytest_deselected(items=needing)
        items[:] = [item for item in items if item not in needing]
