"""Pages in a real browser. A package, so that the box and the browser end with its last test."""
