"""Health: what is wrong with the box, with evidence and remedies that one can run."""
