"""What stops the local stack: a sentence for the person at the terminal."""


class Trouble(Exception):  # noqa: N818 - it is told to a person, not raised as a programming error
    """The stack cannot go on; the text says what is wrong and what to do about it."""
