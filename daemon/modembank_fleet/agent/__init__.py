"""The box's side of the fleet: a face that a hub sees over MQTT."""

from modembank_fleet.agent.agent import Agent
from modembank_fleet.agent.shadow import Trial

__all__ = ["Agent", "Trial"]
