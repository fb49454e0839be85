"""Searching the texts of messages, sent and received: the index, how it is kept up to date, and what is asked of it."""

from modembank.messages.search.corpora import INBOX, MESSAGES, Corpus
from modembank.messages.search.index import forget_all, put, remove
from modembank.messages.search.indexing import Indexing
from modembank.messages.search.looking import Hunt, hunt, unsearched
from modembank.messages.search.words import match_of

__all__ = [
    "INBOX",
    "MESSAGES",
    "Corpus",
    "Hunt",
    "Indexing",
    "forget_all",
    "hunt",
    "match_of",
    "put",
    "remove",
    "unsearched",
]
