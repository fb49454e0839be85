"""What every test shares: how many examples property tests try. ``make soak`` tries many more."""

import os

import pytest
import structlog
from hypothesis import HealthCheck, settings

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
