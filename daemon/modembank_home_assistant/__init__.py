"""The box in Home Assistant: MQTT discovery, states and a few commands, over the site's own broker."""

from modembank_home_assistant.link import HomeAssistantLink

__all__ = ["HomeAssistantLink"]
