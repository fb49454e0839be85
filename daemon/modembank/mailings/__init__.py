"""Mailings: a file of recipients with its texts, imported in the background and sent as one thing.

Nothing is imported here: the process that reads files begins in this package, and is to begin soon.
"""
