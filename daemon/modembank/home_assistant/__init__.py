"""Home Assistant at the box's side: how the link to the site's broker stands. The link itself is a face."""

from modembank.home_assistant.model import HomeAssistantView, LinkState
from modembank.home_assistant.service import HomeAssistant

__all__ = ["HomeAssistant", "HomeAssistantView", "LinkState"]
