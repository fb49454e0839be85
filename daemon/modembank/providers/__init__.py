"""Providers: whoever takes messages beside the bank of modems."""
