"""Time that passes only where somebody sleeps."""


class Time:
    """Goes on by sleeping alone; ``later`` is what happens while one sleeps."""

    def __init__(self, later=lambda _: None):
        self.passed = 0.0
        self._later = later

    def sleep(self, seconds):
        self.passed += seconds
        self._later(self.passed)
