"""The one error of root's programs that is told instead of traced."""


class BoxError(Exception):
    """Why a verb could not do what it is for, in a sentence."""
