"""The fleet: what boxes and a hub say to each other over MQTT, and the box's side of it."""
