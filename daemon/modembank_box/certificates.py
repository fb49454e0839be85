"""The certificate of the pages: the owner's, or one that the box makes for itself and renews."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from modembank_box.errors import BoxError
from modembank_box.openssl import (
    Certificate,
    is_address,
    is_key,
    make_certificate,
    make_key,
    read_certificate,
    unusable,
)
from modembank_box.places import Places
from modembank_box.served import Served, content
from modembank_box.states import write_whole

LIFE = timedelta(days=820)
"""Some clients take none that is good for more than 825 days, a certificate of one's own included."""
RENEWED_BEFORE_END = timedelta(days=60)
BACKDATED = timedelta(days=1)
"""So that a client whose clock is a bit behind takes it too."""
LARGEST = 64 * 1024
"""Octets of a file of the owner's; a chain has some thousands."""


@dataclass(frozen=True)
class Identity:
    """What the box is called and where it is."""

    host: str
    addresses: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Return what a certificate has to be good for, the name on the local network first."""
        short = self.host.partition(".")[0]
        return tuple(dict.fromkeys((f"{short}.local", short, self.host, *self.addresses)))


class Certificates:
    """Decides which certificate is in force, and lays it where the daemon takes it from."""

    def __init__(self, places: Places) -> None:
        """Use the box's places."""
        self._served = Served(places)
        self._own, self._kept = self._served.own, self._served.kept
        self._epoch = places.root / "usr/lib/clock-epoch"

    def renew(self, identity: Identity, now: datetime) -> str:
        """Put the right certificate in force; return what the daemon has to do: "", "reload", or "restart".

        Raises BoxError when none can be made.
        """
        own, problem = self._owners(now)
        pair = own or self._made(identity, max(now, self._built()))
        return self._served.put(
            pair.certificate,
            pair.key,
            {
                "fingerprint": pair.said.fingerprint,
                "names": list(pair.said.names),
                "not_after": f"{pair.said.not_after:%Y-%m-%dT%H:%M:%SZ}",
                "own": own is not None,
                "problem": problem,
            },
        )

    def _owners(self, now: datetime) -> tuple[_Pair | None, str]:
        """Return the owner's certificate and key, if they are there and can be used, and what is wrong with them."""
        if not any(path.exists() for path in self._own):
            return None, ""
        try:
            pair = _Pair.read(*self._own)
        except BoxError as error:
            return None, f"tls.crt and tls.key on the boot partition are not used: {error}"
        end = pair.said.not_after
        ending = f"the certificate tls.crt on the boot partition ends on {end:%Y-%m-%d}: put a new one there"
        return pair, ending if end - now < RENEWED_BEFORE_END / 2 else ""

    def _made(self, identity: Identity, now: datetime) -> _Pair:
        """Return the box's own certificate and key, made anew as far as they have to be; the key stays."""
        try:
            pair = _Pair.read(*self._kept)
        except BoxError:
            pair = None
        if pair is not None and _is_good(pair.said, identity, now):
            return pair
        certificate, key = self._kept
        key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        secret = content(key)
        if not is_key(secret):
            secret = make_key()
            write_whole(key, secret, 0o600)
        write_whole(certificate, make_certificate(secret, identity.names, now - BACKDATED, now - BACKDATED + LIFE))
        return _Pair.read(*self._kept)

    def _built(self) -> datetime:
        """Return when the image was made: it cannot be earlier, whatever a box without a clock believes."""
        try:
            return datetime.fromtimestamp(self._epoch.stat().st_mtime, UTC)
        except OSError:
            return datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class _Pair:
    """A certificate and its key, which a server can use together."""

    said: Certificate
    certificate: bytes
    key: bytes

    @classmethod
    def read(cls, certificate: Path, key: Path) -> _Pair:
        """Read both files; raises BoxError with the reason why they cannot be used."""
        chain, secret = _small(certificate), _small(key)
        reason = "the key has a password, which nobody could type at the start" if b"ENCRYPTED" in secret else ""
        if reason or (reason := unusable(certificate, key)):
            raise BoxError(reason)
        return cls(read_certificate(chain), chain, secret)


def _is_good(found: Certificate, identity: Identity, now: datetime) -> bool:
    in_time = found.not_before <= now <= found.not_after - RENEWED_BEFORE_END
    # An address that is missing now may come back with the cable; a name that the box no longer has does not stay.
    return in_time and _hosts(found.names) == _hosts(identity.names) and set(identity.addresses) <= set(found.names)


def _hosts(names: Sequence[str]) -> list[str]:
    return [name for name in names if not is_address(name)]


def _small(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                message = f"{path.name} is no file"
                raise BoxError(message)
            read = file.read(LARGEST + 1)
    except OSError as error:
        message = f"{path.name} cannot be read: {error.strerror}"
        raise BoxError(message) from error
    if len(read) > LARGEST:
        message = f"{path.name} is larger than {LARGEST} octets"
        raise BoxError(message)
    return read
