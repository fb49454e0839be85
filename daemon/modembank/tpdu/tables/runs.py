"""How the sparse single-shift tables are written down."""


def runs(*parts: tuple[int, str]) -> dict[int, str]:
    """Build a table from runs of consecutive positions: `(first septet, characters)`."""
    return {first + offset: char for first, chars in parts for offset, char in enumerate(chars)}
