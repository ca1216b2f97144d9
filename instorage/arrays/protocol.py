"""The `Array` protocol: what the agent and the provisioner may ask of any array family.

Every method is safe to repeat. Errors are `Fault`s: ARRAY_UNREACHABLE, ARRAY_AUTHENTICATION, ARRAY_HOST_KEY,
ARRAY_ALGORITHMS, ARRAY_SESSIONS (its SSH sessions were all taken until the call's time was over),
ARRAY_ANSWER, ARRAY_BUSY, ARRAY_REFUSED, NAME_INVALID, TIMEOUT (a command could not be sent in time),
OUTCOME_UNKNOWN (only after reading the state again failed too, whatever it failed of), and those named below.
Snapshots and clones come with their own issues; their methods will stand beside these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection

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
    from instorage.volume_name import VolumeName
    from instorage.wire.values import Portal, VolumeUid, Wwpn


class Array(Protocol):
    """One storage array. Implementations are thread-safe: calls from several threads overlap."""

    @property
    def name(self) -> str:
        """The name in the configuration (`storage[].name`)."""

    def find_volume(self, name: VolumeName) -> Volume | None:
        """Return the volume of that name, None when the array says that there is none (one command)."""

    def find_volume_by_uid(self, uid: VolumeUid) -> Volume | None:
        """Return the volume of that UID, None when the array says that there is none (one command)."""

    def volume_names(self, prefix: str) -> tuple[str, ...]:
        """Return the names of all volumes that begin with `prefix`, sorted (one command, however many)."""

    def volume_usage(self, name: VolumeName) -> Usage:
        """Return what is used of a volume, for the proof that it is new. VOLUME_MISSING."""

    def create_volume(self, spec: VolumeSpec, *, adopt: bool = True) -> Volume:
        """Make the volume, or return the one that is there if it fits `spec`.

        VOLUME_EXISTS names what differs; POOL_FULL and POOL_MISSING name the pool and the figures. Without
        `adopt` it is VOLUME_EXISTS as well when the volume was there before this call's first command, so
        that a success, and OUTCOME_UNKNOWN, prove that the array had none of that name before. Once a command
        may have been carried out, whatever goes wrong but VOLUME_EXISTS is OUTCOME_UNKNOWN.
        """

    def delete_volume(self, name: VolumeName, uid: VolumeUid | None = None) -> bool:
        """Delete; False when it was not there. Never by force.

        `uid` is that of the volume that is meant: NOT_OURS when another one has the name now. VOLUME_MAPPED
        names the hosts; VOLUME_NOT_READY: LocalCopy maps (snapshots, clones) or a relationship use it;
        VOLUME_PROTECTED: it has had I/O a short while ago, and goes later.
        """

    def grow_volume(self, name: VolumeName, size: int, log: GrowthLog | None = None) -> Volume:
        """Make a basic or mirrored volume at least `size` bytes, rounded up to the array's unit.

        A size that it has already, or a smaller one, is success without a command: the volume as it is. The
        array takes a difference: after a lost answer the size is read again, and nothing is added while the
        lost command may still be carried out (OUTCOME_UNKNOWN): by what this process knows, and by `log`,
        which is told before each command, too. VOLUME_NOT_READY when another volume than that of `log` has
        the name now. VOLUME_MISSING, POOL_FULL with the figures,
        VOLUME_NOT_READY (formatting, LocalCopy maps), NOT_SUPPORTED for an active-active volume.
        """

    def active_active(self, name: VolumeName) -> ActiveActive:
        """Return the four vdisks and their relationship. VOLUME_MISSING; VOLUME_NOT_READY unless whole."""

    def expand_active_active(self, name: VolumeName, size: int, *, host: str, guard: Guard) -> ActiveActive:
        """Make an active-active volume at least `size` bytes, and return the whole picture.

        To be called under the exclusive host lock. `host` is the one host object that it may be mapped to.
        Another volume than that of `guard` may have got the name meanwhile: VOLUME_NOT_READY.
        A size that all four vdisks have is success without a command and without a record. VOLUME_NOT_READY
        and POOL_FULL before the record is written, or after it was erased: nothing was done. After any
        other fault the record stays with `guard`, thawed: `resume_expansion` finishes it. When the freeze
        did not hold, the aux is synchronised in full in the background, which is no fault.
        """

    def expansion_plan(self, record: Expansion) -> Plan:
        """Return what is left of a broken-off expansion, or the questions a person has to answer."""

    def resume_expansion(self, record: Expansion, guard: Guard) -> ActiveActive:
        """Do what is left, and erase the record; without `-sync`, unless nothing had been done at all.

        Then it begins anew, frozen. VOLUME_NOT_READY with the questions. Nothing is done when it is whole.
        """

    def expansion_findings(self, name: VolumeName) -> tuple[str, ...]:
        """Say, without a record, what can be seen and what a person must find out. VOLUME_MISSING."""

    def doubt(self, volume: Volume, known: frozenset[VolumeUid] = frozenset()) -> str:
        """Say what shows that a volume is, or may be, part of an active-active one that is not whole.

        A part of a sentence, empty when nothing does. Told without a record, and so at times of a volume
        that never was active-active: `known` are the vdisks that records say to be another volume's.
        """

    def mappings(self, volume: VolumeName) -> tuple[Mapping, ...]:
        """Return every mapping of a volume (by lsvdiskhostmap); empty also when the volume is gone.

        «None» is what the array says twice, a pause apart; it may still be wrong.
        """

    def host_mappings(self, host: str) -> tuple[Mapping, ...]:
        """Return what is mapped to a host object (by lshostvdiskmap)."""

    def map_volume(
        self,
        volume: VolumeName,
        host: str,
        *,
        share: bool = False,
        uid: VolumeUid | None = None,
        avoid: Collection[int] = (),
    ) -> Mapping:
        """Map, or return the mapping that is there, with the LUN re-read from the array; `made` says which.

        Without `share` the array itself refuses a second host: VOLUME_MAPPED_ELSEWHERE names it.
        VOLUME_MISSING, HOST_MISSING; NOT_OURS, and nothing mapped, when another than the volume of `uid` has
        the name now. `avoid` are LUN numbers that the volume must not get: the host has disks behind them.
        """

    def unmap_volume(self, volume: VolumeName, host: str) -> bool:
        """Unmap; False when it was not mapped to that host. VOLUME_PROTECTED: after a while."""

    def find_host(self, name: str) -> Host | None:
        """Return the host object of that name with its ports and their logins."""

    def host_logins(self, name: str) -> HostLogins | None:
        """Return which ports of a host object are logged in, by all that the array knows of them; not cached.

        None when the array says that there is no such object. What it says in part is a Fault.
        """

    def holder_of(self, ports: frozenset[str]) -> Host | None:
        """Return the host object that has one of the ports (`Host.port_names`), None: not found in 10 s.

        Looks at every host object, a command each, when the fabric does not name it: for trouble alone.
        """

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
        """Return this machine's host object, making it if there is none (architecture.md 5, «Host objects»).

        `names` are acceptable names, the first is given to a new one; `assigned` is what `host.objects` in
        the configuration gives to this node, `site` what `host.site` does, by name or id; `node` is what
        `host.objects` calls it, for the line to add. `volume`: the active-active one that is to be mapped,
        which needs a host with a site: without a configured one it is that of the volume's master.
        HOST_OBJECT names object, ports and the line to add. Cached for minutes: costs no command when it was
        found before, however many hosts there are; `forget` drops the cache. A refusal that took a search is
        given again for a minute.
        """

    def iscsi_targets(self, groups: Collection[str] = (), *, fresh: bool = False) -> tuple[IscsiTarget, ...]:
        """Return the usable portals with their targets (cached for minutes; `fresh`, `forget`: not).

        `fresh` is for a time of change: what is said then is not kept for the next, either.

        Asked anew when what is cached has none of one of these I/O groups, though not within ten seconds.
        Those of every portset and address family: `IscsiTarget.open_to`, and a probe, say what is of use.
        """

    def portals(self) -> tuple[Portal, ...]:
        """Return every portal that is configured, up or down; not cached. ARRAY_ANSWER: it may be half."""

    def fc_targets(
        self, host: str, io_groups: Collection[str] = (), *, fresh: bool = False
    ) -> tuple[FcTarget, ...]:
        """Return the Fibre Channel ports that a host object can reach (cached as `iscsi_targets` are).

        Those to which its ports are logged in; where the array shows no login, all that are open to hosts:
        then this machine's kernel says which of them it sees.
        """

    def fc_ports(self) -> tuple[Wwpn, ...]:
        """Return every name that a Fibre Channel port may have for hosts, up or down; not cached.

        ARRAY_ANSWER: it may be half.
        """

    def san_identity(self) -> SanIdentity:
        """Return what tells this array from others on the SAN (`instoragectl pin`); not cached."""

    def pool(self, name: str) -> Pool | None:
        """Return a pool, None when the array says that there is none."""

    def protection(self) -> Protection | None:
        """Return whether the array keeps volumes for a while after I/O; None when it does not."""

    def forget(self) -> None:
        """Drop what is cached: an attach found it wrong."""

    def close(self) -> None:
        """Close connections; the next call opens them again."""
