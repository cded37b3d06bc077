"""What stops the local stack: a sentence for the person at the terminal."""


class Trouble(Exception):
    """The stack cannot go on; the text says what is wrong and what to do about it."""
