"""One module for each kind of provider."""
