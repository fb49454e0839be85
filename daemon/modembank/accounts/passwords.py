"""Passwords: which are accepted, and how they are kept (argon2id, RFC 9106).

19 MiB, two passes, one lane is what OWASP recommends for small machines. Two are hashed at a time, beside the event
loop: more would only take memory from the modems' work.
"""

from __future__ import annotations

import asyncio
import re
import unicodedata

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from modembank.accounts.common_passwords_table import COMMON
from modembank.errors import FieldProblem

MEMORY_KIB = 19_456
PASSES = 2
LANES = 1
SHORTEST = 8
LONGEST = 128
RECOMMENDED = 15
AT_ONCE = 2

_PRODUCT = frozenset({"modembank", "modem", "modems", "smsbox", "smsgateway", "appliance", "gateway", "simcard"})
_ENDS = re.compile(r"^[\W\d_]+|[\W\d_]+$")
_ROWS = ("abcdefghijklmnopqrstuvwxyz", "0123456789", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "azertyuiop")


class Passwords:
    """Hashes passwords and compares them, two at a time."""

    def __init__(self) -> None:
        """Prepare the hash that unknown users are compared with when it is first needed."""
        self._hasher = argon2.PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)
        self._turns = asyncio.Semaphore(AT_ONCE)
        # Of a random password: comparing with it costs what comparing with a user's costs. Nobody has it.
        self._nobody = (
            f"$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}"
            "$bm9ib2R5LW5vYm9keS4uLg$3m0lLZ5sqYt8ZV0m3m9uT3tYh0qk2wJc2k3oO0m1c1E"
        )

    async def hashed(self, password: str) -> str:
        """Return what is stored of a password."""
        async with self._turns:
            return await asyncio.to_thread(self._hasher.hash, _octets(password))

    async def matches(self, stored: str | None, password: str) -> bool:
        """Compare a password with what is stored; without anything stored it takes the same work and is False."""
        async with self._turns:
            right = await asyncio.to_thread(self._verified, stored or self._nobody, _octets(password))
        return right and stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Whether it was hashed with other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    def _verified(self, stored: str, octets: bytes) -> bool:
        try:
            return self._hasher.verify(stored, octets)
        except (VerificationError, InvalidHashError):
            return False


def password_problem(password: str, name: str, pointer: str = "/password") -> FieldProblem | None:
    """Return why a password cannot be taken by the user of that name, or None.

    Its length counts, and that it is none of those that are tried first. There are no rules of composition: they make
    passwords that are harder to remember and no harder to guess (NIST SP 800-63B).
    """
    if not SHORTEST <= len(password) <= LONGEST:
        detail = f"a password has {SHORTEST} to {LONGEST} characters; {RECOMMENDED} or more are recommended"
        return FieldProblem(pointer, detail)
    if is_common(password, name):
        detail = "this is one of the first that anybody would try; several words that do not belong together are better"
        return FieldProblem(pointer, detail)
    return None


def is_common(password: str, name: str = "") -> bool:
    """Whether it is on the list, or made of one of its words, the user's name or the product's and some digits."""
    folded = _normal(password).casefold()
    core = _ENDS.sub("", folded)
    own = {name.casefold(), _ENDS.sub("", name.casefold())} - {""}
    words = COMMON | _PRODUCT | own
    if folded in words or core in words or folded[::-1] in words:
        return True
    if len(set(folded)) <= 2:
        return True
    if any(folded in row * 6 or folded in row[::-1] * 6 for row in _ROWS):
        return True
    return any(folded == folded[:width] * (len(folded) // width) and folded[:width] in words for width in range(2, 33))


def _normal(password: str) -> str:
    """Return it as one sequence of characters, whichever keyboard composed its accents."""
    return unicodedata.normalize("NFC", password)


def _octets(password: str) -> bytes:
    return _normal(password).encode("utf-8", "surrogatepass")
