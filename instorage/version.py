"""The version of the distribution, as in pyproject.toml, for installed trees."""

VERSION = "3.0.0.dev0"
HELP = "print the version, and nothing else"
"""Of a program's `--version`."""
