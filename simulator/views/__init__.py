"""Queries: what the array answers, column by column, one module a noun. None asks an operation."""
