"""Keeps `po/`: what a person reads from the administrator's programs, and its translations."""
