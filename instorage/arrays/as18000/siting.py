"""At which site of a system that spans two a host object belongs.

Each host must have one there: an array may refuse to map an active-active volume to a host without, and which
paths it calls the near ones follows from it (array-as18000.md 7.4, step 4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.arrays.as18000 import hosts, volumes
from instorage.arrays.as18000.session.quoting import object_name
from instorage.arrays.as18000.session.refusal import NOT_FOUND, Refused
from instorage.arrays.model import Site
from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from instorage.arrays.as18000.session.cli import Cli
    from instorage.arrays.model import Host
    from instorage.volume_name import VolumeName


def choose(cli: Cli, configured: str, volume: VolumeName | None) -> Site:
    """Return where a host without a site belongs: as configured, else where the volume's master is.

    An empty one where the system has one site, or nothing says it. HOST_OBJECT when there is no such site.
    """
    groups = hosts.sites(cli) if configured or volume else {}
    if not groups:
        return Site()
    if volume and not configured:
        return groups.get(_group(cli, volume), Site())
    for site in groups.values():
        if configured in (site.id, site.name):
            return site
    shown = ", ".join(sorted({f"{site.name} ({site.id})" for site in groups.values()}))
    raise Fault(
        Code.HOST_OBJECT,
        f"Array {cli.array} has no site {configured} with nodes, as host.site says of this host: it has "
        f"{shown}. Correct host.site.",
        array=cli.array,
        site=configured,
    )


def require(cli: Cli, configured: str, host: Host) -> None:
    """Raise HOST_OBJECT when the object is at another site than this host is said to be."""
    if not configured or not host.site or configured in (host.site.id, host.site.name):
        return
    raise Fault(
        Code.HOST_OBJECT,
        f"The host object {host.name} on array {cli.array} is at site {host.site.name or host.site.id}, and "
        f"host.site says that this machine is at {configured}: correct host.site, or move the object on the "
        f"array (chhost -site {configured}) while no pod here uses that array.",
        array=cli.array,
        host=host.name,
        site=host.site.name or host.site.id,
    )


def _group(cli: Cli, volume: VolumeName) -> str:
    """Return the I/O group of an active-active volume's master, which bears the volume's name."""
    try:
        return cli.detail("lsvdisk", "-bytes", object_name(volume, "volume")).head()["IO_group_id"]
    except Refused as refused:
        if refused.cmmvc in NOT_FOUND:
            raise volumes.missing(cli, volume) from refused
        raise
