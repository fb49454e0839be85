"""Conversations: what was written to a number and what came from it, as one thread."""

from modembank.conversations.service import Conversations
from modembank.conversations.views import ConversationView, ReadView, Thread

__all__ = ["ConversationView", "Conversations", "ReadView", "Thread"]
