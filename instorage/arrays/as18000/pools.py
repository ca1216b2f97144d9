"""Pools as lsmdiskgrp shows them (array-as18000.md 4.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.arrays.as18000.session.quoting import object_name
from instorage.arrays.as18000.session.refusal import NOT_FOUND, Refused
from instorage.arrays.model import Pool

if TYPE_CHECKING:
    from instorage.arrays.as18000.session.cli import Cli

MIB = 1 << 20


def find(cli: Cli, name: str) -> Pool | None:
    """Return a pool; None when the array says that there is none (an error, not an empty answer)."""
    try:
        row = cli.detail("lsmdiskgrp", "-bytes", object_name(name, "pool")).head()
    except Refused as refused:
        if refused.cmmvc in NOT_FOUND:
            return None
        raise
    online = row["status"] == "online"
    extent = row.number("extent_size", "0") * MIB
    flash = row.get("category") == "ssa"
    return Pool(row["name"], row.number("capacity"), row.number("free_capacity"), online, extent, flash)


def of_flash(cli: Cli, name: str) -> bool:
    """Tell whether a pool is of flash alone; asked once, since a pool does not change its kind."""
    if name not in cli.flash:
        found = find(cli, name)
        if found is None:
            return False
        cli.flash[name] = found.flash
    return cli.flash[name]
