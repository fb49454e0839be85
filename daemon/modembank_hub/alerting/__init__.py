"""Alerts of a fleet: what needs a person, judged from what the hub knows, told once, and over by itself."""
