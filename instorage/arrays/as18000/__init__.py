"""The AS18000 family (InStorage MCS): its command line over SSH (array-as18000.md)."""

from instorage.arrays.as18000.array import As18000

__all__ = ["As18000"]
