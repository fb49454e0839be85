"""The hub: takes in what the boxes of a fleet tell over MQTT, durably and once, and commands them."""
