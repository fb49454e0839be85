"""Tables of words, for people to read and extend."""
