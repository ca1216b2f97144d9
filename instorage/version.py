"""The version of the distribution, as in pyproject.toml, for installed trees."""

VERSION = "3.0.0.dev0"
