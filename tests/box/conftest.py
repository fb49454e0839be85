"""What needs loop devices and mounts is collected only for root."""

import os


def pytest_collection_modifyitems(config, items):
    if os.geteuid() != 0:
        needing = [item for item in items if item.get_closest_marker("root")]
        config.hook.pytest_deselected(items=needing)
        items[:] = [item for item in items if item not in needing]
