"""The ways to a volume over Fibre Channel: the array's ports that this machine's adapters see.

The array says where the host object's ports are logged in. Where it shows no login, its ports that are open
to hosts are compared with those that the kernel knows: zoning gives a host but a few of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault
from instorage.wire.values import Wwpn
from instorage.wire.verbs import FcPath
from nodeagent.host.fc_ports import remote_ports
from nodeagent.volume.expected_paths import over_fc
from nodeagent.volume.ways import Ways, spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from instorage.arrays.model import FcTarget, Host, Mapping, Volume
    from instorage.arrays.protocol import Array
    from nodeagent.operation.node import Operation


def ways(operation: Operation, array: Array, volume: Volume, mapping: Mapping, host: Host) -> Ways:
    """Return a path for each port of the volume's I/O groups; PORTAL_UNREACHABLE when there is none."""
    luns = dict(mapping.luns)
    operation.progress.say("looking for the array's Fibre Channel ports")
    shown = array.fc_targets(host.name, luns)
    targets = [target for target in shown if target.io_group in luns]
    if not targets:
        raise _none(array, volume, mapping, shown)
    seen = _seen(operation)
    logged_in = [target for target in targets if target.initiators]
    known = [(target, target.initiators or seen.get(target.wwpn, ())) for target in logged_in or targets]
    reached = [(target, initiators) for target, initiators in known if initiators]
    if not reached:
        raise _unseen(array, host, targets)
    # Each adapter makes a path of its own, also one of which the array does not know yet.
    ends = {target: tuple({*initiators, *seen.get(target.wwpn, ())}) for target, initiators in reached}
    chosen = spread(list(ends), lambda target: (target.node, ends[target]))
    paths = tuple(dict.fromkeys(FcPath(target.wwpn, luns[target.io_group]) for target in chosen))
    return Ways(over_fc=paths, whole=over_fc(mapping, chosen, operation.node.paths.sysfs))


def _seen(operation: Operation) -> dict[str, tuple[str, ...]]:
    """Return the adapters of this machine that know each remote port, whatever its state."""
    found: dict[str, tuple[str, ...]] = {}
    for port in remote_ports(operation.node.paths.sysfs):
        found[port.target] = (*found.get(port.target, ()), port.initiator)
    return found


def _none(array: Array, volume: Volume, mapping: Mapping, shown: Sequence[FcTarget]) -> Fault:
    groups = " and ".join(dict(mapping.luns))
    if shown:
        nodes = ", ".join(sorted({target.node for target in shown}))
        text = (
            f"Volume {volume.name} is in I/O group {groups} of array {array.name}, and this machine reaches "
            f"nodes {nodes} alone, which are in others: zone a port of a node of that group, or have the "
            "volume in another I/O group (volIOGrp of the class of a new claim) or pool."
        )
    else:
        text = (
            f"Array {array.name} shows no Fibre Channel port with a link on a node that is online: see "
            "lsportfc and lstargetportfc there, and the cables."
        )
    return Fault(Code.PORTAL_UNREACHABLE, text, volume=volume.name, array=array.name)


def _unseen(array: Array, host: Host, targets: Sequence[FcTarget]) -> Fault:
    ours = ", ".join(port.name for port in host.ports if Wwpn.pattern.fullmatch(port.name))
    theirs = ", ".join(sorted({target.wwpn for target in targets}))
    text = (
        f"Array {array.name} shows no login of this machine's Fibre Channel ports ({ours}), and none of them "
        f"sees a port of the array ({theirs}): zone them together, and see /sys/class/fc_host/*/port_state."
    )
    return Fault(Code.PORTAL_UNREACHABLE, text, array=array.name, host=host.name)
