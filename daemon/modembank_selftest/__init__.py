"""The proof that nothing accepted is lost and nothing is silently sent twice, for anyone to run again.

It judges from outside: it starts the real daemon, speaks HTTP to it, reads what the emulated network saw, and imports
nothing of the product, so that no mistake of the product can hide in its own judge.
"""

from modembank_selftest.api import Broken
from modembank_selftest.plan import Plan
from modembank_selftest.proof import prove
from modembank_selftest.verdict import Verdict

__all__ = ["Broken", "Plan", "Verdict", "prove"]
