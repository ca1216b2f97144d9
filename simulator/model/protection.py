"""Volume protection (IBM's documentation): what had I/O a short while ago is not taken away, by no force."""

from simulator.language.codes import ArrayError
from simulator.language.dialect import Dialect
from simulator.model.context import Context
from simulator.model.state import Pool, Vdisk


def protects(dialect: Dialect, pool: Pool) -> bool:
    """Tell whether the volumes of a pool are protected."""
    return dialect.protection_minutes > 0 and dialect.protection_pool in ("", pool.name)


def require_idle(context: Context, vdisks: list[Vdisk]) -> None:
    """Refuse to unmap or delete vdisks of which a protected one had I/O within the protection time."""
    dialect, pools = context.dialect, context.state.pools
    since = context.sensors.now() - dialect.protection_minutes * 60
    for vdisk in vdisks:
        if vdisk.used_at > since and any(protects(dialect, pools[copy.pool]) for copy in vdisk.copies):
            raise ArrayError(dialect.protection_code)
