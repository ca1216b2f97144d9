"""Volume protection (IBM's documentation): what had I/O a short while ago is not taken away, by no force."""

from simulator.language.codes import ArrayError
from simulator.model.context import Context
from simulator.model.state import Pool, Vdisk

USUAL = 15
"""Minutes, where nobody has said another time."""


def minutes(context: Context) -> float:
    """Return for how long after I/O a volume is protected; 0: protection is off."""
    on = context.dialect.protection_minutes
    return context.state.protection or on if on else 0.0


def enabled(context: Context, pool: Pool) -> bool:
    """Tell whether a pool's volumes are to be protected, whether or not the system has that on."""
    return pool.protected and context.dialect.protection_pool in ("", pool.name)


def protects(context: Context, pool: Pool) -> bool:
    """Tell whether the volumes of a pool are protected."""
    return minutes(context) > 0 and enabled(context, pool)


def require_idle(context: Context, vdisks: list[Vdisk]) -> None:
    """Refuse to unmap or delete vdisks of which a protected one had I/O within the protection time."""
    pools = context.state.pools
    since = context.sensors.now() - minutes(context) * 60
    for vdisk in vdisks:
        if vdisk.used_at > since and any(protects(context, pools[copy.pool]) for copy in vdisk.copies):
            raise ArrayError(context.dialect.protection_code)
