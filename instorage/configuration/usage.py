"""Wrong usage of a command, told from every other failure by its exit status."""


class UsageError(Exception):
    """A command line that does not fit its command; the text says how it is written."""
