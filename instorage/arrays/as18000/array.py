"""`As18000`: the `Array` protocol over the command line of the AS18000 family."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.arrays.as18000 import (
    creation,
    deletion,
    growth,
    holder,
    hosts,
    identity,
    logins,
    mapping,
    pools,
    protection,
    volumes,
)
from instorage.arrays.as18000.active_active import expansion, findings, picture, wholeness
from instorage.arrays.as18000.claim import Claim
from instorage.arrays.as18000.fc_targets import FcTargets
from instorage.arrays.as18000.host_objects import HostObjects
from instorage.arrays.as18000.resting import RestingLuns
from instorage.arrays.as18000.session.call import call
from instorage.arrays.as18000.session.cli import Cli
from instorage.arrays.as18000.session.ssh import Ssh
from instorage.arrays.as18000.targets import Targets
from instorage.arrays.as18000.unsettled import Past, Unsettled
from instorage.arrays.endpoint import Endpoint, Limits
from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from instorage.arrays.active_active import ActiveActive
    from instorage.arrays.expansion import Expansion, Guard, Plan
    from instorage.arrays.growth import GrowthLog
    from instorage.arrays.logins import HostLogins
    from instorage.arrays.model import (
        FcTarget,
        Host,
        Initiator,
        IscsiTarget,
        Mapping,
        Pool,
        Protection,
        SanIdentity,
        Usage,
        Volume,
        VolumeSpec,
    )
    from instorage.arrays.quarantine import Quarantine
    from instorage.volume_name import VolumeName
    from instorage.wire.values import Portal, VolumeUid, Wwpn


class As18000:
    """One array. Its SSH host key is pinned in `known_hosts`; `quarantine`: of LUN numbers that it frees."""

    def __init__(
        self,
        endpoint: Endpoint,
        known_hosts: Path,
        limits: Limits | None = None,
        quarantine: Quarantine | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.name = endpoint.name  # in the configuration (`storage[].name`)
        self._ssh = Ssh(endpoint, known_hosts, self.limits)
        self._cli = Cli(endpoint.name, self._ssh, self.limits)
        self._resting = RestingLuns(quarantine, endpoint.name, 2 * self.limits.operation)
        self._unsettled, self._hosts = Unsettled(), HostObjects(self._cli, width=self.limits.channels)
        self._targets, self._fc_targets = Targets(self._cli), FcTargets(self._cli)

    @call
    def find_volume(self, name: VolumeName) -> Volume | None:
        """See `Array`; the array is asked once more before None, since it sometimes answers empty."""
        return volumes.find(self._cli, name)

    @call
    def find_volume_by_uid(self, uid: VolumeUid) -> Volume | None:
        """See `Array`; an active-active volume costs a second command."""
        return volumes.find_by_uid(self._cli, uid)

    @call
    def volume_names(self, prefix: str) -> tuple[str, ...]:
        """See `Array`; all volumes are listed, some firmware takes no pattern."""
        return volumes.names(self._cli, prefix)

    @call
    def volume_usage(self, name: VolumeName) -> Usage:
        """See `Array`."""
        return volumes.usage(self._cli, name)

    @call
    def create_volume(self, spec: VolumeSpec, *, adopt: bool = True) -> Volume:
        """See `Array`; the size is rounded up to whole GiB, as `Volume.size` shows."""
        return creation.create(self._cli, spec, adopt=adopt)

    @call
    def delete_volume(self, name: VolumeName, uid: VolumeUid | None = None) -> bool:
        """See `Array`; VOLUME_NOT_READY when LocalCopy maps use the volume."""
        return deletion.delete(self._cli, name, uid)

    @call
    def grow_volume(self, name: VolumeName, size: int, log: GrowthLog | None = None) -> Volume:
        """See `Array`; rounded up to whole GiB. OUTCOME_UNKNOWN for a while after an answer was lost."""
        return growth.grow(self._cli, Past(self._unsettled, self.limits.operation, log), name, size)

    @call
    def active_active(self, name: VolumeName) -> ActiveActive:
        """See `Array`."""
        return picture.read(self._cli, name)

    def expand_active_active(self, name: VolumeName, size: int, *, host: str, guard: Guard) -> ActiveActive:
        """See `Array`; no `call`: nine commands take longer, and each has its own deadline."""
        return expansion.expand(self._cli, name, size, host=host, guard=guard, limits=self.limits)

    @call
    def expansion_plan(self, record: Expansion) -> Plan:
        """See `Array`."""
        return expansion.left(self._cli, record)

    def resume_expansion(self, record: Expansion, guard: Guard) -> ActiveActive:
        """See `Array`; waits first until a command whose answer was lost cannot be carried out any more."""
        return expansion.resume(self._cli, record, guard, limits=self.limits)

    @call
    def expansion_findings(self, name: VolumeName) -> tuple[str, ...]:
        """See `Array`."""
        return findings.findings(self._cli, name)

    @call
    def doubt(self, volume: Volume, known: frozenset[VolumeUid] = frozenset()) -> str:
        """See `Array`; one command for a basic volume where there is one site."""
        return wholeness.doubt(self._cli, volume, known)

    @call
    def mappings(self, volume: VolumeName) -> tuple[Mapping, ...]:
        """See `Array`."""
        return self._resting.seen(mapping.of_volume(self._cli, volume))

    @call
    def host_mappings(self, host: str) -> tuple[Mapping, ...]:
        """See `Array`."""
        return self._resting.seen(mapping.of_host(self._cli, host))

    @call
    def map_volume(
        self,
        volume: VolumeName,
        host: str,
        *,
        share: bool = False,
        uid: VolumeUid | None = None,
        avoid: Collection[int] = (),
    ) -> Mapping:
        """See `Array`; VOLUME_MISSING and HOST_MISSING, the latter drops the cached host object."""
        try:
            return mapping.make(self._cli, self._resting, volume, host, share=share, uid=uid, avoid=avoid)
        except Fault as fault:
            if fault.code is Code.HOST_MISSING:
                self._hosts.forget()
            raise

    @call
    def unmap_volume(self, volume: VolumeName, host: str) -> bool:
        """See `Array`; the LUN rests before it is given to that host again."""
        return mapping.remove(self._cli, self._resting, volume, host)

    @call
    def find_host(self, name: str) -> Host | None:
        """See `Array`; always asked of the array, since it shows the logins."""
        return hosts.find(self._cli, name)

    @call
    def host_logins(self, name: str) -> HostLogins | None:
        """See `Array`."""
        return logins.read(self._cli, name)

    @call
    def holder_of(self, ports: frozenset[str]) -> Host | None:
        """See `Array`."""
        return holder.search(self._cli, ports, width=self.limits.channels).holder

    @call
    def ensure_host(
        self,
        initiator: Initiator,
        *,
        link: str,
        names: tuple[str, ...],
        assigned: str | None = None,
        site: str = "",
        node: str = "",
        volume: VolumeName | None = None,
    ) -> Host:
        """See `Array`."""
        return self._hosts.ensure(Claim(initiator, link, names, assigned, site, node), volume)

    @call
    def iscsi_targets(self, groups: Collection[str] = (), *, fresh: bool = False) -> tuple[IscsiTarget, ...]:
        """See `Array`."""
        return self._targets.get(groups, fresh=fresh)

    @call
    def portals(self) -> tuple[Portal, ...]:
        """See `Array`."""
        return identity.portals(self._cli, self._targets.ip_ports)

    @call
    def fc_targets(
        self, host: str, io_groups: Collection[str] = (), *, fresh: bool = False
    ) -> tuple[FcTarget, ...]:
        """See `Array`."""
        return self._fc_targets.get(host, io_groups, fresh=fresh)

    @call
    def fc_ports(self) -> tuple[Wwpn, ...]:
        """See `Array`."""
        return identity.fc_ports(self._cli)

    @call
    def san_identity(self) -> SanIdentity:
        """See `Array`."""
        return identity.read(self._cli, self._targets.ip_ports)

    @call
    def pool(self, name: str) -> Pool | None:
        """See `Array`."""
        return pools.find(self._cli, name)

    @call
    def protection(self) -> Protection | None:
        """See `Array`."""
        return protection.read(self._cli)

    def forget(self) -> None:
        """See `Array`."""
        for remembered in (self._hosts, self._targets, self._fc_targets):
            remembered.forget()

    def close(self) -> None:
        """See `Array`."""
        self._ssh.close()
