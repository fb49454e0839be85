"""The pool: one queue of messages for all boxes of a fleet. What is decided, by hub and box, without I/O and clock."""
