"""Whether a bundle may be installed, in words for who brought it; RAUC judges the signature."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from modembank_box.errors import BoxError
from modembank_box.release import Release, is_older, version_key

_WAYS = (
    # what RAUC says, what that means, and in one word
    ("Signature size", "it is cut short or damaged", "damaged"),
    ("Invalid bundle format", "it is no update bundle, or cut short or damaged", "damaged"),
    ("No such file", "it is no update bundle", "damaged"),
    ("bundle payload is corrupted", "it is damaged", "damaged"),
    ("device failed between", "it is damaged", "damaged"),
    ("Input/output error", "it is damaged, or cannot be read", "damaged"),
    ("not yet valid", "its certificate is not valid yet: is the clock of the box right?", "bad_signature"),
    ("has expired", "its certificate has expired: is the clock of the box right?", "bad_signature"),
    ("self-signed certificate", "it is not signed by whom this box trusts", "bad_signature"),
    ("self signed certificate", "it is not signed by whom this box trusts", "bad_signature"),
    ("unable to get local issuer", "it is not signed by whom this box trusts", "bad_signature"),
    (
        "unsuitable certificate purpose",
        "it is signed by a certificate that is not for signing updates",
        "bad_signature",
    ),
    (
        "unsupported certificate purpose",
        "it is signed by a certificate that is not for signing updates",
        "bad_signature",
    ),
    ("certificate revoked", "it is signed by a certificate that was revoked", "bad_signature"),
    ("verification failed", "it is not signed by whom this box trusts, or damaged", "bad_signature"),
    ("format not allowed", "it is of a format that this box does not take", "bad_format"),
    ("opened for writing", "somebody is still writing to it", "still_written"),
    ("exclusive", "somebody may still write to it", "still_written"),
    ("exceeds", "it is too large for this box", "no_room"),
    ("No space left", "there is no room", "no_room"),
)


class Refused(BoxError):
    """A bundle that is not installed; nothing was changed. ``code`` says why in one word."""

    def __init__(self, message: str, code: str = "refused") -> None:
        """Say why in words, and in one."""
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Bundle:
    """A bundle that is signed by whom the box trusts, as it describes itself."""

    path: str
    version: str
    build: str
    compatible: str
    octets: int
    """Of the slot that is written."""


def look_at(path: str, configuration: Path, rauc: str = "rauc") -> Bundle:
    """Return what a bundle says of itself once its signature is verified. Raises Refused."""
    try:
        done = subprocess.run(
            [rauc, "--conf", configuration, "info", "--output-format=json", path],
            check=False,
            capture_output=True,
            text=True,
            timeout=300,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        message = f"RAUC cannot be asked: {error}"
        raise BoxError(message) from error
    if done.returncode:
        raise Refused(*explained(done.stderr))
    try:
        told = json.loads(done.stdout[done.stdout.index("{") :])
        octets = sum(int(image["size"]) for entry in told["images"] for image in entry.values())
        return Bundle(path, str(told["version"])[:80], str(told["build"])[:80], str(told["compatible"])[:80], octets)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        message = "it does not say what is in it"
        raise Refused(message, "damaged") from error


def judge(bundle: Bundle, running: Release, floor: str, wanted: str = "") -> None:
    """Raise Refused for a bundle of another machine, and one that is older than what runs or was ever well here.

    So for one of another version than ``wanted``, where that is said.
    """
    if bundle.compatible != running.compatible:
        message = f"it is for another machine ({bundle.compatible}): this one is {running.compatible}"
        raise Refused(message, "other_machine")
    if wanted and bundle.version != wanted:
        message = f"it is version {bundle.version}, and {wanted} was asked for"
        raise Refused(message, "other_version")
    if version_key(bundle.version) is None:
        message = f"its version, {bundle.version}, is none"
        raise Refused(message, "bad_version")
    newest = floor if is_older(running.version, floor) and version_key(floor) else running.version
    if is_older(bundle.version, newest):
        message = f"it is older ({bundle.version}) than what this box has had ({newest})"
        raise Refused(message, "older_version")


def reason(said: str) -> str:
    """Return in plain words why RAUC refused, with its own last word."""
    return explained(said)[0]


def explained(said: str) -> tuple[str, str]:
    """Return why RAUC refused: in plain words, with its own last word; and in one word."""
    lines = [line.strip() for line in said.splitlines() if line.strip() and not line.startswith("rauc-Message")]
    errors = [line.removeprefix("LastError:").strip() for line in lines if line.startswith("LastError:")]
    last = (errors or lines or ["it says nothing"])[-1][:300]
    for sign, meaning, code in _WAYS:
        if sign in last:
            return f"{meaning} ({last})", code
    return f"RAUC refuses it ({last})", "refused"
