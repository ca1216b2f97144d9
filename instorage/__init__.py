"""The library that more than one component needs. This package itself imports nothing."""
