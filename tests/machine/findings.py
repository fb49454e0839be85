"""What a run found, told as it goes."""

from __future__ import annotations

import time


class Findings:
    """One line a finding, with the seconds since the run began."""

    def __init__(self) -> None:
        """Begin."""
        self._began = time.monotonic()
        self.bad: list[str] = []
        self.seen = 0

    def that(self, what: str, good: object, detail: object = "") -> bool:
        """Tell whether something is as it should be; the detail is told when it is not."""
        self.seen += 1
        if not good:
            self.bad.append(what)
        print(f"{time.monotonic() - self._began:5.0f} s  {'ok ' if good else 'BAD'} {what}", flush=True)
        if not good and detail != "":
            print("\n".join(f"             {line}" for line in str(detail).splitlines()), flush=True)
        return bool(good)

    def note(self, what: str) -> None:
        """Tell something that is neither good nor bad."""
        print(f"{time.monotonic() - self._began:5.0f} s      {what}", flush=True)

    def end(self) -> int:
        """Tell how it ended, and return the exit status."""
        passed = self.seen > 0 and not self.bad
        told = f"{self.seen} findings, {len(self.bad)} of them bad" if self.bad else f"{self.seen} findings, all good"
        print(f"{'PASSED' if passed else 'FAILED'} in {time.monotonic() - self._began:.0f} s: {told}", flush=True)
        return int(not passed)
