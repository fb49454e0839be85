"""Processes under the recorder."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

from powercut.recording import HERE, Recorder

WITHIN_S = 60.0
_PATH = os.pathsep.join(str(HERE.parents[1] / name) for name in ("daemon", "web"))


def recorded(recorder: Recorder) -> dict[str, str]:
    """The environment of a process whose writes are recorded."""
    return {**os.environ, **recorder.env, "PYTHONPATH": _PATH}


@contextlib.contextmanager
def child(recorder: Recorder, code: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Run Python code with pipes to talk to it; killed at the end, if it still runs."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=recorded(recorder), stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def ran(recorder: Recorder, code: str, *arguments: object) -> str:
    """Run Python code to its end and return what it said."""
    with child(recorder, code, *arguments) as process:
        said = process.communicate(timeout=WITHIN_S)[0]
        assert process.returncode == 0
    return said
