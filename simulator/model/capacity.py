"""Capacity arithmetic: units of the command line, extents, what copies take from pools."""

import math
import re
from collections.abc import Mapping

from simulator.language.codes import ArrayError
from simulator.model.state import Copy, Pool, State, Vdisk

UNITS = {unit: 1 << 10 * power for power, unit in enumerate(("b", "kb", "mb", "gb", "tb", "pb"))}
SHOWN = ("MB", "GB", "TB", "PB")
SECTOR = 512
GRAIN = 256 * 1024

Usage = Mapping[str, int]
"""Bytes written per volume UID, as the data plane counts them."""


def size_in_bytes(number: str, unit: str | None) -> int:
    """Turn `-size N -unit U` into bytes (unit mb unless named); 5711E unless a positive multiple of 512."""
    factor = UNITS.get(unit or "mb")
    if factor is None:
        raise ArrayError("CMMVC5711E", unit or "")
    if not re.fullmatch(r"[0-9]{1,18}", number):
        raise ArrayError("CMMVC5711E", number)
    size = int(number) * factor
    if size <= 0 or size % SECTOR:
        raise ArrayError("CMMVC5711E", number)
    return size


def shown(size: int, *, exact: bool) -> str:
    """Print a size as queries do: plain bytes with `-bytes`, else two decimals and a unit (MB and up)."""
    if exact:
        return str(size)
    value, unit = size / UNITS["mb"], SHOWN[0]
    for larger in SHOWN[1:]:
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.2f}{unit}"


def real_size(text: str, unit: str | None, size: int) -> int:
    """Turn `-rsize` (percentage, size in -unit, or auto) into bytes, never above the vdisk's size."""
    if text == "auto":
        wanted = size * 2 // 100
    elif text.endswith("%"):
        wanted = size * percentage(text) // 100
    else:
        wanted = size_in_bytes(text, unit)
    return min(size, math.ceil(wanted / GRAIN) * GRAIN)


def percentage(text: str) -> int:
    """Read `N%` (the sign may be missing), 0..100; else 5711E."""
    digits = text.removesuffix("%")
    if not re.fullmatch(r"[0-9]{1,3}", digits) or int(digits) > 100:
        raise ArrayError("CMMVC5711E", text)
    return int(digits)


def used(vdisk: Vdisk, copy: Copy, usage: Usage) -> int:
    """Bytes written to a copy: for a thick one all of it."""
    return min(vdisk.size, usage.get(vdisk.uid, 0)) if copy.thin else vdisk.size


def real(vdisk: Vdisk, copy: Copy, usage: Usage) -> int:
    """Bytes reserved for a copy: size when thick, else rsize, kept above what is used with autoexpand."""
    if not copy.thin:
        return vdisk.size
    if not copy.autoexpand:
        return copy.rsize
    return min(vdisk.size, used(vdisk, copy, usage) + copy.rsize)


def allocated(vdisk: Vdisk, copy: Copy, extent: int, usage: Usage) -> int:
    """Bytes a copy takes from its pool: its real capacity in whole extents."""
    return math.ceil(real(vdisk, copy, usage) / extent) * extent


def copies_in(state: State, pool: Pool) -> list[tuple[Vdisk, Copy]]:
    """Every copy that lives in a pool or is being migrated to it, with its vdisk."""
    return [(v, c) for v in state.vdisks.values() for c in v.copies if pool.id in (c.pool, c.target)]


def free(state: State, pool: Pool, usage: Usage) -> int:
    """Free bytes of a pool, never below zero."""
    taken = sum(allocated(v, c, pool.extent, usage) for v, c in copies_in(state, pool))
    return max(0, pool.capacity - taken)


def require_space(state: State, pools: set[int], usage: Usage, code: str = "CMMVC8710E") -> None:
    """Refuse with `code` a state in which one of these pools has given away more extents than it has."""
    for pool in (state.pools[i] for i in pools):
        taken = sum(allocated(v, c, pool.extent, usage) for v, c in copies_in(state, pool))
        if taken > pool.capacity:
            raise ArrayError(code)
