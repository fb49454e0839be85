"""What every test shares: how many examples property tests try (``make soak`` many more), and an empty database."""

import os

import pytest
import structlog
from hypothesis import HealthCheck, settings

from fakes.databases import make_empty, opener_of_copies
from modembank.store import store

settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("soak", parent=settings.get_profile("default"), max_examples=3000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(autouse=True)
def _logging_of_its_own(monkeypatch):
    """A test that configures logging (any command line in this process does) must not decide what others see of it.

    Loggers that were cached keep what they were made with, even after the configuration is taken back.
    """
    configure = structlog.configure
    monkeypatch.setattr(
        structlog, "configure", lambda **wanted: configure(**wanted | {"cache_logger_on_first_use": False})
    )
    before = structlog.get_config()
    yield
    configure(**before)


@pytest.fixture(scope="session")
def _empty_database(tmp_path_factory):
    """Made by the migrations as they are now, once for each process that runs tests."""
    return make_empty(tmp_path_factory.mktemp("empty") / "box.db")


@pytest.fixture(autouse=True)
def _new_databases_are_copies(request, monkeypatch):
    """A store that is opened on a new file copies one that was migrated before; tests/store migrates each."""
    if "tests/store" not in request.path.as_posix():
        empty = request.getfixturevalue("_empty_database")
        monkeypatch.setattr(store, "open_owned", opener_of_copies(empty))
